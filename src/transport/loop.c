#include "transport/internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX 128
#define LOOKS_MAX  1000 /* one after the other */

/* --- opening and closing --------------------------------------------------------------------------------------------- */

static bool join(struct e8_transport *t, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum e8_rc e8_loop_open(struct e8_transport *t, struct e8_err *err)
{
    t->armed = E8_NEVER;
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    t->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->epoll >= 0 && join(t, t->timer) && join(t, t->event))
        return E8_OK;
    int error = errno;
    e8_loop_close(t);
    return e8_fail(err, E8_ENV, error == EMFILE ? "raise the limit of open files (ulimit -n)" : NULL,
                   "the event loop cannot be set up: %s", strerror(error));
}

void e8_loop_close(struct e8_transport *t)
{
    int *fds[] = {&t->epoll, &t->timer, &t->event, &t->stamper};
    for (size_t i = 0; i < E8_COUNT(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* --- what libcurl waits for ------------------------------------------------------------------------------------------ */

static void enrol(struct e8_transport *t, int fd, uint32_t events)
{
    struct e8_conn *conn = e8_conn_at(t, fd);
    struct epoll_event event = {.events = events, .data.fd = fd};
    int op = !events ? EPOLL_CTL_DEL : conn->have ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(t->epoll, op, fd, &event) != 0 && op == EPOLL_CTL_MOD && errno == ENOENT)
        (void)epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &event);
    conn->have = events;
}

/* A connection stays enrolled when libcurl loses interest, for most of them are wanted again at once; an event that nobody
 * wants then strikes it out. */
void e8_loop_watch(struct e8_multi *multi, int fd, int what)
{
    static const uint32_t events[] = {
        [CURL_POLL_NONE] = 0,       [CURL_POLL_IN] = EPOLLIN,
        [CURL_POLL_OUT] = EPOLLOUT, [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
        [CURL_POLL_REMOVE] = 0,
    };
    E8_ASSERT(what >= 0 && (size_t)what < E8_COUNT(events));
    struct e8_conn *conn = e8_conn_at(multi->transport, fd);
    if (conn->link)
        return;
    conn->multi = multi;
    conn->want = events[what];
    bool enough = (conn->have & conn->want) == conn->want;
    if (conn->ours ? !enough : conn->have != conn->want)
        enrol(multi->transport, fd, conn->want);
}

static int actions_of(uint32_t want, uint32_t events)
{
    int actions = 0;
    bool broken = events & (EPOLLERR | EPOLLHUP); /* reading or writing will tell libcurl what it is */
    if ((want & EPOLLIN) && (broken || (events & EPOLLIN)))
        actions |= CURL_CSELECT_IN;
    if ((want & EPOLLOUT) && (broken || (events & EPOLLOUT)))
        actions |= CURL_CSELECT_OUT;
    return actions;
}

static void act(struct e8_transport *t, int fd, int actions)
{
    e8_multi_act(e8_conn_at(t, fd)->multi, fd, actions);
    const struct e8_conn *conn = e8_conn_at(t, fd);
    if (conn->users == 1 && conn->user->upload.paused)
        e8_upload_mind(conn->user);
}

/* True: all that is to be done is to read *heard. */
static bool serve(struct e8_transport *t, int fd, uint32_t events, struct e8_link **heard)
{
    const struct e8_conn *conn = e8_conn_at(t, fd);
    if (conn->link) {
        *heard = conn->link;
        return e8_link_serve(conn->link, events);
    }
    int actions = actions_of(conn->want, events);
    if (actions && conn->multi)
        act(t, fd, actions);
    else if (conn->have != conn->want)
        enrol(t, fd, conn->want);
    return false;
}

/* --- time ------------------------------------------------------------------------------------------------------------ */

static e8_mono_ns next_time(const struct e8_transport *t, e8_mono_ns until)
{
    if (t->doomed)
        return 0;
    if (e8_timers_due(&t->deadlines) < until)
        until = e8_timers_due(&t->deadlines);
    if (e8_timers_due(&t->uploads) < until)
        until = e8_timers_due(&t->uploads);
    if (e8_timers_due(&t->turns) < until)
        until = e8_timers_due(&t->turns);
    for (size_t i = 0; i < t->multi_count; i++) {
        if (t->multis[i]->timer < until)
            until = t->multis[i]->timer;
    }
    return until;
}

static void run_timers(struct e8_transport *t)
{
    e8_mono_ns now = e8_mono_now();
    for (size_t i = 0; i < t->multi_count; i++) {
        if (t->multis[i]->timer > now)
            continue;
        t->multis[i]->timer = 0;
        e8_multi_act(t->multis[i], CURL_SOCKET_TIMEOUT, 0);
    }
    while (e8_timers_due(&t->uploads) <= now)
        e8_upload_due(E8_TIMER_OWNER(e8_timers_peek(&t->uploads), struct e8_slot, upload.timer));
    while (e8_timers_due(&t->turns) <= now)
        e8_link_due(E8_TIMER_OWNER(e8_timers_peek(&t->turns), struct e8_link, timer), now);
    while (e8_timers_due(&t->deadlines) <= now)
        e8_transfer_expired(E8_TIMER_OWNER(e8_timers_peek(&t->deadlines), struct e8_slot, timer));
}

/* The timer may be armed for an earlier time than needed: that wakes the loop once for nothing, and is cheaper than setting
 * it anew in each round. */
static void arm(struct e8_transport *t, e8_mono_ns at)
{
    if (at >= t->armed)
        return;
    struct itimerspec spec = {.it_value = {.tv_sec = at / E8_NS_S, .tv_nsec = at % E8_NS_S}};
    E8_ASSERT(timerfd_settime(t->timer, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
    t->armed = at;
}

/* --- the loop -------------------------------------------------------------------------------------------------------- */

static void drain(struct e8_transport *t, int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);
    if (n != (ssize_t)sizeof count)
        return;
    if (fd == t->timer)
        t->armed = E8_NEVER;
    else
        t->woken = true;
}

/* Nothing is due: what passes until there is an event is counted as sleep, also where it is spun away. */
static int idle(struct e8_transport *t, bool sleep, struct epoll_event *events)
{
    e8_mono_ns since = e8_mono_now();
    atomic_store_explicit(&t->asleep_since, since, memory_order_relaxed);
    int n = epoll_wait(t->epoll, events, EVENTS_MAX, sleep ? -1 : 0);
    e8_dur_ns slept = atomic_load_explicit(&t->slept, memory_order_relaxed) + e8_mono_now() - since;
    atomic_store_explicit(&t->slept, slept, memory_order_relaxed);
    atomic_store_explicit(&t->asleep_since, 0, memory_order_relaxed);
    return n;
}

e8_dur_ns e8_transport_slept(const struct e8_transport *t, e8_mono_ns at)
{
    e8_mono_ns since = atomic_load_explicit(&t->asleep_since, memory_order_relaxed);
    return atomic_load_explicit(&t->slept, memory_order_relaxed) + (since && at > since ? at - since : 0);
}

enum rest { REST_NONE, REST_SPIN, REST_SLEEP };

/* False: there may be more. A stop of this program, and its end, interrupt. */
static bool look(struct e8_transport *t, enum rest rest)
{
    struct epoll_event events[EVENTS_MAX];
    struct e8_link *heard[E8_BATCH_MAX];
    size_t count = 0;
    int n = rest ? idle(t, rest == REST_SLEEP, events) : epoll_wait(t->epoll, events, EVENTS_MAX, 0);
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        if (fd == t->timer || fd == t->event)
            drain(t, fd);
        else
            count += serve(t, fd, events[i].events, &heard[count]);
        if (count == E8_BATCH_MAX || i == n - 1) {
            e8_links_read(t, heard, count);
            count = 0;
        }
    }
    return n >= 0 && n < EVENTS_MAX;
}

/* All that has come is seen before a deadline is held against it. */
static void poll_events(struct e8_transport *t, enum rest rest)
{
    bool all = look(t, rest);
    for (unsigned i = 0; !all && i < LOOKS_MAX; i++)
        all = look(t, REST_NONE);
}

static enum rest rest_until(const struct e8_transport *t, e8_mono_ns next)
{
    e8_mono_ns now = e8_mono_now();
    return next <= now ? REST_NONE : next <= now + t->spin ? REST_SPIN : REST_SLEEP;
}

void e8_transport_wait(struct e8_transport *t, e8_mono_ns until)
{
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    e8_links_send(t);
    if (t->ready)
        return;
    t->woken = false;
    do {
        e8_mono_ns next = next_time(t, until);
        enum rest rest = rest_until(t, next);
        if (rest == REST_SLEEP && next != E8_NEVER)
            arm(t, next - t->spin);
        poll_events(t, rest);
        run_timers(t);
        e8_links_bury(t);
        e8_links_send(t);
    } while (!t->ready && !t->woken && (until == E8_NEVER || e8_mono_now() < until));
}

void e8_transport_stamp(struct e8_transport *t)
{
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    if (t->stamper < 0)
        t->stamper = e8_arrival_begin();
}

void e8_transport_spin(struct e8_transport *t, e8_dur_ns spin)
{
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    E8_ASSERT(spin >= 0);
    t->spin = spin;
}

void e8_transport_wake(struct e8_transport *t)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t n = write(t->event, &one, sizeof one); /* full: it is awake then */
    (void)n;
    errno = saved;
}
