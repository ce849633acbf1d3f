/* What the files of the live view share. */
#ifndef E8_REPORT_LIVE_H
#define E8_REPORT_LIVE_H

#include "report/parts.h"

enum { LIVE_RECENT = 8, LIVE_SAMPLES = 240, LIVE_COPIES = 6, LIVE_LINES = 32 };
#define LIVE_SAMPLE_EVERY E8_NS_S

struct e8_live_sample {
    double rate; /* deliveries ended per second, those of the warm-up too */
    e8_dur_ns p99;
};

struct e8_live {
    struct e8_live_options options;
    e8_mono_ns drawn; /* 0: never */
    struct {
        e8_mono_ns at;
        uint64_t moved;
    } recent[LIVE_RECENT]; /* the last drawings, a ring; elsewhere than on a terminal the last line alone */
    size_t recent_count;
    struct e8_live_sample samples[LIVE_SAMPLES]; /* one a second, a ring */
    size_t sample_count;
    e8_mono_ns sampled_at;
    uint64_t sampled_moved;
    struct e8_hist *response[LIVE_COPIES], *lag[LIVE_COPIES]; /* as they were at the last samples, a ring */
    double busy;                                              /* smoothed */
    size_t widths[LIVE_LINES];                                /* of the lines that stand on the screen */
    size_t lines;
};

/* What is shown. */
struct e8_view {
    const struct e8_live *live;
    const struct e8_stats *stats;
    const struct e8_live_now *now;
    struct e8_totals totals;
    uint64_t ended, planned;
    uint64_t moved; /* ended, and the attempts of the warm-up */
    double rate;
    e8_mono_ns at;
    struct e8_page page;
    size_t column; /* of the page's line */
    bool labelled; /* the line's label was the last */
};

/* The lines for a terminal of the view's width, at most `rows`; each ended by a newline. */
void e8_view_lines(struct e8_view *view, size_t rows);
/* The one line for elsewhere. */
void e8_view_line(struct e8_view *view);

/* The copy that is `back` samples old; NULL: the run is younger. */
const struct e8_hist *e8_live_before(const struct e8_live *live, struct e8_hist *const *ring, size_t back);
/* The same text in ASCII, as many columns wide. */
void e8_view_ascii(struct e8_str text, struct e8_buf *out);

#endif
