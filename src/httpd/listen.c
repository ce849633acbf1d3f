#include "httpd/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define FORMS   "use 127.0.0.1:PORT, [::1]:PORT or unix:/path; port 0 takes a free one"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

static enum e8_rc parse_unix(const char *path, union address *out, socklen_t *size, struct e8_err *err)
{
    size_t n = strlen(path);

    if (n == 0)
        return e8_fail(err, E8_INPUT, FORMS, "no path after unix:");
    if (n >= sizeof out->local.sun_path)
        return e8_fail(err, E8_INPUT, "use a shorter path",
                       "a unix socket's path has at most %zu bytes, not %zu", sizeof out->local.sun_path - 1,
                       n);
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, n + 1);
    *size = sizeof out->local;
    return E8_OK;
}

/* "127.0.0.1", "localhost" or "[::1]"; a name would need a resolver, and could mean another machine. */
static bool parse_host(struct e8_str host, in_port_t port, union address *out, socklen_t *size)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';

    if (v6)
        host = (struct e8_str){host.p + 1, host.n - 2};
    if (e8_str_ieq(host, E8_LIT("localhost")))
        host = E8_LIT("127.0.0.1");
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    if (v6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *size = sizeof out->v6;
        return inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(port);
    *size = sizeof out->v4;
    return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
}

static enum e8_rc parse(const char *text, union address *out, socklen_t *size, struct e8_err *err)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;

    memset(out, 0, sizeof *out);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, size, err);
    if (!colon || !e8_parse_u64(e8_str(colon + 1), &port) || port > 65535)
        return e8_fail(err, E8_INPUT, FORMS, "listen address \"%.100s\" has no port from 0 to 65535", text);
    if (!parse_host((struct e8_str){text, (size_t)(colon - text)}, (in_port_t)port, out, size))
        return e8_fail(err, E8_INPUT, FORMS, "\"%.100s\" is no address to listen on", text);
    return E8_OK;
}

/* Whoever died without removing its socket file must not stop the next one. */
static void remove_stale(const struct sockaddr_un *local)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)local, sizeof *local) < 0 && errno == ECONNREFUSED)
        unlink(local->sun_path);
    close(fd);
}

/* That a port is taken may also be by a connection that has ended (TIME-WAIT), or by one that goes out. */
static const char *bind_hint(int error, bool local)
{
    switch (error) {
    case EADDRINUSE:
        return local ? "another process listens there; choose another path"
                     : "another process listens there, or a connection had that port a moment ago; choose "
                       "another port, or 0 for a free one";
    case EACCES:
        return "ports under 1024, and sockets in another's directory, need permission";
    case EADDRNOTAVAIL:
        return "this machine does not have that address";
    default:
        return NULL;
    }
}

static int bind_and_listen(const union address *address, socklen_t size)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0)
        return -1;
    if (address->any.sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &address->any, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;

    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void describe(struct e8_listen *listen)
{
    union address address = {0};
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    struct e8_buf url;

    e8_buf_fixed(&url, listen->url, sizeof listen->url);
    getsockname(listen->fd, &address.any, &size);
    if (address.any.sa_family == AF_INET6) {
        listen->port = ntohs(address.v6.sin6_port);
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        e8_buf_printf(&url, "http://[%s]:%d", host, listen->port);
    } else if (address.any.sa_family == AF_INET) {
        listen->port = ntohs(address.v4.sin_port);
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        e8_buf_printf(&url, "http://%s:%d", host, listen->port);
    } else {
        e8_buf_printf(&url, "unix:%s", listen->path);
    }
    e8_buf_cstr(&url);
}

enum e8_rc e8_listen_open(const char *text, struct e8_listen *out, struct e8_err *err)
{
    union address address;
    socklen_t size = 0;
    enum e8_rc rc = parse(text, &address, &size, err);

    memset(out, 0, sizeof *out);
    out->fd = -1;
    if (rc != E8_OK)
        return rc;
    if (address.any.sa_family == AF_UNIX)
        remove_stale(&address.local);
    out->fd = bind_and_listen(&address, size);
    if (out->fd < 0)
        return e8_fail(err, E8_ENV, bind_hint(errno, address.any.sa_family == AF_UNIX),
                       "cannot listen on %.120s: %s", text, strerror(errno));
    if (address.any.sa_family == AF_UNIX)
        memcpy(out->path, address.local.sun_path, sizeof out->path);
    describe(out);
    return E8_OK;
}

void e8_listen_close(struct e8_listen *listen)
{
    if (listen->fd < 0)
        return;
    close(listen->fd);
    listen->fd = -1;
    if (listen->path[0])
        unlink(listen->path);
}
