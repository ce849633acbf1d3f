#include <errno.h>
#include <string.h>

#include "report/parts.h"

#define REPORT_MAX ((size_t)64 << 20)

static const struct {
    const char *name;
    enum e8_format format;
} formats[] = {
    {"text", E8_FORMAT_TEXT}, {"json", E8_FORMAT_JSON},   {"ndjson", E8_FORMAT_NDJSON},
    {"csv", E8_FORMAT_CSV},   {"table", E8_FORMAT_TABLE},
};

bool e8_format_find(struct e8_str name, enum e8_format *out)
{
    for (size_t i = 0; i < E8_COUNT(formats); i++) {
        if (e8_str_is(name, formats[i].name)) {
            *out = formats[i].format;
            return true;
        }
    }
    return false;
}

enum e8_rc e8_report_format(const char *name, enum e8_format *out, struct e8_err *err)
{
    static const char *const names[] = {"text",  "json",     "ndjson", "csv", "tap",
                                        "junit", "markdown", "shard",  NULL};
    static const enum e8_format found[] = {E8_FORMAT_TEXT,     E8_FORMAT_JSON, E8_FORMAT_NDJSON,
                                           E8_FORMAT_CSV,      E8_FORMAT_TAP,  E8_FORMAT_JUNIT,
                                           E8_FORMAT_MARKDOWN, E8_FORMAT_SHARD};
    char hint[E8_HINT_MAX];
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = found[i];
            return E8_OK;
        }
    }
    e8_hint_near(e8_str(name), names, "text, json, ndjson, csv, tap, junit, markdown or shard", hint);
    return e8_fail(err, E8_INPUT, hint, "unknown format \"%s\"", name);
}

enum e8_rc e8_report_fits(unsigned shard, enum e8_format format, struct e8_err *err)
{
    return format != E8_FORMAT_SHARD || shard ? E8_OK
                                              : e8_fail(err, E8_INPUT, "add --shard 1/4, or take ndjson",
                                                        "the format shard is for a shard's result");
}

void e8_buf_flush(struct e8_buf *buf, FILE *out)
{
    if (buf->n > 0)
        fwrite(buf->p, 1, buf->n, out);
    e8_buf_reset(buf);
}

/* A reader that has gone away has seen enough. */
static enum e8_rc written(FILE *out)
{
    int error = errno;
    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return E8_OK;
    return error == EPIPE || errno == EPIPE ? E8_OK : E8_ENV;
}

enum e8_rc e8_report_write(const struct e8_report *report, enum e8_format format, struct e8_style style,
                           FILE *out)
{
    struct e8_buf buf;
    struct e8_page page;
    e8_buf_init(&buf, REPORT_MAX);
    switch (format) {
    case E8_FORMAT_TAP:
        return e8_report_results(report, E8_RESULTS_TAP, out);
    case E8_FORMAT_JUNIT:
        return e8_report_results(report, E8_RESULTS_JUNIT, out);
    case E8_FORMAT_MARKDOWN:
        return e8_report_results(report, E8_RESULTS_MARKDOWN, out);
    case E8_FORMAT_TEXT:
    case E8_FORMAT_TABLE:
        page = e8_page_new(&buf, style);
        e8_report_text(report, &page);
        break;
    case E8_FORMAT_JSON:
    case E8_FORMAT_NDJSON:
        e8_report_json(report, format == E8_FORMAT_JSON ? 2 : 0, &buf);
        break;
    case E8_FORMAT_SHARD:
        e8_report_shard(report, &buf);
        break;
    case E8_FORMAT_CSV:
        e8_report_csv(report, &buf);
        break;
    }
    bool whole = !buf.full;
    errno = 0;
    e8_buf_flush(&buf, out);
    e8_buf_fini(&buf);
    enum e8_rc rc = written(out);
    return whole ? rc : E8_LIMIT;
}
