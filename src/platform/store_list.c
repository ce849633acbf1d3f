#include "platform/store_parts.h"

enum { BUDGET_MS = 40 };

struct page {
    struct e8_side *side;
    const struct e8_store_filter *filter;
    e8_store_row_fn *fn;
    void *state;
    size_t given;
    int64_t last; /* the row that was given last */
};

static bool takes(const struct e8_store_filter *filter, const struct e8_store_row *row)
{
    return row->created >= filter->since && (filter->until == 0 || row->created < filter->until) &&
           (filter->code == 0 || filter->code == row->status);
}

/* False: there is no room for it any more. */
static bool offer(struct page *page, int64_t n)
{
    static const char sql[] = "SELECT " E8_ROW_COLUMNS E8_ROW_TABLES "WHERE d.row = ?1";
    sqlite3_stmt *found = E8_ASK(page->side, sql, e8_int(n));
    struct e8_store_row row;
    bool fits = true;

    if (!e8_side_next(page->side, found))
        return true;
    e8_row_read(found, &row);
    if (takes(page->filter, &row)) {
        fits = page->given < page->filter->limit;
        if (fits) {
            page->fn(page->state, &row);
            page->given++;
            page->last = n;
        }
    }
    e8_side_done(found);
    return fits;
}

enum e8_rc e8_store_list(struct e8_store *store, const struct e8_store_filter *filter, e8_dur_ns budget,
                         e8_store_row_fn *fn, void *state, bool *more, int64_t *scanned, struct e8_err *err)
{
    struct page page = {.side = &store->reader, .filter = filter, .fn = fn, .state = state};
    e8_mono_ns end = e8_mono_now() + (budget > 0 ? budget : BUDGET_MS * E8_NS_MS);
    enum e8_picked picked;
    int64_t row = 0;

    E8_ASSERT(filter->limit > 0);
    *more = false;
    e8_side_begin(page.side, E8_READ);
    struct e8_pick *pick = e8_pick_new(page.side, filter);
    while ((picked = e8_pick_next(pick, end, &row)) == E8_PICKED && !*more)
        *more = !offer(&page, row);
    e8_pick_free(&pick);
    *scanned = *more ? page.last : picked == E8_PICKED_LATE ? row : 0;
    *more = *scanned != 0;
    return e8_side_end(page.side, E8_OK, err);
}
