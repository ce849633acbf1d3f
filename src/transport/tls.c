/* libssl is not linked: its functions are asked of the one that libcurl has loaded, if that is OpenSSL at all. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "transport/internal.h"

enum { ERROR_WANT_READ = 2, ERROR_WANT_WRITE = 3, ERROR_SYSCALL = 5, ERROR_ZERO_RETURN = 6 };
enum { CTRL_SET_MODE = 33, CTRL_CLEAR_MODE = 78, MODE_AUTO_RETRY = 4 };
enum { CTRL_RESET = 1, CTRL_INFO = 3, CTRL_PENDING = 10 }; /* of a BIO */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    int (*write)(void *ssl, const void *bytes, int n);
    int (*read)(void *ssl, void *out, int n);
    int (*get_error)(const void *ssl, int rc);
    int (*shutdown)(void *ssl);
    long (*ctrl)(void *ssl, int what, long number, void *pointer);
    void (*set_bio)(void *ssl, void *in, void *out);
    void (*set_read_ahead)(void *ssl, int yes);
    unsigned long (*peek_error)(void);
    void (*clear_error)(void);
    int (*has_pending)(const void *ssl);
    const void *(*memory)(void);
    void *(*bio_new)(const void *method);
    int (*bio_free)(void *bio);
    int (*bio_write)(void *bio, const void *bytes, int n);
    long (*bio_ctrl)(void *bio, int what, long number, void *pointer);
} lib;
static bool usable;

static void look_up(void)
{
    *(void **)&lib.write = dlsym(RTLD_DEFAULT, "SSL_write");
    *(void **)&lib.read = dlsym(RTLD_DEFAULT, "SSL_read");
    *(void **)&lib.get_error = dlsym(RTLD_DEFAULT, "SSL_get_error");
    *(void **)&lib.shutdown = dlsym(RTLD_DEFAULT, "SSL_shutdown");
    *(void **)&lib.ctrl = dlsym(RTLD_DEFAULT, "SSL_ctrl");
    *(void **)&lib.set_bio = dlsym(RTLD_DEFAULT, "SSL_set_bio");
    *(void **)&lib.set_read_ahead = dlsym(RTLD_DEFAULT, "SSL_set_read_ahead");
    *(void **)&lib.clear_error = dlsym(RTLD_DEFAULT, "ERR_clear_error");
    *(void **)&lib.peek_error = dlsym(RTLD_DEFAULT, "ERR_peek_error");
    *(void **)&lib.has_pending = dlsym(RTLD_DEFAULT, "SSL_has_pending");
    *(void **)&lib.memory = dlsym(RTLD_DEFAULT, "BIO_s_mem");
    *(void **)&lib.bio_new = dlsym(RTLD_DEFAULT, "BIO_new");
    *(void **)&lib.bio_free = dlsym(RTLD_DEFAULT, "BIO_free");
    *(void **)&lib.bio_write = dlsym(RTLD_DEFAULT, "BIO_write");
    *(void **)&lib.bio_ctrl = dlsym(RTLD_DEFAULT, "BIO_ctrl");
    usable = lib.write && lib.read && lib.get_error && lib.shutdown && lib.ctrl && lib.set_bio &&
             lib.set_read_ahead && lib.clear_error && lib.peek_error && lib.has_pending && lib.memory &&
             lib.bio_new && lib.bio_free && lib.bio_write && lib.bio_ctrl;
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

bool e8_tls_take(struct e8_tls *tls, void *ssl)
{
    pthread_once(&once, look_up);
    if (!usable)
        return false;
    void *in = lib.bio_new(lib.memory()), *out = lib.bio_new(lib.memory());
    if (!in || !out) {
        lib.bio_free(in);
        lib.bio_free(out);
        return false;
    }
    lib.set_bio(ssl, in, out);
    (void)lib.ctrl(ssl, CTRL_SET_MODE, MODE_AUTO_RETRY, NULL); /* of what was fed there is an end */
    lib.set_read_ahead(ssl, 1);
    *tls = (struct e8_tls){ssl, in, out};
    return true;
}

void e8_tls_take_turns(void *ssl)
{
    pthread_once(&once, look_up);
    if (usable)
        (void)lib.ctrl(ssl, CTRL_CLEAR_MODE, MODE_AUTO_RETRY, NULL);
}

void e8_tls_end(struct e8_tls *tls, struct e8_buf *out)
{
    forget_errors();
    (void)lib.shutdown(tls->ssl);
    (void)e8_tls_take_out(tls, out);
    *tls = (struct e8_tls){0};
}

void e8_tls_feed(struct e8_tls *tls, const char *bytes, size_t n)
{
    E8_ASSERT(n <= INT_MAX && lib.bio_write(tls->in, bytes, (int)n) == (int)n);
}

bool e8_tls_take_out(struct e8_tls *tls, struct e8_buf *out)
{
    char *bytes = NULL;
    if (lib.bio_ctrl(tls->out, CTRL_PENDING, 0, NULL) <= 0)
        return false;
    long n = lib.bio_ctrl(tls->out, CTRL_INFO, 0, &bytes);
    e8_buf_put(out, bytes, (size_t)n);
    (void)lib.bio_ctrl(tls->out, CTRL_RESET, 0, NULL);
    return true;
}

/* -1: not before more has come; -2: never, *error says why. */
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

ssize_t e8_tls_read(struct e8_tls *tls, char *out, size_t n, int *error)
{
    forget_errors();
    errno = 0;
    int got = lib.read(tls->ssl, out, n < INT_MAX ? (int)n : INT_MAX);
    return got > 0 ? got : failed(tls->ssl, got, error);
}

bool e8_tls_pending(const struct e8_tls *tls)
{
    return lib.has_pending(tls->ssl) == 1 || lib.bio_ctrl(tls->in, CTRL_PENDING, 0, NULL) > 0;
}

ssize_t e8_tls_write(struct e8_tls *tls, struct e8_str bytes, int *error)
{
    forget_errors();
    errno = 0;
    int sent = lib.write(tls->ssl, bytes.p, (int)(bytes.n < E8_TLS_RECORD ? bytes.n : E8_TLS_RECORD));
    if (sent > 0)
        return sent;
    ssize_t rc = failed(tls->ssl, sent, error);
    if (rc != 0)
        return rc;
    *error = EPIPE;
    return -2;
}
