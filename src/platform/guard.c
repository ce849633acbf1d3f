#include "platform/guard.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64 };

/* A name under which the server may be called, as it stands in Host. */
struct known {
    struct e8_str host;
    bool https; /* as an Origin also with https: a proxy may stand before */
};
struct e8_guard {
    struct e8_arena *arena;
    struct known known[NAMES_MAX];
    size_t count;
};

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool is_address6(struct e8_str text)
{
    if (text.n < 4 || text.p[0] != '[' || text.p[text.n - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < text.n; i++)
        if (!strchr("0123456789abcdefABCDEF:.", text.p[i]))
            return false;
    return true;
}

static bool is_host(struct e8_str text)
{
    if (text.n > 0 && text.p[0] == '[')
        return is_address6(text);
    for (size_t i = 0; i < text.n; i++)
        if (!is_host_char(text.p[i]))
            return false;
    return text.n > 0 && text.n <= 253;
}

/* "host:port" into its parts; without a port *port is empty. False: neither form. */
static bool divide(struct e8_str text, struct e8_str *host, struct e8_str *port)
{
    const char *bracket = text.n > 0 ? memchr(text.p, ']', text.n) : NULL;
    const char *from = bracket ? bracket : text.p;
    const char *colon = text.n > 0 ? memchr(from, ':', text.n - (size_t)(from - text.p)) : NULL;
    uint64_t number = 1;

    *host = (struct e8_str){text.p, colon ? (size_t)(colon - text.p) : text.n};
    *port = colon ? (struct e8_str){colon + 1, text.n - host->n - 1} : (struct e8_str){NULL, 0};
    return is_host(*host) && (!colon || (e8_parse_u64(*port, &number) && number > 0 && number <= 65535));
}

static void add(struct e8_guard *guard, struct e8_str host, struct e8_str port, bool https)
{
    const char *text = port.n > 0 ? e8_arena_printf(guard->arena, "%.*s:%.*s", E8_STR(host), E8_STR(port))
                                  : e8_arena_printf(guard->arena, "%.*s", E8_STR(host));

    E8_ASSERT(guard->count < NAMES_MAX);
    guard->known[guard->count++] = (struct known){e8_str(text), https};
}

/* What is always known. A browser leaves the port out where it is 80; over a unix socket there is none. */
static void add_own(struct e8_guard *guard, const char *url)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    struct e8_str host = {0}, port = {0};
    bool is_unix = !e8_str_starts(e8_str(url), "http://");

    if (!is_unix)
        E8_ASSERT(divide(e8_str(url + strlen("http://")), &host, &port));
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        add(guard, e8_str(names[i]), port, false);
        if (e8_str_is(port, "80"))
            add(guard, e8_str(names[i]), (struct e8_str){NULL, 0}, false);
    }
    if (host.n > 0)
        add(guard, host, port, false);
}

static enum e8_rc add_given(struct e8_guard *guard, const char *url, const char *name, struct e8_err *err)
{
    struct e8_str host, port, own = {0}, unused;

    if (!divide(e8_str(name), &host, &port))
        return e8_fail(err, E8_INPUT,
                       "give a name or an address, with a port or without: emit8.example.com, 192.0.2.1:8088",
                       "\"%.100s\" is no host name", name);
    if (guard->count + 2 > NAMES_MAX)
        return e8_fail(err, E8_INPUT, "leave out what is not used", "more than %d host names", NAMES_MAX / 2);
    add(guard, host, port, true);
    if (port.n == 0 && e8_str_starts(e8_str(url), "http://") &&
        divide(e8_str(url + strlen("http://")), &unused, &own))
        add(guard, host, own, true);
    return E8_OK;
}

enum e8_rc e8_guard_new(const char *url, const char *const *hosts, struct e8_guard **out, struct e8_err *err)
{
    struct e8_guard *guard = e8_new(1, sizeof *guard);
    enum e8_rc rc = E8_OK;

    guard->arena = e8_arena_new();
    add_own(guard, url);
    for (; hosts && *hosts && rc == E8_OK; hosts++)
        rc = add_given(guard, url, *hosts, err);
    if (rc != E8_OK)
        e8_guard_free(&guard);
    *out = guard;
    return rc;
}

void e8_guard_free(struct e8_guard **guard)
{
    if (!*guard)
        return;
    e8_arena_free(&(*guard)->arena);
    free(*guard);
    *guard = NULL;
}

static bool knows_host(const struct e8_guard *guard, const char *host)
{
    for (size_t i = 0; host && i < guard->count; i++)
        if (e8_str_ieq(e8_str(host), guard->known[i].host))
            return true;
    return false;
}

/* RFC 6454: scheme://host[:port], nothing behind; "null" is nobody's. */
static bool knows_origin(const struct e8_guard *guard, const char *origin)
{
    bool https = e8_str_starts(e8_str(origin), "https://");

    if (!https && !e8_str_starts(e8_str(origin), "http://"))
        return false;
    struct e8_str host = e8_str(origin + strlen(https ? "https://" : "http://"));
    for (size_t i = 0; i < guard->count; i++)
        if (e8_str_ieq(host, guard->known[i].host) && (!https || guard->known[i].https))
            return true;
    return false;
}

static bool is(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

static bool comes_from_here(const struct e8_guard_facts *facts)
{
    return !facts->fetch_site || is(facts->fetch_site, "same-origin") || is(facts->fetch_site, "none");
}

/* A link of another site that was followed, in a tab or a window of its own. */
static bool is_link(const struct e8_guard_facts *facts)
{
    return e8_str_is(facts->method, "GET") &&
           (is(facts->fetch_site, "cross-site") || is(facts->fetch_site, "same-site")) &&
           is(facts->fetch_mode, "navigate") && is(facts->fetch_dest, "document");
}

/* https://www.w3.org/TR/fetch-metadata: a link elsewhere may lead to the front page, and nothing else may come from there. */
static bool is_front_page(const struct e8_guard_facts *facts)
{
    return is_link(facts) && e8_str_is(facts->path, "/");
}

/* Forms can send three types, and JSON is none of them; a script elsewhere would have to ask first (CORS), and gets no answer that it
 * could use. A DELETE has to ask in any case, so it may come without a body. */
static bool type_is_right(const struct e8_guard_facts *facts)
{
    static const char *const changing[] = {"POST", "PATCH", "PUT", "DELETE"};
    bool changes = false;

    for (size_t i = 0; i < E8_COUNT(changing); i++)
        changes |= e8_str_is(facts->method, changing[i]);
    if (!changes || (e8_str_is(facts->method, "DELETE") && facts->body == 0 && !facts->content_type))
        return true;
    struct e8_str rest = e8_str(facts->content_type), type = {0};
    e8_str_split(&rest, ';', &type);
    return e8_str_ieq(e8_str_trim_blanks(type), E8_LIT("application/json"));
}

static bool refuse(struct e8_guard_refusal *why, int status, const char *code, const char *message)
{
    if (why)
        *why = (struct e8_guard_refusal){status, code, message, false};
    return false;
}

bool e8_guard_judge(const struct e8_guard *guard, const struct e8_guard_facts *facts,
                    struct e8_guard_refusal *why)
{
    if (facts->repeated)
        return refuse(why, 403, "FORBIDDEN",
                      "Host, Origin, Sec-Fetch-* or Content-Type came twice; send each once");
    if (!knows_host(guard, facts->host))
        return refuse(
            why, 403, "FORBIDDEN",
            "this server is not known under that Host; call it as localhost, or start it with --host NAME");
    if (facts->origin && !knows_origin(guard, facts->origin))
        return refuse(why, 403, "FORBIDDEN",
                      "a page of another Origin may not call this server; open its own dashboard");
    if (!comes_from_here(facts) && !is_front_page(facts)) {
        refuse(why, 403, "FORBIDDEN", "the request comes from another site; open the dashboard itself");
        if (why)
            why->link = is_link(facts);
        return false;
    }
    if (!type_is_right(facts))
        return refuse(why, 415, "UNSUPPORTED_MEDIA_TYPE",
                      "this is no request in JSON; send Content-Type: application/json, also without a body");
    return true;
}

bool e8_guard_permits(const struct e8_guard *guard, const struct e8_request *request,
                      struct e8_guard_refusal *why)
{
    struct e8_guard_facts facts = {.method = request->method, .path = request->path, .body = request->body.n};
    const struct {
        const char *name, **out;
    } headers[] = {{"Host", &facts.host},
                   {"Origin", &facts.origin},
                   {"Sec-Fetch-Site", &facts.fetch_site},
                   {"Sec-Fetch-Mode", &facts.fetch_mode},
                   {"Sec-Fetch-Dest", &facts.fetch_dest},
                   {"Content-Type", &facts.content_type}};

    for (size_t i = 0; i < E8_COUNT(headers); i++) {
        *headers[i].out = e8_request_header(request, headers[i].name, 0);
        facts.repeated |= e8_request_header(request, headers[i].name, 1) != NULL;
    }
    return e8_guard_judge(guard, &facts, why);
}
