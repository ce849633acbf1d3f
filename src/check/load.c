#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check/internal.h"
#include "doc/json.h"

#define BUILTIN                                                                                              \
    "emit8:" /* stands before the names of built-in files, which no file on disk can be mistaken for */
#define FILES_MAX 1000

static const char *const files[] = {
    "events", "signature",    "raw",  "idempotency", "timestamps", "forward",
    "order",  "environments", "http", "acknowledge", "responses",  "rotation",
};

/* What is read for the plan; texts end with it. */
struct reading {
    struct e8_arena *arena;
    struct e8_buf *texts;
    size_t count;
    const char *paths[FILES_MAX];
    size_t path_count;
};

static enum e8_rc read_file(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    struct reading *reading = state;
    if (strncmp(path, BUILTIN, sizeof BUILTIN - 1) == 0) {
        *out = e8_catalog_builtin(path + sizeof BUILTIN - 1);
        return out->p ? E8_OK : e8_fail_at(err, path, 0, 0, NULL, "there is no such built-in file");
    }
    reading->texts = e8_resize(reading->texts, reading->count + 1, sizeof *reading->texts);
    struct e8_buf *text = &reading->texts[reading->count];
    enum e8_rc rc = e8_file_read(path, E8_FILE_MAX, text, err);
    reading->count++;
    *out = e8_buf_str(text);
    return rc;
}

static enum e8_rc add_path(struct reading *reading, const char *path, struct e8_err *err)
{
    if (reading->path_count == FILES_MAX) {
        return e8_fail(err, E8_INPUT, NULL, "more than %d files of checks", FILES_MAX);
    }
    reading->paths[reading->path_count++] = path;
    return E8_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_yaml(const char *name)
{
    const char *dot = strrchr(name, '.');
    return name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static enum e8_rc add_directory(struct reading *reading, const char *path, struct e8_err *err)
{
    size_t before = reading->path_count;
    enum e8_rc rc = E8_OK;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    if (!directory) {
        return e8_fail(err, E8_INPUT, "a directory with *.yaml, or one such file", "--checks %s: %s", path,
                       strerror(errno));
    }
    while (!rc && (entry = readdir(directory))) {
        if (is_yaml(entry->d_name)) {
            rc = add_path(reading, e8_arena_printf(reading->arena, "%s/%s", path, entry->d_name), err);
        }
    }
    closedir(directory);
    qsort(reading->paths + before, reading->path_count - before, sizeof *reading->paths, by_name);
    if (!rc && reading->path_count == before) {
        rc = e8_fail(err, E8_INPUT, "flows with check: in files that end with .yaml",
                     "--checks %s: there is no *.yaml in it", path);
    }
    return rc;
}

static enum e8_rc collect_paths(struct reading *reading, const char *const *checks, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; i < E8_COUNT(files); i++) {
        add_path(reading, e8_arena_printf(reading->arena, BUILTIN "scenarios/checks/%s.yaml", files[i]), err);
    }
    for (size_t i = 0; !rc && checks && checks[i]; i++) {
        struct stat info;
        if (stat(checks[i], &info)) {
            rc = e8_fail(err, E8_INPUT, "a directory with *.yaml, or one such file", "--checks %s: %s",
                         checks[i], strerror(errno));
        } else if (S_ISDIR(info.st_mode)) {
            rc = add_directory(reading, checks[i], err);
        } else {
            rc = add_path(reading, checks[i], err);
        }
    }
    return rc;
}

/* The scenario that includes them all. */
static const char *top(struct reading *reading)
{
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    e8_json_cstr(&w, "scenario", "check");
    e8_json_array(&w, "include");
    for (size_t i = 0; i < reading->path_count; i++) {
        e8_json_cstr(&w, NULL, reading->paths[i]);
    }
    e8_json_end(&w, ']');
    e8_json_end(&w, '}');
    const char *result = e8_arena_str(reading->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

/* The platform may have fewer than three: then the last stands in. */
static const char *environment_at(const char *const *names, size_t index)
{
    for (size_t i = 0; i < index && names[1]; i++) {
        names++;
    }
    return names[0];
}

/* What the built-in files leave open. */
static const char *const *variables(struct e8_check *check)
{
    const struct e8_check_options *o = &check->options;
    const char *const *environments = e8_catalog_platform(check->catalog)->environments;
    const char **list = e8_arena_alloc(check->arena, 8 * sizeof *list);
    size_t n = 0;
    list[n++] = e8_arena_printf(check->arena, "deadline=%lldus", (long long)(o->deadline / E8_NS_US));
    list[n++] = e8_arena_printf(check->arena, "second_environment=%s", environment_at(environments, 1));
    list[n++] = e8_arena_printf(check->arena, "third_environment=%s", environment_at(environments, 2));
    if (o->scheme->tolerance > 3 * E8_NS_S) {
        list[n++] = e8_arena_printf(check->arena, "almost_stale=-%llds",
                                    (long long)(o->scheme->tolerance / E8_NS_S - 3));
    }
    if (o->on_rotate) {
        list[n++] = e8_arena_printf(check->arena, "on_rotate=%s", o->on_rotate);
    }
    if (o->on_revoke) {
        list[n++] = e8_arena_printf(check->arena, "on_revoke=%s", o->on_revoke);
    }
    list[n] = NULL;
    return list;
}

static bool first_emit(void *state, const struct e8_emit *emit)
{
    *(const struct e8_emit **)state = emit;
    return false;
}

/* "signature" of "scenarios/checks/signature.yaml". */
static const char *stem(struct e8_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return e8_arena_str(arena, (struct e8_str){name, dot ? (size_t)(dot - name) : strlen(name)}).p;
}

/* "SIG" of "SIG-01"; else the whole. */
static const char *prefix(struct e8_arena *arena, const char *id)
{
    size_t n = strlen(id), digits = n;
    while (digits > 0 && id[digits - 1] >= '0' && id[digits - 1] <= '9') {
        digits--;
    }
    bool numbered = digits > 1 && digits < n && id[digits - 1] == '-';
    return e8_arena_str(arena, (struct e8_str){id, numbered ? digits - 1 : n}).p;
}

static void add_probe(struct e8_check *check, const struct e8_flow *flow)
{
    struct e8_check_probe *probe = &check->probes[check->count++];
    const struct e8_emit *emit = NULL;
    e8_steps_emits(flow->steps, first_emit, &emit);
    *probe = (struct e8_check_probe){
        .flow = flow,
        .says = flow->probe,
        .id = flow->name,
        .prefix = prefix(check->arena, flow->name),
        .group = emit && emit->file ? stem(check->arena, emit->file) : "checks",
        .builtin = emit && emit->file && strncmp(emit->file, BUILTIN, sizeof BUILTIN - 1) == 0,
        .chosen = true,
        .runs = true,
    };
    e8_buf_init(&probe->told, 512);
    check->by_flow[flow - check->plan->flows] = probe;
}

static void collect_probes(struct e8_check *check)
{
    const struct e8_plan *plan = check->plan;
    check->probes = e8_arena_alloc(check->arena, (plan->flow_count + 1) * sizeof *check->probes);
    check->by_flow = e8_arena_alloc(check->arena, (plan->flow_count + 1) * sizeof *check->by_flow);
    for (int canaries = 1; canaries >= 0; canaries--) {
        for (size_t i = 0; i < plan->flow_count; i++) {
            const struct e8_flow *flow = &plan->flows[i];
            if (flow->probe && flow->probe->canary == (canaries == 1)) {
                add_probe(check, flow);
            }
        }
    }
}

/* A file among others may hold what they include; of all of them one must hold a probe. */
static enum e8_rc check_own(const struct e8_check *check, struct e8_err *err)
{
    const char *const *checks = check->options.checks;
    for (size_t i = 0; i < check->count; i++) {
        if (!check->probes[i].builtin) {
            return E8_OK;
        }
    }
    return checks && checks[0] ? e8_fail(err, E8_INPUT, "check: {title: …} in a flow makes it a probe",
                                         "--checks %s: there is no probe in it", checks[0])
                               : E8_OK;
}

static bool runs_command(const struct e8_step *step)
{
    return step->kind == E8_STEP_EXEC ||
           (step->kind == E8_STEP_MEASURE && step->measure.effect && step->measure.effect->command);
}

/* Commands of files that are not ours need leave of their own; those of the command line have it. */
static enum e8_rc check_commands(const struct e8_check *check, struct e8_err *err)
{
    static const char hint[] = "--allow-exec, if you trust the file";
    const struct e8_effect *effect = check->plan->effect;
    if (check->options.exec) {
        return E8_OK;
    }
    if (effect && effect->command && !check->options.scenario.effect) {
        return e8_fail(err, E8_INPUT, hint, "the effect probe of a file of --checks runs a command");
    }
    for (size_t i = 0; i < check->count; i++) {
        const struct e8_check_probe *probe = &check->probes[i];
        if (!probe->builtin && e8_steps_have(probe->flow->steps, runs_command)) {
            return e8_fail(err, E8_INPUT, hint, "the probe \"%s\" of %s runs a command", probe->id,
                           probe->group);
        }
    }
    return E8_OK;
}

enum e8_rc e8_check_load(const struct e8_catalog *catalog, const struct e8_check_options *options,
                         struct e8_check **out, struct e8_errs *errs)
{
    struct e8_check *check = e8_new(1, sizeof *check);
    struct reading *reading = e8_new(1, sizeof *reading);
    struct e8_err err = {0};
    check->options = *options;
    check->catalog = catalog;
    check->arena = reading->arena = e8_arena_new();
    struct e8_scenario_options scenario = options->scenario;
    scenario.read = read_file;
    scenario.read_state = reading;
    scenario.vars = variables(check);
    scenario.to = scenario.to ? scenario.to : "http://127.0.0.1/";
    enum e8_rc rc = collect_paths(reading, options->checks, &err);
    rc = rc ? e8_errs_add(errs, &err)
            : e8_plan_parse(catalog, "check", e8_str(top(reading)), &scenario, &check->plan, errs);
    if (!rc) {
        collect_probes(check);
        rc = check_own(check, &err);
        rc = rc ? rc : check_commands(check, &err);
        rc = rc ? e8_errs_add(errs, &err) : E8_OK;
    }
    for (size_t i = 0; i < reading->count; i++) {
        e8_buf_fini(&reading->texts[i]);
    }
    free(reading->texts);
    free(reading);
    *out = check;
    if (rc) {
        e8_check_free(out);
    }
    return rc;
}

void e8_check_free(struct e8_check **check)
{
    if (!*check) {
        return;
    }
    for (size_t i = 0; i < (*check)->count; i++) {
        e8_buf_fini(&(*check)->probes[i].told);
    }
    free((*check)->times.list);
    e8_plan_free(&(*check)->plan);
    e8_arena_free(&(*check)->arena);
    free(*check);
    *check = NULL;
}

struct e8_plan *e8_check_plan(struct e8_check *check)
{
    return check->plan;
}
