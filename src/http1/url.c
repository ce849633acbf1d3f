#include <arpa/inet.h>
#include <string.h>

#include "http1/http1.h"

#define URL_MAX 8192

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The first of any of `stops` in s, or its length. */
static size_t until(struct e8_str s, const char *stops)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != 0 && strchr(stops, s.p[i]) != NULL)
            return i;
    }
    return s.n;
}

static struct e8_str head(struct e8_str s, size_t n)
{
    return (struct e8_str){s.p, n};
}

static struct e8_str tail(struct e8_str s, size_t from)
{
    return (struct e8_str){s.p + from, s.n - from};
}

/* URLs may carry passwords, so that no error shows more than the part that is wrong, and never userinfo or query. */
static enum e8_rc check_characters(struct e8_str text, struct e8_err *err)
{
    if (text.n == 0)
        return e8_fail(err, E8_INPUT, "for example http://localhost:3000/webhooks", "the URL is empty");
    if (text.n > URL_MAX)
        return e8_fail(err, E8_INPUT, "at most 8192 bytes", "the URL is too long (%zu bytes)", text.n);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == ' ')
            return e8_fail(err, E8_INPUT, "write it as %20", "the URL has a space at character %zu", i + 1);
        if (c < 0x20 || c == 0x7f)
            return e8_fail(err, E8_INPUT, NULL, "the URL has a control character (0x%02x) at character %zu",
                           (unsigned)c, i + 1);
        if (c >= 0x80)
            return e8_fail(err, E8_INPUT, "percent-encode it; in host names use the xn-- form",
                           "the URL has a character that is not ASCII at byte %zu", i + 1);
    }
    return E8_OK;
}

static enum e8_rc take_scheme(struct e8_str *rest, struct e8_url *url, struct e8_err *err)
{
    static const struct e8_str names[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        if (rest->n >= names[i].n && e8_str_ieq(head(*rest, names[i].n), names[i])) {
            url->https = i == 1;
            *rest = tail(*rest, names[i].n);
            return E8_OK;
        }
    }
    return e8_fail(err, E8_INPUT, "begin it with http:// or https://",
                   "the URL is not an absolute http or https URL");
}

static enum e8_rc check_name(struct e8_str host, struct e8_err *err)
{
    for (size_t i = 0; i < host.n; i++) {
        if (!is_alnum(host.p[i]) && strchr("-._", host.p[i]) == NULL)
            return e8_fail(err, E8_INPUT, "letters, digits, '-', '.' and '_' alone",
                           "the URL's host has a character that does not belong there: '%c'", host.p[i]);
    }
    if (host.n > 253)
        return e8_fail(err, E8_INPUT, NULL, "the URL's host is too long (%zu characters)", host.n);
    if (host.n > 0 && (host.p[0] == '.' || memmem(host.p, host.n, "..", 2) != NULL))
        return e8_fail(err, E8_INPUT, NULL, "the URL's host has an empty label");
    return E8_OK;
}

static bool is_ipv6(struct e8_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* The host from the front of *rest, which then begins with ':' or is empty. */
static enum e8_rc take_host(struct e8_str *rest, struct e8_url *url, struct e8_err *err)
{
    url->ipv6 = rest->n > 0 && rest->p[0] == '[';
    if (!url->ipv6) {
        size_t n = until(*rest, ":");
        url->host = head(*rest, n);
        *rest = tail(*rest, n);
        if (rest->n > 1 && memchr(rest->p + 1, ':', rest->n - 1) != NULL)
            return e8_fail(err, E8_INPUT, "an IPv6 address stands in brackets: http://[::1]:3000/",
                           "the URL's host has more than one colon");
        if (url->host.n == 0)
            return e8_fail(err, E8_INPUT, "for example http://localhost:3000/webhooks",
                           "the URL has no host");
        return check_name(url->host, err);
    }
    size_t n = until(*rest, "]");
    if (n == rest->n)
        return e8_fail(err, E8_INPUT, NULL, "the URL has no ']' behind its IPv6 address");
    url->host = (struct e8_str){rest->p + 1, n - 1};
    *rest = tail(*rest, n + 1);
    if (!is_ipv6(url->host))
        return e8_fail(err, E8_INPUT, "for example http://[::1]:3000/; zones are not supported",
                       "\"%.*s\" is no IPv6 address",
                       E8_STR(head(url->host, url->host.n > 60 ? 60 : url->host.n)));
    if (rest->n > 0 && rest->p[0] != ':')
        return e8_fail(err, E8_INPUT, NULL, "only a port may stand behind the brackets of the URL's host");
    return E8_OK;
}

static enum e8_rc take_port(struct e8_str rest, struct e8_url *url, struct e8_err *err)
{
    url->port = url->https ? 443 : 80;
    if (rest.n == 0)
        return E8_OK;
    uint64_t port = 0;
    struct e8_str digits = tail(rest, 1);
    if (digits.n == 0)
        return e8_fail(err, E8_INPUT, "leave out the ':' or put a number behind it",
                       "the URL's port is empty");
    if (!e8_parse_u64(digits, &port) || port < 1 || port > 65535)
        return e8_fail(err, E8_INPUT, "a number from 1 to 65535",
                       "the URL's port is out of range or no number");
    url->port = (int)port;
    url->port_given = true;
    return E8_OK;
}

enum e8_rc e8_url_parse(struct e8_str text, struct e8_url *out, struct e8_err *err)
{
    struct e8_url url = {0};
    enum e8_rc rc = check_characters(text, err);
    if (rc == E8_OK)
        rc = take_scheme(&text, &url, err);
    if (rc != E8_OK)
        return rc;
    struct e8_str authority = head(text, until(text, "/?#\\"));
    struct e8_str rest = tail(text, authority.n);
    if (rest.n > 0 && rest.p[0] == '\\')
        return e8_fail(err, E8_INPUT, "use '/'", "the URL has a '\\' where a '/' belongs");
    const char *at = authority.n > 0 ? memrchr(authority.p, '@', authority.n) : NULL;
    if (at != NULL) {
        url.userinfo = head(authority, (size_t)(at - authority.p));
        authority = tail(authority, url.userinfo.n + 1);
    }
    if ((rc = take_host(&authority, &url, err)) != E8_OK || (rc = take_port(authority, &url, err)) != E8_OK)
        return rc;
    if (rest.n > 0 && rest.p[0] == '?')
        return e8_fail(err, E8_INPUT, "write http://host/?query",
                       "the URL has no '/' between host and query");
    url.target = head(rest, until(rest, "#"));
    if (url.target.n == 0)
        url.target = E8_LIT("/");
    *out = url;
    return E8_OK;
}

/* Reads one byte of a query name, percent-decoded and in lower case. */
static char name_byte(struct e8_str name, size_t *at)
{
    char c = name.p[*at];
    if (c == '%' && *at + 2 < name.n) {
        static const char digits[] = "0123456789abcdef";
        const char *high = strchr(digits, name.p[*at + 1] | 0x20),
                   *low = strchr(digits, name.p[*at + 2] | 0x20);
        if (high != NULL && low != NULL) {
            c = (char)((high - digits) << 4 | (low - digits));
            *at += 2;
        }
    }
    *at += 1;
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool looks_secret(struct e8_str name)
{
    static const char *const words[] = {"token",    "key",    "secret", "sig",
                                        "password", "passwd", "auth",   "credential"};
    char plain[128];
    size_t n = 0;
    for (size_t at = 0; at < name.n;) {
        if (n == sizeof plain)
            return true; /* no honest name is that long */
        plain[n++] = name_byte(name, &at);
    }
    for (size_t i = 0; i < E8_COUNT(words); i++) {
        if (n > 0 && memmem(plain, n, words[i], strlen(words[i])) != NULL)
            return true;
    }
    return false;
}

/* name=value pairs and what separates them, up to the end. */
static void put_redacted_query(struct e8_str query, struct e8_buf *out)
{
    while (query.n > 0) {
        struct e8_str pair = head(query, until(query, "&;?#"));
        struct e8_str name = head(pair, until(pair, "="));
        if (name.n < pair.n && looks_secret(name)) {
            e8_buf_put_clean(out, name);
            e8_buf_puts(out, "=***");
        } else {
            e8_buf_put_clean(out, pair);
        }
        query = tail(query, pair.n);
        if (query.n > 0) {
            e8_buf_put_clean(out, head(query, 1));
            query = tail(query, 1);
        }
    }
}

/* Where host and port begin. In a text that is no URL nothing before its last '@' is trusted. */
static size_t after_userinfo(struct e8_str text, size_t authority)
{
    struct e8_url url = {0};
    if (e8_url_parse(text, &url, NULL) == E8_OK)
        return url.userinfo.p != NULL ? (size_t)(url.userinfo.p - text.p) + url.userinfo.n + 1 : authority;
    const char *at = text.n > authority ? memrchr(text.p + authority, '@', text.n - authority) : NULL;
    return at != NULL ? (size_t)(at - text.p) + 1 : authority;
}

void e8_url_redacted(struct e8_str text, struct e8_buf *out)
{
    const char *mark = text.n > 0 ? memmem(text.p, text.n, "://", 3) : NULL;
    size_t authority =
        mark != NULL && until(text, "/?#@") == (size_t)(mark + 1 - text.p) ? (size_t)(mark + 3 - text.p) : 0;
    struct e8_str rest = tail(text, after_userinfo(text, authority));
    e8_buf_put_clean(out, head(text, authority));
    size_t path = until(rest, "?#");
    e8_buf_put_clean(out, head(rest, path));
    put_redacted_query(tail(rest, path), out);
}

static bool is_ipv4_loopback(struct e8_str host)
{
    struct e8_str rest = host, part;
    int parts = 0;
    while (e8_str_split(&rest, '.', &part)) {
        uint64_t value = 0;
        bool canonical = part.n == 1 || (part.n > 1 && part.n < 4 && part.p[0] != '0');
        if (!canonical || !e8_parse_u64(part, &value) || value > 255 || (parts == 0 && value != 127))
            return false;
        parts++;
    }
    return parts == 4 && is_digit(host.p[host.n - 1]);
}

static bool is_ipv6_loopback(struct e8_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address, loopback = IN6ADDR_LOOPBACK_INIT;
    if (host.n == 0 || host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    return inet_pton(AF_INET6, text, &address) == 1 && memcmp(&address, &loopback, sizeof address) == 0;
}

bool e8_host_is_loopback(struct e8_str host)
{
    if (is_ipv4_loopback(host) || is_ipv6_loopback(host))
        return true;
    if (host.n > 0 && host.p[host.n - 1] == '.')
        host.n--;
    struct e8_str suffix = E8_LIT(".localhost");
    if (host.n > suffix.n && e8_str_ieq(tail(host, host.n - suffix.n), suffix))
        return host.p[0] != '.';
    return e8_str_ieq(host, E8_LIT("localhost"));
}
