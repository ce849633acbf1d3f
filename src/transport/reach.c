#include "transport/internal.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define HINT_CONNECT_TO                                                                                      \
    "HOST1:PORT1:HOST2:PORT2, an IPv6 address in brackets; an empty field means any, or as it was"
#define HINT_RESOLVE "HOST:PORT:ADDRESS[,ADDRESS]; an address, not a name"
#define HINT_ALLOW   "loopback needs no permission; --allow-target %.*s permits this one"

/* --- lists of --connect-to and --resolve -------------------------------------------------------------------------- */

/* The next field of "a:[b]:c"; brackets go round an IPv6 address and are removed. `more`: a colon follows, which is taken too. */
static bool take_field(struct e8_str *rest, struct e8_str *out, bool *more)
{
    struct e8_str all = *rest;
    struct e8_addr addr;
    bool bracketed = all.n && all.p[0] == '[';
    const char *end = all.n ? memchr(all.p, bracketed ? ']' : ':', all.n) : NULL;
    if (bracketed && !end)
        return false;
    size_t used = end ? (size_t)(end - all.p) + bracketed : all.n;
    *out = bracketed ? (struct e8_str){all.p + 1, used - 2} : (struct e8_str){all.p, used};
    *more = used < all.n;
    if (bracketed && (!memchr(out->p, ':', out->n) || !e8_addr_parse(*out, &addr)))
        return false;
    if (*more && all.p[used++] != ':')
        return false;
    *rest = (struct e8_str){all.p + used, all.n - used};
    return true;
}

static bool take_before_colon(struct e8_str *rest, struct e8_str *out)
{
    bool more;
    return take_field(rest, out, &more) && more;
}

static bool take_last(struct e8_str *rest, struct e8_str *out)
{
    bool more;
    return take_field(rest, out, &more) && !more;
}

/* Could be a host; libcurl takes any text for one, and no target has such a name. */
static bool is_host(struct e8_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f || strchr("/@?#*,[]", text.p[i]))
            return false;
    }
    return true;
}

static bool port_parse(struct e8_str text, int *out)
{
    uint64_t port;
    if (!e8_parse_u64(text, &port) || port == 0 || port > 65535)
        return false;
    *out = (int)port;
    return true;
}

struct redirect {
    struct e8_str host1, host2;
    int port1, port2; /* 0: any, or as it was */
};

static bool redirect_parse(struct e8_str text, struct redirect *out)
{
    struct e8_str port1, port2;
    *out = (struct redirect){0};
    return take_before_colon(&text, &out->host1) && take_before_colon(&text, &port1) &&
           take_before_colon(&text, &out->host2) && take_last(&text, &port2) && is_host(out->host1) &&
           is_host(out->host2) && (port1.n == 0 || port_parse(port1, &out->port1)) &&
           (port2.n == 0 || port_parse(port2, &out->port2));
}

struct pin {
    struct e8_str host, addresses;
    int port;
};

/* To libcurl "-HOST" is an order to forget a name; an address is never looked up, and 7.88 fails every transfer
 * that is given one in this place (code 49). */
static bool is_pinned(struct e8_str host)
{
    return e8_str_is(host, "*") ||
           (host.n && host.p[0] != '-' && !memchr(host.p, ':', host.n) && is_host(host));
}

static bool pin_parse(struct e8_str text, struct pin *out)
{
    struct e8_str port;
    if (text.n && text.p[0] == '+')
        text = (struct e8_str){text.p + 1, text.n - 1};
    if (!take_before_colon(&text, &out->host) || !take_before_colon(&text, &port) ||
        !port_parse(port, &out->port) || !is_pinned(out->host) || text.n == 0 || text.p[text.n - 1] == ',')
        return false;
    out->addresses = text;
    struct e8_str rest = text, one;
    struct e8_addr addr;
    while (e8_str_split(&rest, ',', &one)) {
        if (!e8_addr_parse(one, &addr))
            return false;
    }
    return true;
}

/* --- routes --------------------------------------------------------------------------------------------------------- */

/* "[scheme://][user:password@]host[:port]" */
static bool proxy_parse(struct e8_str text, struct e8_str *host, int *port)
{
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h", NULL};
    const char *mark = text.n ? memmem(text.p, text.n, "://", 3) : NULL;
    *port = 1080;
    if (mark) {
        struct e8_str scheme = {text.p, (size_t)(mark - text.p)};
        size_t i = 0;
        while (schemes[i] && !e8_str_ieq(scheme, e8_str(schemes[i])))
            i++;
        if (!schemes[i])
            return false;
        *port = e8_str_is(scheme, "https") ? 443 : 1080;
        text = (struct e8_str){mark + 3, text.n - scheme.n - 3};
    }
    if (text.n && text.p[text.n - 1] == '/')
        text.n--;
    const char *at = text.n ? memrchr(text.p, '@', text.n) : NULL;
    if (at)
        text = (struct e8_str){at + 1, text.n - (size_t)(at + 1 - text.p)};
    struct e8_str port_text = {0};
    bool more;
    if (!take_field(&text, host, &more) || (more && !take_last(&text, &port_text)))
        return false;
    return host->n > 0 && (port_text.n == 0 || port_parse(port_text, port));
}

static void follow_connect_to(const struct e8_reach *reach, struct e8_route *route)
{
    for (const char *const *p = reach->connect_to; p && *p; p++) {
        struct redirect to;
        if (!redirect_parse(e8_str(*p), &to) || (to.host1.n && !e8_str_ieq(to.host1, route->host)) ||
            (to.port1 && to.port1 != route->port))
            continue;
        route->host = to.host2.n ? to.host2 : route->host;
        route->port = to.port2 ? to.port2 : route->port;
        return;
    }
}

static void follow_resolve(const struct e8_reach *reach, struct e8_route *route)
{
    for (const char *const *p = reach->resolve; p && *p; p++) {
        struct pin pin;
        if (!pin_parse(e8_str(*p), &pin) || pin.port != route->port)
            continue;
        if (e8_str_ieq(pin.host, route->host))
            route->pinned = pin.addresses;
        else if (e8_str_is(pin.host, "*") && !route->pinned.n)
            route->pinned = pin.addresses;
    }
}

struct e8_route e8_route_of(const struct e8_reach *reach, const struct e8_url *url)
{
    struct e8_route route = {.host = url->host, .port = url->port, .local = reach->unix_socket != NULL};
    if (route.local)
        return route;
    if (reach->proxy && reach->proxy[0])
        (void)proxy_parse(e8_str(reach->proxy), &route.host, &route.port);
    else
        follow_connect_to(reach, &route);
    follow_resolve(reach, &route);
    return route;
}

bool e8_reach_allows(const struct e8_reach *reach, struct e8_str text, const struct sockaddr *sa)
{
    struct e8_addr addr;
    struct e8_url url;
    if (sa->sa_family == AF_UNIX)
        return reach->unix_socket != NULL;
    if (!e8_addr_of(sa, &addr))
        return false;
    if (e8_addr_is_loopback(&addr))
        return true;
    if (e8_url_parse(text, &url, NULL))
        return false;
    struct e8_route route = e8_route_of(reach, &url);
    bool named = !route.pinned.n && e8_allow_name(reach->allow, route.host);
    return e8_allow_addr(reach->allow, &addr, named);
}

/* --- checks --------------------------------------------------------------------------------------------------------- */

static enum e8_rc check_pem(const char *path, const char *what, struct e8_err *err)
{
    if (!path)
        return E8_OK;
    struct e8_buf content;
    enum e8_rc rc = e8_file_read(path, E8_FILE_MAX, &content, err);
    if (!rc && (content.n == 0 || !memmem(content.p, content.n, "-----BEGIN ", 11)))
        rc = e8_fail(err, E8_INPUT, "a PEM file has lines such as -----BEGIN CERTIFICATE-----",
                     "the %s \"%s\" is not a PEM file", what, path);
    if (content.p)
        explicit_bzero(content.p, content.n);
    e8_buf_fini(&content);
    return rc;
}

static enum e8_rc check_lists(const struct e8_reach *reach, struct e8_err *err)
{
    struct redirect redirect;
    struct pin pin;
    for (const char *const *p = reach->connect_to; p && *p; p++) {
        if (!redirect_parse(e8_str(*p), &redirect))
            return e8_fail(err, E8_INPUT, HINT_CONNECT_TO, "--connect-to \"%s\" is not understood", *p);
    }
    for (const char *const *p = reach->resolve; p && *p; p++) {
        if (!pin_parse(e8_str(*p), &pin))
            return e8_fail(err, E8_INPUT, HINT_RESOLVE, "--resolve \"%s\" is not understood", *p);
    }
    for (const char *const *p = reach->allow; p && *p; p++) {
        enum e8_rc rc = e8_allow_check(*p, err);
        if (rc)
            return rc;
    }
    return E8_OK;
}

static enum e8_rc check_versions(const struct e8_reach *reach, struct e8_err *err)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    bool tls_files = reach->cacert || reach->cert || reach->key || reach->insecure;
    if (reach->http == E8_HTTP_2 && !(info->features & CURL_VERSION_HTTP2))
        return e8_fail(err, E8_ENV, "use HTTP/1.1", "libcurl %s was built without HTTP/2", info->version);
    if (tls_files && !(info->features & CURL_VERSION_SSL))
        return e8_fail(err, E8_ENV, NULL, "libcurl %s was built without TLS", info->version);
    return E8_OK;
}

enum e8_rc e8_reach_check(const struct e8_reach *reach, struct e8_err *err)
{
    struct e8_str host;
    int port;
    enum e8_rc rc = check_versions(reach, err);
    if (!rc)
        rc = check_pem(reach->cacert, "CA certificate", err);
    if (!rc)
        rc = check_pem(reach->cert, "certificate", err);
    if (!rc)
        rc = check_pem(reach->key, "private key", err);
    if (!rc)
        rc = check_lists(reach, err);
    if (rc)
        return rc;
    if (reach->proxy && reach->proxy[0] && !proxy_parse(e8_str(reach->proxy), &host, &port))
        return e8_fail(err, E8_INPUT, "http://HOST:PORT, https://…, socks4://…, socks5://… or socks5h://…",
                       "the proxy is not understood"); /* it may carry a password */
    size_t longest = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    if (reach->unix_socket && (!reach->unix_socket[0] || strlen(reach->unix_socket) > longest))
        return e8_fail(err, E8_INPUT, NULL, "the path of the unix socket must have 1 to %zu bytes", longest);
    if (reach->connect_timeout < 0)
        return e8_fail(err, E8_INPUT, NULL, "the connect timeout is negative");
    return E8_OK;
}

/* --- permission ----------------------------------------------------------------------------------------------------- */

static enum e8_rc refuse(const struct e8_str host, const char *address, struct e8_err *err)
{
    char hint[sizeof err->hint];
    struct e8_buf text;
    e8_buf_fixed(&text, hint, sizeof hint);
    struct e8_str name = address[0] ? e8_str(address) : host;
    e8_buf_printf(&text, HINT_ALLOW, E8_STR(name));
    bool same = !address[0] || e8_str_is(host, address);
    return e8_fail(err, E8_INPUT, e8_buf_cstr(&text), "%.*s%s%s%s is not a target that may be sent to",
                   E8_STR(host), same ? "" : " (", same ? "" : address, same ? "" : ")");
}

/* One permitted address is enough: the socket is checked again when it is opened. */
struct verdict {
    bool permitted, any;
    struct e8_addr first; /* permitted one, or else the first of all */
};

static void weigh(const struct e8_reach *reach, const struct e8_addr *addr, bool named, struct verdict *out)
{
    bool permitted = e8_allow_addr(reach->allow, addr, named);
    if (!out->any || (permitted && !out->permitted))
        out->first = *addr;
    out->any = true;
    out->permitted |= permitted;
}

static void look_up(const struct e8_reach *reach, const struct e8_route *route, bool named,
                    struct verdict *out)
{
    struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char *name = e8_dup_str(route->host);
    if (getaddrinfo(name, NULL, &want, &list) == 0) {
        struct e8_addr addr;
        for (struct addrinfo *p = list; p; p = p->ai_next) {
            if (e8_addr_of(p->ai_addr, &addr))
                weigh(reach, &addr, named, out);
        }
        freeaddrinfo(list);
    }
    free(name);
}

/* What its name alone says; `look`: and there was no address of it. */
static bool permitted_by_name(const struct e8_reach *reach, const struct e8_route *route, bool look)
{
    return (!route->pinned.n && e8_allow_name(reach->allow, route->host)) ||
           e8_host_is_loopback(route->host) || (!look && e8_allow_has_addresses(reach->allow));
}

static enum e8_rc permit_route(const struct e8_reach *reach, const struct e8_route *route, bool look,
                               char address[64], struct e8_err *err)
{
    bool named = !route->pinned.n && e8_allow_name(reach->allow, route->host);
    struct verdict verdict = {0};
    struct e8_str rest = route->pinned, one;
    struct e8_addr addr;
    while (e8_str_split(&rest, ',', &one)) {
        if (e8_addr_parse(one, &addr))
            weigh(reach, &addr, false, &verdict);
    }
    if (!route->pinned.n && e8_addr_parse(route->host, &addr))
        weigh(reach, &addr, named, &verdict);
    else if (!route->pinned.n && look)
        look_up(reach, route, named, &verdict);
    if (verdict.any)
        e8_addr_text(&verdict.first, address);
    if (verdict.permitted || (!verdict.any && permitted_by_name(reach, route, look)))
        return E8_OK;
    return refuse(route->host, address, err);
}

/* Behind a proxy the target's address is never seen: its name, or its literal address, must be permitted. */
static bool permitted_unseen(const struct e8_reach *reach, struct e8_str host)
{
    struct e8_addr addr;
    if (e8_addr_parse(host, &addr))
        return e8_allow_addr(reach->allow, &addr, false);
    return e8_host_is_loopback(host) || e8_allow_name(reach->allow, host);
}

static enum e8_rc permit(const struct e8_reach *reach, struct e8_str text, bool look, char address[64],
                         struct e8_err *err)
{
    struct e8_url url;
    address[0] = '\0';
    enum e8_rc rc = e8_url_parse(text, &url, err);
    if (rc)
        return rc;
    struct e8_route route = e8_route_of(reach, &url);
    if (route.local)
        return E8_OK;
    if (reach->proxy && reach->proxy[0] && !permitted_unseen(reach, url.host))
        return refuse(url.host, "", err);
    return permit_route(reach, &route, look, address, err);
}

enum e8_rc e8_reach_permits(const struct e8_reach *reach, struct e8_str text, char address[64],
                            struct e8_err *err)
{
    return permit(reach, text, true, address, err);
}

enum e8_rc e8_reach_may_permit(const struct e8_reach *reach, struct e8_str text, char address[64],
                               struct e8_err *err)
{
    return permit(reach, text, false, address, err);
}
