/* How fast the writer is; printed, never judged. E8_BENCH_ROWS: how many rows. */
#include "tests.h"

#include <stdlib.h>
#include <sys/resource.h>

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void replay(const char *path, uint64_t rows)
{
    struct e8_dlog_reader *reader = open_reader(path);
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_log_run run;
    e8_mono_ns begin = e8_mono_now();

    assert_int_equal(e8_dlog_run(reader, 0, &run, NULL), E8_OK);
    assert_int_equal(e8_dlog_stats(reader, &run, stats, NULL), E8_OK);
    assert_int_equal(e8_stats_all(stats)->n.attempts, rows / 2);
    print_message("log: %.0f attempts/s replayed\n",
                  (double)rows / 2 / (double)(e8_mono_now() - begin) * 1e9);
    e8_stats_free(&stats);
    e8_dlog_reader_free(&reader);
}

static void rows_a_second(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    const char *wanted = getenv("E8_BENCH_ROWS");
    uint64_t rows = 20000;

    if (wanted)
        assert_true(e8_parse_u64(e8_str(wanted), &rows));
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_ring *ring = e8_dlog_ring(log, 0);
    struct e8_record event = some_event(0), attempt = some_attempt(0, 0);
    double cpu = cpu_seconds();
    e8_mono_ns begin = e8_mono_now();
    for (uint32_t n = 0; n < rows / 2; n++) {
        event.event.event = attempt.attempt.event = n;
        attempt.attempt.times.done += 1000;
        e8_id_make("evt_", STARTED + n * MS / 20, e8_mix(n, 1), e8_mix(n, 2), event.event.id);
        e8_id_make("dlv_", STARTED + n * MS / 20, e8_mix(n, 3), e8_mix(n, 4), attempt.attempt.delivery_id);
        push(ring, &event);
        push(ring, &attempt);
    }
    finish_log(&log, &run);
    double took = (double)(e8_mono_now() - begin) / 1e9;
    cpu = cpu_seconds() - cpu;
    print_message(
        "log: %.0f rows/s (%.0f per CPU second, the producer's included), %.0f bytes a row\n",
        (double)rows / took, (double)rows / cpu,
        (double)ask(place->log, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size") /
            (double)rows);
    assert_int_equal(ask(place->log, "SELECT (SELECT count(*) FROM attempt) + (SELECT count(*) FROM event)"),
                     rows);
    replay(place->log, rows);
}

int run_bench(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_a_second, place_make, place_remove),
    };
    return cmocka_run_group_tests_name("dlog bench", tests, NULL, NULL);
}
