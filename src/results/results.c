#include <errno.h>
#include <string.h>

#include "results/internal.h"

enum { SPILL_AT = 1 << 16 };

static const struct {
    const char *name;
    enum e8_results_format format;
} formats[] = {
    {"text", E8_RESULTS_TEXT}, {"tap", E8_RESULTS_TAP},           {"junit", E8_RESULTS_JUNIT},
    {"json", E8_RESULTS_JSON}, {"markdown", E8_RESULTS_MARKDOWN},
};

bool e8_results_format_find(struct e8_str name, enum e8_results_format *out)
{
    for (size_t i = 0; i < E8_COUNT(formats); i++) {
        if (e8_str_is(name, formats[i].name)) {
            *out = formats[i].format;
            return true;
        }
    }
    return false;
}

size_t e8_results_count(const struct e8_results *results, enum e8_result_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++)
        count += results->list[i].kind == kind;
    return count;
}

bool e8_result_tells(const struct e8_result *result)
{
    bool more = result->exhibit_count > 0 || result->why || result->mend || result->reproduce;
    return more && (result->kind == E8_RESULT_FAIL || result->kind == E8_RESULT_REPORT);
}

void e8_results_spill(struct e8_buf *buf, FILE *out)
{
    if (buf->n < SPILL_AT)
        return;
    fwrite(buf->p, 1, buf->n, out);
    buf->n = 0; /* `full` stays: what did not fit is missing */
}

/* A reader that has gone away has seen enough. */
static enum e8_rc flushed(struct e8_buf *buf, FILE *out)
{
    errno = 0;
    if (buf->n > 0)
        fwrite(buf->p, 1, buf->n, out);
    int error = errno;
    if (fflush(out) == 0 && !ferror(out))
        return buf->full ? E8_ENV : E8_OK;
    return error == EPIPE || errno == EPIPE ? E8_OK : E8_ENV;
}

enum e8_rc e8_results_write(const struct e8_results *results, enum e8_results_format format,
                            struct e8_style style, FILE *out)
{
    struct e8_buf buf;
    e8_buf_init(&buf, (size_t)64 << 20);
    switch (format) {
    case E8_RESULTS_TEXT:
        e8_results_text(results, style, &buf, out);
        break;
    case E8_RESULTS_TAP:
        e8_results_tap(results, &buf, out);
        break;
    case E8_RESULTS_JUNIT:
        e8_results_junit(results, &buf, out);
        break;
    case E8_RESULTS_JSON:
        e8_results_json(results, &buf, out);
        break;
    case E8_RESULTS_MARKDOWN:
        e8_results_markdown(results, &buf, out);
        break;
    }
    enum e8_rc rc = flushed(&buf, out);
    e8_buf_fini(&buf);
    return rc;
}
