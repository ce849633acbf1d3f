/* HTTP/1.1 on bytes: header rules and the request as it goes on the wire. No I/O. */
#ifndef E8_HTTP1_HTTP1_H
#define E8_HTTP1_HTTP1_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

struct e8_header {
    struct e8_str name;
    struct e8_str value;
};

/* How a request goes on the wire where that is not as usual. Zero but for close_after is as usual. */
struct e8_wire {
    bool chunked;  /* the body in chunks, without a Content-Length */
    bool expect;   /* Expect: 100-continue, and the body when 100 came, or after a second */
    uint64_t rate; /* of the body, bytes per second; 0: as fast as it goes */
    int64_t
        close_after; /* close the connection after so many bytes of the body, without an answer; -1: not */
};

/* RFC 9110, 5.1 and 5.5: a token; no CR, LF, NUL or other control character but tab. */
bool e8_header_name_valid(struct e8_str name);
bool e8_header_value_valid(struct e8_str value);
/* Host, Content-Length, Transfer-Encoding, Connection, Expect, TE, Trailer, Upgrade: would break the framing. */
bool e8_header_is_framing(struct e8_str name);
/* Does the name say that the value is secret: Authorization, Cookie, X-Api-Key … */
bool e8_header_is_secret(struct e8_str name);
/* "Name: value" from a user (-H). The slices point into `line`. E8_INPUT with a hint on anything that must not go out. */
enum e8_rc e8_header_parse(struct e8_str line, struct e8_header *out, struct e8_err *err);
/* First header of that name, ASCII case ignored; NULL if there is none. */
const struct e8_header *e8_header_find(const struct e8_header *list, size_t count, const char *name);

/* An absolute http or https URL in its parts; the slices point into the text. */
struct e8_url {
    bool https;
    struct e8_str userinfo; /* empty if none */
    struct e8_str host;     /* without the brackets of IPv6 */
    bool ipv6;
    int port; /* given, or the scheme's */
    bool port_given;
    struct e8_str target; /* path and query; "/" if there is none; no fragment */
};
enum e8_rc e8_url_parse(struct e8_str text, struct e8_url *out, struct e8_err *err);
/* The URL without userinfo and with the values of query parameters that look secret (token, key, secret, sig, password)
 * replaced by "***": for logs and reports. */
void e8_url_redacted(struct e8_str text, struct e8_buf *out);
/* 127.0.0.0/8, ::1, localhost and *.localhost: no permission needed to send there. */
bool e8_host_is_loopback(struct e8_str host);

/* What stands between a request's method and its headers: target, version, Host. */
void e8_http1_target(struct e8_buf *out, const struct e8_url *url);
/* The head of a request: method, that, the headers as given, Content-Length (length < 0: none), empty line. */
void e8_http1_head(struct e8_buf *out, struct e8_str method, struct e8_str target,
                   const struct e8_header *headers, size_t count, int64_t length);
/* The same with its body. */
void e8_http1_request(struct e8_buf *out, struct e8_str method, const struct e8_url *url,
                      const struct e8_header *headers, size_t count, struct e8_str body);
/* The same as a curl command line for a shell, quoted; the body by --data-binary. */
void e8_http1_curl(struct e8_buf *out, struct e8_str method, struct e8_str url,
                   const struct e8_header *headers, size_t count, struct e8_str body);
/* The same with the body from a file, whose name is plain. */
void e8_http1_curl_file(struct e8_buf *out, struct e8_str method, struct e8_str url,
                        const struct e8_header *headers, size_t count, const char *file);
/* What such a command line needs beside, for a request that does not go out as usual. curl cannot close early; NULL is as usual. */
void e8_http1_curl_wire(struct e8_buf *out, const struct e8_wire *wire);

#endif
