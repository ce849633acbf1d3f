#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/source.h"
#include "doc/json.h"

#define SCHEMA     "scenarios/scenario.schema.json"
#define SIZE_LIMIT 1000000 /* events that are counted */
#define FILES_MAX  10000

const struct e8_option e8_validate_options[] = {
    {"var", 0, "NAME=VALUE", "a variable of the scenario, instead of its default (repeatable)",
     E8_OPTION_REPEATS},
    {"format", 0, "text|json", "of the faults; json is a list, on stdout", 0},
    {"schema", 0, NULL, "print the JSON Schema of scenario files, for editors", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct validator {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    const char **vars;
    const char **files;
    size_t count, cap;
    bool json;
    struct e8_errs errs; /* of all files */
    struct e8_buf list;
    struct e8_json w;
};

static const char *environment(const char *name)
{
    return getenv(name);
}

static size_t count_steps(struct e8_steps steps)
{
    size_t sum = 0;
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        sum += 1 + (step->kind == E8_STEP_REPEAT ? count_steps(step->repeat.body) : 0);
        bool branches = step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL;
        for (size_t j = 0; branches && j < step->branches.count; j++) {
            sum += count_steps(step->branches.list[j].steps);
        }
    }
    return sum;
}

static void put_count(struct e8_buf *out, const char *before, uint64_t count, const char *noun)
{
    char text[E8_NUMBER_MAX];
    e8_buf_printf(out, "%s%s %s%s", before, e8_count_text(count, text), noun, count == 1 ? "" : "s");
}

/* What is no fault, and yet hardly meant. */
static void put_notes(const char *name, struct e8_str notes)
{
    struct e8_str line;
    while (e8_str_split(&notes, '\n', &line)) {
        if (line.n) {
            printf("%s: note: %.*s\n", name, E8_STR(line));
        }
    }
}

/* What a good file holds, on one line. */
static void say_good(const struct validator *v, const char *name, const struct e8_plan *plan)
{
    size_t steps = 0, probes = 0;
    uint64_t events, deliveries;
    char text[E8_NUMBER_MAX];
    struct e8_buf line, note;
    E8_ASSERT(plan);
    e8_buf_init(&line, 64 << 10);
    e8_buf_init(&note, 64 << 10);
    for (size_t i = 0; i < plan->flow_count; i++) {
        steps += count_steps(plan->flows[i].steps);
        probes += plan->flows[i].probe != NULL;
    }
    e8_plan_size(plan, v->catalog, SIZE_LIMIT, &events, &deliveries);
    put_count(&line, ": ok: ", plan->flow_count, "flow");
    if (probes) {
        put_count(&line, " (", probes, "probe");
        e8_buf_putc(&line, ')');
    }
    put_count(&line, ", ", steps, "step");
    put_count(&line, ", ", plan->endpoint_count, "endpoint");
    if (deliveries) {
        put_count(&line, "; sends ", events, "event");
        e8_buf_puts(&line, " in ");
        e8_buf_printf(&line, "%s deliver%s", e8_count_text(deliveries, text), deliveries == 1 ? "y" : "ies");
    } else if (e8_plan_timed(plan)) {
        e8_buf_puts(&line, "; sends as many events as their time allows");
    } else {
        e8_buf_printf(&line, "; sends more than %s events", e8_count_text(SIZE_LIMIT, text));
    }
    printf("%s%s\n", name, e8_buf_cstr(&line));
    e8_plan_check(plan, v->catalog, &note, NULL);
    put_notes(name, e8_buf_str(&note));
    e8_buf_fini(&line);
    e8_buf_fini(&note);
}

static void put_fault(struct e8_json *w, const struct e8_err *err, const char *file)
{
    e8_json_object(w, NULL);
    e8_json_cstr(w, "file", err->file[0] ? err->file : file);
    if (err->line) {
        e8_json_int(w, "line", err->line);
        e8_json_int(w, "column", err->col);
    } else {
        e8_json_null(w, "line");
        e8_json_null(w, "column");
    }
    e8_json_cstr(w, "message", err->what);
    e8_json_cstr(w, "hint", err->hint[0] ? err->hint : NULL);
    e8_json_cstr(w, "source", err->source[0] ? err->source : NULL);
    e8_json_end(w, '}');
}

static void say_faults(struct validator *v, const char *name, struct e8_errs *errs)
{
    size_t faults = e8_errs_distinct(errs);
    for (size_t i = 0; i < errs->count; i++) {
        struct e8_err *err = &errs->list[i];
        if (!err->file[0]) {
            struct e8_buf file;
            e8_buf_fixed(&file, err->file, sizeof err->file - 1);
            e8_buf_puts(&file, name);
        }
        if (v->json) {
            put_fault(&v->w, err, name);
        }
    }
    if (!v->json) {
        e8_errs_print(errs, stderr);
        fprintf(stderr, "%s: %zu fault%s\n", name, faults, faults == 1 ? "" : "s");
    }
    if (errs->count) {
        e8_errs_add(&v->errs, &errs->list[0]);
    }
}

/* Without network, and without secrets: what is missing of them is no fault of the file. */
static enum e8_rc parse_file(struct validator *v, struct e8_source *source, const char *name,
                             struct e8_plan **plan, struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_scenario_options options = {
        .getenv = environment,
        .vars = v->vars,
        .secret = E8_SECRET_STAND_IN,
        .next_secret = E8_SECRET_STAND_IN_NEXT,
        .stand_ins = true,
        .rotation_written = true,
    };
    enum e8_rc rc = e8_source_open(name, source, &err);
    if (rc) {
        return e8_errs_add(errs, &err);
    }
    rc = e8_source_parse(source, v->catalog, &options, "http://127.0.0.1:9000/", plan, errs);
    if (!rc && e8_plan_check(*plan, v->catalog, NULL, &err)) {
        rc = e8_errs_add(errs, &err);
    }
    return rc;
}

static void validate_file(struct validator *v, const char *name)
{
    struct e8_source source = {0};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (parse_file(v, &source, name, &plan, &errs)) {
        say_faults(v, source.name, &errs);
    } else if (!v->json && !e8_arg_set(v->args, "quiet")) {
        say_good(v, source.name, plan);
    }
    e8_errs_fini(&errs);
    e8_plan_free(&plan);
    e8_source_fini(&source);
}

static void add_file(struct validator *v, const char *path)
{
    if (v->count == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 16;
        v->files = e8_resize(v->files, v->cap, sizeof *v->files);
    }
    v->files[v->count++] = path;
}

static bool is_scenario(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' &&
           ((n > 5 && strcmp(name + n - 5, ".yaml") == 0) || (n > 4 && strcmp(name + n - 4, ".yml") == 0));
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static enum e8_rc add_directory(struct validator *v, const char *path, struct e8_err *err)
{
    size_t before = v->count;
    DIR *dir = opendir(path);
    struct dirent *entry;
    if (!dir) {
        return e8_fail_at(err, path, 0, 0, NULL, "%s", strerror(errno));
    }
    while ((entry = readdir(dir)) != NULL && v->count < FILES_MAX) {
        if (is_scenario(entry->d_name)) {
            size_t n = strlen(path);
            add_file(v, e8_arena_printf(v->arena, "%s%s%s", path, n && path[n - 1] == '/' ? "" : "/",
                                        entry->d_name));
        }
    }
    closedir(dir);
    if (v->count == before) {
        return e8_fail_at(err, path, 0, 0, "files that end in .yaml or .yml", "has no scenarios");
    }
    qsort(v->files + before, v->count - before, sizeof *v->files, by_name);
    return E8_OK;
}

static enum e8_rc collect_files(struct validator *v, struct e8_err *err)
{
    const char *format = e8_arg(v->args, "format");
    struct stat st;
    enum e8_rc rc = E8_OK;
    v->json = format && strcmp(format, "json") == 0;
    if (format && !v->json && strcmp(format, "text") != 0) {
        return e8_fail(err, E8_INPUT, "text or json", "unknown format \"%s\"", format);
    }
    if (v->args->word_count == 0) {
        return e8_fail(err, E8_INPUT, "emit8 validate scenario.yaml", "no file is named");
    }
    for (size_t i = 0; !rc && i < v->args->word_count; i++) {
        const char *word = v->args->words[i];
        if (stat(word, &st) == 0 && S_ISDIR(st.st_mode)) {
            rc = add_directory(v, word, err);
        } else {
            add_file(v, word);
        }
    }
    return rc;
}

static int validate_all(struct validator *v)
{
    struct e8_err err = {0};
    if (collect_files(v, &err)) {
        return e8_exit_error(&err);
    }
    e8_buf_init(&v->list, SIZE_MAX / 2);
    v->w = e8_json_new(&v->list, 2);
    e8_json_array(&v->w, NULL);
    for (size_t i = 0; i < v->count; i++) {
        validate_file(v, v->files[i]);
    }
    e8_json_end(&v->w, ']');
    if (v->json) {
        fwrite(v->list.p, 1, v->list.n, stdout);
        putchar('\n');
    }
    e8_buf_fini(&v->list);
    enum e8_rc rc = e8_errs_rc(&v->errs);
    return rc == E8_OK ? E8_EXIT_PASS : rc == E8_ENV ? E8_EXIT_ENV : E8_EXIT_INPUT;
}

int e8_cmd_validate(const struct e8_args *args)
{
    struct validator v = {.args = args, .arena = e8_arena_new()};
    int code = E8_EXIT_PASS;
    e8_errs_init(&v.errs);
    if (e8_arg_set(args, "schema")) {
        struct e8_str schema = e8_catalog_builtin(SCHEMA);
        fwrite(schema.p, 1, schema.n, stdout);
    } else if (e8_cli_catalog(args, &v.catalog, &code)) {
        v.vars = e8_arg_all(args, "var");
        code = validate_all(&v);
    }
    free(v.vars);
    free(v.files);
    e8_errs_fini(&v.errs);
    e8_catalog_free(&v.catalog);
    e8_arena_free(&v.arena);
    return code;
}
