#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "platform/server.h"

#define DEADLINE    (5 * E8_NS_S)
#define OUR_HEADERS 3

struct notice {
    struct notice *next;
    char *url, *type;
    char id[E8_ID_MAX];
    struct e8_buf body;
    struct e8_signer *signer; /* NULL: it is not signed */
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
    e8_signer_free(&notice->signer);
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

/* What the signer's scheme adds to a request, as at this moment. Their values lie in `memory`. */
static size_t put_signed(const struct notice *notice, struct e8_header *out, struct e8_buf *memory)
{
    const struct e8_scheme *scheme = e8_signer_scheme(notice->signer);
    const struct e8_sign_input in = {
        .id = e8_str(notice->id),
        .timestamp = e8_wall_now() / E8_NS_S,
        .body = e8_buf_str(&notice->body),
        .type = e8_str(notice->type),
        .attempt = 1,
    };
    size_t n = 0;
    for (; n < scheme->header_count; n++) {
        out[n] = e8_header_fill(scheme->headers[n].form, &in, memory);
    }
    size_t start = memory->n;
    e8_signer_sign(notice->signer, &in, memory);
    out[n++] =
        (struct e8_header){e8_str(scheme->header), (struct e8_str){memory->p + start, memory->n - start}};
    return n;
}

/* Told once: who must know of every failure reads the delivery log. */
static void send_notice(struct e8_notifier *notifier, const struct notice *notice)
{
    struct e8_header headers[OUR_HEADERS + E8_SCHEME_HEADERS_MAX + 1] = {
        {E8_LIT("Content-Type"), E8_LIT("application/json")},
        {E8_LIT("User-Agent"), E8_LIT("8bit-ai-webhooks/1.0 (emit8/" E8_VERSION ")")},
        {E8_LIT("X-8bit-Event"), e8_str(notice->type)},
    };
    char memory[4 * E8_SIGNATURE_MAX];
    struct e8_buf values;
    e8_buf_fixed(&values, memory, sizeof memory);
    size_t count = OUR_HEADERS + (notice->signer ? put_signed(notice, headers + OUR_HEADERS, &values) : 0);
    struct e8_exchange exchange = {
        .magic = E8_EXCHANGE_MAGIC,
        .url = e8_str(notice->url),
        .reach = notifier->reach,
        .method = E8_LIT("POST"),
        .headers = headers,
        .header_count = count,
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

static struct notice *make_notice(const char *url, const struct e8_platform_notice *from,
                                  struct e8_signer *signer)
{
    struct notice *notice = e8_new(1, sizeof *notice);
    notice->url = e8_dup(url);
    notice->type = e8_dup(from->type);
    notice->signer = signer;
    memcpy(notice->id, from->id, strlen(from->id) + 1);
    e8_buf_init(&notice->body, from->json.n);
    e8_buf_putstr(&notice->body, from->json);
    return notice;
}

void e8_notifier_send(struct e8_notifier *notifier, const char *url, const struct e8_platform_notice *from,
                      struct e8_signer *signer)
{
    struct notice *notice = make_notice(url, from, signer);
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
