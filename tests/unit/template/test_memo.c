/* The window that a rendering writes into, and the memo: neither may be seen in what is rendered. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char macros[] = "{\"$full\": \"{{$pick colors}} {{$randomInt}}\"}";
static const char entities[] =
    "{\"owner\": {\"$scope\": \"run\", \"id\": \"own_{{$base62 16}}\", \"lang\": \"fr\", \"name\": "
    "\"{{$full}}\","
    " \"who\": \"{{$pick places}}\", \"city\": \"{{owner.who.city}}\", \"seed\": \"{{$seed}}\"},"
    " \"agent\": {\"$scope\": {\"pool\": 5}, \"id\": \"{{$hex 40}}\", \"loud\": \"{{$upper $pick colors}}\","
    " \"long\": \"{{$base62 500}}\", \"tree\": [\"{{agent.id}}\", {\"{{$choose}}\": [1, \"{{owner.id}}\"]}],"
    " \"lang\": \"{{$weighted en=1 de=1 zz=1}}\", \"who\": \"{{$pick people:agent.lang}}\","
    " \"none\": {\"{{$optional 50%}}\": \"{{agent.long}}\"}},"
    " \"user\": {\"$scope\": {\"pool\": 5000}, \"id\": \"{{$digits 9}}\", \"hello\": \"{{$pick "
    "greetings:owner.lang}}\"},"
    " \"many\": {\"$scope\": {\"pool\": 60}, \"id\": \"{{$hex 20}}\"},"
    " \"flowing\": {\"id\": \"{{$hex 9}}\", \"at\": \"{{flow.started_at}}\"},"
    " \"turn\": {\"$scope\": {\"count\": \"message.*\"}, \"id\": \"{{$hex 9}}\"}}";

static const char all[] =
    "{\"a\": [\"{{owner.id}}\", \"x {{owner.id}}\", \"{{owner.name}}\", \"{{owner.who}}\", "
    "\"{{owner.city}}\", "
    "\"{{owner.seed}}\", \"{{$pick greetings:owner.lang}}\"],"
    " \"b\": [\"{{agent.id}}\", \"{{agent.loud}}\", \"{{agent.long}}\", \"{{agent.tree}}\", "
    "\"{{agent.who.first}}\", "
    "\"{{agent.who.last}}\", \"{{agent.none}}\", \"y{{agent.none}}\", \"{{$lower agent.loud}}\", \"{{$pick "
    "greetings:agent.lang}}\"],"
    " \"c\": [\"{{many.id}}\", \"{{user.id}}\", \"{{user.hello}}\", \"{{flowing.id}}\", \"{{flowing.at}}\", "
    "\"{{turn.id}}\"],"
    " \"d\": [\"{{event.created_at}}\", \"{{$date -3d..3d}}\", \"{{$guid}}\", \"{{event.environment}}\"]}";

static struct world *setup(void)
{
    static struct world world;
    world_init(&world, macros, entities);
    if (world.errs.count)
        fail_msg("%s", world_error(&world, 0));
    return &world;
}

static void the_memo_is_not_seen(void **state)
{
    struct world *world = setup();
    struct e8_template *t = world_compile(world, all);
    struct e8_memo *memo = e8_memo_new();
    struct e8_buf out;
    (void)state;
    e8_buf_init(&out, e8_template_max(t));
    for (uint64_t i = 0; i < 2000; i++) {
        struct e8_facts facts = some_facts(i % 300, (uint32_t)(i % 3));
        facts.seed = i / 2 % 3;
        facts.at += (e8_wall_ns)i * 3600 * E8_NS_S;
        facts.flow_started += (e8_wall_ns)i * E8_NS_S;
        char *text = render(t, &facts);
        e8_buf_reset(&out);
        assert_int_equal(e8_template_render_with(t, &facts, memo, &out), E8_OK);
        assert_string_equal(e8_buf_cstr(&out), text);
        free(text);
    }
    e8_buf_fini(&out);
    e8_memo_free(&memo);
    assert_null(memo);
    e8_template_free(&t);
    world_fini(world);
}

/* Nothing of a field that did not fit may be kept. */
static void the_memo_keeps_no_part(void **state)
{
    struct world *world = setup();
    struct e8_template *t = world_compile(world, all);
    struct e8_facts facts = some_facts(7, 1);
    char *text = render(t, &facts), *memory = malloc(strlen(text));
    (void)state;
    assert_non_null(memory);
    for (size_t size = 0; size < strlen(text); size += 5) {
        struct e8_memo *memo = e8_memo_new();
        struct e8_buf out;
        e8_buf_fixed(&out, memory, size);
        assert_int_equal(e8_template_render_with(t, &facts, memo, &out), E8_LIMIT);
        e8_buf_fixed(&out, memory, strlen(text));
        assert_int_equal(e8_template_render_with(t, &facts, memo, &out), E8_OK);
        assert_memory_equal(memory, text, strlen(text));
        e8_memo_free(&memo);
    }
    free(memory);
    free(text);
    e8_template_free(&t);
    world_fini(world);
}

/* What is rendered behind a text does not depend on it, wherever the window ends. */
static void the_window_is_not_seen(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 1);
    char *alone = render_text(world, all, &facts);
    struct e8_memo *memo = e8_memo_new();
    struct e8_buf json, out;
    (void)state;
    e8_buf_init(&json, 1 << 16);
    e8_buf_init(&out, 1 << 20);
    for (size_t n = 4096 - strlen(alone) - 100; n < 4096 + 100; n += 3) {
        e8_buf_reset(&json);
        e8_buf_reset(&out);
        e8_buf_puts(&json, "[\"");
        for (size_t i = 0; i < n; i++)
            e8_buf_putc(&json, '.');
        e8_buf_printf(&json, "\", %s]", all);
        struct e8_template *t = world_compile(world, e8_buf_cstr(&json));
        assert_non_null(t);
        assert_int_equal(e8_template_render_with(t, &facts, n % 2 ? memo : NULL, &out), E8_OK);
        assert_int_equal(out.n, 5 + n + strlen(alone));
        assert_memory_equal(out.p + 4 + n, alone, strlen(alone));
        e8_template_free(&t);
    }
    e8_buf_fini(&json);
    e8_buf_fini(&out);
    e8_memo_free(&memo);
    free(alone);
    world_fini(world);
}

const struct CMUnitTest memo_tests[] = {
    cmocka_unit_test(the_memo_is_not_seen),
    cmocka_unit_test(the_memo_keeps_no_part),
    cmocka_unit_test(the_window_is_not_seen),
};
const size_t memo_test_count = E8_COUNT(memo_tests);
