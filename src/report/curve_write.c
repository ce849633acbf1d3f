/* The curve as text, JSON and CSV. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "report/curve.h"
#include "report/parts.h"

#define CURVE_MAX      ((size_t)4 << 20)
#define SCHEMA_VERSION 1

static const struct {
    const char *word, *key;
    enum e8_ink ink;
} verdicts[] = {
    [E8_PASS] = {"PASS", "pass", E8_GREEN},
    [E8_FAIL] = {"FAIL", "fail", E8_RED},
    [E8_INVALID] = {"INVALID", "invalid", E8_YELLOW},
};
static const enum e8_ink inks[] = {
    [E8_SEARCH_HOLDS] = E8_GREEN, [E8_SEARCH_FAILS] = E8_RED, [E8_SEARCH_INVALID] = E8_YELLOW};

static int by_rate(const void *a, const void *b)
{
    const struct e8_curve_step *const *x = a, *const *y = b;
    if ((*x)->rate < (*y)->rate || (*x)->rate > (*y)->rate) {
        return (*x)->rate < (*y)->rate ? -1 : 1;
    }
    return *x < *y ? -1 : 1;
}

/* Pointers to the steps, the lowest rate first; the caller frees the array. */
static const struct e8_curve_step **sorted(const struct e8_curve *curve)
{
    const struct e8_curve_step **list = e8_new(curve->count + 1, sizeof *list);
    for (size_t i = 0; i < curve->count; i++) {
        list[i] = &curve->steps[i];
    }
    qsort(list, curve->count, sizeof *list, by_rate);
    return list;
}

/* On a scale of powers of ten from a tenth of the least to the most. */
static double bar_share(const struct e8_curve *curve, const struct e8_curve_step *step)
{
    e8_dur_ns least = E8_NEVER, most = 0;
    for (size_t i = 0; i < curve->count; i++) {
        e8_dur_ns p99 = curve->steps[i].p99;
        least = p99 > 0 && p99 < least ? p99 : least;
        most = p99 > most ? p99 : most;
    }
    if (step->p99 <= 0) {
        return 0;
    }
    return log10(10 * (double)step->p99 / (double)least) / log10(10 * (double)most / (double)least);
}

static void put_time(struct e8_table *table, e8_dur_ns time, const struct e8_curve_step *step)
{
    char text[E8_DUR_MAX];
    e8_table_cell(table, E8_PLAIN, step->samples ? e8_dur_text(time, text) : "–");
}

/* Success is theirs: what emit8 itself gave up when it stopped says nothing of the receiver. */
static uint64_t ended_of(const struct e8_curve_step *step)
{
    return step->delivered + step->failed + step->dropped + step->withheld;
}

static void put_row(struct e8_table *table, const struct e8_curve *curve, const struct e8_curve_step *step)
{
    char text[E8_NUMBER_MAX], words[48];
    bool confirmed = step->stage == E8_SEARCH_CONFIRM && step->result == E8_SEARCH_HOLDS;
    const char *result = confirmed ? "confirmed" : e8_search_result_name(step->result);
    snprintf(words, sizeof(words), "%s%s", result, step->early ? ", stopped early" : "");
    e8_table_cell(table, E8_PLAIN, e8_rate_text(step->rate, text));
    e8_table_cell(table, inks[step->result], words);
    e8_table_cell(table, E8_PLAIN, e8_share_text(step->delivered, ended_of(step), text));
    put_time(table, step->p50, step);
    put_time(table, step->p95, step);
    put_time(table, step->p99, step);
    e8_table_bar(table, inks[step->result], bar_share(curve, step));
}

static void put_curve(const struct e8_curve *curve, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = "rate", .right = true},
                                               {.title = ""},
                                               {.title = "success", .right = true},
                                               {.title = "p50", .right = true, .drop = 2},
                                               {.title = "p95", .right = true, .drop = 1},
                                               {.title = "p99", .right = true},
                                               {.bar = true, .drop = 3}};
    const struct e8_curve_step **list = sorted(curve);
    struct e8_table table;
    e8_page_section(page, "Response time by rate", "bars: p99, logarithmic");
    e8_table_init(&table, columns, E8_COUNT(columns));
    for (size_t i = 0; i < curve->count; i++) {
        put_row(&table, curve, list[i]);
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
    free(list);
}

static void put_reasons(const struct e8_curve *curve, struct e8_page *page)
{
    const struct e8_curve_step **list = sorted(curve);
    bool any = false;
    for (size_t i = 0; i < curve->count; i++) {
        char rate[E8_NUMBER_MAX];
        if (list[i]->result == E8_SEARCH_HOLDS) {
            continue;
        }
        if (!any) {
            e8_page_section(page, "What did not hold", NULL);
        }
        any = true;
        e8_page_spaces(page, 2);
        e8_page_put(page, inks[list[i]->result], e8_str(e8_rate_text(list[i]->rate, rate)), 10, 'r');
        e8_page_spaces(page, 2);
        e8_page_wrap(page, e8_str(list[i]->why), 14, 14);
    }
    free(list);
}

static void put_warning(const struct e8_curve *curve, struct e8_page *page)
{
    if (curve->warning[0]) {
        e8_page_section(page, "Warnings", NULL);
        e8_page_spaces(page, 2);
        e8_page_put(page, E8_YELLOW, E8_LIT("!"), 1, 0);
        e8_page_spaces(page, 2);
        e8_page_wrap(page, e8_str(curve->warning), 5, 5);
    }
}

static void put_head(const struct e8_curve *curve, struct e8_page *page)
{
    struct e8_arena *arena = e8_arena_new();
    char length[E8_DUR_MAX];
    const char **facts = e8_arena_alloc(arena, (curve->objective_count + 2) * sizeof *facts);
    facts[0] = curve->target;
    facts[1] = e8_arena_printf(arena, "%zu step%s of %s", curve->count, e8_plural(curve->count),
                               e8_dur_text(curve->length, length));
    for (size_t i = 0; i < curve->objective_count; i++) {
        facts[i + 2] = curve->objectives[i].text;
    }
    e8_page_put(page, E8_BOLD, E8_LIT("find-max"), 8, 0);
    e8_page_line(page);
    e8_page_facts(page, facts, curve->objective_count + 2, 2, E8_DIM);
    e8_arena_free(&arena);
}

static void put_verdict(const struct e8_curve *curve, struct e8_page *page)
{
    const char *word = verdicts[curve->verdict].word;
    e8_page_line(page);
    if (page->colour) {
        e8_buf_puts(page->out, "\033[1m");
    }
    e8_page_put(page, verdicts[curve->verdict].ink, e8_str(word), strlen(word), 0);
    e8_page_spaces(page, 2);
    e8_page_wrap(page, e8_str(curve->reason), strlen(word) + 2, strlen(word) + 2);
}

static void write_text(const struct e8_curve *curve, struct e8_style style, struct e8_buf *out)
{
    struct e8_page page = e8_page_new(out, style);
    put_head(curve, &page);
    if (curve->count) {
        put_curve(curve, &page);
        put_reasons(curve, &page);
        put_warning(curve, &page);
    }
    put_verdict(curve, &page);
}

static void put_ms(struct e8_json *w, const char *key, bool known, e8_dur_ns time)
{
    if (known) {
        e8_json_num(w, key, (double)time / (double)E8_NS_MS, 6);
    } else {
        e8_json_null(w, key);
    }
}

static void put_success(struct e8_json *w, const struct e8_curve_step *step)
{
    uint64_t ended = ended_of(step);
    if (ended > 0) {
        e8_json_num(w, "success", (double)step->delivered / (double)ended, 6);
    } else {
        e8_json_null(w, "success");
    }
}

static void put_known(struct e8_json *w, const char *key, double rate)
{
    if (rate > 0) {
        e8_json_num(w, key, rate, 6);
    } else {
        e8_json_null(w, key);
    }
}

static void put_step(struct e8_json *w, const struct e8_curve_step *step)
{
    bool known = step->samples > 0;
    e8_json_object(w, NULL);
    e8_json_cstr(w, "stage", e8_search_stage_name(step->stage));
    e8_json_num(w, "rate", step->rate, 6);
    e8_json_cstr(w, "result", e8_search_result_name(step->result));
    e8_json_cstr(w, "why", step->why[0] ? step->why : NULL);
    if (step->run > 0) {
        e8_json_int(w, "run", step->run);
    } else {
        e8_json_null(w, "run");
    }
    e8_json_int(w, "planned", (int64_t)step->planned);
    e8_json_int(w, "delivered", (int64_t)step->delivered);
    e8_json_int(w, "failed", (int64_t)step->failed);
    e8_json_int(w, "dropped", (int64_t)step->dropped);
    e8_json_int(w, "aborted", (int64_t)step->aborted);
    e8_json_int(w, "withheld", (int64_t)step->withheld);
    e8_json_bool(w, "stopped_early", step->early);
    put_success(w, step);
    e8_json_int(w, "samples", (int64_t)step->samples);
    put_ms(w, "p50_ms", known, step->p50);
    put_ms(w, "p95_ms", known, step->p95);
    put_ms(w, "p99_ms", known, step->p99);
    put_ms(w, "max_ms", known, step->most);
    put_ms(w, "service_p99_ms", known, step->service_p99);
    put_ms(w, "send_lag_p99_ms", known, step->lag_p99);
    e8_json_end(w, '}');
}

static const char *bound_name(enum e8_search_bound bound)
{
    static const char *const names[] = {NULL, "receiver", "invalid", "max"};
    return names[bound];
}

static void write_json(const struct e8_curve *curve, int indent, struct e8_buf *out)
{
    const struct e8_search *s = &curve->search;
    struct e8_json json = e8_json_new(out, indent), *w = &json;
    e8_json_object(w, NULL);
    e8_json_int(w, "schema_version", SCHEMA_VERSION);
    e8_json_cstr(w, "verdict", verdicts[curve->verdict].key);
    e8_json_cstr(w, "reason", curve->reason);
    e8_json_cstr(w, "warning", curve->warning[0] ? curve->warning : NULL);
    e8_json_cstr(w, "target", curve->target);
    put_known(w, "rate", s->confirmed ? s->holds : 0);
    e8_json_bool(w, "confirmed", s->confirmed);
    put_known(w, "holds", s->holds);
    put_known(w, "above", s->above);
    e8_json_cstr(w, "limited_by", bound_name(s->bound));
    e8_json_num(w, "precision", s->precision, 6);
    e8_json_num(w, "step_s", (double)curve->length / (double)E8_NS_S, 9);
    e8_json_bool(w, "interrupted", curve->interrupted);
    e8_json_array(w, "objectives");
    for (size_t i = 0; i < curve->objective_count; i++) {
        e8_json_cstr(w, NULL, curve->objectives[i].text);
    }
    e8_json_end(w, ']');
    e8_json_array(w, "steps");
    for (size_t i = 0; i < curve->count; i++) {
        put_step(w, &curve->steps[i]);
    }
    e8_json_end(w, ']');
    e8_json_end(w, '}');
    e8_buf_putc(out, '\n');
}

static void write_csv(const struct e8_curve *curve, struct e8_buf *out)
{
    const struct e8_curve_step **list = sorted(curve);
    e8_buf_puts(
        out, "rate,stage,result,planned,delivered,failed,dropped,aborted,withheld,stopped_early,success,p50_"
             "ms,p95_ms,p99_ms,max_ms,"
             "service_p99_ms,send_lag_p99_ms,run,why\n");
    for (size_t i = 0; i < curve->count; i++) {
        const struct e8_curve_step *step = list[i];
        const uint64_t counts[] = {step->planned, step->delivered, step->failed,
                                   step->dropped, step->aborted,   step->withheld};
        const e8_dur_ns times[] = {step->p50,  step->p95,         step->p99,
                                   step->most, step->service_p99, step->lag_p99};
        e8_csv_number(out, step->rate, 3);
        e8_buf_printf(out, ",%s,%s", e8_search_stage_name(step->stage), e8_search_result_name(step->result));
        for (size_t c = 0; c < E8_COUNT(counts); c++) {
            e8_buf_printf(out, ",%llu", (unsigned long long)counts[c]);
        }
        e8_buf_printf(out, ",%s,", step->early ? "true" : "false");
        if (ended_of(step)) {
            e8_csv_number(out, (double)step->delivered / (double)ended_of(step), 6);
        }
        for (size_t t = 0; t < E8_COUNT(times); t++) {
            e8_buf_putc(out, ',');
            if (step->samples) {
                e8_csv_number(out, (double)times[t] / (double)E8_NS_MS, 6);
            }
        }
        e8_buf_printf(out, step->run ? ",%lld," : ",,", (long long)step->run);
        e8_csv_text(out, step->why);
        e8_buf_putc(out, '\n');
    }
    free(list);
}

enum e8_rc e8_curve_write(const struct e8_curve *curve, enum e8_format format, struct e8_style style,
                          FILE *out)
{
    struct e8_buf buf;
    e8_buf_init(&buf, CURVE_MAX);
    if (format == E8_FORMAT_JSON || format == E8_FORMAT_NDJSON) {
        write_json(curve, format == E8_FORMAT_JSON ? 2 : 0, &buf);
    } else if (format == E8_FORMAT_CSV) {
        write_csv(curve, &buf);
    } else {
        write_text(curve, style, &buf);
    }
    bool whole = !buf.full;
    e8_buf_flush(&buf, out);
    e8_buf_fini(&buf);
    return whole && !ferror(out) ? E8_OK : E8_ENV;
}
