#include "cli/again.h"

#include <stdlib.h>
#include <string.h>

#include "cli/logged.h"
#include "cli/session.h"

/* What it takes to make the request of a logged delivery again. */
struct again {
    const struct e8_args *args;
    struct e8_dlog_reader *reader;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_log_delivery delivery;
    struct e8_log_row *rows; /* its attempts; texts in the arena */
    size_t row_count;
    struct e8_log_run run; /* that made it */
    struct e8_logged *logged;
    struct e8_doc *scheme_doc;
    struct e8_cli_secrets secrets;
    struct e8_endpoint endpoint;
    struct e8_header *headers;
    struct e8_signer *signer, *other,
        *second; /* all secrets; one that nobody has; the second that is given alone */
    struct e8_buf body, scratch;
    struct e8_request_parts parts;
    char memory[16 << 10];
};

static const char *kept(struct again *a, const char *text)
{
    return text ? e8_arena_str(a->arena, e8_str(text)).p : NULL;
}

static bool keep_row(void *state, const struct e8_log_row *row)
{
    struct again *a = state;
    a->rows = e8_resize(a->rows, a->row_count + 1, sizeof *a->rows);
    struct e8_log_row *to = &a->rows[a->row_count++];
    *to = *row;
    to->event_id = kept(a, row->event_id);
    to->delivery_id = kept(a, row->delivery_id);
    to->type = kept(a, row->type);
    to->environment = kept(a, row->environment);
    to->endpoint = kept(a, row->endpoint);
    to->url = kept(a, row->url);
    to->scheme = kept(a, row->scheme);
    to->trigger = kept(a, row->trigger);
    to->outcome = kept(a, row->outcome);
    to->error = kept(a, row->error);
    to->verdict = kept(a, row->verdict);
    return true;
}

static enum e8_rc make_signers(struct again *a, struct e8_err *err)
{
    const struct e8_scheme *scheme = a->endpoint.scheme;
    const char *const *secrets = (const char *const *)a->secrets.list, *nobodys = e8_nobodys_secret(scheme);
    enum e8_rc rc = e8_signer_new(scheme, secrets, a->secrets.count, &a->signer, err);
    rc = rc ? rc : e8_signer_new(scheme, &nobodys, 1, &a->other, err);
    if (!rc && a->secrets.count > 1) {
        rc = e8_signer_new(scheme, secrets + 1, 1, &a->second, err);
    }
    return rc;
}

static enum e8_rc make_endpoint(struct again *a, struct e8_err *err)
{
    const char *scheme = strcmp(a->delivery.scheme, "none") == 0 ? "8bit" : a->delivery.scheme;
    struct e8_errs errs;
    enum e8_rc rc = E8_OK;
    a->endpoint.name = a->delivery.endpoint;
    a->endpoint.url = e8_arg(a->args, "to") ? e8_arg(a->args, "to") : a->delivery.url;
    a->endpoint.scheme = e8_schemes_find(e8_catalog_schemes(a->catalog), scheme);
    if (e8_arg(a->args, "scheme") || !a->endpoint.scheme) {
        e8_errs_init(&errs);
        rc = e8_cli_scheme(a->args, a->catalog, a->arena, &a->scheme_doc, &a->endpoint.scheme, &errs);
        if (rc && errs.count) {
            *err = errs.list[0];
        }
        e8_errs_fini(&errs);
    }
    rc = rc ? rc : e8_cli_headers(a->args, &a->headers, &a->endpoint.header_count, err);
    a->endpoint.headers = a->headers;
    rc = rc ? rc
            : e8_cli_policy(a->args, e8_catalog_platform(a->catalog), &a->endpoint.timeout,
                            &a->endpoint.retry, err);
    rc = rc ? rc : e8_cli_secrets(a->args, &a->secrets, err);
    return rc || !a->secrets.count ? rc : make_signers(a, err);
}

/* The step that a row is of: the event's own, or one that sends it once more in a form of its own. */
static enum e8_rc restore_step(struct again *a, const struct e8_log_row *row, struct e8_emit *out,
                               struct e8_err *err)
{
    const struct e8_emit *step;
    uint32_t origin = a->delivery.event.step;
    enum e8_rc rc = e8_logged_step(a->logged, origin, &a->delivery.step, &step, err);
    if (rc) {
        return rc;
    }
    *out = *step;
    bool own = row->step == origin || row->run != a->run.id || (size_t)row->step >= a->run.step_count;
    rc = own ? E8_OK : e8_logged_step(a->logged, (uint32_t)row->step, &a->run.steps[row->step], &step, err);
    if (!rc && !own && (step->tamper || step->again == E8_AGAIN_RETRY)) {
        out->tamper = step->tamper;
    }
    return rc;
}

/* Of a rotation, the other secret is the second that is given. */
static struct e8_keys keys_for(const struct again *a, const struct e8_emit *emit)
{
    enum e8_tamper_secret secret = emit->tamper ? e8_tamper_secret(emit->tamper) : E8_SECRET_RIGHT;
    if (a->signer && !a->second && (secret == E8_SECRET_PREVIOUS || secret == E8_SECRET_NEXT)) {
        fputs(
            "emit8: it was signed with the secret of another moment of the rotation: give that as the second "
            "--secret-file\n",
            stderr);
    }
    return (struct e8_keys){.right = a->signer, .other = a->other, .previous = a->second, .next = a->second};
}

static enum e8_rc build_request(struct again *a, const struct e8_log_row *row, int64_t timestamp, int attempt,
                                struct e8_err *err)
{
    struct e8_buf memory;
    struct e8_emit emit;
    enum e8_rc rc = restore_step(a, row, &emit, err);
    if (rc) {
        return rc;
    }
    e8_buf_fixed(&memory, a->memory, sizeof a->memory);
    struct e8_sign_input in = {
        .id = e8_str(a->rows[0].delivery_id),
        .timestamp = timestamp,
        .body = e8_buf_str(&a->body),
        .type = e8_str(a->delivery.type),
        .environment = e8_str(a->delivery.environment),
        .attempt = attempt,
    };
    struct e8_keys keys = keys_for(a, &emit);
    uint64_t seed = e8_hash_str(in.id);
    if (e8_request_build(a->catalog, &a->endpoint, &emit, &keys, &in, seed, &memory, &a->scratch,
                         &a->parts)) {
        return e8_fail(err, E8_INPUT, "fewer or shorter -H", "the headers do not fit");
    }
    return E8_OK;
}

static enum e8_rc open_again(struct again *a, const char *delivery, struct e8_err *err)
{
    int code;
    struct e8_log_filter filter = {.run = -1};
    enum e8_rc rc = e8_dlog_delivery(a->reader, delivery, &a->delivery, err);
    filter.delivery = rc ? NULL : a->delivery.delivery_id;
    rc = rc ? rc : e8_dlog_query(a->reader, &filter, keep_row, a, err);
    if (!rc && a->row_count == 0) {
        rc = e8_fail(err, E8_INPUT, "emit8 log lists them", "delivery \"%s\" has no attempt in the log",
                     delivery);
    }
    if (!rc && !e8_cli_catalog(a->args, &a->catalog, &code)) {
        rc = e8_fail(err, E8_INPUT, NULL, "the fixtures cannot be used");
    }
    rc = rc ? rc : e8_dlog_run(a->reader, a->delivery.run, &a->run, err);
    if (rc) {
        return rc;
    }
    a->logged = e8_logged_new(a->catalog);
    rc = e8_logged_body(a->logged, &a->delivery, &a->body, err);
    return rc ? rc : make_endpoint(a, err);
}

static void close_again(struct again *a)
{
    e8_signer_free(&a->signer);
    e8_signer_free(&a->other);
    e8_signer_free(&a->second);
    e8_cli_secrets_fini(&a->secrets);
    e8_logged_free(&a->logged);
    e8_doc_free(&a->scheme_doc);
    e8_catalog_free(&a->catalog);
    e8_buf_fini(&a->body);
    e8_buf_fini(&a->scratch);
    free(a->rows);
    free(a->headers);
    e8_arena_free(&a->arena);
    free(a);
}

static struct again *new_again(const struct e8_args *args, struct e8_dlog_reader *reader)
{
    struct again *a = e8_new(1, sizeof *a);
    a->args = args;
    a->reader = reader;
    a->arena = e8_arena_new();
    e8_buf_init(&a->body, SIZE_MAX / 2);
    e8_buf_init(&a->scratch, SIZE_MAX / 2);
    return a;
}

static void warn_fixtures(const struct again *a)
{
    if (!a->delivery.step.body.p && strcmp(a->delivery.fixtures_digest, e8_catalog_digest(a->catalog)) != 0) {
        fprintf(
            stderr,
            "emit8: the fixtures have changed since this run: the body may not be the one that was sent\n");
    }
}

static bool is_given(const struct again *a, struct e8_str name)
{
    for (size_t i = 0; i < a->endpoint.header_count; i++) {
        if (e8_str_ieq(a->endpoint.headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void warn_headers(const struct again *a)
{
    const char *at = a->delivery.headers ? a->delivery.headers : "";
    struct e8_buf missing;
    e8_buf_init(&missing, 64 << 10);
    while (*at) {
        struct e8_str name = {at, strcspn(at, " ")};
        at += name.n + (at[name.n] == ' ');
        if (name.n && !is_given(a, name)) {
            e8_buf_puts(&missing, missing.n ? ", " : "");
            e8_buf_put_clean(&missing, name);
        }
    }
    if (missing.n) {
        fprintf(stderr,
                "emit8: headers are left out, whose values the log does not keep: %s; give them with -H\n",
                e8_buf_cstr(&missing));
    }
    e8_buf_fini(&missing);
}

static void print_request(struct again *a)
{
    struct e8_url url;
    struct e8_buf out;
    e8_buf_init(&out, SIZE_MAX / 2);
    if (!e8_url_parse(e8_str(a->endpoint.url), &url, NULL)) {
        e8_http1_request(&out, a->parts.method, &url, a->parts.headers, a->parts.count, a->parts.body);
        fwrite(out.p, 1, out.n, stdout);
        putchar('\n');
    }
    e8_buf_fini(&out);
}

/* Was a request in the form of this row's step shown before? */
static bool is_shown(const struct again *a, size_t index)
{
    const struct e8_log_row *row = &a->rows[index];
    for (size_t i = 0; i < index; i++) {
        if (a->rows[i].step == row->step || row->run != a->run.id) {
            return true;
        }
    }
    return false;
}

/* The first, and the first of each step that sent it once more in another form. */
static enum e8_rc show_requests(struct again *a, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < a->row_count; i++) {
        const struct e8_log_row *row = &a->rows[i];
        if (is_shown(a, i)) {
            continue;
        }
        rc = build_request(a, row, row->timestamp, row->number, err);
        if (!rc && row->copy) {
            printf("\nRequest of attempt %d, copy %d, rendered again:\n\n", row->number, row->copy);
        } else if (!rc) {
            printf("\nRequest of attempt %d, rendered again:\n\n", row->number);
        }
        if (!rc) {
            print_request(a);
        }
    }
    return rc;
}

int e8_cli_show(const struct e8_args *args, struct e8_dlog_reader *reader, const char *delivery)
{
    struct again *a = new_again(args, reader);
    struct e8_err err = {0};
    int code = E8_EXIT_PASS;
    enum e8_rc rc = open_again(a, delivery, &err);
    if (!rc) {
        warn_fixtures(a);
        e8_timeline_write(a->rows, a->row_count, e8_cli_style(args, stdout), stdout);
        rc = show_requests(a, &err);
    }
    if (rc) {
        fflush(stdout);
        code = e8_exit_error(&err);
    } else {
        warn_headers(a);
        if (!a->signer && strcmp(a->delivery.scheme, "none") != 0) {
            fprintf(stderr, "emit8: the signature is left out: give --secret-file or EMIT8_SECRET\n");
        }
    }
    close_again(a);
    return code;
}

static void log_resend(struct again *a, const char *path, const struct e8_exchange *x, e8_mono_ns due,
                       int64_t timestamp, int number, struct e8_stats *stats, struct e8_log_run *run,
                       struct e8_err *err, enum e8_rc *rc)
{
    struct e8_dlog *log = NULL;
    struct e8_record event = {.kind = E8_RECORD_EVENT, .event = a->delivery.event};
    struct e8_record attempt = {.kind = E8_RECORD_ATTEMPT};
    *rc = e8_dlog_open(path, 1, &log, err);
    *rc = *rc ? *rc : e8_dlog_begin(log, run, err);
    if (*rc) {
        return;
    }
    int type = e8_catalog_find(a->catalog, e8_str(a->delivery.type));
    event.event.event = 0;
    event.event.step = 0;
    event.event.type = (uint16_t)(type < 0 ? 0 : type);
    attempt.attempt = (struct e8_attempt){
        .number = (uint16_t)number,
        .outcome = (uint8_t)x->outcome,
        .trigger = E8_TRIGGER_RESEND,
        .flags = x->flags,
        .status = (int16_t)x->status,
        .last = true,
        .type = event.event.type,
        .times = {due, x->sent < due ? due : x->sent, x->done},
        .phases = x->phases,
        .bytes_sent = x->bytes_sent,
        .bytes_received = x->bytes_received,
        .timestamp = timestamp,
    };
    memcpy(attempt.attempt.event_id, event.event.id, E8_ID_MAX);
    memcpy(attempt.attempt.delivery_id, a->rows[0].delivery_id, strlen(a->rows[0].delivery_id) + 1);
    memcpy(attempt.attempt.error, x->error, E8_ERROR_MAX);
    struct e8_record *slot = e8_ring_slot(e8_dlog_ring(log, 0));
    *slot = event;
    e8_ring_push(e8_dlog_ring(log, 0));
    slot = e8_ring_slot(e8_dlog_ring(log, 0));
    *slot = attempt;
    e8_ring_push(e8_dlog_ring(log, 0));
    e8_stats_event(stats, event.event.type);
    e8_stats_planned(stats, 0, event.event.type);
    e8_stats_add(stats, &attempt.attempt);
    run->ended = e8_wall_now();
    run->planned = 1;
    run->stats = stats;
    *rc = e8_dlog_finish(&log, run, err);
}

static enum e8_rc exchange_once(struct again *a, const struct e8_reach *reach, struct e8_exchange *x,
                                struct e8_err *err)
{
    struct e8_transport *transport = NULL;
    enum e8_rc rc = e8_transport_new(&transport, err);
    if (rc) {
        return rc;
    }
    *x = (struct e8_exchange){
        .magic = E8_EXCHANGE_MAGIC,
        .url = e8_str(a->endpoint.url),
        .reach = reach,
        .method = a->parts.method,
        .headers = a->parts.headers,
        .header_count = a->parts.count,
        .body = a->parts.body,
        .wire = a->parts.wire,
        .deadline = e8_mono_now() + a->endpoint.timeout,
    };
    e8_transport_submit(transport, x);
    while (!e8_transport_next(transport)) {
        e8_transport_wait(transport, E8_NEVER);
    }
    e8_transport_free(&transport);
    return E8_OK;
}

static enum e8_rc resend(struct again *a, const char *path, struct e8_exchange *x, struct e8_err *err)
{
    struct e8_cli_reach reach = {0};
    char address[64];
    int number = a->rows[a->row_count - 1].number + 1;
    enum e8_rc rc = e8_transport_init(err);
    rc = rc ? rc : e8_cli_reach(a->args, NULL, &reach, err);
    rc = rc ? rc : e8_reach_permits(&reach.reach, e8_str(a->endpoint.url), address, err);
    e8_wall_ns wall = e8_wall_now();
    e8_mono_ns due = e8_mono_now();
    rc = rc ? rc : build_request(a, &a->rows[0], wall / E8_NS_S, number, err);
    rc = rc ? rc : exchange_once(a, &reach.reach, x, err);
    if (!rc) {
        struct e8_stats *stats = e8_stats_new(1, (unsigned)e8_catalog_count(a->catalog));
        struct e8_log_endpoint endpoint = {
            .name = a->endpoint.name,
            .url = a->endpoint.url,
            .scheme = a->signer ? a->endpoint.scheme->name : "none",
            .events = "*",
            .environments = "*",
            .timeout = a->endpoint.timeout,
            .attempts = 1,
            .headers = e8_cli_header_names(a->arena, a->endpoint.headers, a->endpoint.header_count)};
        struct e8_log_step step = {.type = a->delivery.type,
                                   .environment = a->delivery.environment,
                                   .edits = a->delivery.step.edits,
                                   .body = e8_buf_str(&a->body),
                                   .name = a->delivery.step.name};
        struct e8_log_run run = {
            .name = "resend",
            .scenario_digest = "",
            .fixtures_digest = e8_catalog_digest(a->catalog),
            .version = E8_VERSION,
            .curl_version = e8_transport_curl_version(),
            .command = "emit8 log --resend",
            .seed = a->delivery.seed,
            .started = wall,
            .epoch = due,
            .workers = 1,
            .insecure = reach.reach.insecure,
            .endpoints = &endpoint,
            .endpoint_count = 1,
            .steps = &step,
            .step_count = 1,
            .types = e8_catalog_names(a->catalog),
            .type_count = e8_catalog_count(a->catalog),
        };
        log_resend(a, path, x, due, wall / E8_NS_S, number, stats, &run, err, &rc);
        e8_stats_free(&stats);
    }
    e8_cli_reach_fini(&reach);
    return rc;
}

int e8_cli_resend(const struct e8_args *args, struct e8_dlog_reader *reader, const char *log_path,
                  const char *delivery)
{
    struct again *a = new_again(args, reader);
    struct e8_err err = {0};
    struct e8_exchange x = {0};
    int code;
    enum e8_rc rc = open_again(a, delivery, &err);
    if (!rc && !a->signer && strcmp(a->delivery.scheme, "none") != 0) {
        rc = e8_fail(&err, E8_INPUT, "--secret-file FILE, or EMIT8_SECRET",
                     "the delivery was signed: its secret is needed");
    }
    if (!rc) {
        warn_fixtures(a);
        warn_headers(a);
        rc = resend(a, log_path, &x, &err);
    }
    if (rc) {
        code = e8_exit_error(&err);
    } else {
        char took[E8_DUR_MAX];
        char status[16] = "---";
        if (x.status) {
            snprintf(status, sizeof status, "%d", x.status);
        }
        printf("%s  %s  %s #%d  %s%s%s\n", status, e8_outcome_info(x.outcome)->name, a->rows[0].delivery_id,
               a->rows[a->row_count - 1].number + 1, e8_dur_text(x.done - x.sent, took),
               x.error[0] ? "  " : "", x.error);
        code = x.outcome == E8_DELIVERED ? E8_EXIT_PASS : E8_EXIT_FAIL;
    }
    close_again(a);
    return code;
}
