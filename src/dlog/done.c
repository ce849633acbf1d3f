/* What a run that was cut short has behind it: its events, and the deliveries that are over. */
#include <stdlib.h>
#include <string.h>

#include "dlog/over.h"
#include "dlog/read.h"

enum { DONE_MAGIC = 0x0a4e8503, CHAIN_MAX = 10000, SLOTS_MIN = 1024 };

struct made {
    uint64_t flow, instance;
    e8_wall_ns at, flow_started;
    uint32_t sequence;
};

/* Both tables are open-addressed, of a size that is a power of two, and at most three quarters full; 0 is an empty slot. */
struct e8_done_deliveries {
    unsigned magic;
    struct made *events;
    size_t event_count, event_room;
    uint32_t *by_place; /* an event's index + 1 */
    size_t places;
    uint64_t *over; /* event's index + 1, endpoint, copy */
    size_t over_count, over_size;
    e8_dur_ns elapsed;
};

static size_t slot_of_event(const struct e8_done_deliveries *done, uint64_t flow, uint64_t instance,
                            uint32_t sequence)
{
    size_t mask = done->places - 1;
    size_t i = (size_t)e8_mix(e8_mix(flow, instance), sequence) & mask;

    for (; done->by_place[i]; i = (i + 1) & mask) {
        const struct made *event = &done->events[done->by_place[i] - 1];
        if (event->sequence == sequence && event->instance == instance && event->flow == flow)
            break;
    }
    return i;
}

static size_t slot_of_over(const struct e8_done_deliveries *done, uint64_t key)
{
    size_t mask = done->over_size - 1;
    size_t i = (size_t)e8_mix(key, 0) & mask;

    while (done->over[i] && done->over[i] != key)
        i = (i + 1) & mask;
    return i;
}

static void grow_events(struct e8_done_deliveries *done)
{
    free(done->by_place);
    done->places *= 2;
    done->by_place = e8_new(done->places, sizeof(*done->by_place));
    for (size_t n = 0; n < done->event_count; n++) {
        const struct made *event = &done->events[n];
        done->by_place[slot_of_event(done, event->flow, event->instance, event->sequence)] = (uint32_t)n + 1;
    }
}

static void grow_over(struct e8_done_deliveries *done)
{
    uint64_t *old = done->over;
    size_t count = done->over_size;

    done->over_size *= 2;
    done->over = e8_new(done->over_size, sizeof(*done->over));
    for (size_t i = 0; i < count; i++)
        if (old[i])
            done->over[slot_of_over(done, old[i])] = old[i];
    free(old);
}

static void add_event(struct e8_done_deliveries *done, const struct made *event)
{
    size_t slot = slot_of_event(done, event->flow, event->instance, event->sequence);

    if (done->by_place[slot])
        return; /* a resumed run writes it again, as it was */
    if (done->event_count == done->event_room) {
        done->event_room = done->event_room ? done->event_room * 2 : SLOTS_MIN;
        done->events = e8_resize(done->events, done->event_room, sizeof(*done->events));
    }
    done->events[done->event_count++] = *event;
    done->by_place[slot] = (uint32_t)done->event_count;
    if (done->event_count > done->places / 4 * 3)
        grow_events(done);
}

static uint64_t key_of(uint32_t event, uint16_t endpoint, uint16_t copy)
{
    return (uint64_t)event << 32 | (uint64_t)endpoint << 16 | copy;
}

static void add_over(struct e8_done_deliveries *done, uint64_t key)
{
    size_t slot = slot_of_over(done, key);

    if (done->over[slot])
        return;
    done->over[slot] = key;
    if (++done->over_count > done->over_size / 4 * 3)
        grow_over(done);
}

static struct e8_done_deliveries *new_done(void)
{
    struct e8_done_deliveries *done = e8_new(1, sizeof(*done));

    done->magic = DONE_MAGIC;
    done->places = done->over_size = SLOTS_MIN;
    done->by_place = e8_new(done->places, sizeof(*done->by_place));
    done->over = e8_new(done->over_size, sizeof(*done->over));
    return done;
}

void e8_done_free(struct e8_done_deliveries **done)
{
    struct e8_done_deliveries *d = *done;

    if (!d)
        return;
    E8_CHECK_MAGIC(d, DONE_MAGIC);
    d->magic = 0;
    free(d->events);
    free(d->by_place);
    free(d->over);
    free(d);
    *done = NULL;
}

static void bind_range(sqlite3_stmt *row, const struct e8_read_range *range)
{
    int64_t first = (int64_t)((uint64_t)range->run << E8_EVENT_BITS);

    sqlite3_bind_int64(row, sqlite3_bind_parameter_index(row, ":first"), first);
    sqlite3_bind_int64(row, sqlite3_bind_parameter_index(row, ":end"), first | UINT32_MAX);
    sqlite3_bind_int64(row, sqlite3_bind_parameter_index(row, ":run"), range->run);
    sqlite3_bind_int64(row, sqlite3_bind_parameter_index(row, ":after"), range->after);
    sqlite3_bind_int64(row, sqlite3_bind_parameter_index(row, ":last"), range->last);
}

static enum e8_rc read_events(struct e8_dlog_reader *reader, const struct e8_read_range *range,
                              struct e8_done_deliveries *done, struct e8_err *err)
{
    static const char sql[] = "SELECT flow, instance, sequence, at, flow_started FROM event"
                              " WHERE id BETWEEN :first AND :end ORDER BY id";
    sqlite3_stmt *row = e8_read_prepare(reader, sql, err);
    int code;

    if (!row)
        return err->rc;
    bind_range(row, range);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && done->event_count < UINT32_MAX) {
        struct made event = {
            .flow = e8_read_u64(row, 0),
            .instance = e8_read_u64(row, 1),
            .sequence = (uint32_t)sqlite3_column_int64(row, 2),
            .at = sqlite3_column_int64(row, 3),
            .flow_started = sqlite3_column_int64(row, 4),
        };
        add_event(done, &event);
    }
    return e8_read_end(reader, row, code, err);
}

/* A stop makes the attempt that is under way the last one, though it would have been followed by others: such a delivery is
 * not over. Nor is one that failed by our own fault. */
static bool is_over(const struct e8_dlog_reader *reader, sqlite3_stmt *row, uint16_t copy)
{
    uint32_t code = e8_read_upto(row, 6, CODES_MAX - 1);
    int64_t verdict = sqlite3_column_int64(row, 9);

    if (sqlite3_column_int64(row, 5) == 0 || code == CODES_MAX)
        return false;
    enum e8_outcome outcome = reader->codes[code].outcome;
    if (outcome == E8_ABORTED || e8_outcome_info(outcome)->generator)
        return false;
    return outcome == E8_DELIVERED || verdict == E8_EXPECTATION_MET || verdict == E8_EXPECTATION_REPORTED ||
           copy > 0 || e8_outcome_info(outcome)->retry == E8_RETRY_NO ||
           sqlite3_column_int64(row, 7) >= sqlite3_column_int64(row, 8);
}

#define ATTEMPTS(copy, verdict)                                                                              \
    "SELECT e.flow, e.instance, e.sequence, a.endpoint, " copy                                               \
    ", a.last, a.outcome, a.number, p.attempts, " verdict                                                    \
    ", a.due FROM attempt a CROSS JOIN event e ON e.id = a.event"                                            \
    " JOIN endpoint p ON p.run = a.run AND p.number = a.endpoint"                                            \
    " WHERE a.id > :after AND a.id <= :last AND a.run = :run"

static void add_attempt(const struct e8_dlog_reader *reader, sqlite3_stmt *row,
                        struct e8_done_deliveries *done)
{
    size_t slot =
        slot_of_event(done, e8_read_u64(row, 0), e8_read_u64(row, 1), (uint32_t)sqlite3_column_int64(row, 2));
    uint32_t endpoint = e8_read_upto(row, 3, UINT16_MAX), copy = e8_read_upto(row, 4, UINT16_MAX);

    if (endpoint <= UINT16_MAX && copy <= UINT16_MAX && done->by_place[slot] &&
        is_over(reader, row, (uint16_t)copy))
        add_over(done, key_of(done->by_place[slot], (uint16_t)endpoint, (uint16_t)copy));
}

static enum e8_rc read_attempts(struct e8_dlog_reader *reader, const struct e8_read_range *range,
                                struct e8_done_deliveries *done, e8_wall_ns *latest, struct e8_err *err)
{
    const char *sql = reader->version < 3 ? ATTEMPTS("0", "0") : ATTEMPTS("a.copy", "a.verdict");
    sqlite3_stmt *row = e8_read_prepare(reader, sql, err);
    int code;

    if (!row)
        return err->rc;
    bind_range(row, range);
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        e8_wall_ns due = sqlite3_column_int64(row, 10);
        *latest = due > *latest ? due : *latest;
        add_attempt(reader, row, done);
    }
    return e8_read_end(reader, row, code, err);
}

/* When it began, and which one it goes on with. */
static enum e8_rc read_link(struct e8_dlog_reader *reader, int64_t run, e8_wall_ns *started, int64_t *resumes,
                            struct e8_err *err)
{
    sqlite3_stmt *row =
        e8_read_prepare(reader,
                        reader->version < 3 ? "SELECT started, 0 FROM run WHERE id = ?1"
                                            : "SELECT started, resumes FROM run WHERE id = ?1",
                        err);

    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, run);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        *started = sqlite3_column_int64(row, 0);
        *resumes = sqlite3_column_int64(row, 1);
    }
    enum e8_rc rc = e8_read_end(reader, row, code, err);
    if (rc == E8_OK && (code != SQLITE_ROW || *resumes < 0 || *resumes >= run))
        rc = e8_read_damaged(reader, "what a run goes on with is missing", err);
    return rc;
}

/* What the process was killed before it was written. */
static void add_unwritten(void *state, const struct e8_over *over)
{
    struct e8_done_deliveries *done = state;
    struct made event = {.flow = over->flow,
                         .instance = over->instance,
                         .at = over->at,
                         .flow_started = over->flow_started,
                         .sequence = over->sequence};
    if (done->event_count >= UINT32_MAX)
        return;
    add_event(done, &event);
    size_t slot = slot_of_event(done, over->flow, over->instance, over->sequence);
    add_over(done, key_of(done->by_place[slot], over->endpoint, over->copy));
}

/* A run that goes on with another began where that had come to. */
static enum e8_rc add_run(struct e8_dlog_reader *reader, int64_t run, struct e8_done_deliveries *done,
                          struct e8_err *err)
{
    struct e8_read_range range;
    e8_wall_ns started = 0, latest = INT64_MIN;
    e8_dur_ns came;
    int64_t resumes = 0;
    enum e8_rc rc = read_link(reader, run, &started, &resumes, err);

    rc = rc ? rc : e8_read_range(reader, run, &range, err);
    rc = rc ? rc : read_events(reader, &range, done, err);
    rc = rc ? rc : read_attempts(reader, &range, done, &latest, err);
    if (rc == E8_OK)
        e8_over_read(reader->path, run, add_unwritten, done);
    if (rc == E8_OK && latest > started && !__builtin_sub_overflow(latest, started, &came) &&
        __builtin_add_overflow(done->elapsed, came, &done->elapsed))
        rc = e8_read_damaged(reader, "a time is out of range", err);
    return rc;
}

/* The run and those before it, the newest first. */
static enum e8_rc read_chain(struct e8_dlog_reader *reader, int64_t run, int64_t *chain, size_t *count,
                             struct e8_err *err)
{
    e8_wall_ns started;
    enum e8_rc rc = E8_OK;

    for (*count = 0; rc == E8_OK && run > 0; (*count)++) {
        if (*count == CHAIN_MAX)
            return e8_read_damaged(reader, "too many runs go on with each other", err);
        chain[*count] = run;
        rc = read_link(reader, run, &started, &run, err);
    }
    return rc;
}

enum e8_rc e8_dlog_done(struct e8_dlog_reader *reader, int64_t run, struct e8_done_deliveries **out,
                        struct e8_err *err)
{
    struct e8_err local = {0};
    struct e8_read_range range;
    size_t count;

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    *out = NULL;
    err = err ? err : &local;
    enum e8_rc rc = e8_read_range(reader, run, &range, err);
    if (rc)
        return rc;
    struct e8_done_deliveries *done = new_done();
    int64_t *chain = e8_new(CHAIN_MAX, sizeof(*chain));
    rc = read_chain(reader, range.run, chain, &count, err);
    while (rc == E8_OK && count > 0)
        rc = add_run(reader, chain[--count], done, err);
    free(chain);
    if (rc)
        e8_done_free(&done);
    *out = done;
    return rc;
}

bool e8_done_has(const struct e8_done_deliveries *done, uint64_t flow, uint64_t instance, uint32_t sequence,
                 uint16_t endpoint, uint16_t copy)
{
    uint32_t event = done->by_place[slot_of_event(done, flow, instance, sequence)];

    return event && done->over[slot_of_over(done, key_of(event, endpoint, copy))];
}

bool e8_done_event(const struct e8_done_deliveries *done, uint64_t flow, uint64_t instance, uint32_t sequence,
                   e8_wall_ns *at, e8_wall_ns *flow_started)
{
    uint32_t event = done->by_place[slot_of_event(done, flow, instance, sequence)];

    if (!event)
        return false;
    *at = done->events[event - 1].at;
    *flow_started = done->events[event - 1].flow_started;
    return true;
}

uint64_t e8_done_count(const struct e8_done_deliveries *done)
{
    return done->over_count;
}

e8_dur_ns e8_done_elapsed(const struct e8_done_deliveries *done)
{
    return done->elapsed;
}
