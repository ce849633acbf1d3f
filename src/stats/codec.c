/* Statistics as JSON. Counts are one array in the order of struct e8_counts: who reads them is of the same version. */
#include <string.h>

#include "stats/open.h"

#define COUNTS    (sizeof(struct e8_counts) / sizeof(uint64_t))
#define TIMES     (sizeof(struct e8_span) / sizeof(e8_mono_ns))
#define COUNT_MAX ((int64_t)1 << 44) /* as of a histogram */
#define TEXT_MAX  ((size_t)1 << 20)

_Static_assert(sizeof(struct e8_span) % sizeof(e8_mono_ns) == 0, "times are written as one array");

/* ---- writing ---- */

static void put_counts(struct e8_json *w, const struct e8_counts *n)
{
    uint64_t counts[COUNTS];

    memcpy(counts, n, sizeof(counts));
    e8_json_array(w, "n");
    for (size_t i = 0; i < COUNTS; i++)
        e8_json_int(w, NULL, (int64_t)counts[i]);
    e8_json_end(w, ']');
}

static void put_span(struct e8_json *w, const struct e8_tally *tally, e8_dur_ns shift)
{
    const struct e8_span *span = &tally->span;
    bool sent = tally->n.sent > 0;

    if (tally->n.attempts == 0)
        return;
    e8_json_array(w, "span");
    e8_json_int(w, NULL, span->first_due + shift);
    e8_json_int(w, NULL, span->last_due + shift);
    e8_json_int(w, NULL, sent ? span->first_sent + shift : 0);
    e8_json_int(w, NULL, sent ? span->last_sent + shift : 0);
    e8_json_int(w, NULL, span->last_done + shift);
    e8_json_end(w, ']');
}

static void put_hist(struct e8_json *w, const char *key, const struct e8_hist *hist)
{
    struct e8_buf text;

    if (!hist || e8_hist_count(hist) == 0)
        return;
    e8_buf_init(&text, TEXT_MAX);
    e8_json_object(w, key);
    e8_hist_encode(hist, &text);
    e8_json_str(w, "hdr", e8_buf_str(&text));
    e8_buf_reset(&text);
    e8_hist_exact_put(hist, &text);
    e8_json_str(w, "exact", e8_buf_str(&text));
    e8_json_end(w, '}');
    e8_buf_fini(&text);
}

static void put_tally(struct e8_json *w, const char *key, const struct e8_tally *tally, e8_dur_ns shift)
{
    e8_json_object(w, key);
    put_counts(w, &tally->n);
    put_span(w, tally, shift);
    put_hist(w, "response", tally->response);
    put_hist(w, "service", tally->service);
    put_hist(w, "lag", tally->lag);
    e8_json_end(w, '}');
}

static void put_statuses(struct e8_json *w, const struct e8_stats *stats)
{
    const uint64_t *statuses = e8_stats_statuses(stats);

    e8_json_array(w, "statuses");
    for (int status = 0; status < E8_STATUSES; status++) {
        if (statuses[status] == 0)
            continue;
        e8_json_array(w, NULL);
        e8_json_int(w, NULL, status);
        e8_json_int(w, NULL, (int64_t)statuses[status]);
        e8_json_end(w, ']');
    }
    e8_json_end(w, ']');
}

static void put_sample(struct e8_json *w, const struct e8_stats *stats, unsigned endpoint,
                       enum e8_outcome outcome, e8_dur_ns shift)
{
    const char *text = e8_stats_sample(stats, endpoint, outcome);

    if (!text[0])
        return;
    e8_json_array(w, NULL);
    e8_json_int(w, NULL, endpoint);
    e8_json_cstr(w, NULL, e8_outcome_info(outcome)->name);
    e8_json_int(w, NULL, e8_stats_sample_time(stats, endpoint, outcome) + shift);
    e8_json_cstr(w, NULL, text);
    e8_json_end(w, ']');
}

static void put_pacing(struct e8_json *w, const struct e8_pacing *pacing, e8_dur_ns shift)
{
    if (pacing->count == 0)
        return;
    e8_json_array(w, "pacing");
    e8_json_int(w, NULL, (int64_t)pacing->count);
    e8_json_int(w, NULL, pacing->first_due + shift);
    e8_json_int(w, NULL, pacing->last_due + shift);
    e8_json_int(w, NULL, pacing->last_begun + shift);
    e8_json_end(w, ']');
}

/* In whole widths. */
static int64_t nearest(e8_dur_ns shift, e8_dur_ns width)
{
    e8_dur_ns rest = shift % width < 0 ? shift % width + width : shift % width;

    return (shift - rest) / width + (rest >= width / 2);
}

/* Slices begin at multiples of their width: they move by whole ones. */
static void put_series(struct e8_json *w, const struct e8_series *series, e8_dur_ns shift)
{
    if (series->count == 0)
        return;
    e8_json_object(w, "series");
    e8_json_int(w, "width", series->width);
    e8_json_int(w, "first", series->first + nearest(shift, series->width));
    e8_json_array(w, "slices");
    for (size_t i = 0; i < series->count; i++) {
        const struct e8_slice *slice = &series->slices[i];
        e8_json_array(w, NULL);
        e8_json_int(w, NULL, (int64_t)slice->begun);
        e8_json_int(w, NULL, (int64_t)slice->ended);
        e8_json_int(w, NULL, (int64_t)slice->attempts);
        e8_json_int(w, NULL, (int64_t)slice->failed);
        e8_json_int(w, NULL, (int64_t)slice->tried);
        e8_json_end(w, ']');
    }
    e8_json_end(w, ']');
    e8_json_end(w, '}');
}

void e8_stats_put(const struct e8_stats *stats, e8_dur_ns shift, struct e8_json *w, const char *key)
{
    e8_json_object(w, key);
    put_tally(w, "all", e8_stats_all(stats), shift);
    e8_json_array(w, "endpoints");
    for (unsigned i = 0; i < e8_stats_endpoint_count(stats); i++)
        put_tally(w, NULL, e8_stats_endpoint(stats, i), shift);
    e8_json_end(w, ']');
    e8_json_array(w, "types");
    for (unsigned i = 0; i < e8_stats_type_count(stats); i++)
        put_tally(w, NULL, e8_stats_type(stats, i), shift);
    e8_json_end(w, ']');
    put_statuses(w, stats);
    put_pacing(w, e8_stats_pacing(stats), shift);
    put_series(w, e8_stats_series(stats), shift);
    e8_json_array(w, "samples");
    for (unsigned i = 0; i < e8_stats_endpoint_count(stats); i++)
        for (int outcome = 0; outcome < E8_OUTCOME_COUNT; outcome++)
            put_sample(w, stats, i, (enum e8_outcome)outcome, shift);
    e8_json_end(w, ']');
    e8_json_end(w, '}');
}

/* ---- reading ---- */

static bool get_int(const struct e8_node *node, int64_t low, int64_t high, int64_t *out)
{
    if (!node || node->kind != E8_INT || node->i < low || node->i > high)
        return false;
    *out = node->i;
    return true;
}

static bool get_ints(const struct e8_node *list, int64_t low, int64_t high, int64_t *out, size_t count)
{
    if (!list || list->kind != E8_SEQ || list->count != count)
        return false;
    for (const struct e8_node *node = list->first; node; node = node->next)
        if (!get_int(node, low, high, out++))
            return false;
    return true;
}

static bool get_hist(const struct e8_node *map, struct e8_hist **out)
{
    const struct e8_node *hdr = e8_node_get(map, "hdr"), *exact = e8_node_get(map, "exact");

    if (!map)
        return true;
    return hdr && hdr->kind == E8_STRING && exact && exact->kind == E8_STRING &&
           e8_hist_decode(hdr->text, out, NULL) == E8_OK &&
           e8_hist_exact_set(*out, exact->text, NULL) == E8_OK;
}

static bool get_tally(const struct e8_node *map, struct e8_tally *tally)
{
    int64_t counts[COUNTS], times[TIMES] = {0};
    const struct e8_node *span = e8_node_get(map, "span");

    if (!get_ints(e8_node_get(map, "n"), 0, COUNT_MAX, counts, COUNTS) ||
        (span && !get_ints(span, 0, INT64_MAX / 2, times, TIMES)))
        return false;
    memcpy(&tally->n, counts, sizeof(counts));
    memcpy(&tally->span, times, sizeof(times));
    return (tally->n.attempts > 0) == (span != NULL) &&
           get_hist(e8_node_get(map, "response"), &tally->response) &&
           get_hist(e8_node_get(map, "service"), &tally->service) &&
           get_hist(e8_node_get(map, "lag"), &tally->lag);
}

static bool get_tallies(const struct e8_node *list, struct e8_stats *stats, enum e8_stats_of of,
                        unsigned count)
{
    unsigned i = 0;

    if (!list || list->kind != E8_SEQ || list->count != count)
        return false;
    for (const struct e8_node *node = list->first; node; node = node->next)
        if (!get_tally(node, e8_stats_open(stats, of, i++)))
            return false;
    return true;
}

static bool get_statuses(const struct e8_node *list, uint64_t *statuses)
{
    int64_t pair[2];

    if (!list || list->kind != E8_SEQ)
        return false;
    for (const struct e8_node *node = list->first; node; node = node->next) {
        if (!get_ints(node, 0, COUNT_MAX, pair, 2) || pair[0] >= E8_STATUSES)
            return false;
        statuses[pair[0]] = (uint64_t)pair[1];
    }
    return true;
}

static bool get_sample(const struct e8_node *list, struct e8_stats *stats)
{
    char text[E8_ERROR_MAX] = "";
    int64_t endpoint, at;
    enum e8_outcome outcome;

    if (list->kind != E8_SEQ || list->count != 4)
        return false;
    const struct e8_node *name = list->first->next, *said = name->next->next;
    if (!get_int(list->first, 0, (int64_t)e8_stats_endpoint_count(stats) - 1, &endpoint) ||
        name->kind != E8_STRING || !e8_outcome_find(name->text, &outcome) ||
        !get_int(name->next, 0, INT64_MAX / 2, &at) || said->kind != E8_STRING)
        return false;
    memcpy(text, said->text.p, said->text.n < sizeof(text) ? said->text.n : sizeof(text) - 1);
    e8_stats_sample_put(stats, (unsigned)endpoint, outcome, at, text);
    return true;
}

static bool get_samples(const struct e8_node *list, struct e8_stats *stats)
{
    if (!list || list->kind != E8_SEQ)
        return false;
    for (const struct e8_node *node = list->first; node; node = node->next)
        if (!get_sample(node, stats))
            return false;
    return true;
}

static bool get_pacing(const struct e8_node *list, struct e8_pacing *out)
{
    int64_t values[4];

    if (!list)
        return true;
    if (!get_ints(list, 0, INT64_MAX / 2, values, E8_COUNT(values)) || values[0] == 0 ||
        values[0] > COUNT_MAX)
        return false;
    *out = (struct e8_pacing){(uint64_t)values[0], values[1], values[2], values[3]};
    return true;
}

static bool get_slice(const struct e8_node *list, struct e8_slice *out)
{
    int64_t values[5];

    if (!get_ints(list, 0, COUNT_MAX, values, E8_COUNT(values)))
        return false;
    *out = (struct e8_slice){(uint64_t)values[0], (uint64_t)values[1], (uint64_t)values[2],
                             (uint64_t)values[3], (uint64_t)values[4]};
    return true;
}

static bool get_series(const struct e8_node *map, struct e8_series *out)
{
    const struct e8_node *slices = e8_node_get(map, "slices");

    if (!map)
        return true;
    if (!get_int(e8_node_get(map, "width"), E8_SLICE, INT64_MAX / 2, &out->width) ||
        !get_int(e8_node_get(map, "first"), 0, INT64_MAX / 2 / out->width, &out->first) || !slices ||
        slices->kind != E8_SEQ || slices->count == 0 || slices->count > E8_SLICES ||
        (out->width / E8_SLICE & (out->width / E8_SLICE - 1)) != 0 || out->width % E8_SLICE != 0)
        return false;
    for (const struct e8_node *node = slices->first; node; node = node->next)
        if (!get_slice(node, &out->slices[out->count++]))
            return false;
    return true;
}

enum e8_rc e8_stats_get(const struct e8_node *map, unsigned endpoints, unsigned types, struct e8_stats **out,
                        struct e8_err *err)
{
    struct e8_stats *stats = e8_stats_new(endpoints, types);
    bool good = get_tally(e8_node_get(map, "all"), e8_stats_open(stats, E8_STATS_ALL, 0)) &&
                get_tallies(e8_node_get(map, "endpoints"), stats, E8_STATS_ENDPOINT, endpoints) &&
                get_tallies(e8_node_get(map, "types"), stats, E8_STATS_TYPE, types) &&
                get_statuses(e8_node_get(map, "statuses"), e8_stats_open_statuses(stats)) &&
                get_pacing(e8_node_get(map, "pacing"), e8_stats_open_pacing(stats)) &&
                get_series(e8_node_get(map, "series"), e8_stats_open_series(stats)) &&
                get_samples(e8_node_get(map, "samples"), stats);

    if (!good)
        e8_stats_free(&stats);
    *out = stats;
    return good ? E8_OK : e8_fail(err, E8_INPUT, "use what emit8 wrote", "the statistics are damaged");
}
