/* Times, ids and requests: no threads, no sockets. */
#include <stdio.h>

#include "tests.h"

static const struct e8_emit no_emit = {.endpoint = -1};

static void times_do_not_overflow(void **state)
{
    static const double speeds[] = {0.001, 0.5, 1, 3, 1000};
    static const int64_t times[] = {0, 1, E8_NS_S, E8_SPAN_MAX, E8_NEVER / 4, E8_NEVER - 1};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(speeds); i++) {
        struct e8_engine engine = {.speed = speeds[i]};
        e8_dur_ns before = -1;
        for (size_t j = 0; j < E8_COUNT(times); j++) {
            e8_dur_ns scaled = e8_scaled(&engine, times[j]);
            assert_true(scaled >= before);
            before = scaled;
            for (size_t k = 0; k < E8_COUNT(times); k++) {
                assert_true(e8_after(times[k], scaled) >= times[k]);
                assert_true(e8_after(times[k], scaled) < E8_NEVER);
                assert_true(e8_after(-times[k], -scaled) <= -times[k]);
            }
        }
    }
    struct e8_engine engine = {.speed = 10};
    assert_int_equal(e8_scaled(&engine, E8_NS_S), E8_NS_S / 10);
    assert_int_equal(e8_after(5, 7), 12);
    assert_int_equal(e8_after(5, -7), -2);
}

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, E8_ID_MAX);
}

/* A million events of four flows at the same moment. */
static void ids_are_unique(void **state)
{
    enum { N = 1000000 };
    char(*ids)[E8_ID_MAX] = calloc(N, E8_ID_MAX);
    struct e8_flow flows[4] = {{.key = 1}, {.key = 2}, {.key = 1ull << 63}, {.key = UINT64_MAX}};
    (void)state;
    for (size_t i = 0; i < N; i++) {
        struct e8_place place = {7, &flows[i % 4], i / 40, (uint32_t)(i / 4 % 10) + 1};
        if (i % 2) {
            e8_event_id(&place, 1767225600 * E8_NS_S, ids[i]);
        } else {
            e8_delivery_id(&place, 1767225600 * E8_NS_S, i % 3 ? "crm" : "audit", ids[i]);
        }
    }
    qsort(ids, N, E8_ID_MAX, by_text);
    for (size_t i = 1; i < N; i++) {
        assert_true(memcmp(ids[i - 1], ids[i], E8_ID_MAX) != 0);
    }
    free(ids);
}

static void ids_depend_on_their_place_alone(void **state)
{
    struct e8_flow flow = {.key = 1}, other = {.key = 2};
    struct e8_place base = {7, &flow, 3, 4};
    struct e8_place table[] = {{8, &flow, 3, 4}, {7, &other, 3, 4}, {7, &flow, 4, 4}, {7, &flow, 3, 5}};
    char a[E8_ID_MAX], b[E8_ID_MAX];
    (void)state;
    e8_event_id(&base, 5 * E8_NS_S, a);
    e8_event_id(&base, 5 * E8_NS_S, b);
    assert_string_equal(a, b);
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        e8_event_id(&table[i], 5 * E8_NS_S, b);
        assert_string_not_equal(a, b);
    }
    e8_delivery_id(&base, 5 * E8_NS_S, "x", a);
    e8_delivery_id(&base, 5 * E8_NS_S, "y", b);
    assert_string_not_equal(a, b);
}

/* ---- requests ---- */

static struct e8_endpoint target(const struct e8_header *headers, size_t count)
{
    return (struct e8_endpoint){.name = "t",
                                .url = "http://127.0.0.1:1/",
                                .scheme = e8_schemes_find(e8_catalog_schemes(catalog()), "8bit"),
                                .headers = headers,
                                .header_count = count};
}

static size_t times_named(const struct e8_request_parts *parts, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < parts->count; i++) {
        n += e8_str_ieq(parts->headers[i].name, e8_str(name));
    }
    return n;
}

static void users_headers_win(void **state)
{
    const struct e8_header headers[] = {{E8_LIT("content-type"), E8_LIT("text/plain")},
                                        {E8_LIT("X-8BIT-EVENT"), E8_LIT("mine")},
                                        {E8_LIT("X-8bit-Signature"), E8_LIT("wrong")},
                                        {E8_LIT("X-Twice"), E8_LIT("1")},
                                        {E8_LIT("x-twice"), E8_LIT("2")}};
    static const char *const secrets[] = {"0123456789abcdef"};
    struct e8_endpoint endpoint = target(headers, E8_COUNT(headers));
    struct e8_sign_input in = {.id = E8_LIT("dlv_1"),
                               .timestamp = 5,
                               .body = E8_LIT("{}"),
                               .type = E8_LIT("a.b"),
                               .environment = E8_LIT("p"),
                               .attempt = 2};
    struct e8_signer *signer = NULL;
    struct e8_request_parts parts;
    char memory[E8_REQUEST_MAX];
    struct e8_buf buf;
    (void)state;
    assert_int_equal(e8_signer_new(endpoint.scheme, secrets, 1, &signer, NULL), E8_OK);
    e8_buf_fixed(&buf, memory, sizeof memory);
    assert_int_equal(e8_request_build(catalog(), &endpoint, &no_emit, &(struct e8_keys){.right = signer}, &in,
                                      0, &buf, NULL, &parts),
                     E8_OK);
    for (size_t i = 0; i < E8_COUNT(headers); i++) { /* first, in their order, also those of the same name */
        assert_true(e8_str_eq(parts.headers[i].name, headers[i].name));
        assert_true(e8_str_eq(parts.headers[i].value, headers[i].value));
    }
    assert_int_equal(times_named(&parts, "content-type"), 1);
    assert_int_equal(times_named(&parts, "x-8bit-event"), 1);
    assert_int_equal(times_named(&parts, "x-8bit-signature"), 1);
    assert_int_equal(times_named(&parts, "x-twice"), 2);
    assert_int_equal(times_named(&parts, "user-agent"), 1);
    assert_int_equal(times_named(&parts, "x-8bit-attempt"), 1);
    e8_signer_free(&signer);
}

static void a_plain_request_has_what_the_platform_sends(void **state)
{
    struct e8_endpoint endpoint = target(NULL, 0);
    struct e8_sign_input in = {.id = E8_LIT("dlv_1"),
                               .timestamp = 1700000000,
                               .body = E8_LIT("{}"),
                               .type = E8_LIT("message.sent"),
                               .environment = E8_LIT("p"),
                               .attempt = 12};
    static const char *const wanted[][2] = {{"Content-Type", "application/json"},
                                            {"X-8bit-Event", "message.sent"},
                                            {"X-8bit-Delivery", "dlv_1"},
                                            {"X-8bit-Attempt", "12"},
                                            {"X-8bit-Timestamp", "1700000000"}};
    struct e8_request_parts parts;
    char memory[E8_REQUEST_MAX];
    struct e8_buf buf;
    (void)state;
    e8_buf_fixed(&buf, memory, sizeof memory);
    assert_int_equal(
        e8_request_build(catalog(), &endpoint, &no_emit, &(struct e8_keys){0}, &in, 0, &buf, NULL, &parts),
        E8_OK);
    for (size_t i = 0; i < E8_COUNT(wanted); i++) {
        const struct e8_header *header = e8_header_find(parts.headers, parts.count, wanted[i][0]);
        assert_non_null(header);
        assert_true(e8_str_is(header->value, wanted[i][1]));
    }
    assert_null(e8_header_find(parts.headers, parts.count, "X-8bit-Signature"));
    e8_buf_fixed(&buf, memory, 8); /* a limit is an ordinary result */
    assert_int_equal(
        e8_request_build(catalog(), &endpoint, &no_emit, &(struct e8_keys){0}, &in, 0, &buf, NULL, &parts),
        E8_LIMIT);
}

/* The most that a user and a scheme may give fits both the list and the memory. */
static void the_largest_request_fits(void **state)
{
    struct e8_buf text;
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    struct e8_scenario_options options = {.seed_random = 1};
    (void)state;
    e8_buf_init(&text, 1 << 20);
    e8_buf_puts(&text,
                "flows: {f: [{emit: message.sent}]}\nendpoints:\n  a:\n    url: http://127.0.0.1:1/\n"
                "    secret: [0123456789abcdef, 1123456789abcdef, 2123456789abcdef, 3123456789abcdef,\n"
                "             4123456789abcdef, 5123456789abcdef, 6123456789abcdef, 7123456789abcdef]\n"
                "    scheme:\n      header: X-Signature\n      algorithm: sha512\n      multiple: true\n"
                "      separator: ','\n      content: '{timestamp}.{body}'\n      timestamp_header: X-Time\n"
                "      headers:\n");
    for (int i = 0; i < 7; i++) {
        e8_buf_printf(&text, "        X-S%d: '{type}{type}{environment}{id}{delivery}{timestamp}'\n", i);
    }
    e8_buf_puts(&text, "    headers:\n");
    for (int i = 0; i < 32; i++) {
        e8_buf_printf(&text, "      X-U%d: %0100d\n", i, i);
    }
    e8_errs_init(&errs);
    if (e8_plan_parse(catalog(), "s.yaml", e8_buf_str(&text), &options, &plan, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    assert_non_null(plan);
    e8_errs_fini(&errs);
    e8_buf_fini(&text);
    char name[E8_FACT_MAX];
    memset(name, 'x', sizeof name);
    struct e8_sign_input in = {.id = {name, E8_ID_MAX - 1},
                               .timestamp = INT64_MIN,
                               .body = E8_LIT("{}"),
                               .type = {name, sizeof name},
                               .environment = {name, sizeof name},
                               .attempt = UINT16_MAX};
    const struct e8_endpoint *endpoint = &plan->endpoints[0];
    struct e8_signer *signer = NULL;
    struct e8_request_parts parts;
    char memory[E8_REQUEST_MAX];
    struct e8_buf buf;
    assert_int_equal(
        e8_signer_new(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &signer, NULL), E8_OK);
    e8_buf_fixed(&buf, memory, sizeof memory);
    assert_int_equal(e8_request_build(catalog(), endpoint, &no_emit, &(struct e8_keys){.right = signer}, &in,
                                      0, &buf, NULL, &parts),
                     E8_OK);
    assert_true(parts.count >= 32 + 2 + 4 + 8 + 1);
    assert_non_null(e8_header_find(parts.headers, parts.count, "X-Signature"));
    e8_signer_free(&signer);
    e8_plan_free(&plan);
}

int test_parts(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_do_not_overflow),
        cmocka_unit_test(ids_are_unique),
        cmocka_unit_test(ids_depend_on_their_place_alone),
        cmocka_unit_test(users_headers_win),
        cmocka_unit_test(a_plain_request_has_what_the_platform_sends),
        cmocka_unit_test(the_largest_request_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
