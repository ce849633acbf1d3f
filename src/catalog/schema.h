/* The part of JSON Schema 2020-12 that fixture schemas use: type, enum, const, required, properties, additionalProperties,
 * items, min/max of lengths, counts and numbers, pattern (POSIX ERE), format date-time, anyOf, oneOf, allOf, local $ref.
 * A keyword that is not known is reported as such, never ignored. */
#ifndef E8_CATALOG_SCHEMA_H
#define E8_CATALOG_SCHEMA_H

#include "base/base.h"

struct e8_schema;
/* E8_INPUT with the place and a JSON pointer to what is wrong. `name` is what errors call it. */
enum e8_rc e8_schema_parse(const char *name, struct e8_str text, struct e8_schema **out, struct e8_err *err);
void e8_schema_free(struct e8_schema **schema);
/* E8_OK, or E8_INPUT with the JSON pointer into the document, what was found and what the schema wants. */
enum e8_rc e8_schema_check(const struct e8_schema *schema, struct e8_str document, struct e8_err *err);

#endif
