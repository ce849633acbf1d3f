#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"
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
    static const char *const names[] = {"text",  "json",     "ndjson", "csv",   "tap",
                                        "junit", "markdown", "html",   "shard", NULL};
    static const enum e8_format found[] = {E8_FORMAT_TEXT,     E8_FORMAT_JSON, E8_FORMAT_NDJSON,
                                           E8_FORMAT_CSV,      E8_FORMAT_TAP,  E8_FORMAT_JUNIT,
                                           E8_FORMAT_MARKDOWN, E8_FORMAT_HTML, E8_FORMAT_SHARD};
    char hint[E8_HINT_MAX];
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = found[i];
            return E8_OK;
        }
    }
    e8_hint_near(e8_str(name), names, "text, json, ndjson, csv, tap, junit, markdown, html or shard", hint);
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

/* Frees the buffer. */
static enum e8_rc write_whole(struct e8_buf *buf, FILE *out)
{
    bool whole = !buf->full;
    errno = 0;
    e8_buf_flush(buf, out);
    e8_buf_fini(buf);
    enum e8_rc rc = written(out);
    return whole ? rc : E8_LIMIT;
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
    case E8_FORMAT_HTML:
        e8_report_html(report, &buf);
        break;
    case E8_FORMAT_CSV:
        e8_report_csv(report, &buf);
        break;
    }
    return write_whole(&buf, out);
}

/* ---- several ---- */

enum e8_rc e8_reports_fit(enum e8_format format, struct e8_err *err)
{
    return format == E8_FORMAT_TEXT || format == E8_FORMAT_JSON || format == E8_FORMAT_NDJSON ||
                   format == E8_FORMAT_HTML
               ? E8_OK
               : e8_fail(err, E8_INPUT, "text, json, ndjson or html",
                         "this format is for the report of one run");
}

static void put_array(const struct e8_report *const *reports, size_t count, struct e8_buf *out)
{
    struct e8_json w = e8_json_new(out, 2);
    e8_json_array(&w, NULL);
    for (size_t i = 0; i < count; i++)
        e8_json_report(reports[i], SIZE_MAX, &w, NULL);
    e8_json_end(&w, ']');
    e8_buf_putc(out, '\n');
}

static void put_compared(const struct e8_report *const *reports, const struct e8_side *sides, size_t count,
                         enum e8_format format, struct e8_style style, struct e8_buf *out)
{
    struct e8_remarks *remarks = e8_new(1, sizeof(*remarks));
    struct e8_figures figures;
    struct e8_page page = e8_page_new(out, style);
    e8_figures_init(&figures, sides, count);
    for (size_t i = 1; i < count; i++)
        e8_remarks_add(remarks, &sides[0], &sides[i], false);
    if (format == E8_FORMAT_HTML) {
        e8_reports_html(reports, &figures, remarks, out);
    } else {
        e8_text_sides(sides, count, &page);
        e8_text_compared(&figures, &page);
        e8_text_remarks(remarks, &page);
    }
    e8_figures_fini(&figures);
    free(remarks);
}

enum e8_rc e8_reports_write(const struct e8_report *const *reports, const char *const *labels, size_t count,
                            enum e8_format format, struct e8_style style, FILE *out)
{
    struct e8_doc *docs[E8_REPORTS_MOST] = {NULL};
    struct e8_side sides[E8_REPORTS_MOST];
    enum e8_rc rc = E8_OK;
    struct e8_buf buf;
    E8_ASSERT(count > 0 && count <= E8_REPORTS_MOST);
    e8_buf_init(&buf, REPORT_MAX);
    bool compares = format == E8_FORMAT_TEXT || format == E8_FORMAT_HTML;
    for (size_t i = 0; compares && !rc && i < count; i++) {
        rc = e8_side_make(reports[i], &docs[i], NULL);
        sides[i] = (struct e8_side){(char)('A' + i), labels[i], rc ? NULL : e8_doc_root(docs[i])};
    }
    if (!rc && compares)
        put_compared(reports, sides, count, format, style, &buf);
    else if (format == E8_FORMAT_JSON)
        put_array(reports, count, &buf);
    for (size_t i = 0; format == E8_FORMAT_NDJSON && i < count; i++)
        e8_report_json(reports[i], 0, &buf);
    for (size_t i = 0; i < count; i++)
        e8_doc_free(&docs[i]);
    enum e8_rc end = write_whole(&buf, out);
    return rc ? rc : end;
}
