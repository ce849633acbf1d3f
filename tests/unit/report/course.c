#include "report/course.h"

#include "sample.h"

#define S E8_NS_S

/* A delivery that was due at `due`, sent `lag` later and done after `service`. */
static void add(struct e8_course_maker *maker, e8_dur_ns due, e8_dur_ns lag, e8_dur_ns service)
{
    struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
    attempt.times.due = due;
    attempt.times.sent = due + lag;
    attempt.times.done = due + lag + service;
    e8_course_add(maker, &attempt);
}

static void attempts_stand_where_they_happened(void **state)
{
    (void)state;
    struct sample s;
    struct e8_course course;
    sample_init(&s);
    struct e8_course_maker *maker = e8_course_begin(&s.run, S, &course);
    add(maker, 10 * MS, MS, 5 * MS);
    add(maker, 20 * MS, MS, 9 * MS);
    add(maker, 95 * MS, 10 * MS, 200 * MS); /* due, begun and done in three parts */
    e8_course_end(&maker);
    assert_null(maker);
    assert_true(course.width == 100 * MS && course.count == 4);
    const struct e8_course_point *p = course.points;
    assert_true(p[0].due == 3 && p[0].begun == 2 && p[0].done == 2 && p[0].samples == 2);
    assert_true(p[1].due == 0 && p[1].begun == 1 && p[1].done == 0 && p[1].samples == 0);
    assert_true(p[3].done == 1 && p[3].samples == 1 && p[2].done == 0);
    assert_true(p[0].response.max == 10 * MS && p[0].service.max == 9 * MS && p[0].lag.max == MS);
    assert_true(p[0].response.p50 >= 6 * MS && p[0].response.p50 < 6010 * E8_NS_US);
    assert_true(p[3].response.p99 == 210 * MS && p[3].lag.p50 == 10 * MS);
    sample_fini(&s);
}

static void failures_and_the_warm_up(void **state)
{
    (void)state;
    struct sample s;
    struct e8_course course;
    sample_init(&s);
    s.run.epoch = 900 * MS; /* sample_make's are due at 1 s */
    struct e8_course_maker *maker = e8_course_begin(&s.run, S, &course);
    struct e8_attempt attempt = sample_make(E8_HTTP_5XX, 503, MS, "");
    e8_course_add(maker, &attempt);
    attempt.verdict = E8_EXPECTATION_MET;
    e8_course_add(maker, &attempt);
    attempt.flags = E8_FLAG_WARMUP;
    e8_course_add(maker, &attempt);
    attempt = sample_make(E8_ABORTED, 0, MS, "");
    e8_course_add(maker, &attempt);
    e8_course_end(&maker);
    assert_true(course.points[1].done == 2 && course.points[1].failed == 1 && course.points[1].due == 3);
    sample_fini(&s);
}

static void long_runs_have_long_parts(void **state)
{
    static const struct {
        e8_dur_ns elapsed, width;
    } rows[] = {{0, 10 * MS},       {S - 1, 10 * MS}, {S, 100 * MS},     {11 * S, 100 * MS},
                {12 * S, 200 * MS}, {60 * S, S},      {3600 * S, 50 * S}};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct sample s;
        struct e8_course course;
        sample_init(&s);
        struct e8_course_maker *maker = e8_course_begin(&s.run, rows[i].elapsed, &course);
        add(maker, rows[i].elapsed * 3, MS, MS); /* further than the run went */
        e8_course_end(&maker);
        assert_true(course.width == rows[i].width);
        assert_true(course.count <= E8_COURSE_POINTS && course.points[course.count - 1].done == 1);
        sample_fini(&s);
    }
}

const struct CMUnitTest course_tests[] = {
    cmocka_unit_test(attempts_stand_where_they_happened),
    cmocka_unit_test(failures_and_the_warm_up),
    cmocka_unit_test(long_runs_have_long_parts),
};
const size_t course_count = E8_COUNT(course_tests);
