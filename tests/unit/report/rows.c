#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#define EVENT    "evt_01jd5xq2v0abcdefghjkmnpqrs"
#define DELIVERY "dlv_01jd5xq2v0abcdefghjkmnpqrs"

static struct e8_log_row sample_row(void)
{
    return (struct e8_log_row){
        .run = 12,
        .event_id = EVENT,
        .delivery_id = DELIVERY,
        .type = "conversation.escalated",
        .environment = "production",
        .endpoint = "crm",
        .url = "http://127.0.0.1:9000/webhooks",
        .scheme = "8bit",
        .number = 2,
        .trigger = "retry",
        .outcome = "http_5xx",
        .error = "HTTP 503: \"busy\", \033[31mreally\r\n",
        .status = 503,
        .due = 1772366400123456789,
        .sent = 1772366400123476789,
        .done = 1772366400135456789,
        .response_time = 12 * MS,
        .service_time = 12 * MS - 20 * E8_NS_US,
        .send_lag = 20 * E8_NS_US,
        .phases = {MS, 2 * MS, 5 * MS, 10 * MS, 12 * MS - 20 * E8_NS_US},
        .bytes_sent = 600,
        .bytes_received = 90,
        .flags = E8_FLAG_REUSED,
        .copy = 3,
        .verdict = "unmet",
        .step = 7,
    };
}

static char *written(enum e8_format format, struct e8_style style, const struct e8_log_row *row)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    e8_rows_begin(format, style, out);
    if (row)
        e8_rows_write(format, style, row, out);
    fclose(out);
    return text;
}

static void ndjson_keys_are_stable(void **state)
{
    (void)state;
    struct e8_log_row row = sample_row();
    char *text = written(E8_FORMAT_NDJSON, (struct e8_style){0}, &row);
    assert_string_equal(
        text, "{\"run\":12,\"event_id\":\"" EVENT "\",\"delivery_id\":\"" DELIVERY
              "\",\"type\":\"conversation.escalated\","
              "\"environment\":\"production\",\"endpoint\":\"crm\",\"attempt\":2,\"trigger\":\"retry\","
              "\"due\":\"2026-03-01T12:00:00.123456Z\",\"sent\":\"2026-03-01T12:00:00.123476Z\","
              "\"done\":\"2026-03-01T12:00:00.135456Z\",\"response_time_ms\":12.000000,\"service_time_ms\":"
              "11.980000,"
              "\"send_lag_ms\":0.020000,\"status\":503,\"outcome\":\"http_5xx\","
              "\"error\":\"HTTP 503: \\\"busy\\\", "
              "\\\\x1B[31mreally \",\"bytes_sent\":600,\"bytes_received\":90,"
              "\"scheme\":\"8bit\",\"reused\":true,\"copy\":3,\"verdict\":\"unmet\",\"step\":7,\"warmup\":"
              "false}\n");
    free(text);
}

static void ndjson_has_null_for_nothing(void **state)
{
    (void)state;
    struct e8_log_row row = sample_row();
    row.error = "";
    row.status = 0;
    row.flags = E8_FLAG_BODY_CAPPED;
    row.verdict = "";
    char *text = written(E8_FORMAT_NDJSON, (struct e8_style){0}, &row);
    cJSON *object = cJSON_ParseWithOpts(text, NULL, true);
    assert_non_null(object);
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, "error")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, "status")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(object, "reused")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, "verdict")));
    cJSON_Delete(object);
    free(text);
}

static void csv_has_the_same_columns(void **state)
{
    (void)state;
    struct e8_log_row row = sample_row();
    char *text = written(E8_FORMAT_CSV, (struct e8_style){0}, &row);
    assert_string_equal(
        text,
        "run,event_id,delivery_id,type,environment,endpoint,attempt,trigger,due,sent,done,response_time_ms,"
        "service_time_ms,send_lag_ms,status,outcome,error,bytes_sent,bytes_received,scheme,reused,copy,"
        "verdict,step,warmup\n"
        "12," EVENT "," DELIVERY ",conversation.escalated,production,crm,2,retry,2026-03-01T12:00:00.123456Z,"
        "2026-03-01T12:00:00.123476Z,2026-03-01T12:00:00.135456Z,12.000000,11.980000,0.020000,503,http_5xx,"
        "\"HTTP 503: \"\"busy\"\", \\x1B[31mreally \",600,90,8bit,true,3,unmet,7,false\n");
    free(text);
    row.error = "=cmd()";
    row.status = 0;
    text = written(E8_FORMAT_CSV, (struct e8_style){0}, &row);
    assert_has(text, ",,http_5xx,'=cmd(),600,");
    free(text);
}

static void the_table_fits_the_width(void **state)
{
    (void)state;
    for (int width = 40; width <= 220; width++) {
        struct e8_log_row row = sample_row();
        row.outcome = "timeout_first_byte";
        row.error = "a text that is longer than the page could ever be, so that it has to go on below, "
                    "at the very end, "
                    "which is far, far away, beyond the right margin of the widest page that there is, I am "
                    "sure of it.";
        char *text = written(E8_FORMAT_TABLE, (struct e8_style){.width = width}, &row);
        if (widest(text) > (size_t)width)
            fail_msg("%zu columns at width %d:\n%s", widest(text), width, text);
        assert_clean(text, false);
        assert_has(text, "503");
        assert_has(text, "a text that is");
        assert_has(text, "it.\n"); /* to its end */
        free(text);
    }
}

static void the_table_shows_all_columns(void **state)
{
    (void)state;
    struct e8_log_row row = sample_row();
    char *text = written(E8_FORMAT_TABLE, (struct e8_style){.width = 200}, &row);
    assert_has(
        text,
        "time (UTC)               status  outcome             type                              endpoint"
        "              try  response  error\n");
    assert_has(
        text,
        "2026-03-01 12:00:00.123  503     http_5xx            conversation.escalated            crm     "
        "                2     12 ms  HTTP 503: \"busy\", \\x1B[31mreally\n");
    free(text);
    text = written(E8_FORMAT_TABLE, (struct e8_style){.width = 80}, &row);
    assert_has(text, "time UTC  status  outcome          type                  endpoint  try  response\n"
                     "12:00:00  503     http_5xx         conversation.escala…  crm         2     12 ms\n"
                     "          └ HTTP 503: \"busy\", \\x1B[31mreally\n");
    free(text);
}

static char *timeline(const struct e8_log_row *rows, size_t count, struct e8_style style)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    e8_timeline_write(rows, count, style, out);
    fclose(out);
    return text;
}

static void a_timeline_shows_attempts_phases_and_waits(void **state)
{
    (void)state;
    struct e8_log_row rows[2] = {sample_row(), sample_row()};
    rows[0].number = 1;
    rows[0].flags = 0;
    rows[1].due += 520 * MS;
    rows[1].done = rows[1].due + 4 * MS;
    rows[1].response_time = 4 * MS;
    rows[1].error = NULL;
    rows[1].status = 200;
    rows[1].outcome = "delivered";
    rows[1].phases = (struct e8_phases){-1, -1, -1, 3 * MS, 4 * MS};
    for (int width = 60; width <= 200; width += 20) {
        char *text = timeline(rows, 2, (struct e8_style){.width = width});
        assert_true(widest(text) <= (size_t)width);
        assert_clean(text, false);
        assert_has(text, DELIVERY "\n  conversation.escalated · crm");
        assert_has(text, "\n     wait  ");
        assert_has(text, "  508 ms\n");
        assert_has(text, "\n#1 retry · 503 http_5xx · due 2026-03-01T12:00:00.123456Z\n  HTTP 503: ");
        assert_has(text, "\n  DNS           ██");
        assert_has(text, "\n  connect         ");
        assert_has(text, "\n  TLS             ");
        assert_has(text, "\n  first byte      ");
        assert_has(text, "\n  ⋯ waited 508 ms\n");
        assert_has(text, "\n  kept-alive connection\n");
        free(text);
    }
}

static void a_timeline_of_nothing_is_empty(void **state)
{
    (void)state;
    struct e8_log_row row = sample_row();
    char *text = timeline(&row, 0, (struct e8_style){0});
    assert_string_equal(text, "");
    free(text);
    row.phases = (struct e8_phases){-1, -1, -1, -1, -1};
    row.sent = row.done = row.due;
    row.response_time = row.service_time = row.send_lag = 0;
    text = timeline(&row, 1, (struct e8_style){.colour = true});
    assert_clean(text, true);
    assert_has(text, "total");
    assert_lacks(text, "wait");
    free(text);
}

const struct CMUnitTest rows_tests[] = {
    cmocka_unit_test(ndjson_keys_are_stable),
    cmocka_unit_test(ndjson_has_null_for_nothing),
    cmocka_unit_test(csv_has_the_same_columns),
    cmocka_unit_test(the_table_fits_the_width),
    cmocka_unit_test(the_table_shows_all_columns),
    cmocka_unit_test(a_timeline_shows_attempts_phases_and_waits),
    cmocka_unit_test(a_timeline_of_nothing_is_empty),
};
const size_t rows_count = E8_COUNT(rows_tests);
