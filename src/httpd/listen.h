/* The listening socket of a server. Private to httpd. */
#ifndef E8_HTTPD_LISTEN_H
#define E8_HTTPD_LISTEN_H

#include <sys/un.h>

#include "base/base.h"

struct e8_listen {
    int fd;
    int port;                                             /* the real one; 0 for a unix socket */
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* of a unix socket, else empty */
    char url[160];
};

/* Binds and listens, close-on-exec and non-blocking. A unix socket that nobody listens on any more is replaced.
 * On error nothing is left open. */
enum e8_rc e8_listen_open(const char *text, struct e8_listen *out, struct e8_err *err);
/* Also removes the unix socket's file. */
void e8_listen_close(struct e8_listen *listen);

#endif
