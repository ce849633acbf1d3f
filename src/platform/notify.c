#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "platform/server.h"

#define DEADLINE (5 * E8_NS_S)

struct notice {
    struct notice *next;
    char *url;
    char *type;
    struct e8_buf body;
};

struct e8_notifier {
    const struct e8_reach *reach;
    struct e8_transport *transport;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t comes;
    struct notice *first, *last;
    size_t waiting;
    bool ended;
};

static void free_notice(struct notice *notice)
{
    free(notice->url);
    free(notice->type);
    e8_buf_fini(&notice->body);
    free(notice);
}

static struct notice *next_notice(struct e8_notifier *notifier)
{
    pthread_mutex_lock(&notifier->lock);
    while (!notifier->first && !notifier->ended) {
        pthread_cond_wait(&notifier->comes, &notifier->lock);
    }
    struct notice *notice = notifier->ended ? NULL : notifier->first;
    if (notice) {
        notifier->first = notice->next;
        notifier->waiting--;
    }
    pthread_mutex_unlock(&notifier->lock);
    return notice;
}

static bool has_ended(struct e8_notifier *notifier)
{
    pthread_mutex_lock(&notifier->lock);
    bool ended = notifier->ended;
    pthread_mutex_unlock(&notifier->lock);
    return ended;
}

/* Told once: who must know of every failure reads the delivery log. */
static void send_notice(struct e8_notifier *notifier, const struct notice *notice)
{
    const struct e8_header headers[] = {
        {E8_LIT("Content-Type"), E8_LIT("application/json")},
        {E8_LIT("User-Agent"), E8_LIT("8bit-ai-webhooks/1.0 (emit8/" E8_VERSION ")")},
        {E8_LIT("X-8bit-Event"), e8_str(notice->type)},
    };
    struct e8_exchange exchange = {
        .magic = E8_EXCHANGE_MAGIC,
        .url = e8_str(notice->url),
        .reach = notifier->reach,
        .method = E8_LIT("POST"),
        .headers = headers,
        .header_count = E8_COUNT(headers),
        .body = e8_buf_str(&notice->body),
        .deadline = e8_mono_now() + DEADLINE,
    };
    bool aborted = false;
    e8_transport_submit(notifier->transport, &exchange);
    while (!e8_transport_next(notifier->transport)) {
        e8_transport_wait(notifier->transport, E8_NEVER);
        if (!aborted && has_ended(notifier)) {
            e8_transport_abort(notifier->transport, &exchange);
            aborted = true;
        }
    }
    e8_exchange_fini(&exchange);
}

static void *notifier_main(void *state)
{
    struct e8_notifier *notifier = state;
    struct notice *notice;
    while ((notice = next_notice(notifier)) != NULL) {
        send_notice(notifier, notice);
        free_notice(notice);
    }
    return NULL;
}

enum e8_rc e8_notifier_start(const struct e8_reach *reach, struct e8_notifier **out, struct e8_err *err)
{
    struct e8_notifier *notifier = e8_new(1, sizeof *notifier);
    notifier->reach = reach;
    enum e8_rc rc = e8_transport_new(&notifier->transport, err);
    if (rc) {
        free(notifier);
        return rc;
    }
    pthread_mutex_init(&notifier->lock, NULL);
    pthread_cond_init(&notifier->comes, NULL);
    int failed = pthread_create(&notifier->thread, NULL, notifier_main, notifier);
    if (failed) {
        e8_transport_free(&notifier->transport);
        free(notifier);
        return e8_fail(err, E8_ENV, NULL, "cannot start a thread: %s", strerror(failed));
    }
    *out = notifier;
    return E8_OK;
}

void e8_notifier_send(struct e8_notifier *notifier, const char *url, const char *type, struct e8_str body)
{
    struct notice *notice = e8_new(1, sizeof *notice);
    notice->url = e8_dup(url);
    notice->type = e8_dup(type);
    e8_buf_init(&notice->body, body.n);
    e8_buf_putstr(&notice->body, body);
    pthread_mutex_lock(&notifier->lock);
    bool taken = notifier->waiting < E8_NOTICES_MAX;
    if (taken) {
        *(notifier->first ? &notifier->last->next : &notifier->first) = notice;
        notifier->last = notice;
        notifier->waiting++;
        pthread_cond_signal(&notifier->comes);
    }
    pthread_mutex_unlock(&notifier->lock);
    if (!taken) {
        free_notice(notice);
    }
}

void e8_notifier_stop(struct e8_notifier **notifier)
{
    struct e8_notifier *n = *notifier;
    if (!n) {
        return;
    }
    pthread_mutex_lock(&n->lock);
    n->ended = true;
    pthread_cond_signal(&n->comes);
    pthread_mutex_unlock(&n->lock);
    e8_transport_wake(n->transport);
    pthread_join(n->thread, NULL);
    while (n->first) {
        struct notice *notice = n->first;
        n->first = notice->next;
        free_notice(notice);
    }
    e8_transport_free(&n->transport);
    pthread_cond_destroy(&n->comes);
    pthread_mutex_destroy(&n->lock);
    free(n);
    *notifier = NULL;
}
