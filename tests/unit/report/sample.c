#include "sample.h"

#include <stdlib.h>
#include <string.h>

static const struct e8_log_endpoint endpoints[ENDPOINTS] = {
    {.name = "crm", .url = "http://127.0.0.1:9000/webhooks", .scheme = "8bit", .attempts = 5},
    {.name = "=analytics", .url = "https://localhost:9443/in", .scheme = "stripe", .attempts = 1},
};
static const char *const types[TYPES] = {"message.received", "conversation.escalated", "agent.deployed"};

void sample_init(struct sample *sample)
{
    *sample = (struct sample){
        .stats = e8_stats_new(ENDPOINTS, TYPES),
        .run =
            {
                .id = 12,
                .name = "support-day",
                .scenario_digest = "3f2a91c04b12aa77",
                .fixtures_digest = "88ab12ff99110011",
                .version = "0.1.0",
                .curl_version = "7.88.1",
                .command = "emit8 run support-day",
                .seed = UINT64_MAX,
                .started = (e8_wall_ns)1772366400 * E8_NS_S,
                .ended = (e8_wall_ns)1772366430 * E8_NS_S,
                .workers = 4,
                .endpoints = endpoints,
                .endpoint_count = ENDPOINTS,
                .types = types,
                .type_count = TYPES,
                .timer_floor = 58 * E8_NS_US,
            },
    };
}

void sample_fini(struct sample *sample)
{
    e8_stats_free(&sample->stats);
}

struct e8_attempt sample_make(enum e8_outcome outcome, int status, e8_dur_ns response, const char *error)
{
    struct e8_attempt attempt = {
        .number = 1,
        .outcome = (uint8_t)outcome,
        .status = (int16_t)status,
        .last = true,
        .times = {1000 * MS, 1000 * MS + 20 * E8_NS_US, 1000 * MS + response},
        .phases = {-1, -1, -1, response / 2, response},
        .bytes_sent = 600,
        .bytes_received = 90,
    };
    snprintf(attempt.error, sizeof(attempt.error), "%s", error);
    return attempt;
}

void sample_attempt(struct sample *sample, const struct e8_attempt *attempt)
{
    if (attempt->number == 1)
        e8_stats_planned(sample->stats, attempt->endpoint, attempt->type);
    e8_stats_add(sample->stats, attempt);
}

void sample_add(struct sample *sample, enum e8_outcome outcome, int status, e8_dur_ns response,
                const char *error)
{
    struct e8_attempt attempt = sample_make(outcome, status, response, error);
    sample_attempt(sample, &attempt);
}

void sample_rule(struct sample *sample, const char *rule)
{
    assert_true(sample->threshold_count < RULES_MOST);
    assert_int_equal(e8_threshold_parse(e8_str(rule), &sample->thresholds[sample->threshold_count++], NULL),
                     E8_OK);
}

const struct e8_report *sample_report(struct sample *sample)
{
    const struct e8_counts *n = &e8_stats_all(sample->stats)->n;
    if (!sample->run.planned) {
        sample->run.planned = n->planned;
        sample->run.dropped = n->dropped;
        sample->run.aborted = n->aborted;
    }
    e8_report_make(&sample->run, sample->stats, sample->thresholds, sample->threshold_count, &sample->more,
                   &sample->report);
    return &sample->report;
}

/* 400 delivered within 1 to 9 ms, one in 80 only at the second attempt; 4 failed in three ways. */
void sample_fill(struct sample *sample)
{
    for (int i = 0; i < 400; i++) {
        struct e8_attempt attempt =
            sample_make(E8_DELIVERED, i % 10 ? 200 : 202, MS + i % 80 * 100 * E8_NS_US, "");
        attempt.type = (uint16_t)(i % 2);
        attempt.endpoint = i % 5 == 0;
        attempt.times.due += i * 10 * MS;
        attempt.times.sent += i * 10 * MS;
        attempt.times.done += i * 10 * MS;
        if (i % 80 == 7) {
            struct e8_attempt first = attempt;
            first.last = false;
            first.outcome = E8_HTTP_5XX;
            first.status = 503;
            snprintf(first.error, sizeof(first.error), "HTTP 503");
            sample_attempt(sample, &first);
            attempt.number = 2;
            attempt.trigger = E8_TRIGGER_RETRY;
        }
        sample_attempt(sample, &attempt);
    }
    sample_add(sample, E8_HTTP_4XX, 422, 3 * MS, "HTTP 422 \033[31mevil\033[0m\r\n\a text");
    sample_add(sample, E8_HTTP_4XX, 422, 3 * MS, "later");
    sample_add(sample, E8_RESET, 0, 120 * MS, "Connection reset by peer");
    sample_add(sample, E8_TIMEOUT_FIRST_BYTE, 0, 5000 * MS, "");
}

bool sample_warns(const struct e8_report *report, const char *text)
{
    for (size_t i = 0; i < report->warning_count; i++)
        if (strstr(report->warnings[i], text))
            return true;
    return false;
}

char *sample_text(const struct e8_report *report, enum e8_format format, struct e8_style style)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(e8_report_write(report, format, style, out), E8_OK);
    fclose(out);
    assert_int_equal(strlen(text), size);
    return text;
}

void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}

size_t widest(const char *text)
{
    size_t most = 0, width = 0;
    for (; *text; text++) {
        if (*text == '\n')
            width = 0;
        else
            width += ((unsigned char)*text & 0xC0) != 0x80;
        most = width > most ? width : most;
    }
    return most;
}

void assert_clean(const char *text, bool colour)
{
    for (const char *p = text; *p; p++) {
        if (colour && p[0] == '\033' && p[1] == '[') {
            p += 2 + strspn(p + 2, "0123456789;");
            assert_int_equal(*p, 'm');
            continue;
        }
        assert_true((unsigned char)*p >= 0x20 || *p == '\n');
        assert_int_not_equal(*p, 0x7F);
    }
}
