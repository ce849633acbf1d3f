#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"

const struct e8_option e8_sink_options[] = {
    {"listen", 'l', "ADDR:PORT", "where; default 127.0.0.1:0, a free port; or unix:PATH", E8_OPTION_ENV},
    {"secret-file", 0, "FILE", "verify with this secret; EMIT8_SECRET otherwise (repeatable)",
     E8_OPTION_ENV | E8_OPTION_REPEATS | E8_OPTION_READS},
    {"scheme", 0, "NAME", "signature scheme; default 8bit", E8_OPTION_ENV},
    {"tolerance", 0, "DUR", "of signed timestamps, or off; default: the scheme's", 0},
    {"reject", 0, NULL, "answer 401 to what does not verify, instead of only counting it", 0},
    {"status", 0, "MIX", "statuses in shares: 200:95,503:4,429:1", 0},
    {"latency", 0, "DIST",
     "20ms, 5ms..50ms (evenly), exp:MEAN, normal:MEAN,DEVIATION, lognormal:MEDIAN,FACTOR (two thirds lie "
     "between MEDIAN/FACTOR and MEDIAN*FACTOR; 1: all are the median), bimodal:MOST,REST,SHARE-OF-REST: "
     "exp:20ms, normal:20ms,5ms, lognormal:20ms,1.5, bimodal:5ms,500ms,2%",
     0},
    {"fail", 0, "MIX", "faults in shares: reset:1%,close:0.5%,hang:0.1%,truncate:1%", 0},
    {"retry-after", 0, "VALUE", "Retry-After header of 429 and 503 answers", 0},
    {"event-header", 0, "NAME", "header with the event type, where it is not X-8bit-Event", 0},
    {"delivery-header", 0, "NAME", "header with the delivery's id, where it is not X-8bit-Delivery", 0},
    {"attempt-header", 0, "NAME", "header with the attempt's number, where it is not X-8bit-Attempt", 0},
    {"receipts", 0, "FILE", "keep receipts in this SQLite file", E8_OPTION_READS},
    {"record", 0, "FILE", "record what arrives as a scenario, for emit8 run and emit8 replay",
     E8_OPTION_WRITES},
    {"force", 0, NULL, "record over a file that is there already", 0},
    {"seed", 0, "N", "of statuses, latencies and faults", E8_OPTION_ENV},
    {"number", 'n', "N", "stop after so many deliveries", 0},
    {"for", 0, "DUR", "stop after this time", 0},
    {"format", 0, "text|ndjson", "of the lines", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct receiver {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_doc *scheme_doc;
    struct e8_cli_secrets secrets;
    struct e8_sink_options options;
    uint64_t number;
    e8_dur_ns length;
};

static enum e8_rc read_mixes(struct receiver *r, struct e8_err *err)
{
    const char *status = e8_arg(r->args, "status"), *latency = e8_arg(r->args, "latency");
    const char *fail = e8_arg(r->args, "fail");
    struct e8_err fault = {0};
    enum e8_rc rc = status ? e8_status_mix_parse(e8_str(status), &r->options.status, err) : E8_OK;
    if (!rc && latency && e8_spread_parse(e8_str(latency), &r->options.latency, &fault)) {
        rc = e8_fail_of(err, "--latency", &fault);
    }
    return rc || !fail ? rc : e8_fault_mix_parse(e8_str(fail), &r->options.fault, err);
}

static enum e8_rc read_options(struct receiver *r, struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_sink_options *o = &r->options;
    enum e8_format format;
    bool given;
    enum e8_rc rc = e8_cli_scheme(r->args, r->catalog, r->arena, &r->scheme_doc, &o->scheme, errs);
    if (rc) {
        return rc;
    }
    rc = e8_cli_secrets(r->args, &r->secrets, &err);
    rc = rc ? rc : read_mixes(r, &err);
    rc = rc ? rc : e8_cli_seed(r->args, &given, &o->seed, &err);
    rc = rc ? rc : e8_cli_format(r->args, E8_FORMAT_TEXT, &format, &err);
    o->tolerance = o->scheme->tolerance;
    const char *tolerance = e8_arg(r->args, "tolerance");
    if (tolerance && strcmp(tolerance, "off") == 0) {
        o->tolerance = -1;
    } else {
        rc = rc ? rc : e8_arg_dur(r->args, "tolerance", &o->tolerance, &err);
    }
    rc = rc ? rc : e8_arg_u64(r->args, "number", 1, UINT64_MAX, &r->number, &err);
    rc = rc ? rc : e8_arg_dur(r->args, "for", &r->length, &err);
    if (!rc && e8_arg_set(r->args, "for") && r->length == 0) {
        rc = e8_fail(&err, E8_INPUT, "--for 30s", "a time of 0 ends at once");
    }
    const char *after = e8_arg(r->args, "retry-after");
    if (!rc && after && !e8_header_value_valid(e8_str(after))) {
        rc = e8_fail(&err, E8_INPUT, "seconds or an HTTP-date", "--retry-after holds a control character");
    }
    o->listen = e8_arg(r->args, "listen");
    o->secrets = (const char *const *)r->secrets.list;
    o->secret_count = r->secrets.count;
    o->event_header = e8_arg(r->args, "event-header");
    o->delivery_header = e8_arg(r->args, "delivery-header");
    o->attempt_header = e8_arg(r->args, "attempt-header");
    o->reject = e8_arg_set(r->args, "reject");
    o->receipts = e8_arg(r->args, "receipts");
    o->record = e8_arg(r->args, "record");
    o->record_force = e8_arg_set(r->args, "force");
    o->retry_after = after;
    o->ndjson = !rc && format == E8_FORMAT_NDJSON;
    o->out = e8_arg_set(r->args, "quiet") ? NULL : stdout;
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static int serve(struct receiver *r)
{
    struct e8_sink *sink;
    struct e8_err err = {0};
    struct e8_sink_counts counts = {0};
    int signal = 0;
    e8_signals_init();
    if (e8_sink_start(&r->options, &sink, &err)) {
        return e8_exit_error(&err);
    }
    if (!r->options.out) {
        fprintf(stderr, "listening on %s\n", e8_sink_url(sink));
    }
    e8_mono_ns end = r->length ? e8_mono_now() + r->length : E8_NEVER;
    while (!(signal = e8_signals_take(50 * E8_NS_MS)) && e8_mono_now() < end) {
        e8_sink_counts(sink, &counts);
        if (r->number && counts.received >= r->number) {
            break;
        }
    }
    e8_sink_counts(sink, &counts);
    fprintf(stderr, "sink: %llu received, %llu verified, %llu rejected, %llu duplicates, %llu faults\n",
            (unsigned long long)counts.received, (unsigned long long)counts.verified,
            (unsigned long long)counts.rejected, (unsigned long long)counts.duplicates,
            (unsigned long long)counts.faulted);
    if (e8_sink_stop(&sink, &err)) {
        return e8_exit_error(&err);
    }
    return signal ? 128 + signal : E8_EXIT_PASS;
}

int e8_cmd_sink(const struct e8_args *args)
{
    struct receiver r = {.args = args, .arena = e8_arena_new()};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    if (e8_cli_catalog(args, &r.catalog, &code)) {
        code = read_options(&r, &errs) ? e8_exit_errs(&errs) : serve(&r);
    }
    e8_errs_fini(&errs);
    e8_cli_secrets_fini(&r.secrets);
    e8_doc_free(&r.scheme_doc);
    e8_catalog_free(&r.catalog);
    e8_arena_free(&r.arena);
    return code;
}
