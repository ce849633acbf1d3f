/* An HTTP/1.1 response as it arrives: an incremental parser without I/O, in the caller's memory (RFC 9112). However the bytes are
 * split, the result is the same. Interim responses (1xx) are read over. */
#ifndef E8_HTTP1_REPLY_H
#define E8_HTTP1_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

#define E8_REPLY_INTERIM_MAX 16u
#define E8_REPLY_LINE_MAX    ((size_t)100 << 10) /* of a head: libcurl's limits */
#define E8_REPLY_HEAD_MAX    ((size_t)300 << 10)

enum e8_reply_state {
    E8_REPLY_STATUS, /* before or in a status line */
    E8_REPLY_FIELDS, /* in a head */
    E8_REPLY_BODY,   /* in a body of known length, or one that lasts until the connection ends */
    E8_REPLY_CHUNK_SIZE,
    E8_REPLY_CHUNK,
    E8_REPLY_CHUNK_END,
    E8_REPLY_TRAILER,
    E8_REPLY_WHOLE,  /* it has come to its end */
    E8_REPLY_CAPPED, /* the body has more than the limit */
    E8_REPLY_BROKEN, /* `fault` and `why` say how */
};

enum e8_reply_fault {
    E8_REPLY_GOOD,
    E8_REPLY_NOT_HTTP,
    E8_REPLY_BAD_STATUS, /* malformed, not HTTP/1.0 or 1.1, or not one of 100..599 (which stands in `status`) */
    E8_REPLY_BAD_FRAMING,
    E8_REPLY_BAD_HEADER, /* too large, a NUL, no colon */
    E8_REPLY_TOO_MANY_INTERIM,
    E8_REPLY_UPGRADED, /* 101 */
};

struct e8_reply {
    enum e8_reply_state state;
    enum e8_reply_fault fault;
    const char *why; /* for people */
    int status;      /* of the final response; of a broken one as far as it was read; 0: none */
    int version;     /* 10 or 11; 0: no status line was read */
    unsigned interims, lengths;
    bool interim;       /* the head being read is of an interim response */
    bool complete;      /* the final head has been read */
    bool bodiless;      /* the request was one for which answers have no body */
    bool chunked;       /* framing of the body; neither of the two: until the end of the connection */
    bool measured;      /* by Content-Length */
    bool persistent;    /* the connection may be used again */
    uint64_t left;      /* of the body, or of the chunk */
    uint64_t body;      /* bytes of the body so far, without framing */
    uint64_t most;      /* the body's limit */
    size_t head;        /* bytes of heads and trailers so far */
    struct e8_buf line; /* the beginning of one that has not come whole */
};

/* Where the parts of the response go; all may be NULL. */
struct e8_reply_taker {
    /* Each field of the final head that does not concern framing; the slices are valid during the call. */
    void (*field)(void *state, struct e8_str name, struct e8_str value);
    void *state;
    struct e8_buf *head;    /* the last head as it came; emptied for each */
    struct e8_buf *content; /* the body without framing, up to its limit */
};

/* A head that has been read, and what was read in it. What one receiver answers differs from one response to the next in the body
 * alone, and once a second in the date. */
#define E8_REPLY_MEMO_MAX ((size_t)1 << 10)
struct e8_reply_memo {
    size_t n; /* of head; 0: nothing is remembered */
    char head[E8_REPLY_MEMO_MAX];
    int status, version;
    bool persistent;
    uint64_t length; /* of the body */
};

void e8_reply_init(struct e8_reply *reply);
void e8_reply_fini(struct e8_reply *reply);
/* For the next response on the same memory. bodiless: of a HEAD request; most: bytes of the body. */
void e8_reply_reset(struct e8_reply *reply, bool bodiless, uint64_t most);
/* Takes bytes up to the response's end and returns how many; fewer than n only in the states WHOLE, CAPPED and BROKEN. */
size_t e8_reply_feed(struct e8_reply *reply, const char *bytes, size_t n, const struct e8_reply_taker *taker);
/* As e8_reply_feed for the head alone, of a response of which nothing has been fed; 0: it does not begin with the remembered head. The
 * taker would be given nothing of it. */
size_t e8_reply_recall(struct e8_reply *reply, const struct e8_reply_memo *memo, const char *bytes, size_t n);
/* Remembers the response's head, if that is plain: these bytes, the first that were fed, hold it whole, and it measures a body. The
 * caller sees to it that of its fields none was of use to him. */
void e8_reply_remember(struct e8_reply_memo *memo, const struct e8_reply *reply, const char *bytes, size_t n);
/* The connection has ended, orderly: a body that lasts until then is whole. */
void e8_reply_eof(struct e8_reply *reply);

/* The parts that libcurl's callbacks need as well: "HTTP/1.1 200 OK", "HTTP/2 200": three digits, then the end or a space
 * (RFC 9112, 4). */
bool e8_status_line_parse(struct e8_str line, int *version, int *status);
/* "Name: value", trimmed; false without a colon. */
bool e8_field_split(struct e8_str line, struct e8_str *name, struct e8_str *value);
/* RFC 9110, 8.6: digits; what does not fit into 63 bits cannot be a length. */
bool e8_content_length_parse(struct e8_str value, uint64_t *out);

#endif
