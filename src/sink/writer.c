#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sink/receipt.h"

enum { WRITER_MAGIC = 0x0a4e8602, SLOTS = 32768, BATCH_MS = 20, LINES_MAX = 1 << 20 };
#define HELD_MAX ((size_t)256 << 20)

struct e8_writer {
    unsigned magic;
    struct e8_ring *ring;
    int wake_fd;
    atomic_bool idle; /* the thread sleeps until it is woken */
    atomic_bool stop;
    pthread_t thread;
    bool started;
    /* The thread's own: */
    struct e8_receipts *receipts;
    FILE *out;
    bool ndjson;
    struct e8_buf lines;
    uint64_t taken, lost;
    struct e8_err failed;
    struct e8_recording *recording;
    uint64_t unrecorded;
    struct e8_err record_failed;
    atomic_size_t held; /* bytes of arrivals that are not written yet */
};

struct e8_writer *e8_writer_new(struct e8_receipts *receipts, FILE *out, bool ndjson)
{
    struct e8_writer *writer = e8_new(1, sizeof *writer);

    writer->magic = WRITER_MAGIC;
    writer->ring = e8_ring_new(SLOTS, sizeof(struct e8_receipt));
    writer->wake_fd = -1;
    writer->receipts = receipts;
    writer->out = out;
    writer->ndjson = ndjson;
    e8_buf_init(&writer->lines, LINES_MAX);
    return writer;
}

void e8_writer_record(struct e8_writer *writer, struct e8_recording *recording)
{
    writer->recording = recording;
}

static void note_unrecorded(struct e8_writer *writer, uint64_t count)
{
    if (writer->unrecorded == 0)
        fprintf(stderr, "emit8: sink: %s\n", writer->record_failed.what);
    writer->unrecorded += count;
}

static void record(struct e8_writer *writer, struct e8_arrival *arrival)
{
    if (!arrival)
        return;
    if (writer->recording && e8_recording_put(writer->recording, arrival, &writer->record_failed))
        note_unrecorded(writer, 1);
    atomic_fetch_sub(&writer->held, arrival->size);
    free(arrival);
}

/* Whoever reads the lines may go away (head); the receipts go on. */
static void flush_lines(struct e8_writer *writer)
{
    size_t n = writer->lines.n;

    if (!writer->out || n == 0)
        return;
    if (fwrite(writer->lines.p, 1, n, writer->out) != n || fflush(writer->out) != 0) {
        if (errno != EPIPE)
            fprintf(stderr, "emit8: sink: deliveries are no longer listed: %s\n", strerror(errno));
        writer->out = NULL;
    }
    e8_buf_reset(&writer->lines);
}

static void add_line(struct e8_writer *writer, const struct e8_receipt *receipt)
{
    if (!writer->out)
        return;
    if (writer->lines.n > LINES_MAX / 2)
        flush_lines(writer);
    if (writer->ndjson)
        e8_receipt_ndjson(receipt, &writer->lines);
    else
        e8_receipt_line(receipt, &writer->lines);
}

/* Says it once; the answers go on, and e8_writer_stop reports it. */
static void lose(struct e8_writer *writer, uint64_t count)
{
    if (writer->lost == 0)
        fprintf(stderr, "emit8: sink: %s\n", writer->failed.what);
    writer->lost += count;
}

/* Everything that is in the ring, as one transaction. False if there was nothing. */
static bool write_batch(struct e8_writer *writer)
{
    const struct e8_receipt *receipt = e8_ring_peek(writer->ring);
    enum e8_rc rc = E8_OK;
    uint64_t count = 0;

    if (!receipt)
        return false;
    if (writer->receipts)
        rc = e8_receipts_begin(writer->receipts, &writer->failed);
    for (; receipt && count < SLOTS; receipt = e8_ring_peek(writer->ring)) {
        if (writer->receipts && rc == E8_OK)
            rc = e8_receipts_put(writer->receipts, receipt, &writer->failed);
        add_line(writer, receipt);
        record(writer, receipt->arrival);
        e8_ring_pop(writer->ring);
        count++;
    }
    flush_lines(writer);
    if (writer->recording && e8_recording_flush(writer->recording, &writer->record_failed))
        note_unrecorded(writer, 1);
    if (writer->receipts && rc == E8_OK)
        rc = e8_receipts_commit(writer->receipts, &writer->failed);
    writer->taken += count;
    if (rc != E8_OK)
        lose(writer, count);
    return true;
}

static void wait_for_more(struct e8_writer *writer, bool busy)
{
    struct pollfd wake = {.fd = writer->wake_fd, .events = POLLIN};
    uint64_t count;

    if (!busy) {
        atomic_exchange(&writer->idle, true); /* with e8_writer_push: one of the two sees the other */
        if (e8_ring_peek(writer->ring) || atomic_load(&writer->stop)) {
            atomic_store(&writer->idle, false);
            return;
        }
    }
    poll(&wake, 1, busy ? BATCH_MS : -1);
    if (wake.revents && read(writer->wake_fd, &count, sizeof count) < 0)
        E8_ASSERT(errno == EAGAIN);
}

static void *run(void *closure)
{
    struct e8_writer *writer = closure;

    E8_CHECK_MAGIC(writer, WRITER_MAGIC);
    pthread_setname_np(pthread_self(), "e8-receipts");
    for (;;) {
        bool last = atomic_load(&writer->stop);
        bool busy = write_batch(writer);

        if (last && !busy)
            return NULL;
        if (!last)
            wait_for_more(writer, busy);
    }
}

enum e8_rc e8_writer_start(struct e8_writer *writer, struct e8_err *err)
{
    sigset_t all, old;

    E8_CHECK_MAGIC(writer, WRITER_MAGIC);
    writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->wake_fd < 0)
        return e8_fail(err, E8_ENV, NULL, "the sink cannot start: %s", strerror(errno));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return e8_fail(err, E8_ENV, NULL, "the sink cannot start: %s", strerror(error));
    writer->started = true;
    return E8_OK;
}

static void wake(struct e8_writer *writer)
{
    uint64_t one = 1;
    ssize_t n = write(writer->wake_fd, &one, sizeof one);

    E8_ASSERT(n == (ssize_t)sizeof one || errno == EAGAIN);
}

struct e8_receipt *e8_writer_slot(struct e8_writer *writer)
{
    static const struct timespec moment = {.tv_nsec = 200000};
    struct e8_receipt *slot;

    E8_CHECK_MAGIC(writer, WRITER_MAGIC);
    while (!(slot = e8_ring_slot(writer->ring)) || atomic_load(&writer->held) > HELD_MAX)
        nanosleep(&moment, NULL);
    return slot;
}

void e8_writer_push(struct e8_writer *writer, struct e8_receipt *receipt)
{
    if (receipt->arrival)
        atomic_fetch_add(&writer->held, receipt->arrival->size);
    e8_ring_push(writer->ring);
    if (atomic_exchange(&writer->idle, false))
        wake(writer);
}

enum e8_rc e8_writer_stop(struct e8_writer **writer, struct e8_err *err)
{
    struct e8_writer *w = *writer;
    enum e8_rc rc = E8_OK;

    if (!w)
        return E8_OK;
    E8_CHECK_MAGIC(w, WRITER_MAGIC);
    atomic_store(&w->stop, true);
    if (w->started) {
        wake(w);
        pthread_join(w->thread, NULL);
    }
    if (w->lost > 0)
        rc = e8_fail(err, E8_ENV, "the receipts before that are in the file",
                     "%llu of %llu receipts are lost: %s", (unsigned long long)w->lost,
                     (unsigned long long)w->taken, w->failed.what);
    if (e8_recording_close(&w->recording, w->unrecorded ? NULL : &w->record_failed))
        w->unrecorded++;
    if (w->unrecorded > 0 && rc == E8_OK)
        rc = e8_fail(err, E8_ENV, w->record_failed.hint, "the recording is not whole: %s",
                     w->record_failed.what);
    e8_receipts_close(&w->receipts);
    e8_ring_free(&w->ring);
    e8_buf_fini(&w->lines);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    w->magic = 0;
    free(w);
    *writer = NULL;
    return rc;
}
