#include "sink/sink.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "sink/receipt.h"
#include "sink/seen.h"

enum { SINK_MAGIC = 0x0a4e8603, CONNECTIONS_MAX = 16384, IDLE_S = 300 };
#define BODY_MAX    ((size_t)16 << 20)
#define SEEN_MAX    ((size_t)4 << 20) /* pairs of delivery and attempt */
#define TYPES_MAX   ((size_t)65536)
#define OCCURRENCES 1000 /* of one delivery whose attempts bear no number */

struct e8_sink {
    unsigned magic;
    struct e8_sink_options options;
    char *retry_after;
    char *names[3]; /* of the headers: see enum what */
    struct e8_httpd *httpd;
    struct e8_writer *writer;
    struct e8_signer *signer; /* NULL: nothing is verified */
    pthread_mutex_t lock;     /* of counts alone */
    struct e8_sink_counts counts;
    /* Of the server's thread: */
    struct e8_header *headers;
    size_t header_cap;
    struct e8_seen seen, types;
    uint64_t requests;
    bool said_full;
};

/* What a delivery says of itself in its headers. */
enum what { EVENT, DELIVERY, ATTEMPT };

static const struct {
    const char *usual;
    const char *templates[2]; /* the scheme's own headers with such a value say the same */
} whats[] = {
    [EVENT] = {"X-8bit-Event", {"{type}", NULL}},
    [DELIVERY] = {"X-8bit-Delivery", {"{delivery}", "{id}"}},
    [ATTEMPT] = {"X-8bit-Attempt", {"{attempt}", NULL}},
};

static bool says(enum what what, const char *template)
{
    for (size_t i = 0; i < E8_COUNT(whats[what].templates); i++)
        if (whats[what].templates[i] && strcmp(whats[what].templates[i], template) == 0)
            return true;
    return false;
}

static const char *find(const struct e8_sink *sink, const struct e8_request *request, enum what what)
{
    const struct e8_scheme *scheme = sink->options.scheme;
    const char *value = e8_request_header(request, sink->names[what], 0);

    for (size_t i = 0; !value && scheme && i < scheme->header_count; i++)
        if (says(what, scheme->headers[i].value))
            value = e8_request_header(request, scheme->headers[i].name, 0);
    if (!value && what == DELIVERY && scheme && scheme->id_header)
        value = e8_request_header(request, scheme->id_header, 0);
    return value ? value : "";
}

/* By its header; without one, the how-manieth of this delivery it is, so that a retry draws anew. */
static int64_t attempt_of(const struct e8_sink *sink, const struct e8_request *request,
                          struct e8_str delivery)
{
    int64_t attempt = 0;

    if (e8_parse_i64(e8_str(find(sink, request, ATTEMPT)), &attempt) && attempt > 0)
        return attempt;
    for (attempt = 1; delivery.n > 0 && attempt < OCCURRENCES; attempt++)
        if (!e8_seen_has(&sink->seen, e8_mix(e8_hash_str(delivery), (uint64_t)attempt)))
            break;
    return attempt;
}

struct draw {
    int status;
    enum e8_fault fault;
    e8_dur_ns delay;
};

/* A pure function of the seed and the key, whatever came before. */
static struct draw draw(const struct e8_sink_options *options, uint64_t key)
{
    struct e8_rng rng = e8_rng_new(e8_mix(options->seed, key));
    double status = e8_rng_unit(&rng), fault = e8_rng_unit(&rng);
    struct draw drawn = {.status = 200, .fault = E8_FAULT_NONE};

    for (size_t i = options->status.count; i-- > 0;)
        if (status < options->status.rows[i].upto)
            drawn.status = options->status.rows[i].status;
    for (size_t i = options->fault.count; i-- > 0;)
        if (fault < options->fault.rows[i].upto)
            drawn.fault = options->fault.rows[i].fault;
    drawn.delay = e8_spread_draw(&options->latency, &rng);
    return drawn;
}

static enum e8_verdict verify(struct e8_sink *sink, const struct e8_request *request)
{
    size_t count = e8_request_header_count(request);

    if (count > sink->header_cap) {
        sink->header_cap = 2 * count;
        sink->headers = e8_resize(sink->headers, sink->header_cap, sizeof *sink->headers);
    }
    for (size_t i = 0; i < count; i++)
        e8_request_header_at(request, i, &sink->headers[i].name, &sink->headers[i].value);
    return e8_verify(sink->signer, sink->headers, count, request->body, request->wall,
                     sink->options.tolerance, NULL);
}

/* True if this delivery and attempt came before. */
static bool is_duplicate(struct e8_sink *sink, uint64_t key)
{
    if (e8_seen_full(&sink->seen) && !sink->said_full) {
        sink->said_full = true;
        fprintf(stderr, "emit8: sink: after %zu attempts, duplicates of new ones are no longer counted\n",
                sink->seen.count);
    }
    return !e8_seen_add(&sink->seen, key);
}

/* What became of a request, for the counts. */
struct outcome {
    bool checked, verified, duplicate, new_type;
    int status; /* 0: none is sent */
    enum e8_fault fault;
};

static void count(struct e8_sink *sink, const struct outcome *outcome)
{
    pthread_mutex_lock(&sink->lock);
    sink->counts.received++;
    sink->counts.verified += outcome->checked && outcome->verified;
    sink->counts.rejected += outcome->checked && !outcome->verified;
    sink->counts.faulted += outcome->fault != E8_FAULT_NONE;
    sink->counts.duplicates += outcome->duplicate;
    sink->counts.types += outcome->new_type;
    if (outcome->status)
        sink->counts.status[outcome->status]++;
    pthread_mutex_unlock(&sink->lock);
}

static void cut_into(char *out, size_t size, struct e8_str text)
{
    size_t n = text.n < size ? text.n : size - 1;

    if (n > 0)
        memcpy(out, text.p, n);
    out[n] = '\0';
}

static void keep(struct e8_sink *sink, const struct e8_request *request, struct e8_str delivery,
                 int64_t attempt, const char *verdict, const struct outcome *outcome, e8_dur_ns delay)
{
    if (!sink->writer)
        return;
    struct e8_receipt *receipt = e8_writer_slot(sink->writer);
    receipt->at = request->wall;
    receipt->delay = delay;
    receipt->connection = request->connection;
    receipt->body_bytes = request->body.n;
    receipt->attempt = attempt;
    receipt->status = outcome->status;
    receipt->fault = outcome->fault;
    receipt->verdict = verdict;
    cut_into(receipt->delivery, sizeof receipt->delivery, delivery);
    cut_into(receipt->type, sizeof receipt->type, e8_str(find(sink, request, EVENT)));
    if (sink->options.receipts)
        e8_sha256_of(request->body, receipt->body_sha256);
    receipt->arrival =
        sink->options.record ? e8_arrival_new(request, e8_str(find(sink, request, EVENT)), delivery) : NULL;
    e8_writer_push(sink->writer, receipt);
}

static void put_header(struct e8_response *response, const char *name, const char *value)
{
    E8_ASSERT(response->header_count < E8_RESPONSE_HEADERS_MAX);
    response->headers[response->header_count].name = name;
    response->headers[response->header_count++].value = value;
}

static void fill(const struct e8_sink *sink, struct e8_response *response, int status, const char *verdict)
{
    response->status = status;
    put_header(response, "Content-Type", "application/json");
    if ((status == 429 || status == 503) && sink->retry_after)
        put_header(response, "Retry-After", sink->retry_after);
    e8_buf_puts(&response->body,
                status < 300 ? "{\"received\":true,\"verdict\":\"" : "{\"received\":false,\"verdict\":\"");
    e8_buf_puts(&response->body, verdict);
    e8_buf_puts(&response->body, "\"}\n");
}

static bool has_status(enum e8_fault fault)
{
    return fault == E8_FAULT_NONE || fault == E8_FAULT_TRUNCATE;
}

static void on_delivery(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct e8_sink *sink = state;

    E8_CHECK_MAGIC(sink, SINK_MAGIC);
    struct e8_str delivery = e8_str(find(sink, request, DELIVERY)), type = e8_str(find(sink, request, EVENT));
    int64_t attempt = attempt_of(sink, request, delivery);
    uint64_t key = e8_mix(e8_hash_str(delivery), delivery.n > 0 ? (uint64_t)attempt : sink->requests);
    struct draw drawn = draw(&sink->options, key);
    enum e8_verdict verdict = sink->signer ? verify(sink, request) : E8_VERIFIED;
    const char *name = sink->signer ? e8_verdict_name(verdict) : "unchecked";

    sink->requests++;
    if (sink->options.reject && verdict != E8_VERIFIED)
        drawn.status = 401;
    struct outcome outcome = {
        .checked = sink->signer != NULL,
        .verified = verdict == E8_VERIFIED,
        .duplicate = delivery.n > 0 && is_duplicate(sink, key),
        .new_type = type.n > 0 && !e8_seen_full(&sink->types) && e8_seen_add(&sink->types, e8_hash_str(type)),
        .status = has_status(drawn.fault) ? drawn.status : 0,
        .fault = drawn.fault,
    };
    count(sink, &outcome);
    fill(sink, response, drawn.status, name);
    response->delay = drawn.delay;
    response->fault = drawn.fault;
    keep(sink, request, delivery, attempt, name, &outcome, drawn.delay);
}

/* Not a delivery, but it was on the wire: it is counted and kept, and neither verified nor delayed. */
static void on_other_method(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct e8_sink *sink = state;
    struct outcome outcome = {.status = 405};

    E8_CHECK_MAGIC(sink, SINK_MAGIC);
    struct e8_str delivery = e8_str(find(sink, request, DELIVERY));
    count(sink, &outcome);
    fill(sink, response, outcome.status, "unchecked");
    put_header(response, "Allow", "POST");
    keep(sink, request, delivery, attempt_of(sink, request, delivery), "unchecked", &outcome, 0);
}

static const struct e8_route routes[] = {
    {"POST", "*", on_delivery},
    {NULL, "*", on_other_method},
    {NULL, NULL, NULL},
};

static void say_first(const struct e8_sink *sink)
{
    const struct e8_sink_options *options = &sink->options;
    const char *url = e8_httpd_url(sink->httpd), *scheme = sink->signer ? options->scheme->name : NULL;
    struct e8_buf line;

    if (!options->out)
        return;
    e8_buf_init(&line, 4096);
    if (options->ndjson) {
        struct e8_json w = e8_json_new(&line, 0);

        e8_json_object(&w, NULL);
        e8_json_cstr(&w, "listening", url);
        e8_json_cstr(&w, "scheme", scheme);
        e8_json_end(&w, '}');
    } else if (scheme) {
        e8_buf_printf(&line, "listening on %s, verifying %s signatures", url, scheme);
    } else {
        e8_buf_printf(&line, "listening on %s; no secret: signatures are not verified", url);
    }
    fprintf(options->out, "%s\n", e8_buf_cstr(&line));
    fflush(options->out);
    e8_buf_fini(&line);
}

static struct e8_sink *new_sink(const struct e8_sink_options *options)
{
    const char *given[] = {
        [EVENT] = options->event_header,
        [DELIVERY] = options->delivery_header,
        [ATTEMPT] = options->attempt_header,
    };
    struct e8_sink *sink = e8_new(1, sizeof *sink);

    sink->magic = SINK_MAGIC;
    sink->options = *options;
    sink->options.secrets = NULL; /* the signer has them */
    sink->retry_after = e8_dup(options->retry_after);
    for (size_t i = 0; i < E8_COUNT(given); i++)
        sink->names[i] = e8_dup(given[i] ? given[i] : whats[i].usual);
    sink->seen.limit = SEEN_MAX;
    sink->types.limit = TYPES_MAX;
    pthread_mutex_init(&sink->lock, NULL);
    return sink;
}

static enum e8_rc open_sink(struct e8_sink *sink, const struct e8_sink_options *options, struct e8_err *err)
{
    struct e8_httpd_options server = {
        .listen = options->listen ? options->listen : "127.0.0.1:0",
        .routes = routes,
        .state = sink,
        .body_max = BODY_MAX,
        .connections_max = CONNECTIONS_MAX,
        .idle_s = IDLE_S,
    };
    struct e8_receipts *receipts = NULL;
    struct e8_recording *recording = NULL;
    enum e8_rc rc = E8_OK;

    if (options->secret_count > 0) {
        E8_ASSERT(options->scheme);
        rc = e8_signer_new(options->scheme, options->secrets, options->secret_count, &sink->signer, err);
    }
    if (rc == E8_OK && options->receipts)
        rc = e8_receipts_open(options->receipts, &receipts, err);
    if (rc == E8_OK && options->record)
        rc = e8_recording_open(options->record, options->record_force, options->secrets,
                               options->secret_count, &recording, err);
    if (rc != E8_OK) {
        e8_receipts_close(&receipts);
        return rc;
    }
    if (receipts || options->out || recording)
        sink->writer = e8_writer_new(receipts, options->out, options->ndjson);
    if (recording)
        e8_writer_record(sink->writer, recording);
    rc = e8_httpd_start(&server, &sink->httpd, err);
    if (rc == E8_OK && recording)
        rc = e8_recording_begin(recording, e8_httpd_url(sink->httpd), err);
    if (rc != E8_OK)
        return rc;
    say_first(sink);
    return sink->writer ? e8_writer_start(sink->writer, err) : E8_OK;
}

/* Closes in the order in which things flow. */
static enum e8_rc release(struct e8_sink **sink, struct e8_err *err)
{
    struct e8_sink *s = *sink;

    e8_httpd_stop(&s->httpd);
    enum e8_rc rc = e8_writer_stop(&s->writer, err);
    e8_signer_free(&s->signer);
    e8_seen_fini(&s->seen);
    e8_seen_fini(&s->types);
    free(s->headers);
    free(s->retry_after);
    for (size_t i = 0; i < E8_COUNT(s->names); i++)
        free(s->names[i]);
    pthread_mutex_destroy(&s->lock);
    s->magic = 0;
    free(s);
    *sink = NULL;
    return rc;
}

enum e8_rc e8_sink_start(const struct e8_sink_options *options, struct e8_sink **out, struct e8_err *err)
{
    struct e8_sink *sink = new_sink(options);
    enum e8_rc rc = open_sink(sink, options, err);

    if (rc != E8_OK)
        release(&sink, NULL);
    *out = sink;
    return rc;
}

const char *e8_sink_url(const struct e8_sink *sink)
{
    E8_CHECK_MAGIC(sink, SINK_MAGIC);
    return e8_httpd_url(sink->httpd);
}

void e8_sink_counts(struct e8_sink *sink, struct e8_sink_counts *out)
{
    E8_CHECK_MAGIC(sink, SINK_MAGIC);
    pthread_mutex_lock(&sink->lock);
    *out = sink->counts;
    pthread_mutex_unlock(&sink->lock);
}

enum e8_rc e8_sink_stop(struct e8_sink **sink, struct e8_err *err)
{
    if (!*sink)
        return E8_OK;
    E8_CHECK_MAGIC(*sink, SINK_MAGIC);
    return release(sink, err);
}
