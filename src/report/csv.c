#include <string.h>

#include "report/parts.h"

/* "A formula" for the usual spreadsheets: OWASP, CSV Injection. */
static bool is_formula(const char *text)
{
    return text[0] && strchr("=+-@\t\r", text[0]) != NULL;
}

void e8_csv_text(struct e8_buf *out, const char *text)
{
    struct e8_buf clean;
    if (!text || !text[0])
        return;
    e8_buf_init(&clean, (size_t)1 << 20);
    if (is_formula(text))
        e8_buf_putc(&clean, '\'');
    e8_buf_put_clean(&clean, e8_str(text));
    bool quote = memchr(clean.p, ',', clean.n) || memchr(clean.p, '"', clean.n) || clean.p[0] == ' ' ||
                 clean.p[clean.n - 1] == ' ';
    if (quote)
        e8_buf_putc(out, '"');
    for (size_t i = 0; i < clean.n; i++) {
        if (clean.p[i] == '"')
            e8_buf_putc(out, '"');
        e8_buf_putc(out, clean.p[i]);
    }
    if (quote)
        e8_buf_putc(out, '"');
    e8_buf_fini(&clean);
}

void e8_csv_number(struct e8_buf *out, double value, int decimals)
{
    e8_buf_printf(out, "%.*f", decimals, value);
}

static void put_ms(struct e8_buf *out, const struct e8_hist *hist, double ns)
{
    e8_buf_putc(out, ',');
    if (hist && e8_hist_count(hist) > 0)
        e8_csv_number(out, ns / (double)E8_NS_MS, 6);
}

static void put_row(struct e8_buf *out, const char *scope, const char *name, const struct e8_totals *totals,
                    const struct e8_hist *hist, bool sized)
{
    const uint64_t counts[] = {totals->planned, totals->delivered, totals->failed, totals->attempts,
                               totals->retries};
    e8_buf_puts(out, scope);
    e8_buf_putc(out, ',');
    e8_csv_text(out, name);
    for (size_t i = 0; i < E8_COUNT(counts); i++) {
        e8_buf_putc(out, ',');
        e8_buf_putu(out, counts[i]);
    }
    for (size_t i = 0; i < E8_PERCENTILES; i++)
        put_ms(out, hist, hist ? (double)e8_hist_quantile(hist, e8_percentiles[i].q) : 0);
    put_ms(out, hist, hist ? (double)e8_hist_min(hist) : 0);
    put_ms(out, hist, hist ? e8_hist_mean(hist) : 0);
    put_ms(out, hist, hist ? (double)e8_hist_max(hist) : 0);
    e8_buf_putc(out, ',');
    e8_buf_putu(out, totals->dropped);
    const uint64_t more[] = {totals->aborted, totals->withheld, totals->expected, totals->unmet};
    for (size_t i = 0; i < E8_COUNT(more); i++) {
        e8_buf_putc(out, ',');
        e8_buf_putu(out, more[i]);
    }
    e8_buf_putc(out, ',');
    if (sized)
        e8_buf_putu(out, totals->not_begun);
    e8_buf_putc(out, ',');
    e8_buf_putu(out, totals->gone);
    e8_buf_putc(out, '\n');
}

void e8_report_csv(const struct e8_report *report, struct e8_buf *out)
{
    const struct e8_log_run *run = report->run;
    struct e8_totals totals = e8_totals_whole(report);
    bool whole = !e8_report_early(report);
    e8_buf_puts(out, "scope,name,planned,delivered,failed,attempts,retries");
    for (size_t i = 0; i < E8_PERCENTILES; i++)
        e8_buf_printf(out, ",%s_ms", e8_percentiles[i].key);
    e8_buf_puts(out, ",min_ms,mean_ms,max_ms,dropped,aborted,withheld,expected,unmet,not_begun,gone\n");
    put_row(out, "overall", run->name, &totals, e8_stats_all(report->stats)->response,
            e8_totals_sized(report));
    for (unsigned i = 0; i < run->endpoint_count; i++) {
        const struct e8_tally *tally = e8_stats_endpoint(report->stats, i);
        totals = e8_totals_of(tally);
        put_row(out, "endpoint", run->endpoints[i].name, &totals, tally->response, whole);
    }
    for (unsigned i = 0; i < run->type_count; i++) {
        const struct e8_tally *tally = e8_stats_type(report->stats, i);
        totals = e8_totals_of(tally);
        if (e8_totals_any(&totals))
            put_row(out, "type", run->types[i], &totals, tally->response, whole);
    }
}
