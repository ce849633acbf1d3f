#include "transport/internal.h"

#include <stdlib.h>

static void put(struct e8_heap *heap, size_t place, struct e8_timer *timer)
{
    heap->list[place] = timer;
    timer->place = place;
}

static void rise(struct e8_heap *heap, size_t place)
{
    struct e8_timer *timer = heap->list[place];
    while (place > 1 && heap->list[place / 2]->at > timer->at) {
        put(heap, place, heap->list[place / 2]);
        place /= 2;
    }
    put(heap, place, timer);
}

static void sink(struct e8_heap *heap, size_t place)
{
    struct e8_timer *timer = heap->list[place];
    for (;;) {
        size_t child = place * 2;
        if (child < heap->count && heap->list[child + 1]->at < heap->list[child]->at)
            child++;
        if (child > heap->count || heap->list[child]->at >= timer->at)
            break;
        put(heap, place, heap->list[child]);
        place = child;
    }
    put(heap, place, timer);
}

void e8_heap_fini(struct e8_heap *heap)
{
    free(heap->list);
    *heap = (struct e8_heap){0};
}

void e8_heap_add(struct e8_heap *heap, struct e8_timer *timer)
{
    E8_ASSERT(timer->place == 0);
    if (heap->count + 2 > heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : 256;
        heap->list = e8_resize(heap->list, heap->cap, sizeof *heap->list);
    }
    heap->list[++heap->count] = timer;
    rise(heap, heap->count);
}

void e8_heap_remove(struct e8_heap *heap, struct e8_timer *timer)
{
    size_t place = timer->place;
    if (!place)
        return;
    E8_ASSERT(place <= heap->count && heap->list[place] == timer);
    timer->place = 0;
    struct e8_timer *last = heap->list[heap->count--];
    if (last == timer)
        return;
    put(heap, place, last);
    rise(heap, place);
    sink(heap, last->place);
}

struct e8_timer *e8_heap_peek(const struct e8_heap *heap)
{
    return heap->count ? heap->list[1] : NULL;
}
