/* No allocation of ours for a delivery, once there are as many slots and connections as are used at a time. The linker leads what
 * our own code calls here (-Wl,--wrap); libcurl, OpenSSL and SQLite have theirs. */
#include "tests.h"

#define WARM    2000
#define COUNTED 2000
#define LATE                                                                                                 \
    4 /* a peak of what is live at a time may come late on a busy machine: that is no allocation for a delivery */

static _Thread_local size_t made; /* allocations of this thread */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    made++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    made++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    made++;
    return __real_realloc(old, size);
}

/* Of one worker, on its thread. */
struct count {
    size_t ended, warm, steady; /* allocations when so many had ended */
};

static void note(void *state, const struct e8_done *done)
{
    struct count *count = state;
    assert_int_equal(done->attempt->outcome, E8_DELIVERED);
    count->ended++;
    if (count->ended == WARM) {
        count->warm = made;
    } else if (count->ended == WARM + COUNTED) {
        count->steady = made;
    }
}

static void count_run(const char *text)
{
    struct rig rig;
    struct count count = {0};
    rig_open(&rig, text, NULL, NULL);
    rig.options.workers = 1;
    rig.options.in_flight = 4; /* always reached, so that no more slots and connections come late */
    rig.options.on_done = note;
    rig.options.state = &count;
    rig_start(&rig);
    assert_true(e8_engine_wait(rig.engine, 60 * E8_NS_S));
    e8_engine_finish(&rig.engine, &rig.result);
    assert_true(count.ended > WARM + COUNTED);
    assert_true(count.warm > 0); /* they are counted */
    assert_in_range(count.steady - count.warm, 0, LATE);
    rig_close(&rig);
}

#define HEAD                                                                                                 \
    "seed: 7\n"                                                                                              \
    "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: 0123456789abcdef}}\n"

static void events_of_all_types_allocate_nothing(void **state)
{
    struct e8_buf text;
    (void)state;
    e8_buf_init(&text, 8192);
    e8_buf_puts(&text, HEAD "flows:\n  f:\n");
    for (const char *const *type = e8_catalog_names(catalog()); *type; type++) {
        e8_buf_printf(&text, "    - emit: %s\n", *type);
    }
    e8_buf_puts(&text, "run: [{flow: f, arrivals: {times: 400, concurrency: 6}}]\n");
    count_run(e8_buf_cstr(&text));
    e8_buf_fini(&text);
}

static void branches_waits_and_copies_allocate_nothing(void **state)
{
    (void)state;
    count_run(HEAD "flows:\n"
                   "  f:\n"
                   "    - parallel:\n"
                   "        - [{emit: message.received}, {emit: message.sent, deliver: {duplicate: 1}}]\n"
                   "        - [{emit: session.started}, {wait: 0..1ms}, {emit: session.ended}]\n"
                   "    - await: ack\n"
                   "    - {emit: conversation.ended}\n"
                   "run: [{flow: f, arrivals: {times: 800, concurrency: 6}}]\n");
}

int test_steady(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_all_types_allocate_nothing),
        cmocka_unit_test(branches_waits_and_copies_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
