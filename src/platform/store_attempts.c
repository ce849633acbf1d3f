/* What was sent, and what has become of it. */
#include "platform/store_parts.h"

struct delivery {
    int64_t row;
    struct e8_kind kind;
    unsigned number, tries;
    e8_wall_ns due, asked; /* 0: none */
};

static bool find(struct e8_side *side, int64_t row, struct delivery *out)
{
    static const char sql[] =
        "SELECT k.webhook, k.type, k.environment, k.test, k.state, k.class, d.number, d.tries, d.due, d.asked"
        " FROM delivery d JOIN kind k ON k.n = d.kind WHERE d.row = ?1";
    sqlite3_stmt *found = E8_ASK(side, sql, e8_int(row));

    if (!e8_side_next(side, found))
        return false;
    *out = (struct delivery){
        .row = row,
        .kind = e8_kind_read(found, 0),
        .number = (unsigned)sqlite3_column_int64(found, 6),
        .tries = (unsigned)sqlite3_column_int64(found, 7),
        .due = sqlite3_column_int64(found, 8),
        .asked = sqlite3_column_int64(found, 9),
    };
    e8_side_done(found);
    return true;
}

/* A run's attempt: copies come whatever has become of the delivery itself. What somebody has asked for again is
 * the queue's. */
static int state_after_run(const struct delivery *before, const struct e8_store_attempt *a)
{
    bool open = before->kind.state == E8_STATE_PENDING || before->kind.state == E8_STATE_RETRYING;

    if (before->asked || before->due || before->kind.state == E8_STATE_DELIVERED)
        return before->kind.state;
    if (a->copy && open && a->state != E8_STATE_DELIVERED)
        return E8_STATE_RETRYING;
    return a->state == E8_STATE_PENDING ? E8_STATE_RETRYING : (int)a->state;
}

/* What the attempt makes of the delivery. Where somebody has asked for it again since, or its endpoint was deleted, that stays. */
static struct delivery after(const struct delivery *before, const struct e8_store_attempt *a)
{
    struct delivery now = *before;

    now.number = a->number > before->number ? a->number : before->number;
    now.kind.class = e8_kind_class(a->status);
    if (a->of_run) {
        now.kind.state = state_after_run(before, a);
        return now;
    }
    if (before->asked > a->due)
        return now;
    if (before->kind.state == E8_STATE_CANCELLED && a->state != E8_STATE_DELIVERED) {
        now.due = 0; /* nothing is owed any more */
        return now;
    }
    now.asked = 0;
    now.tries = a->more && a->tries > 0 ? a->tries - 1 : a->tries;
    now.kind.state = a->state == E8_STATE_PENDING ? E8_STATE_RETRYING : (int)a->state;
    now.due = a->state == E8_STATE_PENDING ? a->next : 0;
    return now;
}

static void put_delivery(struct e8_side *side, const struct delivery *before, const struct delivery *now,
                         const struct e8_store_attempt *a, int64_t outcome)
{
    /* What was cancelled keeps its reason. */
    static const char sql[] = "UPDATE delivery SET kind = ?2, due = ?3, asked = ?4, number = ?5, tries = ?6,"
                              " status = ?7, outcome = ?8, error = CASE WHEN ?12 THEN error ELSE ?9 END,"
                              " response = ?10, updated = ?11 WHERE row = ?1";
    bool stays = before->kind.state == E8_STATE_CANCELLED && now->kind.state == E8_STATE_CANCELLED;

    e8_kind_leave(side, &before->kind);
    int64_t kind = e8_kind_enter(side, &now->kind, now->row);
    E8_RUN(side, sql, e8_int(now->row), e8_int(kind), e8_int_or_null(now->due), e8_int_or_null(now->asked),
           e8_int(now->number), e8_int(now->tries), e8_int_or_null(a->status), e8_int(outcome),
           e8_text(a->error && a->error[0] ? a->error : NULL), e8_int(a->done - a->due), e8_int(a->done),
           e8_int(stays));
}

static struct e8_value phase(e8_dur_ns time)
{
    return time < 0 ? e8_text(NULL) : e8_int(time);
}

static struct e8_value bounded(struct e8_str bytes)
{
    if (bytes.n > E8_STORE_BODY_MAX)
        bytes.n = E8_STORE_BODY_MAX;
    return e8_blob(bytes);
}

static void put_attempt(struct e8_side *side, const struct e8_store_attempt *a, int64_t outcome)
{
    static const char sql[] = "INSERT OR REPLACE INTO attempt VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                              " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
    const struct e8_store_change *change = &a->change;

    E8_RUN(side, sql, e8_int(e8_attempt_row(a->row, a->number)),
           e8_int(e8_word(side, e8_trigger_name(a->trigger))), e8_int(outcome), e8_int_or_null(a->status),
           e8_int(a->due), e8_int(a->sent - a->due), e8_int(a->done - a->due), phase(a->phases.dns),
           phase(a->phases.connect), phase(a->phases.tls), phase(a->phases.first_byte),
           phase(a->phases.total), e8_text(a->error && a->error[0] ? a->error : NULL),
           e8_int((int64_t)a->body_length), bounded(a->request), bounded(a->response), bounded(a->body),
           e8_text(change->how), change->how ? e8_int(change->forged) : e8_text(NULL),
           change->has_body ? bounded(change->body) : e8_text(NULL),
           change->has_body ? e8_int((int64_t)change->length) : e8_text(NULL), e8_int_or_null(a->signed_by));
}

/* What is the generator's fault, or is sent again at once, says nothing of the endpoint. */
static void note_health(struct e8_side *side, int64_t webhook, const struct e8_store_attempt *a)
{
    static const char well[] =
        "UPDATE webhook SET failing_since = 0 WHERE n = ?1 AND failing_since <> 0 AND NOT deleted";
    static const char ill[] =
        "UPDATE webhook SET failing_since = ?2 WHERE n = ?1 AND failing_since = 0 AND NOT deleted";

    if (a->outcome == E8_DELIVERED)
        E8_RUN(side, well, e8_int(webhook));
    else if (!a->more && !e8_outcome_info(a->outcome)->generator)
        E8_RUN(side, ill, e8_int(webhook), e8_int(a->done));
}

/* Not by the receiver's time: connecting is a part of the exchange. */
static bool is_late(const struct e8_store_attempt *a)
{
    e8_dur_ns response = a->done - a->due;
    e8_dur_ns waited = response - (a->phases.total < 0 ? a->done - a->sent : a->phases.total);

    return waited >= E8_STORE_LATE && 2 * waited >= response;
}

void e8_attempt_put(struct e8_side *side, struct e8_sums *sums, const struct e8_store_attempt *attempt)
{
    int64_t outcome = e8_word(side, e8_outcome_info(attempt->outcome)->name);
    struct e8_store_attempt numbered = *attempt, *a = &numbered;
    struct delivery before;

    if (!find(side, a->row, &before))
        return;
    if (a->of_run)
        a->number = before.number + 1;
    E8_ASSERT(a->number > 0 && a->number < 1U << E8_ATTEMPT_BITS && a->due <= a->sent && a->sent <= a->done);
    struct delivery now = after(&before, a);
    put_delivery(side, &before, &now, a, outcome);
    put_attempt(side, a, outcome);
    if (!a->of_run)
        note_health(side, before.kind.webhook, a);
    const struct e8_counted counted = {
        .webhook = before.kind.webhook,
        .type = before.kind.type,
        .status = a->status,
        .outcome = outcome,
        .done = a->done,
        .response = a->done - a->due,
        .delivered = a->outcome == E8_DELIVERED,
        .late = is_late(a),
    };
    e8_sums_add(sums, &counted);
}

enum e8_rc e8_store_attempts(struct e8_store *store, const struct e8_store_attempt *list, size_t count,
                             struct e8_err *err)
{
    struct e8_sums *sums = e8_sums_new();

    e8_side_begin(&store->writer, E8_WRITE);
    for (size_t i = 0; i < count; i++)
        e8_attempt_put(&store->writer, sums, &list[i]);
    e8_sums_write(sums, &store->writer);
    e8_sums_free(&sums);
    return e8_side_end(&store->writer, E8_OK, err);
}
