#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

enum { EXIT_ENV = 3 };

/* _exit, not exit: any thread may be here, and handlers would find the others at work. */
static _Noreturn void no_memory(void)
{
    static const char text[] = "emit8: out of memory\n";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_ENV);
}

static size_t bytes_of(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX)
        no_memory();
    return total > 0 ? total : 1;
}

void *e8_new(size_t count, size_t size)
{
    void *p = calloc(1, bytes_of(count, size));
    if (!p)
        no_memory();
    return p;
}

void *e8_resize(void *old, size_t count, size_t size)
{
    void *p = realloc(old, bytes_of(count, size));
    if (!p)
        no_memory();
    return p;
}

char *e8_dup(const char *text)
{
    return text ? e8_dup_str(e8_str(text)) : NULL;
}

char *e8_dup_str(struct e8_str str)
{
    char *copy = e8_new(str.n + 1, 1);
    if (str.n > 0)
        memcpy(copy, str.p, str.n);
    return copy;
}

enum { BLOCK_MIN = 4 * 1024, BLOCK_MAX = 256 * 1024, ALIGN = 8, PAGE_LARGE = 2 << 20 };

struct block {
    struct block *next;
    size_t mapped; /* bytes; 0: it is of the heap */
    size_t used, size;
    max_align_t data[];
};

enum { ARENA_MAGIC = 0x0a4e8a11 };

struct e8_arena {
    unsigned magic;
    struct block *blocks; /* the first is the one in use */
    size_t used;
    size_t next_size, max_size;
};

struct e8_arena *e8_arena_new(void)
{
    struct e8_arena *arena = e8_new(1, sizeof(*arena));
    arena->magic = ARENA_MAGIC;
    arena->next_size = BLOCK_MIN;
    arena->max_size = BLOCK_MAX;
    return arena;
}

struct e8_arena *e8_arena_new_large(void)
{
    struct e8_arena *arena = e8_arena_new();
    arena->max_size = 2 * (size_t)PAGE_LARGE - sizeof(struct block);
    return arena;
}

static void free_block(struct block *block)
{
    if (block->mapped)
        munmap(block, block->mapped);
    else
        free(block);
}

void e8_arena_free(struct e8_arena **arena)
{
    if (!*arena)
        return;
    E8_CHECK_MAGIC(*arena, ARENA_MAGIC);
    for (struct block *block = (*arena)->blocks; block;) {
        struct block *next = block->next;
        free_block(block);
        block = next;
    }
    (*arena)->magic = 0;
    free(*arena);
    *arena = NULL;
}

/* Whole large pages; NULL where there are none to be had. What the map has beside them is given back. */
static struct block *map_block(size_t bytes)
{
    size_t whole = (bytes + PAGE_LARGE - 1) / PAGE_LARGE * PAGE_LARGE;
    char *map = mmap(NULL, whole + PAGE_LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    size_t before = (PAGE_LARGE - (uintptr_t)map % PAGE_LARGE) % PAGE_LARGE;
    if (before > 0)
        munmap(map, before);
    munmap(map + before + whole, PAGE_LARGE - before);
    (void)madvise(map + before, whole, MADV_HUGEPAGE); /* where it cannot, they are small ones */
    struct block *block = (struct block *)(void *)(map + before);
    block->mapped = whole;
    return block;
}

static struct block *new_block(size_t size)
{
    struct block *block = NULL;
    if (size > PAGE_LARGE)
        block = map_block(sizeof(*block) + size);
    if (!block)
        block = e8_new(1, sizeof(*block) + size);
    block->size = size;
    return block;
}

/* A block in which `size` bytes are free. What is large gets its own, behind the one in use. */
static struct block *block_for(struct e8_arena *arena, size_t size)
{
    struct block *first = arena->blocks;
    if (first && size <= first->size - first->used)
        return first;
    if (first && size > arena->next_size / 4) {
        struct block *own = new_block(size);
        own->next = first->next;
        first->next = own;
        return own;
    }
    struct block *block = new_block(size > arena->next_size ? size : arena->next_size);
    block->next = first;
    arena->blocks = block;
    arena->next_size = arena->next_size < arena->max_size / 2 ? arena->next_size * 2 : arena->max_size;
    return block;
}

void *e8_arena_alloc(struct e8_arena *arena, size_t size)
{
    E8_CHECK_MAGIC(arena, ARENA_MAGIC);
    if (size > PTRDIFF_MAX / 2)
        no_memory();
    size_t rounded = size > 0 ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    struct block *block = block_for(arena, rounded);
    char *p = (char *)block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    return p;
}

struct e8_str e8_arena_str(struct e8_arena *arena, struct e8_str str)
{
    char *copy = e8_arena_alloc(arena, str.n + 1);
    if (str.n > 0)
        memcpy(copy, str.p, str.n);
    return (struct e8_str){copy, str.n};
}

const char *e8_arena_printf(struct e8_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    E8_ASSERT(n >= 0);
    char *text = e8_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

size_t e8_arena_used(const struct e8_arena *arena)
{
    E8_CHECK_MAGIC(arena, ARENA_MAGIC);
    return arena->used;
}
