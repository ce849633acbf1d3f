#include "transport/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define LATE       E8_NS_MS            /* what lay there so long before libcurl read is what it read */
#define JOINED_MAX E8_TLS_RECORD       /* a body that is sent together with its head */
#define READS_MAX  64                  /* of a link, one after the other */
#define VAIN_MAX   8u                  /* the same, where TLS found nothing for us in what was read */
#define REST_MAX   ((size_t)256 << 10) /* bytes that TLS has to say and the receiver does not take */
#define TURN       (E8_NS_MS / 10)     /* of the others, then */

/* --- bytes ------------------------------------------------------------------------------------------------------------- */

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* A system call's, as e8_link_read and write_part tell it. */
static ssize_t result_of(ssize_t n, int error)
{
    return n >= 0 ? n : would_block(error) ? -1 : -2;
}

static int error_of(const struct e8_slot *slot)
{
    long error = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &error);
    return error ? (int)error : EIO;
}

static ssize_t sent_of(struct e8_link *link, ssize_t n, int error)
{
    ssize_t result = result_of(n, error);
    link->send_errno = result == -2 ? error : 0;
    return result;
}

static ssize_t write_rest(struct e8_link *link)
{
    const struct e8_str rest = e8_buf_str(&link->rest);
    ssize_t n =
        send(link->fd, rest.p + link->rest_sent, rest.n - link->rest_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    ssize_t result = sent_of(link, n, n < 0 ? errno : 0);
    link->rest_sent += result > 0 ? (size_t)result : 0;
    if (link->rest_sent == rest.n) {
        e8_buf_reset(&link->rest);
        link->rest_sent = 0;
    }
    return result;
}

/* What TLS itself has to say, to what it has read. It comes behind what is in the queue. */
static void answer_tls(struct e8_link *link)
{
    struct e8_outgoing *out = link->queued ? &link->transport->outgoing[link->queued - 1] : NULL;
    if (e8_tls_take_out(&link->tls, out ? &out->request : &link->rest) && !out)
        (void)write_rest(link);
}

/* `got` has been read of the socket, where there was `room`. As e8_link_read; an end without close_notify is an error: what came before may
 * have been cut. */
static ssize_t feed_tls(struct e8_link *link, const char *bytes, ssize_t got, size_t room, int *error)
{
    link->drained = got < (ssize_t)room;
    if (got > 0)
        e8_tls_feed(&link->tls, bytes, (size_t)got);
    if (got == 0)
        *error = EIO;
    return got == 0 ? -2 : result_of(got, *error);
}

static enum e8_io_kind reading(const struct e8_transport *t)
{
    return t->stamper >= 0 ? E8_IO_RECV_STAMPED : E8_IO_RECV;
}

static void take_time(struct e8_link *link, const struct e8_io *io)
{
    link->read_at = io->at;
    link->stamped = io->stamped;
}

/* There is more, perhaps without end: the other links, and the deadline, have their turn before it is read. */
static void put_off(struct e8_link *link)
{
    struct e8_timers *turns = &link->transport->turns;
    link->unread = true;
    e8_timers_remove(turns, &link->timer);
    e8_timers_add(turns, &link->timer, e8_mono_now() + TURN);
}

/* Negative: -errno. */
static ssize_t read_socket(struct e8_link *link, char *out, size_t n)
{
    struct e8_transport *t = link->transport;
    struct e8_io io = {.fd = link->fd, .bytes = out, .n = n};
    e8_batch_run(t->batch, reading(t), &io, 1);
    take_time(link, &io);
    return io.done;
}

static ssize_t read_fed(struct e8_link *link, char *out, size_t n, int *error)
{
    char bytes[E8_TLS_RECORD];
    for (unsigned reads = 0;; reads++) {
        ssize_t got = e8_tls_read(&link->tls, out, n, error);
        answer_tls(link);
        if (got != -1)
            return got;
        if (link->rest.n - link->rest_sent > REST_MAX) { /* who asks for so many answers, and reads none */
            *error = EIO;
            return -2;
        }
        if (reads == VAIN_MAX) {
            put_off(link);
            return -1;
        }
        got = read_socket(link, bytes, sizeof bytes);
        *error = got < 0 ? (int)-got : 0;
        got = feed_tls(link, bytes, got, sizeof bytes, error);
        if (got < 0)
            return got;
    }
}

/* OpenSSL has come to the end of a record that held no data; see e8_tls_take_turns. */
static bool lies_there(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* As curl_easy_recv; and when the last of what lay there came, where that is known. */
static CURLcode recv_by_curl(struct e8_link *link, char *out, size_t n, size_t *got, e8_mono_ns *came)
{
    struct e8_transport *t = link->transport;
    for (unsigned reads = 1;; reads++) {
        if (t->stamper < 0 || !e8_batch_peek(t->batch, link->fd, came))
            *came = E8_NEVER;
        CURLcode code = curl_easy_recv(link->slot->easy, out, n, got);
        if (code != CURLE_AGAIN || !lies_there(link->fd))
            return code;
        if (reads == VAIN_MAX) {
            put_off(link);
            return code;
        }
    }
}

static ssize_t read_tls(struct e8_link *link, char *out, size_t n, int *error)
{
    size_t got = 0;
    e8_mono_ns came;
    if (link->tls.ssl)
        return read_fed(link, out, n, error);
    CURLcode code = recv_by_curl(link, out, n, &got, &came);
    e8_mono_ns now = e8_mono_now();
    link->stamped = came != E8_NEVER && now - came > LATE;
    link->read_at = link->stamped ? came : now;
    if (code == CURLE_AGAIN)
        return -1;
    if (code == CURLE_OK)
        return (ssize_t)got;
    *error = error_of(link->slot);
    return -2;
}

ssize_t e8_link_read(struct e8_link *link, char *out, size_t n, int *error)
{
    *error = 0;
    if (link->slot)
        return read_tls(link, out, n, error);
    ssize_t got = read_socket(link, out, n);
    *error = got < 0 ? (int)-got : 0;
    return result_of(got, *error);
}

/* What is to be sent next: of the head, which a small body has been joined to, then of a large body. */
static struct e8_str next_part(const struct e8_link *link)
{
    const struct e8_str head = e8_buf_str(&link->head), body = link->apart;
    size_t of_body = link->sent - link->head_size;
    if (link->sent < link->head_size)
        return (struct e8_str){head.p + link->sent, head.n - link->sent};
    return (struct e8_str){body.p + of_body, body.n - of_body};
}

static ssize_t seal(struct e8_link *link, struct e8_str part, struct e8_buf *out)
{
    ssize_t n = e8_tls_write(&link->tls, part, &link->send_errno);
    (void)e8_tls_take_out(&link->tls, out);
    return n;
}

static ssize_t write_tls(struct e8_link *link, struct e8_str part)
{
    size_t sent = 0;
    link->send_errno = 0;
    if (link->tls.ssl)
        return seal(link, part, &link->rest);
    CURLcode code = curl_easy_send(link->slot->easy, part.p, part.n, &sent);
    link->send_errno = code && code != CURLE_AGAIN ? error_of(link->slot) : 0;
    return code == CURLE_OK ? (ssize_t)sent : code == CURLE_AGAIN ? -1 : -2;
}

/* How many bytes were written; -1: not now; -2: never. */
static ssize_t write_part(struct e8_link *link, struct e8_str part)
{
    if (link->slot)
        return write_tls(link, part);
    ssize_t n = send(link->fd, part.p, part.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent_of(link, n, n < 0 ? errno : 0);
}

/* As write_part; of the request, or of records that hold some of it. */
static ssize_t write_more(struct e8_link *link)
{
    if (link->rest.n)
        return write_rest(link);
    ssize_t n = write_part(link, next_part(link));
    link->sent += n > 0 ? (size_t)n : 0;
    return n;
}

static bool all_sent(const struct e8_link *link)
{
    return link->sent == link->head_size + link->apart.n && !link->rest.n;
}

/* --- the end ------------------------------------------------------------------------------------------------------------ */

static enum e8_far far_of(const struct e8_link *link)
{
    return link->reply.complete ? E8_FAR_HEAD : link->received ? E8_FAR_ANSWERED : E8_FAR_SENT;
}

static void fill_phases(const struct e8_link *link, struct e8_exchange *x)
{
    x->phases.first_byte = link->first_byte ? link->first_byte - link->started : -1;
    x->phases.total = x->done - link->started;
}

static void leave_queue(struct e8_link *link)
{
    if (link->queued)
        link->transport->outgoing[link->queued - 1].link = NULL;
    link->queued = 0;
}

/* Hands the exchange back; the link stays. */
static void finish_at(struct e8_link *link, enum e8_outcome outcome, const char *why, e8_mono_ns done)
{
    struct e8_exchange *x = link->exchange;
    leave_queue(link);
    x->done = done;
    x->outcome = outcome;
    x->status = link->reply.status;
    x->http_version = link->reply.version;
    x->bytes_sent = link->sent;
    x->bytes_received = link->received;
    fill_phases(link, x);
    memcpy(x->address, link->address, strlen(link->address) + 1);
    if (outcome != E8_DELIVERED)
        e8_transfer_why(x, why);
    x->slot = NULL;
    link->exchange = NULL;
    e8_transfer_ready(link->transport, x);
}

static void finish(struct e8_link *link, enum e8_outcome outcome, const char *why)
{
    finish_at(link, outcome, why, link->answered ? link->answered : e8_mono_now());
}

void e8_link_end(struct e8_link *link, enum e8_outcome outcome, const char *why)
{
    E8_CHECK_MAGIC(link, E8_LINK_MAGIC);
    if (link->exchange)
        finish(link, outcome, why);
    e8_link_close(&link);
}

void e8_link_abandon(struct e8_link *link, enum e8_outcome outcome, const char *why)
{
    E8_CHECK_MAGIC(link, E8_LINK_MAGIC);
    if (link->exchange)
        finish(link, outcome, why);
    e8_link_doom(link);
}

/* An answer has come before the whole request has gone. Unless it refuses, the rest still goes: the receiver may count on it. */
static bool is_early(const struct e8_link *link)
{
    return !all_sent(link) && !link->send_errno && !link->hung_up && link->reply.status < 400;
}

static void conclude(struct e8_link *link, bool trailing)
{
    bool again = link->reply.persistent && !trailing && all_sent(link) && !link->hung_up;
    enum e8_outcome outcome = e8_outcome_of_status(link->reply.status);
    if (trailing)
        link->exchange->flags |= E8_FLAG_TRAILING_BYTES;
    if (!again) {
        e8_link_end(link, outcome, NULL);
        return;
    }
    finish(link, outcome, NULL);
    e8_link_idle(link);
}

static void capped(struct e8_link *link)
{
    link->exchange->flags |= E8_FLAG_BODY_CAPPED;
    e8_link_end(link, e8_outcome_of_status(link->reply.status), NULL);
}

static void broken_reply(struct e8_link *link)
{
    static const enum e8_outcome outcomes[] = {
        [E8_REPLY_GOOD] = E8_UNKNOWN,
        [E8_REPLY_NOT_HTTP] = E8_NOT_HTTP,
        [E8_REPLY_BAD_STATUS] = E8_BAD_STATUS,
        [E8_REPLY_BAD_FRAMING] = E8_BAD_FRAMING,
        [E8_REPLY_BAD_HEADER] = E8_BAD_HEADER,
        [E8_REPLY_TOO_MANY_INTERIM] = E8_TOO_MANY_INTERIM,
        [E8_REPLY_UPGRADED] = E8_UNEXPECTED_101,
    };
    e8_link_end(link, outcomes[link->reply.fault], link->reply.why);
}

/* The connection has ended within the exchange: by an error, or orderly (0). */
static void broken_off(struct e8_link *link, int error)
{
    struct e8_slot *slot = link->slot;
    bool reset = error == ECONNRESET || error == EPIPE;
    struct e8_evidence ev = {
        .code = link->send_errno && !link->received ? CURLE_SEND_ERROR : CURLE_GOT_NOTHING,
        .os_errno = error,
        .io_errno = error,
        .far = far_of(link),
        .end = reset && !slot ? E8_WIRE_RESET : E8_WIRE_FIN,
        .reused = !link->opened,
        .received = link->received,
        .waited = e8_mono_now() - link->exchange->sent,
        .status = link->reply.status,
        .error = slot ? slot->error : "",
    };
    char refused[E8_ERROR_MAX] = "";
    if (slot) {
        e8_transfer_refused(slot, refused);
        ev.alert = e8_conn_alert(slot);
        ev.alert_unread = link->send_errno && link->fd >= 0 && e8_conn_alert_lies(slot, link->fd);
    }
    enum e8_outcome outcome = e8_classify(&ev);
    if (!link->opened)
        e8_link_distrust(link);
    if (outcome == E8_STALE_CONNECTION)
        e8_link_end(link, outcome, "the kept-alive connection was closed before it answered");
    else if (outcome == E8_TLS_HANDSHAKE)
        e8_link_end(link, outcome, refused);
    else if (e8_classify_own_fault(outcome))
        e8_link_end(link, outcome, e8_classify_own_fault(outcome));
    else
        e8_link_end(link, outcome, reset ? "the connection was reset" : "the connection was closed");
}

/* --- the exchange -------------------------------------------------------------------------------------------------------- */

static void on_field(void *exchange, struct e8_str name, struct e8_str value)
{
    e8_response_field(exchange, name, value);
}

/* What was read before need not be read again. */
static size_t read_known(struct e8_link *link, const char *bytes, size_t n)
{
    bool first = !link->received && !link->exchange->keep;
    return first ? e8_reply_recall(&link->reply, &link->origin->memo, bytes, n) : 0;
}

static size_t read_reply(struct e8_link *link, const char *bytes, size_t n)
{
    struct e8_exchange *x = link->exchange;
    const struct e8_reply_taker taker = {on_field, x, x->keep ? &x->head : NULL,
                                         x->keep ? &x->content : NULL};
    size_t known = read_known(link, bytes, n);
    size_t taken = known + e8_reply_feed(&link->reply, bytes + known, n - known, &taker);
    if (!link->received && !known && !x->retry_after[0] && !x->location[0])
        e8_reply_remember(&link->origin->memo, &link->reply, bytes, n);
    return taken;
}

/* What was read last came then; never before what was there before it, even where the clock that stamps was set meanwhile. */
static e8_mono_ns came_at(const struct e8_link *link)
{
    e8_mono_ns least = link->received ? link->first_byte : link->exchange->sent;
    return link->read_at > least ? link->read_at : least;
}

static void run_out(struct e8_link *link, e8_mono_ns now)
{
    finish_at(link, e8_classify_timeout(far_of(link)), e8_transfer_late(far_of(link)), now);
    e8_link_doom(link);
}

/* By the kernel's stamp: true, and the exchange has ended, where what was read came before the request, which it cannot answer then, or
 * after the deadline. */
static bool came_amiss(struct e8_link *link, size_t n)
{
    const struct e8_exchange *x = link->exchange;
    if (!link->stamped || link->answered)
        return false;
    if (!link->received && link->read_at < x->sent) {
        link->received = n;
        e8_link_distrust(link);
        e8_link_end(link, E8_DESYNC, "the receiver spoke before the request was sent");
        return true;
    }
    if (link->read_at <= x->deadline)
        return false;
    run_out(link, e8_mono_now());
    return true;
}

/* True when the exchange has ended, and with it perhaps the link. */
static bool take_bytes(struct e8_link *link, const char *bytes, size_t n)
{
    if (came_amiss(link, n))
        return true;
    e8_mono_ns now = came_at(link);
    size_t taken = read_reply(link, bytes, n);
    if (!link->received)
        link->first_byte = now;
    link->received += n;
    switch (link->reply.state) {
    case E8_REPLY_WHOLE:
        if (!link->answered)
            link->answered = now;
        if (taken == n && is_early(link))
            return false;
        conclude(link, taken < n);
        return true;
    case E8_REPLY_CAPPED:
        capped(link);
        return true;
    case E8_REPLY_BROKEN:
        broken_reply(link);
        return true;
    default:
        return false;
    }
}

static void ended(struct e8_link *link, int error)
{
    if (!error)
        e8_reply_eof(&link->reply);
    if (link->reply.state == E8_REPLY_WHOLE) {
        link->hung_up = true;
        conclude(link, false);
    } else {
        broken_off(link, error ? error : link->send_errno);
    }
}

/* Is nothing left to be read, when n bytes were where there was room for more? */
static bool ran_dry(const struct e8_link *link, size_t n, size_t room)
{
    if (link->hung_up || link->send_errno)
        return false;
    if (!link->slot)
        return n < room;
    return link->tls.ssl && link->drained && !e8_tls_pending(&link->tls);
}

/* What a read gave: n as e8_link_read says. False: there may be more. */
static bool take_read(struct e8_link *link, const char *bytes, ssize_t n, int error)
{
    if (n == -1 && !link->send_errno) {
        link->hung_up = false; /* the event was another connection's, of the same number */
        return true;
    }
    if (n <= 0) {
        ended(link, n == -1 ? link->send_errno : error);
        return true;
    }
    return take_bytes(link, bytes, (size_t)n);
}

/* Reads until there is nothing, or the exchange has ended, or others have waited for long enough. */
static void pull(struct e8_link *link)
{
    struct e8_transport *t = link->transport;
    unsigned reads = 0;
    link->unread = false;
    for (bool dry = false; !dry;) {
        int error;
        if (reads++ == READS_MAX) {
            put_off(link);
            return;
        }
        ssize_t n = e8_link_read(link, t->inbox, sizeof t->inbox, &error);
        dry = n > 0 && ran_dry(link, (size_t)n, sizeof t->inbox);
        if (take_read(link, t->inbox, n, error))
            return;
    }
}

static void take_fed(struct e8_link *link, const char *piece, ssize_t got)
{
    int error = got < 0 ? (int)-got : 0;
    ssize_t n = feed_tls(link, piece, got, E8_PIECE, &error);
    if (n > 0)
        pull(link);
    else
        (void)take_read(link, piece, n, error);
}

/* What a batch has read of the link's socket. */
static void take_piece(struct e8_link *link, const char *piece, ssize_t got)
{
    int error = got < 0 ? (int)-got : 0;
    bool dry = got > 0 && ran_dry(link, (size_t)got, E8_PIECE);
    if (link->slot)
        take_fed(link, piece, got);
    else if (!take_read(link, piece, result_of(got, error), error) && !dry)
        pull(link);
}

void e8_links_read(struct e8_transport *t, struct e8_link **links, size_t count)
{
    struct e8_io list[E8_BATCH_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!links[i]->exchange ||
            links[i]->fd < 0) /* libcurl has closed it meanwhile, or all of its multi */
            continue;
        list[n] = (struct e8_io){.fd = links[i]->fd, .bytes = t->pieces[n], .n = E8_PIECE};
        links[n++] = links[i];
    }
    e8_batch_run(t->batch, reading(t), list, n);
    for (size_t i = 0; i < n; i++) {
        take_time(links[i], &list[i]);
        take_piece(links[i], t->pieces[i], list[i].done);
    }
}

/* After an error of sending an answer may still lie there. */
static void push(struct e8_link *link)
{
    if (link->queued)
        return;
    while (!all_sent(link)) {
        ssize_t n = write_more(link);
        if (n == -2)
            pull(link);
        if (n < 0)
            return;
    }
    if (link->answered)
        conclude(link, false);
}

static int64_t length_of(const struct e8_exchange *x)
{
    bool bodied = x->body.n || e8_str_is(x->method, "POST") || e8_str_is(x->method, "PUT") ||
                  e8_str_is(x->method, "PATCH");
    return bodied ? (int64_t)x->body.n : -1;
}

static void write_request(struct e8_link *link, const struct e8_target *target, struct e8_buf *out)
{
    const struct e8_exchange *x = link->exchange;
    for (size_t i = 0; i < x->header_count; i++)
        E8_ASSERT(e8_header_name_valid(x->headers[i].name) && e8_header_value_valid(x->headers[i].value));
    e8_buf_reset(out);
    e8_http1_head(out, x->method, e8_buf_str(&target->line), x->headers, x->header_count, length_of(x));
    link->apart = x->body;
    if (x->body.n <= JOINED_MAX) {
        link->apart.n = 0;
        e8_buf_putstr(out, x->body);
    }
    link->head_size = out->n;
}

/* Nearly always the kernel takes all of it at once, so that the same memory serves for all links; what it does not take the link keeps. */
static void take_sent(struct e8_link *link, struct e8_str request, ssize_t n)
{
    size_t taken = n > 0 ? (size_t)n : 0;
    if (link->slot) {
        link->sent = n == -2 ? 0 : link->sealed;
        e8_buf_put(&link->rest, request.p + taken, request.n - taken);
    } else {
        link->sent = taken;
        e8_buf_reset(&link->head);
        e8_buf_put(&link->head, request.p, taken < request.n ? request.n : 0);
    }
    if (n == -2)
        pull(link);
    else if (n >= 0)
        push(link);
}

static void starts_at(struct e8_link *link, e8_mono_ns now)
{
    link->exchange->sent = now;
    if (!link->opened)
        link->started = now;
}

void e8_links_send(struct e8_transport *t)
{
    struct e8_io list[E8_BATCH_MAX];
    const struct e8_outgoing *sent[E8_BATCH_MAX];
    size_t count = 0;
    if (!t->outgoing_count)
        return;
    e8_mono_ns now = e8_mono_now();
    for (size_t i = 0; i < t->outgoing_count; i++) {
        const struct e8_outgoing *out = &t->outgoing[i];
        if (!out->link)
            continue;
        out->link->queued = 0;
        starts_at(out->link, now + (e8_dur_ns)count); /* in their order */
        list[count] = (struct e8_io){.fd = out->link->fd, .bytes = out->request.p, .n = out->request.n};
        sent[count++] = out;
    }
    t->outgoing_count = 0;
    e8_batch_run(t->batch, E8_IO_SEND, list, count);
    for (size_t i = 0; i < count; i++) {
        struct e8_link *link = sent[i]->link;
        int error = list[i].done < 0 ? (int)-list[i].done : 0;
        take_sent(link, e8_buf_str(&sent[i]->request), sent_of(link, list[i].done, error));
    }
}

static struct e8_buf *join_queue(struct e8_link *link)
{
    struct e8_transport *t = link->transport;
    if (t->outgoing_count == E8_BATCH_MAX)
        e8_links_send(t);
    struct e8_outgoing *out = &t->outgoing[t->outgoing_count++];
    out->link = link;
    link->queued = t->outgoing_count;
    return &out->request;
}

/* Where TLS cannot take it, push finds out why, after what TLS itself had to say. */
static void seal_request(struct e8_link *link)
{
    struct e8_buf *out = join_queue(link);
    e8_buf_reset(out);
    ssize_t n = seal(link, e8_buf_str(&link->head), out);
    link->sealed = n > 0 ? (size_t)n : 0;
    if (n <= 0) {
        e8_buf_putstr(&link->rest, e8_buf_str(out));
        leave_queue(link);
    }
}

static void set_deadline(struct e8_link *link, e8_mono_ns deadline)
{
    struct e8_timers *turns = &link->transport->turns;
    if (link->timer.place && link->timer.at <= deadline)
        return;
    e8_timers_remove(turns, &link->timer);
    if (deadline != E8_NEVER)
        e8_timers_add(turns, &link->timer, deadline);
}

void e8_link_begin(struct e8_link *link, struct e8_target *target, struct e8_exchange *x, e8_mono_ns now)
{
    E8_CHECK_MAGIC(link, E8_LINK_MAGIC);
    E8_ASSERT(!link->exchange && !link->idle);
    link->exchange = x;
    x->slot = link;
    link->sent = 0;
    link->send_errno = 0;
    link->received = 0;
    link->first_byte = link->answered = 0;
    link->unread = false;
    e8_reply_reset(&link->reply, e8_str_is(x->method, "HEAD"), E8_BODY_READ_MAX);
    write_request(link, target, link->slot ? &link->head : join_queue(link));
    if (link->tls.ssl)
        seal_request(link);
    set_deadline(link, x->deadline);
    starts_at(link, link->queued ? now : e8_mono_now()); /* what is queued: again when that goes out */
    if (!link->opened) {
        x->flags |= E8_FLAG_REUSED;
        link->transport->counts.reused++;
    }
    if (link->slot) {
        link->slot->error[0] = '\0';
        push(link);
    }
}

void e8_link_refuse(struct e8_link *link, struct e8_exchange *x, enum e8_outcome outcome)
{
    link->exchange = x;
    x->sent = e8_mono_now();
    e8_link_end(link, outcome, NULL);
}

/* A handshake anew, in the middle of a connection, holds the request back until its last message has been read. */
static void go_on(struct e8_link *link)
{
    const struct e8_exchange *x = link->exchange;
    pull(link);
    bool over = x->slot != link; /* and with it perhaps the link */
    if (!over && !all_sent(link))
        push(link);
}

/* Nothing is asked, or not all has been sent, or libcurl reads it. */
static void serve_alone(struct e8_link *link, uint32_t events, bool may_read)
{
    if (!link->exchange) {
        if (may_read && !e8_link_clean(link))
            e8_link_close(&link);
        return;
    }
    const struct e8_exchange *x = link->exchange;
    if ((events & EPOLLOUT) && !all_sent(link))
        push(link);
    bool over = x->slot != link; /* and with it perhaps the link */
    if (!over && may_read)
        go_on(link);
}

bool e8_link_serve(struct e8_link *link, uint32_t events)
{
    bool may_read = events & ~(uint32_t)EPOLLOUT, ours = !link->slot || link->tls.ssl;
    E8_CHECK_MAGIC(link, E8_LINK_MAGIC);
    link->hung_up = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (link->doomed || link->unread)
        return false;
    if (ours && link->exchange && all_sent(link))
        return may_read;
    serve_alone(link, events, may_read);
    return false;
}

/* libcurl has closed the connection. */
static void lost(struct e8_link *link)
{
    if (link->exchange)
        broken_off(link, 0);
    else
        e8_link_close(&link);
}

void e8_link_due(struct e8_link *link, e8_mono_ns now)
{
    e8_timers_remove(&link->transport->turns, &link->timer);
    if (link->fd < 0 && !link->doomed) {
        lost(link);
        return;
    }
    if (!link->exchange)
        return;
    if (link->exchange->deadline > now) {
        set_deadline(link, link->exchange->deadline);
        if (link->unread)
            go_on(link);
        return;
    }
    if (link->answered) {
        conclude(link, false);
        return;
    }
    run_out(link, now);
}
