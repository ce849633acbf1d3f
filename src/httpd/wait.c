/* Answers that are not due yet: their connections are suspended, and a heap knows whose turn is next. */
#include "httpd/exchange.h"

#include <stdlib.h>

static bool before(const struct e8_exchange *a, const struct e8_exchange *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void place(struct e8_httpd *httpd, size_t index, struct e8_exchange *ex)
{
    httpd->heap[index] = ex;
    ex->heap_index = index;
}

static void sift_up(struct e8_httpd *httpd, struct e8_exchange *ex)
{
    size_t index = ex->heap_index;

    while (index > 0 && before(ex, httpd->heap[(index - 1) / 2])) {
        place(httpd, index, httpd->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(httpd, index, ex);
}

static void sift_down(struct e8_httpd *httpd, struct e8_exchange *ex)
{
    size_t index = ex->heap_index;

    for (;;) {
        size_t child = 2 * index + 1;

        if (child >= httpd->heap_count)
            break;
        if (child + 1 < httpd->heap_count && before(httpd->heap[child + 1], httpd->heap[child]))
            child++;
        if (!before(httpd->heap[child], ex))
            break;
        place(httpd, index, httpd->heap[child]);
        index = child;
    }
    place(httpd, index, ex);
}

static void push(struct e8_httpd *httpd, struct e8_exchange *ex)
{
    if (httpd->heap_count == httpd->heap_cap) {
        httpd->heap_cap = httpd->heap_cap ? 2 * httpd->heap_cap : 64;
        httpd->heap = e8_resize(httpd->heap, httpd->heap_cap, sizeof(struct e8_exchange *));
    }
    place(httpd, httpd->heap_count++, ex);
    sift_up(httpd, ex);
}

static struct e8_exchange *pop(struct e8_httpd *httpd)
{
    struct e8_exchange *first = httpd->heap[0];
    struct e8_exchange *last = httpd->heap[--httpd->heap_count];

    if (httpd->heap_count > 0) {
        place(httpd, 0, last);
        sift_down(httpd, last);
    }
    return first;
}

void e8_wait_begin(struct e8_exchange *ex, e8_mono_ns due)
{
    ex->phase = E8_PHASE_WAIT;
    ex->due = due;
    ex->order = ex->httpd->waits++;
    push(ex->httpd, ex);
    MHD_suspend_connection(ex->connection);
}

void e8_wait_hurry(struct e8_exchange *ex)
{
    E8_ASSERT(ex->phase == E8_PHASE_WAIT && ex->httpd->heap[ex->heap_index] == ex);
    ex->due = 0;
    sift_up(ex->httpd, ex);
}

void e8_wait_hurry_all(struct e8_httpd *httpd)
{
    e8_wait_resume(httpd, E8_NEVER);
}

e8_mono_ns e8_wait_next(const struct e8_httpd *httpd)
{
    return httpd->heap_count > 0 ? httpd->heap[0]->due : E8_NEVER;
}

void e8_wait_resume(struct e8_httpd *httpd, e8_mono_ns now)
{
    while (httpd->heap_count > 0 && httpd->heap[0]->due <= now) {
        struct e8_exchange *ex = pop(httpd);

        MHD_resume_connection(ex->connection);
    }
}
