/* The log format of HdrHistogram (hdrhistogram.org), version 1.3, as its HistogramLogWriter has it: comments, a heading, and for each
 * interval and tag a line of start and length in seconds, the maximum in milliseconds, and the compressed histogram. */
#include "report/parts.h"

#define LINE_MAX ((size_t)2 << 20)

void e8_hdr_begin(const struct e8_log_run *run, FILE *out)
{
    char text[E8_RFC3339_MAX];
    e8_wall_ns ms = run->started / E8_NS_MS;
    double started = (double)ms / 1000;
    e8_wall_format(run->started, 3, text);
    fprintf(
        out,
        "#[Histogram log format version 1.3]\n#[BaseTime: %.3f (seconds since epoch)]\n"
        "#[StartTime: %.3f (seconds since epoch), %s]\n"
        "#[emit8 %s: times in nanoseconds; response is from due to done, service from sent to done, lag from "
        "due to sent]\n"
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        started, started, text, run->version ? run->version : "");
}

static void put_line(const char *tag, e8_dur_ns from, e8_dur_ns length, const struct e8_hist *hist, FILE *out)
{
    struct e8_buf line;
    if (!hist || e8_hist_count(hist) == 0)
        return;
    e8_buf_init(&line, LINE_MAX);
    e8_buf_printf(&line, "Tag=%s,%.3f,%.3f,%.3f,", tag, (double)from / (double)E8_NS_S,
                  (double)length / (double)E8_NS_S, (double)e8_hist_max(hist) / (double)E8_NS_MS);
    e8_hist_encode(hist, &line);
    e8_buf_putc(&line, '\n');
    e8_buf_flush(&line, out);
    e8_buf_fini(&line);
}

void e8_hdr_interval(e8_dur_ns from, e8_dur_ns length, const struct e8_stats *stats, FILE *out)
{
    const struct e8_tally *all = e8_stats_all(stats);
    put_line("response", from, length, all->response, out);
    put_line("service", from, length, all->service, out);
    put_line("lag", from, length, all->lag, out);
}
