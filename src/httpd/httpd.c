#include "httpd/httpd.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "httpd/exchange.h"

#define TICK       (100 * E8_NS_MS)
#define DRAIN_TIME (2 * E8_NS_S) /* for answers that a client is slow to read, when stopping */
#define POOL_BYTES                                                                                           \
    ((size_t)64 << 10) /* of a connection: its head, with room for one that is too long to be told so */
#define BODY_LIMIT  ((size_t)16 << 20)
#define CONNECTIONS 1024
#define IDLE_S      60
#define EVENTS      64
#define GOING       64 /* connections that a wary server has closed, and MHD has not yet */

/* Before it answers a bad head itself, MHD says so. Of the head of its answer 0.9.75 sends two. */
static void on_message(void *closure, const char *format, va_list args)
{
    static const char refuses[] = "Error processing request (HTTP response code is %u";

    if (strncmp(format, refuses, strlen(refuses)) == 0)
        e8_exchange_refused(closure, (int)va_arg(args, unsigned));
}

static struct MHD_Daemon *start_mhd(struct e8_httpd *httpd)
{
    const struct e8_httpd_options *options = &httpd->options;
    unsigned connections = options->connections_max + (options->wary ? GOING : 0);

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, e8_exchange_run, httpd,
        MHD_OPTION_EXTERNAL_LOGGER, on_message, httpd, MHD_OPTION_LISTEN_SOCKET, httpd->listen.fd,
        MHD_OPTION_URI_LOG_CALLBACK, e8_exchange_begin, httpd, MHD_OPTION_NOTIFY_COMPLETED, e8_exchange_done,
        httpd, MHD_OPTION_NOTIFY_CONNECTION, e8_peer_notify, httpd, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

/* Arms the timer, unless it already is, for whatever comes first. */
static void arm(struct e8_httpd *httpd)
{
    e8_mono_ns next = e8_wait_next(httpd);

    if (next > httpd->next_tick)
        next = httpd->next_tick;
    if (next == httpd->armed)
        return;
    httpd->armed = next;
    if (next <= 0)
        next = 1; /* zero would disarm it */
    struct itimerspec spec = {.it_value = {.tv_sec = next / E8_NS_S, .tv_nsec = next % E8_NS_S}};
    int rc = timerfd_settime(httpd->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    E8_ASSERT(rc == 0);
}

static void on_peer(struct e8_peer *peer, uint32_t events)
{
    if (events & EPOLLIN)
        e8_peer_stirred(peer);
    if (events & ~(uint32_t)EPOLLIN)
        e8_peer_gone(peer);
}

static void on_event(struct e8_httpd *httpd, const struct epoll_event *event)
{
    uint64_t count;

    if (event->data.ptr == &httpd->stop_fd) {
        httpd->stopping = true;
    } else if (event->data.ptr == &httpd->timer_fd) {
        if (read(httpd->timer_fd, &count, sizeof count) == (ssize_t)sizeof count)
            httpd->armed = E8_NEVER;
    } else if (event->data.ptr == &httpd->news_fd) {
        httpd->news_fresh = read(httpd->news_fd, &count, sizeof count) == (ssize_t)sizeof count;
    } else if (event->data.ptr != &httpd->mhd_fd) {
        on_peer(event->data.ptr, event->events);
    }
}

static bool mhd_is_busy(struct e8_httpd *httpd)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    return MHD_get_timeout(httpd->daemon, &timeout) == MHD_YES && timeout == 0;
}

static void poll_events(struct e8_httpd *httpd, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(httpd->epoll_fd, events, EVENTS, timeout_ms);

    E8_ASSERT(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++)
        on_event(httpd, &events[i]);
}

static void turn(struct e8_httpd *httpd)
{
    bool busy = mhd_is_busy(httpd);

    if (!busy)
        arm(httpd);
    poll_events(httpd, busy ? 0 : -1);

    e8_mono_ns now = e8_mono_now();
    e8_wait_resume(httpd, now);
    if (httpd->news_fresh)
        e8_streams_turn(httpd);
    httpd->news_fresh = false;
    MHD_run(httpd->daemon);
    if (httpd->gone_fresh || now >= httpd->next_tick)
        e8_peers_nudge(httpd);
    if (now < httpd->next_tick)
        return;
    httpd->next_tick = now + TICK;
    e8_exchanges_sweep(httpd, now);
    e8_peers_sweep(httpd, now);
    if (httpd->options.tick)
        httpd->options.tick(httpd->options.state);
}

/* What has arrived is answered, what waits is answered now; then everything is closed. */
static void drain(struct e8_httpd *httpd)
{
    e8_mono_ns deadline = e8_mono_now() + DRAIN_TIME;

    MHD_quiesce_daemon(httpd->daemon);
    e8_wait_hurry_all(httpd);
    e8_streams_end(httpd);
    MHD_run(httpd->daemon);
    MHD_run(httpd->daemon);
    while ((httpd->pending > 0 || mhd_is_busy(httpd)) && e8_mono_now() < deadline) {
        struct epoll_event event;

        if (!mhd_is_busy(httpd))
            (void)epoll_wait(httpd->mhd_fd, &event, 1, 10);
        MHD_run(httpd->daemon);
    }
    E8_ASSERT(httpd->waiting.count == 0);
}

static void *serve(void *closure)
{
    struct e8_httpd *httpd = closure;

    E8_CHECK_MAGIC(httpd, E8_HTTPD_MAGIC);
    pthread_setname_np(pthread_self(), "e8-httpd");
    while (!httpd->stopping)
        turn(httpd);
    drain(httpd);
    MHD_stop_daemon(httpd->daemon);
    e8_streams_turn(httpd); /* nobody can tell of any more */
    return NULL;
}

static bool watch(struct e8_httpd *httpd, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};

    return *fd >= 0 && epoll_ctl(httpd->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static bool open_events(struct e8_httpd *httpd)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    httpd->mhd_fd = info->epoll_fd;
    httpd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    httpd->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    httpd->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    httpd->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return httpd->epoll_fd >= 0 && watch(httpd, &httpd->mhd_fd) && watch(httpd, &httpd->timer_fd) &&
           watch(httpd, &httpd->stop_fd) && watch(httpd, &httpd->news_fd);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Frees all but the thread and MHD, which has ended or never began. */
static void release(struct e8_httpd *httpd)
{
    e8_exchanges_fini(httpd);
    e8_timers_fini(&httpd->waiting);
    e8_buf_fini(&httpd->scratch);
    close_fd(httpd->epoll_fd);
    close_fd(httpd->timer_fd);
    close_fd(httpd->stop_fd);
    close_fd(httpd->news_fd);
    pthread_mutex_destroy(&httpd->news_lock);
    e8_listen_close(&httpd->listen);
    httpd->magic = 0;
    free(httpd);
}

/* Each connection takes a descriptor; the soft limit is often 1,024. */
static void raise_fd_limit(unsigned connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= (rlim_t)connections + 256)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* The thread takes no signals: they are read in one place, elsewhere. */
static int start_thread(struct e8_httpd *httpd)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&httpd->thread, NULL, serve, httpd);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

static struct e8_httpd *new_httpd(const struct e8_httpd_options *options)
{
    struct e8_httpd *httpd = e8_new(1, sizeof *httpd);

    httpd->magic = E8_HTTPD_MAGIC;
    httpd->options = *options;
    httpd->options.listen = NULL;
    if (options->connections_max == 0)
        httpd->options.connections_max = CONNECTIONS;
    if (options->idle_s == 0)
        httpd->options.idle_s = IDLE_S;
    httpd->listen.fd = httpd->mhd_fd = httpd->epoll_fd = httpd->timer_fd = httpd->stop_fd = httpd->news_fd =
        -1;
    pthread_mutex_init(&httpd->news_lock, NULL);
    httpd->armed = E8_NEVER;
    httpd->next_tick = e8_mono_now() + TICK;
    e8_buf_init(&httpd->scratch, BODY_LIMIT);
    return httpd;
}

static enum e8_rc run_mhd(struct e8_httpd *httpd, struct e8_err *err)
{
    raise_fd_limit(httpd->options.connections_max);
    httpd->daemon = start_mhd(httpd);
    if (!httpd->daemon)
        return e8_fail(err, E8_ENV, NULL, "the HTTP server cannot start: %s", strerror(errno));

    int error = open_events(httpd) ? start_thread(httpd) : errno;
    if (error == 0)
        return E8_OK;
    MHD_quiesce_daemon(httpd->daemon);
    MHD_stop_daemon(httpd->daemon);
    return e8_fail(err, E8_ENV, NULL, "the HTTP server cannot start: %s", strerror(error));
}

enum e8_rc e8_httpd_start(const struct e8_httpd_options *options, struct e8_httpd **out, struct e8_err *err)
{
    struct e8_httpd *httpd = new_httpd(options);
    enum e8_rc rc = e8_listen_open(options->listen, &httpd->listen, err);

    if (rc == E8_OK)
        rc = run_mhd(httpd, err);
    if (rc != E8_OK) {
        release(httpd);
        httpd = NULL;
    }
    *out = httpd;
    return rc;
}

int e8_httpd_port(const struct e8_httpd *httpd)
{
    return httpd->listen.port;
}

const char *e8_httpd_url(const struct e8_httpd *httpd)
{
    return httpd->listen.url;
}

void e8_httpd_stop(struct e8_httpd **httpd)
{
    uint64_t one = 1;

    if (!*httpd)
        return;
    E8_CHECK_MAGIC(*httpd, E8_HTTPD_MAGIC);
    ssize_t n = write((*httpd)->stop_fd, &one, sizeof one);
    E8_ASSERT(n == (ssize_t)sizeof one);
    pthread_join((*httpd)->thread, NULL);
    release(*httpd);
    *httpd = NULL;
}
