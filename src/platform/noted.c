#include "platform/noted.h"

#include <stdlib.h>
#include <string.h>

#include "tamper/tamper.h"

/* The attempt's times by the wall clock. What the two clocks do between two looks at them must neither turn their order round, nor
 * make the attempt due before the moment from which the store has its delivery due. */
static void put_times(const struct e8_times *times, e8_wall_ns least, struct e8_store_attempt *out)
{
    e8_dur_ns offset = e8_wall_now() - e8_mono_now();
    e8_wall_ns due = times->due + offset;
    out->due = due > least ? due : least;
    out->sent = times->sent + offset > out->due ? times->sent + offset : out->due;
    out->done = times->done + offset > out->sent ? times->done + offset : out->sent;
}

/* What stands behind `start` is a head as on the wire: it gets the line ends of texts, and none at its end. */
static void trim_head(struct e8_buf *text, size_t start)
{
    size_t n = start;
    for (size_t i = start; i < text->n; i++) {
        if (text->p[i] != '\r') {
            text->p[n++] = text->p[i];
        }
    }
    while (n > start && text->p[n - 1] == '\n') {
        n--;
    }
    text->n = n;
}

/* With what the URL says of a user, which the transport makes a header of; secrets are shown as everywhere. */
static void put_head(struct e8_buf *text, const struct e8_request_parts *parts, struct e8_str target,
                     bool user)
{
    struct e8_header *headers = e8_new(parts->count + 1, sizeof *headers);
    memcpy(headers, parts->headers, parts->count * sizeof *headers);
    headers[parts->count] = (struct e8_header){E8_LIT("Authorization"), E8_LIT("***")};
    e8_http1_head(text, parts->method, target, headers, parts->count + user, (int64_t)parts->body.n);
    free(headers);
}

static void put_request(struct e8_buf *text, const struct e8_fed_end *end)
{
    struct e8_buf target, shown;
    struct e8_url url;
    if (e8_url_parse(end->exchange->url, &url, NULL)) {
        return;
    }
    bool user = url.userinfo.n > 0;
    e8_buf_init(&target, SIZE_MAX / 2);
    e8_buf_init(&shown, SIZE_MAX / 2);
    e8_url_redacted(end->exchange->url, &shown);
    if (e8_url_parse(e8_buf_str(&shown), &url, NULL) == E8_OK) {
        e8_http1_target(&target, &url);
        put_head(text, end->request, e8_buf_str(&target), user);
        trim_head(text, 0);
    }
    e8_buf_fini(&shown);
    e8_buf_fini(&target);
}

static struct e8_str cut(struct e8_str body, size_t most)
{
    return (struct e8_str){body.p, body.n < most ? body.n : most};
}

static bool same(struct e8_str a, struct e8_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* What was changed on purpose, but for how; another body than the event's goes to `text`. */
static void put_change(struct e8_buf *text, const struct e8_fed_end *end, struct e8_store_change *change)
{
    struct e8_str body = end->request->body;
    change->forged = e8_tamper_forges(end->tamper, end->scheme, body);
    change->has_body = !same(body, end->body);
    change->length = body.n;
    if (change->has_body) {
        e8_buf_putstr(text, cut(body, E8_STORE_BODY_MAX));
    }
}

static void put_texts(struct e8_noted *noted, const struct e8_fed_end *end, size_t most)
{
    const struct e8_exchange *x = end->exchange;
    struct e8_store_attempt *a = &noted->attempt;
    struct e8_buf *text = &noted->text;
    struct e8_str body = cut(e8_buf_str(&x->content), most);
    put_request(text, end);
    size_t request = text->n;
    e8_buf_putstr(text, e8_buf_str(&x->head));
    trim_head(text, request);
    size_t response = text->n;
    e8_buf_putstr(text, body);
    size_t change = text->n, how = change;
    if (end->tamper) {
        put_change(text, end, &a->change);
        how = text->n;
        e8_tamper_text(end->tamper, text);
    }
    e8_buf_putc(text, '\0'); /* so that there is memory to point at */
    a->request = (struct e8_str){text->p, request};
    a->response = (struct e8_str){text->p + request, response - request};
    a->body = (struct e8_str){text->p + response, body.n};
    a->body_length = x->bytes_received > x->head.n ? x->bytes_received - x->head.n : body.n;
    a->change.body = (struct e8_str){text->p + change, how - change};
    a->change.how = end->tamper ? text->p + how : NULL;
    memcpy(noted->error, end->attempt->error, sizeof noted->error);
    a->error = noted->error;
}

static enum e8_signed_by signed_by(const struct e8_fed_end *end)
{
    if (!end->scheme || end->secrets == 0) {
        return E8_SIGNED_UNKNOWN;
    }
    return end->before ? E8_SIGNED_BEFORE : end->secrets > 1 ? E8_SIGNED_BOTH : E8_SIGNED_PRESENT;
}

void e8_noted_fill(struct e8_noted *noted, const struct e8_fed_end *end, e8_wall_ns least, size_t most)
{
    const struct e8_attempt *from = end->attempt;
    noted->attempt = (struct e8_store_attempt){
        .number = from->number,
        .outcome = (enum e8_outcome)from->outcome,
        .trigger = (enum e8_trigger)from->trigger,
        .status = from->status,
        .phases = from->phases,
        .more = end->how == E8_FED_MORE,
        .copy = end->copy > 0,
        .next = e8_wall_now() + end->wait,
    };
    e8_buf_init(&noted->text, SIZE_MAX / 2);
    put_times(&from->times, least, &noted->attempt);
    put_texts(noted, end, most);
    noted->attempt.signed_by = noted->attempt.change.forged ? E8_SIGNED_UNKNOWN : signed_by(end);
}

bool e8_noted_cut(const struct e8_noted *noted)
{
    return noted->attempt.outcome == E8_ABORTED || noted->attempt.outcome == E8_UNKNOWN;
}
