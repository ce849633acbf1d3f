#include "dlog/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORGET ((uint64_t)8 << 20) /* bytes of room that are worth a system call */

enum { SPOOL_MAGIC = 0x65387370, BLOCK_MAGIC = 0x65386273 };

/* In the machine's own order of bytes: it is read where it was written. */
struct head {
    uint32_t magic, record_size;
    struct e8_spool_owner owner;
};
struct block {
    uint32_t magic, count, bytes, zero;
};

/* A record without what the log does not keep: kind, and the length of an attempt's error, then as in memory. */
struct mark {
    uint16_t kind, error;
};
#define EVENT_BYTES   sizeof(struct e8_event_record)
#define ATTEMPT_BYTES offsetof(struct e8_attempt, event_id) /* the delivery's id and the error follow */
#define RECORD_MAX    (sizeof(struct mark) + sizeof(struct e8_record))

struct e8_spool {
    char *path;
    int fd;
    _Atomic uint64_t end, at; /* offsets in the file, the head left out */
    _Atomic uint64_t waiting; /* records put and not taken */
    uint64_t forgotten;
    char *putting, *taking; /* a block each */
    struct e8_record records[E8_SPOOL_BLOCK];
};

static const size_t block_max = sizeof(struct block) + E8_SPOOL_BLOCK * RECORD_MAX;

static struct e8_spool *new_spool(const char *path, int fd)
{
    struct e8_spool *spool = e8_new(1, sizeof(*spool));

    spool->path = e8_dup(path);
    spool->fd = fd;
    atomic_init(&spool->end, 0);
    atomic_init(&spool->at, 0);
    atomic_init(&spool->waiting, 0);
    spool->putting = e8_new(1, block_max);
    spool->taking = e8_new(1, block_max);
    return spool;
}

void e8_spool_close(struct e8_spool **spool)
{
    if (!*spool)
        return;
    close((*spool)->fd);
    free((*spool)->putting);
    free((*spool)->taking);
    free((*spool)->path);
    free(*spool);
    *spool = NULL;
}

const char *e8_spool_path(const struct e8_spool *spool)
{
    return spool->path;
}

/* All of it, or nothing that counts: a block that is cut off is none. */
static bool write_all(int fd, const char *bytes, size_t count, uint64_t at)
{
    while (count > 0) {
        ssize_t n = pwrite(fd, bytes, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        count -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

static int make_file(const char *path, const struct head *head)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && write_all(fd, (const char *)head, sizeof(*head), 0))
        return fd;
    int cause = errno;
    unlink(path);
    close(fd);
    errno = cause;
    return -1;
}

struct e8_spool *e8_spool_make(const char *log, const struct e8_spool_owner *owner)
{
    struct head head = {.magic = SPOOL_MAGIC, .record_size = sizeof(struct e8_record), .owner = *owner};
    struct e8_buf path;

    e8_buf_init(&path, 64 << 10);
    e8_buf_printf(&path, "%s-spool.%lld", log, (long long)owner->run);
    int fd = make_file(e8_buf_cstr(&path), &head);
    struct e8_spool *spool = fd < 0 ? NULL : new_spool(e8_buf_cstr(&path), fd);
    e8_buf_fini(&path);
    return spool;
}

/* False: errno says why. */
static bool read_head(int fd, struct head *head, uint64_t *end)
{
    struct stat st;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0)
        return false;
    errno = EINVAL;
    *end = (uint64_t)st.st_size - sizeof(*head);
    return S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(*head) &&
           pread(fd, head, sizeof(*head), 0) == (ssize_t)sizeof(*head) && head->magic == SPOOL_MAGIC &&
           head->record_size == sizeof(struct e8_record);
}

struct e8_spool *e8_spool_open(const char *path, struct e8_spool_owner *owner)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct head head;
    uint64_t end;

    if (fd < 0)
        return NULL;
    if (!read_head(fd, &head, &end)) {
        int cause = errno;
        close(fd);
        errno = cause;
        return NULL;
    }
    struct e8_spool *spool = new_spool(path, fd);
    atomic_store(&spool->end, end);
    *owner = head.owner;
    return spool;
}

/* Putting */

static char *put_bytes(char *at, const void *bytes, size_t count)
{
    memcpy(at, bytes, count);
    return at + count;
}

static char *put_record(char *at, const struct e8_record *record)
{
    if (record->kind == E8_RECORD_EVENT) {
        at = put_bytes(at, &(struct mark){.kind = E8_RECORD_EVENT}, sizeof(struct mark));
        return put_bytes(at, &record->event, EVENT_BYTES);
    }
    const struct e8_attempt *attempt = &record->attempt;
    struct mark mark = {E8_RECORD_ATTEMPT, (uint16_t)strnlen(attempt->error, E8_ERROR_MAX - 1)};
    at = put_bytes(at, &mark, sizeof(mark));
    at = put_bytes(at, attempt, ATTEMPT_BYTES);
    at = put_bytes(at, attempt->delivery_id, E8_ID_MAX);
    return put_bytes(at, attempt->error, mark.error);
}

bool e8_spool_put(struct e8_spool *spool, const struct e8_record *const *records, size_t count)
{
    char *at = spool->putting + sizeof(struct block);
    uint64_t end = atomic_load_explicit(&spool->end, memory_order_relaxed);

    E8_ASSERT(count <= E8_SPOOL_BLOCK);
    for (size_t i = 0; i < count; i++)
        at = put_record(at, records[i]);
    size_t bytes = (size_t)(at - spool->putting);
    struct block block = {BLOCK_MAGIC, (uint32_t)count, (uint32_t)(bytes - sizeof(block)), 0};
    memcpy(spool->putting, &block, sizeof(block));
    if (!write_all(spool->fd, spool->putting, bytes, sizeof(struct head) + end))
        return false;
    atomic_store_explicit(&spool->end, end + bytes, memory_order_release);
    atomic_fetch_add_explicit(&spool->waiting, count, memory_order_relaxed);
    return true;
}

uint64_t e8_spool_end(const struct e8_spool *spool)
{
    return atomic_load_explicit(&spool->end, memory_order_acquire);
}

uint64_t e8_spool_waiting(const struct e8_spool *spool)
{
    return atomic_load_explicit(&spool->waiting, memory_order_relaxed);
}

uint64_t e8_spool_at(const struct e8_spool *spool)
{
    return atomic_load_explicit(&spool->at, memory_order_acquire);
}

void e8_spool_go_to(struct e8_spool *spool, uint64_t at)
{
    E8_ASSERT(at <= e8_spool_end(spool));
    atomic_store_explicit(&spool->at, at, memory_order_release);
}

/* Taking: whatever the file says is checked, it may have been cut or changed. */

static const char *take_bytes(const char *at, const char *end, void *out, size_t count)
{
    if (!at || (size_t)(end - at) < count)
        return NULL;
    memcpy(out, at, count);
    return at + count;
}

static bool is_attempt_good(const struct e8_attempt *attempt)
{
    unsigned char last; /* a bool of any other value must not be read as one */

    memcpy(&last, &attempt->last, sizeof(last));
    return last < 2 && attempt->outcome < E8_OUTCOME_COUNT && attempt->trigger < 16 && attempt->verdict < 4 &&
           attempt->status >= 0 && attempt->status < 1024;
}

static const char *take_attempt(const char *at, const char *end, size_t error, struct e8_attempt *out)
{
    if (error >= E8_ERROR_MAX)
        return NULL;
    at = take_bytes(at, end, out, ATTEMPT_BYTES);
    at = take_bytes(at, end, out->delivery_id, E8_ID_MAX);
    at = take_bytes(at, end, out->error, error);
    out->event_id[0] = '\0';
    out->delivery_id[E8_ID_MAX - 1] = '\0';
    out->error[error] = '\0';
    return at && is_attempt_good(out) ? at : NULL;
}

/* NULL: it is not whole. */
static const char *take_record(const char *at, const char *end, struct e8_record *out)
{
    struct mark mark;

    at = take_bytes(at, end, &mark, sizeof(mark));
    if (!at)
        return NULL;
    out->kind = (enum e8_record_kind)mark.kind;
    if (mark.kind == E8_RECORD_ATTEMPT)
        return take_attempt(at, end, mark.error, &out->attempt);
    at = take_bytes(at, end, &out->event, EVENT_BYTES);
    out->event.id[E8_ID_MAX - 1] = '\0';
    return mark.kind == E8_RECORD_EVENT ? at : NULL;
}

static bool take_records(struct e8_spool *spool, const struct block *block)
{
    const char *at = spool->taking + sizeof(*block), *end = at + block->bytes;

    for (uint32_t i = 0; at && i < block->count; i++)
        at = take_record(at, end, &spool->records[i]);
    return at == end;
}

/* How many bytes of it there are; -1: errno says why. */
static ssize_t read_block(struct e8_spool *spool, uint64_t at, uint64_t end)
{
    size_t want = end - at < block_max ? (size_t)(end - at) : block_max, have = 0;

    while (have < want) {
        ssize_t n =
            pread(spool->fd, spool->taking + have, want - have, (off_t)(sizeof(struct head) + at + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

enum e8_taken e8_spool_take(struct e8_spool *spool, const struct e8_record **records, size_t *count)
{
    uint64_t at = e8_spool_at(spool);
    ssize_t have = read_block(spool, at, e8_spool_end(spool));
    struct block block;

    if (have < 0)
        return E8_TAKEN_FAILED;
    if ((size_t)have < sizeof(block))
        return E8_TAKEN_NONE;
    memcpy(&block, spool->taking, sizeof(block));
    if (block.magic != BLOCK_MAGIC || block.count > E8_SPOOL_BLOCK ||
        block.bytes > (size_t)have - sizeof(block) || !take_records(spool, &block))
        return E8_TAKEN_NONE;
    *records = spool->records;
    *count = block.count;
    atomic_fetch_sub_explicit(&spool->waiting, block.count, memory_order_relaxed);
    e8_spool_go_to(spool, at + sizeof(block) + block.bytes);
    return E8_TAKEN;
}

void e8_spool_forget(struct e8_spool *spool)
{
    uint64_t at = e8_spool_at(spool);

    if (at - spool->forgotten < FORGET)
        return;
    fallocate(spool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (off_t)(sizeof(struct head) + spool->forgotten), (off_t)(at - spool->forgotten));
    spool->forgotten = at;
}
