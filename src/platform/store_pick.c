/* Which deliveries a filter takes, newest first. Where many are taken, one soon comes by among the newest of all; where few are,
 * those of each kind are found one by one through the index, and merged. Whichever it is, it is not known before: so some are looked
 * through, no more than the merge may cost, and then they are merged. A kind is not asked before it may be its turn. */
#include <stdlib.h>
#include <string.h>

#include "platform/store_parts.h"

enum { LOOK_THROUGH = 256, FOR_EACH_KIND = 2 };

struct source {
    int64_t row, kind;
    bool sure; /* there is such a row; else, at most such a one */
};
struct kind {
    int64_t n, newest;
};
struct e8_pick {
    struct e8_side *side;
    int64_t low, high;  /* rows in between, both not included */
    int64_t run;        /* its rows alone, all of which are looked through; 0: no matter */
    struct kind *kinds; /* ascending */
    size_t count, room;
    uint64_t left;       /* to be looked through */
    struct source *heap; /* the newest row of each kind that has one; NULL: not merged yet */
    size_t sources;
    bool merged_one;
};

/* ---- what the filter takes ---- */

static void add_kind(struct e8_pick *pick, struct kind kind)
{
    if (pick->count == pick->room) {
        pick->room = pick->room ? 2 * pick->room : 64;
        pick->kinds = e8_resize(pick->kinds, pick->room, sizeof *pick->kinds);
    }
    pick->kinds[pick->count++] = kind;
}

/* The number of a text that is filtered by; -1 where it stands nowhere, so that it takes nothing; 0: any. */
static int64_t number_of(struct e8_side *side, const char *text)
{
    int64_t word = text ? e8_word_find(side, text) : 0;

    return text && word == 0 ? -1 : word;
}

/* Of a status code (?8) also the kinds that an older version made, which have its class alone: their rows are looked at one by one. */
static void find_kinds(struct e8_pick *pick, const struct e8_store_filter *filter)
{
    static const char sql[] =
        "SELECT n, newest FROM kind WHERE deliveries > 0 AND ?1 IN (0, webhook) AND ?2 IN (0, type)"
        " AND ?3 IN (0, environment) AND ?4 IN (-1, test) AND ?5 IN (-1, iif(state = ?6, 0, state))"
        " AND ?7 IN (0, class, min(class / 100, 5)) AND (?8 IN (0, class) OR class = max(1, min(?8 / 100, "
        "5)))"
        " AND (?9 IS NULL OR type IN (SELECT w.n FROM word w WHERE w.text GLOB ?9)) ORDER BY n";
    const char *pattern = filter->type && strchr(filter->type, '*') ? filter->type : NULL;
    struct e8_side *side = pick->side;
    sqlite3_stmt *row;

    row = E8_ASK(side, sql, e8_int(e8_webhook_number(side, filter->webhook)),
                 e8_int(pattern ? 0 : number_of(side, filter->type)),
                 e8_int(number_of(side, filter->environment)), e8_int(filter->test), e8_int(filter->state),
                 e8_int(E8_STATE_RETRYING), e8_int(filter->status), e8_int(filter->code), e8_text(pattern));
    while (e8_side_next(side, row))
        add_kind(pick, (struct kind){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1)});
}

static void raise_low(struct e8_pick *pick, int64_t low)
{
    pick->low = low > pick->low ? low : pick->low;
}

static void lower_high(struct e8_pick *pick, int64_t high)
{
    pick->high = high < pick->high ? high : pick->high;
}

static void bound_by_event(struct e8_pick *pick, const char *event)
{
    static const char sql[] = "SELECT first, deliveries FROM event WHERE id = ?1";
    sqlite3_stmt *row = E8_ASK(pick->side, sql, e8_text(event));

    if (!e8_side_next(pick->side, row)) {
        lower_high(pick, 0);
        return;
    }
    raise_low(pick, sqlite3_column_int64(row, 0) - 1);
    lower_high(pick, sqlite3_column_int64(row, 0) + sqlite3_column_int64(row, 1));
    e8_side_done(row);
}

static void bound_by_time(struct e8_pick *pick, e8_wall_ns since, e8_wall_ns until)
{
    static const char sql[] = "SELECT min(block), max(block) FROM span WHERE high >= ?1 AND low < ?2";
    sqlite3_stmt *row = E8_ASK(pick->side, sql, e8_int(since), e8_int(until ? until : E8_NEVER));

    if (!e8_side_next(pick->side, row))
        return;
    if (sqlite3_column_type(row, 0) == SQLITE_NULL)
        lower_high(pick, 0);
    raise_low(pick, (sqlite3_column_int64(row, 0) << E8_SPAN_BITS) - 1);
    lower_high(pick, (sqlite3_column_int64(row, 1) + 1) << E8_SPAN_BITS);
    e8_side_done(row);
}

static void bound_by_run(struct e8_pick *pick, const char *run)
{
    static const char sql[] = "SELECT n FROM run WHERE id = ?1";

    pick->run = E8_INT(pick->side, 0, sql, e8_text(run));
    pick->left = UINT64_MAX;
    if (pick->run == 0)
        lower_high(pick, 0);
}

struct e8_pick *e8_pick_new(struct e8_side *side, const struct e8_store_filter *filter)
{
    struct e8_pick *pick = e8_new(1, sizeof *pick);

    pick->side = side;
    pick->low = filter->after;
    pick->high = filter->before > 0 ? filter->before : INT64_MAX;
    find_kinds(pick, filter);
    if (filter->event)
        bound_by_event(pick, filter->event);
    if (filter->since || filter->until)
        bound_by_time(pick, filter->since, filter->until);
    pick->left = LOOK_THROUGH + FOR_EACH_KIND * pick->count;
    if (filter->run)
        bound_by_run(pick, filter->run);
    return pick;
}

void e8_pick_free(struct e8_pick **pick)
{
    free((*pick)->kinds);
    free((*pick)->heap);
    free(*pick);
    *pick = NULL;
}

/* ---- looking through ---- */

static int compare(const void *a, const void *b)
{
    int64_t left = ((const struct kind *)a)->n, right = ((const struct kind *)b)->n;

    return (left > right) - (left < right);
}

static bool takes(const struct e8_pick *pick, int64_t kind)
{
    return bsearch(&(struct kind){.n = kind}, pick->kinds, pick->count, sizeof *pick->kinds, compare) != NULL;
}

static enum e8_picked look_through(struct e8_pick *pick, e8_mono_ns end, int64_t *out)
{
    static const char all[] = "SELECT row, kind FROM delivery WHERE row > ?1 AND row < ?2 ORDER BY row DESC";
    static const char some[] = "SELECT row, kind FROM delivery INDEXED BY delivery_run"
                               " WHERE run = ?3 AND row > ?1 AND row < ?2 ORDER BY row DESC";
    sqlite3_stmt *row =
        pick->run ? E8_ASK(pick->side, some, e8_int(pick->low), e8_int(pick->high), e8_int(pick->run))
                  : E8_ASK(pick->side, all, e8_int(pick->low), e8_int(pick->high));
    enum e8_picked picked = E8_PICKED_ALL;

    while (e8_side_next(pick->side, row)) {
        *out = pick->high = sqlite3_column_int64(row, 0);
        pick->left--;
        if (takes(pick, sqlite3_column_int64(row, 1)))
            picked = E8_PICKED;
        else if (end != E8_NEVER && e8_mono_now() >= end)
            picked = E8_PICKED_LATE;
        else if (pick->left > 0)
            continue;
        break;
    }
    e8_side_done(row);
    return picked;
}

/* ---- merging ---- */

static void sift_down(struct e8_pick *pick, size_t at)
{
    struct source *heap = pick->heap, moved = heap[at];

    for (size_t child; (child = 2 * at + 1) < pick->sources; at = child) {
        if (child + 1 < pick->sources && heap[child + 1].row > heap[child].row)
            child++;
        if (heap[child].row <= moved.row)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void begin_merge(struct e8_pick *pick)
{
    pick->heap = e8_new(pick->count + 1, sizeof *pick->heap);
    for (size_t i = 0; i < pick->count; i++) {
        const struct kind *kind = &pick->kinds[i];
        if (kind->newest > pick->low)
            pick->heap[pick->sources++] = (struct source){
                .row = kind->newest < pick->high ? kind->newest : pick->high - 1, .kind = kind->n};
    }
    for (size_t at = pick->sources / 2; at-- > 0;)
        sift_down(pick, at);
}

/* The first source goes on to its newest row before `high`, or away. */
static void advance(struct e8_pick *pick)
{
    static const char sql[] =
        "SELECT max(row) FROM delivery INDEXED BY delivery_kind WHERE kind = ?1 AND row > ?2 AND row < ?3";
    struct source *first = &pick->heap[0];

    first->row = E8_INT(pick->side, 0, sql, e8_int(first->kind), e8_int(pick->low), e8_int(pick->high));
    first->sure = true;
    if (first->row == 0)
        *first = pick->heap[--pick->sources];
    sift_down(pick, 0);
}

/* Gives one at least, so that it goes on however little time there is. */
static enum e8_picked merge(struct e8_pick *pick, e8_mono_ns end, int64_t *out)
{
    if (!pick->heap)
        begin_merge(pick);
    while (pick->sources > 0 && !pick->heap[0].sure) {
        if (pick->merged_one && end != E8_NEVER && e8_mono_now() >= end)
            return E8_PICKED_LATE;
        advance(pick);
    }
    if (pick->sources == 0)
        return E8_PICKED_ALL;
    if (pick->merged_one && end != E8_NEVER && e8_mono_now() >= end)
        return E8_PICKED_LATE;
    pick->merged_one = true;
    *out = pick->high = pick->heap[0].row;
    pick->heap[0].sure = false; /* it has been given: the next one is asked for at its turn */
    return E8_PICKED;
}

enum e8_picked e8_pick_next(struct e8_pick *pick, e8_mono_ns end, int64_t *row)
{
    enum e8_picked picked = E8_PICKED_ALL;

    if (pick->count == 0 || pick->high <= pick->low)
        return E8_PICKED_ALL;
    if (!pick->heap && pick->left > 0) {
        picked = look_through(pick, end, row);
        if (picked != E8_PICKED_ALL || pick->left > 0)
            return picked;
    }
    *row = pick->high;
    return merge(pick, end, row);
}
