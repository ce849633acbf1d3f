#include "catalog/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog/embed.h"
#include "catalog/files.h"
#include "catalog/platform.h"
#include "match/match.h"

struct e8_catalog {
    struct e8_fixture_files files;
    struct e8_doc **docs; /* one for each file of `files`; NULL for schemas and for what did not parse */
    struct e8_arena *arena;
    struct e8_type *types;
    const char **names; /* NULL-terminated */
    size_t count;
    struct e8_vocab *vocab;
    struct e8_template **events; /* by type */
    struct e8_schemes *schemes;
    struct e8_platform platform;
    char digest[65];
};

static const struct e8_node *root_of(const struct e8_catalog *catalog, const char *path, struct e8_errs *errs)
{
    const struct e8_fixture_file *file = e8_fixture_files_find(&catalog->files, path);
    if (!file) {
        struct e8_err err = {0};
        e8_fail_at(&err, path, 0, 0, "a catalogue cannot do without it", "file is missing");
        e8_errs_add(errs, &err);
        return NULL;
    }
    const struct e8_doc *doc = catalog->docs[file - catalog->files.list];
    return doc ? e8_doc_root(doc) : NULL;
}

static bool is_schema(const struct e8_fixture_file *file)
{
    return strncmp(file->path, "schemas/", 8) == 0;
}

static void parse_files(struct e8_catalog *catalog, struct e8_errs *errs)
{
    catalog->docs = e8_new(catalog->files.count + 1, sizeof(struct e8_doc *));
    for (size_t i = 0; i < catalog->files.count; i++) {
        const struct e8_fixture_file *file = &catalog->files.list[i];
        struct e8_err err = {0};
        if (!is_schema(file) && e8_doc_parse(file->shown, file->text, E8_DOC_JSON, &catalog->docs[i], &err)) {
            e8_errs_add(errs, &err);
        }
    }
}

static bool type_name_valid(struct e8_str name)
{
    const char *dot = name.n ? memchr(name.p, '.', name.n) : NULL;
    return dot && name.n <= E8_FACT_MAX && e8_pattern_valid(name) && !memchr(name.p, '*', name.n);
}

static void fail_node(struct e8_errs *errs, const struct e8_node *node, const char *hint, const char *what)
{
    struct e8_err err = {0};
    e8_node_fail(&err, node, hint, "%s", what);
    e8_errs_add(errs, &err);
}

static const char *text_member(struct e8_catalog *catalog, const struct e8_node *row, const char *key,
                               struct e8_errs *errs)
{
    const struct e8_node *node = e8_node_get(row, key);
    if (!node || node->kind != E8_STRING || node->text.n == 0) {
        struct e8_err err = {0};
        e8_node_fail(&err, node ? node : row, "{\"type\", \"category\", \"description\", \"weight\"}",
                     "an event type needs \"%s\", a text", key);
        e8_errs_add(errs, &err);
        return "";
    }
    return e8_arena_str(catalog->arena, node->text).p;
}

static void add_type(struct e8_catalog *catalog, const struct e8_node *row, struct e8_errs *errs)
{
    static const char *const keys[] = {"type", "category", "description", "weight", NULL};
    size_t before = errs->total;
    if (row->kind != E8_MAP) {
        fail_node(errs, row, "{\"type\", \"category\", \"description\", \"weight\"}",
                  "an event type is an object");
        return;
    }
    e8_node_only(row, keys, errs);
    struct e8_type type = {
        .name = text_member(catalog, row, "type", errs),
        .category = text_member(catalog, row, "category", errs),
        .description = text_member(catalog, row, "description", errs),
        .weight = 1,
    };
    const struct e8_node *weight = e8_node_get(row, "weight");
    if (weight && (!e8_node_is_number(weight) || e8_node_number(weight) <= 0)) {
        fail_node(errs, weight, "how frequent the type is beside the others: 1, 2.5, …",
                  "weight is not a positive number");
    } else if (weight) {
        type.weight = e8_node_number(weight);
    }
    if (errs->total == before && !type_name_valid(e8_str(type.name))) {
        fail_node(errs, e8_node_get(row, "type"), "lower case resource.action, like message.received",
                  "type is no event name");
    }
    if (errs->total == before && strlen(type.category) > E8_FACT_MAX) {
        fail_node(errs, e8_node_get(row, "category"), "at most 96 bytes", "category is too long");
    }
    if (errs->total == before && e8_catalog_find(catalog, e8_str(type.name)) >= 0) {
        fail_node(errs, e8_node_get(row, "type"), NULL, "type stands twice in the catalogue");
    }
    if (errs->total == before) {
        catalog->types[catalog->count] = type;
        catalog->names[catalog->count++] = type.name;
    }
}

static void load_types(struct e8_catalog *catalog, struct e8_errs *errs)
{
    const struct e8_node *root = root_of(catalog, "catalog.json", errs);
    if (!root) {
        return;
    }
    const struct e8_node *list = e8_node_get(root, "types");
    if (!list || list->kind != E8_SEQ || list->count == 0 || list->count > E8_TYPES_MAX) {
        fail_node(errs, list ? list : root, "{\"types\": [{\"type\": …}, …]}, 1 to 256 of them",
                  "the catalogue has no list of types");
        return;
    }
    catalog->types = e8_new(list->count + 1, sizeof *catalog->types);
    catalog->names = e8_new(list->count + 1, sizeof *catalog->names);
    for (const struct e8_node *row = list->first; row; row = row->next) {
        add_type(catalog, row, errs);
    }
}

static void load_vocab(struct e8_catalog *catalog, struct e8_errs *errs)
{
    catalog->vocab = e8_vocab_new();
    e8_vocab_types(catalog->vocab, catalog->names, catalog->count);
    for (size_t i = 0; i < catalog->files.count; i++) {
        const struct e8_fixture_file *file = &catalog->files.list[i];
        if (strncmp(file->path, "words/", 6) == 0) {
            const char *name = file->path + 6;
            struct e8_str stem = {name, strlen(name) - 5};
            e8_vocab_words(catalog->vocab, e8_arena_str(catalog->arena, stem).p,
                           catalog->docs[i] ? e8_doc_root(catalog->docs[i]) : NULL, errs);
        }
    }
    e8_vocab_macros(catalog->vocab, root_of(catalog, "placeholders.json", errs), errs);
    e8_vocab_entities(catalog->vocab, root_of(catalog, "entities.json", errs), errs);
    e8_vocab_finish(catalog->vocab, errs);
}

/* The envelope's member "{{event.data}}", anywhere in the tree. */
static struct e8_node *data_place(struct e8_node *node)
{
    if (node->kind == E8_STRING && e8_str_is(node->text, "{{event.data}}")) {
        return node;
    }
    for (struct e8_node *child = node->first; child; child = child->next) {
        struct e8_node *found = data_place(child);
        if (found) {
            return found;
        }
    }
    return NULL;
}

static void put_in_place(struct e8_node *place, const struct e8_node *value)
{
    struct e8_node kept = *place;
    *place = *value;
    place->key = kept.key;
    place->key_line = kept.key_line;
    place->key_col = kept.key_col;
    place->next = kept.next;
}

/* Maps that an edit's path made stand where the edit stands. */
static void place_made(struct e8_node *node, const struct e8_node *at)
{
    for (struct e8_node *child = node->first; child; child = child->next) {
        if (!child->doc) {
            child->doc = at->doc;
            child->line = child->key_line = at->key_line;
            child->col = child->key_col = at->key_col;
        }
        place_made(child, at);
    }
}

static bool in_braces(struct e8_str text)
{
    return text.n > 4 && e8_str_starts(text, "{{") && memcmp(text.p + text.n - 2, "}}", 2) == 0;
}

/* What kind of thing makes a value that is there only once the event is rendered, and its text; NULL: nothing does. */
static const char *maker_of(const struct e8_node *node, struct e8_str *text)
{
    bool directive = node->kind == E8_MAP && node->count == 1;
    *text = directive ? node->first->key : node->text;
    if ((!directive && node->kind != E8_STRING) || !in_braces(*text)) {
        return NULL;
    }
    return directive ? "directive" : "placeholder";
}

/* What a directive or a placeholder makes can be changed as a whole only. */
static bool leads_inside(struct e8_node *tree, const struct e8_edit *edit, struct e8_err *err)
{
    char hint[E8_HINT_MAX];
    struct e8_buf text;
    size_t used;
    struct e8_str maker;
    const char *kind = maker_of(e8_node_follow(tree, edit->path, &used), &maker);
    struct e8_str whole = {edit->path.p, used};
    if (used == 0 || used == edit->path.n || !kind) {
        return false;
    }
    e8_buf_fixed(&text, hint, sizeof hint - 1);
    e8_buf_printf(&text,
                  !edit->value ? "remove all of %.*s"
                  : edit->at   ? "set all of it: set: {%.*s: VALUE}"
                               : "set all of it: --set %.*s=VALUE",
                  E8_STR(whole));
    e8_fail(err, E8_INPUT, e8_buf_cstr(&text), "\"%.*s\" is the %s %.*s: nothing below it can be %s",
            E8_STR(whole), kind, E8_STR(maker), edit->value ? "set" : "removed");
    return true;
}

/* `value` is a copy of the edit's, which becomes part of the tree. */
static enum e8_rc apply_edit(struct e8_arena *arena, struct e8_node *tree, const struct e8_edit *edit,
                             struct e8_node *value, struct e8_errs *errs)
{
    struct e8_err err = {0};
    enum e8_rc rc = leads_inside(tree, edit, &err) ? E8_INPUT
                    : value                        ? e8_node_set(arena, tree, edit->path, value, &err)
                                                   : e8_node_remove(tree, edit->path, &err);
    if (rc && edit->at) {
        struct e8_err placed = {0};
        (edit->at->key.n ? e8_key_fail : e8_node_fail)(&placed, edit->at, err.hint[0] ? err.hint : NULL, "%s",
                                                       err.what);
        err = placed;
    }
    if (!rc && edit->at && edit->value) {
        place_made(tree, edit->at);
    }
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static struct e8_node *event_tree(const struct e8_catalog *catalog, struct e8_arena *arena, const char *type,
                                  struct e8_errs *errs)
{
    const struct e8_node *envelope = root_of(catalog, "envelope.json", errs);
    const struct e8_node *payload = root_of(catalog, e8_arena_printf(arena, "events/%s.json", type), errs);
    if (!envelope || !payload) {
        return NULL;
    }
    struct e8_node *tree = e8_node_clone(arena, envelope, false);
    struct e8_node *place = data_place(tree);
    if (!place) {
        fail_node(errs, envelope, "add \"data\": \"{{event.data}}\"",
                  "the envelope has no place for the payload");
        return NULL;
    }
    put_in_place(place, e8_node_clone(arena, payload, false));
    return tree;
}

enum e8_rc e8_catalog_template(const struct e8_catalog *catalog, size_t type, const struct e8_edit *edits,
                               size_t count, struct e8_template **out, struct e8_errs *errs)
{
    E8_ASSERT(type < catalog->count);
    struct e8_arena *arena = e8_arena_new();
    size_t before = errs->total;
    *out = NULL;
    struct e8_node *tree = event_tree(catalog, arena, catalog->names[type], errs);
    for (size_t i = 0; tree && i < count; i++) {
        const struct e8_node *value = edits[i].value;
        apply_edit(arena, tree, &edits[i], value ? e8_node_clone(arena, value, false) : NULL, errs);
    }
    if (tree && errs->total == before) {
        e8_template_compile(catalog->vocab, tree, out, errs);
    }
    e8_arena_free(&arena);
    return errs->total == before ? E8_OK : E8_INPUT;
}

void e8_catalog_shape(const struct e8_catalog *catalog, size_t type, const struct e8_edit *edits,
                      size_t count, struct e8_template **out)
{
    E8_ASSERT(type < catalog->count);
    struct e8_arena *arena = e8_arena_new();
    const struct e8_node **open = e8_arena_alloc(arena, (count + 1) * sizeof *open);
    struct e8_errs errs;
    size_t n = 0;
    *out = NULL;
    e8_errs_init(&errs);
    struct e8_node *tree = event_tree(catalog, arena, catalog->names[type], &errs);
    for (size_t i = 0; tree && i < count; i++) {
        struct e8_node *value = edits[i].value ? e8_node_clone(arena, edits[i].value, false) : NULL;
        apply_edit(arena, tree, &edits[i], value, &errs);
        if (value) {
            open[n++] = value;
        }
    }
    if (tree && errs.total == 0) {
        e8_template_shape(catalog->vocab, tree, open, n, out);
    }
    e8_errs_fini(&errs);
    e8_arena_free(&arena);
}

static void load_events(struct e8_catalog *catalog, struct e8_errs *errs)
{
    catalog->events = e8_new(catalog->count + 1, sizeof(struct e8_template *));
    for (size_t i = 0; i < catalog->count; i++) {
        char path[300];
        struct e8_buf text;
        e8_catalog_template(catalog, i, NULL, 0, &catalog->events[i], errs);
        e8_buf_fixed(&text, path, sizeof path - 1);
        e8_buf_printf(&text, "schemas/%s.json", catalog->names[i]);
        if (!e8_fixture_files_find(&catalog->files, e8_buf_cstr(&text))) {
            struct e8_err err = {0};
            e8_fail_at(&err, path, 0, 0, "every event type has a JSON Schema", "file is missing");
            e8_errs_add(errs, &err);
        }
    }
}

/* A file on the top level that is none of those that are read is a mistake in its name. */
static void find_strangers(const struct e8_catalog *catalog, struct e8_errs *errs)
{
    static const char *const known[] = {"catalog.json",
                                        "entities.json",
                                        "envelope.json",
                                        "placeholders.json",
                                        "platform.json",
                                        "schemes.json",
                                        NULL};
    for (size_t i = 0; i < catalog->files.count; i++) {
        const struct e8_fixture_file *file = &catalog->files.list[i];
        bool good = strchr(file->path, '/') != NULL;
        for (size_t j = 0; known[j]; j++) {
            good = good || strcmp(file->path, known[j]) == 0;
        }
        if (!good) {
            struct e8_err err = {0};
            char hint[E8_HINT_MAX];
            e8_hint_near(e8_str(file->path), known, "events/, schemas/ or words/?", hint);
            e8_fail_at(&err, file->shown, 0, 0, hint, "\"%s\" is no file of a catalogue", file->path);
            e8_errs_add(errs, &err);
        }
    }
}

/* A payload or schema whose type is not in the catalogue is a mistake in its name. */
static void find_strays(const struct e8_catalog *catalog, struct e8_errs *errs)
{
    for (size_t i = 0; i < catalog->files.count; i++) {
        const struct e8_fixture_file *file = &catalog->files.list[i];
        const char *slash = strchr(file->path, '/');
        if (!slash || strncmp(file->path, "words/", 6) == 0) {
            continue;
        }
        struct e8_str stem = {slash + 1, strlen(slash + 1) - 5};
        if (e8_catalog_find(catalog, stem) < 0) {
            struct e8_err err = {0};
            char hint[E8_HINT_MAX];
            e8_hint_near(stem, catalog->names, "add it to catalog.json", hint);
            e8_fail_at(&err, file->shown, 0, 0, hint, "\"%.*s\" is no type of the catalogue", E8_STR(stem));
            e8_errs_add(errs, &err);
        }
    }
}

enum e8_rc e8_catalog_load(const char *overlay, struct e8_catalog **out, struct e8_errs *errs)
{
    struct e8_catalog *catalog = e8_new(1, sizeof *catalog);
    size_t before = errs->total;
    catalog->arena = e8_arena_new();
    e8_fixture_files_load(overlay, &catalog->files, errs);
    e8_fixture_files_digest(&catalog->files, catalog->digest);
    parse_files(catalog, errs);
    load_types(catalog, errs);
    if (catalog->count) {
        load_vocab(catalog, errs);
        load_events(catalog, errs);
        find_strays(catalog, errs);
    }
    find_strangers(catalog, errs);
    const struct e8_node *schemes = root_of(catalog, "schemes.json", errs);
    const struct e8_node *platform = root_of(catalog, "platform.json", errs);
    if (schemes) {
        e8_schemes_load(schemes, &catalog->schemes, errs);
    }
    if (platform) {
        e8_platform_parse(catalog->arena, platform, &catalog->platform, errs);
    }
    if (errs->total != before) {
        e8_catalog_free(&catalog);
        *out = NULL;
        return E8_INPUT;
    }
    *out = catalog;
    return E8_OK;
}

void e8_catalog_free(struct e8_catalog **catalog)
{
    struct e8_catalog *c = *catalog;
    if (!c) {
        return;
    }
    for (size_t i = 0; c->events && i < c->count; i++) {
        e8_template_free(&c->events[i]);
    }
    free(c->events);
    e8_vocab_free(&c->vocab);
    e8_schemes_free(&c->schemes);
    for (size_t i = 0; c->docs && i < c->files.count; i++) {
        e8_doc_free(&c->docs[i]);
    }
    free(c->docs);
    free(c->types);
    free(c->names);
    e8_fixture_files_fini(&c->files);
    e8_arena_free(&c->arena);
    free(c);
    *catalog = NULL;
}

size_t e8_catalog_count(const struct e8_catalog *catalog)
{
    return catalog->count;
}

const struct e8_type *e8_catalog_type(const struct e8_catalog *catalog, size_t index)
{
    E8_ASSERT(index < catalog->count);
    return &catalog->types[index];
}

int e8_catalog_find(const struct e8_catalog *catalog, struct e8_str name)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (e8_str_is(name, catalog->names[i])) {
            return (int)i;
        }
    }
    return -1;
}

const char *const *e8_catalog_names(const struct e8_catalog *catalog)
{
    return catalog->names;
}

const struct e8_platform *e8_catalog_platform(const struct e8_catalog *catalog)
{
    return &catalog->platform;
}

const struct e8_schemes *e8_catalog_schemes(const struct e8_catalog *catalog)
{
    return catalog->schemes;
}

const struct e8_vocab *e8_catalog_vocab(const struct e8_catalog *catalog)
{
    return catalog->vocab;
}

const char *e8_catalog_shown(const struct e8_catalog *catalog, const char *path)
{
    const struct e8_fixture_file *file = e8_fixture_files_find(&catalog->files, path);
    return file ? file->shown : path;
}

const char *e8_catalog_digest(const struct e8_catalog *catalog)
{
    return catalog->digest;
}

const struct e8_template *e8_catalog_event(const struct e8_catalog *catalog, size_t type)
{
    E8_ASSERT(type < catalog->count);
    return catalog->events[type];
}

struct e8_str e8_catalog_schema(const struct e8_catalog *catalog, size_t type)
{
    char path[300];
    struct e8_buf text;
    e8_buf_fixed(&text, path, sizeof path - 1);
    e8_buf_printf(&text, "schemas/%s.json", e8_catalog_type(catalog, type)->name);
    const struct e8_fixture_file *file = e8_fixture_files_find(&catalog->files, e8_buf_cstr(&text));
    E8_ASSERT(file);
    return file->text;
}

enum e8_rc e8_catalog_export(const struct e8_catalog *catalog, const char *directory, bool force,
                             struct e8_err *err)
{
    struct e8_arena *arena = e8_arena_new();
    static const char *const below[] = {"events", "schemas", "words"};
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < catalog->files.count && !force; i++) {
        const char *path = e8_arena_printf(arena, "%s/%s", directory, catalog->files.list[i].path);
        struct stat st;
        if (lstat(path, &st) == 0) {
            rc = e8_fail_at(err, path, 0, 0, "give an empty directory, or --force", "file exists");
        }
    }
    for (size_t i = 0; !rc && i < E8_COUNT(below); i++) {
        rc = e8_dir_make(e8_arena_printf(arena, "%s/%s", directory, below[i]), err);
    }
    for (size_t i = 0; !rc && i < catalog->files.count; i++) {
        const struct e8_fixture_file *file = &catalog->files.list[i];
        rc = e8_file_write(e8_arena_printf(arena, "%s/%s", directory, file->path), file->text, err);
    }
    e8_arena_free(&arena);
    return rc;
}

struct e8_str e8_catalog_builtin(const char *path)
{
    for (size_t i = 0; i < e8_embedded_count; i++) {
        if (strcmp(e8_embedded_files[i].path, path) == 0) {
            return (struct e8_str){e8_embedded_files[i].begin,
                                   (size_t)(e8_embedded_files[i].end - e8_embedded_files[i].begin)};
        }
    }
    return (struct e8_str){NULL, 0};
}

const char *e8_catalog_builtin_next(const char *prefix, const char *path)
{
    for (size_t i = 0; i < e8_embedded_count; i++) {
        const char *found = e8_embedded_files[i].path;
        if (e8_str_starts(e8_str(found), prefix) && (!path || strcmp(found, path) > 0)) {
            return found;
        }
    }
    return NULL;
}

void e8_id_make(const char *prefix, e8_wall_ns at, uint64_t random_high, uint64_t random_low, char *out)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    size_t n = strlen(prefix);
    E8_ASSERT(n + 27 <= E8_ID_MAX);
    memcpy(out, prefix, n);
    uint64_t ms = at < 0 ? 0 : (uint64_t)(at / E8_NS_MS);
    for (size_t i = 0; i < 10; i++) {
        out[n + 9 - i] = digits[ms >> (5 * i) & 31];
    }
    for (size_t i = 0; i < 8; i++) {
        out[n + 10 + i] = digits[random_high >> (5 * i) & 31];
        out[n + 18 + i] = digits[random_low >> (5 * i) & 31];
    }
    out[n + 26] = '\0';
}
