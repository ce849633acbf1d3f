#include "doc/doc.h"

#include <stdlib.h>
#include <string.h>

#include "doc/build.h"

static struct e8_doc *doc_new(const char *name, struct e8_str text)
{
    struct e8_doc *doc = e8_new(1, sizeof *doc);
    doc->arena = e8_arena_new();
    doc->name = e8_arena_str(doc->arena, e8_str(name)).p;
    doc->text = e8_arena_str(doc->arena, text);
    return doc;
}

static enum e8_rc doc_build(struct e8_doc *doc, enum e8_doc_mode mode, struct e8_err *err)
{
    struct e8_build build;
    e8_build_init(&build, doc->arena, doc->name, doc->text, err);
    build.doc = doc;
    enum e8_rc rc = mode != E8_DOC_YAML             ? e8_parse_json(&build)
                    : e8_build_is_recording(&build) ? e8_parse_recording(&build)
                                                    : e8_parse_yaml(&build);
    e8_build_fini(&build);
    doc->root = build.root;
    return rc;
}

/* JSON that comes as YAML, on stdin for example, is parsed as JSON: the tree is the same, the cost a tenth. */
static bool looks_like_json(struct e8_str text)
{
    text = e8_str_trim(text);
    return text.n && (text.p[0] == '{' || text.p[0] == '[');
}

enum e8_rc e8_doc_parse(const char *name, struct e8_str text, enum e8_doc_mode mode, struct e8_doc **out,
                        struct e8_err *err)
{
    struct e8_build check;
    *out = NULL;
    e8_build_init(&check, NULL, name, text, err);
    enum e8_rc rc = e8_build_check(&check, mode);
    if (rc != E8_OK)
        return rc;
    struct e8_doc *doc = doc_new(name, text);
    rc = E8_INPUT;
    if (mode == E8_DOC_YAML && looks_like_json(text)) {
        rc = doc_build(doc, E8_DOC_JSON, NULL);
        if (rc != E8_OK) {
            e8_doc_free(&doc);
            doc = doc_new(name, text);
        }
    }
    if (rc != E8_OK)
        rc = doc_build(doc, mode, err);
    if (rc == E8_OK)
        *out = doc;
    else
        e8_doc_free(&doc);
    return rc;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !memcmp(text + n - m, end, m);
}

enum e8_rc e8_doc_load(const char *path, struct e8_doc **out, struct e8_err *err)
{
    struct e8_buf content;
    *out = NULL;
    enum e8_rc rc =
        e8_file_read_headed(path, E8_FILE_MAX, E8_RECORDING_HEAD, E8_RECORDING_MAX, &content, err);
    if (rc == E8_OK)
        rc = e8_doc_parse(strcmp(path, "-") ? path : "stdin", e8_buf_str(&content),
                          ends_with(path, ".json") ? E8_DOC_JSON : E8_DOC_YAML, out, err);
    e8_buf_fini(&content);
    return rc;
}

struct e8_doc *e8_doc_plain(const char *name, struct e8_str text)
{
    return doc_new(name, text);
}

void e8_doc_free(struct e8_doc **doc)
{
    if (*doc) {
        e8_arena_free(&(*doc)->arena);
        free(*doc);
        *doc = NULL;
    }
}

const struct e8_node *e8_doc_root(const struct e8_doc *doc)
{
    return doc->root;
}

const char *e8_doc_name(const struct e8_doc *doc)
{
    return doc->name;
}
