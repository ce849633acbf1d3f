#include <string.h>

#include "report/parts.h"

#define TIMELINE_MAX ((size_t)8 << 20)

enum { INDENT = 2, LABEL = 12, VALUE = 9, GAP = 2, AXIS_MOST = 120 };

static void put_head(struct e8_page *page, const struct e8_log_row *row, size_t count)
{
    struct e8_arena *arena = e8_arena_new();
    const char *facts[] = {
        row->event_id && row->event_id[0] ? e8_arena_printf(arena, "event %s", row->event_id) : NULL,
        row->environment,
        row->scheme && row->scheme[0] ? e8_arena_printf(arena, "signed %s", row->scheme) : NULL,
        e8_arena_printf(arena, "run %lld", (long long)row->run),
        e8_arena_printf(arena, "%zu attempt%s", count, e8_plural(count)),
    };
    const char *to[] = {row->type, row->endpoint, row->url};
    e8_page_put(page, E8_BOLD, e8_str(row->delivery_id), page->width, 0);
    e8_page_line(page);
    e8_page_facts(page, to, E8_COUNT(to), INDENT, E8_PLAIN);
    e8_page_facts(page, facts, E8_COUNT(facts), INDENT, E8_DIM);
    e8_arena_free(&arena);
}

static size_t axis_of(const struct e8_page *page)
{
    size_t used = INDENT + LABEL + GAP + GAP + VALUE;
    size_t room = page->width > used ? page->width - used : 1;
    return room < AXIS_MOST ? room : AXIS_MOST;
}

/* Columns of the axis that a time takes. */
static size_t column_of(e8_dur_ns at, e8_dur_ns whole, size_t axis)
{
    if (whole <= 0 || at <= 0)
        return 0;
    size_t column = (size_t)((double)at / (double)whole * (double)axis + 0.5);
    return column < axis ? column : axis;
}

/* A bar from `from` to `to` on an axis of `whole`, with its label before it and a value behind the axis. */
struct bar {
    const char *label, *glyph;
    enum e8_ink ink;
    e8_dur_ns from, to, value;
};

static void put_bar(struct e8_page *page, const struct bar *bar, e8_dur_ns whole)
{
    char memory[1024], text[E8_DUR_MAX];
    struct e8_buf glyphs;
    size_t axis = axis_of(page), first = column_of(bar->from, whole, axis),
           last = column_of(bar->to, whole, axis);
    if (first >= axis)
        first = axis - 1;
    if (last <= first)
        last = first + 1;
    e8_buf_fixed(&glyphs, memory, sizeof(memory));
    for (size_t i = first; i < last; i++)
        e8_buf_puts(&glyphs, bar->glyph);
    e8_page_spaces(page, INDENT);
    e8_page_put(page, E8_PLAIN, e8_str(bar->label), LABEL, 'l');
    e8_page_spaces(page, GAP + first);
    e8_page_put(page, bar->ink, e8_buf_str(&glyphs), last - first, 0);
    e8_page_spaces(page, axis - last + GAP);
    e8_page_put(page, E8_PLAIN, e8_str(e8_dur_text(bar->value, text)), VALUE, 'r');
    e8_page_line(page);
}

static void put_axis(struct e8_page *page, e8_dur_ns whole)
{
    char text[E8_DUR_MAX];
    size_t axis = axis_of(page), width = e8_text_width(e8_str(e8_dur_text(whole, text)));
    e8_page_spaces(page, INDENT + LABEL + GAP);
    e8_page_put(page, E8_DIM, E8_LIT("0"), 1, 0);
    if (axis > width + 2)
        e8_page_put(page, E8_DIM, e8_str(text), axis - 1, 'r');
    e8_page_line(page);
}

/* All attempts one under the other, where they stand in time, and the waits between them. */
static void put_overview(struct e8_page *page, const struct e8_log_row *rows, size_t count)
{
    e8_wall_ns start = rows[0].due;
    e8_dur_ns whole = 0;
    for (size_t i = 0; i < count; i++)
        whole = rows[i].done - start > whole ? rows[i].done - start : whole;
    e8_page_section(page, "Attempts", NULL);
    put_axis(page, whole);
    for (size_t i = 0; i < count; i++) {
        const struct e8_log_row *row = &rows[i];
        char label[32];
        if (i > 0 && row->due > rows[i - 1].done)
            put_bar(page,
                    &(struct bar){"   wait", "·", E8_DIM, rows[i - 1].done - start, row->due - start,
                                  row->due - rows[i - 1].done},
                    whole);
        snprintf(label, sizeof(label), "#%d %s", row->number, row->trigger ? row->trigger : "");
        put_bar(page,
                &(struct bar){label, "█", row->status ? e8_status_ink(row->status) : E8_RED, row->due - start,
                              row->done - start, row->response_time},
                whole);
    }
}

/* ---- the phases of one attempt; on an axis that all attempts share, from each one's due time ---- */

static void put_attempt_head(struct e8_page *page, const struct e8_log_row *row)
{
    char time[E8_RFC3339_MAX], status[16] = "";
    struct e8_arena *arena = e8_arena_new();
    e8_wall_format(row->due, 6, time);
    if (row->status)
        snprintf(status, sizeof(status), "%d ", row->status);
    const char *facts[] = {
        e8_arena_printf(arena, "#%d %s", row->number, row->trigger ? row->trigger : ""),
        e8_arena_printf(arena, "%s%s", status, row->outcome),
        e8_arena_printf(arena, "due %s", time),
    };
    const char *flags[] = {
        row->flags & E8_FLAG_REUSED ? "kept-alive connection" : NULL,
        row->flags & E8_FLAG_RECONNECTED ? "reconnected" : NULL,
        row->flags & E8_FLAG_TLS_RESUMED ? "TLS resumed" : NULL,
        row->flags & E8_FLAG_BODY_CAPPED ? "body capped" : NULL,
        row->flags & E8_FLAG_TRAILING_BYTES ? "trailing bytes" : NULL,
        row->flags & E8_FLAG_IDLE_BYTES ? "idle bytes" : NULL,
        row->flags & E8_FLAG_WARMUP ? "warm-up, not counted" : NULL,
    };
    e8_page_line(page);
    e8_page_facts(page, facts, E8_COUNT(facts), 0, row->status ? e8_status_ink(row->status) : E8_RED);
    if (row->flags)
        e8_page_facts(page, flags, E8_COUNT(flags), INDENT, E8_DIM);
    if (row->error && row->error[0]) {
        e8_page_spaces(page, INDENT);
        e8_page_wrap_ink(page, E8_DIM, e8_str(row->error), INDENT, INDENT);
    }
    e8_arena_free(&arena);
}

/* The phases are times since the exchange began, which is `total` before it was done. */
static void put_phases(struct e8_page *page, const struct e8_log_row *row, e8_dur_ns whole)
{
    const struct e8_phases *p = &row->phases;
    const struct {
        const char *label;
        e8_dur_ns end;
        enum e8_ink ink;
    } phases[] = {
        {"DNS", p->dns, E8_CYAN},
        {"connect", p->connect, E8_YELLOW},
        {"TLS", p->tls, E8_YELLOW},
        {"first byte", p->first_byte, E8_GREEN},
        {p->first_byte >= 0 ? "rest" : "until end", p->total, E8_DIM},
    };
    e8_dur_ns begin = row->done - row->due - (p->total > 0 ? p->total : 0), at = 0;
    if (begin < 0)
        begin = 0;
    if (begin > 0)
        put_bar(page, &(struct bar){"before", "░", E8_DIM, 0, begin, begin}, whole);
    for (size_t i = 0; i < E8_COUNT(phases); i++) {
        if (phases[i].end < at || phases[i].end < 0 || (i + 1 == E8_COUNT(phases) && phases[i].end == at))
            continue;
        put_bar(page,
                &(struct bar){phases[i].label, "█", phases[i].ink, begin + at, begin + phases[i].end,
                              phases[i].end - at},
                whole);
        at = phases[i].end;
    }
    put_bar(page, &(struct bar){"total", "━", E8_BOLD, 0, row->response_time, row->response_time}, whole);
}

static void put_wait(struct e8_page *page, const struct e8_log_row *before, const struct e8_log_row *row)
{
    char wait[E8_DUR_MAX];
    if (row->due <= before->done)
        return;
    e8_page_line(page);
    e8_page_spaces(page, INDENT);
    e8_page_put(page, E8_DIM, E8_LIT("⋯ waited "), page->width, 0);
    e8_page_put(page, E8_DIM, e8_str(e8_dur_text(row->due - before->done, wait)), page->width, 0);
    e8_page_line(page);
}

void e8_timeline_write(const struct e8_log_row *rows, size_t count, struct e8_style style, FILE *out)
{
    struct e8_buf buf;
    e8_dur_ns longest = 1;
    if (count == 0)
        return;
    e8_buf_init(&buf, TIMELINE_MAX);
    struct e8_page page = e8_page_new(&buf, style);
    put_head(&page, &rows[0], count);
    if (count > 1)
        put_overview(&page, rows, count);
    for (size_t i = 0; i < count; i++)
        longest = rows[i].response_time > longest ? rows[i].response_time : longest;
    e8_page_section(&page, "Phases", NULL);
    put_axis(&page, longest);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put_wait(&page, &rows[i - 1], &rows[i]);
        put_attempt_head(&page, &rows[i]);
        put_phases(&page, &rows[i], longest);
    }
    e8_buf_flush(&buf, out);
    e8_buf_fini(&buf);
}
