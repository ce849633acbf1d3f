#include "transport/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURL_OLDEST 0x075800u /* 7.88.0 */

enum e8_rc e8_transport_init(struct e8_err *err)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    E8_ASSERT(sigaction(SIGPIPE, &ignore, NULL) == 0);
    if (info->version_num < CURL_OLDEST)
        return e8_fail(err, E8_ENV, "7.88 or later is needed", "libcurl %s is too old", info->version);
    if (!(info->features & CURL_VERSION_ASYNCHDNS))
        return e8_fail(err, E8_ENV, NULL, "libcurl %s resolves names synchronously", info->version);
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code)
        return e8_fail(err, E8_ENV, NULL, "libcurl cannot start: %s", curl_easy_strerror(code));
    return E8_OK;
}

const char *e8_transport_curl_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

enum e8_rc e8_transport_new(struct e8_transport **out, struct e8_err *err)
{
    struct e8_transport *t = e8_new(1, sizeof *t);
    t->magic = E8_TRANSPORT_MAGIC;
    t->epoll = t->timer = t->event = t->stamper = -1;
    t->ready_tail = &t->ready;
    *out = NULL;
    enum e8_rc rc = e8_loop_open(t, err);
    if (rc) {
        free(t);
        return rc;
    }
    t->batch = e8_batch_new();
    for (size_t i = 0; i < E8_BATCH_MAX; i++)
        e8_buf_init(&t->outgoing[i].request, SIZE_MAX);
    t->share = curl_share_init(); /* where there is none, each handle has its own sessions */
    curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    *out = t;
    return E8_OK;
}

void e8_transport_free(struct e8_transport **where)
{
    struct e8_transport *t = *where;
    *where = NULL;
    if (!t)
        return;
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    e8_links_free(t);
    for (size_t i = 0; i < t->multi_count; i++)
        e8_multi_free(&t->multis[i]);
    curl_share_cleanup(t->share);
    e8_loop_close(t);
    e8_timers_fini(&t->deadlines);
    e8_timers_fini(&t->uploads);
    for (size_t i = 0; i < E8_BATCH_MAX; i++)
        e8_buf_fini(&t->outgoing[i].request);
    e8_batch_free(&t->batch);
    free(t->multis);
    free(t->conns);
    t->magic = 0;
    free(t);
}

static void clear_results(struct e8_exchange *x)
{
    x->outcome = E8_UNKNOWN;
    x->status = x->http_version = 0;
    x->flags = 0;
    x->sent = x->done = 0;
    x->phases = (struct e8_phases){-1, -1, -1, -1, -1};
    x->bytes_sent = x->bytes_received = 0;
    x->error[0] = x->retry_after[0] = x->location[0] = x->address[0] = '\0';
    x->next = NULL;
    if (!x->keep)
        return;
    e8_exchange_fini(x);
    e8_buf_init(&x->head, E8_HEAD_KEEP_MAX);
    e8_buf_init(&x->content, E8_BODY_KEEP_MAX);
}

static void start_timer(struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    e8_mono_ns at = x->deadline;
    slot->timer_connects = slot->reach.connect_timeout && slot->reach.connect_timeout < at - slot->started;
    if (slot->timer_connects)
        at = slot->started + slot->reach.connect_timeout;
    if (at != E8_NEVER)
        e8_timers_add(&slot->transport->deadlines, &slot->timer, at);
}

static void end_unstarted(struct e8_transport *t, struct e8_exchange *x)
{
    x->outcome = E8_GEN_MEMORY;
    x->sent = x->done = e8_mono_now();
    x->phases.total = 0;
    snprintf(x->error, sizeof x->error, "%s", e8_classify_own_fault(E8_GEN_MEMORY));
    e8_transfer_ready(t, x);
}

/* An idle connection of ours, if there is a good one. What was found out about the others is told as well. */
static bool goes_over_link(struct e8_transport *t, struct e8_target *target, struct e8_exchange *x)
{
    e8_mono_ns now = e8_mono_now();
    struct e8_link *link = x->fresh ? NULL : e8_link_take(t, target->origin, now);
    x->flags |= target->origin->lost;
    target->origin->lost = 0;
    if (link)
        e8_link_begin(link, target, x, now);
    return link != NULL;
}

/* libcurl has connected, and that is all it was asked to do. */
void e8_transport_opened(struct e8_slot *slot)
{
    struct e8_exchange *x = slot->exchange;
    struct e8_target *target = e8_link_target(slot->transport, x);
    E8_ASSERT(target);
    x->phases.dns = e8_transfer_phase(slot, CURLINFO_NAMELOOKUP_TIME_T);
    x->phases.connect = e8_transfer_phase(slot, CURLINFO_CONNECT_TIME_T);
    x->phases.tls = slot->tls ? e8_transfer_phase(slot, CURLINFO_APPCONNECT_TIME_T) : -1;
    struct e8_link *link = e8_link_open(slot, target->origin);
    if (link->fd >= 0)
        e8_link_begin(link, target, x, e8_mono_now());
    else
        e8_link_refuse(link, x, E8_GEN_FD);
}

void e8_transport_submit(struct e8_transport *t, struct e8_exchange *x)
{
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    E8_CHECK_MAGIC(x, E8_EXCHANGE_MAGIC);
    E8_ASSERT(x->url.p && x->url.p[x->url.n] == '\0' && x->reach && x->method.n);
    clear_results(x);
    struct e8_target *target = e8_link_target(t, x);
    if (target && goes_over_link(t, target, x))
        return;
    e8_links_send(t); /* libcurl might be quicker with this one */
    struct e8_slot *slot = e8_multi_take_slot(t, x->reach);
    x->slot = slot;
    if (!slot) {
        end_unstarted(t, x);
        return;
    }
    slot->exchange = x;
    slot->opens = target != NULL;
    slot->started = slot->added = e8_mono_now();
    e8_transfer_reset(slot);
    if (!e8_transfer_prepare(slot)) {
        e8_transfer_end(slot, E8_GEN_MEMORY, NULL);
        return;
    }
    start_timer(slot);
    if (slot->upload.waiting)
        return;
    t->starting = slot;
    e8_transfer_add(slot);
    e8_multi_act(slot->multi, CURL_SOCKET_TIMEOUT, 0);
    t->starting = NULL;
}

struct e8_exchange *e8_transport_next(struct e8_transport *t)
{
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    struct e8_exchange *x = t->ready;
    if (!x)
        return NULL;
    t->ready = x->next;
    if (!t->ready)
        t->ready_tail = &t->ready;
    x->next = NULL;
    return x;
}

void e8_transport_abort(struct e8_transport *t, struct e8_exchange *x)
{
    struct e8_slot *slot = x->slot;
    struct e8_link *link = e8_link_of(x);
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    if (link)
        e8_link_end(link, E8_ABORTED, "aborted");
    if (!slot || link)
        return;
    E8_ASSERT(slot->magic == E8_SLOT_MAGIC && slot->transport == t && slot->exchange == x);
    e8_transfer_end(slot, E8_ABORTED, "aborted");
}

struct e8_transport_counts e8_transport_counts(const struct e8_transport *t)
{
    return t->counts;
}

void e8_exchange_fini(struct e8_exchange *x)
{
    e8_buf_fini(&x->head);
    e8_buf_fini(&x->content);
}
