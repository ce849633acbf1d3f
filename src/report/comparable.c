/* Can runs be compared, and what else differs between them? */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "report/figures.h"
#include "report/parts.h"

#define RATE_DIFFER 0.01 /* of planned rates */

static void say(char (*texts)[E8_DIFF_TEXT], size_t *count, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Once each. */
static void say(char (*texts)[E8_DIFF_TEXT], size_t *count, const char *format, va_list args)
{
    char text[E8_DIFF_TEXT];
    struct e8_buf clean;
    if (*count == E8_DIFF_TEXTS)
        return;
    vsnprintf(text, sizeof(text), format, args);
    e8_buf_fixed(&clean, texts[*count], E8_DIFF_TEXT);
    e8_buf_put_clean(&clean, (struct e8_str){text, e8_utf8_valid(e8_str(text))});
    e8_buf_cstr(&clean);
    for (size_t i = 0; i < *count; i++)
        if (strcmp(texts[i], texts[*count]) == 0)
            return;
    (*count)++;
}

static void object(struct e8_remarks *remarks, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void object(struct e8_remarks *remarks, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(remarks->obstacles, &remarks->obstacle_count, format, args);
    va_end(args);
}

static void note(struct e8_remarks *remarks, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct e8_remarks *remarks, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(remarks->notes, &remarks->note_count, format, args);
    va_end(args);
}

static void check_valid(struct e8_remarks *remarks, const struct e8_side *side)
{
    struct e8_arena *arena = e8_arena_new();
    const struct e8_node *interrupted = e8_node_get(e8_node_get(side->report, "run"), "interrupted");
    if (strcmp(e8_side_text(side, NULL, "verdict", arena), "invalid") == 0)
        object(remarks, "%c is invalid: %s", side->letter, e8_side_text(side, NULL, "reason", arena));
    else if (interrupted && interrupted->kind == E8_BOOL && interrupted->b)
        note(remarks, "%c was interrupted", side->letter);
    e8_arena_free(&arena);
}

static bool rate_judged(const struct e8_node *report, double *planned)
{
    const struct e8_node *generator = e8_node_get(report, "generator");
    const struct e8_node *judged = e8_node_get(generator, "rate_judged");
    return judged && judged->kind == E8_BOOL && judged->b &&
           e8_figure_number(generator, "planned_per_s", planned) && *planned > 0;
}

/* Of random arrivals the rate differs a little from run to run. */
static bool rates_differ(const struct e8_side *a, const struct e8_side *b, double planned[2])
{
    const struct e8_side *const sides[] = {a, b};
    struct e8_range ranges[2];
    for (size_t i = 0; i < 2; i++) {
        double count = 0;
        if (!rate_judged(sides[i]->report, &planned[i]))
            return false;
        e8_figure_number(e8_node_get(sides[i]->report, "totals"), "planned", &count);
        ranges[i] = e8_range_of_rate(planned[i], count);
    }
    struct e8_range change = e8_range_of_change(planned[0], ranges[0], planned[1], ranges[1]);
    return fabs(planned[1] - planned[0]) > RATE_DIFFER * planned[0] && (change.low > 0 || change.high < 0);
}

static void check_plan(struct e8_remarks *remarks, const struct e8_side *a, const struct e8_side *b,
                       bool any_plan)
{
    void (*say_so)(struct e8_remarks *, const char *, ...) = any_plan ? note : object;
    struct e8_arena *arena = e8_arena_new();
    const char *name_a = e8_side_text(a, "run", "name", arena),
               *name_b = e8_side_text(b, "run", "name", arena);
    const char *digest_a = e8_side_text(a, "run", "scenario_digest", arena);
    const char *digest_b = e8_side_text(b, "run", "scenario_digest", arena);
    char rate_a[E8_NUMBER_MAX], rate_b[E8_NUMBER_MAX];
    double planned[2];
    if (strcmp(name_a, name_b) != 0)
        say_so(remarks, "the plans of %c and %c differ: \"%.60s\" and \"%.60s\"", a->letter, b->letter,
               name_a, name_b);
    else if (strcmp(digest_a, digest_b) != 0)
        say_so(remarks, "the plans of %c and %c differ: their digests are %.12s… and %.12s…", a->letter,
               b->letter, digest_a, digest_b);
    if (rates_differ(a, b, planned))
        say_so(remarks, "the planned rates of %c and %c differ: %s and %s", a->letter, b->letter,
               e8_rate_text(planned[0], rate_a), e8_rate_text(planned[1], rate_b));
    e8_arena_free(&arena);
}

static const char *targets_of(const struct e8_side *side, struct e8_arena *arena)
{
    const struct e8_node *list = e8_node_get(side->report, "endpoints");
    const char *all = "";
    size_t most = 4; /* more than are shown */
    for (const struct e8_node *node = list && list->kind == E8_SEQ ? list->first : NULL; node && most > 0;
         node = node->next, most--) {
        const struct e8_node *url = e8_node_get(node, "url");
        if (url && url->kind == E8_STRING)
            all = e8_arena_printf(arena, "%s%s%.*s", all, all[0] ? " " : "", E8_STR(url->text));
    }
    return all;
}

static void check_circumstances(struct e8_remarks *remarks, const struct e8_side *a, const struct e8_side *b)
{
    static const struct {
        const char *key, *text, *more;
        int shown;
    } rows[] = {
        {"seed", "the seeds of", ", and so do the events", 20},
        {"version", "the versions of emit8 of", "", 40},
        {"workers", "the numbers of workers of", "", 20},
        {"fixtures_digest", "the fixtures of", "", 12},
    };
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        const char *of_a = e8_side_text(a, "run", rows[i].key, arena);
        const char *of_b = e8_side_text(b, "run", rows[i].key, arena);
        if (of_a[0] && of_b[0] && strcmp(of_a, of_b) != 0)
            note(remarks, "%s %c and %c differ%s: %.*s and %.*s", rows[i].text, a->letter, b->letter,
                 rows[i].more, rows[i].shown, of_a, rows[i].shown, of_b);
    }
    const char *of_a = targets_of(a, arena), *of_b = targets_of(b, arena);
    if (strcmp(of_a, of_b) != 0)
        note(remarks, "the targets of %c and %c differ: %.80s and %.80s", a->letter, b->letter, of_a, of_b);
    e8_arena_free(&arena);
}

/* As the warning of a report has it. */
static void check_lag(struct e8_remarks *remarks, const struct e8_side *side)
{
    static const struct e8_figure_spec lag = {.what = E8_FIGURE_TIME, .times = "send_lag_ms", .key = "p99"};
    static const struct e8_figure_spec response = {
        .what = E8_FIGURE_TIME, .times = "response_time_ms", .key = "p50"};
    struct e8_figure late = e8_figure_of(side->report, &lag), median = e8_figure_of(side->report, &response);
    char text[E8_DUR_MAX];
    if (late.known && late.value > E8_NS_MS && late.value > median.value / 10)
        note(remarks, "emit8 itself was late in %c: its send lag p99 is %s, which the response times contain",
             side->letter, e8_dur_text((e8_dur_ns)late.value, text));
}

void e8_remarks_add(struct e8_remarks *remarks, const struct e8_side *a, const struct e8_side *b,
                    bool any_plan)
{
    check_valid(remarks, a);
    check_valid(remarks, b);
    check_plan(remarks, a, b, any_plan);
    check_circumstances(remarks, a, b);
    check_lag(remarks, a);
    check_lag(remarks, b);
}
