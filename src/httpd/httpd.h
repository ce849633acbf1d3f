/* An embedded HTTP/1.1 server: libmicrohttpd behind a table of routes. One thread of its own runs the server and calls the
 * handlers, so handlers share state without locks but must not block. */
#ifndef E8_HTTPD_HTTPD_H
#define E8_HTTPD_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct e8_httpd;

/* A complete request. Valid during the handler's call. */
struct e8_request {
    struct e8_str method;
    struct e8_str path; /* percent-decoded, without the query */
    struct e8_str body;
    e8_mono_ns began;    /* when its head had been read */
    e8_mono_ns complete; /* when its last byte had been read */
    e8_wall_ns wall;
    const char *peer;    /* address text, or "unix" */
    uint64_t connection; /* the same on a kept-alive connection; 1, 2, … */
    void *impl;
};
/* NULL when absent; ASCII case ignored. With more than one of that name: the n-th (0, 1, …). */
const char *e8_request_header(const struct e8_request *request, const char *name, size_t n);
size_t e8_request_header_count(const struct e8_request *request);
void e8_request_header_at(const struct e8_request *request, size_t index, struct e8_str *name,
                          struct e8_str *value);
const char *e8_request_query(const struct e8_request *request, const char *name);
/* The n-th (0, 1, …) of that name, "" where it has no value; with name NULL the name of the n-th of all. NULL: there are no more. */
const char *e8_request_query_nth(const struct e8_request *request, const char *name, size_t n);

/* What the connection does instead of answering, or while answering. */
enum e8_fault {
    E8_FAULT_NONE,
    E8_FAULT_CLOSE,    /* close without an answer */
    E8_FAULT_RESET,    /* RST without an answer */
    E8_FAULT_HANG,     /* no answer until the client goes away or the server stops */
    E8_FAULT_TRUNCATE, /* announce the whole body, send half, close */
};

#define E8_RESPONSE_HEADERS_MAX 16
struct e8_response {
    int status; /* 200 unless set */
    struct {
        const char *name;
        const char *value;
    } headers[E8_RESPONSE_HEADERS_MAX]; /* copied after the handler */
    size_t header_count;
    struct e8_buf body; /* initialised empty; limit 16 MiB */
    struct e8_str
        constant; /* in place of `body`, unless p is NULL: outlives the server, is sent without a copy */
    struct e8_stream *
        stream; /* in place of both, unless NULL; it stays the handler's to free. Sent at once, chunk by chunk */
    e8_dur_ns delay; /* answer this much after the request was complete; the thread goes on meanwhile */
    enum e8_fault fault;
    bool close; /* Connection: close */
};

/* An answer without an end (server-sent events, say): while it is open, any thread may add to it. What the client has not taken yet
 * waits in memory of a fixed size; a client for which that is too small is cut off, so nobody ever waits for it. */
struct e8_stream;
/* For a handler: makes it the body of its answer, which has neither fault nor delay, and gives it to whoever will add to it; lives
 * until e8_stream_free, whatever becomes of the client. room: bytes that may wait. */
struct e8_stream *e8_stream_new(struct e8_response *response, size_t room);
/* All of it or nothing, before the handler's return as well. False: the client is gone, was too slow, or the server has stopped; then
 * nothing more can be added, and it should be freed. Any thread; never blocks. */
bool e8_stream_put(struct e8_stream *stream, struct e8_str bytes);
/* Somebody still reads. Any thread. */
bool e8_stream_is_open(struct e8_stream *stream);
/* Ends the answer, in order, after what was added. NULL inside is allowed. Not while another thread uses it. */
void e8_stream_free(struct e8_stream **stream);

typedef void e8_route_fn(void *state, const struct e8_request *request, struct e8_response *response);
struct e8_route {
    const char *method; /* NULL: any */
    const char *path;   /* exact, or a prefix when it ends in '*' */
    e8_route_fn *handle;
};

struct e8_httpd_options {
    const char *listen;            /* "127.0.0.1:0", "[::1]:8080", "unix:/path" */
    const struct e8_route *routes; /* NULL-handler terminated; first match wins; none: 404 */
    void *state;
    size_t body_max;          /* larger: 413 */
    unsigned connections_max; /* 0: 1,024 */
    unsigned idle_s;          /* 0: 60; an open stream is not idle */
    /* Name and value of what every answer bears, those of the server itself included; NULL-terminated; copied by nobody. May be NULL. */
    const char *const (*always)[2];
    /* Clients may mean harm: a head has 5 s from its first byte on, a body idle_s; and at the limit of connections the one that has
     * kept the server waiting longest is closed. Without it, a head has 5 s from its first line on, and at the limit others wait. */
    bool wary;
    /* Called about every 100 ms on the server's thread; may be NULL. */
    void (*tick)(void *state);
};
/* Starts the server and its thread; it accepts when this returns. E8_INPUT for a bad address, E8_ENV when it cannot bind. */
enum e8_rc e8_httpd_start(const struct e8_httpd_options *options, struct e8_httpd **out, struct e8_err *err);
int e8_httpd_port(const struct e8_httpd *httpd);        /* 0 for a unix socket */
const char *e8_httpd_url(const struct e8_httpd *httpd); /* "http://127.0.0.1:41234" */
/* Answers what is pending (delayed ones at once), ends streams, closes, joins the thread. */
void e8_httpd_stop(struct e8_httpd **httpd);

#endif
