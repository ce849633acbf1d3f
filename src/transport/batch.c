#include "transport/internal.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Of a system call the way into the kernel is often dearer than what is done there for a small exchange. Where the kernel has io_uring and
 * lets us use it, many sends or reads go in with one call; all of them end within it, for none may wait. Elsewhere each is a call. */

struct e8_batch {
    struct io_uring ring;
    bool asked, open;                         /* whether there is a ring */
    struct e8_arrival arrivals[E8_BATCH_MAX]; /* of E8_IO_RECV_STAMPED */
    e8_dur_ns offset;                         /* of e8_arrival_trusts */
};

#define PENDING INT32_MIN /* no errno of the kernel */

struct e8_batch *e8_batch_new(void)
{
    return e8_new(1, sizeof(struct e8_batch));
}

void e8_batch_free(struct e8_batch **where)
{
    struct e8_batch *batch = *where;
    *where = NULL;
    if (batch)
        e8_batch_forgo(batch);
    free(batch);
}

/* ThreadSanitizer knows of what one thread tells another through a socket by its calls alone. */
#ifdef __SANITIZE_THREAD__
#define WATCHED true
#else
#define WATCHED false
#endif

/* Before Linux 5.6 there were rings, but not all that we ask of them: each send would fail as if its connection had. */
static bool knows_all(struct io_uring *ring)
{
    static const int asked[] = {IORING_OP_SEND, IORING_OP_RECV, IORING_OP_RECVMSG};
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool all = probe != NULL;
    for (size_t i = 0; all && i < E8_COUNT(asked); i++)
        all = io_uring_opcode_supported(probe, asked[i]);
    io_uring_free_probe(probe);
    return all;
}

/* At the first use, for a ring belongs to the thread that made it. Flags that a kernel does not know it refuses as a whole. */
static bool has_ring(struct e8_batch *batch)
{
    struct io_uring_params one_thread = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    struct io_uring_params plain = {0};
    if (batch->asked)
        return batch->open;
    batch->asked = true;
    batch->open = !WATCHED && (io_uring_queue_init_params(E8_BATCH_MAX, &batch->ring, &one_thread) == 0 ||
                               io_uring_queue_init_params(E8_BATCH_MAX, &batch->ring, &plain) == 0);
    if (batch->open && !knows_all(&batch->ring))
        e8_batch_forgo(batch);
    return batch->open;
}

void e8_batch_forgo(struct e8_batch *batch)
{
    if (batch->open)
        io_uring_queue_exit(&batch->ring);
    batch->asked = true;
    batch->open = false;
}

static ssize_t call(enum e8_io_kind kind, const struct e8_io *io, struct e8_arrival *arrival)
{
    switch (kind) {
    case E8_IO_SEND:
        return send(io->fd, io->bytes, io->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case E8_IO_RECV:
        return recv(io->fd, io->bytes, io->n, MSG_DONTWAIT);
    case E8_IO_RECV_STAMPED:
        e8_arrival_prepare(arrival, io);
        return recvmsg(io->fd, &arrival->head, MSG_DONTWAIT);
    }
    return 0;
}

static void run_alone(enum e8_io_kind kind, struct e8_io *io, struct e8_arrival *arrival)
{
    ssize_t n = call(kind, io, arrival);
    io->done = n >= 0 ? n : -errno;
}

static void enter(struct e8_batch *batch, enum e8_io_kind kind, struct e8_io *io, struct e8_arrival *arrival)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&batch->ring);
    E8_ASSERT(entry);
    switch (kind) {
    case E8_IO_SEND:
        io_uring_prep_send(entry, io->fd, io->bytes, io->n, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case E8_IO_RECV:
        io_uring_prep_recv(entry, io->fd, io->bytes, io->n, MSG_DONTWAIT);
        break;
    case E8_IO_RECV_STAMPED:
        e8_arrival_prepare(arrival, io);
        io_uring_prep_recvmsg(entry, io->fd, &arrival->head, MSG_DONTWAIT);
        break;
    }
    io_uring_sqe_set_data(entry, io);
    io->done = PENDING;
}

static size_t take_results(struct e8_batch *batch)
{
    struct io_uring_cqe *result;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&batch->ring, head, result)
    {
        struct e8_io *io = io_uring_cqe_get_data(result);
        io->done = result->res;
        count++;
    }
    io_uring_cq_advance(&batch->ring, count);
    return count;
}

/* False: the ring is of no use any more; what it has not done is PENDING, and what it has done is not done again. */
static bool run_together(struct e8_batch *batch, size_t count)
{
    int rc = 0;
    for (size_t done = 0; done < count && (rc >= 0 || rc == -EINTR); done += take_results(batch))
        rc = io_uring_submit_and_wait(&batch->ring, (unsigned)(count - done));
    return rc >= 0 || rc == -EINTR;
}

static void tell_times(struct e8_batch *batch, enum e8_io_kind kind, struct e8_io *list, size_t count)
{
    bool asked = kind == E8_IO_RECV_STAMPED;
    struct e8_instant now = asked ? e8_instant_now() : (struct e8_instant){.mono = e8_mono_now()};
    bool trusts = asked && e8_arrival_trusts(&batch->offset, &now);
    for (size_t i = 0; i < count; i++) {
        list[i].at = now.mono + (e8_dur_ns)i;
        list[i].stamped = trusts && list[i].done > 0 && e8_arrival_of(&batch->arrivals[i], &now, &list[i].at);
    }
}

bool e8_batch_peek(struct e8_batch *batch, int fd, e8_mono_ns *out)
{
    return e8_arrival_peek(fd, &batch->offset, out);
}

void e8_batch_run(struct e8_batch *batch, enum e8_io_kind kind, struct e8_io *list, size_t count)
{
    E8_ASSERT(count <= E8_BATCH_MAX);
    bool together = count > 1 && has_ring(batch);
    for (size_t i = 0; together && i < count; i++)
        enter(batch, kind, &list[i], &batch->arrivals[i]);
    if (together && !run_together(batch, count))
        e8_batch_forgo(batch);
    for (size_t i = 0; i < count; i++) {
        if (!together || list[i].done == PENDING)
            run_alone(kind, &list[i], &batch->arrivals[i]);
    }
    if (kind != E8_IO_SEND)
        tell_times(batch, kind, list, count);
}
