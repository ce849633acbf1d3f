#include "httpd/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A body of which only the first half is ever sent. */
struct half {
    size_t n;
    char bytes[];
};

enum { FILLER = 64 }; /* announced where there is no body to cut */

static ssize_t read_half(void *closure, uint64_t pos, char *out, size_t max)
{
    const struct half *half = closure;

    if (pos >= half->n)
        return MHD_CONTENT_READER_END_WITH_ERROR;

    size_t n = half->n - (size_t)pos < max ? half->n - (size_t)pos : max;
    memcpy(out, half->bytes + pos, n);
    return (ssize_t)n;
}

static struct MHD_Response *truncated(struct e8_str body)
{
    size_t whole = body.n > 1 ? body.n : FILLER;
    struct half *half = e8_new(1, sizeof *half + whole / 2);

    half->n = whole / 2;
    if (body.n > 1)
        memcpy(half->bytes, body.p, half->n);
    else
        memset(half->bytes, ' ', half->n);
    return MHD_create_response_from_callback(whole, half->n, read_half, half, free);
}

static struct MHD_Response *whole(const void *body, size_t n, enum MHD_ResponseMemoryMode mode)
{
    /* MHD takes a pointer to what it copies as if it would write there. */
    union {
        const void *in;
        void *out;
    } bytes = {.in = body};

    return MHD_create_response_from_buffer(n, bytes.out, mode);
}

static struct MHD_Response *body_of(const struct e8_response *response)
{
    struct e8_str body = e8_buf_str(&response->body);

    if (response->stream)
        return e8_stream_answer(response->stream);
    if (response->fault == E8_FAULT_TRUNCATE)
        return truncated(response->constant.p ? response->constant : body);
    if (response->constant.p)
        return whole(response->constant.p, response->constant.n, MHD_RESPMEM_PERSISTENT);
    return whole(body.n > 0 ? body.p : "", body.n, MHD_RESPMEM_MUST_COPY);
}

static void add_always(const struct e8_httpd *httpd, struct MHD_Response *answer)
{
    for (const char *const(*pair)[2] = httpd->options.always; pair && (*pair)[0]; pair++)
        MHD_add_response_header(answer, (*pair)[0], (*pair)[1]);
}

struct MHD_Response *e8_answer_new(const struct e8_httpd *httpd, const struct e8_response *response)
{
    struct MHD_Response *answer = body_of(response);

    E8_ASSERT(response->header_count <= E8_RESPONSE_HEADERS_MAX);
    if (!answer)
        return NULL;
    add_always(httpd, answer);
    for (size_t i = 0; i < response->header_count; i++)
        MHD_add_response_header(answer, response->headers[i].name, response->headers[i].value);
    if (response->close)
        MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
    return answer;
}

struct problem {
    int status;
    const char *code, *message;
};
static const struct problem problems[] = {
    {MHD_HTTP_BAD_REQUEST, "INVALID_REQUEST", "The request's head is not valid HTTP/1.1."},
    {MHD_HTTP_NOT_FOUND, "NOT_FOUND", "There is nothing at this path."},
    {MHD_HTTP_REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "The request took too long to arrive."},
    {MHD_HTTP_CONTENT_TOO_LARGE, "PAYLOAD_TOO_LARGE", "The body is larger than this server takes."},
    {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "HEADERS_TOO_LARGE", "The head is larger than 16 KB."},
    {0, "INTERNAL", "The answer could not be made."},
};

static const struct problem *problem_of(int status)
{
    const struct problem *problem = problems;

    while (problem->status != 0 && problem->status != status)
        problem++;
    return problem;
}

static void put_problem(struct e8_buf *body, const struct e8_httpd *httpd, int status)
{
    const struct problem *problem = problem_of(status);

    e8_buf_printf(body, "{\"success\":false,\"error\":{\"code\":\"%s\",\"message\":\"", problem->code);
    e8_buf_puts(body, problem->message);
    if (status == MHD_HTTP_CONTENT_TOO_LARGE)
        e8_buf_printf(body, " It may have %zu bytes.", httpd->options.body_max);
    e8_buf_puts(body, "\"}}\n");
}

bool e8_answer_early(const struct e8_httpd *httpd, int fd, int status, bool with_body)
{
    char body_text[256], text[4096];
    struct e8_buf body, answer;

    e8_buf_fixed(&body, body_text, sizeof body_text);
    put_problem(&body, httpd, status);
    e8_buf_fixed(&answer, text, sizeof text);
    e8_buf_printf(&answer, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status,
                  MHD_get_reason_phrase_for((unsigned)status));
    for (const char *const(*pair)[2] = httpd->options.always; pair && (*pair)[0]; pair++)
        e8_buf_printf(&answer, "%s: %s\r\n", (*pair)[0], (*pair)[1]);
    e8_buf_printf(&answer, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.n);
    if (with_body)
        e8_buf_putstr(&answer, e8_buf_str(&body));
    E8_ASSERT(!answer.full);
    if (send(fd, answer.p, answer.n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)answer.n)
        return false; /* it reads nothing, or is gone */
    shutdown(fd, SHUT_WR);
    return true;
}

void e8_answer_at_once(const struct e8_httpd *httpd, int fd, int status, bool with_body)
{
    char text[4096];

    if (!e8_answer_early(httpd, fd, status, with_body))
        return;
    for (int i = 0; i < 16 && recv(fd, text, sizeof text, MSG_DONTWAIT) > 0;) /* else closing would reset */
        i++;
}

struct MHD_Response *e8_answer_error(const struct e8_httpd *httpd, int status)
{
    char text[256];
    struct e8_buf body;

    e8_buf_fixed(&body, text, sizeof text);
    put_problem(&body, httpd, status);
    struct MHD_Response *answer = whole(body.p, body.n, MHD_RESPMEM_MUST_COPY);

    if (!answer)
        return NULL;
    add_always(httpd, answer);
    MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (status != MHD_HTTP_NOT_FOUND)
        MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
    return answer;
}
