/* What /metrics says of what happened. That an independent parser reads it is shown in tests/integration. */
#include "guard.h"

#include <pthread.h>
#include <stdlib.h>

#include "platform/metrics.h"

static char *write(struct e8_metrics *metrics, const struct e8_metrics_gauges *gauges)
{
    static const struct e8_metrics_gauges none = {0};
    struct e8_buf out;

    e8_buf_init(&out, (size_t)8 << 20); /* the limit of an answer */
    e8_metrics_write(metrics, gauges ? gauges : &none, "8.0.0", &out);
    assert_false(out.full);
    char *text = e8_dup(e8_buf_cstr(&out)); /* the caller's */
    e8_buf_fini(&out);
    return text;
}

static void assert_lines(const char *text, const char *const *lines, size_t count)
{
    char line[512];

    for (size_t i = 0; i < count; i++) {
        snprintf(line, sizeof line, "\n%s\n", lines[i]);
        if (!strstr(text, line))
            fail_msg("no line \"%s\" in:\n%s", lines[i], text);
    }
}

static struct e8_metrics_attempt attempt(const char *webhook, enum e8_outcome outcome, e8_dur_ns time)
{
    return (struct e8_metrics_attempt){webhook, "message.received", outcome, E8_TRIGGER_EVENT, time, false};
}

static void attempts_are_counted(void **state)
{
    static const char *const lines[] = {
        "emit8_attempts_total{webhook=\"whk_a\",type=\"message.received\",outcome=\"delivered\"} 3",
        "emit8_attempts_total{webhook=\"whk_a\",type=\"message.received\",outcome=\"http_5xx\"} 1",
        "emit8_attempts_total{webhook=\"whk_b\",type=\"message.received\",outcome=\"delivered\"} 1",
        "emit8_attempts_total{webhook=\"whk_b\",type=\"message.received\",outcome=\"connect_refused\"} 1",
        "emit8_response_seconds_bucket{webhook=\"whk_a\",type=\"message.received\",outcome=\"delivered\",le="
        "\"0.0025\"} 1",
        "emit8_response_seconds_bucket{webhook=\"whk_a\",type=\"message.received\",outcome=\"delivered\",le="
        "\"0.1\"} 2",
        "emit8_response_seconds_bucket{webhook=\"whk_a\",type=\"message.received\",outcome=\"delivered\",le="
        "\"+Inf\"} 3",
        "emit8_response_seconds_sum{webhook=\"whk_a\",type=\"message.received\",outcome=\"delivered\"} 2.052",
        "emit8_response_seconds_count{webhook=\"whk_a\",type=\"message.received\",outcome=\"delivered\"} 3",
        "emit8_response_seconds_count{webhook=\"whk_b\",type=\"message.received\",outcome=\"connect_"
        "refused\"} 0",
        "emit8_deliveries_failed_total{webhook=\"whk_a\",type=\"message.received\",outcome=\"http_5xx\"} 1",
        "emit8_attempts_by_trigger_total{trigger=\"event\"} 5",
        "emit8_attempts_by_trigger_total{trigger=\"retry\"} 1",
    };
    struct e8_metrics *metrics = e8_metrics_new();
    struct e8_metrics_attempt list[] = {
        attempt("whk_a", E8_DELIVERED, 2 * E8_NS_MS), attempt("whk_a", E8_DELIVERED, 50 * E8_NS_MS),
        attempt("whk_a", E8_DELIVERED, 2 * E8_NS_S),  attempt("whk_a", E8_HTTP_5XX, 1),
        attempt("whk_b", E8_CONNECT_REFUSED, -1),     attempt("whk_b", E8_DELIVERED, 1),
    };

    (void)state;
    list[3].failed_for_good = true;
    list[5].trigger = E8_TRIGGER_RETRY;
    for (size_t i = 0; i < E8_COUNT(list); i++)
        e8_metrics_attempt(metrics, &list[i]);
    char *text = write(metrics, NULL);
    assert_lines(text, lines, E8_COUNT(lines));
    assert_null(strstr(text, "emit8_deliveries_failed_total{webhook=\"whk_b\""));
    free(text);
    e8_metrics_free(&metrics);
    assert_null(metrics);
    e8_metrics_free(&metrics);
}

static void all_else(void **state)
{
    static const char *const lines[] = {
        "emit8_events_total{type=\"message.received\"} 2",
        "emit8_events_total{type=\"agent.joined\"} 1",
        "emit8_http_requests_total{method=\"GET\",route=\"/v1/webhooks/{id}\",status=\"200\"} 2",
        "emit8_http_requests_total{method=\"GET\",route=\"/v1/webhooks/{id}\",status=\"404\"} 1",
        "emit8_deliveries_pending{state=\"unsent\"} 7",
        "emit8_deliveries_pending{state=\"retrying\"} 8",
        "emit8_attempts_in_flight 9",
        "emit8_webhooks{state=\"enabled\"} 2",
        "emit8_webhooks{state=\"disabled\"} 1",
        "emit8_stream_listeners 4",
        "emit8_build_info{version=\"" E8_VERSION "\",curl_version=\"8.0.0\"} 1",
        "process_start_time_seconds 1770000000",
    };
    const struct e8_metrics_gauges gauges = {.pending = 15,
                                             .retrying = 8,
                                             .in_flight = 9,
                                             .listeners = 4,
                                             .webhooks = 3,
                                             .webhooks_enabled = 2,
                                             .started = 1770000000123 * E8_NS_MS};
    struct e8_metrics *metrics = e8_metrics_new();

    (void)state;
    e8_metrics_event(metrics, "message.received");
    e8_metrics_event(metrics, "agent.joined");
    e8_metrics_event(metrics, "message.received");
    e8_metrics_answer(metrics, "GET", "/v1/webhooks/{id}", 200);
    e8_metrics_answer(metrics, "GET", "/v1/webhooks/{id}", 404);
    e8_metrics_answer(metrics, "GET", "/v1/webhooks/{id}", 200);
    char *text = write(metrics, &gauges);
    assert_lines(text, lines, E8_COUNT(lines));
    free(text);
    e8_metrics_free(&metrics);
}

/* The values of all lines that begin so: how many, and in sum. */
static size_t sum_of(const char *text, const char *begin, uint64_t *sum)
{
    struct e8_str rest = e8_str(text), line;
    size_t n = 0;

    *sum = 0;
    while (e8_str_split(&rest, '\n', &line)) {
        if (!e8_str_starts(line, begin))
            continue;
        *sum += strtoull((const char *)memchr(line.p, '}', line.n) + 2, NULL, 10);
        n++;
    }
    return n;
}

/* Whoever makes and deletes endpoints all day does not fill the memory, nor the answer. */
static void series_are_bounded(void **state)
{
    struct e8_metrics *metrics = e8_metrics_new();
    uint64_t total = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char id[E8_ID_MAX];

        snprintf(id, sizeof id, "whk_%035d", i);
        struct e8_metrics_attempt one = attempt(id, i % 2 ? E8_DELIVERED : E8_HTTP_5XX, E8_NS_MS);
        e8_metrics_attempt(metrics, &one);
        e8_metrics_event(metrics, id); /* as if types were many */
        e8_metrics_answer(metrics, "BREW", id, 200 + i % 300);
    }
    char *text = write(metrics, NULL);
    assert_int_equal(sum_of(text, "emit8_attempts_total{", &total), 2002);
    assert_int_equal(total, 5000);
    assert_int_equal(sum_of(text, "emit8_events_total{", &total), 201);
    assert_int_equal(total, 5000);
    assert_int_equal(sum_of(text, "emit8_http_requests_total{", &total), 501);
    assert_int_equal(total, 5000);
    assert_non_null(strstr(
        text, "\nemit8_attempts_total{webhook=\"other\",type=\"other\",outcome=\"delivered\"} 1500\n"));
    assert_non_null(strstr(text, "\nemit8_events_total{type=\"other\"} 4800\n"));
    assert_non_null(strstr(
        text, "\nemit8_http_requests_total{method=\"other\",route=\"other\",status=\"other\"} 4500\n"));
    free(text);
    e8_metrics_free(&metrics);
}

static void *count_on(void *closure)
{
    struct e8_metrics *metrics = closure;

    for (int i = 0; i < 3000; i++) {
        char id[16];

        snprintf(id, sizeof id, "whk_%d", i % 50);
        struct e8_metrics_attempt one = attempt(id, E8_DELIVERED, i * E8_NS_US);
        e8_metrics_attempt(metrics, &one);
        e8_metrics_answer(metrics, "GET", "/v1/info", 200);
    }
    return NULL;
}

static void from_many_threads(void **state)
{
    struct e8_metrics *metrics = e8_metrics_new();
    pthread_t threads[4];
    char *text;

    (void)state;
    for (size_t i = 0; i < E8_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_on, metrics), 0);
    text = write(metrics, NULL);
    free(text);
    for (size_t i = 0; i < E8_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    text = write(metrics, NULL);
    assert_non_null(strstr(
        text,
        "\nemit8_attempts_total{webhook=\"whk_7\",type=\"message.received\",outcome=\"delivered\"} 240\n"));
    assert_non_null(strstr(
        text, "\nemit8_http_requests_total{method=\"GET\",route=\"/v1/info\",status=\"200\"} 12000\n"));
    free(text);
    e8_metrics_free(&metrics);
}

int run_metrics_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_counted),
        cmocka_unit_test(all_else),
        cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(from_many_threads),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
