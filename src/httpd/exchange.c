#include "httpd/exchange.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A body that is too large is still read up to this much more: a client that writes before it reads would otherwise
 * meet a reset instead of the 413. */
#define DISCARD_MAX ((size_t)16 << 20)
#define SPARES_MAX  1024
#define KEEP_BYTES  ((size_t)64 << 10) /* of a spare exchange's body */

static void heads_add(struct e8_service *ex)
{
    struct e8_httpd *httpd = ex->httpd;

    ex->next = NULL;
    ex->prev = httpd->heads_last;
    *(ex->prev ? &ex->prev->next : &httpd->heads_first) = ex;
    httpd->heads_last = ex;
}

static void heads_remove(struct e8_service *ex)
{
    *(ex->prev ? &ex->prev->next : &ex->httpd->heads_first) = ex->next;
    *(ex->next ? &ex->next->prev : &ex->httpd->heads_last) = ex->prev;
    ex->prev = ex->next = NULL;
}

static struct e8_service *take_spare(struct e8_httpd *httpd)
{
    struct e8_service *ex = httpd->spare;

    if (ex) {
        httpd->spare = ex->next;
        httpd->spare_count--;
        return ex;
    }
    ex = e8_new(1, sizeof *ex);
    ex->httpd = httpd;
    e8_buf_init(&ex->body, httpd->options.body_max);
    return ex;
}

static void free_exchange(struct e8_service *ex)
{
    e8_buf_fini(&ex->body);
    free(ex->headers);
    free(ex);
}

static void give_back(struct e8_service *ex)
{
    struct e8_httpd *httpd = ex->httpd;

    ex->magic = 0;
    if (ex->response)
        MHD_destroy_response(ex->response);
    ex->response = NULL;
    if (httpd->spare_count >= SPARES_MAX || ex->body.cap > KEEP_BYTES) {
        free_exchange(ex);
        return;
    }
    ex->next = httpd->spare;
    httpd->spare = ex;
    httpd->spare_count++;
}

void e8_exchanges_fini(struct e8_httpd *httpd)
{
    while (httpd->spare) {
        struct e8_service *ex = httpd->spare;

        httpd->spare = ex->next;
        free_exchange(ex);
    }
}

void e8_exchanges_sweep(struct e8_httpd *httpd, e8_mono_ns now)
{
    for (struct e8_service *ex = httpd->heads_first; ex && now - ex->line > E8_HEAD_TIME; ex = ex->next)
        e8_peer_late(e8_peer_of(ex->connection));
}

void *e8_exchange_begin(void *closure, const char *uri, struct MHD_Connection *connection)
{
    struct e8_httpd *httpd = closure;

    E8_CHECK_MAGIC(httpd, E8_HTTPD_MAGIC);
    struct e8_service *ex = take_spare(httpd);
    ex->magic = E8_EXCHANGE_MAGIC;
    ex->connection = connection;
    ex->phase = E8_PHASE_HEAD;
    ex->request = (struct e8_request){.impl = ex};
    ex->header_count = 0;
    ex->bad_head = strstr(uri, "%00") != NULL; /* would end the path early */
    ex->target_end = uri + strlen(uri);
    ex->refuse = 0;
    ex->answered = false;
    ex->discarded = 0;
    ex->fault = E8_FAULT_NONE;
    ex->line = e8_mono_now();
    e8_buf_reset(&ex->body);
    heads_add(ex);
    e8_peer_stirred(e8_peer_of(connection));
    return ex;
}

static void begin_stream(struct e8_service *ex, struct e8_stream *stream)
{
    struct e8_peer *peer = e8_peer_of(ex->connection);

    ex->stream = peer->stream = stream;
    e8_stream_attach(stream, ex);
    e8_peer_owes(peer, E8_OWED_NOTHING);
    if (peer->gone)
        e8_stream_lost(stream);
}

static void end_stream(struct e8_service *ex)
{
    e8_stream_detach(ex->stream);
    e8_peer_of(ex->connection)->stream = ex->stream = NULL;
}

void e8_exchange_done(void *closure, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode code)
{
    struct e8_service *ex = *context;

    (void)closure;
    (void)code;
    if (!ex)
        return;
    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    *context = NULL;
    if (ex->phase == E8_PHASE_HEAD)
        heads_remove(ex);
    if (ex->phase >= E8_PHASE_WAIT)
        ex->httpd->pending--;
    if (ex->stream)
        end_stream(ex);
    e8_peer_owes(e8_peer_of(connection), E8_OWED_HEAD);
    give_back(ex);
}

/* MHD lets blanks stand before the colon, which others read as part of the name, or not at all. */
static bool name_is_bad(struct e8_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] == 0x7f)
            return true;
    return name.n == 0;
}

static bool is_blank(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    return from == to;
}

/* Were all lines ended by CR LF, none of them folded, and no NUL among them? MHD up to 0.9.76 reads over that, but it leaves the head
 * where it came in, and so what it understood must lie there without a gap. Later ones refuse it themselves, and may copy. */
static bool head_is_plain(const struct e8_service *ex, const char *method, const char *version)
{
    const char *next = version + strlen(version) + 2;
    size_t size =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;

    if (strverscmp(MHD_get_version(), "0.9.77") >= 0)
        return true;
    if (ex->target_end + 1 != version)
        return false;
    for (size_t i = 0; i < ex->header_count; i++) {
        struct e8_str name = ex->headers[i].name, value = ex->headers[i].value;

        if (name.p != next || value.p <= name.p + name.n || !is_blank(name.p + name.n + 1, value.p))
            return false;
        next = value.p + value.n + 2;
    }
    return next + 2 == method + size;
}

static enum MHD_Result add_header(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size)
{
    struct e8_service *ex = closure;

    (void)kind;
    if (ex->header_count == ex->header_cap) {
        ex->header_cap = ex->header_cap ? 2 * ex->header_cap : 16;
        ex->headers = e8_resize(ex->headers, ex->header_cap, sizeof *ex->headers);
    }
    struct e8_pair *pair = &ex->headers[ex->header_count++];
    *pair = (struct e8_pair){{name, name_size}, {value ? value : "", value ? value_size : 0}};
    ex->bad_head |= name_is_bad(pair->name) || memchr(pair->value.p, '\r', pair->value.n);
    return MHD_YES;
}

/* RFC 9112, 3.2, 6.1 and 6.3: a host or a length that two readers may understand differently is how requests are smuggled. */
static bool framing_is_clear(const struct e8_service *ex, const char *version)
{
    const char *coding = e8_request_header(&ex->request, "Transfer-Encoding", 0);
    const char *length = e8_request_header(&ex->request, "Content-Length", 0);
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;

    if (e8_request_header(&ex->request, "Host", 1) || (!old && !e8_request_header(&ex->request, "Host", 0)))
        return false;
    if (length && (length[0] == '\0' || length[strspn(length, "0123456789")]))
        return false;
    if (coding)
        return !length && strcmp(version, MHD_HTTP_VERSION_1_1) == 0 &&
               e8_str_ieq(e8_str(coding), E8_LIT("chunked")) &&
               !e8_request_header(&ex->request, "Transfer-Encoding", 1);
    return !e8_request_header(&ex->request, "Content-Length", 1);
}

static enum MHD_Result send_answer(struct e8_service *ex)
{
    if (ex->httpd->stopping)
        MHD_add_response_header(ex->response, MHD_HTTP_HEADER_CONNECTION, "close");

    enum MHD_Result result = MHD_queue_response(ex->connection, (unsigned)ex->status, ex->response);
    MHD_destroy_response(ex->response);
    ex->response = NULL;
    return result;
}

static enum MHD_Result refuse(struct e8_service *ex, int status)
{
    ex->phase = E8_PHASE_ANSWER;
    ex->httpd->pending++;
    ex->status = status;
    ex->response = e8_answer_error(ex->httpd, status);
    return ex->response ? send_answer(ex) : MHD_NO;
}

/* MHD up to 0.9.75 asks for an answer even where it has made one itself, and sends both heads; and none fits into what a long head leaves
 * of its memory. */
static enum MHD_Result refuse_head(struct e8_service *ex, const char *method, int status)
{
    ex->phase = E8_PHASE_ANSWER;
    ex->httpd->pending++;
    e8_answer_at_once(ex->httpd, e8_peer_of(ex->connection)->fd, status,
                      strcmp(method, MHD_HTTP_METHOD_HEAD) != 0);
    return MHD_NO;
}

/* It is told at once, and its body is read all the same (DISCARD_MAX). */
static void refuse_early(struct e8_service *ex, const char *method)
{
    struct e8_peer *peer = e8_peer_of(ex->connection);

    ex->answered = peer->late =
        e8_answer_early(ex->httpd, peer->fd, ex->refuse, strcmp(method, MHD_HTTP_METHOD_HEAD) != 0);
}

/* Of the exchanges whose head is not known to have come, it is the one of which MHD knows its size. The longest heads, of which it does not,
 * get its own answer. */
void e8_exchange_refused(struct e8_httpd *httpd, int status)
{
    for (struct e8_service *ex = httpd->heads_first; ex; ex = ex->next) {
        if (MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)) {
            struct e8_peer *peer = e8_peer_of(ex->connection);

            e8_answer_at_once(httpd, peer->fd, status, true);
            peer->late = true;
            shutdown(peer->fd, SHUT_RDWR); /* so that nothing follows */
            return;
        }
    }
}

/* The status of an answer that the head alone calls for; 0: none. */
static int judge_head(struct e8_service *ex, const char *method, const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (ex->bad_head || !head_is_plain(ex, method, version) || !framing_is_clear(ex, version))
        return MHD_HTTP_BAD_REQUEST;
    if (info->header_size > E8_HEAD_MAX)
        return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    const char *length = e8_request_header(&ex->request, "Content-Length", 0);
    uint64_t value;
    return length && !e8_parse_u64(e8_str(length), &value) ? MHD_HTTP_CONTENT_TOO_LARGE : 0;
}

/* The head has been read. */
static enum MHD_Result on_head(struct e8_service *ex, const char *method, const char *version)
{
    uint64_t length = 0;
    const char *text;

    heads_remove(ex);
    ex->phase = E8_PHASE_BODY;
    ex->request.began = e8_mono_now();
    e8_peer_owes(e8_peer_of(ex->connection), E8_OWED_BODY);
    MHD_get_connection_values_n(ex->connection, MHD_HEADER_KIND, add_header, ex);
    int status = judge_head(ex, method, version);
    if (status != 0)
        return refuse_head(ex, method, status);

    text = e8_request_header(&ex->request, "Content-Length", 0);
    if (text)
        e8_parse_u64(e8_str(text), &length);
    if (length > ex->httpd->options.body_max)
        ex->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
    if (ex->refuse &&
        (length - ex->httpd->options.body_max > DISCARD_MAX || e8_request_header(&ex->request, "Expect", 0)))
        return refuse(ex, ex->refuse);
    if (ex->refuse)
        refuse_early(ex, method);
    return MHD_YES;
}

static enum MHD_Result on_body(struct e8_service *ex, const char *data, size_t n)
{
    if (!ex->refuse) {
        e8_buf_put(&ex->body, data, n);
        if (!ex->body.full)
            return MHD_YES;
        ex->refuse = MHD_HTTP_CONTENT_TOO_LARGE;
    }
    ex->discarded += n;
    return ex->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static bool route_takes(const struct e8_route *route, struct e8_str method, struct e8_str path)
{
    size_t n = strlen(route->path);

    if (route->method && !e8_str_is(method, route->method) &&
        !(e8_str_is(method, MHD_HTTP_METHOD_HEAD) && strcmp(route->method, MHD_HTTP_METHOD_GET) == 0))
        return false;
    if (n > 0 && route->path[n - 1] == '*')
        return path.n >= n - 1 && memcmp(path.p, route->path, n - 1) == 0;
    return e8_str_is(path, route->path);
}

static const struct e8_route *route_of(const struct e8_httpd *httpd, const struct e8_request *request)
{
    for (const struct e8_route *route = httpd->options.routes; route->handle; route++)
        if (route_takes(route, request->method, request->path))
            return route;
    return NULL;
}

static void describe(struct e8_service *ex, const char *url, const char *method)
{
    const struct e8_peer *peer = e8_peer_of(ex->connection);
    struct e8_request *request = &ex->request;

    request->method = e8_str(method);
    request->path = e8_str(url);
    request->body = e8_buf_str(&ex->body);
    request->complete = e8_mono_now();
    request->wall = e8_wall_now();
    request->peer = peer->text;
    request->connection = peer->number;
}

static void ask_handler(struct e8_service *ex, const struct e8_route *route, struct e8_response *response)
{
    struct e8_httpd *httpd = ex->httpd;

    e8_buf_reset(&httpd->scratch);
    response->body = httpd->scratch;
    route->handle(httpd->options.state, &ex->request, response);
    E8_ASSERT(response->status >= 200 && response->status <= 599);
    E8_ASSERT(!response->stream ||
              (response->fault == E8_FAULT_NONE && response->delay == 0 && !response->body.full));
    ex->status = response->status;
    ex->fault = response->fault;
    if (response->body.full)
        ex->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    ex->response = response->body.full ? e8_answer_error(httpd, ex->status) : e8_answer_new(httpd, response);
    if (ex->response && response->stream)
        begin_stream(ex, response->stream);
    httpd->scratch = response->body;
    if (httpd->scratch.cap > KEEP_BYTES) {
        e8_buf_fini(&httpd->scratch);
        e8_buf_init(&httpd->scratch, httpd->scratch.limit);
    }
}

/* RST at once; closing with SO_LINGER 0 would come after the FIN that MHD sends first. */
static void reset_connection(struct MHD_Connection *connection)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int fd = e8_peer_of(connection)->fd;

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (connect(fd, &none, sizeof none) < 0)
        return; /* a unix socket has no RST: its client sees the end */
}

static enum MHD_Result on_due(struct e8_service *ex)
{
    ex->phase = E8_PHASE_ANSWER;
    if (!ex->stream)
        e8_peer_owes(e8_peer_of(ex->connection), E8_OWED_READING);
    switch (ex->fault) {
    case E8_FAULT_RESET:
        reset_connection(ex->connection);
        return MHD_NO;
    case E8_FAULT_HANG:
        e8_peer_of(ex->connection)->hung = NULL;
        return MHD_NO;
    case E8_FAULT_CLOSE:
        return MHD_NO;
    case E8_FAULT_NONE:
    case E8_FAULT_TRUNCATE:
        return send_answer(ex);
    }
    E8_UNREACHABLE();
}

/* Until the client goes away. */
static enum MHD_Result hang(struct e8_service *ex)
{
    struct e8_peer *peer = e8_peer_of(ex->connection);

    if (peer->gone)
        return on_due(ex);
    peer->hung = ex;
    e8_wait_begin(ex, E8_NEVER);
    return MHD_YES;
}

static enum MHD_Result on_complete(struct e8_service *ex, const char *url, const char *method)
{
    struct e8_httpd *httpd = ex->httpd;
    struct e8_response response = {.status = 200};

    if (ex->refuse)
        return ex->answered ? MHD_NO : refuse(ex, ex->refuse);
    describe(ex, url, method);
    const struct e8_route *route = route_of(httpd, &ex->request);
    if (!route)
        return refuse(ex, MHD_HTTP_NOT_FOUND);
    ask_handler(ex, route, &response);
    if (!ex->response)
        return refuse(ex, MHD_HTTP_INTERNAL_SERVER_ERROR);

    httpd->pending++;
    if (ex->fault == E8_FAULT_HANG && !httpd->stopping)
        return hang(ex);
    if (response.delay > 0 && ex->fault != E8_FAULT_HANG && !httpd->stopping) {
        e8_wait_begin(ex, ex->request.complete + response.delay);
        return MHD_YES;
    }
    return on_due(ex);
}

enum MHD_Result e8_exchange_run(void *closure, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *size,
                                void **context)
{
    struct e8_service *ex = *context;

    (void)closure;
    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    E8_ASSERT(ex->connection == connection);
    switch (ex->phase) {
    case E8_PHASE_HEAD:
        return on_head(ex, method, version);
    case E8_PHASE_BODY:
        if (*size == 0)
            return on_complete(ex, url, method);
        break;
    case E8_PHASE_WAIT:
        return on_due(ex);
    case E8_PHASE_ANSWER:
        return MHD_NO; /* MHD could not take the answer */
    }

    enum MHD_Result result = on_body(ex, data, *size);
    *size = 0;
    return result;
}

const char *e8_request_header(const struct e8_request *request, const char *name, size_t n)
{
    const struct e8_service *ex = request->impl;
    struct e8_str wanted = e8_str(name);

    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    for (size_t i = 0; i < ex->header_count; i++)
        if (e8_str_ieq(ex->headers[i].name, wanted) && n-- == 0)
            return ex->headers[i].value.p;
    return NULL;
}

size_t e8_request_header_count(const struct e8_request *request)
{
    const struct e8_service *ex = request->impl;

    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    return ex->header_count;
}

void e8_request_header_at(const struct e8_request *request, size_t index, struct e8_str *name,
                          struct e8_str *value)
{
    const struct e8_service *ex = request->impl;

    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    E8_ASSERT(index < ex->header_count);
    *name = ex->headers[index].name;
    *value = ex->headers[index].value;
}

const char *e8_request_query(const struct e8_request *request, const char *name)
{
    const struct e8_service *ex = request->impl;

    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    return MHD_lookup_connection_value(ex->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct wanted {
    const char *name;
    size_t left; /* of that name, before the one that is wanted */
    const char *value;
    bool found;
};

static enum MHD_Result find_query(void *closure, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct wanted *wanted = closure;

    (void)kind;
    if (wanted->name && strcmp(name, wanted->name) != 0)
        return MHD_YES;
    if (wanted->left-- > 0)
        return MHD_YES;
    wanted->value = wanted->name ? value : name;
    wanted->found = true;
    return MHD_NO;
}

const char *e8_request_query_nth(const struct e8_request *request, const char *name, size_t n)
{
    const struct e8_service *ex = request->impl;
    struct wanted wanted = {.name = name, .left = n};

    E8_CHECK_MAGIC(ex, E8_EXCHANGE_MAGIC);
    MHD_get_connection_values(ex->connection, MHD_GET_ARGUMENT_KIND, find_query, &wanted);
    return wanted.found && !wanted.value ? "" : wanted.value;
}
