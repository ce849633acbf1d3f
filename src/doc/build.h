/* Inside doc: what the YAML and the JSON parser share. Other modules include doc/doc.h only.
 *
 * A build turns places in a text into nodes of an arena, in the order of the text, and holds the rules that are the same in
 * both languages: depth, number of values, duplicate keys, columns in characters. */
#ifndef E8_DOC_BUILD_H
#define E8_DOC_BUILD_H

#include "doc/doc.h"

#define E8_DOC_DEPTH_MAX        64
#define E8_DOC_VALUES_MAX       1000000
#define E8_RECORDING_VALUES_MAX 4000000

struct e8_doc {
    struct e8_arena *arena;
    struct e8_str text;
    const char *name;
    const struct e8_node *root;
};

struct e8_slot {
    const struct e8_node *map, *member;
};

struct e8_build {
    struct e8_arena *arena;
    const struct e8_doc *doc; /* NULL: nodes made by code, without places */
    const char *name;
    struct e8_str text; /* lives as long as the arena: nodes may point into it */
    struct e8_err *err; /* may be NULL */

    size_t at; /* the place the cursor stands at, and its line and column */
    int line, col;

    struct e8_node *root;
    struct e8_node *open[E8_DOC_DEPTH_MAX];
    size_t open_at[E8_DOC_DEPTH_MAX];
    int depth;
    size_t values;
    bool have_key;
    struct e8_str key;
    size_t key_at;

    struct e8_slot *slots; /* members of large maps by (map, key) */
    size_t slot_count, slot_cap;
};

/* `text` is not copied. */
void e8_build_init(struct e8_build *build, struct e8_arena *arena, const char *name, struct e8_str text,
                   struct e8_err *err);
void e8_build_fini(struct e8_build *build);
bool e8_build_is_recording(const struct e8_build *build);
/* Refuses what no document may hold: too many bytes, invalid UTF-8, a BOM; in YAML also NUL and control characters. */
enum e8_rc e8_build_check(struct e8_build *build, enum e8_doc_mode mode);
/* Error at a byte of the text. Returns E8_INPUT. */
enum e8_rc e8_build_fail(struct e8_build *build, size_t at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The column of a byte, 1-based, in characters. */
int e8_build_column(struct e8_build *build, size_t at);
/* True when the next thing must be a key of the innermost map. */
bool e8_build_wants_key(const struct e8_build *build);
/* `key` must live as long as the arena. */
enum e8_rc e8_build_key(struct e8_build *build, struct e8_str key, size_t at);
/* Adds a value to the innermost container; NULL when a limit is reached, with the error filled. */
struct e8_node *e8_build_add(struct e8_build *build, enum e8_node_kind kind, size_t at);
enum e8_rc e8_build_open(struct e8_build *build, enum e8_node_kind kind, size_t at);
void e8_build_close(struct e8_build *build);

enum e8_rc e8_parse_json(struct e8_build *build);
enum e8_rc e8_parse_yaml(struct e8_build *build);
enum e8_rc e8_parse_recording(struct e8_build *build);
/* One JSON value from byte `at` on, where it stands; it may not go on at byte `end`. *at is then behind it. */
enum e8_rc e8_parse_json_value(struct e8_build *build, size_t *at, size_t end);
/* Refuses what libfyaml cannot stand. */
enum e8_rc e8_yaml_guard(struct e8_build *build);
/* The values of scalars, from the document's text: plain and single-quoted, double-quoted (both without their quotes), and the
 * block string whose indicator stands at byte `at` and which ends before byte `end`, for the innermost container. */
struct e8_str e8_yaml_flow(struct e8_arena *arena, struct e8_str raw, bool quoted);
enum e8_rc e8_yaml_double(struct e8_build *build, struct e8_str raw, struct e8_str *out);
enum e8_rc e8_yaml_block(struct e8_build *build, size_t at, size_t end, struct e8_str *out);

/* The line of `text` that holds byte `at`, as far as it fits; empty when the place itself would not show. */
void e8_text_source(struct e8_str text, size_t at, char *out, size_t size);
/* The byte of a place (1-based line, column in characters). */
size_t e8_text_find(struct e8_str text, int line, int col);
/* `count` hex digits at a byte of the text, or -1. */
int64_t e8_text_hex(struct e8_str text, size_t at, size_t count);
/* Writes a character as UTF-8, 1 to 4 bytes; returns how many. */
size_t e8_text_utf8(char *out, uint32_t code);
/* As many whole characters as fit into `max` bytes, for error texts. */
struct e8_str e8_text_head(struct e8_str text, size_t max);

enum e8_scalar { E8_SCALAR_OK, E8_SCALAR_INT_RANGE, E8_SCALAR_FLOAT_RANGE, E8_SCALAR_NOT_FINITE };
/* A plain scalar by the YAML 1.2 core schema (10.3.2): fills kind, b, i, f and text of *node. */
enum e8_scalar e8_scalar_core(struct e8_node *node, struct e8_str text);
/* The same for text that has the form of a JSON number. */
enum e8_scalar e8_scalar_number(struct e8_node *node, struct e8_str text);
/* A number in any form that the core schema allows, as JSON. */
void e8_scalar_decimal(struct e8_str text, struct e8_buf *out);
/* The error for a scalar that is none of E8_SCALAR_OK. */
enum e8_rc e8_build_scalar_fail(struct e8_build *build, size_t at, enum e8_scalar fault, struct e8_str text);

#endif
