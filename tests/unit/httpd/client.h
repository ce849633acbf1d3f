/* A client on a raw socket, for tests: says exactly these bytes, and reads what comes back. */
#ifndef E8_TEST_CLIENT_H
#define E8_TEST_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"

#define CLIENT_MAX ((size_t)1 << 20)

struct client {
    int fd;
    size_t n;
    char *bytes; /* read and not yet taken */
};

struct reply {
    int status; /* 0: no answer */
    int error;  /* errno of the read that ended it; 0 with status 0: the end of the stream */
    bool cut;   /* the stream ended within the body */
    char head[4096];
    char body[65536];
    size_t body_size, announced;
};

__attribute__((unused)) static int client_connect(const char *url)
{
    struct timeval limit = {.tv_sec = 10};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const char *colon = strrchr(url, ':');
    bool is_local = strncmp(url, "unix:", 5) == 0, is_v6 = strstr(url, "[::1]") != NULL;
    int on = 1,
        fd = socket(is_local ? AF_UNIX
                    : is_v6  ? AF_INET6
                             : AF_INET,
                    SOCK_STREAM | SOCK_CLOEXEC, 0),
        rc;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (is_local) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", url + 5);
        rc = connect(fd, (const struct sockaddr *)&local, sizeof local);
    } else {
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4.sin_port = v6.sin6_port = htons((in_port_t)strtol(colon + 1, NULL, 10));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        rc = is_v6 ? connect(fd, (const struct sockaddr *)&v6, sizeof v6)
                   : connect(fd, (const struct sockaddr *)&v4, sizeof v4);
    }
    if (rc == 0)
        return fd;
    close(fd);
    return -1;
}

__attribute__((unused)) static bool client_open(struct client *client, const char *url)
{
    client->fd = client_connect(url);
    client->n = 0;
    client->bytes = e8_new(CLIENT_MAX + 1, 1);
    return client->fd >= 0;
}

__attribute__((unused)) static void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    free(client->bytes);
    client->bytes = NULL;
}

__attribute__((unused)) static bool client_say_n(struct client *client, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(client->fd, bytes, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

__attribute__((unused)) static bool client_say(struct client *client, const char *text)
{
    return client_say_n(client, text, strlen(text));
}

/* More bytes; false at the end, with errno 0 for an orderly one. */
__attribute__((unused)) static bool client_more(struct client *client)
{
    errno = 0;
    ssize_t n = recv(client->fd, client->bytes + client->n, CLIENT_MAX - client->n, 0);
    if (n <= 0)
        return false;
    client->n += (size_t)n;
    client->bytes[client->n] = '\0';
    return true;
}

__attribute__((unused)) static void client_take(struct client *client, size_t n)
{
    client->n -= n;
    memmove(client->bytes, client->bytes + n, client->n);
    client->bytes[client->n] = '\0';
}

/* The next answer. Answers that end with the connection are not expected. */
__attribute__((unused)) static void client_read(struct client *client, struct reply *reply)
{
    char *end;

    memset(reply, 0, sizeof *reply);
    while (!(end = client->n > 0 ? strstr(client->bytes, "\r\n\r\n") : NULL))
        if (!client_more(client)) {
            reply->error = errno;
            return;
        }
    size_t head = (size_t)(end + 4 - client->bytes);
    snprintf(reply->head, sizeof reply->head, "%.*s", (int)head, client->bytes);
    reply->status = (int)strtol(reply->head + strlen("HTTP/1.1 "), NULL, 10);
    const char *length = strcasestr(reply->head, "\r\nContent-Length:");
    reply->announced = length ? (size_t)strtoul(length + 17, NULL, 10) : 0;
    client_take(client, head);
    while (client->n < reply->announced)
        if (!client_more(client)) {
            reply->error = errno;
            reply->cut = true;
            break;
        }
    reply->body_size = client->n < reply->announced ? client->n : reply->announced;
    E8_ASSERT(reply->body_size < sizeof reply->body);
    memcpy(reply->body, client->bytes, reply->body_size);
    client_take(client, reply->body_size);
}

/* Nothing more comes: 0 for an orderly end, else errno; -1 when bytes come. */
__attribute__((unused)) static int client_end(struct client *client)
{
    if (client->n > 0 || client_more(client))
        return -1;
    return errno;
}

/* A connection for one exchange. */
__attribute__((unused)) static void client_ask(const char *url, const char *request, struct reply *reply)
{
    struct client client;

    memset(reply, 0, sizeof *reply);
    if (client_open(&client, url) && client_say(&client, request))
        client_read(&client, reply);
    client_close(&client);
}

#endif
