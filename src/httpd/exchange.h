/* One request and its answer. Private to httpd; everything here belongs to the server's thread. */
#ifndef E8_HTTPD_EXCHANGE_H
#define E8_HTTPD_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>

#include "httpd/httpd.h"
#include "httpd/listen.h"

#define E8_HEAD_TIME (5 * E8_NS_S)
#define E8_HEAD_MAX  ((size_t)16 << 10)

enum {
    E8_HTTPD_MAGIC = 0x0a4e8501,
    E8_EXCHANGE_MAGIC = 0x0a4e8502,
    E8_PEER_MAGIC = 0x0a4e8503,
    E8_STREAM_MAGIC = 0x0a4e8504
};

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
    bool bad_head;          /* its target or a header must not be believed */
    const char *target_end; /* where it ends in MHD's memory */
    int refuse;             /* answer this status without asking a handler; 0: none */
    bool answered;          /* with that, before its body has come */
    size_t discarded;       /* bytes of a refused body */
    struct MHD_Response *response;
    struct e8_stream *stream; /* the answer, once it is on its way; else NULL */
    int status;
    enum e8_fault fault;
    e8_mono_ns line;       /* when the request line had been read */
    struct e8_timer timer; /* while waiting */
    struct e8_service *prev,
        *next; /* of those in E8_PHASE_HEAD, oldest first; of those with a stream; next also of the spare ones */
};

/* What the server waits for. */
enum e8_owed {
    E8_OWED_HEAD,
    E8_OWED_BODY,
    E8_OWED_READING, /* of the answer */
    E8_OWED_NOTHING, /* the client waits for the server */
};

/* A connection; MHD keeps it. Its socket is in the server's epoll set, which reports that the client will send no more. */
struct e8_peer {
    unsigned magic;
    struct e8_httpd *httpd;
    int fd;
    uint64_t number;
    char text[64];
    struct e8_service *hung;     /* that waits for the client to go away */
    struct e8_stream *stream;    /* that it reads */
    bool gone;                   /* the client has closed, or half closed */
    struct e8_peer *prev, *next; /* of those that are gone */
    /* Of a wary server. */
    enum e8_owed owed;
    e8_mono_ns since;              /* it owes that; of E8_OWED_HEAD: the first byte has come, 0: it has not */
    bool turned_out;               /* closed by us, MHD has yet to see it */
    bool late;                     /* it has been answered past MHD */
    bool waits;                    /* it is among those that keep the server waiting */
    struct e8_peer *older, *newer; /* of these */
};

struct e8_httpd {
    unsigned magic;
    struct e8_httpd_options options; /* `listen` is not kept */
    struct e8_listen listen;
    struct MHD_Daemon *daemon;
    int mhd_fd, epoll_fd, timer_fd, stop_fd, news_fd;
    pthread_t thread;
    bool stopping;    /* the server's thread alone */
    e8_mono_ns armed; /* what the timer is set to */
    e8_mono_ns next_tick;
    uint64_t connections; /* so far */
    size_t pending;       /* exchanges that wait or whose answer is not yet with the kernel */
    struct e8_timers waiting;
    struct e8_peer *gone;
    bool gone_fresh; /* one more since MHD ran */
    struct e8_peer *oldest,
        *newest; /* of those that keep a wary server waiting: all but those that wait for it */
    size_t open; /* connections, without those that were closed to make room */
    struct e8_service *streams;
    bool news_fresh;           /* since the streams were looked at */
    pthread_mutex_t news_lock; /* of the following: any thread */
    struct e8_stream *news;    /* streams with something to do */
    struct e8_service *heads_first, *heads_last;
    struct e8_service *spare;
    size_t spare_count;
    struct e8_buf scratch; /* the body of the answer being made */
};

/* MHD's callbacks; the closure is the server. */
/* MHD is about to answer a bad head with that status: it is answered in its place. */
void e8_exchange_refused(struct e8_httpd *httpd, int status);
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
/* Its head took too long: it is told so, and closed. */
void e8_peer_late(struct e8_peer *peer);
/* Bytes have come. */
void e8_peer_stirred(struct e8_peer *peer);
/* Where a wary server stands with it. */
void e8_peer_owes(struct e8_peer *peer, enum e8_owed owed);
/* Ends connections that have owed a head or a body for too long. */
void e8_peers_sweep(struct e8_httpd *httpd, e8_mono_ns now);
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
struct MHD_Response *e8_answer_new(const struct e8_httpd *httpd, const struct e8_response *response);
/* A JSON error of ours; may not fail but by lack of memory, then NULL. */
struct MHD_Response *e8_answer_error(const struct e8_httpd *httpd, int status);
/* The same, written to the socket past MHD, which sends nothing more there; what the client still sends is MHD's to read. False: it was not
 * taken. Nothing else is being sent there. */
bool e8_answer_early(const struct e8_httpd *httpd, int fd, int status, bool with_body);
/* With the end of the connection: where MHD has no answer, or an answer of its own. */
void e8_answer_at_once(const struct e8_httpd *httpd, int fd, int status, bool with_body);

/* Streams (stream.c), on the server's thread. The MHD_Response that reads it; NULL when MHD refuses. */
struct MHD_Response *e8_stream_answer(struct e8_stream *stream);
void e8_stream_attach(struct e8_stream *stream, struct e8_service *ex); /* before MHD reads it */
void e8_stream_detach(struct e8_stream *stream);                        /* nobody reads it any more */
void e8_stream_lost(struct e8_stream *stream);                          /* its client sends no more */
void e8_streams_turn(struct e8_httpd *httpd);                           /* looks at those with news */
void e8_streams_end(struct e8_httpd *httpd);                            /* all of them */

#endif
