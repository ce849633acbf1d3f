#include "dlog/over.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OVER_MAGIC = 0x6538766f, SLOTS = 65536, WORKERS_MAX = 4096 };

struct head {
    uint32_t magic, workers, slots, size;
    int64_t run;
};

/* As e8_over, but for the mark, which is written last: an entry that is half written is none. */
struct entry {
    struct e8_over over;
    _Atomic uint32_t mark;
};

struct e8_over_file {
    struct head *head;
    struct entry *entries;
    size_t bytes;
    uint32_t next[]; /* by worker */
};

static char *path_of(const char *log, int64_t run)
{
    struct e8_buf path;
    e8_buf_init(&path, 64 << 10);
    e8_buf_printf(&path, "%s-over.%lld", log, (long long)run);
    char *text = e8_dup(e8_buf_cstr(&path));
    e8_buf_fini(&path);
    return text;
}

static size_t bytes_of(unsigned workers)
{
    return sizeof(struct head) + (size_t)workers * SLOTS * sizeof(struct entry);
}

/* Its room is taken at once: a write into a map of a full disk would end the process. */
static void *map_new(const char *path, size_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return NULL;
    void *map = posix_fallocate(fd, 0, (off_t)bytes) == 0
                    ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                    : MAP_FAILED;
    close(fd);
    if (map != MAP_FAILED)
        return map;
    unlink(path);
    return NULL;
}

struct e8_over_file *e8_over_make(const char *log, int64_t run, unsigned workers)
{
    char *path = path_of(log, run);
    size_t bytes = bytes_of(workers);
    void *map = workers <= WORKERS_MAX ? map_new(path, bytes) : NULL;
    free(path);
    if (!map)
        return NULL;
    struct e8_over_file *file = e8_new(1, sizeof(*file) + workers * sizeof(file->next[0]));
    file->head = map;
    file->entries = (struct entry *)(void *)(file->head + 1);
    file->bytes = bytes;
    *file->head = (struct head){OVER_MAGIC, workers, SLOTS, sizeof(struct entry), run};
    return file;
}

void e8_over_put(struct e8_over_file *file, unsigned worker, const struct e8_over *over)
{
    struct entry *entry = &file->entries[(size_t)worker * SLOTS + file->next[worker]++ % SLOTS];
    atomic_store_explicit(&entry->mark, 0, memory_order_release);
    entry->over = *over;
    atomic_store_explicit(&entry->mark, OVER_MAGIC, memory_order_release);
}

void e8_over_close(struct e8_over_file **file)
{
    if (*file) {
        munmap((*file)->head, (*file)->bytes);
        free(*file);
        *file = NULL;
    }
}

void e8_over_remove(const char *log, int64_t run)
{
    char *path = path_of(log, run);
    unlink(path);
    free(path);
}

static void tell(struct head *head, e8_over_fn *fn, void *state)
{
    const struct entry *entries = (const struct entry *)(const void *)(head + 1);
    for (size_t i = 0; i < (size_t)head->workers * SLOTS; i++)
        if (atomic_load_explicit(&entries[i].mark, memory_order_acquire) == OVER_MAGIC)
            fn(state, &entries[i].over);
}

void e8_over_read(const char *log, int64_t run, e8_over_fn *fn, void *state)
{
    char *path = path_of(log, run);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    free(path);
    if (fd < 0)
        return;
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(struct head);
    size_t bytes = good ? (size_t)st.st_size : 0;
    void *map = good ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return;
    struct head *head = map;
    if (head->magic == OVER_MAGIC && head->run == run && head->slots == SLOTS &&
        head->size == sizeof(struct entry) && head->workers <= WORKERS_MAX &&
        bytes == bytes_of(head->workers))
        tell(head, fn, state);
    munmap(map, bytes);
}
