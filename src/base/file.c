#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { SECRET_MAX = 4096, CHUNK = 16 * 1024 };

static enum e8_rc fail_input(struct e8_err *err, const char *path)
{
    return e8_fail_at(err, path, 0, 0, NULL, "cannot be read: %s", strerror(errno));
}

/* The system refused, for the reason `cause` of errno. */
static enum e8_rc fail_env(struct e8_err *err, const char *path, const char *what, int cause)
{
    e8_fail_at(err, path, 0, 0, NULL, "%s: %s", what, strerror(cause));
    if (err)
        err->rc = E8_ENV;
    return E8_ENV;
}

static enum e8_rc fail_write(struct e8_err *err, const char *path)
{
    return fail_env(err, path, "cannot be written", errno);
}

/* Never blocks in open(), and does not take a terminal. -1: errno says why. */
static int open_to_read(const char *path)
{
    if (strcmp(path, "-") == 0)
        return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* Like read(), but waits where the descriptor would not. */
static ssize_t read_some(int fd, void *bytes, size_t n)
{
    for (;;) {
        ssize_t got = read(fd, bytes, n);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN))
            return got;
        if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
    }
}

/* Until the end or until the buffer is full. Leaves no copy on the stack: it may be a secret. */
static bool read_all(int fd, struct e8_buf *out)
{
    char chunk[CHUNK];
    ssize_t got = 0;
    while (!out->full && (got = read_some(fd, chunk, sizeof(chunk))) > 0)
        e8_buf_put(out, chunk, (size_t)got);
    explicit_bzero(chunk, sizeof(chunk));
    return got >= 0;
}

static enum e8_rc fail_larger(struct e8_err *err, const char *path, size_t limit)
{
    return e8_fail_at(err, path, 0, 0, NULL, "is larger than %zu bytes", limit);
}

/* What else a path may lead to, in the user's words. */
static enum e8_rc fail_kind(struct e8_err *err, const char *path, mode_t mode)
{
    if (S_ISDIR(mode))
        return e8_fail_at(err, path, 0, 0, NULL, "is a directory, not a file");
    if (S_ISFIFO(mode))
        return e8_fail_at(err, path, 0, 0, "pipe it to emit8 and give \"-\" as the file",
                          "is a pipe, not a file");
    return e8_fail_at(err, path, 0, 0, NULL, "is not a regular file");
}

static enum e8_rc read_open(int fd, const char *path, struct e8_buf *out, struct e8_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_input(err, path);
    bool named = strcmp(path, "-") != 0;
    if (S_ISDIR(st.st_mode) || (named && !S_ISREG(st.st_mode)))
        return fail_kind(err, path, st.st_mode);
    if (S_ISREG(st.st_mode) && named && st.st_size > 0 && (uint64_t)st.st_size > out->limit)
        return fail_larger(err, path, out->limit);
    if (!read_all(fd, out))
        return fail_input(err, path);
    return out->full ? fail_larger(err, path, out->limit) : E8_OK;
}

bool e8_file_readable(const char *path)
{
    return access(path, R_OK) == 0;
}

enum e8_rc e8_file_read(const char *path, size_t limit, struct e8_buf *out, struct e8_err *err)
{
    e8_buf_init(out, limit);
    int fd = open_to_read(path);
    if (fd < 0)
        return fail_input(err, path);
    enum e8_rc rc = read_open(fd, path, out, err);
    close(fd);
    return rc;
}

enum e8_rc e8_file_read_headed(const char *path, size_t limit, const char *head, size_t head_limit,
                               struct e8_buf *out, struct e8_err *err)
{
    struct e8_err larger = {0};
    enum e8_rc rc = e8_file_read(path, head_limit, out, &larger);

    if (rc == E8_OK && out->n > limit && !e8_str_starts(e8_buf_str(out), head))
        return fail_larger(err, path, limit);
    if (rc && err)
        *err = larger;
    return rc;
}

static bool write_all(int fd, struct e8_str content)
{
    while (content.n > 0) {
        ssize_t put = write(fd, content.p, content.n);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0)
            content = (struct e8_str){content.p + put, content.n - (size_t)put};
    }
    return true;
}

/* Closes fd. EINVAL of fsync: the file system has none. */
static bool write_and_close(int fd, struct e8_str content, bool sync)
{
    bool good = write_all(fd, content) && (!sync || fsync(fd) == 0 || errno == EINVAL);
    int cause = errno;
    if (close(fd) != 0 && good)
        return false;
    errno = cause;
    return good;
}

/* A new file beside `path`, whose name is put into *name. mkostemp would not heed the umask. */
static int open_beside(const char *path, char *name, size_t size)
{
    static atomic_uint serial;
    for (int attempt = 0; attempt < 100; attempt++) {
        int n = snprintf(name, size, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
        if (n < 0 || (size_t)n >= size) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* `mode` of the file that is replaced, 0 if there is none. */
static enum e8_rc replace(const char *path, mode_t mode, struct e8_str content, struct e8_err *err)
{
    char beside[PATH_MAX];
    int fd = open_beside(path, beside, sizeof(beside));
    if (fd < 0)
        return fail_write(err, path);
    if (mode != 0)
        (void)!fchmod(fd, mode & 0777);
    if (write_and_close(fd, content, true) && rename(beside, path) == 0)
        return E8_OK;
    enum e8_rc rc = fail_write(err, path);
    unlink(beside);
    return rc;
}

/* /dev/null, /dev/stdout or a FIFO: a rename would put a file in its place. */
static enum e8_rc write_through(const char *path, struct e8_str content, struct e8_err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || !write_and_close(fd, content, false))
        return fail_write(err, path);
    return E8_OK;
}

enum e8_rc e8_file_write(const char *path, struct e8_str content, struct e8_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return replace(path, 0, content, err);
    if (!S_ISREG(st.st_mode))
        return write_through(path, content, err);
    char target[PATH_MAX]; /* behind a symbolic link, the file and not the link */
    return replace(realpath(path, target) ? target : path, st.st_mode, content, err);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static enum e8_rc make_one(const char *path, struct e8_err *err)
{
    if (mkdir(path, 0700) == 0)
        return E8_OK;
    int cause = errno;
    if (is_dir(path))
        return E8_OK;
    if (cause == EEXIST || cause == ENOTDIR)
        return e8_fail_at(err, path, 0, 0, "name a directory", "is not a directory");
    return fail_env(err, path, "the directory cannot be made", cause);
}

enum e8_rc e8_dir_make(const char *path, struct e8_err *err)
{
    enum e8_rc rc;
    char *copy = e8_dup(path), *end = copy;
    do {
        end = strchr(end + (*end != '\0'), '/');
        if (end)
            *end = '\0';
        rc = make_one(copy, err);
        if (end)
            *end = '/';
    } while (rc == E8_OK && end);
    free(copy);
    return rc;
}

static enum e8_rc secret_of(struct e8_str text, const char *path, char **out, struct e8_err *err)
{
    struct e8_str line = {text.p, 0};
    e8_str_split(&text, '\n', &line);
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n == 0)
        return e8_fail_at(err, path, 0, 0, "put the secret into its first line", "holds no secret");
    if (line.n > SECRET_MAX)
        return e8_fail_at(err, path, 0, 0, NULL, "a secret has at most %d bytes", SECRET_MAX);
    if (memchr(line.p, '\0', line.n))
        return e8_fail_at(err, path, 0, 0, NULL, "is not text: there is a NUL byte in its first line");
    *out = e8_dup_str(line);
    return E8_OK;
}

enum e8_rc e8_secret_read(const char *path, char **out, struct e8_err *err)
{
    *out = NULL;
    int fd = open_to_read(path);
    if (fd < 0)
        return fail_input(err, path);
    char memory[SECRET_MAX + 3]; /* a line of that length is whole, and a longer one is seen to be longer */
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof(memory));
    enum e8_rc rc = read_all(fd, &buf) ? secret_of(e8_buf_str(&buf), path, out, err) : fail_input(err, path);
    close(fd);
    explicit_bzero(memory, sizeof(memory));
    return rc;
}

void e8_secret_free(char **secret)
{
    if (!*secret)
        return;
    explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}
