#include <string.h>

#include "check/internal.h"

#define CURL_MAX ((size_t)4 << 10) /* bytes of a body that a command line still carries */

static struct e8_str keep(struct e8_check *check, struct e8_buf *text)
{
    struct e8_str kept = e8_arena_str(check->arena, e8_buf_str(text));
    e8_buf_fini(text);
    return kept;
}

/* What the user gave with -H may be a password, and so may what a name says it of; what signs and describes is made by us. */
static size_t shown_headers(const struct e8_check *check, const struct e8_done *done,
                            struct e8_header out[E8_REQUEST_HEADERS])
{
    const struct e8_endpoint *endpoint = &check->plan->endpoints[done->attempt->endpoint];
    size_t count =
        done->exchange->header_count < E8_REQUEST_HEADERS ? done->exchange->header_count : E8_REQUEST_HEADERS;
    for (size_t i = 0; i < count; i++) {
        out[i] = done->exchange->headers[i];
        if (e8_header_is_secret(out[i].name)) {
            out[i].value = E8_LIT("***");
        }
        for (size_t j = 0; j < endpoint->header_count; j++) {
            if (e8_str_ieq(out[i].name, endpoint->headers[j].name) &&
                e8_str_eq(out[i].value, endpoint->headers[j].value)) {
                out[i].value = E8_LIT("***");
            }
        }
    }
    return count;
}

static struct e8_str cut(struct e8_str body)
{
    return body.n > SHOWN_MAX ? (struct e8_str){body.p, SHOWN_MAX} : body;
}

static void put_rest(struct e8_buf *out, struct e8_str body)
{
    if (body.n > SHOWN_MAX) {
        e8_buf_printf(out, "\n… %zu bytes in all", body.n);
    }
}

static void put_request(const struct e8_exchange *exchange, const struct e8_url *url,
                        const struct e8_header *headers, size_t count, struct e8_buf *out)
{
    struct e8_buf whole;
    e8_buf_init(&whole, SIZE_MAX / 2);
    e8_http1_request(&whole, exchange->method, url, headers, count, exchange->body);
    struct e8_str head = {whole.p, whole.n - exchange->body.n};
    e8_buf_putstr(out, head);
    e8_buf_putstr(out, cut(exchange->body));
    put_rest(out, exchange->body);
    e8_buf_fini(&whole);
}

static void put_answer(const struct e8_exchange *exchange, struct e8_buf *out)
{
    struct e8_str head = e8_buf_str(&exchange->head), body = e8_buf_str(&exchange->content);
    if (!exchange->status) {
        return;
    }
    while (head.n && (head.p[head.n - 1] == '\n' || head.p[head.n - 1] == '\r')) {
        head.n--;
    }
    e8_buf_putstr(out, head);
    e8_buf_puts(out, "\r\n\r\n");
    e8_buf_putstr(out, cut(body));
    put_rest(out, body);
}

static const char *got(struct e8_check *check, const struct e8_done *done)
{
    const struct e8_attempt *attempt = done->attempt;
    char took[E8_DUR_MAX];
    e8_dur_text(e8_service_time(&attempt->times), took);
    if (attempt->status) {
        return e8_arena_printf(check->arena, "%d in %s", attempt->status, took);
    }
    const struct e8_outcome_info *info = e8_outcome_info((enum e8_outcome)attempt->outcome);
    const char *error = done->exchange && done->exchange->error[0] ? done->exchange->error : info->text;
    return e8_arena_printf(check->arena, "no answer in %s: %s", took, error);
}

static const char *expected(struct e8_check *check, const struct e8_emit *emit)
{
    struct e8_buf text;
    int64_t low, high;
    if (!emit->expect) {
        return NULL;
    }
    e8_buf_init(&text, 4096);
    e8_expect_text(emit->expect, &text);
    if (e8_expect_effect(emit->expect, &low, &high) && !memmem(text.p, text.n, "effect", 6)) {
        e8_buf_printf(&text, low == high ? "; effect %lld" : "; effect %lld..%lld", (long long)low,
                      (long long)high);
    }
    return keep(check, &text).p;
}

struct e8_exhibit e8_check_exhibit(struct e8_check *check, const struct e8_done *done, const char *step)
{
    const struct e8_exchange *exchange = done->exchange;
    struct e8_exhibit exhibit = {
        .step = step, .expected = expected(check, done->emit), .got = got(check, done)};
    struct e8_header headers[E8_REQUEST_HEADERS];
    struct e8_buf address, text;
    struct e8_url url;
    if (!exchange) {
        return exhibit;
    }
    size_t count = shown_headers(check, done, headers);
    e8_buf_init(&address, 64 << 10);
    e8_url_redacted(exchange->url, &address);
    e8_buf_init(&text, SIZE_MAX / 2);
    if (!e8_url_parse(e8_buf_str(&address), &url, NULL)) {
        put_request(exchange, &url, headers, count, &text);
    }
    exhibit.request = keep(check, &text);
    e8_buf_init(&text, SIZE_MAX / 2);
    put_answer(exchange, &text);
    exhibit.answer = keep(check, &text);
    if (exchange->body.n <= CURL_MAX && !(exchange->wire && exchange->wire->close_after >= 0)) {
        e8_buf_init(&text, SIZE_MAX / 2);
        e8_http1_curl(&text, exchange->method, e8_buf_str(&address), headers, count, exchange->body);
        e8_http1_curl_wire(&text, exchange->wire);
        exhibit.curl = keep(check, &text).p;
    }
    e8_buf_fini(&address);
    return exhibit;
}

/* One of each step: twenty copies tell nothing more than one. */
void e8_check_show(struct e8_check_probe *probe, const struct e8_emit *emit, const struct e8_exhibit *exhibit)
{
    for (size_t i = 0; i < probe->exhibit_count; i++) {
        if (probe->exhibited[i] == emit) {
            return;
        }
    }
    if (probe->exhibit_count < EXHIBITS_MAX) {
        probe->exhibited[probe->exhibit_count] = emit;
        probe->exhibits[probe->exhibit_count++] = *exhibit;
    }
}

void e8_check_fault(struct e8_check *check, struct e8_check_probe *probe, const char *step, const char *why)
{
    probe->unmet++;
    if (!probe->why) {
        probe->why = step ? e8_arena_printf(check->arena, "%s: %s", step, why)
                          : e8_arena_str(check->arena, e8_str(why)).p;
    }
}
