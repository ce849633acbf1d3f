/* A writer of JSON into a buffer: commas, nesting and escapes are right by construction. */
#ifndef E8_DOC_JSON_H
#define E8_DOC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

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

#endif
