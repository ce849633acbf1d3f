#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest/digest.h"
#include "platform/server.h"

#define KEY_BYTES  ((size_t)20)
#define KEY_PREFIX "e8k_"

static char *path_in(const char *directory, const char *name)
{
    struct e8_buf path;
    e8_buf_init(&path, 8192);
    e8_buf_printf(&path, "%s/%s", directory, name);
    char *copy = e8_dup(e8_buf_cstr(&path));
    e8_buf_fini(&path);
    return copy;
}

static enum e8_rc lock_file(const char *directory, const char *path, int *lock, struct e8_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return e8_fail(err, E8_ENV, "--state DIR", "cannot write to %s: %s", directory, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return e8_fail(err, E8_ENV, "end it, or take another --state DIR",
                       "another emit8 serve uses the state directory %s", directory);
    }
    *lock = fd;
    return E8_OK;
}

enum e8_rc e8_state_open(const char *directory, int *lock, struct e8_err *err)
{
    struct e8_err why = {0};
    enum e8_rc rc = e8_dir_make(directory, &why);
    if (rc) {
        return e8_fail(err, rc, "name a directory that is yours: --state DIR",
                       "no place for the state: %s: %s", why.file, why.what);
    }
    char *path = path_in(directory, "lock");
    rc = lock_file(directory, path, lock, err);
    free(path);
    return rc;
}

static bool key_is_good(const char *key)
{
    size_t n = strlen(KEY_PREFIX);
    return strncmp(key, KEY_PREFIX, n) == 0 && strlen(key) == n + 2 * KEY_BYTES &&
           strspn(key + n, "0123456789abcdef") == 2 * KEY_BYTES;
}

static enum e8_rc read_key(const char *path, char **key, struct e8_err *err)
{
    struct stat facts;
    enum e8_rc rc = e8_secret_read(path, key, err);
    if (rc) {
        return rc;
    }
    if (stat(path, &facts) == 0 && (facts.st_mode & 077)) {
        rc = e8_fail(err, E8_INPUT, "chmod 600 it, or delete it to get a new key",
                     "others may read the key in %s", path);
    } else if (!key_is_good(*key)) {
        rc = e8_fail(err, E8_INPUT, "delete it to get a new key", "%s holds no key of emit8 serve", path);
    }
    if (rc) {
        e8_secret_free(key);
    }
    return rc;
}

static bool write_all(int fd, struct e8_str text)
{
    ssize_t n = write(fd, text.p, text.n);
    return n == (ssize_t)text.n && fsync(fd) == 0;
}

/* Whole or not at all: a key that was cut off would open nothing. */
static enum e8_rc write_line(const char *path, struct e8_str line, struct e8_err *err)
{
    struct e8_buf fresh;
    e8_buf_init(&fresh, 8192);
    e8_buf_printf(&fresh, "%s.new", path);
    const char *name = e8_buf_cstr(&fresh);
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, line);
    int reason = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (good && rename(name, path) != 0) {
        good = false;
        reason = errno;
    }
    if (!good) {
        unlink(name);
    }
    e8_buf_fini(&fresh);
    return good ? E8_OK : e8_fail(err, E8_ENV, NULL, "cannot write %s: %s", path, strerror(reason));
}

static enum e8_rc make_key(const char *path, char **key, struct e8_err *err)
{
    uint8_t bytes[KEY_BYTES];
    struct e8_buf text;
    e8_random_bytes(bytes, sizeof bytes);
    e8_buf_init(&text, 256);
    e8_buf_puts(&text, KEY_PREFIX);
    e8_hex_put(&text, bytes, sizeof bytes);
    *key = e8_dup_str(e8_buf_str(&text));
    e8_buf_putc(&text, '\n');
    enum e8_rc rc = write_line(path, e8_buf_str(&text), err);
    explicit_bzero(text.p, text.n);
    explicit_bzero(bytes, sizeof bytes);
    e8_buf_fini(&text);
    if (rc) {
        e8_secret_free(key);
    }
    return rc;
}

enum e8_rc e8_state_key(const char *directory, char **key, char **file, struct e8_err *err)
{
    *file = path_in(directory, "api-key");
    return access(*file, F_OK) == 0 ? read_key(*file, key, err) : make_key(*file, key, err);
}

/* ---- the account ---- */

static enum e8_rc read_account(const char *path, uint64_t *account, struct e8_err *err)
{
    struct e8_buf text, bytes;
    char memory[sizeof *account];
    e8_buf_init(&text, 256);
    e8_buf_fixed(&bytes, memory, sizeof memory);
    enum e8_rc rc = e8_file_read(path, 255, &text, err);
    bool good = !rc && text.n > 0 && text.p[text.n - 1] == '\n' &&
                e8_hex_get((struct e8_str){text.p, text.n - 1}, &bytes) && bytes.n == sizeof memory &&
                !bytes.full;
    if (good) {
        memcpy(account, memory, sizeof memory);
    }
    e8_buf_fini(&text);
    return good || rc ? rc : e8_fail(err, E8_INPUT, "delete it to get another", "%s holds no account", path);
}

static enum e8_rc make_account(const char *path, uint64_t *account, struct e8_err *err)
{
    char memory[2 * sizeof *account + 2];
    struct e8_buf text;
    e8_random_bytes(account, sizeof *account);
    e8_buf_fixed(&text, memory, sizeof memory);
    e8_hex_put(&text, account, sizeof *account);
    e8_buf_putc(&text, '\n');
    return write_line(path, e8_buf_str(&text), err);
}

enum e8_rc e8_state_account(const char *directory, uint64_t *account, struct e8_err *err)
{
    char *path = path_in(directory, "account");
    enum e8_rc rc =
        access(path, F_OK) == 0 ? read_account(path, account, err) : make_account(path, account, err);
    free(path);
    return rc;
}
