#include <string.h>

#include "results/internal.h"

enum { WIDTH_USUAL = 80, WIDTH_LEAST = 40, WIDTH_MOST = 120, MARK = 8, INDENT = MARK + 2, LABEL = 10 };

#define DIM  "\033[2m"
#define BOLD "\033[1m"

struct page {
    struct e8_buf *out;
    size_t width;
    bool colour;
    bool blank; /* the last line is empty */
};

static void ink(struct page *page, const char *colour, const char *text)
{
    e8_buf_puts(page->out, page->colour ? colour : "");
    e8_buf_puts(page->out, text);
    e8_buf_puts(page->out, page->colour ? "\033[0m" : "");
}

static void spaces(struct page *page, size_t n)
{
    while (n-- > 0)
        e8_buf_putc(page->out, ' ');
}

static size_t columns(struct e8_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

/* Words wrapped at the width; the cursor stands at `at`, further lines begin at `indent`. Returns where the cursor then is. */
static size_t wrap(struct page *page, const char *text, size_t at, size_t indent)
{
    struct e8_buf clean;
    struct e8_str rest, word;
    bool first = true;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    rest = e8_buf_str(&clean);
    while (e8_str_split(&rest, ' ', &word)) {
        size_t width = columns(word);
        if (word.n == 0)
            continue;
        if (!first && at + 1 + width > page->width) {
            e8_buf_putc(page->out, '\n');
            spaces(page, indent);
            at = indent;
            first = true;
        }
        e8_buf_puts(page->out, first ? "" : " ");
        e8_buf_putstr(page->out, word);
        at += width + !first;
        first = false;
    }
    e8_buf_fini(&clean);
    return at;
}

/* "  why       An attacker who …" */
static void put_label(struct page *page, const char *label, const char *text)
{
    if (!text || !text[0])
        return;
    spaces(page, INDENT);
    ink(page, DIM, label);
    spaces(page, LABEL - strlen(label));
    wrap(page, text, INDENT + LABEL, INDENT + LABEL);
    e8_buf_putc(page->out, '\n');
}

/* Bytes of the longest beginning that fits. */
static size_t fit(struct e8_str text, size_t room)
{
    size_t n = 0;
    while (n < text.n && (room > 0 || ((unsigned char)text.p[n] & 0xC0) == 0x80))
        room -= ((unsigned char)text.p[n++] & 0xC0) != 0x80;
    return n;
}

/* Lines of a message, broken at the width; what goes on stands a little further right. */
static void put_broken(struct page *page, struct e8_str text, size_t indent)
{
    struct e8_str line;
    while (e8_str_split(&text, '\n', &line)) {
        size_t at = indent;
        while (line.n > 0) {
            size_t n = fit(line, page->width - at);
            spaces(page, at);
            e8_buf_put(page->out, line.p, n);
            line = (struct e8_str){line.p + n, line.n - n};
            e8_buf_puts(page->out, line.n ? "\n" : "");
            at = indent + 2;
        }
        e8_buf_putc(page->out, '\n');
    }
}

/* Lines to be copied: as they are. */
static void put_lines(struct page *page, struct e8_str text, size_t indent)
{
    struct e8_str line;
    while (e8_str_split(&text, '\n', &line)) {
        spaces(page, line.n ? indent : 0);
        e8_buf_putstr(page->out, line);
        e8_buf_putc(page->out, '\n');
    }
}

static void put_message(struct page *page, const char *title, const char *step, struct e8_str message,
                        size_t body_most)
{
    struct e8_buf clean;
    spaces(page, INDENT);
    ink(page, DIM, title);
    if (step) {
        e8_buf_puts(page->out, " (");
        e8_clean_line(page->out, step);
        e8_buf_putc(page->out, ')');
    }
    if (message.n == 0) {
        e8_buf_puts(page->out, ": nothing\n");
        return;
    }
    e8_buf_putc(page->out, '\n');
    e8_buf_init(&clean, 1 << 20);
    e8_clean_message(&clean, message, body_most);
    put_broken(page, e8_buf_str(&clean), INDENT + 2);
    e8_buf_fini(&clean);
}

static void put_command(struct page *page, const char *label, const char *command)
{
    struct e8_buf clean;
    if (!command)
        return;
    e8_buf_init(&clean, 1 << 20);
    e8_clean_command(&clean, command);
    struct e8_str text = e8_buf_str(&clean);
    spaces(page, INDENT);
    ink(page, DIM, label);
    e8_buf_putc(page->out, '\n');
    put_lines(page, text, e8_command_is_rigid(text) ? 0 : INDENT + 2);
    e8_buf_fini(&clean);
}

static void put_exhibit(struct page *page, const struct e8_exhibit *exhibit)
{
    put_message(page, "sent", exhibit->step, exhibit->request, exhibit->curl ? BODY_BRIEF : BODY_SHOWN);
    put_message(page, "came back", NULL, exhibit->answer, BODY_SHOWN);
    put_label(page, "expected", exhibit->expected);
    put_label(page, "got", exhibit->got);
    put_command(page, "the same by hand", exhibit->curl);
}

static void put_details(struct page *page, const struct e8_result *result)
{
    size_t shown = result->exhibit_count < EXHIBITS_MOST ? result->exhibit_count : EXHIBITS_MOST;
    put_label(page, "why", result->why);
    put_label(page, "mend", result->mend);
    for (size_t i = 0; i < shown; i++)
        put_exhibit(page, &result->exhibits[i]);
    if (shown < result->exhibit_count) {
        spaces(page, INDENT);
        e8_buf_printf(page->out, "… and %zu more\n", result->exhibit_count - shown);
    }
    put_command(page, "reproduce", result->reproduce);
    e8_buf_putc(page->out, '\n');
    page->blank = true;
}

static void put_result(struct page *page, const struct e8_result *result, size_t id_width)
{
    const struct words *words = &e8_result_words[result->kind];
    size_t width = columns(e8_str(result->id));
    page->blank = false;
    spaces(page, 2);
    ink(page, words->colour, words->word);
    spaces(page, MARK - strlen(words->word));
    size_t at = wrap(page, result->id, INDENT, INDENT);
    spaces(page, (width < id_width ? id_width - width : 0) + 2);
    at += (width < id_width ? id_width - width : 0) + 2;
    if (at + 20 > page->width) {
        e8_buf_putc(page->out, '\n');
        spaces(page, INDENT);
        at = INDENT;
    }
    wrap(page, result->title, at, at);
    e8_buf_putc(page->out, '\n');
    if (result->reason) {
        spaces(page, INDENT);
        wrap(page, result->reason, INDENT, INDENT);
        e8_buf_putc(page->out, '\n');
    }
    put_label(page, "override", result->override);
    if (e8_result_tells(result))
        put_details(page, result);
}

static size_t widest_id(const struct e8_results *results)
{
    size_t widest = 0;
    for (size_t i = 0; i < results->count; i++) {
        size_t width = columns(e8_str(results->list[i].id));
        if (width > widest && width <= 24)
            widest = width;
    }
    return widest;
}

static void put_head(struct page *page, const struct e8_results *results)
{
    char started[E8_RFC3339_MAX];
    e8_wall_format(results->started, 0, started);
    e8_buf_puts(page->out, page->colour ? BOLD : "");
    e8_clean_line(page->out, results->suite);
    e8_buf_puts(page->out, page->colour ? "\033[0m" : "");
    if (results->target) {
        e8_buf_puts(page->out, "  ");
        e8_clean_line(page->out, results->target);
    }
    e8_buf_printf(page->out, "  %.10s %.8s UTC\n", started, started + 11);
}

static void put_counts(struct page *page, const struct e8_results *results)
{
    char took[E8_DUR_MAX];
    size_t told = 0;
    e8_buf_puts(page->out, page->blank ? "" : "\n");
    for (int kind = E8_RESULT_PASS; kind <= E8_RESULT_REPORT; kind++) {
        size_t count = e8_results_count(results, (enum e8_result_kind)kind);
        if (count == 0)
            continue;
        e8_buf_puts(page->out, told++ ? ", " : "");
        e8_put_count(page->out, count);
        e8_buf_printf(page->out, " %s", e8_result_words[kind].count);
    }
    e8_buf_printf(page->out, "%s; took %s\n", told ? "" : "nothing was judged",
                  e8_dur_text(results->took, took));
}

void e8_results_text(const struct e8_results *results, struct e8_style style, struct e8_buf *buf, FILE *out)
{
    size_t width = style.width > 0 ? (size_t)style.width : WIDTH_USUAL, ids = widest_id(results);
    struct page page = {
        .out = buf,
        .width = width < WIDTH_LEAST  ? WIDTH_LEAST
                 : width > WIDTH_MOST ? WIDTH_MOST
                                      : width,
        .colour = style.colour,
    };
    const struct words *verdict = &e8_verdict_words[results->verdict];
    put_head(&page, results);
    for (size_t i = 0; i < results->count; i++) {
        const char *group = results->list[i].group, *before = i ? results->list[i - 1].group : NULL;
        if (i == 0 || strcmp(group ? group : "", before ? before : "") != 0) {
            e8_buf_puts(buf, page.blank ? "" : "\n");
            e8_buf_puts(buf, page.colour ? BOLD : "");
            e8_clean_line(buf, group ? group : results->suite);
            e8_buf_puts(buf, page.colour ? "\033[0m\n" : "\n");
        }
        put_result(&page, &results->list[i], ids);
        e8_results_spill(buf, out);
    }
    put_counts(&page, results);
    ink(&page, verdict->colour, verdict->word);
    e8_buf_puts(buf, "  ");
    e8_clean_line(buf, results->reason);
    e8_buf_putc(buf, '\n');
}
