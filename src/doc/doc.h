/* YAML and JSON files as a tree of nodes that know where they stand. The only user of libfyaml.
 *
 * Accepted: YAML 1.2 core schema, of which JSON is a subset; one document. Refused, each with its place: aliases and anchors,
 * tags, several documents, duplicate keys, keys that are no scalars, depth over 64, more than a million values or 8 MiB,
 * invalid UTF-8, NUL (but for \0 and \u0000 in values), lone surrogates, a BOM, NaN and infinities, numbers that do not fit.
 * In JSON mode, everything RFC 8259 does not allow. In YAML mode also lines over 256 KiB.
 *
 * A text that begins with E8_RECORDING_HEAD may have 64 MiB and four million values. Where it is as the sink writes it, one JSON
 * object on each line of its last list, those lines may have any length and are read as JSON, which is ten times as fast; a last
 * line that does not end is passed over. */
#ifndef E8_DOC_DOC_H
#define E8_DOC_DOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

enum e8_node_kind { E8_NULL, E8_BOOL, E8_INT, E8_FLOAT, E8_STRING, E8_SEQ, E8_MAP };

struct e8_node {
    enum e8_node_kind kind : 8;
    bool quoted : 1; /* a string that stood in quotes or in a block */
    bool b : 1;      /* E8_BOOL */
    uint32_t count;  /* of the children */
    union {          /* there are a million of them in a large file */
        int64_t i;   /* E8_INT */
        double f;    /* E8_FLOAT; e8_node_number for both */
        struct e8_node *last;
    };
    struct e8_str text;           /* E8_STRING: its value; other scalars: as written */
    struct e8_node *first, *next; /* children of E8_SEQ and E8_MAP; the next sibling */
    struct e8_str key;            /* in a map; else empty */
    int line, col;                /* of the value, 1-based */
    int key_line, key_col;
    const struct e8_doc *doc; /* whose it is; NULL for nodes made by code */
};

struct e8_doc;

#define E8_RECORDING_HEAD "# emit8 recording 1\n"
#define E8_RECORDING_MAX  ((size_t)64 << 20)

/* BODY: JSON that is no file but came with a request; hints speak of the body. */
enum e8_doc_mode { E8_DOC_YAML, E8_DOC_JSON, E8_DOC_BODY };

/* Parses `text` (copied). `name` is what errors call the file. On success the caller owns *out and calls e8_doc_free; nodes
 * live as long as it does. An empty document is an error. Const after parsing: any thread may read. */
enum e8_rc e8_doc_parse(const char *name, struct e8_str text, enum e8_doc_mode mode, struct e8_doc **out,
                        struct e8_err *err);
/* e8_file_read, then e8_doc_parse; the mode by the file's ending (".json" is JSON). */
enum e8_rc e8_doc_load(const char *path, struct e8_doc **out, struct e8_err *err);
/* A text that is no tree (copied), so that nodes made by code can say where in it they stand. */
struct e8_doc *e8_doc_plain(const char *name, struct e8_str text);
void e8_doc_free(struct e8_doc **doc);
const struct e8_node *e8_doc_root(const struct e8_doc *doc);
const char *e8_doc_name(const struct e8_doc *doc);

/* The member of a map, or NULL (also when `map` is NULL or no map). */
const struct e8_node *e8_node_get(const struct e8_node *map, const char *key);
const char *e8_node_kind_name(enum e8_node_kind kind); /* "a string", "a number", … */
/* The hint where a node is of the wrong kind: `otherwise` (NULL: none), but for null what is to be done about it. */
const char *e8_node_hint(const struct e8_node *node, const char *otherwise);
bool e8_node_is_number(const struct e8_node *node);
double e8_node_number(const struct e8_node *node); /* 0 where it is none */

/* Error at a node's value (or at its key), with file, line, column and the source line. Returns E8_INPUT. hint may be NULL. */
enum e8_rc e8_node_fail(struct e8_err *err, const struct e8_node *node, const char *hint, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));
enum e8_rc e8_key_fail(struct e8_err *err, const struct e8_node *node, const char *hint, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));
/* Adds to errs an error for every member of `map` whose key is not in the NULL-terminated list, with "did you mean". */
enum e8_rc e8_node_only(const struct e8_node *map, const char *const *keys, struct e8_errs *errs);

/* Trees that code changes (payloads with --set). The copy lives in `arena`; texts are shared with the original, which must
 * outlive it, unless `deep`. */
struct e8_node *e8_node_clone(struct e8_arena *arena, const struct e8_node *node, bool deep);
/* Path: "data.channel", "data.tags.0", keys with dots in quotes ("data.'a.b'"). Missing maps on the way are made; an array
 * index may be one past the end. `value` becomes part of the tree. */
enum e8_rc e8_node_set(struct e8_arena *arena, struct e8_node *root, struct e8_str path,
                       struct e8_node *value, struct e8_err *err);
/* Removing what is not there is an error that lists what is. */
enum e8_rc e8_node_remove(struct e8_node *root, struct e8_str path, struct e8_err *err);
/* The last node that is there on the path's way, and how many bytes of the path lead to it: 0 is the root, path.n the end. */
struct e8_node *e8_node_follow(struct e8_node *root, struct e8_str path, size_t *used);
/* A node from the text of --set: JSON if it parses as JSON, else a string. */
struct e8_node *e8_node_from_text(struct e8_arena *arena, struct e8_str text);
/* The tree as compact JSON. Floats and ints as written in the source. */
void e8_node_json(const struct e8_node *node, struct e8_buf *out);

#endif
