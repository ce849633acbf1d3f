/* Whole files, with limits. */
#ifndef E8_BASE_FILE_H
#define E8_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define E8_FILE_MAX ((size_t)8 << 20) /* what a user's file may have at most */

/* Reads a regular file of at most `limit` bytes into *out (initialised here; the caller calls e8_buf_fini, also after an
 * error). "-" is stdin. A directory, FIFO, device, unreadable or larger file: E8_INPUT. Never blocks on a FIFO. */
enum e8_rc e8_file_read(const char *path, size_t limit, struct e8_buf *out, struct e8_err *err);
/* The same with another limit for a file that begins with `head`. */
enum e8_rc e8_file_read_headed(const char *path, size_t limit, const char *head, size_t head_limit,
                               struct e8_buf *out, struct e8_err *err);
bool e8_file_readable(const char *path); /* is it there, and may it be read? For what can do without */
/* Writes the file whole or not at all (temporary file beside it, then rename). */
enum e8_rc e8_file_write(const char *path, struct e8_str content, struct e8_err *err);
/* All of mkdir -p, mode 0700. E8_INPUT where something else stands in its place, E8_ENV where the system refuses. */
enum e8_rc e8_dir_make(const char *path, struct e8_err *err);
/* A secret: first line of the file (or the environment's text), trailing newline removed; the result is wiped and freed with
 * e8_secret_free. "-" is stdin, and a pipe is allowed, unlike above: --secret-file <(pass show x). Nothing of it is ever
 * put into an error text. */
enum e8_rc e8_secret_read(const char *path, char **out, struct e8_err *err);
void e8_secret_free(char **secret);

#endif
