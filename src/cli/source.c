#include "cli/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "scenarios/"
#define ENDING ".yaml"

bool e8_builtin_name(const char *path, char out[E8_BUILTIN_MAX])
{
    size_t n = strlen(path), front = sizeof FOLDER - 1, back = sizeof ENDING - 1;
    if (n <= front + back || n - front - back >= E8_BUILTIN_MAX || strncmp(path, FOLDER, front) != 0 ||
        strcmp(path + n - back, ENDING) != 0 || strchr(path + front, '/')) {
        return false;
    }
    memcpy(out, path + front, n - front - back);
    out[n - front - back] = '\0';
    return true;
}

struct e8_str e8_builtin_find(const char *name, const char **path)
{
    char own[E8_BUILTIN_MAX];
    for (const char *at = e8_catalog_builtin_next(FOLDER, NULL); at;
         at = e8_catalog_builtin_next(FOLDER, at)) {
        if (e8_builtin_name(at, own) && strcmp(own, name) == 0) {
            if (path) {
                *path = at;
            }
            return e8_catalog_builtin(at);
        }
    }
    return (struct e8_str){NULL, 0};
}

enum e8_rc e8_builtin_unknown(const char *name, struct e8_err *err)
{
    char own[E8_BUILTIN_MAX], hint[E8_HINT_MAX], known[E8_HINT_MAX];
    struct e8_arena *arena = e8_arena_new();
    const char *names[128];
    struct e8_buf list;
    size_t n = 0;
    e8_buf_fixed(&list, known, sizeof known - 1);
    for (const char *at = NULL;
         (at = e8_catalog_builtin_next(FOLDER, at)) != NULL && n + 1 < E8_COUNT(names);) {
        if (e8_builtin_name(at, own)) {
            e8_buf_printf(&list, "%s%s", n ? ", " : "built in are ", own);
            names[n++] = e8_arena_str(arena, e8_str(own)).p;
        }
    }
    names[n] = NULL;
    e8_hint_near(e8_str(name), names, e8_buf_cstr(&list), hint);
    e8_arena_free(&arena);
    return e8_fail(err, E8_INPUT, hint, "\"%s\" is no file and no built-in scenario", name);
}

enum e8_rc e8_source_open(const char *name, struct e8_source *out, struct e8_err *err)
{
    *out = (struct e8_source){.name = name};
    e8_buf_init(&out->text, E8_RECORDING_MAX);
    if (strchr(name, '/') || strchr(name, '.') || strcmp(name, "-") == 0 || access(name, F_OK) == 0) {
        return e8_file_read_headed(name, E8_FILE_MAX, E8_RECORDING_HEAD, E8_RECORDING_MAX, &out->text, err);
    }
    struct e8_str text = e8_builtin_find(name, &out->name);
    if (!text.p) {
        return e8_builtin_unknown(name, err);
    }
    e8_buf_putstr(&out->text, text);
    out->builtin = true;
    return E8_OK;
}

void e8_source_fini(struct e8_source *source)
{
    for (size_t i = 0; i < source->included_count; i++) {
        free(source->included[i].path);
        e8_buf_fini(&source->included[i].text);
    }
    free(source->included);
    e8_buf_fini(&source->text);
    *source = (struct e8_source){0};
}

static enum e8_rc read_text(const struct e8_source *source, const char *path, struct e8_buf *out,
                            struct e8_err *err)
{
    struct e8_str text = source->builtin ? e8_catalog_builtin(path) : (struct e8_str){NULL, 0};
    if (!source->builtin && strcmp(path, "-") != 0) {
        return e8_file_read(path, E8_FILE_MAX, out, err);
    }
    e8_buf_init(out, E8_FILE_MAX);
    e8_buf_putstr(out, text);
    if (!source->builtin) {
        return e8_fail(err, E8_INPUT, "the path of a file", "stdin cannot be included");
    }
    return text.p ? E8_OK
                  : e8_fail(err, E8_INPUT, "a built-in scenario includes built-in files",
                            "there is no built-in file \"%s\"", path);
}

/* The callback of e8_scenario_options. What was read before is not read again: a file may be included in several places. */
static enum e8_rc read_included(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    struct e8_source *source = state;
    for (size_t i = 0; i < source->included_count; i++) {
        if (strcmp(source->included[i].path, path) == 0) {
            *out = e8_buf_str(&source->included[i].text);
            return E8_OK;
        }
    }
    struct e8_buf text;
    enum e8_rc rc = read_text(source, path, &text, err);
    if (rc) {
        e8_buf_fini(&text);
        return rc;
    }
    source->included = e8_resize(source->included, source->included_count + 1, sizeof *source->included);
    source->included[source->included_count++] = (struct e8_included){e8_dup(path), text};
    *out = e8_buf_str(&text);
    return E8_OK;
}

static bool names_endpoints(const char *name, struct e8_str text)
{
    struct e8_doc *doc = NULL;
    bool found =
        !e8_doc_parse(name, text, E8_DOC_YAML, &doc, NULL) && e8_node_get(e8_doc_root(doc), "endpoints");
    e8_doc_free(&doc);
    return found;
}

static bool has_endpoints(const struct e8_source *source)
{
    bool found = names_endpoints(source->name, e8_buf_str(&source->text));
    for (size_t i = 0; !found && i < source->included_count; i++) {
        const struct e8_included *file = &source->included[i];
        found = names_endpoints(file->path, e8_buf_str(&file->text));
    }
    return found;
}

enum e8_rc e8_source_parse(struct e8_source *source, const struct e8_catalog *catalog,
                           const struct e8_scenario_options *options, const char *elsewhere,
                           struct e8_plan **out, struct e8_errs *errs)
{
    struct e8_scenario_options with = *options;
    struct e8_errs first;
    with.read = read_included;
    with.read_state = source;
    e8_errs_init(&first);
    enum e8_rc rc = e8_plan_parse(catalog, source->name, e8_buf_str(&source->text), &with, out, &first);
    if (rc && elsewhere && !options->to && !has_endpoints(source)) {
        with.to = elsewhere;
        e8_errs_fini(&first);
        rc = e8_plan_parse(catalog, source->name, e8_buf_str(&source->text), &with, out, &first);
    }
    for (size_t i = 0; i < first.count; i++) {
        e8_errs_add(errs, &first.list[i]);
    }
    errs->total += e8_errs_distinct(&first) - first.count;
    e8_errs_fini(&first);
    return rc;
}
