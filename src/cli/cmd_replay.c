#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/replay.h"
#include "match/match.h"

#define FIRST_BYTES_OF_SQLITE                                                                                \
    "SQLite format 3" /* with a NUL behind it; https://www.sqlite.org/fileformat.html, 1.3.1 */

const struct e8_option e8_replay_options[] = {
    {"to", 't', "URL", "where to send", E8_OPTION_ENV},
    {"run", 0, "N", "of a log: this run; default: the newest", 0},
    {"endpoint", 0, "NAME", "of a log: the deliveries to this endpoint only", 0},
    {"speed", 0, "FACTOR", "10x; or max: each as soon as the one before has been answered", 0},
    {"from", 0, "TIME", "from there on: an offset (10s), RFC 3339, or Unix seconds", 0},
    {"until", 0, "TIME", "up to there, likewise", 0},
    {"type", 0, "PATTERN", "event types: 'conversation.*'", 0},
    {"verbatim", 0, NULL, "the recorded headers and bytes; default where no secret is given", 0},
    {"resign", 0, NULL, "sign with the given secret; timestamps stay as they were; default with a secret", 0},
    {"fresh-time", 0, NULL, "sign with the time at which it is sent", 0},
    {"fresh-ids", 0, NULL, "new ids of deliveries, and of events in JSON bodies", 0},
    {"seed", 0, "N", "of new ids", E8_OPTION_ENV},
    {"in-flight", 0, "N", "deliveries in flight at most; default 10000, with --speed max 1", E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

static enum e8_rc read_speed(struct replayer *r, struct e8_err *err)
{
    const char *speed = e8_arg(r->args, "speed");
    r->speed = 1;
    r->max = speed && strcmp(speed, "max") == 0;
    r->in_flight = r->max ? 1 : 0;
    enum e8_rc rc = r->max ? E8_OK : e8_arg_factor(r->args, "speed", &r->speed, err);
    rc = rc ? rc : e8_arg_u64(r->args, "workers", 1, 256, &r->workers, err);
    return rc ? rc : e8_arg_u64(r->args, "in-flight", 1, 10000000, &r->in_flight, err);
}

static enum e8_rc read_mode(struct replayer *r, struct e8_err *err)
{
    bool verbatim = e8_arg_set(r->args, "verbatim"), resign = e8_arg_set(r->args, "resign");
    bool fresh = e8_arg_set(r->args, "fresh-time");
    r->fresh_ids = e8_arg_set(r->args, "fresh-ids");
    if (verbatim && (resign || fresh || r->fresh_ids)) {
        return e8_fail(err, E8_INPUT, "leave one of them out", "--verbatim and --%s exclude each other",
                       resign  ? "resign"
                       : fresh ? "fresh-time"
                               : "fresh-ids");
    }
    if (resign && !r->secrets.count) {
        return e8_fail(err, E8_INPUT, "--secret-file FILE, or EMIT8_SECRET", "--resign needs a secret");
    }
    if ((fresh || r->fresh_ids) && !r->secrets.count && !r->log) {
        return e8_fail(err, E8_INPUT, "--secret-file FILE, or EMIT8_SECRET",
                       "--fresh-%s needs a secret to sign with", fresh ? "time" : "ids");
    }
    bool plain = !r->secrets.count && !r->log;
    r->mode = verbatim || plain ? REPLAY_VERBATIM : fresh ? REPLAY_FRESH : REPLAY_RESIGNED;
    return E8_OK;
}

static bool is_log(const char *path)
{
    char bytes[sizeof FIRST_BYTES_OF_SQLITE] = "";
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;
    if (fd >= 0) {
        close(fd);
    }
    return n == (ssize_t)sizeof bytes && memcmp(bytes, FIRST_BYTES_OF_SQLITE, sizeof bytes) == 0;
}

static enum e8_rc check_source(const struct replayer *r, struct e8_err *err)
{
    static const char *const of_log[] = {"run", "endpoint"};
    for (size_t i = 0; !r->log && i < E8_COUNT(of_log); i++) {
        if (e8_arg_set(r->args, of_log[i])) {
            return e8_fail(err, E8_INPUT, "leave it out", "--%s is for delivery logs; this is none",
                           of_log[i]);
        }
    }
    return E8_OK;
}

static enum e8_rc read_endpoint(struct replayer *r, struct e8_err *err)
{
    struct e8_url url;
    r->endpoint.name = "target";
    r->endpoint.url = e8_arg(r->args, "to");
    if (!r->endpoint.url) {
        return e8_fail(err, E8_INPUT, "--to http://localhost:3000/hooks", "where to? --to is missing");
    }
    enum e8_rc rc = e8_url_parse(e8_str(r->endpoint.url), &url, err);
    rc = rc ? rc : e8_cli_headers(r->args, &r->headers, &r->endpoint.header_count, err);
    rc = rc ? rc
            : e8_cli_policy(r->args, e8_catalog_platform(r->catalog), &r->endpoint.timeout,
                            &r->endpoint.retry, err);
    r->endpoint.headers = r->headers;
    if (!e8_arg_set(r->args, "retries")) {
        r->endpoint.retry.attempts = 1; /* a recording has its retries already */
    }
    r->endpoint.secrets = (const char *const *)r->secrets.list;
    r->endpoint.secret_count = r->secrets.count;
    if (!rc && r->secrets.count) {
        const char *nobodys = e8_nobodys_secret(r->endpoint.scheme);
        rc = e8_signer_new(r->endpoint.scheme, r->endpoint.secrets, r->secrets.count, &r->signer, err);
        rc = rc ? rc : e8_signer_new(r->endpoint.scheme, &nobodys, 1, &r->other, err);
    }
    return rc;
}

static enum e8_rc read_options(struct replayer *r, struct e8_errs *errs)
{
    struct e8_err err = {0};
    bool given;
    const char *type = e8_arg(r->args, "type");
    if (e8_cli_scheme(r->args, r->catalog, r->arena, &r->scheme_doc, &r->endpoint.scheme, errs)) {
        return e8_errs_rc(errs);
    }
    r->log = is_log(r->args->words[0]);
    enum e8_rc rc = e8_cli_secrets(r->args, &r->secrets, &err);
    rc = rc ? rc : check_source(r, &err);
    rc = rc ? rc : read_speed(r, &err);
    rc = rc ? rc : e8_cli_seed(r->args, &given, &r->seed, &err);
    rc = rc ? rc : read_mode(r, &err);
    rc = rc ? rc : read_endpoint(r, &err);
    if (!rc && type && !e8_pattern_valid(e8_str(type))) {
        rc = e8_fail(&err, E8_INPUT, "a type (message.received), a category (message.*) or \"*\"",
                     "\"%.64s\" is no pattern of event types", type);
    }
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct replay_item *x = a, *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

/* An offset, or a point in time that then is one. */
static enum e8_rc read_bound(const struct replayer *r, const char *option, e8_dur_ns *out, struct e8_err *err)
{
    const char *text = e8_arg(r->args, option);
    e8_wall_ns wall = 0;
    if (!text || e8_parse_dur(e8_str(text), out)) {
        return E8_OK;
    }
    enum e8_rc rc = e8_arg_time(r->args, option, &wall, err);
    if (rc) {
        return rc;
    }
    if (!r->began) {
        return e8_fail(err, E8_INPUT, "an offset from its start: 10s",
                       "--%s: the recording does not say when it began", option);
    }
    *out = wall - r->began;
    return E8_OK;
}

static enum e8_rc choose(struct replayer *r, struct e8_err *err)
{
    const char *type = e8_arg(r->args, "type");
    e8_dur_ns from = INT64_MIN, until = INT64_MAX;
    size_t kept = 0;
    enum e8_rc rc = read_bound(r, "from", &from, err);
    rc = rc ? rc : read_bound(r, "until", &until, err);
    if (!rc && from >= until) {
        rc = e8_fail(err, E8_INPUT, NULL, "--until is not after --from");
    }
    qsort(r->items, r->count, sizeof *r->items, by_time);
    for (size_t i = 0; i < r->count; i++) {
        const struct replay_item *item = &r->items[i];
        if (item->at >= from && item->at < until &&
            (!type || e8_pattern_matches(e8_str(type), e8_str(item->type)))) {
            r->items[kept++] = *item;
        }
    }
    size_t all = r->count;
    r->count = kept;
    if (!rc && kept == 0) {
        rc = e8_fail(err, E8_INPUT, all ? "look at --from, --until and --type" : NULL,
                     all ? "nothing of it is left to replay" : "there is nothing to replay");
    }
    return rc;
}

/* Offsets from the first; no two the same, so that the order is kept. */
static void set_times(struct replayer *r)
{
    e8_dur_ns first = r->count ? r->items[0].at : 0, last = -1;
    for (size_t i = 0; i < r->count; i++) {
        e8_dur_ns at = r->max ? (e8_dur_ns)i : r->items[i].at - first;
        last = at > last ? at : last + 1;
        r->items[i].at = last;
    }
}

static void warn_times(const struct replayer *r)
{
    e8_dur_ns tolerance = r->endpoint.scheme->tolerance;
    int64_t now = e8_wall_now() / E8_NS_S;
    if (r->mode == REPLAY_FRESH || tolerance <= 0) {
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        int64_t age = now - r->items[i].timestamp;
        if (r->items[i].timestamp && age > tolerance / E8_NS_S) {
            char text[E8_DUR_MAX];
            fprintf(stderr,
                    "emit8: signed timestamps are up to %s old: receivers that check them will refuse; "
                    "--fresh-time signs anew\n",
                    e8_dur_text(age * E8_NS_S, text));
            return;
        }
    }
}

static enum e8_rc dress(struct replayer *r, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    if (r->fresh_ids) {
        e8_replay_rename(r);
    }
    for (size_t i = 0; !rc && i < r->count; i++) {
        if (r->mode == REPLAY_FRESH && e8_replay_foreign(&r->items[i])) {
            e8_replay_strip(r, &r->items[i]);
        } else if (r->mode != REPLAY_FRESH) {
            rc = e8_replay_dress(r, &r->items[i], err);
        }
    }
    return rc;
}

/* What is signed as it is sent keeps its own headers beside ours, and is tampered with as it was. */
static void keep_steps(struct replayer *r, struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct replay_item *item = &r->items[i];
        struct e8_emit *emit = &plan->emits[i];
        if (r->mode == REPLAY_FRESH) {
            emit->headers = item->headers;
            emit->header_count = item->header_count;
            emit->tamper = item->step ? item->step->tamper : NULL;
        }
        emit->json = e8_replay_json(r, item);
    }
}

static enum e8_rc make_plan(struct replayer *r, struct e8_plan **plan, struct e8_errs *errs)
{
    struct e8_recorded *list = e8_new(r->count + 1, sizeof *list);
    for (size_t i = 0; i < r->count; i++) {
        const struct replay_item *item = &r->items[i];
        bool made = r->mode == REPLAY_FRESH;
        list[i] = (struct e8_recorded){
            .at = item->at,
            .type = item->type,
            .environment = item->environment,
            .delivery_id = item->id,
            .body = item->body,
            .headers = made ? NULL : item->headers,
            .header_count = made ? 0 : item->header_count,
        };
    }
    struct e8_replay_options options = {
        .list = list, .count = r->count, .endpoint = r->endpoint, .seed = r->seed};
    enum e8_rc rc = e8_plan_replay(r->catalog, &options, plan, errs);
    free(list);
    if (!rc) {
        keep_steps(r, *plan);
    }
    if (!rc && r->max) { /* no schedule: each is due when there is room for it */
        plan[0]->phases[0] =
            (struct e8_phase){.flow = plan[0]->flows, .times = 1, .concurrency = 1, .at = -1};
    }
    return rc;
}

static int play(struct replayer *r, struct e8_plan *plan)
{
    struct e8_cli_run run = {
        .plan = plan,
        .catalog = r->catalog,
        .speed = r->speed,
        .workers = (unsigned)r->workers,
        .in_flight = (size_t)r->in_flight,
        .report = true,
        .trigger = E8_TRIGGER_REPLAY,
    };
    return e8_cli_execute(r->args, &run);
}

static int replay(struct replayer *r)
{
    struct e8_errs errs;
    struct e8_err err = {0};
    struct e8_plan *plan = NULL;
    e8_errs_init(&errs);
    enum e8_rc rc = read_options(r, &errs);
    if (!rc && r->log) {
        rc = e8_replay_log(r, r->args->words[0], &err);
    } else if (!rc) {
        rc = e8_replay_file(r, r->args->words[0], &errs);
    }
    if (!rc) {
        rc = choose(r, &err);
        set_times(r);
        rc = rc ? rc : dress(r, &err);
    }
    if (err.rc) {
        e8_errs_add(&errs, &err);
    }
    rc = rc ? rc : make_plan(r, &plan, &errs);
    if (rc) {
        return e8_exit_errs(&errs);
    }
    e8_errs_fini(&errs);
    warn_times(r);
    int code = play(r, plan);
    e8_plan_free(&plan);
    return code;
}

int e8_cmd_replay(const struct e8_args *args)
{
    struct replayer r = {.args = args, .arena = e8_arena_new()};
    int code;
    if (e8_cli_catalog(args, &r.catalog, &code)) {
        code = replay(&r);
    }
    e8_signer_free(&r.signer);
    e8_signer_free(&r.other);
    e8_plan_free(&r.recorded);
    e8_source_fini(&r.source);
    e8_logged_free(&r.logged);
    e8_dlog_reader_free(&r.reader);
    e8_cli_secrets_fini(&r.secrets);
    e8_doc_free(&r.scheme_doc);
    e8_catalog_free(&r.catalog);
    free(r.items);
    free(r.headers);
    e8_arena_free(&r.arena);
    return code;
}
