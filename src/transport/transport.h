/* Exchanges over HTTP: the only user of libcurl. One transport belongs to one thread; nothing of it is shared.
 *
 * The caller submits an exchange, waits, and takes it back with its times, status and outcome. A failed exchange is data, never
 * an error. One exchange is at most one request on the wire: libcurl's own re-send on a dead reused connection is
 * prevented (CURLOPT_PREREQFUNCTION counts), and an idle connection is peeked at before it is used again.
 *
 * libcurl multi with curl_multi_socket_action and epoll, several multi handles of at most 256 transfers each, because
 * libcurl's look-up of connections is linear per host. Deadlines are ours, from a heap and a nanosecond timer. */
#ifndef E8_TRANSPORT_TRANSPORT_H
#define E8_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/delivery.h"
#include "http1/http1.h"

enum e8_http { E8_HTTP_AUTO, E8_HTTP_11, E8_HTTP_2 }; /* auto: 1.1 today; 2 on request alone */

/* How to reach targets; the same for all endpoints of a run unless an endpoint has its own. Texts outlive the transport. Lists
 * are NULL-terminated and may be NULL. The names are curl's. */
struct e8_reach {
    enum e8_http http;
    const char *cacert, *cert, *key;
    bool insecure;
    const char *proxy; /* NULL: none, also when the environment names one */
    const char *unix_socket;
    const char *const *connect_to; /* HOST1:PORT1:HOST2:PORT2 */
    const char *const *resolve;    /* HOST:PORT:ADDRESS */
    e8_dur_ns connect_timeout;     /* 0: the deadline alone */
    /* Hosts, addresses and CIDR blocks beside loopback that may be sent to. Checked against the address of the socket
     * itself. Link-local (169.254.0.0/16, fe80::/10) and metadata addresses only where an entry names exactly that host. */
    const char *const *allow;
};

/* Validates the files, lists and versions of `reach` once, before anything runs. */
enum e8_rc e8_reach_check(const struct e8_reach *reach, struct e8_err *err);
/* May this URL be sent to? Looks its host up (blocking) unless a proxy, unix socket, --resolve or --connect-to stands before it.
 * E8_INPUT with a hint on --allow-target when not. A name that is allowed but cannot be resolved is E8_OK: its attempts will
 * end as dns_failed. `address` gets the text of the first address ("127.0.0.1"), or is empty. */
enum e8_rc e8_reach_permits(const struct e8_reach *reach, struct e8_str url, char address[64],
                            struct e8_err *err);
/* The same for those who cannot wait: nothing is looked up. A name is permitted where the list has it, where it is localhost, and where
 * the list has addresses or blocks, among which its address may be: that of the socket is checked in any case. `address` is empty for a
 * name. */
enum e8_rc e8_reach_may_permit(const struct e8_reach *reach, struct e8_str url, char address[64],
                               struct e8_err *err);

#define E8_BODY_READ_MAX ((size_t)1 << 20)  /* of a response body at most is read */
#define E8_BODY_KEEP_MAX ((size_t)64 << 10) /* and kept, where `keep` is set */
#define E8_HEAD_KEEP_MAX ((size_t)16 << 10)

struct e8_exchange {
    unsigned magic; /* E8_EXCHANGE_MAGIC, set by the caller */
    /* In. All that is pointed at stays until the exchange is handed back. */
    struct e8_str url; /* NUL-terminated behind n; permitted by e8_reach_permits */
    const struct e8_reach *reach;
    struct e8_str method;            /* "POST" */
    const struct e8_header *headers; /* complete, valid, without Host and Content-Length */
    size_t header_count;
    struct e8_str body;
    e8_mono_ns deadline;        /* the attempt ends then, whatever its state; E8_NEVER for none */
    bool fresh;                 /* on a new connection */
    const struct e8_wire *wire; /* NULL: as usual. Without a body only close_after counts. */
    /* Connect, send all but the last byte of the body, then wait for e8_transport_release. Without a body nothing is done before
     * that, not even connecting. What ends an exchange ends a held one, too: an answer, the connection's end, the deadline. */
    bool hold;
    bool keep;   /* keep response head and body for showing */
    void *owner; /* the caller's */
    /* Out, valid once it has been handed back by e8_transport_next. */
    enum e8_outcome outcome;
    int status;       /* 0: none was read */
    uint16_t flags;   /* E8_FLAG_* */
    int http_version; /* 10, 11, 20; 0 if no response */
    e8_mono_ns sent, done;
    struct e8_phases phases;
    uint64_t bytes_sent, bytes_received; /* with heads */
    char error[E8_ERROR_MAX];            /* for people, cleaned of control characters; empty when delivered */
    char retry_after[64];                /* as received, cleaned; empty if none */
    char location[128];                  /* of a redirect, cleaned */
    char address[64];                    /* that was connected to */
    struct e8_buf head, content;         /* with keep; the caller calls e8_exchange_fini */
    /* Private to transport. */
    void *slot;
    struct e8_exchange *next;
};
#define E8_EXCHANGE_MAGIC 0x45584348u

void e8_exchange_fini(struct e8_exchange *exchange); /* frees head and content */

/* Once per process, before any thread starts; ignores SIGPIPE. */
enum e8_rc e8_transport_init(struct e8_err *err);
const char *e8_transport_curl_version(void); /* "7.88.1" */

struct e8_transport;
enum e8_rc e8_transport_new(struct e8_transport **out, struct e8_err *err);
/* Ends everything in flight as aborted, without handing it back. */
void e8_transport_free(struct e8_transport **transport);

/* Starts the exchange now; on a connection that is kept its request goes out with those that are submitted next, at the latest in
 * e8_transport_wait. It always comes back through e8_transport_next. */
void e8_transport_submit(struct e8_transport *transport, struct e8_exchange *exchange);
/* Runs the event loop until `until` (E8_NEVER: no limit), or an exchange is ready, or e8_transport_wake was called. Returns at
 * once when one is ready already. */
void e8_transport_wait(struct e8_transport *transport, e8_mono_ns until);
/* The last so much of each wait is spent looking instead of sleeping: microseconds of lateness for a core of its own. 0: none. */
void e8_transport_spin(struct e8_transport *transport, e8_dur_ns spin);
/* From now on an answer's times are those at which the kernel had it, not those at which it was read: what this program takes to wake up
 * is not in them, and does not make it miss its deadline. What came before its request is E8_DESYNC, what came after the deadline a timeout.
 * It costs some of the throughput that a worker has at most. Of connections that are opened from now on, and HTTP/1.1; what the end of the
 * connection ends has no stamp. */
void e8_transport_stamp(struct e8_transport *transport);
/* The next exchange that has ended, or NULL. */
struct e8_exchange *e8_transport_next(struct e8_transport *transport);
/* Has a held exchange sent all that it may, so that it waits? True also when it has ended. e8_transport_wait returns when one
 * comes to that. */
bool e8_transport_held(const struct e8_transport *transport, const struct e8_exchange *exchange);
/* Lets held exchanges go on, one right after the other, in the order of the list; `sent` becomes the moment at which the last byte
 * of each is handed to the kernel. One that is not held yet goes on without waiting, its `sent` as usual. */
void e8_transport_release(struct e8_transport *transport, struct e8_exchange *const *list, size_t count);
/* Ends it as aborted; it comes back through e8_transport_next. Harmless when it has ended already. */
void e8_transport_abort(struct e8_transport *transport, struct e8_exchange *exchange);
/* From any thread, and from a signal handler. */
void e8_transport_wake(struct e8_transport *transport);

/* How long it has slept in e8_transport_wait by the moment `at`, which is now. Any thread. */
e8_dur_ns e8_transport_slept(const struct e8_transport *transport, e8_mono_ns at);

/* Counters since the start, for reports. Owner thread. */
struct e8_transport_counts {
    uint64_t connections; /* opened */
    uint64_t reused;      /* requests on a kept-alive one */
    uint64_t handshakes, resumed;
    uint64_t idle_closed; /* idle ones found closed by the peer before use */
    uint64_t idle_bytes;  /* idle ones found with bytes that nobody had asked for */
    uint64_t rebuilt;     /* multi handles torn down after an error of libcurl */
    uint64_t goaways;     /* HTTP/2 connections that the receiver ended by GOAWAY */
    uint64_t refused;     /* HTTP/2 streams that it refused (RFC 9113, 8.7) */
    uint64_t over_h2;     /* answers over HTTP/2 */
    uint64_t declined_h2; /* answers over another version, where HTTP/2 was asked for */
};
struct e8_transport_counts e8_transport_counts(const struct e8_transport *transport);

#endif
