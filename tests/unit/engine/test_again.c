/* `again`: an event once more, as a retry or as the same bytes; requests that are tampered with. */
#include <stdio.h>

#include "tests.h"

#define CLOCK  ((e8_wall_ns)1767225600 * E8_NS_S)
#define SECRET "test-secret-0123456789"
#define TARGET "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: " SECRET ", " NONE "}}\n"

static bool same_request(const struct request *a, const struct request *b)
{
    return strcmp(a->head, b->head) == 0 && strcmp(a->body, b->body) == 0;
}

static const struct request *request_at(const struct rig *rig, size_t index)
{
    assert_true(index < rig->receiver.count);
    return &rig->receiver.list[index];
}

/* Is it signed with this secret, as the platform does? */
static bool is_signed(const struct request *request, const char *secret)
{
    const struct e8_scheme *scheme = e8_schemes_find(e8_catalog_schemes(catalog()), "8bit");
    struct e8_signer *signer = NULL;
    char value[256];
    struct e8_header header = {e8_str(scheme->header), e8_str(header_of(request, scheme->header, value))};
    assert_int_equal(e8_signer_new(scheme, &secret, 1, &signer, NULL), E8_OK);
    enum e8_verdict verdict =
        e8_verify(signer, &header, 1, (struct e8_str){request->body, request->body_n}, 0, -1, NULL);
    e8_signer_free(&signer);
    return verdict == E8_VERIFIED;
}

static void a_replay_has_the_same_bytes(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             TARGET
             "flows: {f: [{emit: message.sent, await: ack}, {wait: 1100ms}, {again: replay, await: ack},"
             " {again: replay}]}\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 3);
    assert_int_equal(rig_counts(&rig)->events, 1);
    assert_int_equal(rig_counts(&rig)->planned, 3);
    for (size_t i = 1; i < 3; i++) {
        const struct e8_attempt *a = rig_attempt(&rig, 0, 1, i);
        assert_true(same_request(request_at(&rig, 0), request_at(&rig, i)));
        assert_int_equal(a->copy, i);
        assert_int_equal(a->step, i);
        assert_int_equal(a->event, rig.attempts[0].event);
        assert_int_equal(a->timestamp, rig.attempts[0].timestamp);
    }
    assert_true(rig.attempts[1].times.due >= rig.attempts[0].times.done + 1000 * E8_NS_MS);
    rig_close(&rig);
}

static void a_retry_has_a_new_number_and_signature(void **state)
{
    struct rig rig;
    char a[256], b[256];
    (void)state;
    rig_open(&rig,
             "seed: 1\n" TARGET "flows: {f: [{emit: message.sent}, {wait: 60s}, {again: retry}, {wait: 60s},"
             " {again: retry}, {emit: message.sent}]}\n",
             NULL, NULL);
    rig.options.clock = CLOCK;
    rig.options.speed = 4000;
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 4);
    for (size_t i = 0; i < 3; i++) {
        const struct request *request = request_at(&rig, i);
        assert_int_equal(strtol(header_of(request, "X-8bit-Attempt", a), NULL, 10), i + 1);
        assert_string_equal(header_of(request, "X-8bit-Delivery", a),
                            header_of(request_at(&rig, 0), "X-8bit-Delivery", b));
        assert_string_equal(request->body, request_at(&rig, 0)->body);
        assert_true(is_signed(request, SECRET));
    }
    assert_string_not_equal(request_at(&rig, 3)->body, request_at(&rig, 0)->body);
    rig_close(&rig);
}

/* Two events before, several endpoints, and workers: again is about the last one, where that went. */
static void again_goes_where_the_event_before_went(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/a'}, b: {url: 'http://127.0.0.1:%d/b', events: "
             "[agent.*]}}\n"
             "flows: {f: [{emit: agent.error}, {emit: message.sent, await: ack}, {again: replay, await: ack},"
             " {emit: agent.error, await: ack}, {again: retry, deliver: {duplicate: 1}}]}\n"
             "run: [{flow: f, arrivals: {times: 30, concurrency: 5}}]\n",
             NULL, NULL);
    rig_run(&rig);
    size_t to_b = 0, copies[4] = {0};
    for (size_t i = 0; i < rig.count; i++) {
        const struct e8_attempt *a = &rig.attempts[i];
        to_b += a->endpoint == 1;
        assert_true(a->copy < 3);
        copies[a->copy]++;
    }
    assert_int_equal(rig_counts(&rig)->events, 90);
    assert_int_equal(rig_counts(&rig)->delivered, 30 * (2 + 2 + 6));
    assert_int_equal(to_b, 30 * (1 + 3));
    assert_int_equal(copies[1], 30 * (1 + 2));
    assert_int_equal(copies[2], 30 * 2);
    rig_close(&rig);
}

static void tampering_differs_in_what_was_asked(void **state)
{
    struct rig rig;
    char a[256], b[256];
    (void)state;
    rig_open(&rig,
             TARGET "flows: {f: [{emit: message.sent, await: ack},\n"
                    "  {again: replay, tamper: {signature: other_secret}, await: ack},\n"
                    "  {again: replay, tamper: {body: {flip: 10}}, await: ack},\n"
                    "  {again: retry, tamper: {method: PUT, content_type: text/plain}, await: ack},\n"
                    "  {again: replay, await: ack}]}\n",
             NULL, NULL);
    rig_run(&rig);
    const struct request *right = request_at(&rig, 0), *other = request_at(&rig, 1),
                         *flipped = request_at(&rig, 2), *put = request_at(&rig, 3);
    assert_true(is_signed(right, SECRET));
    assert_false(is_signed(other, SECRET));
    assert_string_equal(other->body, right->body);
    assert_string_equal(header_of(flipped, "X-8bit-Signature-256", a),
                        header_of(right, "X-8bit-Signature-256", b));
    assert_int_equal(flipped->body_n, right->body_n);
    assert_true(flipped->body[10] != right->body[10]);
    assert_memory_equal(flipped->body + 11, right->body + 11, right->body_n - 11);
    assert_int_equal(strncmp(put->head, "PUT ", 4), 0);
    assert_string_equal(header_of(put, "Content-Type", a), "text/plain");
    assert_true(is_signed(put, SECRET));
    assert_true(same_request(right, request_at(&rig, 4)));
    rig_close(&rig);
}

/* A replay of what was tampered with is the same bytes; a retry is what the platform would send. */
static void again_of_a_tampered_event(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             TARGET "flows: {f: [{emit: message.sent, tamper: {signature: other_secret, body: {form: "
                    "pretty}}, await: ack},\n"
                    "  {again: replay, await: ack}, {again: retry}]}\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 3);
    assert_true(same_request(request_at(&rig, 0), request_at(&rig, 1)));
    assert_false(is_signed(request_at(&rig, 0), SECRET));
    assert_true(is_signed(request_at(&rig, 2), SECRET));
    assert_true(request_at(&rig, 2)->body_n < request_at(&rig, 0)->body_n);
    rig_close(&rig);
}

/* What the platform does not send does not end its dealings with an endpoint. */
static struct answer gone(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = number == 0 ? 410 : 200};
}

static void a_410_to_what_was_tampered_with_disables_nothing(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             TARGET "flows: {f: [{emit: message.sent, tamper: {signature: missing}, await: {ack: continue}},"
                    " {emit: message.sent}]}\n",
             gone, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 2);
    assert_int_equal(rig.result.disabled, 0);
    rig_close(&rig);
}

static void step_headers_ids_and_verbatim(void **state)
{
    struct rig rig;
    char text[256];
    (void)state;
    rig_open(
        &rig,
        "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: " SECRET
        ", headers: {X-Team: one, X-Own: 1}}}\n"
        "flows: {f: [{emit: message.sent, headers: {X-Team: two}, id: dlv_mine, await: ack},\n"
        "  {emit: made.up, body: 'plain', verbatim: true, headers: {Content-Type: text/x, X-Old: 1}}]}\n",
        NULL, NULL);
    rig_run(&rig);
    assert_string_equal(header_of(request_at(&rig, 0), "X-Team", text), "two");
    assert_string_equal(header_of(request_at(&rig, 0), "X-Own", text), "1");
    assert_string_equal(header_of(request_at(&rig, 0), "X-8bit-Delivery", text), "dlv_mine");
    const struct request *verbatim = request_at(&rig, 1);
    assert_string_equal(verbatim->body, "plain");
    assert_string_equal(header_of(verbatim, "Content-Type", text), "text/x");
    assert_null(strcasestr(verbatim->head, "x-8bit"));
    assert_null(strcasestr(verbatim->head, "x-own"));
    assert_null(strcasestr(verbatim->head, "user-agent"));
    assert_int_equal(e8_stats_type(rig.result.stats, (unsigned)rig.plan->type_count - 1)->n.delivered, 1);
    rig_close(&rig);
}

/* ---- the preview shows the same ---- */

struct shown {
    struct rig *rig;
    size_t count;
};

static bool compare(void *state, const struct e8_preview *preview)
{
    struct shown *shown = state;
    const struct request *request = request_at(shown->rig, shown->count++);
    assert_int_equal(preview->body.n, request->body_n);
    assert_memory_equal(preview->body.p, request->body, request->body_n);
    assert_int_equal(strncmp(request->head, preview->parts->method.p, preview->parts->method.n), 0);
    for (size_t i = 0; i < preview->parts->count; i++) {
        char line[512];
        snprintf(line, sizeof line, "\r\n%.*s: %.*s\r\n", E8_STR(preview->parts->headers[i].name),
                 E8_STR(preview->parts->headers[i].value));
        assert_non_null(strstr(request->head, line));
    }
    return true;
}

static void the_preview_shows_what_is_sent(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(
        &rig,
        "seed: 9\nendpoints: {a: {url: 'http://127.0.0.1:%d/', secret: " SECRET ",\n"
        "  rotation: [test-secret-number-two], scheme: stripe}}\n"
        "flows: {f: [{emit: message.sent, await: ack}, {wait: 700ms}, {again: retry, await: ack}, {rotate: "
        "a, grace: 500ms},\n"
        "  {again: replay, tamper: {body: {form: reordered}}, await: ack}, {emit: agent.error, await: ack}, "
        "{wait: 700ms},\n"
        "  {emit: agent.error, tamper: {signature: previous_secret, timestamp: {shift: -1h}}, await: ack},\n"
        "  {emit: agent.error, tamper: {body: {flip: random}}, await: ack}, {again: retry, tamper: {headers: "
        "{case: lower}}}]}\n",
        NULL, NULL);
    struct shown shown = {&rig, 0};
    rig.options.clock = CLOCK;
    rig_run(&rig);
    assert_int_equal(e8_preview_plan(rig.plan, catalog(), CLOCK, compare, &shown, NULL), E8_OK);
    assert_int_equal(shown.count, rig.receiver.count);
    rig_close(&rig);
}

int test_again(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_has_the_same_bytes),
        cmocka_unit_test(a_retry_has_a_new_number_and_signature),
        cmocka_unit_test(again_goes_where_the_event_before_went),
        cmocka_unit_test(tampering_differs_in_what_was_asked),
        cmocka_unit_test(again_of_a_tampered_event),
        cmocka_unit_test(a_410_to_what_was_tampered_with_disables_nothing),
        cmocka_unit_test(step_headers_ids_and_verbatim),
        cmocka_unit_test(the_preview_shows_what_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
