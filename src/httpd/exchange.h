/* One request and its answer. Private to httpd; everything here belongs to the server's thread. */
#ifndef E8_HTTPD_EXCHANGE_H
#define E8_HTTPD_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>

#include "httpd/httpd.h"
#include "httpd/listen.h"

enum { E8_HTTPD_MAGIC = 0x0a4e8501, E8_EXCHANGE_MAGIC = 0x0a4e8502, E8_PEER_MAGIC = 0x0a4e8503 };

/* Where an exchange stands. */
enum e8_phase {
    E8_PHASE_HEAD,   /* the request line is there */
    E8_PHASE_BODY,   /* the head is there */
    E8_PHASE_WAIT,   /* suspended until it is due */
    E8_PHASE_ANSWER, /* an answer is on its way */
};

struct e8_pair {
    struct e8_str name, value;
};

struct e8_service {
    unsigned magic;
    struct e8_httpd *httpd;
    struct MHD_Connection *connection;
    enum e8_phase phase;
    struct e8_request request;
    struct e8_buf body;
    struct e8_pair *headers;
    size_t header_count, header_cap;
    bool bad_head;    /* its target or a header must not be believed */
    int refuse;       /* answer this status without asking a handler; 0: none */
    size_t discarded; /* bytes of a refused body */
    struct MHD_Response *response;
    int status;
    enum e8_fault fault;
    e8_mono_ns line;       /* when the request line had been read */
    struct e8_timer timer; /* while waiting */
    struct e8_service *prev,
        *next; /* of the exchanges in E8_PHASE_HEAD, oldest first; next also of the spare ones */
};

/* A connection; MHD keeps it. Its socket is in the server's epoll set, which reports that the client will send no more. */
struct e8_peer {
    unsigned magic;
    struct e8_httpd *httpd;
    int fd;
    uint64_t number;
    char text[64];
    struct e8_service *hung;     /* that waits for the client to go away */
    bool gone;                   /* the client has closed, or half closed */
    struct e8_peer *prev, *next; /* of those that are gone */
};

struct e8_httpd {
    unsigned magic;
    struct e8_httpd_options options; /* `listen` is not kept */
    struct e8_listen listen;
    struct MHD_Daemon *daemon;
    int mhd_fd, epoll_fd, timer_fd, stop_fd;
    pthread_t thread;
    bool stopping;    /* the server's thread alone */
    e8_mono_ns armed; /* what the timer is set to */
    e8_mono_ns next_tick;
    uint64_t connections; /* so far */
    size_t pending;       /* exchanges that wait or whose answer is not yet with the kernel */
    struct e8_timers waiting;
    struct e8_peer *gone;
    bool gone_fresh; /* one more since MHD ran */
    struct e8_service *heads_first, *heads_last;
    struct e8_service *spare;
    size_t spare_count;
    struct e8_buf scratch; /* the body of the answer being made */
};

/* MHD's callbacks; the closure is the server. */
void *e8_exchange_begin(void *closure, const char *uri, struct MHD_Connection *connection);
enum MHD_Result e8_exchange_run(void *closure, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *size,
                                void **context);
void e8_exchange_done(void *closure, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode code);
/* The connections (peer.c). */
void e8_peer_notify(void *closure, struct MHD_Connection *connection, void **context,
                    enum MHD_ConnectionNotificationCode code);
struct e8_peer *e8_peer_of(struct MHD_Connection *connection);
void e8_peer_gone(struct e8_peer *peer);
/* Makes MHD look at the sockets whose clients are gone: it reads until a read comes short, and so misses an end that came
 * along with the last bytes. */
void e8_peers_nudge(struct e8_httpd *httpd);
/* Frees the spare ones. */
void e8_exchanges_fini(struct e8_httpd *httpd);
/* Ends connections whose head takes too long. */
void e8_exchanges_sweep(struct e8_httpd *httpd, e8_mono_ns now);

/* The exchanges that wait (wait.c). */
void e8_wait_begin(struct e8_service *ex, e8_mono_ns due); /* suspends its connection */
void e8_wait_hurry(struct e8_service *ex);                 /* due at once */
void e8_wait_hurry_all(struct e8_httpd *httpd);
e8_mono_ns e8_wait_next(const struct e8_httpd *httpd); /* E8_NEVER if nothing waits */
void e8_wait_resume(struct e8_httpd *httpd, e8_mono_ns now);

/* The MHD_Response of what a handler said (answer.c). NULL when MHD refuses. */
struct MHD_Response *e8_answer_new(const struct e8_response *response);
/* A JSON error of ours; may not fail but by lack of memory, then NULL. */
struct MHD_Response *e8_answer_error(int status);

#endif
