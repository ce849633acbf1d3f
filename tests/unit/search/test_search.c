#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "search/search.h"

/* A receiver with one place and a fixed service time (M/D/1) behind something that sends so many per second at most. */
struct model {
    double service, objective; /* seconds; the objective is for the mean response */
    double generator;          /* above this rate nothing can be said; 0: no bound */
    double noise;              /* its capacity varies by this share from step to step */
    struct e8_rng rng;
};

static double mean_response(double rate, double service)
{
    double load = rate * service;
    return load < 1 ? service + load * service / (2 * (1 - load)) : INFINITY;
}

static enum e8_search_result try(struct model *model, double rate)
{
    double service = model->service * (1 + model->noise * (2 * e8_rng_unit(&model->rng) - 1));
    if (model->generator > 0 && rate > model->generator)
        return E8_SEARCH_INVALID;
    return mean_response(rate, service) <= model->objective ? E8_SEARCH_HOLDS : E8_SEARCH_FAILS;
}

/* The rate at which the mean response is the objective: W = D + lD^2 / (2 (1 - lD)) solved for l. */
static double truth(const struct model *model)
{
    double d = model->service, w = model->objective;
    return 2 * (w - d) / (d * d + 2 * d * (w - d));
}

static struct e8_search search(struct model *model, double from, double top, double precision)
{
    struct e8_search s = e8_search_begin(from, top, precision);
    unsigned most = e8_search_most(from, top, precision), steps = 0;
    enum e8_search_stage stage, last = E8_SEARCH_CLIMB;
    double rate;

    for (; e8_search_next(&s, &rate, &stage); steps++, last = stage) {
        assert_true(rate >= from && rate <= top);
        assert_true(stage >= last);
        assert_true(steps < most);
        e8_search_tell(&s, try(model, rate));
    }
    assert_int_equal(s.steps, steps);
    return s;
}

static void the_truth_is_found(void **state)
{
    (void)state;
    static const double precisions[] = {0.01, 0.05, 0.2, 0.5};
    struct e8_rng rng = e8_rng_new(1);

    for (unsigned i = 0; i < 2000; i++) {
        struct model model = {.service = 1e-4 * pow(10, 2 * e8_rng_unit(&rng))};
        model.objective = model.service * (1.5 + 10 * e8_rng_unit(&rng));
        double precision = precisions[i % E8_COUNT(precisions)], highest = truth(&model);
        struct e8_search s = search(&model, 1 + highest / 50 * e8_rng_unit(&rng), 1e6, precision);
        assert_true(s.confirmed && s.bound == E8_BOUND_RECEIVER);
        assert_true(s.holds <= highest && s.above > highest);
        /* The gap, or neighbours of three digits. */
        assert_true(s.above / s.holds - 1 <= fmax(precision, 0.0101));
    }
}

static void what_sends_may_be_the_limit(void **state)
{
    (void)state;
    struct model model = {.service = 1e-3, .objective = 1e-2, .generator = 300};
    struct e8_search s = search(&model, 50, 1e5, 0.05);
    assert_true(s.confirmed && s.bound == E8_BOUND_GENERATOR);
    assert_true(s.holds <= 300 && s.holds > 280);

    /* Below it the receiver is: the climb met the generator's limit first. */
    model.generator = 1500;
    s = search(&model, 800, 1e5, 0.02);
    assert_true(s.confirmed && s.bound == E8_BOUND_RECEIVER);
    assert_true(s.holds <= truth(&model) && s.holds > truth(&model) * 0.97);

    model.generator = 10;
    s = search(&model, 50, 1e5, 0.05);
    assert_true(!s.confirmed && s.steps == 1 && s.bound == E8_BOUND_GENERATOR && s.holds <= 0);
}

static void the_lowest_may_be_too_high(void **state)
{
    (void)state;
    struct model model = {.service = 1e-1, .objective = 2e-1};
    struct e8_search s = search(&model, 50, 1e5, 0.05);
    assert_true(!s.confirmed && s.steps == 1 && s.bound == E8_BOUND_RECEIVER && s.holds <= 0);
}

static void the_highest_may_hold(void **state)
{
    (void)state;
    struct model model = {.service = 1e-6, .objective = 2e-1};
    struct e8_search s = search(&model, 50, 3000, 0.05);
    assert_true(s.confirmed && s.bound == E8_BOUND_TOP);
    assert_true(s.holds >= 3000 && s.holds <= 3000);
    s = search(&model, 50, 50, 0.05);
    assert_true(s.confirmed && s.bound == E8_BOUND_TOP && s.steps == 2);
}

/* A capacity that varies by 10 %: what was found holds at least for the worst of days plus what is not known. */
static void luck_is_not_enough(void **state)
{
    (void)state;
    unsigned confirmed = 0, lowered = 0;

    for (unsigned i = 0; i < 500; i++) {
        struct model model = {.service = 1e-3, .objective = 5e-3, .noise = 0.1, .rng = e8_rng_new(i)};
        struct e8_search s = search(&model, 50, 1e5, 0.05);
        confirmed += s.confirmed;
        lowered += s.confirmations > 1;
        if (s.confirmed)
            assert_true(s.holds > truth(&model) * 0.75 && s.holds < truth(&model) * 1.12);
    }
    assert_true(confirmed > 450 && lowered > 20);
}

/* Nothing holds twice: it ends, and says that it found nothing. */
static void what_is_never_confirmed_is_not_told(void **state)
{
    (void)state;
    struct e8_search s = e8_search_begin(50, 1e5, 0.05);
    enum e8_search_stage stage;
    double rate;

    while (e8_search_next(&s, &rate, &stage)) {
        bool holds = stage != E8_SEARCH_CONFIRM && rate <= 1000;
        e8_search_tell(&s, holds ? E8_SEARCH_HOLDS : E8_SEARCH_FAILS);
    }
    assert_true(!s.confirmed && s.holds <= 0 && s.confirmations == E8_SEARCH_CONFIRMATIONS);
    assert_true(s.bound == E8_BOUND_RECEIVER && s.above < 1000);
}

static void stages_and_results_have_names(void **state)
{
    (void)state;
    assert_string_equal(e8_search_stage_name(E8_SEARCH_CLIMB), "climb");
    assert_string_equal(e8_search_stage_name(E8_SEARCH_CONFIRM), "confirm");
    assert_string_equal(e8_search_result_name(E8_SEARCH_HOLDS), "holds");
    assert_string_equal(e8_search_result_name(E8_SEARCH_INVALID), "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_truth_is_found),
        cmocka_unit_test(what_sends_may_be_the_limit),
        cmocka_unit_test(the_lowest_may_be_too_high),
        cmocka_unit_test(the_highest_may_hold),
        cmocka_unit_test(luck_is_not_enough),
        cmocka_unit_test(what_is_never_confirmed_is_not_told),
        cmocka_unit_test(stages_and_results_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
