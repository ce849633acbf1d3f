#include "platform/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SERIES_MAX = 2000,
    SLOTS = 4096,
    TYPES_MAX = 200,
    ANSWERS_MAX = 500,
    TRIGGERS = E8_TRIGGER_REPLAY + 1
};

/* Attempts of one endpoint and type that ended the same. */
struct series {
    char webhook[E8_ID_MAX];
    char *type;
    enum e8_outcome outcome;
    uint64_t attempts, failed_for_good;
    struct e8_prom_histogram response;
    struct series *next; /* in its slot */
};
struct named {
    char *name;
    uint64_t count;
};
struct answered {
    char method[8];
    char *route;
    int status;
    uint64_t count;
};
struct e8_metrics {
    pthread_mutex_t lock;
    struct series *slots[SLOTS];
    struct series *series[SERIES_MAX + E8_OUTCOME_COUNT]; /* in the order in which they were first seen */
    size_t series_count;
    uint64_t triggers[TRIGGERS];
    struct named types[TYPES_MAX + 1];
    size_t type_count;
    struct answered answers[ANSWERS_MAX];
    size_t answer_count;
    uint64_t other_answers;
};

struct e8_metrics *e8_metrics_new(void)
{
    struct e8_metrics *metrics = e8_new(1, sizeof *metrics);

    pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

void e8_metrics_free(struct e8_metrics **metrics)
{
    struct e8_metrics *m = *metrics;

    if (!m)
        return;
    for (size_t i = 0; i < m->series_count; i++) {
        free(m->series[i]->type);
        free(m->series[i]);
    }
    for (size_t i = 0; i < m->type_count; i++)
        free(m->types[i].name);
    for (size_t i = 0; i < m->answer_count; i++)
        free(m->answers[i].route);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *metrics = NULL;
}

static size_t slot_of(const char *webhook, const char *type, enum e8_outcome outcome)
{
    uint64_t hash = 14695981039346656037ull ^ (uint64_t)outcome; /* FNV-1a */

    for (; *webhook; webhook++)
        hash = (hash ^ (unsigned char)*webhook) * 1099511628211ull;
    for (; *type; type++)
        hash = (hash ^ (unsigned char)*type) * 1099511628211ull;
    return (hash ^ hash >> 32) % SLOTS;
}

static struct series *find_series(struct e8_metrics *metrics, const char *webhook, const char *type,
                                  enum e8_outcome outcome)
{
    struct series *s = metrics->slots[slot_of(webhook, type, outcome)];

    while (s && !(s->outcome == outcome && strcmp(s->webhook, webhook) == 0 && strcmp(s->type, type) == 0))
        s = s->next;
    return s;
}

static struct series *add_series(struct e8_metrics *metrics, const char *webhook, const char *type,
                                 enum e8_outcome outcome)
{
    struct series *s = e8_new(1, sizeof *s), **slot = &metrics->slots[slot_of(webhook, type, outcome)];
    size_t n = strlen(webhook);

    memcpy(s->webhook, webhook, n < E8_ID_MAX ? n : E8_ID_MAX - 1);
    s->type = e8_dup(type);
    s->outcome = outcome;
    s->next = *slot;
    *slot = s;
    E8_ASSERT(metrics->series_count < E8_COUNT(metrics->series));
    metrics->series[metrics->series_count++] = s;
    return s;
}

/* Past the bound, further ones are counted together. */
static struct series *series_of(struct e8_metrics *metrics, const char *webhook, const char *type,
                                enum e8_outcome outcome)
{
    struct series *s = find_series(metrics, webhook, type, outcome);

    if (s)
        return s;
    if (metrics->series_count < SERIES_MAX)
        return add_series(metrics, webhook, type, outcome);
    s = find_series(metrics, "other", "other", outcome);
    return s ? s : add_series(metrics, "other", "other", outcome);
}

void e8_metrics_attempt(struct e8_metrics *metrics, const struct e8_metrics_attempt *attempt)
{
    pthread_mutex_lock(&metrics->lock);
    struct series *s = series_of(metrics, attempt->webhook, attempt->type, attempt->outcome);

    s->attempts++;
    s->failed_for_good += attempt->failed_for_good;
    if (attempt->response_time >= 0)
        e8_prom_record(&s->response, attempt->response_time);
    metrics->triggers[attempt->trigger]++;
    pthread_mutex_unlock(&metrics->lock);
}

static struct named *type_of(struct e8_metrics *metrics, const char *type)
{
    for (size_t i = 0; i < metrics->type_count; i++)
        if (strcmp(metrics->types[i].name, type) == 0)
            return &metrics->types[i];
    if (metrics->type_count >= TYPES_MAX && strcmp(type, "other") != 0)
        return type_of(metrics, "other");
    E8_ASSERT(metrics->type_count < E8_COUNT(metrics->types));
    struct named *named = &metrics->types[metrics->type_count++];
    named->name = e8_dup(type);
    return named;
}

void e8_metrics_event(struct e8_metrics *metrics, const char *type)
{
    pthread_mutex_lock(&metrics->lock);
    type_of(metrics, type)->count++;
    pthread_mutex_unlock(&metrics->lock);
}

static uint64_t *answers_of(struct e8_metrics *metrics, const char *method, const char *route, int status)
{
    for (size_t i = 0; i < metrics->answer_count; i++) {
        struct answered *a = &metrics->answers[i];

        if (a->status == status && strcmp(a->method, method) == 0 && strcmp(a->route, route) == 0)
            return &a->count;
    }
    if (metrics->answer_count == ANSWERS_MAX)
        return &metrics->other_answers;
    struct answered *added = &metrics->answers[metrics->answer_count++];
    size_t n = strlen(method);
    memcpy(added->method, method, n < sizeof added->method ? n : sizeof added->method - 1);
    added->route = e8_dup(route);
    added->status = status;
    return &added->count;
}

void e8_metrics_answer(struct e8_metrics *metrics, const char *method, const char *route, int status)
{
    pthread_mutex_lock(&metrics->lock);
    (*answers_of(metrics, method, route, status))++;
    pthread_mutex_unlock(&metrics->lock);
}

enum { ATTEMPT_LABELS = 3 };
static void label(const struct series *s, struct e8_label labels[ATTEMPT_LABELS])
{
    labels[0] = (struct e8_label){"webhook", s->webhook};
    labels[1] = (struct e8_label){"type", s->type};
    labels[2] = (struct e8_label){"outcome", e8_outcome_info(s->outcome)->name};
}

static void write_attempts(const struct e8_metrics *metrics, struct e8_buf *out)
{
    struct e8_label labels[ATTEMPT_LABELS];

    e8_prom_family(out, "emit8_attempts_total", "counter",
                   "Attempts to deliver, by endpoint, event type and outcome.");
    for (size_t i = 0; i < metrics->series_count; i++) {
        label(metrics->series[i], labels);
        e8_prom_count(out, "emit8_attempts_total", labels, ATTEMPT_LABELS, metrics->series[i]->attempts);
    }
    e8_prom_family(out, "emit8_response_seconds", "histogram",
                   "From when an attempt was due until it was done, of those that were sent.");
    for (size_t i = 0; i < metrics->series_count; i++) {
        label(metrics->series[i], labels);
        e8_prom_histogram(out, "emit8_response_seconds", labels, ATTEMPT_LABELS,
                          &metrics->series[i]->response);
    }
    e8_prom_family(out, "emit8_deliveries_failed_total", "counter",
                   "Deliveries that ended undelivered, by the outcome of their last attempt.");
    for (size_t i = 0; i < metrics->series_count; i++) {
        label(metrics->series[i], labels);
        if (metrics->series[i]->failed_for_good > 0)
            e8_prom_count(out, "emit8_deliveries_failed_total", labels, ATTEMPT_LABELS,
                          metrics->series[i]->failed_for_good);
    }
}

static void write_triggers(const struct e8_metrics *metrics, struct e8_buf *out)
{
    e8_prom_family(out, "emit8_attempts_by_trigger_total", "counter",
                   "Attempts to deliver, by why they were made.");
    for (int i = 0; i < TRIGGERS; i++) {
        struct e8_label why = {"trigger", e8_trigger_name((enum e8_trigger)i)};

        if (metrics->triggers[i] > 0)
            e8_prom_count(out, "emit8_attempts_by_trigger_total", &why, 1, metrics->triggers[i]);
    }
}

static void write_events(const struct e8_metrics *metrics, struct e8_buf *out)
{
    e8_prom_family(out, "emit8_events_total", "counter", "Events that were accepted, by type.");
    for (size_t i = 0; i < metrics->type_count; i++) {
        struct e8_label type = {"type", metrics->types[i].name};

        e8_prom_count(out, "emit8_events_total", &type, 1, metrics->types[i].count);
    }
}

static void write_answers(const struct e8_metrics *metrics, struct e8_buf *out)
{
    e8_prom_family(out, "emit8_http_requests_total", "counter",
                   "Requests to the API, by method, route and status of the answer.");
    for (size_t i = 0; i < metrics->answer_count; i++) {
        const struct answered *a = &metrics->answers[i];
        char status[16];
        struct e8_buf text;

        e8_buf_fixed(&text, status, sizeof status);
        e8_buf_puti(&text, a->status);
        const struct e8_label labels[] = {
            {"method", a->method}, {"route", a->route}, {"status", e8_buf_cstr(&text)}};
        e8_prom_count(out, "emit8_http_requests_total", labels, E8_COUNT(labels), a->count);
    }
    const struct e8_label other[] = {{"method", "other"}, {"route", "other"}, {"status", "other"}};
    if (metrics->other_answers > 0)
        e8_prom_count(out, "emit8_http_requests_total", other, E8_COUNT(other), metrics->other_answers);
}

static void write_gauges(const struct e8_metrics_gauges *gauges, const char *curl_version, struct e8_buf *out)
{
    const struct e8_label unsent = {"state", "unsent"}, retrying = {"state", "retrying"};
    const struct e8_label on = {"state", "enabled"}, off = {"state", "disabled"};
    const struct e8_label build[] = {{"version", E8_VERSION}, {"curl_version", curl_version}};

    e8_prom_family(out, "emit8_deliveries_pending", "gauge",
                   "Deliveries that have not ended: not sent yet, and sent before.");
    e8_prom_count(out, "emit8_deliveries_pending", &unsent, 1, gauges->pending - gauges->retrying);
    e8_prom_count(out, "emit8_deliveries_pending", &retrying, 1, gauges->retrying);
    e8_prom_family(out, "emit8_attempts_in_flight", "gauge",
                   "Deliveries that the engine has: their attempts are under way, or about to be.");
    e8_prom_count(out, "emit8_attempts_in_flight", NULL, 0, gauges->in_flight);
    e8_prom_family(out, "emit8_webhooks", "gauge", "Endpoints.");
    e8_prom_count(out, "emit8_webhooks", &on, 1, gauges->webhooks_enabled);
    e8_prom_count(out, "emit8_webhooks", &off, 1, gauges->webhooks - gauges->webhooks_enabled);
    e8_prom_family(out, "emit8_stream_listeners", "gauge", "Who listens to the live stream.");
    e8_prom_count(out, "emit8_stream_listeners", NULL, 0, gauges->listeners);
    e8_prom_family(out, "emit8_build_info", "gauge", "Always 1; its labels say what runs.");
    e8_prom_count(out, "emit8_build_info", build, E8_COUNT(build), 1);
    e8_prom_family(out, "process_start_time_seconds", "gauge", "When the process began, in Unix time.");
    e8_prom_count(out, "process_start_time_seconds", NULL, 0, (uint64_t)(gauges->started / E8_NS_S));
}

void e8_metrics_write(struct e8_metrics *metrics, const struct e8_metrics_gauges *gauges,
                      const char *curl_version, struct e8_buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    write_attempts(metrics, out);
    write_triggers(metrics, out);
    write_events(metrics, out);
    write_answers(metrics, out);
    pthread_mutex_unlock(&metrics->lock);
    write_gauges(gauges, curl_version, out);
}
