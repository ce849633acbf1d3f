#include <stdlib.h>
#include <string.h>

#include "scenario/parse.h"

#define INCLUDE_DEPTH 16
#define INCLUDE_BYTES ((size_t)64 << 20)

struct source {
    const char *path;
    struct e8_str text;
    const struct e8_node *root; /* NULL: it did not parse, or has rows */
    struct e8_doc *doc;         /* the plan's */
    bool open;                  /* what it includes is being read */
    bool rows;
};

struct e8_sources {
    struct source *list; /* the main file is the first */
    size_t count;
    size_t bytes;
    int depth;
    bool variable; /* one of them contains "${" */
};

struct e8_sources *e8_sources_new(struct e8_str text)
{
    struct e8_sources *files = e8_new(1, sizeof *files);
    files->list = e8_new(1, sizeof *files->list);
    files->list[0].text = text;
    files->count = 1;
    return files;
}

void e8_sources_free(struct e8_sources **files)
{
    if (*files) {
        free((*files)->list);
        free(*files);
        *files = NULL;
    }
}

bool e8_sources_variable(const struct e8_parser *p)
{
    return p->files->variable;
}

struct e8_str e8_sources_text(const struct e8_sources *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->list[i].path && strcmp(files->list[i].path, name) == 0) {
            return files->list[i].text;
        }
    }
    return (struct e8_str){NULL, 0};
}

bool e8_sources_main(const struct e8_sources *files, const char *name)
{
    return files->list[0].path && strcmp(files->list[0].path, name) == 0;
}

/* The last part of `out` is taken away for a "..", where there is one. */
static bool go_up(struct e8_buf *out)
{
    size_t n = out->n;
    while (n > 0 && out->p[n - 1] != '/') {
        n--;
    }
    if (out->n == 0 || e8_str_eq((struct e8_str){out->p + n, out->n - n}, E8_LIT(".."))) {
        return false;
    }
    out->n = n > 1 ? n - 1 : n;
    return true;
}

/* `path` from the directory of `from`, without "." and, where it can be, without "..". */
static const char *path_from(struct e8_arena *arena, const char *from, const char *path)
{
    struct e8_buf all, out;
    const char *slash = strrchr(from, '/');
    e8_buf_init(&all, SIZE_MAX / 2);
    e8_buf_init(&out, SIZE_MAX / 2);
    if (path[0] != '/' && slash) {
        e8_buf_put(&all, from, (size_t)(slash - from) + 1);
    }
    e8_buf_puts(&all, path);
    struct e8_str rest = e8_buf_str(&all), word;
    if (rest.n && rest.p[0] == '/') {
        e8_buf_putc(&out, '/');
    }
    while (e8_str_split(&rest, '/', &word)) {
        if (word.n == 0 || e8_str_is(word, ".") || (e8_str_is(word, "..") && go_up(&out))) {
            continue;
        }
        if (out.n && out.p[out.n - 1] != '/') {
            e8_buf_putc(&out, '/');
        }
        e8_buf_putstr(&out, word);
    }
    const char *result = e8_arena_str(arena, e8_buf_str(&out)).p;
    e8_buf_fini(&all);
    e8_buf_fini(&out);
    return result;
}

static void keep(struct e8_parser *p, struct e8_doc *doc)
{
    struct e8_plan_owned *owned = p->owned;
    owned->docs = e8_resize(owned->docs, owned->doc_count + 1, sizeof(struct e8_doc *));
    owned->docs[owned->doc_count++] = doc;
}

static struct source *find(struct e8_sources *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->list[i].path && strcmp(files->list[i].path, path) == 0) {
            return &files->list[i];
        }
    }
    return NULL;
}

/* Reads a file that is named at a node; NULL after a fault. */
static struct source *read_file(struct e8_parser *p, const char *path, const struct e8_node *at)
{
    struct e8_sources *files = p->files;
    struct e8_str text = {NULL, 0};
    struct e8_err err = {0};
    if (!p->options->read) {
        e8_parse_fail(p, at, NULL, "\"%s\" cannot be read here", path);
        return NULL;
    }
    if (p->options->read(p->options->read_state, path, &text, &err)) {
        e8_parse_fail(p, at, err.hint[0] ? err.hint : NULL, "\"%s\": %s", path, err.what);
        return NULL;
    }
    files->bytes += text.n;
    if (files->bytes > INCLUDE_BYTES) {
        e8_parse_fail(p, at, NULL, "more than %zu MiB are included", INCLUDE_BYTES >> 20);
        return NULL;
    }
    files->list = e8_resize(files->list, files->count + 1, sizeof *files->list);
    files->list[files->count] = (struct source){.path = path, .text = text};
    return &files->list[files->count++];
}

static void load(struct e8_parser *p, size_t index);

static void include(struct e8_parser *p, size_t from, const struct e8_node *node)
{
    if (node->kind != E8_STRING || node->text.n == 0) {
        e8_parse_fail(p, node, "include: [common.yaml]", "a file's name must be a text, this is %s",
                      e8_node_kind_name(node->kind));
        return;
    }
    const char *name = e8_parse_text(p, node);
    if (!name) {
        return;
    }
    const char *path = path_from(p->owned->arena, p->files->list[from].path, name);
    const struct source *known = find(p->files, path);
    if (known && known->open) {
        e8_parse_fail(p, node, "take one of the two includes out", "\"%s\" includes itself", path);
    } else if (known && known->rows) {
        e8_parse_fail(p, node, NULL, "\"%s\" is a file of rows", path);
    } else if (p->files->depth == INCLUDE_DEPTH) {
        e8_parse_fail(p, node, NULL, "files include each other more than %d deep", INCLUDE_DEPTH);
    } else if (!known && read_file(p, path, node)) {
        p->files->depth++;
        load(p, p->files->count - 1);
        p->files->depth--;
    }
}

/* Could it be a map at all? Text of which nothing looks like a key is not shown: it may be a secret. */
static bool has_keys(struct e8_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        bool ends = i + 1 == text.n || strchr(" \t\r\n", text.p[i + 1]);
        if (text.p[i] == '{' || (text.p[i] == ':' && ends)) {
            return true;
        }
    }
    return false;
}

static void load(struct e8_parser *p, size_t index)
{
    struct e8_sources *files = p->files;
    static const char *const keys[] = {"include", "description", "vars", "endpoints", "flows", NULL};
    struct e8_str text = files->list[index].text;
    struct e8_doc *doc;
    struct e8_err err = {0};
    if (e8_doc_parse(files->list[index].path, text, E8_DOC_YAML, &doc, &err)) {
        if (!has_keys(text)) {
            err.source[0] = '\0';
        }
        e8_errs_add(p->errs, &err);
        return;
    }
    keep(p, doc);
    const struct e8_node *root = e8_doc_root(doc);
    files->variable = files->variable || (text.n && memmem(text.p, text.n, "${", 2));
    files->list[index].root = root;
    files->list[index].open = true;
    if (index > 0 && root->kind != E8_MAP) {
        struct e8_err plain = {0}; /* without the line, as for the main file */
        e8_fail_at(&plain, e8_doc_name(doc), root->line, root->col, "vars: …, endpoints: …, flows: …",
                   "an included file is a map");
        e8_errs_add(p->errs, &plain);
    } else if (index > 0) {
        e8_node_only(root, keys, p->errs);
    }
    const struct e8_node *list = e8_node_get(root, "include");
    if (list && list->kind == E8_SEQ) {
        for (const struct e8_node *node = list->first; node; node = node->next) {
            include(p, index, node);
        }
    } else if (list) {
        include(p, index, list);
    }
    files->list[index].open = false;
}

const struct e8_node *e8_sources_load(struct e8_parser *p, const char *name)
{
    p->files->list[0].path = e8_arena_str(p->owned->arena, e8_str(name)).p;
    load(p, 0);
    return p->files->list[0].root;
}

const struct e8_node *e8_sources_each(const struct e8_parser *p, const char *key, size_t *state)
{
    while (*state < p->files->count) {
        const struct e8_node *found = e8_node_get(p->files->list[(*state)++].root, key);
        if (found) {
            return found;
        }
    }
    return NULL;
}

const char *e8_sources_path(struct e8_parser *p, const struct e8_node *node, const char *path)
{
    return path_from(p->owned->arena, node->doc ? e8_doc_name(node->doc) : "", path);
}

const struct e8_doc *e8_sources_rows(struct e8_parser *p, const struct e8_node *node, struct e8_str *text)
{
    const char *name = e8_parse_text(p, node);
    if (!name) {
        return NULL;
    }
    const char *path = e8_sources_path(p, node, name);
    struct source *source = find(p->files, path);
    if (source && !source->rows) {
        e8_parse_fail(p, node, "a file of rows has commas between its columns", "\"%s\" is a scenario", path);
        return NULL;
    }
    source = source ? source : read_file(p, path, node);
    if (!source) {
        return NULL;
    }
    if (!source->doc) {
        source->rows = true;
        source->doc = e8_doc_plain(path, source->text);
        keep(p, source->doc);
    }
    *text = source->text;
    return source->doc;
}

/* Of the file alone where there is nothing else, so that it is what sha256sum says. */
void e8_sources_digest(const struct e8_parser *p, char out[65])
{
    const struct e8_sources *files = p->files;
    const char *const *vars = p->options->vars;
    e8_plan_digest(files->list[0].text, out);
    if (files->count == 1 && !(vars && vars[0])) {
        return;
    }
    struct e8_buf all;
    e8_buf_init(&all, SIZE_MAX / 2);
    for (size_t i = 0; i < files->count; i++) {
        char digest[65];
        e8_plan_digest(files->list[i].text, digest);
        e8_buf_printf(&all, "file %s\n", digest);
    }
    for (size_t i = 0; vars && vars[i]; i++) {
        e8_buf_printf(&all, "var %zu %s\n", strlen(vars[i]), vars[i]);
    }
    e8_plan_digest(e8_buf_str(&all), out);
    e8_buf_fini(&all);
}
