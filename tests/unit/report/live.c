#include "sample.h"

#include <stdlib.h>
#include <string.h>

struct screen {
    char *text;
    size_t size;
    struct e8_live live;
};

static void screen_open(struct screen *screen, bool terminal)
{
    *screen = (struct screen){0};
    screen->live = (struct e8_live){
        .out = open_memstream(&screen->text, &screen->size),
        .terminal = terminal,
        .style = {.width = 80},
        .started = 1000 * E8_NS_S,
        .planned = 808,
    };
}

static void screen_close(struct screen *screen)
{
    fclose(screen->live.out);
    free(screen->text);
}

static e8_mono_ns after(const struct screen *screen, e8_dur_ns elapsed)
{
    return screen->live.started + elapsed;
}

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void elsewhere_a_line_every_three_seconds(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, false);
    for (int i = 0; i <= 70; i++)
        e8_live_draw(&screen.live, s.stats, after(&screen, i * 100 * MS));
    assert_int_equal(lines(screen.text), 2);
    assert_has(screen.text,
               "3 s  404/808 (50.00 %)  135/s  2xx 400  4xx 2  5xx 5  none 2  failed 4  in flight 0  p50 ");
    assert_has(screen.text, "\n6 s  404/808 (50.00 %)  0/s  ");
    assert_clean(screen.text, false);
    e8_live_end(&screen.live);
    assert_int_equal(lines(screen.text), 2);
    screen_close(&screen);
    sample_fini(&s);
}

static void a_terminal_is_redrawn_in_place(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    e8_stats_planned(s.stats, 0, 0);
    screen_open(&screen, true);
    e8_live_draw(&screen.live, s.stats, after(&screen, 0));
    size_t first = strlen(screen.text);
    int drawn = screen.live.lines;
    assert_int_equal(lines(screen.text), drawn);
    assert_has(screen.text, " 50.00 %  ended 404/808");
    assert_has(screen.text, "delivered 400  failed 4  in flight 1  retries 5");
    assert_has(screen.text, "2xx 400  3xx 0  4xx 2  5xx 5  none 2");
    assert_has(screen.text, "p50 ");
    e8_live_draw(&screen.live, s.stats, after(&screen, 50 * MS)); /* too soon */
    assert_int_equal(strlen(screen.text), first);
    e8_live_draw(&screen.live, s.stats, after(&screen, 150 * MS));
    char up[16];
    snprintf(up, sizeof(up), "\033[%dA\r", drawn);
    assert_memory_equal(screen.text + first, up, strlen(up));
    assert_int_equal(screen.live.lines, drawn);
    screen_close(&screen);
    sample_fini(&s);
}

/* Only sequences that leave nothing behind: cursor up, erase, colours that are reset. */
static void assert_tame(const char *text)
{
    bool coloured = false;
    for (const char *p = text; *p; p++) {
        if (*p == '\033') {
            size_t n = strspn(p + 2, "0123456789");
            assert_int_equal(p[1], '[');
            assert_non_null(strchr("AKJm", p[2 + n]));
            if (p[2 + n] == 'm')
                coloured = p[2] != '0';
            p += 2 + n;
        } else if (*p == '\n') {
            assert_false(coloured);
        } else {
            assert_true((unsigned char)*p >= 0x20 || *p == '\r');
        }
    }
    assert_false(coloured);
}

static void the_terminal_is_left_as_it_was(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, true);
    screen.live.style.colour = true;
    for (int i = 0; i < 50; i++)
        e8_live_draw(&screen.live, s.stats, after(&screen, i * 110 * MS));
    int drawn = screen.live.lines;
    e8_live_end(&screen.live);
    char last[16];
    snprintf(last, sizeof(last), "\033[%dA\r\033[J", drawn);
    assert_string_equal(screen.text + strlen(screen.text) - strlen(last), last);
    assert_tame(screen.text);
    size_t size = strlen(screen.text);
    e8_live_end(&screen.live); /* nothing more to clear */
    assert_int_equal(strlen(screen.text), size);
    screen_close(&screen);
    sample_fini(&s);
}

static void lines_fit_narrow_terminals(void **state)
{
    (void)state;
    for (int width = 40; width < 130; width += 7) {
        struct sample s;
        struct screen screen;
        sample_init(&s);
        sample_fill(&s);
        screen_open(&screen, true);
        screen.live.style.width = width;
        e8_live_draw(&screen.live, s.stats, after(&screen, 200 * MS));
        assert_true(widest(screen.text) < (size_t)width + 4); /* each line has three bytes of erasing */
        screen_close(&screen);
        sample_fini(&s);
    }
}

static void an_unknown_plan_has_no_share(void **state)
{
    (void)state;
    for (int terminal = 0; terminal < 2; terminal++) {
        struct sample s;
        struct screen screen;
        sample_init(&s);
        sample_fill(&s);
        screen_open(&screen, terminal);
        screen.live.planned = 0;
        e8_live_draw(&screen.live, s.stats, after(&screen, 3 * E8_NS_S));
        assert_has(screen.text, "404");
        assert_lacks(screen.text, "404/");
        assert_lacks(screen.text, "%");
        screen_close(&screen);
        sample_fini(&s);
    }
}

static void an_empty_run_draws(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, true);
    e8_live_draw(&screen.live, s.stats, after(&screen, 0));
    assert_has(screen.text, "0 %  ended 0/808  0/s");
    assert_has(screen.text, "p50 –");
    screen_close(&screen);
    sample_fini(&s);
}

static void the_rate_is_that_of_the_last_seconds(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, true);
    screen.live.planned = 0;
    for (int i = 1; i <= 100; i++) { /* 10 s at 100/s */
        for (int k = 0; k < 10; k++)
            sample_add(&s, E8_DELIVERED, 200, MS, "");
        e8_live_draw(&screen.live, s.stats, after(&screen, i * 100 * MS));
    }
    size_t before = strlen(screen.text);
    e8_live_draw(&screen.live, s.stats, after(&screen, 10100 * MS));
    assert_true(before > 0);
    const char *ended = strstr(screen.text + before, "ended 1,000  ");
    assert_non_null(ended);
    int rate = (int)strtol(ended + strlen("ended 1,000  "), NULL, 10);
    assert_in_range(rate, 90, 101);
    screen_close(&screen);
    sample_fini(&s);
}

const struct CMUnitTest live_tests[] = {
    cmocka_unit_test(elsewhere_a_line_every_three_seconds), cmocka_unit_test(a_terminal_is_redrawn_in_place),
    cmocka_unit_test(the_terminal_is_left_as_it_was),       cmocka_unit_test(lines_fit_narrow_terminals),
    cmocka_unit_test(an_unknown_plan_has_no_share),         cmocka_unit_test(an_empty_run_draws),
    cmocka_unit_test(the_rate_is_that_of_the_last_seconds),
};
const size_t live_count = E8_COUNT(live_tests);
