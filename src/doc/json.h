/* A writer of JSON into a buffer: commas, nesting and escapes are right by construction. */
#ifndef E8_DOC_JSON_H
#define E8_DOC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "doc/doc.h"

struct e8_json {
    struct e8_buf *buf;
    int indent; /* spaces per level; 0: compact */
    int depth;
    bool comma; /* a value went before on this level */
};

struct e8_json e8_json_new(struct e8_buf *buf, int indent);
/* key NULL inside arrays and at the top. */
void e8_json_object(struct e8_json *w, const char *key);
void e8_json_array(struct e8_json *w, const char *key);
void e8_json_end(struct e8_json *w, char bracket); /* '}' or ']' */
void e8_json_str(struct e8_json *w, const char *key, struct e8_str value);
void e8_json_cstr(struct e8_json *w, const char *key, const char *value); /* NULL: null */
void e8_json_int(struct e8_json *w, const char *key, int64_t value);
void e8_json_bool(struct e8_json *w, const char *key, bool value);
/* Fixed decimals, no locale, null when not finite. */
void e8_json_num(struct e8_json *w, const char *key, double value, int decimals);
void e8_json_null(struct e8_json *w, const char *key);
void e8_json_raw(struct e8_json *w, const char *key, struct e8_str json); /* inserted as it is */

/* How JSON is written anew; the usual libraries differ in these. */
struct e8_json_style {
    int indent;   /* spaces per level; 0: on one line */
    bool spaced;  /* a blank behind ',' and ':' */
    bool sorted;  /* keys by their bytes */
    bool turned;  /* keys in the opposite order */
    bool ascii;   /* the rest as \uXXXX */
    bool slashes; /* '/' as "\/" */
    bool html;    /* '<', '>', '&', U+2028 and U+2029 as \uXXXX */
    bool numbers; /* as JavaScript writes them: 1.0 as 1, 1e2 as 100, 1.50 as 1.5 */
    bool floats;  /* whole numbers as 1.0, whole hundreds as 1e2 */
};
/* All zero: compact, numbers as they were. */
void e8_json_rewrite(const struct e8_node *node, const struct e8_json_style *style, struct e8_buf *out);

#endif
