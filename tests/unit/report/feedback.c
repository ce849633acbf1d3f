#include "sample.h"

#include <stdlib.h>

#include "report/parts.h"

#define S E8_NS_S

/* A delivery: its first attempt fails at `fails`, or it succeeds there; after a failure it is tried again each second until `good`. */
static void deliver(struct sample *s, e8_mono_ns due, e8_mono_ns bad_from, e8_mono_ns bad_to)
{
    struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
    for (e8_mono_ns at = due;; at += S) {
        bool bad = at >= bad_from && at < bad_to;
        attempt.times = (struct e8_times){at, at, at + MS};
        attempt.outcome = bad ? E8_HTTP_5XX : E8_DELIVERED;
        attempt.status = bad ? 503 : 200;
        attempt.last = !bad;
        sample_attempt(s, &attempt);
        attempt.number++;
        attempt.trigger = E8_TRIGGER_RETRY;
        if (!bad)
            break;
    }
}

/* However few there are, none of its failures is left out, and it is where they are. */
static void an_outage_has_its_edges(void **state)
{
    (void)state;
    static const int rates[] = {10, 20, 40, 50, 100, 200};
    for (size_t i = 0; i < E8_COUNT(rates); i++) {
        struct sample s;
        sample_init(&s);
        s.run.epoch = 1000 * S + 45 * MS;
        for (int k = 0; k < 4 * rates[i]; k++) {
            struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
            e8_dur_ns at = k * S / rates[i];
            bool bad = at >= S && at < 2 * S;
            attempt.times = (struct e8_times){s.run.epoch + at, s.run.epoch + at, s.run.epoch + at + MS};
            attempt.outcome = bad ? E8_HTTP_5XX : E8_DELIVERED;
            attempt.status = bad ? 503 : 200;
            attempt.last = true;
            e8_stats_event(s.stats, 0);
            sample_attempt(&s, &attempt);
        }
        struct e8_feedback f = e8_feedback_of(sample_report(&s));
        e8_dur_ns width = e8_stats_series(s.stats)->width;
        assert_int_equal(f.outage_count, 1);
        assert_int_equal(f.outages[0].failed, rates[i]);
        assert_in_range(f.outages[0].from, S - width, S + width);
        assert_in_range(f.outages[0].to, 2 * S - width, 2 * S + width);
        assert_int_equal(f.outages[0].recovery, 0);
        sample_fini(&s);
    }
}

/* 10 s of 100 deliveries per second. */
static void load(struct sample *s, e8_mono_ns bad_from, e8_mono_ns bad_to)
{
    sample_init(s);
    s->run.epoch = 1000 * S;
    for (int i = 0; i < 1000; i++) {
        e8_stats_event(s->stats, 0);
        deliver(s, s->run.epoch + i * 10 * MS, s->run.epoch + bad_from, s->run.epoch + bad_to);
    }
}

static char *text_of(struct sample *s, enum e8_format format)
{
    return sample_text(sample_report(s), format, (struct e8_style){.width = 80});
}

/* For 2 s everything fails; each of the 200 that began then is tried again until it is over: 200 + 100 attempts fail, and
 * the second after it brings the backlog down. */
static void an_outage_is_found_with_its_recovery(void **state)
{
    (void)state;
    struct sample s;
    load(&s, 3 * S, 5 * S);
    char *json = text_of(&s, E8_FORMAT_NDJSON), *text = text_of(&s, E8_FORMAT_TEXT);
    assert_has(json, "\"attempts_per_event\":1.3");
    assert_has(json,
               "\"backlog_peak\":200,\"backlog_left\":0,\"outage_count\":1,\"outages\":[{\"from_s\":3.000,"
               "\"to_s\":5.000,\"failed\":300,\"backlog_peak\":200,\"recovered_after_s\":1.000,"
               "\"under_load\":true}],\"recovered\":true}");
    assert_has(text, "1.30 attempts per event · 1.30 per delivery");
    assert_has(text, "at most 200, after 4.9 s; 0 at the end");
    assert_has(text, "outage   from 3 s to 5 s, 300 attempts failed; recovered in 1 s");
    free(json);
    free(text);
    sample_fini(&s);
}

static void what_lasts_beyond_the_load_is_told(void **state)
{
    (void)state;
    struct sample s;
    load(&s, 8 * S, 12 * S);
    char *text = text_of(&s, E8_FORMAT_TEXT), *json;
    assert_has(text, "outage   from 8 s to 12 s, 700 attempts failed; recovered only after the");
    free(text);
    sample_fini(&s);

    load(&s, 10 * S, 11 * S); /* the last ones fail once and for all */
    for (int i = 0; i < 20; i++) {
        struct e8_attempt attempt = sample_make(E8_HTTP_5XX, 503, MS, "");
        attempt.last = false;
        attempt.times = (struct e8_times){1010 * S, 1010 * S, 1010 * S + MS};
        sample_attempt(&s, &attempt);
    }
    s.run.interrupted = true;
    json = text_of(&s, E8_FORMAT_NDJSON);
    assert_has(json, "\"backlog_left\":20,\"outage_count\":1");
    assert_has(json, "\"recovered_after_s\":null,\"under_load\":false}],\"recovered\":false}");
    free(json);
    sample_fini(&s);
}

/* A closed loop, of which each goes on when its last has ended, for 10 s: the i-th takes so long. */
static void loop(struct sample *s, e8_dur_ns (*takes)(e8_mono_ns due, int i))
{
    for (e8_mono_ns due = 0; due < 10 * S;) {
        static int i;
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
        i = due ? i + 1 : 0;
        attempt.times = (struct e8_times){due, due, due + takes(due, i)};
        sample_attempt(s, &attempt);
        due = attempt.times.done;
    }
}

static e8_dur_ns stalls(e8_mono_ns due, int i)
{
    (void)i;
    return due <= 3 * S && due + 5 * MS > 3 * S ? 2 * S : 5 * MS;
}

static e8_dur_ns slow(e8_mono_ns due, int i)
{
    (void)due;
    (void)i;
    return 1500 * MS;
}

static e8_dur_ns sometimes_slow(e8_mono_ns due, int i)
{
    (void)due;
    return i % 50 == 49 ? 3 * S : 5 * MS;
}

static e8_dur_ns quick(e8_mono_ns due, int i)
{
    (void)due;
    (void)i;
    return 5 * MS;
}

/* Two at a time: that nothing comes back for 2 s is two slow answers, and yet all that there could be. */
static void a_silence_is_an_outage_however_few_are_under_way(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    loop(&s, stalls);
    loop(&s, stalls);
    char *json = text_of(&s, E8_FORMAT_NDJSON), *text = text_of(&s, E8_FORMAT_TEXT),
         *html = text_of(&s, E8_FORMAT_HTML);
    assert_has(
        json,
        "\"outage_count\":1,\"outages\":[{\"from_s\":3.100,\"to_s\":5.000,\"failed\":0,\"backlog_peak\":2,"
        "\"recovered_after_s\":0.000,\"under_load\":true}],\"recovered\":true}");
    assert_has(text, "\nOutages\n");
    assert_has(text, "outage   from 3.1 s to 5 s, nothing was answered; recovered at once");
    assert_lacks(text, "\nRetries");
    assert_has(html, ">Outages<");
    free(json);
    free(text);
    free(html);
    sample_fini(&s);
}

static void few_retries_show_an_outage(void **state)
{
    (void)state;
    struct sample s;
    for (int until = 0; until < 2; until++) { /* it comes back, or does not */
        sample_init(&s);
        for (int i = 0; i < 400; i++)
            deliver(&s, i * 10 * MS, 0, 0);
        for (int i = 0; i < 2; i++)
            deliver(&s, 4 * S + i * MS, 4 * S, until ? 6 * S + 500 * MS : 4 * S + 10 * S);
        for (int i = 0; until && i < 400; i++)
            deliver(&s, 7 * S + 10 * MS + i * 10 * MS, 0, 0);
        char *json = text_of(&s, E8_FORMAT_NDJSON);
        assert_has(json,
                   until ? "\"outage_count\":1,\"outages\":[{\"from_s\":4.000,\"to_s\":7.000,\"failed\":6,"
                         : "\"outage_count\":1,");
        assert_has(json, "\"recovered\":true");
        free(json);
        sample_fini(&s);
    }
}

/* All of them are slow; some are; one is while the other loop goes on; the last ones are. */
static void slow_answers_are_no_outage(void **state)
{
    (void)state;
    e8_dur_ns (*const pairs[][2])(e8_mono_ns, int) = {
        {slow, slow}, {sometimes_slow, sometimes_slow}, {stalls, quick}, {quick, quick}};
    for (size_t i = 0; i < E8_COUNT(pairs); i++) {
        struct sample s;
        sample_init(&s);
        loop(&s, pairs[i][0]);
        loop(&s, pairs[i][1]);
        for (int k = 0; i == 3 && k < 3; k++) {
            struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
            attempt.times = (struct e8_times){9990 * MS, 9990 * MS, (13 + 2 * k) * S};
            sample_attempt(&s, &attempt);
        }
        char *json = text_of(&s, E8_FORMAT_NDJSON);
        assert_has(json, "\"outage_count\":0,\"outages\":[],\"recovered\":null}");
        free(json);
        sample_fini(&s);
    }
}

static void single_failures_are_no_outage(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 3000; i++) {
        e8_mono_ns due = i * 10 * MS;
        bool bad = i % 10 == 0 || (i > 2000 && i < 2009);
        deliver(&s, due, bad ? due : 0, bad ? due + 1 : 0);
    }
    char *json = text_of(&s, E8_FORMAT_NDJSON);
    assert_has(json, "\"outage_count\":0,\"outages\":[],\"recovered\":null}");
    free(json);
    sample_fini(&s);
}

/* Of a receiver that answers 503 to a third of all attempts, one slice in the beginning has more of them, when the backlog is still short. */
static void what_fails_all_the_time_is_no_outage(void **state)
{
    (void)state;
    struct sample s;
    for (int more = 0; more < 2; more++) { /* than chance */
        sample_init(&s);
        for (int i = 0; i < 2000; i++) {
            struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
            bool bad = i % 3 == 0 || (i >= 50 && i < (more ? 74 : 58));
            attempt.times = (struct e8_times){i * 4 * MS, i * 4 * MS, (i + (i < 75 ? 1 : 50)) * 4 * MS};
            attempt.outcome = bad ? E8_HTTP_5XX : E8_DELIVERED;
            attempt.last = i % 3 != 0;
            attempt.number = i % 3 == 2 ? 2 : 1;
            attempt.trigger = i % 3 == 2 ? E8_TRIGGER_RETRY : E8_TRIGGER_EVENT;
            sample_attempt(&s, &attempt);
        }
        char *json = text_of(&s, E8_FORMAT_NDJSON);
        assert_has(json, more ? "\"outages\":[{\"from_s\":0.200,\"to_s\":0.300,\"failed\":24,"
                              : "\"outage_count\":0,\"outages\":[],\"recovered\":null}");
        free(json);
        sample_fini(&s);
    }
}

/* `rate` deliveries a second for 10 s, each tried up to four times within a second of the last: those of a `share` fail by chance, the first
 * `flaky` of each delivery, and all that are due in the time of an outage but `few` in a hundred. */
struct receiver {
    int rate;
    double share;
    int flaky;
    e8_mono_ns bad_from, bad_to;
    double few;
};

static bool fails(const struct receiver *r, e8_mono_ns at, int number, struct e8_rng *rng)
{
    double x = e8_rng_unit(rng);
    if (at >= r->bad_from && at < r->bad_to)
        return x >= r->few / 100;
    return x < r->share || number <= r->flaky;
}

static void play(struct sample *s, const struct receiver *r, uint64_t seed)
{
    struct e8_rng rng = e8_rng_new(seed);
    sample_init(s);
    for (int i = 0; i < 10 * r->rate; i++) {
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
        e8_mono_ns at = i * S / r->rate;
        for (int number = 1; number <= 4; number++) {
            bool bad = fails(r, at, number, &rng);
            attempt.times = (struct e8_times){at, at, at + MS};
            attempt.outcome = bad ? E8_HTTP_5XX : E8_DELIVERED;
            attempt.status = bad ? 503 : 200;
            attempt.last = !bad || number == 4;
            attempt.number = (uint16_t)number;
            attempt.trigger = number == 1 ? E8_TRIGGER_EVENT : E8_TRIGGER_RETRY;
            sample_attempt(s, &attempt);
            if (!bad)
                break;
            at += (e8_dur_ns)(e8_rng_unit(&rng) * (double)S);
        }
    }
}

/* However large the part is. */
static void what_fails_at_random_is_no_outage(void **state)
{
    (void)state;
    const struct receiver receivers[] = {
        {60, 0.55, 0, 0, 0, 0},  {60, 0.7, 0, 0, 0, 0},  {60, 0.9, 0, 0, 0, 0}, {8, 0.7, 0, 0, 0, 0},
        {600, 0.45, 0, 0, 0, 0}, {60, 0.33, 0, 0, 0, 0}, {60, 0, 2, 0, 0, 0},   {600, 0, 2, 0, 0, 0},
        {60, 0, 1, 0, 0, 0},     {600, 0, 1, 0, 0, 0},
    };
    for (size_t i = 0; i < E8_COUNT(receivers); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct sample s;
            play(&s, &receivers[i], seed);
            struct e8_feedback f = e8_feedback_of(sample_report(&s));
            if (f.outage_count)
                fail_msg("receiver %zu, seed %d", i, (int)seed);
            sample_fini(&s);
        }
}

/* What fails all the time hides no outage; one of half of the run, or of all of it, is none of that. */
static void an_outage_shows_whatever_else_fails(void **state)
{
    (void)state;
    const struct receiver receivers[] = {
        {60, 0.55, 0, 4 * S, 6 * S, 0}, {60, 0.55, 0, 4 * S, 5500 * MS, 0},
        {60, 0.3, 0, 4 * S, 6 * S, 3},  {60, 0, 2, 4 * S, 6 * S, 0},
        {60, 0.02, 0, 0, 8 * S, 0},     {60, 0.02, 0, S, 9 * S, 2},
        {60, 0, 0, 0, 14 * S, 0},       {60, 0, 0, 0, S, 0},
    };
    for (size_t i = 0; i < E8_COUNT(receivers); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            const struct receiver *r = &receivers[i];
            struct sample s;
            play(&s, r, seed);
            struct e8_feedback f = e8_feedback_of(sample_report(&s));
            bool there = f.outages[0].from <= r->bad_from + 200 * MS &&
                         f.outages[0].from >= r->bad_from - 200 * MS && f.outages[0].to <= r->bad_to + 2 * S;
            if (f.outage_count != 1 || !there)
                fail_msg("receiver %zu, seed %d: %zu from %d ms to %d ms", i, (int)seed, f.outage_count,
                         (int)(f.outages[0].from / MS), (int)(f.outages[0].to / MS));
            sample_fini(&s);
        }
}

/* One each 2 s: the windows grow until a majority in one means something. */
static void slow_runs_have_long_windows(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 300; i++)
        deliver(&s, i * 2 * S, 100 * S, 200 * S);
    const struct e8_series *series = e8_stats_series(s.stats);
    assert_true(series->width > E8_SLICE);
    char *json = text_of(&s, E8_FORMAT_NDJSON);
    assert_has(json, "\"outage_count\":1");
    free(json);
    sample_fini(&s);
}

static void without_retries_there_is_no_section(void **state)
{
    (void)state;
    struct sample s;
    load(&s, 0, 0);
    char *text = text_of(&s, E8_FORMAT_TEXT);
    assert_lacks(text, "\nRetries");
    assert_lacks(text, "\nDeadlines");
    free(text);
    s.more.load = true;
    text = text_of(&s, E8_FORMAT_TEXT);
    assert_has(text, "\nDeadlines missed");
    assert_has(text, "none: every answer came within 3 s");
    free(text);
    sample_fini(&s);
}

static void missed_deadlines_are_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 98; i++)
        sample_add(&s, E8_DELIVERED, 200, i ? MS : 4 * S, "");
    sample_add(&s, E8_TIMEOUT_FIRST_BYTE, 0, 5 * S + MS, "");
    sample_add(&s, E8_TIMEOUT_FIRST_BYTE, 0, 5 * S + MS, "");
    char *text = text_of(&s, E8_FORMAT_TEXT), *json = text_of(&s, E8_FORMAT_NDJSON);
    assert_has(text, "3 s 3.00 % · 5 s 2.00 % · 10 s 0–2.00 % · 15 s 0–2.00 % · 30 s 0–2.00 %");
    assert_has(text, "2 of 100 attempts never answered");
    assert_has(
        json,
        "\"deadlines\":[{\"within_s\":3,\"attempts\":100,\"missed\":3,\"unknown\":0,\"share\":0.030000000},");
    assert_has(json, "{\"within_s\":10,\"attempts\":100,\"missed\":0,\"unknown\":2,\"share\":0.000000000}");
    free(text);
    free(json);
    sample_fini(&s);
}

/* Neither those that we cut off nor those that we could not make. */
static void attempts_without_an_answer_are_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 974; i++)
        sample_add(&s, E8_DELIVERED, 200, MS, "");
    for (int i = 0; i < 727; i++)
        sample_add(&s, i % 2 ? E8_RESET : E8_CONNECT_REFUSED, 0, MS, "");
    s.more.load = true;
    char *text = text_of(&s, E8_FORMAT_TEXT), *json = text_of(&s, E8_FORMAT_NDJSON);
    assert_has(text, "none: every answer came within 3 s · 727 of 1,701 attempts never answered");
    assert_has(json, "\"unanswered\":727,");
    free(text);
    free(json);
    sample_add(&s, E8_GEN_FD, 0, MS, "");
    sample_add(&s, E8_ABORTED, 0, MS, "");
    text = text_of(&s, E8_FORMAT_HTML);
    assert_has(text, "727 of 1,703 attempts");
    free(text);
    sample_fini(&s);

    sample_init(&s);
    sample_add(&s, E8_CONNECT_REFUSED, 0, MS, "");
    s.more.load = true;
    text = text_of(&s, E8_FORMAT_TEXT);
    assert_has(text, "no answer came · 1 of 1 attempts never answered");
    free(text);
    sample_fini(&s);
}

/* What fails on our own side is neither an outage of the receiver nor load on it. */
static void our_own_failures_are_not_the_receivers(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 200; i++) {
        struct e8_attempt attempt = sample_make(E8_GEN_FD, 0, MS, "");
        attempt.last = false;
        attempt.times = (struct e8_times){i * 10 * MS, i * 10 * MS, i * 10 * MS + MS};
        attempt.bytes_sent = 0;
        e8_stats_event(s.stats, attempt.type);
        sample_attempt(&s, &attempt);
        attempt.number = 2;
        attempt.trigger = E8_TRIGGER_RETRY;
        attempt.outcome = E8_DELIVERED;
        attempt.status = 200;
        attempt.bytes_sent = 600;
        attempt.last = true;
        attempt.times = (struct e8_times){i * 10 * MS + 5 * S, i * 10 * MS + 5 * S, i * 10 * MS + 5 * S + MS};
        sample_attempt(&s, &attempt);
    }
    char *json = text_of(&s, E8_FORMAT_NDJSON);
    assert_has(json, "\"attempts_per_event\":1.000000,\"attempts_per_delivery\":1.000000,");
    assert_has(json, "\"outage_count\":0,");
    free(json);
    assert_string_equal(s.report.reason,
                        "200 attempts failed on emit8's own side (gen_fd 200); raise ulimit -n, or "
                        "lower --in-flight or the load");
    sample_fini(&s);
}

/* Slices are aligned to the clock: the first may begin before the run. After a warm-up, time is counted from its end. */
static void outages_begin_within_what_is_measured(void **state)
{
    (void)state;
    for (int warm = 0; warm < 2; warm++) {
        struct sample s;
        sample_init(&s);
        s.run.epoch = 3 * MS;
        e8_mono_ns begin = s.run.epoch + (warm ? 5 * S : 0);
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
        attempt.flags = E8_FLAG_WARMUP;
        attempt.times = (struct e8_times){s.run.epoch, s.run.epoch, s.run.epoch + MS};
        attempt.phases.connect = MS / 10;
        if (warm)
            e8_stats_add(s.stats, &attempt);
        for (int i = 0; i < 100; i++) {
            bool bad = i < 50;
            attempt = sample_make(bad ? E8_HTTP_5XX : E8_DELIVERED, bad ? 503 : 200, MS, "");
            attempt.times =
                (struct e8_times){begin + i * 20 * MS, begin + i * 20 * MS, begin + i * 20 * MS + MS};
            attempt.number = (uint16_t)(i ? 1 : 2); /* so that there is a retry to tell of */
            attempt.trigger = i ? E8_TRIGGER_EVENT : E8_TRIGGER_RETRY;
            sample_attempt(&s, &attempt);
        }
        char *json = text_of(&s, E8_FORMAT_NDJSON), *text = text_of(&s, E8_FORMAT_TEXT);
        assert_has(json, "\"outages\":[{\"from_s\":0.000,\"to_s\":");
        assert_has(text, "outage   from 0 s to ");
        struct e8_feedback f = e8_feedback_of(sample_report(&s)); /* which the windows go beyond */
        assert_true(f.outages[0].to > 900 * MS &&
                    f.outages[0].to <= e8_report_elapsed(&s.run, s.stats) - (warm ? 5 * S : 0));
        assert_has(text, warm ? "0 connections opened, 1 in the warm-up" : "0 connections ·");
        free(json);
        free(text);
        sample_fini(&s);
    }
}

const struct CMUnitTest feedback_tests[] = {
    cmocka_unit_test(an_outage_is_found_with_its_recovery),
    cmocka_unit_test(an_outage_has_its_edges),
    cmocka_unit_test(what_lasts_beyond_the_load_is_told),
    cmocka_unit_test(a_silence_is_an_outage_however_few_are_under_way),
    cmocka_unit_test(few_retries_show_an_outage),
    cmocka_unit_test(slow_answers_are_no_outage),
    cmocka_unit_test(single_failures_are_no_outage),
    cmocka_unit_test(what_fails_at_random_is_no_outage),
    cmocka_unit_test(an_outage_shows_whatever_else_fails),
    cmocka_unit_test(slow_runs_have_long_windows),
    cmocka_unit_test(what_fails_all_the_time_is_no_outage),
    cmocka_unit_test(without_retries_there_is_no_section),
    cmocka_unit_test(missed_deadlines_are_told),
    cmocka_unit_test(attempts_without_an_answer_are_told),
    cmocka_unit_test(our_own_failures_are_not_the_receivers),
    cmocka_unit_test(outages_begin_within_what_is_measured),
};
const size_t feedback_count = E8_COUNT(feedback_tests);
