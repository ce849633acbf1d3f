#include "prometheus/prometheus.h"
#include "report/report.h"

/* As exact as the histogram's slots. */
static struct e8_prom_histogram histogram_of(const struct e8_hist *hist)
{
    struct e8_prom_histogram out = {0};
    if (!hist) {
        return out;
    }
    for (size_t i = 0; i < E8_PROM_BOUNDS; i++) {
        out.upto[i] = e8_hist_count_upto(hist, e8_prom_bounds[i]);
    }
    out.count = e8_hist_count(hist);
    out.seconds = e8_hist_mean(hist) * (double)out.count / (double)E8_NS_S;
    return out;
}

static void put_outcomes(const char *name, const char *what, const char *which, const struct e8_tally *tally,
                         struct e8_buf *out)
{
    for (int i = 0; i < E8_OUTCOME_COUNT; i++) {
        const struct e8_label labels[] = {{what, which},
                                          {"outcome", e8_outcome_info((enum e8_outcome)i)->name}};
        if (tally->n.outcomes[i]) {
            e8_prom_count(out, name, labels, E8_COUNT(labels), tally->n.outcomes[i]);
        }
    }
}

static void put_response(const char *name, const char *what, const char *which, const struct e8_tally *tally,
                         struct e8_buf *out)
{
    const struct e8_label label = {what, which};
    const struct e8_prom_histogram histogram = histogram_of(tally->response);
    e8_prom_histogram(out, name, &label, 1, &histogram);
}

static void put_endpoints(const struct e8_log_run *run, const struct e8_stats *stats, struct e8_buf *out)
{
    e8_prom_family(out, "emit8_run_attempts_total", "counter", "Attempts, by endpoint and outcome.");
    for (unsigned i = 0; i < run->endpoint_count; i++) {
        put_outcomes("emit8_run_attempts_total", "endpoint", run->endpoints[i].name,
                     e8_stats_endpoint(stats, i), out);
    }
    e8_prom_family(out, "emit8_run_response_seconds", "histogram",
                   "From when an attempt was due until it was done, by endpoint.");
    for (unsigned i = 0; i < run->endpoint_count; i++) {
        put_response("emit8_run_response_seconds", "endpoint", run->endpoints[i].name,
                     e8_stats_endpoint(stats, i), out);
    }
}

static void put_types(const struct e8_log_run *run, const struct e8_stats *stats, struct e8_buf *out)
{
    e8_prom_family(out, "emit8_run_type_attempts_total", "counter", "Attempts, by event type and outcome.");
    for (unsigned i = 0; i < run->type_count; i++) {
        put_outcomes("emit8_run_type_attempts_total", "type", run->types[i], e8_stats_type(stats, i), out);
    }
    e8_prom_family(out, "emit8_run_type_response_seconds", "histogram",
                   "From when an attempt was due until it was done, by event type.");
    for (unsigned i = 0; i < run->type_count; i++) {
        if (e8_stats_type(stats, i)->n.attempts) {
            put_response("emit8_run_type_response_seconds", "type", run->types[i], e8_stats_type(stats, i),
                         out);
        }
    }
}

static void put_deliveries(const struct e8_counts *n, struct e8_buf *out)
{
    const struct {
        const char *state;
        uint64_t count;
    } rows[] = {{"delivered", n->delivered},
                {"failed", n->failed},
                {"dropped", n->dropped},
                {"aborted", n->aborted},
                {"withheld", n->withheld}};
    e8_prom_family(out, "emit8_run_events_total", "counter", "Events.");
    e8_prom_count(out, "emit8_run_events_total", NULL, 0, n->events);
    e8_prom_family(out, "emit8_run_deliveries_planned_total", "counter",
                   "Deliveries that the run has come to.");
    e8_prom_count(out, "emit8_run_deliveries_planned_total", NULL, 0, n->planned);
    e8_prom_family(out, "emit8_run_deliveries_total", "counter", "Deliveries that have ended, by how.");
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        const struct e8_label label = {"state", rows[i].state};
        e8_prom_count(out, "emit8_run_deliveries_total", &label, 1, rows[i].count);
    }
}

static void put_all(const struct e8_tally *all, struct e8_buf *out)
{
    const struct e8_prom_histogram service = histogram_of(all->service), lag = histogram_of(all->lag);
    e8_prom_family(out, "emit8_run_sent_bytes_total", "counter", "Bytes of requests.");
    e8_prom_count(out, "emit8_run_sent_bytes_total", NULL, 0, all->n.bytes_sent);
    e8_prom_family(out, "emit8_run_received_bytes_total", "counter", "Bytes of responses.");
    e8_prom_count(out, "emit8_run_received_bytes_total", NULL, 0, all->n.bytes_received);
    e8_prom_family(out, "emit8_run_service_seconds", "histogram",
                   "From an attempt's first byte until it was done.");
    e8_prom_histogram(out, "emit8_run_service_seconds", NULL, 0, &service);
    e8_prom_family(out, "emit8_run_send_lag_seconds", "histogram",
                   "From when an attempt was due until its first byte: how late the generator was.");
    e8_prom_histogram(out, "emit8_run_send_lag_seconds", NULL, 0, &lag);
}

void e8_report_metrics(const struct e8_log_run *run, const struct e8_stats *stats, struct e8_buf *out)
{
    const struct e8_label build[] = {{"version", run->version}, {"curl_version", run->curl_version}};
    put_deliveries(&e8_stats_all(stats)->n, out);
    put_endpoints(run, stats, out);
    put_types(run, stats, out);
    put_all(e8_stats_all(stats), out);
    e8_prom_family(out, "emit8_build_info", "gauge", "Always 1; its labels say what runs.");
    e8_prom_count(out, "emit8_build_info", build, E8_COUNT(build), 1);
}
