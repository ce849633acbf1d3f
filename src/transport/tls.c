/* libssl is not linked: its functions are asked of the one that libcurl has loaded, if that is OpenSSL at all. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "transport/internal.h"

enum { ERROR_WANT_READ = 2, ERROR_WANT_WRITE = 3, ERROR_SYSCALL = 5, ERROR_ZERO_RETURN = 6 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    int (*write)(void *ssl, const void *bytes, int n);
    int (*read)(void *ssl, void *out, int n);
    int (*get_error)(const void *ssl, int rc);
    int (*set_fd)(void *ssl, int fd);
    void (*set_read_ahead)(void *ssl, int yes);
    unsigned long (*peek_error)(void);
    void (*clear_error)(void);
    int (*has_pending)(const void *ssl);
} lib;
static bool usable;

static void look_up(void)
{
    *(void **)&lib.write = dlsym(RTLD_DEFAULT, "SSL_write");
    *(void **)&lib.read = dlsym(RTLD_DEFAULT, "SSL_read");
    *(void **)&lib.get_error = dlsym(RTLD_DEFAULT, "SSL_get_error");
    *(void **)&lib.set_fd = dlsym(RTLD_DEFAULT, "SSL_set_fd");
    *(void **)&lib.set_read_ahead = dlsym(RTLD_DEFAULT, "SSL_set_read_ahead");
    *(void **)&lib.clear_error = dlsym(RTLD_DEFAULT, "ERR_clear_error");
    *(void **)&lib.peek_error = dlsym(RTLD_DEFAULT, "ERR_peek_error");
    *(void **)&lib.has_pending = dlsym(RTLD_DEFAULT, "SSL_has_pending");
    usable = lib.write && lib.read && lib.get_error && lib.set_fd && lib.set_read_ahead && lib.clear_error &&
             lib.peek_error && lib.has_pending;
}

void *e8_tls_of(CURL *easy)
{
    struct curl_tlssessioninfo *info = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
        info->backend != CURLSSLBACKEND_OPENSSL)
        return NULL;
    return info->internals;
}

/* What others on this thread have left would be taken for the reason of our own failure. */
static void forget_errors(void)
{
    if (lib.peek_error())
        lib.clear_error();
}

bool e8_tls_take(void *ssl, int fd)
{
    pthread_once(&once, look_up);
    if (!usable || fd < 0)
        return false;
    forget_errors();
    if (lib.set_fd(ssl, fd) != 1)
        return false;
    lib.set_read_ahead(ssl, 1);
    return true;
}

/* -1: not now; -2: never, *error says why. An end without close_notify is an error: what came before may have been cut. */
static ssize_t failed(void *ssl, int rc, int *error)
{
    int system = errno;
    switch (lib.get_error(ssl, rc)) {
    case ERROR_WANT_READ:
    case ERROR_WANT_WRITE:
        return -1;
    case ERROR_ZERO_RETURN:
        return 0;
    case ERROR_SYSCALL:
        *error = system ? system : EIO;
        return -2;
    default:
        *error = EIO;
        return -2;
    }
}

ssize_t e8_tls_read(void *ssl, char *out, size_t n, int *error)
{
    forget_errors();
    errno = 0;
    int got = lib.read(ssl, out, n < INT_MAX ? (int)n : INT_MAX);
    return got > 0 ? got : failed(ssl, got, error);
}

bool e8_tls_pending(const void *ssl)
{
    return lib.has_pending(ssl) == 1;
}

ssize_t e8_tls_write(void *ssl, struct e8_str bytes, int *error)
{
    forget_errors();
    errno = 0;
    int sent = lib.write(ssl, bytes.p, bytes.n < INT_MAX ? (int)bytes.n : INT_MAX);
    if (sent > 0)
        return sent;
    ssize_t rc = failed(ssl, sent, error);
    if (rc != 0)
        return rc;
    *error = EPIPE;
    return -2;
}
