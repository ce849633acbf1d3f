#include "cli/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "http1/http1.h"
#include "httpd/httpd.h"
#include "platform/guard.h"
#include "prometheus/prometheus.h"

#define EVERY       E8_NS_S
#define TEXT_MAX    ((size_t)7 << 20) /* less than an answer may have */
#define CONNECTIONS 64

struct e8_cli_metrics {
    struct e8_httpd *httpd;
    struct e8_guard *guard;
    pthread_mutex_t lock; /* of the guard and the text, which the server's thread reads */
    struct e8_buf text, next;
    e8_mono_ns due;
};

static void fail(struct e8_response *response, int status, const char *message)
{
    response->status = status;
    e8_buf_printf(&response->body, "%s\n", message);
}

static void answer(struct e8_cli_metrics *metrics, const struct e8_request *request,
                   struct e8_response *response)
{
    struct e8_guard_refusal why;
    if (!e8_guard_permits(metrics->guard, request, &why)) {
        fail(response, why.status, why.message);
    } else if (metrics->text.n) {
        e8_buf_putstr(&response->body, e8_buf_str(&metrics->text));
    } else {
        fail(response, 503, "the run has not begun yet; in a moment");
    }
}

static void on_request(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct e8_cli_metrics *metrics = state;
    response->headers[response->header_count].name = "Content-Type";
    response->headers[response->header_count++].value = E8_PROM_CONTENT_TYPE;
    pthread_mutex_lock(&metrics->lock);
    answer(metrics, request, response);
    pthread_mutex_unlock(&metrics->lock);
}

/* There is no key, and so nobody else may reach it. */
static enum e8_rc check_address(const char *listen, struct e8_err *err)
{
    const char *colon = strrchr(listen, ':');
    struct e8_str host = {listen, colon ? (size_t)(colon - listen) : strlen(listen)};
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        host = (struct e8_str){host.p + 1, host.n - 2};
    }
    if (strncmp(listen, "unix:", 5) == 0 || !colon || e8_host_is_loopback(host)) {
        return E8_OK; /* where there is no port, httpd says so */
    }
    return e8_fail(err, E8_INPUT, "take 127.0.0.1:9464, and forward the port where others need it",
                   "it serves this machine alone, not \"%.100s\"", listen);
}

static enum e8_rc start(struct e8_cli_metrics *metrics, const char *listen, struct e8_err *err)
{
    static const struct e8_route routes[] = {{"GET", "/metrics", on_request}, {NULL, NULL, NULL}};
    static const char *const always[][2] = {
        {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}, {NULL, NULL}};
    const struct e8_httpd_options options = {.listen = listen,
                                             .routes = routes,
                                             .state = metrics,
                                             .body_max = 1024,
                                             .connections_max = CONNECTIONS,
                                             .always = always,
                                             .wary = true};
    struct e8_err why = {0};
    enum e8_rc rc = check_address(listen, &why);
    pthread_mutex_lock(&metrics->lock); /* requests wait for the guard, which wants to know the port */
    rc = rc ? rc : e8_httpd_start(&options, &metrics->httpd, &why);
    rc = rc ? rc : e8_guard_new(e8_httpd_url(metrics->httpd), NULL, &metrics->guard, &why);
    pthread_mutex_unlock(&metrics->lock);
    return rc ? e8_fail_of(err, "--metrics", &why) : E8_OK;
}

enum e8_rc e8_cli_metrics_open(const struct e8_args *args, struct e8_cli_metrics **out, struct e8_err *err)
{
    const char *listen = e8_arg(args, "metrics");
    *out = NULL;
    if (!listen) {
        return E8_OK;
    }
    struct e8_cli_metrics *metrics = e8_new(1, sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    e8_buf_init(&metrics->text, TEXT_MAX);
    e8_buf_init(&metrics->next, TEXT_MAX);
    enum e8_rc rc = start(metrics, listen, err);
    if (rc) {
        e8_cli_metrics_close(&metrics);
    } else if (!e8_arg_set(args, "quiet")) {
        fprintf(stderr, "emit8: metrics at %s/metrics\n", e8_httpd_url(metrics->httpd));
    }
    *out = metrics;
    return rc;
}

void e8_cli_metrics_update(struct e8_cli_metrics *metrics, const struct e8_log_run *run,
                           const struct e8_stats *stats, e8_mono_ns now)
{
    if (!metrics || now < metrics->due) {
        return;
    }
    metrics->due = now + EVERY;
    e8_buf_reset(&metrics->next);
    e8_report_metrics(run, stats, &metrics->next);
    pthread_mutex_lock(&metrics->lock);
    struct e8_buf before = metrics->text;
    metrics->text = metrics->next;
    metrics->next = before;
    pthread_mutex_unlock(&metrics->lock);
}

void e8_cli_metrics_close(struct e8_cli_metrics **metrics)
{
    struct e8_cli_metrics *m = *metrics;
    if (!m) {
        return;
    }
    e8_httpd_stop(&m->httpd);
    e8_guard_free(&m->guard);
    e8_buf_fini(&m->text);
    e8_buf_fini(&m->next);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *metrics = NULL;
}
