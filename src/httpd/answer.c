#include "httpd/exchange.h"

#include <stdlib.h>
#include <string.h>

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

static struct MHD_Response *whole(const void *body, size_t n)
{
    /* MHD takes a pointer to what it copies as if it would write there. */
    union {
        const void *in;
        void *out;
    } bytes = {.in = body};

    return MHD_create_response_from_buffer(n, bytes.out, MHD_RESPMEM_MUST_COPY);
}

struct MHD_Response *e8_answer_new(const struct e8_response *response)
{
    struct e8_str body = e8_buf_str(&response->body);
    struct MHD_Response *answer =
        response->fault == E8_FAULT_TRUNCATE ? truncated(body) : whole(body.n > 0 ? body.p : "", body.n);

    E8_ASSERT(response->header_count <= E8_RESPONSE_HEADERS_MAX);
    if (!answer)
        return NULL;
    for (size_t i = 0; i < response->header_count; i++)
        MHD_add_response_header(answer, response->headers[i].name, response->headers[i].value);
    if (response->close)
        MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
    return answer;
}

static const char *error_body(int status)
{
    switch (status) {
    case MHD_HTTP_BAD_REQUEST:
        return "{\"success\":false,\"error\":{\"code\":\"INVALID_REQUEST\",\"message\":\"The request's head "
               "is not "
               "valid HTTP/1.1.\"}}\n";
    case MHD_HTTP_NOT_FOUND:
        return "{\"success\":false,\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"There is nothing at this "
               "path.\"}}\n";
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return "{\"success\":false,\"error\":{\"code\":\"TOO_LARGE\",\"message\":\"The body is larger than "
               "this "
               "server takes.\"}}\n";
    default:
        return "{\"success\":false,\"error\":{\"code\":\"INTERNAL\",\"message\":\"The answer could not be "
               "made.\"}}\n";
    }
}

struct MHD_Response *e8_answer_error(int status)
{
    const char *body = error_body(status);
    struct MHD_Response *answer = whole(body, strlen(body));

    if (!answer)
        return NULL;
    MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (status != MHD_HTTP_NOT_FOUND)
        MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
    return answer;
}
