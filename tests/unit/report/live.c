#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "report/live.h"

struct screen {
    char *text;
    size_t size;
    FILE *file;
    struct e8_live_now now;
    struct e8_live_options options;
    struct e8_live *live;
};

/* A ninth of a minute at an intended 150/s, of which so much is done as the sample tells. */
static void screen_open(struct screen *screen, const struct sample *s, int columns, int rows)
{
    *screen = (struct screen){0};
    screen->file = open_memstream(&screen->text, &screen->size);
    screen->options = (struct e8_live_options){
        .out = screen->file,
        .terminal = columns > 0,
        .columns = columns,
        .rows = rows,
        .unicode = true,
        .keys = true,
        .started = 1000 * E8_NS_S,
        .run = &s->run,
        .planned = 808,
    };
    screen->now = (struct e8_live_now){
        .factor = 1, .rated = true, .intended = 150, .busy = 0.34, .ends = 1060 * E8_NS_S};
}

static void draw(struct screen *screen, const struct sample *s, e8_dur_ns elapsed)
{
    if (!screen->live)
        screen->live = e8_live_new(&screen->options);
    e8_live_draw(screen->live, s->stats, &screen->now, screen->options.started + elapsed);
}

static void screen_close(struct screen *screen)
{
    e8_live_free(&screen->live);
    fclose(screen->file);
    free(screen->text);
}

/* What stands on the screen after the last drawing, without erasing and colours. */
static char *last_screen(const struct screen *screen)
{
    const char *from = screen->text;
    for (const char *p = from; (p = strstr(p, "A\r")) != NULL; p++)
        from = p + 2;
    char *out = calloc(1, strlen(from) + 1), *at = out;
    while (*from) {
        if (*from == '\033') {
            from += 2 + strspn(from + 2, "0123456789");
            from++;
        } else {
            *at++ = *from++;
        }
    }
    return out;
}

static void assert_screen(const struct screen *screen, const char *expected)
{
    char *shown = last_screen(screen);
    if (strcmp(shown, expected) != 0)
        print_message("%s", shown);
    assert_string_equal(shown, expected);
    free(shown);
}

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* Eight seconds: 150 a second, then twice as many and slower, then nothing. */
static void play(struct screen *screen, struct sample *s)
{
    for (int i = 0; i <= 80; i++) {
        for (int k = 0; i > 0 && i <= 60 && k < (i <= 40 ? 15 : 30); k++)
            sample_add(s, E8_DELIVERED, 200, i <= 40 ? (1 + k % 3) * MS : 40 * MS, "");
        draw(screen, s, i * 100 * MS);
    }
}

/* ---- exact screens ---- */

static void at_80_columns(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, &s, 80, 24);
    screen.options.planned = 2400;
    play(&screen, &s);
    assert_screen(&screen, " support-day  running  8 s of 60 s\n"
                           " ███████████████████▌░░░░░░░░░░░░░░░░░░░  50.00 %  ended 1,200 of 2,400\n"
                           " now         0/s of 150/s  in flight 0  busiest worker 34 %\n"
                           " deliveries  delivered 1,200  failed 0  retries 0\n"
                           " status      2xx 1,200  3xx 0  4xx 0  5xx 0  none 0\n"
                           " last 5 s    p50 40 ms     p95 40 ms     p99 40 ms     send lag p99 20 µs\n"
                           " overall     p50 3 ms      p95 40 ms     p99 40 ms     send lag p99 20 µs\n"
                           " rate        ▄▄▄▄██   300/s\n"
                           " p99         ▁▁▁▁██   40 ms\n"
                           " keys        space pause  q stop  + faster  - slower\n");
    screen_close(&screen);
    sample_fini(&s);
}

static void at_200_columns(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, &s, 200, 50);
    screen.options.planned = 2400;
    screen.now.factor = 1.21;
    screen.now.intended = 181.5;
    play(&screen, &s);
    assert_screen(
        &screen,
        " support-day  running  8 s of 60 s\n"
        " ██████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  50.00 %  ended 1,200 of 2,400\n"
        " now         0/s of 182/s  ×1.21  in flight 0  busiest worker 34 %\n"
        " deliveries  delivered 1,200  failed 0  retries 0\n"
        " status      2xx 1,200  3xx 0  4xx 0  5xx 0  none 0\n"
        " last 5 s    p50 40 ms     p95 40 ms     p99 40 ms     send lag p99 20 µs\n"
        " overall     p50 3 ms      p95 40 ms     p99 40 ms     send lag p99 20 µs\n"
        " rate        ▄▄▄▄██   300/s\n"
        " p99         ▁▁▁▁██   40 ms\n"
        " keys        space pause  q stop  + faster  - slower\n"
        "             crm                   delivered 1,200       failed 0       p50 3 ms      p95 40 ms     "
        "p99 40 ms\n"
        "             =analytics            delivered 0           failed 0       p50 –         p95 –         "
        "p99 –\n");
    screen_close(&screen);
    sample_fini(&s);
}

static void at_40_columns_without_unicode(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, &s, 40, 24);
    screen.options.unicode = false;
    screen.options.planned = 2400;
    play(&screen, &s);
    assert_screen(&screen, " support-day  running  8 s of 60 s\n"
                           " ##########.........  50.00 %\n"
                           " now         0/s of 150/s  in flight 0\n"
                           " deliveries  delivered 1,200  failed 0\n"
                           " status      2xx 1,200  3xx 0  4xx 0\n"
                           " last 5 s    p50 40 ms     p95 40 ms\n"
                           " overall     p50 3 ms      p95 40 ms\n"
                           " rate        ====##   300/s\n"
                           " p99         ____##   40 ms\n"
                           " keys        space pause  q stop\n");
    for (const char *p = screen.text; *p; p++)
        assert_true((unsigned char)*p < 0x80);
    screen_close(&screen);
    sample_fini(&s);
}

static void what_is_not_known_is_not_shown(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, &s, 80, 24);
    screen.options.planned = 0;
    screen.options.keys = false;
    screen.now = (struct e8_live_now){
        .factor = 1, .intended = -1, .closed = 64, .busy = 0.97, .ends = E8_NEVER, .stopping = true};
    draw(&screen, &s, 3 * E8_NS_S);
    assert_screen(&screen, " support-day  stopping  3 s\n"
                           " ended 404\n"
                           " now         135/s  64 at a time  in flight 0  busiest worker 97 %\n"
                           " deliveries  delivered 400  failed 4  retries 5\n"
                           " status      2xx 400  3xx 0  4xx 2  5xx 5  none 2\n"
                           " last 5 s    p50 4.9 ms    p95 8.6 ms    p99 8.9 ms    send lag p99 20 µs\n"
                           " overall     p50 4.9 ms    p95 8.6 ms    p99 8.9 ms    send lag p99 20 µs\n"
                           " rate\n"
                           " p99\n");
    screen_close(&screen);
    sample_fini(&s);
}

static void warming_up_is_shown(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, &s, 80, 24);
    screen.options.planned = 0;
    screen.now.warming = true;
    screen.now.on_wire = 12;
    draw(&screen, &s, 0);
    for (int i = 0; i < 150; i++) {
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
        attempt.flags = E8_FLAG_WARMUP;
        sample_attempt(&s, &attempt);
    }
    draw(&screen, &s, E8_NS_S);
    assert_screen(&screen, " support-day  warming up  1 s of 60 s\n"
                           " ▋░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  ended 0\n"
                           " now         150/s of 150/s  in flight 12  busiest worker 34 %\n"
                           " deliveries  delivered 0  failed 0  retries 0  to warm up 150\n"
                           " status      2xx 0  3xx 0  4xx 0  5xx 0  none 0\n"
                           " last 5 s    p50 –         p95 –         p99 –         send lag p99 –\n"
                           " overall     p50 –         p95 –         p99 –         send lag p99 –\n"
                           " rate\n"
                           " p99\n"
                           " keys        space pause  q stop  + faster  - slower\n");
    screen.now.paused = true; /* says more */
    draw(&screen, &s, 2 * E8_NS_S);
    char *shown = last_screen(&screen);
    assert_has(shown, "support-day  paused  2 s");
    free(shown);
    screen_close(&screen);
    sample_fini(&s);
}

/* A step of find-max: one line, which fits and is rewritten. */
static void one_line_alone(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    for (int width = 20; width <= 200; width += 30) {
        struct screen screen;
        screen_open(&screen, &s, width, 24);
        screen.options.brief = "200/s once more";
        screen.now.on_wire = 3;
        draw(&screen, &s, 3 * E8_NS_S);
        char *shown = last_screen(&screen);
        assert_int_equal(lines(shown), 1);
        assert_true(e8_text_width(e8_str(shown)) <= (size_t)width); /* with its newline */
        if (width >= 110)
            assert_string_equal(
                shown, " 200/s once more  3 s of 60 s  now 135/s  p99 8.9 ms  failed 4  in flight 3\n");
        else
            assert_has(shown, width < 30 ? " 200/s once more" : " 200/s once more  3 s of 60 s");
        free(shown);
        size_t before = strlen(screen.text);
        screen.now.warming = true;
        draw(&screen, &s, 4 * E8_NS_S);
        assert_memory_equal(screen.text + before, "\033[1A\r", 5);
        if (width >= 80)
            assert_has(screen.text + before, "200/s once more  warming up  4 s of 60 s");
        e8_live_end(screen.live);
        const char last[] = "\033[1A\r\033[J";
        assert_string_equal(screen.text + strlen(screen.text) - strlen(last), last);
        screen_close(&screen);
    }
    sample_fini(&s);
}

/* Deliveries between two attempts are not in flight. */
static void what_waits_is_no_flight(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, &s, 80, 24);
    screen.now.on_wire = 2;
    screen.now.waiting = 11;
    draw(&screen, &s, E8_NS_S);
    char *shown = last_screen(&screen);
    assert_has(shown, "in flight 2  waiting 11  busiest worker 34 %");
    free(shown);
    screen_close(&screen);
    sample_fini(&s);
}

/* ---- how it is drawn ---- */

static void fewer_rows_show_what_matters_most(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    for (int rows = 1; rows < 16; rows++) {
        struct screen screen;
        screen_open(&screen, &s, 200, rows);
        draw(&screen, &s, 0);
        size_t most = rows > 1 ? (size_t)rows - 1 : 1;
        assert_int_equal(lines(screen.text), most < 12 ? most : 12);
        assert_has(screen.text, "ended 404 of 808");
        assert_true((strstr(screen.text, "send lag") != NULL) == (rows >= 5));
        assert_true((strstr(screen.text, "pause") != NULL) == (rows >= 10));
        screen_close(&screen);
    }
    sample_fini(&s);
}

static void a_terminal_is_redrawn_in_place(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, &s, 80, 24);
    draw(&screen, &s, 0);
    size_t first = strlen(screen.text);
    assert_int_equal(lines(screen.text), 10);
    draw(&screen, &s, 150 * MS); /* too soon */
    assert_int_equal(strlen(screen.text), first);
    draw(&screen, &s, 200 * MS);
    assert_memory_equal(screen.text + first, "\033[10A\r", 6);
    assert_int_equal(lines(screen.text + first), 10);
    e8_live_stir(screen.live); /* a key was pressed */
    draw(&screen, &s, 210 * MS);
    assert_int_equal(lines(screen.text), 30);
    screen_close(&screen);
    sample_fini(&s);
}

/* A terminal that has become narrower has broken the lines: so many rows more are overwritten. */
static void a_narrower_terminal_has_more_rows(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, &s, 80, 24);
    screen.now.rated = false;
    draw(&screen, &s, 0);
    char *shown = last_screen(&screen);
    size_t rows = 0, before = strlen(screen.text);
    for (struct e8_str rest = e8_str(shown), line; e8_str_split(&rest, '\n', &line);)
        rows += (e8_text_width(line) + 49) / 50;
    assert_in_range(rows, 12, 20);
    e8_live_resize(screen.live, 60, 24, screen.options.started + 5 * MS);
    e8_live_resize(screen.live, 50, 24, screen.options.started + 10 * MS);
    draw(&screen, &s, 205 * MS); /* it may still be dragged */
    assert_int_equal(strlen(screen.text), before);
    draw(&screen, &s, 210 * MS);
    char up[16];
    snprintf(up, sizeof(up), "\033[%zuA\r", rows);
    assert_memory_equal(screen.text + before, up, strlen(up));
    before = strlen(screen.text);
    e8_live_resize(screen.live, 120, 24, screen.options.started + 220 * MS);
    draw(&screen, &s, 420 * MS);
    assert_memory_equal(screen.text + before, "\033[10A\r", 6);
    free(shown);
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
    screen_open(&screen, &s, 80, 24);
    screen.options.style.colour = true;
    for (int i = 0; i < 50; i++)
        draw(&screen, &s, i * 210 * MS);
    e8_live_end(screen.live);
    const char last[] = "\033[10A\r\033[J";
    assert_string_equal(screen.text + strlen(screen.text) - strlen(last), last);
    assert_tame(screen.text);
    size_t size = strlen(screen.text);
    e8_live_end(screen.live); /* nothing more to clear */
    assert_int_equal(strlen(screen.text), size);
    screen_close(&screen);
    sample_fini(&s);
}

/* Not even the last column is written to: terminals differ in what follows then. */
static void lines_fit_every_width(void **state)
{
    (void)state;
    for (int width = 1; width < 300; width += width < 60 ? 1 : 7) {
        struct sample s;
        struct screen screen;
        sample_init(&s);
        screen_open(&screen, &s, width, 50);
        play(&screen, &s);
        char *shown = last_screen(&screen);
        for (struct e8_str rest = e8_str(shown), line; e8_str_split(&rest, '\n', &line);)
            assert_true(e8_text_width(line) < (size_t)width || width == 1);
        free(shown);
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
    screen_open(&screen, &s, 80, 24);
    draw(&screen, &s, -5 * MS); /* the run's start lies ahead */
    assert_has(screen.text, "0 %  ended 0 of 808");
    assert_has(screen.text, "p50 –");
    screen_close(&screen);
    sample_fini(&s);
}

static void the_last_seconds_are_not_the_whole_run(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    screen_open(&screen, &s, 80, 24);
    for (int i = 0; i < 200; i++) { /* 100/s: ten seconds of 1 ms, ten of 100 ms */
        for (int k = 0; k < 10; k++)
            sample_add(&s, E8_DELIVERED, 200, i < 100 ? MS : 100 * MS, "");
        draw(&screen, &s, i * 100 * MS);
    }
    char *shown = last_screen(&screen);
    assert_has(shown, "now         100/s of 150/s");
    assert_has(shown, "last 5 s    p50 100 ms    p95 100 ms    p99 100 ms");
    assert_has(shown, "overall     p50 1 ms ");
    free(shown);
    screen_close(&screen);
    sample_fini(&s);
}

/* ---- elsewhere ---- */

static void elsewhere_a_line_every_three_seconds(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, &s, 0, 0);
    for (int i = 0; i <= 70; i++)
        draw(&screen, &s, i * 100 * MS);
    assert_int_equal(lines(screen.text), 2);
    assert_has(screen.text,
               "3 s  404/808 (50.00 %)  135/s  2xx 400  4xx 2  5xx 5  none 2  failed 4  in flight 0  p50 ");
    assert_has(screen.text, "\n6 s  404/808 (50.00 %)  0/s  ");
    assert_clean(screen.text, false);
    e8_live_end(screen.live);
    assert_int_equal(lines(screen.text), 2);
    screen_close(&screen);
    sample_fini(&s);
}

static void elsewhere_an_unknown_plan_has_no_share(void **state)
{
    (void)state;
    struct sample s;
    struct screen screen;
    sample_init(&s);
    sample_fill(&s);
    screen_open(&screen, &s, 0, 0);
    screen.options.planned = 0;
    draw(&screen, &s, 3 * E8_NS_S);
    assert_has(screen.text, "404");
    assert_lacks(screen.text, "404/");
    assert_lacks(screen.text, "%");
    screen_close(&screen);
    sample_fini(&s);
}

const struct CMUnitTest live_tests[] = {
    cmocka_unit_test(at_80_columns),
    cmocka_unit_test(at_200_columns),
    cmocka_unit_test(at_40_columns_without_unicode),
    cmocka_unit_test(what_is_not_known_is_not_shown),
    cmocka_unit_test(warming_up_is_shown),
    cmocka_unit_test(what_waits_is_no_flight),
    cmocka_unit_test(one_line_alone),
    cmocka_unit_test(fewer_rows_show_what_matters_most),
    cmocka_unit_test(a_terminal_is_redrawn_in_place),
    cmocka_unit_test(a_narrower_terminal_has_more_rows),
    cmocka_unit_test(the_terminal_is_left_as_it_was),
    cmocka_unit_test(lines_fit_every_width),
    cmocka_unit_test(an_empty_run_draws),
    cmocka_unit_test(the_last_seconds_are_not_the_whole_run),
    cmocka_unit_test(elsewhere_a_line_every_three_seconds),
    cmocka_unit_test(elsewhere_an_unknown_plan_has_no_share),
};
const size_t live_count = E8_COUNT(live_tests);
