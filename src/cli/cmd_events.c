#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/asyncapi.h"
#include "cli/commands.h"
#include "cli/outputs.h"
#include "cli/session.h"
#include "doc/json.h"

const struct e8_option e8_events_options[] = {
    {"number", 'n', "N", "how many events to show, of each type; default 1", 0},
    {"seed", 0, "N", "of everything random", E8_OPTION_ENV},
    {"clock", 0, "TIME", "the events' time; default: now", 0},
    {"environment", 'e', "NAME", "production, staging or development", E8_OPTION_ENV},
    {"format", 0, "text|json|ndjson", "of what is listed or shown", 0},
    {"force", 0, NULL, "export over files that exist", 0},
    {"asyncapi", 0, NULL, "export: the event types as an AsyncAPI 3 document, on stdout", 0},
    {"output", 'o', "FILE", "the same into this file", E8_OPTION_OUTPUT},
    {NULL, 0, NULL, NULL, 0},
};

struct lister {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    enum e8_format format;
};

static int list_events(struct lister *l)
{
    struct e8_buf out;
    e8_buf_init(&out, 4 << 20);
    struct e8_json w = e8_json_new(&out, l->format == E8_FORMAT_JSON ? 2 : 0);
    if (l->format == E8_FORMAT_JSON) {
        e8_json_array(&w, NULL);
    }
    const char *category = "";
    for (size_t i = 0; i < e8_catalog_count(l->catalog); i++) {
        const struct e8_type *type = e8_catalog_type(l->catalog, i);
        if (l->format == E8_FORMAT_TEXT) {
            e8_buf_printf(&out, "%-14s%-26s  %s\n", strcmp(category, type->category) ? type->category : "",
                          type->name, type->description);
            category = type->category;
            continue;
        }
        e8_json_object(&w, NULL);
        e8_json_cstr(&w, "type", type->name);
        e8_json_cstr(&w, "category", type->category);
        e8_json_cstr(&w, "description", type->description);
        e8_json_num(&w, "weight", type->weight, 3);
        e8_json_end(&w, '}');
        if (l->format == E8_FORMAT_NDJSON) {
            e8_buf_putc(&out, '\n');
            w = e8_json_new(&out, 0);
        }
    }
    if (l->format == E8_FORMAT_JSON) {
        e8_json_end(&w, ']');
        e8_buf_putc(&out, '\n');
    }
    fwrite(out.p, 1, out.n, stdout);
    e8_buf_fini(&out);
    return E8_EXIT_PASS;
}

static void pretty(struct e8_json *w, const char *key, const struct e8_node *node)
{
    if (node->kind == E8_MAP || node->kind == E8_SEQ) {
        if (node->kind == E8_MAP) {
            e8_json_object(w, key);
        } else {
            e8_json_array(w, key);
        }
        for (const struct e8_node *child = node->first; child; child = child->next) {
            char *name = node->kind == E8_MAP ? e8_dup_str(child->key) : NULL;
            pretty(w, name, child);
            free(name);
        }
        e8_json_end(w, node->kind == E8_MAP ? '}' : ']');
    } else if (node->kind == E8_STRING) {
        e8_json_str(w, key, node->text);
    } else {
        e8_json_raw(w, key, node->text);
    }
}

static bool print_event(void *state, const struct e8_preview *preview)
{
    const struct lister *l = state;
    struct e8_buf out;
    struct e8_doc *doc = NULL;
    e8_buf_init(&out, SIZE_MAX / 2);
    if (l->format == E8_FORMAT_NDJSON || e8_doc_parse("event", preview->body, E8_DOC_JSON, &doc, NULL)) {
        e8_buf_putstr(&out, preview->body);
    } else {
        struct e8_json w = e8_json_new(&out, 2);
        pretty(&w, NULL, e8_doc_root(doc));
    }
    e8_buf_putc(&out, '\n');
    bool more = fwrite(out.p, 1, out.n, stdout) == out.n;
    e8_doc_free(&doc);
    e8_buf_fini(&out);
    return more;
}

static int show_events(struct lister *l)
{
    struct e8_errs errs;
    struct e8_err err = {0};
    struct e8_plan *plan = NULL;
    uint64_t number = 1;
    bool given;
    e8_wall_ns clock = e8_wall_now();
    struct e8_send_options options = {
        .patterns = l->args->words + 1,
        .endpoint = {.name = "show",
                     .url = "http://127.0.0.1/",
                     .scheme = e8_schemes_find(e8_catalog_schemes(l->catalog), "8bit")},
    };
    enum e8_rc rc = e8_arg_u64(l->args, "number", 1, 100000000, &number, &err);
    rc = rc ? rc : e8_cli_seed(l->args, &given, &options.seed, &err);
    rc = rc ? rc : e8_arg_time(l->args, "clock", &clock, &err);
    rc = rc ? rc : e8_cli_environment(l->args, l->catalog, &options.environment, &err);
    if (!rc && !options.patterns[0]) {
        rc = e8_fail(&err, E8_INPUT, "emit8 events show message.received", "events show: which type?");
    }
    if (rc) {
        return e8_exit_error(&err);
    }
    e8_errs_init(&errs);
    if (e8_plan_send(l->catalog, &options, &plan, &errs)) {
        return e8_exit_errs(&errs);
    }
    plan->phases[0].times = number * plan->flows[0].steps.count;
    rc = e8_preview_plan(plan, l->catalog, clock, print_event, l, &err);
    e8_plan_free(&plan);
    e8_errs_fini(&errs);
    return rc ? e8_exit_error(&err) : E8_EXIT_PASS;
}

static int show_schema(struct lister *l)
{
    struct e8_err err = {0};
    const char *name = l->args->words[1];
    int type = name ? e8_catalog_find(l->catalog, e8_str(name)) : -1;
    if (type < 0) {
        char hint[E8_HINT_MAX];
        e8_hint_near(e8_str(name), e8_catalog_names(l->catalog), "emit8 events lists them", hint);
        e8_fail(&err, E8_INPUT, hint, "events schema: \"%s\" is no event type", name ? name : "");
        return e8_exit_error(&err);
    }
    struct e8_str text = e8_catalog_schema(l->catalog, (size_t)type);
    fwrite(text.p, 1, text.n, stdout);
    return E8_EXIT_PASS;
}

/* Whole, or not at all. */
static enum e8_rc write_document(const struct lister *l, struct e8_str text, struct e8_err *err)
{
    const char *path = e8_arg(l->args, "output");
    if (!path || strcmp(path, "-") == 0) {
        fwrite(text.p, 1, text.n, stdout);
        return E8_OK;
    }
    if (!e8_arg_set(l->args, "force") && access(path, F_OK) == 0) {
        return e8_fail(err, E8_INPUT, "--force writes over it", "%s is there already", path);
    }
    enum e8_rc rc = e8_cli_may_write("output", path, err);
    return rc ? rc : e8_file_write(path, text, err);
}

static int export_asyncapi(const struct lister *l)
{
    struct e8_err err = {0};
    struct e8_buf document;
    if (l->args->words[1]) {
        e8_fail(&err, E8_INPUT, "-o FILE", "--asyncapi takes no directory");
        return e8_exit_error(&err);
    }
    e8_buf_init(&document, SIZE_MAX / 2);
    e8_asyncapi_write(l->catalog, &document);
    enum e8_rc rc = write_document(l, e8_buf_str(&document), &err);
    e8_buf_fini(&document);
    return rc ? e8_exit_error(&err) : E8_EXIT_PASS;
}

static int export_events(struct lister *l)
{
    struct e8_err err = {0};
    const char *directory = l->args->words[1];
    if (e8_arg_set(l->args, "asyncapi")) {
        return export_asyncapi(l);
    }
    if (e8_arg(l->args, "output")) {
        e8_fail(&err, E8_INPUT, "emit8 events export --asyncapi -o FILE", "-o is for --asyncapi");
        return e8_exit_error(&err);
    }
    enum e8_rc rc =
        directory ? e8_catalog_export(l->catalog, directory, e8_arg_set(l->args, "force"), &err)
                  : e8_fail(&err, E8_INPUT, "emit8 events export my-fixtures", "events export: where to?");
    if (rc) {
        return e8_exit_error(&err);
    }
    fprintf(stderr, "emit8: fixtures written to %s; use them with --fixtures %s\n", directory, directory);
    return E8_EXIT_PASS;
}

/* Loads the directory over the built-in files and checks what comes out of it. */
static int validate_events(const struct e8_args *args)
{
    struct e8_errs errs;
    struct e8_catalog *catalog = NULL;
    struct e8_err err = {0};
    uint64_t number = 100;
    const char *directory = args->words[1] ? args->words[1] : e8_arg(args, "fixtures");
    if (e8_arg_u64(args, "number", 1, 1000000, &number, &err)) {
        return e8_exit_error(&err);
    }
    e8_errs_init(&errs);
    if (!e8_catalog_load(directory, &catalog, &errs)) {
        e8_catalog_check(catalog, (unsigned)number, &errs);
    } else {
        e8_catalog_check_schemas(directory, &errs);
    }
    if (errs.total) {
        size_t count = e8_errs_distinct(&errs);
        fprintf(stderr, "emit8: %zu fault%s\n", count, count == 1 ? "" : "s");
        e8_catalog_free(&catalog);
        return e8_exit_errs(&errs);
    }
    printf("%s: %zu event types, all valid; %llu events of each match their schemas\n",
           directory ? directory : "built-in fixtures", e8_catalog_count(catalog),
           (unsigned long long)number);
    e8_catalog_free(&catalog);
    e8_errs_fini(&errs);
    return E8_EXIT_PASS;
}

static int unknown_word(const char *word)
{
    static const char *const names[] = {"list", "show", "schema", "export", "validate", NULL};
    struct e8_err err = {0};
    char hint[E8_HINT_MAX];
    e8_hint_near(e8_str(word), names, "list, show, schema, export or validate", hint);
    e8_fail(&err, E8_INPUT, hint, "events: unknown word \"%s\"", word);
    return e8_exit_error(&err);
}

static int with_catalog(struct lister *l, int (*work)(struct lister *))
{
    int code;
    if (e8_cli_catalog(l->args, &l->catalog, &code)) {
        code = work(l);
        e8_catalog_free(&l->catalog);
    }
    return code;
}

static int validate(struct lister *l)
{
    return validate_events(l->args);
}

static int run_word(struct lister *l, const char *word)
{
    static const struct {
        const char *word;
        int (*work)(struct lister *);
        bool loads;
        size_t words; /* at most, with itself; 0: any number */
    } rows[] = {{"list", list_events, true, 1},
                {"show", show_events, true, 0},
                {"schema", show_schema, true, 2},
                {"export", export_events, true, 2},
                {"validate", validate, false, 2}};
    struct e8_err err = {0};
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        if (strcmp(word, rows[i].word) != 0) {
            continue;
        }
        if (rows[i].words && l->args->word_count > rows[i].words) {
            e8_fail(&err, E8_INPUT, "emit8 events --help", "events %s: \"%s\" is one word too many", word,
                    l->args->words[rows[i].words]);
            return e8_exit_error(&err);
        }
        return rows[i].loads ? with_catalog(l, rows[i].work) : rows[i].work(l);
    }
    return unknown_word(word);
}

int e8_cmd_events(const struct e8_args *args)
{
    struct lister l = {.args = args};
    struct e8_err err = {0};
    enum e8_rc rc = e8_cli_format(args, E8_FORMAT_TEXT, &l.format, &err);
    if (!rc && l.format != E8_FORMAT_TEXT && l.format != E8_FORMAT_JSON && l.format != E8_FORMAT_NDJSON) {
        rc = e8_fail(&err, E8_INPUT, "text, json or ndjson", "events do not come as %s",
                     e8_arg(args, "format"));
    }
    const char *word = args->word_count ? args->words[0] : "list";
    if (!rc && strcmp(word, "export") != 0 && (e8_arg_set(args, "asyncapi") || e8_arg(args, "output"))) {
        rc = e8_fail(&err, E8_INPUT, "emit8 events export --asyncapi", "--asyncapi and -o are for export");
    }
    return rc ? e8_exit_error(&err) : run_word(&l, word);
}
