#include "prometheus/prometheus.h"

#include <string.h>

const e8_dur_ns e8_prom_bounds[E8_PROM_BOUNDS] = {
    1 * E8_NS_MS,    2500 * E8_NS_US, 5 * E8_NS_MS,   10 * E8_NS_MS,  25 * E8_NS_MS,
    50 * E8_NS_MS,   100 * E8_NS_MS,  250 * E8_NS_MS, 500 * E8_NS_MS, 1 * E8_NS_S,
    2500 * E8_NS_MS, 5 * E8_NS_S,     10 * E8_NS_S,   30 * E8_NS_S,   60 * E8_NS_S,
};

static const char *const bounds[E8_PROM_BOUNDS] = {"0.001", "0.0025", "0.005", "0.01", "0.025",
                                                   "0.05",  "0.1",    "0.25",  "0.5",  "1",
                                                   "2.5",   "5",      "10",    "30",   "60"};

/* Valid UTF-8. Help escapes backslash and line feed; a label's value the quote as well. */
static void put_valid(struct e8_buf *out, struct e8_str text, bool quoted)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c != '\\' && c != '\n' && (c != '"' || !quoted))
            continue;
        e8_buf_put(out, text.p + from, i - from);
        e8_buf_putc(out, '\\');
        e8_buf_putc(out, c == '\n' ? 'n' : c);
        from = i + 1;
    }
    e8_buf_put(out, text.p + from, text.n - from);
}

static void put_escaped(struct e8_buf *out, struct e8_str text, bool quoted)
{
    while (text.n > 0) {
        size_t valid = e8_utf8_valid(text);

        put_valid(out, (struct e8_str){text.p, valid}, quoted);
        if (valid == text.n)
            return;
        e8_buf_puts(out, "\xef\xbf\xbd");
        text = (struct e8_str){text.p + valid + 1, text.n - valid - 1};
    }
}

void e8_prom_family(struct e8_buf *out, const char *name, const char *type, const char *help)
{
    e8_buf_printf(out, "# HELP %s ", name);
    put_escaped(out, e8_str(help), false);
    e8_buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void put_labels(struct e8_buf *out, const struct e8_label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        e8_buf_puts(out, i == 0 ? "" : ",");
        e8_buf_puts(out, labels[i].name);
        e8_buf_puts(out, "=\"");
        put_escaped(out, e8_str(labels[i].value), true);
        e8_buf_putc(out, '"');
    }
}

static void put_name(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count)
{
    e8_buf_puts(out, name);
    if (count > 0) {
        e8_buf_putc(out, '{');
        put_labels(out, labels, count);
        e8_buf_putc(out, '}');
    }
    e8_buf_putc(out, ' ');
}

static void put_count(struct e8_buf *out, uint64_t value)
{
    e8_buf_putu(out, value);
    e8_buf_putc(out, '\n');
}

void e8_prom_count(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count,
                   uint64_t value)
{
    put_name(out, name, labels, count);
    put_count(out, value);
}

void e8_prom_seconds(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count,
                     e8_dur_ns value)
{
    put_name(out, name, labels, count);
    e8_buf_printf(out, "%.9g\n", (double)value / (double)E8_NS_S);
}

void e8_prom_record(struct e8_prom_histogram *histogram, e8_dur_ns value)
{
    for (size_t i = E8_PROM_BOUNDS; i-- > 0 && value <= e8_prom_bounds[i];)
        histogram->upto[i]++;
    histogram->count++;
    histogram->seconds += (double)value / (double)E8_NS_S;
}

/* name_bucket{labels,le="bound"} */
static void put_bucket(struct e8_buf *out, const char *name, struct e8_str labels, const char *bound,
                       uint64_t value)
{
    e8_buf_puts(out, name);
    e8_buf_puts(out, "_bucket{");
    e8_buf_putstr(out, labels);
    e8_buf_puts(out, labels.n > 0 ? ",le=\"" : "le=\"");
    e8_buf_puts(out, bound);
    e8_buf_puts(out, "\"} ");
    put_count(out, value);
}

static void put_rest(struct e8_buf *out, const char *name, const char *suffix, struct e8_str labels)
{
    e8_buf_puts(out, name);
    e8_buf_puts(out, suffix);
    if (labels.n > 0) {
        e8_buf_putc(out, '{');
        e8_buf_putstr(out, labels);
        e8_buf_putc(out, '}');
    }
    e8_buf_putc(out, ' ');
}

void e8_prom_histogram(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count,
                       const struct e8_prom_histogram *histogram)
{
    struct e8_buf once;

    e8_buf_init(&once, SIZE_MAX);
    put_labels(&once, labels, count);
    struct e8_str text = e8_buf_str(&once);
    for (size_t i = 0; i < E8_PROM_BOUNDS; i++)
        put_bucket(out, name, text, bounds[i], histogram->upto[i]);
    put_bucket(out, name, text, "+Inf", histogram->count);
    put_rest(out, name, "_sum", text);
    e8_buf_printf(out, "%.9g\n", histogram->seconds);
    put_rest(out, name, "_count", text);
    put_count(out, histogram->count);
    e8_buf_fini(&once);
}
