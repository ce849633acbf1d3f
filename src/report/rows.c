#include <string.h>

#include "doc/json.h"
#include "report/parts.h"

#define ROW_MAX ((size_t)1 << 20)

/* ---- machines ---- */

static const char *const keys[] = {
    "run",     "event_id", "delivery_id", "type",       "environment",      "endpoint",        "attempt",
    "trigger", "due",      "sent",        "done",       "response_time_ms", "service_time_ms", "send_lag_ms",
    "status",  "outcome",  "error",       "bytes_sent", "bytes_received",   "scheme",          "reused",
    "copy",    "verdict",  "step",        "warmup",
};

static double ms(e8_dur_ns dur)
{
    return (double)dur / (double)E8_NS_MS;
}

static void json_wall(struct e8_json *w, const char *key, e8_wall_ns wall)
{
    char text[E8_RFC3339_MAX];
    e8_wall_format(wall, 6, text);
    e8_json_cstr(w, key, text);
}

static const char *error_of(const struct e8_log_row *row)
{
    return row->error && row->error[0] ? row->error : NULL;
}

/* What a receiver said is no place for control sequences, not even for those that JSON would let through. */
static void json_error(struct e8_json *w, const struct e8_log_row *row)
{
    struct e8_buf clean;
    e8_buf_init(&clean, ROW_MAX);
    e8_buf_put_clean(&clean, e8_str(error_of(row)));
    if (clean.n > 0)
        e8_json_str(w, "error", e8_buf_str(&clean));
    else
        e8_json_null(w, "error");
    e8_buf_fini(&clean);
}

static void put_ndjson(const struct e8_log_row *row, struct e8_buf *out)
{
    struct e8_json json = e8_json_new(out, 0), *w = &json;
    e8_json_object(w, NULL);
    e8_json_int(w, "run", row->run);
    e8_json_cstr(w, "event_id", row->event_id);
    e8_json_cstr(w, "delivery_id", row->delivery_id);
    e8_json_cstr(w, "type", row->type);
    e8_json_cstr(w, "environment", row->environment);
    e8_json_cstr(w, "endpoint", row->endpoint);
    e8_json_int(w, "attempt", row->number);
    e8_json_cstr(w, "trigger", row->trigger);
    json_wall(w, "due", row->due);
    json_wall(w, "sent", row->sent);
    json_wall(w, "done", row->done);
    e8_json_num(w, "response_time_ms", ms(row->response_time), 6);
    e8_json_num(w, "service_time_ms", ms(row->service_time), 6);
    e8_json_num(w, "send_lag_ms", ms(row->send_lag), 6);
    if (row->status)
        e8_json_int(w, "status", row->status);
    else
        e8_json_null(w, "status");
    e8_json_cstr(w, "outcome", row->outcome);
    json_error(w, row);
    e8_json_int(w, "bytes_sent", (int64_t)row->bytes_sent);
    e8_json_int(w, "bytes_received", (int64_t)row->bytes_received);
    e8_json_cstr(w, "scheme", row->scheme);
    e8_json_bool(w, "reused", row->flags & E8_FLAG_REUSED);
    e8_json_int(w, "copy", row->copy);
    if (row->verdict && row->verdict[0])
        e8_json_cstr(w, "verdict", row->verdict);
    else
        e8_json_null(w, "verdict");
    e8_json_int(w, "step", row->step);
    e8_json_bool(w, "warmup", row->flags & E8_FLAG_WARMUP);
    e8_json_end(w, '}');
    e8_buf_putc(out, '\n');
}

static void csv_heading(struct e8_buf *out)
{
    for (size_t i = 0; i < E8_COUNT(keys); i++)
        e8_buf_printf(out, "%s%s", i ? "," : "", keys[i]);
    e8_buf_putc(out, '\n');
}

static void csv_texts(struct e8_buf *out, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        e8_csv_text(out, texts[i]);
        e8_buf_putc(out, ',');
    }
}

static void csv_wall(struct e8_buf *out, e8_wall_ns wall)
{
    char text[E8_RFC3339_MAX];
    e8_wall_format(wall, 6, text);
    e8_buf_printf(out, "%s,", text);
}

static void put_csv(const struct e8_log_row *row, struct e8_buf *out)
{
    const char *const ids[] = {row->event_id, row->delivery_id, row->type, row->environment, row->endpoint};
    e8_buf_printf(out, "%lld,", (long long)row->run);
    csv_texts(out, ids, E8_COUNT(ids));
    e8_buf_printf(out, "%d,%s,", row->number, row->trigger);
    csv_wall(out, row->due);
    csv_wall(out, row->sent);
    csv_wall(out, row->done);
    e8_buf_printf(out, "%.6f,%.6f,%.6f,", ms(row->response_time), ms(row->service_time), ms(row->send_lag));
    if (row->status)
        e8_buf_puti(out, row->status);
    e8_buf_printf(out, ",%s,", row->outcome);
    csv_texts(out, &row->error, 1);
    e8_buf_printf(out, "%llu,%llu,", (unsigned long long)row->bytes_sent,
                  (unsigned long long)row->bytes_received);
    csv_texts(out, &row->scheme, 1);
    e8_buf_printf(out, "%s,%d,%s,%lld,%s\n", row->flags & E8_FLAG_REUSED ? "true" : "false", row->copy,
                  row->verdict ? row->verdict : "", (long long)row->step,
                  row->flags & E8_FLAG_WARMUP ? "true" : "false");
}

/* ---- people ---- */

enum {
    GAP = 2,
    TIME_SHORT = 8,
    TIME_LONG = 12,
    TIME_DATE = 23,
    STATUS = 6,
    TRY = 3,
    RESPONSE = 8,
    ERROR_INLINE = 24
};

/* Widths by the width of the page alone: rows come one by one. error 0: on a line of its own, where there is one. */
struct layout {
    size_t time, outcome, type, endpoint, tries, error;
};

static size_t take(size_t *spare, size_t most)
{
    size_t taken = *spare < most ? *spare : most;
    *spare -= taken;
    return taken;
}

static struct layout layout_of(size_t width)
{
    struct layout l = {.time = TIME_SHORT, .outcome = 9, .type = 12, .endpoint = 4, .tries = TRY};
    size_t least = l.time + STATUS + l.outcome + l.type + l.endpoint + l.tries + RESPONSE + (size_t)6 * GAP;
    if (width < least) {
        least -= l.endpoint + GAP + l.tries + GAP;
        l.endpoint = l.tries = 0;
    }
    if (width < least)
        l.type = 0;
    if (width < least || l.tries == 0)
        return l;
    size_t spare = width - least;
    l.outcome += take(&spare, 6);
    l.type += take(&spare, 8);
    l.endpoint += take(&spare, 6);
    l.time += spare >= TIME_LONG - TIME_SHORT ? take(&spare, TIME_LONG - TIME_SHORT) : 0;
    l.type += take(&spare, 4);
    l.outcome += take(&spare, 3);
    l.endpoint += take(&spare, 4);
    if (spare < ERROR_INLINE + GAP) {
        l.type += take(&spare, 10);
        return l;
    }
    spare -= ERROR_INLINE + GAP;
    l.error = ERROR_INLINE;
    l.time += spare >= TIME_DATE - TIME_LONG ? take(&spare, TIME_DATE - TIME_LONG) : 0;
    l.type += take(&spare, 8);
    l.endpoint += take(&spare, 6);
    l.error += spare;
    return l;
}

static void table_heading(struct e8_page *page)
{
    struct layout l = layout_of(page->width);
    const struct {
        const char *title;
        size_t width;
        char pad;
    } columns[] = {
        {l.time > TIME_SHORT ? "time (UTC)" : "time UTC", l.time, 'l'},
        {"status", STATUS, 'l'},
        {"outcome", l.outcome, 'l'},
        {"type", l.type, 'l'},
        {"endpoint", l.endpoint, 'l'},
        {"try", l.tries, 'r'},
        {"response", RESPONSE, 'r'},
        {"error", l.error, 0},
    };
    for (size_t i = 0; i < E8_COUNT(columns); i++) {
        if (i > 0 && columns[i].width > 0)
            e8_page_spaces(page, GAP);
        e8_page_put(page, E8_DIM, e8_str(columns[i].title), columns[i].width, columns[i].pad);
    }
    e8_page_line(page);
}

static void put_time(struct e8_page *page, e8_wall_ns wall, size_t width)
{
    char text[E8_RFC3339_MAX];
    e8_wall_format(wall, width == TIME_SHORT ? 0 : 3, text);
    text[10] = ' ';
    text[strlen(text) - 1] = '\0'; /* the heading says UTC */
    e8_page_put(page, E8_DIM, e8_str(width == TIME_DATE ? text : text + 11), width, 'l');
}

static void put_field(struct e8_page *page, enum e8_ink ink, const char *text, size_t width, char pad)
{
    if (width == 0)
        return;
    e8_page_spaces(page, GAP);
    e8_page_put(page, ink, e8_str(text), width, pad);
}

static void table_row(struct e8_page *page, const struct e8_log_row *row)
{
    struct layout l = layout_of(page->width);
    char status[16] = "–", number[16], response[E8_DUR_MAX];
    const char *error = error_of(row);
    enum e8_ink ink = row->status ? e8_status_ink(row->status) : E8_RED;
    if (row->status)
        snprintf(status, sizeof(status), "%d", row->status);
    snprintf(number, sizeof(number), "%d", row->number);
    put_time(page, row->due, l.time);
    put_field(page, ink, status, STATUS, 'l');
    put_field(page, ink, row->outcome, l.outcome, 'l');
    put_field(page, E8_PLAIN, row->type, l.type, 'l');
    put_field(page, E8_PLAIN, row->endpoint, l.endpoint, 'l');
    put_field(page, row->number > 1 ? E8_YELLOW : E8_DIM, number, l.tries, 'r');
    put_field(page, E8_PLAIN, e8_dur_text(row->response_time, response), RESPONSE, 'r');
    if (error && l.error) {
        e8_page_spaces(page, GAP);
        e8_page_wrap_ink(page, E8_DIM, e8_str(error), page->width - l.error, page->width - l.error);
        return;
    }
    e8_page_line(page);
    if (error) {
        e8_page_spaces(page, l.time + GAP);
        e8_page_put(page, E8_DIM, E8_LIT("└ "), 2, 0);
        e8_page_wrap_ink(page, E8_DIM, e8_str(error), l.time + GAP + 2, l.time + GAP + 2);
    }
}

void e8_rows_begin(enum e8_format format, struct e8_style style, FILE *out)
{
    struct e8_buf buf;
    e8_buf_init(&buf, ROW_MAX);
    struct e8_page page = e8_page_new(&buf, style);
    if (format == E8_FORMAT_CSV)
        csv_heading(&buf);
    else if (format == E8_FORMAT_TABLE || format == E8_FORMAT_TEXT)
        table_heading(&page);
    e8_buf_flush(&buf, out);
    e8_buf_fini(&buf);
}

void e8_rows_write(enum e8_format format, struct e8_style style, const struct e8_log_row *row, FILE *out)
{
    struct e8_buf buf;
    e8_buf_init(&buf, ROW_MAX);
    struct e8_page page = e8_page_new(&buf, style);
    if (format == E8_FORMAT_CSV)
        put_csv(row, &buf);
    else if (format == E8_FORMAT_TABLE || format == E8_FORMAT_TEXT)
        table_row(&page, row);
    else
        put_ndjson(row, &buf);
    e8_buf_flush(&buf, out);
    e8_buf_fini(&buf);
}
