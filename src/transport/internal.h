/* What the files of transport share; nobody else includes it (tests of transport do).
 *
 * transport  the loop: one epoll, a timerfd, an eventfd, a heap of deadlines, and a table of file descriptors.
 * multi      a curl multi handle and at most E8_MULTI_SLOTS slots.
 * slot       an easy handle that is used again and again, and what is known of the exchange it carries now.
 *
 * All of it belongs to the transport's thread. libcurl's callbacks only note what they see in the slot; handles are added,
 * removed and freed outside of them. */
#ifndef E8_TRANSPORT_INTERNAL_H
#define E8_TRANSPORT_INTERNAL_H

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "http1/reply.h"
#include "transport/transport.h"

/* --- allow.c: addresses and the allow list ------------------------------------------------------------------------- */

struct e8_addr { /* IPv4 as ::ffff:a.b.c.d */
    unsigned char b[16];
};

bool e8_addr_parse(struct e8_str text, struct e8_addr *out);     /* a literal, brackets and zone allowed */
bool e8_addr_of(const struct sockaddr *sa, struct e8_addr *out); /* false: neither IPv4 nor IPv6 */
void e8_addr_text(const struct e8_addr *addr, char out[64]);
bool e8_addr_is_loopback(const struct e8_addr *addr);
/* E8_INPUT when the entry is none of host, address, CIDR block. */
enum e8_rc e8_allow_check(const char *entry, struct e8_err *err);
bool e8_allow_name(const char *const *allow, struct e8_str host);
bool e8_allow_has_addresses(const char *const *allow); /* an address or a block, not only names */
/* `named`: the name that was looked up to get this address is in the list itself. */
bool e8_allow_addr(const char *const *allow, const struct e8_addr *addr, bool named);

/* --- reach.c --------------------------------------------------------------------------------------------------------- */

/* Where a connection for this URL really goes. */
struct e8_route {
    bool local;         /* a unix socket */
    struct e8_str host; /* to look up or to connect to; after --connect-to and --proxy */
    int port;
    struct e8_str pinned; /* addresses of --resolve, comma separated; empty: look the host up */
};
struct e8_route e8_route_of(const struct e8_reach *reach, const struct e8_url *url);
/* May a socket be opened to this address for this URL? */
bool e8_reach_allows(const struct e8_reach *reach, struct e8_str url, const struct sockaddr *sa);

/* --- batch.c: sends and reads that do not wait, many with one system call ----------------------------------------------- */

#define E8_BATCH_MAX 32

enum e8_io_kind { E8_IO_SEND, E8_IO_RECV, E8_IO_RECV_STAMPED };
struct e8_io {
    int fd;
    char *bytes; /* not written to by E8_IO_SEND */
    size_t n;
    ssize_t done; /* how many; negative: -errno */
    e8_mono_ns
        at; /* of a read: when the kernel had the last of it, by its stamp; else when it had been read */
    bool stamped;
};
struct e8_batch;
struct e8_batch *e8_batch_new(void);
void e8_batch_free(struct e8_batch **batch);
/* At most E8_BATCH_MAX, in their order. All calls from one thread. */
void e8_batch_run(struct e8_batch *batch, enum e8_io_kind kind, struct e8_io *list, size_t count);
/* When the last came of what lies there to be read by others; false: nobody knows. */
bool e8_batch_peek(struct e8_batch *batch, int fd, e8_mono_ns *out);
/* From now on each is a call of its own, as where the kernel has no io_uring. */
void e8_batch_forgo(struct e8_batch *batch);

/* --- arrival.c: when the kernel had what is read ------------------------------------------------------------------------- */

struct e8_arrival {
    struct msghdr head;
    struct iovec piece;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
};
/* The kernel makes stamps while somebody wants them, and begins with it some milliseconds after the first has asked: this is asking ahead,
 * with a socket that nobody uses, which is to be closed at the end. -1: there is none. */
int e8_arrival_begin(void);
/* The socket's reads bear stamps from now on. Where it has none (a unix socket, an odd kernel), nothing is lost. */
void e8_arrival_want(int fd);
/* For recvmsg, with `head`. */
void e8_arrival_prepare(struct e8_arrival *arrival, const struct e8_io *io);
/* Can stamps be told in monotonic time now? Not where the wall clock has been set since the last time, whose difference to the monotonic one
 * is *offset (0: there was none), nor where the two could not be looked at together. */
bool e8_arrival_trusts(e8_dur_ns *offset, const struct e8_instant *now);
/* After recvmsg, which had ended at `read`. False: there is no stamp. */
bool e8_arrival_of(struct e8_arrival *arrival, const struct e8_instant *read, e8_mono_ns *out);
/* For e8_batch_peek. */
bool e8_arrival_peek(int fd, e8_dur_ns *offset, e8_mono_ns *out);

/* --- slots ------------------------------------------------------------------------------------------------------------ */

enum e8_far { E8_FAR_NAME, E8_FAR_CONNECT, E8_FAR_TLS, E8_FAR_SENT, E8_FAR_ANSWERED, E8_FAR_HEAD };
enum e8_wire_end { E8_WIRE_OPEN, E8_WIRE_FIN, E8_WIRE_RESET };

struct e8_response {
    int status; /* of the head being read or last read */
    int version;
    unsigned interims, lengths;
    bool in_head, complete; /* complete: the final head has been read */
    size_t body;            /* bytes */
    e8_mono_ns begun;       /* when its first line was read */
};

/* A body that libcurl asks for piece by piece, because it does not go out as usual. */
struct e8_upload {
    bool on;
    bool waiting;  /* there is nothing to hold back but the whole request, which has not been started */
    bool released; /* of a held one */
    bool stamps;   /* released when it was on its way: `sent` is when its last byte leaves */
    bool begun;    /* the head has been sent */
    bool go;       /* nothing has to come before the body */
    bool invited;  /* 100 has come */
    bool paused;
    bool ended; /* no more of the body: an answer has come, or the connection has ended */
    bool cut;   /* of the body not all was sent: the connection is of no use any more */
    size_t at;
    e8_mono_ns began;
    struct e8_timer
        timer; /* when there is something to do: the next piece, the end of a wait, a look whether to close */
    char why[80];
};

#define E8_SLOT_FDS 8

struct e8_slot {
    unsigned magic;
    struct e8_transport *transport;
    struct e8_multi *multi;
    CURL *easy;
    struct e8_exchange *exchange; /* NULL: free, or a link's */
    struct e8_link *link;         /* that uses the handle's connection (TLS) */
    struct e8_slot *next;         /* in the free list */
    struct e8_timer timer;
    bool timer_connects; /* the timer stands for connect_timeout, not for the deadline */
    e8_mono_ns started, added;
    struct e8_reach reach; /* that the handle is set up for */
    bool reach_set;
    int method; /* that the handle is set up for */
    struct curl_slist *connect_to, *resolve;
    /* The request's header lines: nodes[i].data points into text. */
    struct curl_slist *nodes;
    size_t node_cap;
    struct e8_buf text;
    /* Seen by the callbacks. */
    unsigned prereqs;     /* calls of the pre-request callback in this transfer */
    unsigned opened;      /* sockets opened in this transfer */
    int fds[E8_SLOT_FDS]; /* the first of them */
    int fd;               /* in use, or -1 */
    int open_errno;       /* why a socket could not be opened */
    union {
        struct sockaddr sa;
        struct sockaddr_in6 in6;
    } last;     /* address of the socket opened last */
    bool opens; /* a connection for a link: libcurl connects and no more */
    bool forbidden, resend, reconnect, trailing, capped, tls;
    bool answered;     /* some byte of a response was on the wire */
    int verdict;       /* enum e8_outcome, or -1: by what libcurl says */
    const char *why;   /* for people, with verdict */
    bool alert_unread; /* lay on the connection when that had ended; TLS 1.3 */
    void *ssl;         /* of the connection opened for this exchange, if it is OpenSSL's */
    enum e8_wire_end end;
    uint64_t received;        /* bytes of this exchange on the wire; UINT64_MAX: not known */
    struct e8_addr dead_peer; /* of an idle connection that libcurl closed while it looked for one for us */
    uint16_t dead_flags;
    struct e8_response response;
    struct e8_upload upload;
    char error[CURL_ERROR_SIZE];
};
#define E8_SLOT_MAGIC 0x45534c54u

/* An open file descriptor that libcurl told us of. */
struct e8_conn {
    struct e8_multi *multi; /* NULL: unknown to us */
    struct e8_link *link;   /* whose it is; libcurl's wishes do not count then */
    struct e8_slot *user;   /* the last one */
    unsigned users;
    uint64_t requests;
    uint64_t base;       /* bytes received before the running exchange; plain TCP */
    uint32_t want, have; /* epoll events: what libcurl wants, what is registered */
    int next;            /* fd + 1 of the next one in the hash chain; 0: none */
    uint16_t port;       /* local; 0: none (unix socket) */
    bool ours;           /* from our OPENSOCKETFUNCTION */
    bool hashed, tls, tls13, h2, tcp;
    bool doomed;     /* shut down by us */
    bool going_away; /* the receiver has said so, perhaps more than once (RFC 9113, 6.8) */
    struct e8_addr peer;
};

#define E8_MULTI_SLOTS    256
#define E8_MULTI_CONNECTS 1024L

struct e8_multi {
    unsigned magic;
    struct e8_transport *transport;
    CURLM *curl;
    size_t in_flight, slot_count;
    struct e8_slot *slots[E8_MULTI_SLOTS];
    struct e8_slot *free;
    const char *const *resolve; /* the pins that its name cache holds */
    e8_mono_ns timer;           /* libcurl's own next one */
    bool kick;                  /* a handle was added while results were read */
    bool closing;
};
#define E8_MULTI_MAGIC 0x454d554cu

#define E8_PORT_BUCKETS   4096u
#define E8_TARGET_BUCKETS 64u
#define E8_INBOX          ((size_t)64 << 10)

/* A link's request, with TLS its record, that goes out with the next batch. */
struct e8_outgoing {
    struct e8_link *link; /* NULL: its exchange has ended since */
    struct e8_buf request;
};

/* What is read of one answer in a batch: a number of cache lines that is odd, so that the pieces do not displace each other. */
#define E8_PIECE ((size_t)63 * 64)

struct e8_transport {
    unsigned magic;
    int epoll, timer, event;
    e8_mono_ns armed; /* when the timerfd fires; E8_NEVER: disarmed */
    bool woken;
    e8_dur_ns spin;
    _Atomic e8_mono_ns asleep_since; /* 0: awake */
    _Atomic e8_dur_ns slept;
    struct e8_timers deadlines;
    struct e8_timers uploads; /* of bodies that do not go out as usual */
    struct e8_timers turns;   /* deadlines of links */
    struct e8_link *links;
    struct e8_link *doomed; /* by idle_next */
    struct e8_origin *origins;
    struct e8_target *targets[E8_TARGET_BUCKETS];
    CURLSH *share; /* TLS sessions, of all handles */
    struct e8_multi **multis;
    size_t multi_count;
    struct e8_conn *conns; /* by fd */
    size_t conn_cap;
    int ports[E8_PORT_BUCKETS]; /* fd + 1 */
    struct e8_slot *starting;   /* whose connection is being looked for */
    struct e8_exchange *ready, **ready_tail;
    struct e8_transport_counts counts;
    struct e8_batch *batch;
    int stamper; /* of e8_arrival_begin; -1: answers bear no stamps */
    struct e8_outgoing outgoing[E8_BATCH_MAX];
    size_t outgoing_count;
    char pieces[E8_BATCH_MAX][E8_PIECE]; /* what links read in a batch */
    char inbox[E8_INBOX];                /* what a link reads alone */
};
#define E8_TRANSPORT_MAGIC 0x45545250u

/* --- conn.c: sockets, their reuse, and the moment before a request is sent -------------------------------------------- */

struct e8_conn *e8_conn_at(struct e8_transport *transport, int fd); /* valid until the next call */
void e8_conn_setup(struct e8_slot *slot);                           /* the callbacks */
/* The slot's request goes over this connection. The pre-request callback says so, or, where it could not tell which one
 * libcurl had chosen, the first wish to wait for it. */
void e8_conn_take(struct e8_slot *slot, int fd);
/* The exchange of this slot is over; with `poison` its connection must not be used again. */
void e8_conn_release(struct e8_slot *slot, bool poison);
/* Has a socket that this slot opened been connected? */
bool e8_conn_established(const struct e8_slot *slot);
/* Notes in the slot what is seen on its connection, if that is still open: `end`, `received` and `answered`. */
void e8_conn_look(struct e8_slot *slot);
/* The receiver ends the slot's connection by GOAWAY. */
void e8_conn_goes_away(struct e8_slot *slot);
/* Does an alert of TLS 1.3 lie unread on the descriptor of the slot's connection? */
bool e8_conn_alert_lies(struct e8_slot *slot, int fd);
/* The TLS alert that was read on the connection opened for the slot's exchange, even while libcurl closed it; 0: none. */
int e8_conn_alert(const struct e8_slot *slot);
/* EADDRNOTAVAIL towards this address: is there no local address for it at all, rather than no free port? */
bool e8_conn_no_source(const struct sockaddr *peer);

/* --- tls.c: OpenSSL between our reads and writes, without libcurl's look-up of the connection at each call -------------- */

#define E8_TLS_RECORD ((size_t)16 << 10) /* the largest */

/* An SSL that neither reads nor writes a socket: what has come is fed to it, what it has to send is taken from it. */
struct e8_tls {
    void *ssl; /* NULL: none */
    void *in, *out;
};
/* libcurl's SSL of the handle's connection; NULL: another library, or no TLS. */
void *e8_tls_of(CURL *easy);
/* The same, no longer on its socket; libcurl still frees it. False: that cannot be. */
bool e8_tls_take(struct e8_tls *tls, void *ssl);
/* The last that it has to say (close_notify) is appended; libcurl, which closes it, then neither reads nor writes its socket. */
void e8_tls_end(struct e8_tls *tls, struct e8_buf *out);
/* Of libcurl's SSL on its socket: from now on a read ends with each record that holds no data (a ticket, a new key), as with one that does;
 * else it would go on for as long as a receiver sends such. */
void e8_tls_take_turns(void *ssl);
void e8_tls_feed(struct e8_tls *tls, const char *bytes, size_t n);
/* As e8_link_read; a close_notify is 0. */
ssize_t e8_tls_read(struct e8_tls *tls, char *out, size_t n, int *error);
/* Has more been fed than was read? */
bool e8_tls_pending(const struct e8_tls *tls);
/* How many of the bytes have become part of what it has to send, at most a record; -2: never any, *error says why. */
ssize_t e8_tls_write(struct e8_tls *tls, struct e8_str bytes, int *error);
/* Appends what it has to send; false: nothing. */
bool e8_tls_take_out(struct e8_tls *tls, struct e8_buf *out);

/* --- loop.c ------------------------------------------------------------------------------------------------------------ */

enum e8_rc e8_loop_open(struct e8_transport *transport, struct e8_err *err);
void e8_loop_close(struct e8_transport *transport);
/* What libcurl wants to know of fd: CURL_POLL_*. */
void e8_loop_watch(struct e8_multi *multi, int fd, int what);

/* --- multi.c ----------------------------------------------------------------------------------------------------------- */

/* NULL: no memory in libcurl. */
struct e8_slot *e8_multi_take_slot(struct e8_transport *transport, const struct e8_reach *reach);
void e8_multi_give_slot(struct e8_slot *slot);
void e8_multi_act(struct e8_multi *multi, int fd, int events);
void e8_multi_free(struct e8_multi **multi);

/* --- prepare.c --------------------------------------------------------------------------------------------------------- */

/* Sets the easy handle up for its exchange; false: no memory. */
bool e8_transfer_prepare(struct e8_slot *slot);
void e8_transfer_setup(struct e8_slot *slot); /* options that never change */

bool e8_reach_same(const struct e8_reach *a, const struct e8_reach *b);

/* --- transfer.c -------------------------------------------------------------------------------------------------------- */

void e8_transfer_reset(struct e8_slot *slot); /* forgets what the callbacks saw */
/* Hands the handle to libcurl. */
void e8_transfer_add(struct e8_slot *slot);
/* libcurl says that it is over. */
void e8_transfer_done(struct e8_slot *slot, CURLcode code);
/* The slot's timer has fired. */
void e8_transfer_expired(struct e8_slot *slot);
/* Ends it whatever its state, and hands the exchange back. */
void e8_transfer_end(struct e8_slot *slot, enum e8_outcome outcome, const char *why);
/* In TLS 1.3 the receiver's refusal comes when the request is on its way. */
void e8_transfer_refused(const struct e8_slot *slot, char out[E8_ERROR_MAX]);
/* What the exchange says of its end, for people; NULL: the status. */
void e8_transfer_why(struct e8_exchange *exchange, const char *why);
const char *e8_transfer_late(enum e8_far far); /* why, at the deadline */
/* A phase of the slot's transfer that libcurl has timed, from the exchange's start; -1: it did not happen. */
e8_dur_ns e8_transfer_phase(const struct e8_slot *slot, CURLINFO info);
/* Puts it in the list of those to be handed back. */
void e8_transfer_ready(struct e8_transport *transport, struct e8_exchange *exchange);

/* --- link.c: connections that libcurl opens and we speak HTTP/1.1 on ---------------------------------------------------- */

/* scheme, host and port, and how to reach them: what connections are made to, and kept for. */
struct e8_origin {
    struct e8_buf name;
    struct e8_reach reach;
    struct e8_link *idle; /* the one used last comes first */
    size_t idle_count, busy,
        peak;      /* busy: links that are not idle; about as many are kept as were ever so at a time */
    uint16_t lost; /* flags for the next exchange: idle ones were found to be of no use */
    uint64_t kept; /* exchanges since a kept connection was last found to be of no use */
    struct e8_reply_memo memo; /* of the last head that said nothing but what its status does */
    struct e8_origin *next;
};

/* A URL that is sent to. Found by the address of its text; the text itself is compared. */
struct e8_target {
    struct e8_buf url;
    struct e8_reach reach;
    struct e8_origin *origin; /* NULL: not for links */
    struct e8_buf line;       /* " /path HTTP/1.1\r\nHost: host\r\n" */
    const char *key;
    struct e8_target *next;
};

/* A connection. Plain ones have been taken over from libcurl and are read and written as sockets; TLS is libcurl's, whose handle
 * then stays in its multi as long as the link lives. */
struct e8_link {
    unsigned magic;
    struct e8_transport *transport;
    struct e8_origin *origin;
    int fd;
    struct e8_slot *slot;         /* TLS; else NULL */
    struct e8_tls tls;            /* of OpenSSL, after the first answer; else TLS goes through libcurl */
    bool drained;                 /* the last read of the socket took less than there was room for */
    struct e8_exchange *exchange; /* NULL: idle */
    struct e8_link *next, *prev;  /* of all */
    struct e8_link *idle_next, *idle_prev; /* of the origin's idle ones */
    struct e8_timer timer;        /* not later than the deadline; may be earlier, and be set anew then */
    e8_mono_ns started, answered; /* answered: the whole response has come, not all has been sent */
    bool idle, doomed;            /* doomed: to be closed, and in no other list than that of those */
    bool opened;                  /* for the exchange that it carries */
    size_t queued;                /* 1-based place of its request in the transport's outgoing ones; 0: none */
    bool hung_up;                 /* the end of the connection may lie behind what can be read */
    bool unread;                  /* others have their turn; reading goes on when the timer fires */
    size_t sent;                  /* of head and body */
    size_t sealed;                /* of them in the queue, as a record of TLS */
    size_t head_size;             /* of the head, with its body where that is small */
    int send_errno;               /* no more can be sent */
    e8_mono_ns read_at;           /* what was read last, */
    bool stamped;                 /* both as e8_io says */
    e8_mono_ns first_byte;
    uint64_t received;
    struct e8_buf head;  /* the same, but of a plain link only where it did not go out with the batch */
    struct e8_str apart; /* the body where it is not */
    struct e8_buf rest;  /* records of TLS that the kernel has not taken yet, */
    size_t rest_sent;    /* but for so many bytes */
    struct e8_reply reply;
    char address[64];
};
#define E8_LINK_MAGIC 0x454c4e4bu

/* transport.c: libcurl has opened the connection that the slot was for. */
void e8_transport_opened(struct e8_slot *slot);
/* The link that carries the exchange; NULL: none does. */
struct e8_link *e8_link_of(const struct e8_exchange *exchange);
/* Can the exchange go over a link? NULL: no. */
struct e8_target *e8_link_target(struct e8_transport *transport, const struct e8_exchange *exchange);
/* An idle link that is good to use, taken out of the idle ones; NULL: there is none. */
struct e8_link *e8_link_take(struct e8_transport *transport, struct e8_origin *origin, e8_mono_ns now);
/* libcurl has connected: the link, whose exchange is the slot's. The slot is the link's, or free, from then on. */
struct e8_link *e8_link_open(struct e8_slot *slot, struct e8_origin *origin);
/* Its exchange is over: it is kept for the next one, or closed where more would never be needed. */
void e8_link_idle(struct e8_link *link);
/* Is an idle link good to use? If not, that is counted. */
bool e8_link_clean(struct e8_link *link);
/* The receiver has left a kept connection: from now on each is looked at again before it is used. */
void e8_link_distrust(struct e8_link *link);
void e8_link_close(struct e8_link **link);
/* Closing takes long, beside a deadline: it is put off. Without effect on one that is doomed. */
void e8_link_doom(struct e8_link *link);
void e8_links_bury(struct e8_transport *transport); /* closes some of the doomed */
void e8_link_lost(struct e8_link *link);            /* libcurl closes its connection */
void e8_links_free(struct e8_transport *transport);

/* --- speak.c: an exchange on a link -------------------------------------------------------------------------------------- */

void e8_link_begin(struct e8_link *link, struct e8_target *target, struct e8_exchange *exchange,
                   e8_mono_ns now);
/* Ends the exchange before anything is sent, and the link. */
void e8_link_refuse(struct e8_link *link, struct e8_exchange *exchange, enum e8_outcome outcome);
/* Something may be read or written. True: reading is all there is to do, and is left to e8_links_read. */
bool e8_link_serve(struct e8_link *link, uint32_t events);
void e8_links_read(struct e8_transport *transport, struct e8_link **links, size_t count);
/* Sends what links have begun. */
void e8_links_send(struct e8_transport *transport);
/* Its timer has fired. All that have run out by the same `now` end then, however long it takes to see to each. */
void e8_link_due(struct e8_link *link, e8_mono_ns now);
/* Ends its exchange, if there is one, and closes it. */
void e8_link_end(struct e8_link *link, enum e8_outcome outcome, const char *why);
/* The same, but it is closed later: others may still have it at hand. */
void e8_link_abandon(struct e8_link *link, enum e8_outcome outcome, const char *why);
/* Reads at most n bytes: how many; 0: the connection has ended; -1: nothing is there; -2: it is broken, *error says how. */
ssize_t e8_link_read(struct e8_link *link, char *out, size_t n, int *error);

/* --- upload.c ---------------------------------------------------------------------------------------------------------- */

void e8_upload_setup(struct e8_slot *slot);
bool e8_upload_wanted(const struct e8_exchange *exchange);
void e8_upload_reset(struct e8_slot *slot); /* nothing has been sent */
bool e8_upload_held(const struct e8_slot *slot);
/* In libcurl's callbacks: the request is about to be sent; 100 has come; the head of an answer has come. */
void e8_upload_sending(struct e8_slot *slot);
void e8_upload_continue(struct e8_slot *slot);
void e8_upload_answered(struct e8_slot *slot);
/* Outside of them: its timer has fired; something was read on its connection. libcurl sees the end of a connection, but
 * does nothing of its own while a body is paused. */
void e8_upload_due(struct e8_slot *slot);
void e8_upload_mind(struct e8_slot *slot);

/* --- response.c -------------------------------------------------------------------------------------------------------- */

void e8_response_setup(struct e8_slot *slot);
/* A field of the final head that the exchange tells of. */
void e8_response_field(struct e8_exchange *exchange, struct e8_str name, struct e8_str value);

/* --- classify.c: what happened, from what was seen; pure ---------------------------------------------------------------- */

struct e8_evidence {
    CURLcode code;
    long os_errno; /* of libcurl, which may keep it from an earlier transfer; or the link's */
    int io_errno;  /* of what a link read or wrote itself; 0: none */
    long verify;   /* X509_V_* */
    enum e8_far far;
    enum e8_wire_end end;
    bool reused, http2;
    bool stream_refused; /* of HTTP/2: the connection stands */
    int open_errno;
    uint64_t received; /* bytes; UINT64_MAX: not known */
    e8_dur_ns waited;  /* since the request went out; 0: it did not, or that is not known */
    bool no_source;    /* EADDRNOTAVAIL although there is no lack of ports */
    int status;        /* of the final head */
    int alert; /* that came over TLS once our half of the handshake was done; 0: none, or close_notify */
    bool alert_unread;
    const char *error;
};
enum e8_outcome e8_classify(const struct e8_evidence *evidence);
enum e8_outcome e8_classify_timeout(enum e8_far far);
/* What to say of an outcome that is our own fault, where libcurl's words would blame the receiver; NULL for the others. */
const char *e8_classify_own_fault(enum e8_outcome outcome);

#endif
