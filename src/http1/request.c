#include <string.h>

#include "http1/http1.h"

/* An argument may have 128 KiB on Linux; printf is built into the shell and has no such limit. */
#define ARGUMENT_MAX 100000

static void put_host(struct e8_buf *out, const struct e8_url *url)
{
    if (url->ipv6)
        e8_buf_putc(out, '[');
    e8_buf_putstr(out, url->host);
    if (url->ipv6)
        e8_buf_putc(out, ']');
    if (url->port != (url->https ? 443 : 80)) {
        e8_buf_putc(out, ':');
        e8_buf_putu(out, (uint64_t)url->port);
    }
}

void e8_http1_target(struct e8_buf *out, const struct e8_url *url)
{
    E8_ASSERT(url->host.n > 0 && url->target.n > 0 && url->target.p[0] == '/');
    e8_buf_putc(out, ' ');
    e8_buf_putstr(out, url->target);
    e8_buf_puts(out, " HTTP/1.1\r\nHost: ");
    put_host(out, url);
    e8_buf_puts(out, "\r\n");
}

void e8_http1_head(struct e8_buf *out, struct e8_str method, struct e8_str target,
                   const struct e8_header *headers, size_t count, int64_t length)
{
    e8_buf_putstr(out, method);
    e8_buf_putstr(out, target);
    for (size_t i = 0; i < count; i++) {
        e8_buf_putstr(out, headers[i].name);
        if (headers[i].value.n > 0)
            e8_buf_put(out, ": ", 2);
        else
            e8_buf_putc(out, ':');
        e8_buf_putstr(out, headers[i].value);
        e8_buf_put(out, "\r\n", 2);
    }
    if (length >= 0) {
        e8_buf_putstr(out, E8_LIT("Content-Length: "));
        e8_buf_putu(out, (uint64_t)length);
        e8_buf_put(out, "\r\n", 2);
    }
    e8_buf_put(out, "\r\n", 2);
}

void e8_http1_request(struct e8_buf *out, struct e8_str method, const struct e8_url *url,
                      const struct e8_header *headers, size_t count, struct e8_str body)
{
    struct e8_buf target;
    e8_buf_init(&target, SIZE_MAX);
    e8_http1_target(&target, url);
    e8_http1_head(out, method, e8_buf_str(&target), headers, count, (int64_t)body.n);
    e8_buf_fini(&target);
    e8_buf_putstr(out, body);
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* Whether the text survives as a quoted argument that people can read, paste and run. */
static bool fits_argument(struct e8_str body)
{
    if (body.n > ARGUMENT_MAX || (body.n > 0 && body.p[0] == '@')) /* curl reads @name as a file */
        return false;
    for (size_t i = 0; i < body.n; i++) {
        unsigned char c = (unsigned char)body.p[i];
        bool c1 = c == 0xc2 && i + 1 < body.n && (unsigned char)body.p[i + 1] < 0xa0;
        if ((is_control(c) && c != '\n') || c1)
            return false;
    }
    return e8_utf8_valid(body) == body.n;
}

/* A format for POSIX printf: octal escapes, always of three digits, are known to every shell. */
static void put_printf(struct e8_buf *out, struct e8_str body)
{
    e8_buf_puts(out, "printf '");
    for (size_t i = 0; i < body.n; i++) {
        unsigned char c = (unsigned char)body.p[i];
        if (c == '\n')
            e8_buf_puts(out, "\\n");
        else if (is_control(c) || c >= 0x80 || c == '\'' || (c == '-' && i == 0))
            e8_buf_printf(out, "\\%03o", (unsigned)c);
        else if (c == '\\' || c == '%')
            e8_buf_printf(out, "%c%c", c, c);
        else
            e8_buf_putc(out, (char)c);
    }
    e8_buf_puts(out, "' | ");
}

static void put_header(struct e8_buf *out, const struct e8_header *header)
{
    e8_buf_puts(out, " \\\n  -H ");
    struct e8_buf line;
    e8_buf_init(&line, header->name.n + header->value.n + 2);
    e8_buf_putstr(&line, header->name);
    e8_buf_puts(&line, header->value.n > 0 ? ": " : ";"); /* "Name:" would make curl leave it out */
    e8_buf_putstr(&line, header->value);
    e8_buf_put_quoted(out, e8_buf_str(&line));
    e8_buf_fini(&line);
}

static bool wants_body(struct e8_str method, struct e8_str body)
{
    return body.n > 0 || e8_str_is(method, "POST") || e8_str_is(method, "PUT") || e8_str_is(method, "PATCH");
}

/* curl would take them for patterns. */
static bool has_brackets(struct e8_str url)
{
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] != 0 && strchr("[]{}", url.p[i]) != NULL)
            return true;
    }
    return false;
}

static void put_method(struct e8_buf *out, struct e8_str method)
{
    if (e8_str_is(method, "HEAD")) { /* with -X curl would wait for the body of the answer */
        e8_buf_puts(out, "--head");
        return;
    }
    e8_buf_puts(out, "-X ");
    bool plain = method.n > 0;
    for (size_t i = 0; i < method.n; i++)
        plain = plain && method.p[i] >= 'A' && method.p[i] <= 'Z';
    if (plain)
        e8_buf_putstr(out, method);
    else
        e8_buf_put_quoted(out, method);
}

static void put_command(struct e8_buf *out, struct e8_str method, struct e8_str url,
                        const struct e8_header *headers, size_t count, bool has_body)
{
    e8_buf_puts(out, has_brackets(url) ? "curl -g " : "curl ");
    put_method(out, method);
    e8_buf_putc(out, ' ');
    e8_buf_put_quoted(out, url);
    for (size_t i = 0; i < count; i++)
        put_header(out, &headers[i]);
    if (has_body && e8_header_find(headers, count, "Content-Type") == NULL)
        e8_buf_puts(out, " \\\n  -H 'Content-Type:'"); /* else curl says it is a form */
}

void e8_http1_curl(struct e8_buf *out, struct e8_str method, struct e8_str url,
                   const struct e8_header *headers, size_t count, struct e8_str body)
{
    bool has_body = wants_body(method, body), piped = !fits_argument(body);
    if (piped)
        put_printf(out, body);
    put_command(out, method, url, headers, count, has_body);
    if (has_body) {
        e8_buf_puts(out, " \\\n  --data-binary ");
        e8_buf_put_quoted(out, piped ? E8_LIT("@-") : body);
    }
}

void e8_http1_curl_file(struct e8_buf *out, struct e8_str method, struct e8_str url,
                        const struct e8_header *headers, size_t count, const char *file)
{
    put_command(out, method, url, headers, count, true);
    e8_buf_printf(out, " \\\n  --data-binary @%s", file);
}

void e8_http1_curl_wire(struct e8_buf *out, const struct e8_wire *wire)
{
    if (wire == NULL)
        return;
    if (wire->chunked)
        e8_buf_puts(out, " \\\n  -H 'Transfer-Encoding: chunked'");
    if (wire->expect)
        e8_buf_puts(out, " \\\n  -H 'Expect: 100-continue'");
    if (wire->rate > 0) {
        e8_buf_puts(out, " \\\n  --limit-rate ");
        e8_buf_putu(out, wire->rate);
    }
}
