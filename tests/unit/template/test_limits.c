/* Bounds: of the output, of nesting, of work; and that rendering allocates nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char macros[] = "{\"$full\": \"{{$pick colors}} {{$randomInt}}\"}";
static const char entities[] =
    "{\"user\": {\"$scope\": {\"pool\": 9}, \"lang\": \"{{$weighted en=1 de=1 zz=1}}\","
    " \"who\": \"{{$pick people:user.lang}}\", \"tags\": [\"{{$full}}\", 1]},"
    " \"turn\": {\"$scope\": {\"count\": \"message.*\"}, \"id\": \"{{$hex 9}}\"}}";

static const char *const templates[] = {
    "\"\"",
    "{\"a\": 1, \"b\": [true, null]}",
    "\"{{$guid}}\"",
    "\"{{event.id}} {{event.type}} {{event.category}} {{event.environment}}\"",
    "[\"{{event.created_at}}\", \"{{event.sequence}}\", \"{{flow.started_at}}\", \"{{flow.elapsed}}\", "
    "\"{{flow.elapsed_ms}}\"]",
    "[\"{{$timestamp}}\", \"{{$timestampMs}}\", \"{{$date -3d..3d}}\", \"{{$unix -3d}}\", \"{{$seed}}\", "
    "\"{{$version}}\"]",
    "[\"{{$randomInt -9007199254740992..9007199254740992}}\", \"{{$randomInt -10..9}}\"]",
    "[\"{{$randomFloat -9007199254..9007199254 6}}\", \"{{$randomFloat -0.1..0.1}}\", "
    "\"{{$randomBoolean}}\"]",
    "\"{{$hex 100}}{{$digits 65}}{{$letters 64}}{{$alnum 3}}{{$base62 63}}\"",
    "[\"{{$pick odd}}\", \"{{$pick places}}\", \"x{{$pick mixed}}\", \"{{$pick greetings:user.lang}}\"]",
    "[\"{{user.who}}\", \"{{user.who.last}}\", \"x{{user.who.first}}\", \"{{user.tags}}\", \"{{$full}}\", "
    "\"{{turn.id}}\"]",
    "[\"{{$optional 50% $full}}\", \"x{{$optional 50% $pick odd}}\", \"{{$upper $pick odd}}\"]",
    "[\"{{$weighted a=1 'long one'=1 null=1 12=1}}\", \"x{{$weighted '\\\"\\\"'=1 null=1}}\"]",
    "{\"{{$repeat 0..4}}\": {\"{{$choose 1 2}}\": [{\"{{$repeat 2}}\": \"{{$index}}\"}, {\"{{$optional "
    "50%}}\": \"{{$count *}}\"}]}}",
};

static struct world *setup(void)
{
    static struct world world;
    world_init(&world, macros, entities);
    if (world.errs.count)
        fail_msg("%s", world_error(&world, 0));
    return &world;
}

static void check_bounds(const struct e8_template *t, const struct e8_facts *facts)
{
    size_t max = e8_template_max(t);
    char *memory = malloc(max); /* of exactly this size, so that ASan sees a byte more */
    struct e8_buf out;

    assert_non_null(memory);
    e8_buf_fixed(&out, memory, max);
    assert_int_equal(e8_template_render(t, facts, &out), E8_OK);
    size_t size = out.n;
    e8_buf_fixed(&out, memory, size);
    assert_int_equal(e8_template_render(t, facts, &out), E8_OK);
    assert_int_equal(out.n, size);
    e8_buf_fixed(&out, memory, size - 1);
    assert_int_equal(e8_template_render(t, facts, &out), E8_LIMIT);
    e8_buf_fixed(&out, memory, 0);
    assert_int_equal(e8_template_render(t, facts, &out), E8_LIMIT);
    free(memory);
}

static void the_bound_holds(void **state)
{
    char long_fact[E8_FACT_MAX];
    uint16_t counts[] = {65535, 65535, 65535, 65535};
    struct world *world = setup();
    (void)state;
    memset(long_fact, 1, sizeof(long_fact));
    for (size_t i = 0; i < E8_COUNT(templates); i++) {
        struct e8_template *t = world_compile(world, templates[i]);
        assert_non_null(t);
        for (uint64_t k = 0; k < 40; k++) {
            struct e8_facts facts = some_facts(k, UINT32_MAX);
            facts.seed = UINT64_MAX - k;
            facts.counts = counts;
            if (k % 2)
                facts.id = facts.type = facts.category = facts.environment =
                    (struct e8_str){long_fact, sizeof(long_fact)};
            if (k % 3 == 0)
                facts.at = INT64_MIN;
            if (k % 5 == 0)
                facts.flow_started = INT64_MIN;
            check_bounds(t, &facts);
        }
        e8_template_free(&t);
    }
    world_fini(world);
}

static void the_bound_is_not_wide(void **state)
{
    struct world *world = setup();
    (void)state;
    struct e8_template *t =
        world_compile(world, "{\"a\": \"{{$hex 100}}\", \"b\": {\"{{$repeat 5}}\": true}}");
    struct e8_facts facts = some_facts(0, 1);
    char *text = render(t, &facts);
    assert_in_range(e8_template_max(t), strlen(text), strlen(text) + 4);
    free(text);
    e8_template_free(&t);
    world_fini(world);
}

static void rendering_appends(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(0, 1);
    struct e8_buf out;
    (void)state;
    struct e8_template *t = world_compile(world, "\"{{$upper 'x'}}\"");
    e8_buf_init(&out, 100);
    e8_buf_puts(&out, "abc");
    assert_int_equal(e8_template_render(t, &facts, &out), E8_OK);
    assert_string_equal(e8_buf_cstr(&out), "abc\"X\"");
    e8_buf_fini(&out);
    e8_template_free(&t);
    world_fini(world);
}

static void rendering_allocates_nothing(void **state)
{
    static char memory[1 << 16];
    struct world *world = setup();
    struct e8_memo *memo = e8_memo_new();
    struct e8_buf out;
    (void)state;
    if (allocations() < 0) {
        e8_memo_free(&memo);
        world_fini(world);
        skip();
    }
    for (size_t i = 0; i < E8_COUNT(templates); i++) {
        struct e8_template *t = world_compile(world, templates[i]);
        long before = allocations();
        for (uint64_t k = 0; k < 100; k++) {
            struct e8_facts facts = some_facts(k, 1);
            e8_buf_fixed(&out, memory, sizeof(memory));
            assert_int_equal(e8_template_render(t, &facts, &out), E8_OK);
            e8_buf_fixed(&out, memory, sizeof(memory));
            assert_int_equal(e8_template_render_with(t, &facts, memo, &out), E8_OK);
        }
        assert_int_equal(allocations(), before);
        e8_template_free(&t);
    }
    e8_memo_free(&memo);
    char *proof = malloc(1);
    assert_true(allocations() > 0);
    free(proof);
    world_fini(world);
}

static void put_times(struct e8_buf *buf, const char *text, size_t times)
{
    while (times-- > 0)
        e8_buf_puts(buf, text);
}

/* HEAD, then MIDDLE `times` times, then TAIL `times` times. */
static const char *nest(struct e8_buf *buf, const char *open, const char *middle, const char *close,
                        size_t times)
{
    e8_buf_reset(buf);
    put_times(buf, open, times);
    e8_buf_puts(buf, middle);
    put_times(buf, close, times);
    return e8_buf_cstr(buf);
}

static void too_large_is_refused(void **state)
{
    struct world *world = setup();
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    struct e8_template *t =
        world_compile(world, nest(&json, "{\"{{$repeat 64}}\":", "\"{{$hex 250}}{{$hex 250}}\"", "}", 2));
    assert_non_null(t);
    e8_template_free(&t);
    assert_true(
        gives_error(world, nest(&json, "{\"{{$repeat 64}}\":", "\"{{$hex 255}}{{$hex 255}}\"", "}", 2),
                    "t.json:1:1: this can become larger than 2097152 bytes; fewer or smaller $repeat"));
    assert_true(
        gives_error(world, nest(&json, "{\"{{$repeat 64}}\":", "\"\"", "}", 30),
                    "t.json:1:1: this can become larger than 2097152 bytes; fewer or smaller $repeat"));
    e8_buf_fini(&json);
    world_fini(world);
}

static void too_large_a_literal_is_refused(void **state)
{
    struct world *world = setup();
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    e8_buf_puts(&json, "\"");
    put_times(&json, "0123456789abcdef", 1 << 17);
    e8_buf_puts(&json, "{{$hex 1}}\"");
    assert_true(
        gives_error(world, e8_buf_cstr(&json),
                    "t.json:1:1: this can become larger than 2097152 bytes; fewer or smaller $repeat"));
    e8_buf_fini(&json);
    world_fini(world);
}

static void too_much_work_is_refused(void **state)
{
    struct world *world = setup();
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    e8_buf_puts(&json, "{\"{{$repeat 64}}\": {\"{{$repeat 64}}\": \"");
    put_times(&json, "{{''}}{{$weighted ''=1}}", 300);
    e8_buf_puts(&json, "\"}}");
    assert_true(gives_error(world, e8_buf_cstr(&json),
                            "t.json:1:1: this has too much to evaluate; fewer or smaller $repeat"));
    e8_buf_fini(&json);
    world_fini(world);
}

static void too_deep_is_refused(void **state)
{
    struct world *world = setup();
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    struct e8_template *t = world_compile(world, nest(&json, "[", "1", "]", 64));
    assert_non_null(t);
    e8_template_free(&t);
    /* What a field brings counts too: doc must be able to read it again. */
    assert_true(gives_error(world, nest(&json, "[", "\"{{user.tags}}\"", "]", 64),
                            "t.json:1:65: this is nested too deeply"));
    e8_buf_reset(&json);
    e8_buf_puts(&json, "\"{{");
    put_times(&json, "$lower ", 70);
    e8_buf_puts(&json, "'x'}}\"");
    assert_true(gives_error(world, e8_buf_cstr(&json), "t.json:1:1: this is nested too deeply"));
    e8_buf_reset(&json);
    e8_buf_puts(&json, "\"{{");
    put_times(&json, "$optional 50% ", 100000);
    e8_buf_puts(&json, "'x'}}\"");
    assert_true(gives_error(world, e8_buf_cstr(&json), "t.json:1:1: this is nested too deeply"));
    e8_buf_fini(&json);
    world_fini(world);
}

static void long_chains_of_macros_are_refused(void **state)
{
    struct world world;
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    e8_buf_puts(&json, "{");
    for (int i = 0; i < 2000; i++)
        e8_buf_printf(&json, "\"$m%d\": \"{{$m%d}}\",", i, i + 1);
    e8_buf_puts(&json, "\"$m2000\": 1}");
    world_init(&world, e8_buf_cstr(&json), "");
    assert_true(world.errs.count > 0);
    assert_string_equal(world.errs.list[0].what, "this is nested too deeply");
    e8_buf_fini(&json);
    world_fini(&world);
}

/* Each macro uses the one before ten times: 10^12 steps that write nothing. */
static void macros_that_explode_are_refused(void **state)
{
    struct world world;
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    e8_buf_puts(&json, "{\"$m0\": \"{{$weighted ''=1}}{{$weighted ''=1}}\"");
    for (int i = 0; i < 12; i++) {
        e8_buf_printf(&json, ",\"$m%d\": \"", i + 1);
        for (int k = 0; k < 10; k++)
            e8_buf_printf(&json, "{{$m%d}}", i);
        e8_buf_puts(&json, "\"");
    }
    e8_buf_puts(&json, "}");
    world_init(&world, e8_buf_cstr(&json), "");
    assert_int_equal(world.errs.total, 1);
    assert_string_equal(world.errs.list[0].what, "this has too much to evaluate");
    e8_buf_fini(&json);
    world_fini(&world);
}

static void too_many_types_are_refused(void **state)
{
    const char *names[E8_TYPES_MAX + 1];
    struct e8_vocab *vocab = e8_vocab_new();
    (void)state;
    for (size_t i = 0; i < E8_COUNT(names); i++)
        names[i] = "a.b";
    assert_int_equal(e8_vocab_types(vocab, names, E8_TYPES_MAX + 1), E8_LIMIT);
    assert_int_equal(e8_vocab_types(vocab, names, E8_TYPES_MAX), E8_OK);
    e8_vocab_free(&vocab);
    e8_vocab_free(&vocab);
}

static void long_keys_match_none(void **state)
{
    struct world world;
    struct e8_buf json;
    (void)state;
    e8_buf_init(&json, E8_FILE_MAX);
    e8_buf_puts(&json, "{\"x\": {\"key\": \"");
    put_times(&json, "de", 1000);
    e8_buf_puts(&json, "\"}}");
    world_init(&world, "", e8_buf_cstr(&json));
    assert_int_equal(world.errs.total, 0);
    expect(&world, "\"{{$pick greetings:x.key}}\"", "\"(hello|hi)\"");
    e8_buf_fini(&json);
    world_fini(&world);
}

const struct CMUnitTest limit_tests[] = {
    cmocka_unit_test(the_bound_holds),
    cmocka_unit_test(the_bound_is_not_wide),
    cmocka_unit_test(rendering_appends),
    cmocka_unit_test(rendering_allocates_nothing),
    cmocka_unit_test(too_large_is_refused),
    cmocka_unit_test(too_large_a_literal_is_refused),
    cmocka_unit_test(too_much_work_is_refused),
    cmocka_unit_test(too_deep_is_refused),
    cmocka_unit_test(long_chains_of_macros_are_refused),
    cmocka_unit_test(macros_that_explode_are_refused),
    cmocka_unit_test(too_many_types_are_refused),
    cmocka_unit_test(long_keys_match_none),
};
const size_t limit_test_count = E8_COUNT(limit_tests);
