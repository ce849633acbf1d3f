#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"

struct reading {
    struct replayer *r;
    const char *endpoint; /* the only one that is wanted, or NULL */
    struct e8_err err;
    e8_wall_ns first;
    bool rendered; /* a body was made anew, not kept */
    bool is_signed;
    bool hidden; /* values that the log does not tell are left out */
};

static const char *kept(struct replayer *r, const char *text)
{
    return text ? e8_arena_str(r->arena, e8_str(text)).p : NULL;
}

/* A header whose value is secret stands in the log as "***". */
static void take_headers(struct reading *reading, struct replay_item *item)
{
    struct e8_emit *step = e8_arena_alloc(reading->r->arena, sizeof *step);
    struct e8_header *list = e8_arena_alloc(reading->r->arena, (item->step->header_count + 1) * sizeof *list);
    *step = *item->step;
    step->headers = list;
    step->header_count = 0;
    for (size_t i = 0; i < item->step->header_count; i++) {
        if (e8_str_is(item->step->headers[i].value, "***")) {
            reading->hidden = true;
        } else {
            list[step->header_count++] = item->step->headers[i];
        }
    }
    item->step = step;
    item->headers = list;
    item->header_count = step->header_count;
}

/* In two steps, since the first of all is known at the end alone: item->at is first the wall time. */
static bool take(void *state, const struct e8_log_delivery *delivery)
{
    struct reading *reading = state;
    struct replayer *r = reading->r;
    const struct e8_emit *step;
    struct e8_buf body;
    if (reading->endpoint && strcmp(reading->endpoint, delivery->endpoint) != 0) {
        return true;
    }
    e8_buf_init(&body, SIZE_MAX / 2);
    enum e8_rc rc = e8_logged_step(r->logged, delivery->event.step, &delivery->step, &step, &reading->err);
    rc = rc ? rc : e8_logged_body(r->logged, delivery, &body, &reading->err);
    if (!rc) {
        struct replay_item *item = e8_replay_add(r);
        item->at = delivery->due;
        item->type = kept(r, delivery->type);
        item->environment = kept(r, delivery->environment);
        item->id = kept(r, delivery->delivery_id);
        item->body = e8_arena_str(r->arena, e8_buf_str(&body));
        item->timestamp = delivery->timestamp;
        item->attempt = delivery->number;
        item->step = step;
        take_headers(reading, item);
        if (step->verbatim) {
            e8_replay_tell(r, item);
        }
        reading->first = r->count == 1 || delivery->due < reading->first ? delivery->due : reading->first;
        reading->rendered = reading->rendered || !delivery->step.body.p;
        reading->is_signed = reading->is_signed || strcmp(delivery->scheme, "none") != 0;
    }
    e8_buf_fini(&body);
    return !rc;
}

static bool is_given(const struct replayer *r, struct e8_str name)
{
    for (size_t i = 0; i < r->endpoint.header_count; i++) {
        if (e8_str_ieq(r->endpoint.headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The names of headers whose values the log does not keep, and -H does not give. */
static void put_missing(const struct replayer *r, const struct e8_log_run *run, struct e8_buf *out)
{
    for (size_t i = 0; i < run->endpoint_count; i++) {
        struct e8_str rest = e8_str(run->endpoints[i].headers), name;
        while (e8_str_split(&rest, ' ', &name)) {
            if (name.n && !is_given(r, name)) {
                e8_buf_puts(out, out->n ? ", " : "");
                e8_buf_put_clean(out, name);
            }
        }
    }
}

static enum e8_rc check_headers(const struct replayer *r, const struct e8_log_run *run, struct e8_err *err)
{
    struct e8_buf missing;
    enum e8_rc rc = E8_OK;
    e8_buf_init(&missing, 4096);
    put_missing(r, run, &missing);
    if (missing.n && r->mode == REPLAY_VERBATIM) {
        rc = e8_fail(err, E8_INPUT, "give them with -H, or leave --verbatim out",
                     "the log keeps no values of headers: %.160s", e8_buf_cstr(&missing));
    } else if (missing.n) {
        fprintf(stderr,
                "emit8: headers are left out, whose values the log does not keep: %s; give them with -H\n",
                e8_buf_cstr(&missing));
    }
    e8_buf_fini(&missing);
    return rc;
}

static enum e8_rc check_secret(const struct replayer *r, const struct reading *reading, struct e8_err *err)
{
    if (r->signer || !reading->is_signed) {
        return E8_OK;
    }
    return e8_fail(err, E8_INPUT, "--secret-file FILE, or EMIT8_SECRET",
                   r->mode == REPLAY_VERBATIM
                       ? "the log keeps no signatures: to make the same bytes again, the secret is needed"
                       : "the deliveries were signed: their secret is needed");
}

static enum e8_rc check_endpoint(const struct e8_log_run *run, const char *name, struct e8_err *err)
{
    char hint[E8_HINT_MAX];
    const char **names = e8_new(run->endpoint_count + 1, sizeof *names);
    bool known = !name;
    for (size_t i = 0; i < run->endpoint_count; i++) {
        names[i] = run->endpoints[i].name;
        known = known || strcmp(names[i], name) == 0;
    }
    if (!known) {
        e8_hint_near(e8_str(name), names, "emit8 report names the endpoints", hint);
        e8_fail(err, E8_INPUT, hint, "run %lld has no endpoint \"%s\"", (long long)run->id, name);
    }
    free(names);
    return known ? E8_OK : E8_INPUT;
}

/* What a replay of a log is not. */
static enum e8_rc warn_missing(const struct replayer *r, const struct e8_log_run *run, struct e8_err *err)
{
    struct e8_stats *stats = e8_stats_new((unsigned)run->endpoint_count, (unsigned)run->type_count);
    uint64_t unusual = 0;
    enum e8_rc rc = e8_dlog_stats(r->reader, run, stats, err);
    uint64_t copies = e8_stats_all(stats)->n.triggers[E8_TRIGGER_DUPLICATE];
    for (size_t i = 0; i < r->count; i++) {
        const struct e8_tamper *tamper = r->items[i].step->tamper;
        unusual += tamper && (e8_tamper_wire(tamper) || !e8_str_is(e8_tamper_method(tamper), "POST"));
    }
    if (!rc && copies) {
        fprintf(stderr, "emit8: of the run's %llu copies none is sent, only the deliveries themselves\n",
                (unsigned long long)copies);
    }
    if (!rc && unusual) {
        fprintf(stderr,
                "emit8: %llu deliveries had another method or an unusual transfer; they are sent as POST\n",
                (unsigned long long)unusual);
    }
    e8_stats_free(&stats);
    return rc;
}

static void warn_fixtures(const struct replayer *r, const struct e8_log_run *run)
{
    const char *digest = run->fixtures_digest ? run->fixtures_digest : "";
    if (strcmp(digest, e8_catalog_digest(r->catalog)) != 0) {
        fputs("emit8: the fixtures have changed since this run: bodies may not be those that were sent\n",
              stderr);
    }
}

enum e8_rc e8_replay_log(struct replayer *r, const char *path, struct e8_err *err)
{
    struct reading reading = {.r = r, .endpoint = e8_arg(r->args, "endpoint")};
    struct e8_log_run run;
    uint64_t id = 0;
    enum e8_rc rc = e8_arg_u64(r->args, "run", 1, INT64_MAX, &id, err);
    rc = rc ? rc : e8_dlog_read(path, &r->reader, err);
    rc = rc ? rc : e8_dlog_run(r->reader, (int64_t)id, &run, err);
    rc = rc ? rc : check_endpoint(&run, reading.endpoint, err);
    if (rc) {
        return rc;
    }
    r->logged = e8_logged_new(r->catalog);
    rc = e8_dlog_deliveries(r->reader, &run, take, &reading, err);
    if (!rc && reading.err.rc) {
        *err = reading.err;
        return reading.err.rc;
    }
    for (size_t i = 0; i < r->count; i++) {
        r->items[i].at -= reading.first;
    }
    r->began = reading.first;
    rc = rc ? rc : check_secret(r, &reading, err);
    rc = rc ? rc : check_headers(r, &run, err);
    rc = rc ? rc : warn_missing(r, &run, err);
    if (!rc && reading.rendered) {
        warn_fixtures(r, &run);
    }
    if (!rc && reading.hidden) {
        fputs("emit8: headers of steps are left out, whose values are secret and not in the log; give them "
              "with -H\n",
              stderr);
    }
    return rc;
}
