/* A scripted peer: a thread of its own that accepts on loopback, and a thread for each connection, which goes through the
 * steps. Nothing waits for time to pass: a peer tells by a semaphore when a step has been done. */
#ifndef PEER_H
#define PEER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "transport/transport.h"

enum peer_end {
    PEER_NEXT,  /* the next step on this connection */
    PEER_CLOSE, /* orderly */
    PEER_RESET, /* by RST */
    PEER_HOLD,  /* say no more; until the other side closes */
};

struct peer_step {
    bool unasked;          /* speak without having read a request */
    const char *reply;     /* may be NULL */
    size_t n;              /* 0: strlen */
    void (*talk)(int fd);  /* instead of reply */
    bool (*serve)(int fd); /* instead of all that: reads and answers; false at the end of the connection */
    enum peer_end end;
    bool signal; /* post `done` once the end is carried out */
};

struct peer {
    int listener, port;
    bool unix_socket;
    const struct peer_step *steps; /* the last one is repeated */
    size_t count;
    atomic_int connections, requests;
    sem_t done;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock;
    char last[16384]; /* the last request, its head at least */
    size_t last_n, last_body;
    struct connection *list;
};

void peer_open(struct peer *peer, const struct peer_step *steps, size_t count);
void peer_open_unix(struct peer *peer, const char *path, const struct peer_step *steps, size_t count);
void peer_close(struct peer *peer);
/* Reads a request whole; false at EOF. */
bool peer_read_request(struct peer *peer, int fd);
void peer_write(int fd, const void *bytes, size_t n);
void peer_wait(sem_t *sem); /* bounded */

/* --- the client side --- */
struct client {
    struct e8_transport *transport;
    struct e8_reach reach;
    struct e8_exchange exchange;
    char url[128];
    e8_dur_ns limit; /* 0: 10 s */
    struct e8_header headers[4];
};
extern enum e8_http client_http; /* of the reach that a client begins with: E8_HTTP_AUTO or E8_HTTP_11 */
void client_open(struct client *client, int port);
void client_close(struct client *client);
/* Sends client->exchange and waits until it comes back. */
struct e8_exchange *client_run(struct client *client);
struct e8_exchange *client_await(struct client *client);
void client_submit(struct client *client);

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define STEPS(...)                                                                                           \
    (const struct peer_step[]){__VA_ARGS__},                                                                 \
        sizeof((const struct peer_step[]){__VA_ARGS__}) / sizeof(struct peer_step)

/* Switches of interpose.c. */
extern atomic_int interpose_connect_errno;   /* TCP connect fails like this; 0: as it is */
extern atomic_int interpose_send_errno;      /* the next send of several bytes fails like this; 0: as it is */
extern atomic_int interpose_connect_wait;    /* TCP connect takes until the peer has spoken or closed */
extern atomic_int interpose_action_failures; /* so many calls of curl_multi_socket_action fail */
extern atomic_int interpose_strayed;         /* connects to other than loopback; refused */
extern atomic_int interpose_signals;         /* calls of sigaction for SIGPIPE */
extern atomic_int interpose_names;           /* names that were looked up */
extern atomic_int interpose_looks; /* single bytes that were asked of a socket: looks at an idle connection */
extern sem_t interpose_name_hold,
    interpose_name_held; /* "hang.invalid" waits for the first, posts the second */
extern struct interpose_sends {
    bool on; /* the transport's thread alone sends single bytes then */
    size_t count;
    e8_mono_ns at[1024];
} interpose_sends;
#endif
