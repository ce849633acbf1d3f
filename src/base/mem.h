/* Memory: no allocation of ours fails; when there is none left the process says so and ends (exit 3). */
#ifndef E8_BASE_MEM_H
#define E8_BASE_MEM_H

#include <stddef.h>

#include "base/str.h"

/* Zeroed memory for `count` objects of `size` bytes; never NULL. The caller frees it with free(). */
void *e8_new(size_t count, size_t size);
/* Like realloc(); never NULL. New bytes are not zeroed. */
void *e8_resize(void *old, size_t count, size_t size);
char *e8_dup(const char *text);      /* text may be NULL, then the result is NULL */
char *e8_dup_str(struct e8_str str); /* NUL-terminated copy */

/* A growing arena: memory that lives and ends together. One owner thread; read from any once built. */
struct e8_arena;
struct e8_arena *e8_arena_new(void);
/* For very many objects that are all in use: it grows in larger steps, and by large pages where the system has them. */
struct e8_arena *e8_arena_new_large(void);
void e8_arena_free(struct e8_arena **arena); /* NULL inside is allowed */
/* Zeroed, valid until the arena is freed; aligned for any object but long double and vectors. */
void *e8_arena_alloc(struct e8_arena *arena, size_t size);
/* Copy into the arena, with a NUL behind it that is not counted. */
struct e8_str e8_arena_str(struct e8_arena *arena, struct e8_str str);
const char *e8_arena_printf(struct e8_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes handed out so far; for limits and tests. */
size_t e8_arena_used(const struct e8_arena *arena);

#endif
