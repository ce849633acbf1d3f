/* What stays the same for how long, and that the same facts give the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char entities[] =
    "{"
    "\"org\": {\"$scope\": \"run\", \"id\": \"org_{{$base62 16}}\"},"
    "\"user\": {\"$scope\": {\"pool\": 5}, \"id\": \"{{$hex 16}}\", \"lang\": \"{{$weighted en=1 de=1}}\","
    "  \"who\": \"{{$pick people:user.lang}}\", \"name\": \"{{user.who.first}} {{user.who.last}}\","
    "  \"maybe\": \"{{$optional 50% $pick places}}\", \"again\": \"{{user.who}}\", \"org\": \"{{org.id}}\"},"
    "\"agent\": {\"$scope\": {\"pool\": 5}, \"id\": \"{{$hex 16}}\"},"
    "\"session\": {\"$scope\": \"flow\", \"id\": \"{{$hex 16}}\", \"started\": \"{{flow.started_at}}\"},"
    "\"talk\": {\"id\": \"{{$hex 16}}\", \"user\": \"{{user.id}}\", \"tags\": {\"{{$repeat 1..3}}\": "
    "\"{{$pick colors}}\"},"
    "  \"score\": \"{{$randomInt 1..5}}\"},"
    "\"turn\": {\"$scope\": {\"count\": \"message.received\"}, \"id\": \"{{$hex 16}}\", \"of\": "
    "\"{{talk.id}}\"},"
    "\"reply\": {\"$scope\": {\"count\": \"message.received\"}, \"to\": \"{{turn.id}}\"}"
    "}";

static struct world *setup(void)
{
    static struct world world;
    world_init(&world, "", entities);
    if (world.errs.count)
        fail_msg("%s", world_error(&world, 0));
    return &world;
}

static bool same(struct world *world, const char *json, const struct e8_facts *a, const struct e8_facts *b)
{
    char *first = render_text(world, json, a), *second = render_text(world, json, b);
    bool equal = strcmp(first, second) == 0;
    free(first);
    free(second);
    return equal;
}

static void the_same_facts_give_the_same_bytes(void **state)
{
    const char *json =
        "[\"{{$guid}}\", \"{{talk.id}}\", \"{{turn.id}}\", \"{{user.id}}\", {\"{{$repeat 0..9}}\": 1}]";
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2), other = facts;
    (void)state;
    assert_true(same(world, json, &facts, &other));
    world_fini(world);
}

/* A log is shown by rendering again, so a later version must write what this one wrote. */
static void streams_stay_what_they_are(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2);
    (void)state;
    char *text =
        render_text(world,
                    "[\"{{$guid}}\", \"{{$randomInt}}\", \"{{$base62 6}}\", \"{{$pick colors}}\","
                    " \"{{$weighted a=1 b=1 c=1}}\", \"{{org.id}}\", \"{{user.name}}\", \"{{turn.id}}\"]",
                    &facts);
    assert_string_equal(text, "[\"96b5220b-0cdc-4107-a6b6-407488b01d24\",101,\"JPGj7h\",\"blue\",\"a\",\"org_"
                              "ztPp02H6810iBmfC\",\"Bob Ray\",\"568d3aaab79ce8e2\"]");
    free(text);
    world_fini(world);
}

static void any_other_key_gives_other_bytes(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2), other;
    (void)state;
    other = facts, other.seed++;
    assert_false(same(world, "\"{{$hex 16}}\"", &facts, &other));
    assert_false(same(world, "\"{{org.id}}\"", &facts, &other));
    assert_false(same(world, "\"{{session.id}}\"", &facts, &other));
    other = facts, other.flow++;
    assert_false(same(world, "\"{{$hex 16}}\"", &facts, &other));
    assert_false(same(world, "\"{{session.id}}\"", &facts, &other));
    other = facts, other.instance++;
    assert_false(same(world, "\"{{$hex 16}}\"", &facts, &other));
    assert_false(same(world, "\"{{session.id}}\"", &facts, &other));
    other = facts, other.sequence++;
    assert_false(same(world, "\"{{$hex 16}}\"", &facts, &other));
    world_fini(world);
}

static void draws_of_an_event_differ(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2);
    (void)state;
    char *text = render_text(world, "[\"{{$hex 9}}\", \"{{$hex 9}}\"]", &facts);
    assert_memory_not_equal(text + 2, text + 14, 9);
    free(text);
    world_fini(world);
}

static void scopes(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2), other = some_facts(3, 9), instance = some_facts(4, 2);
    (void)state;
    other.at += E8_NS_S;
    other.type_index = 2;
    assert_true(same(world, "\"{{session.id}}\"", &facts, &other));
    assert_true(same(world, "\"{{talk.tags}}\"", &facts, &other));
    assert_false(same(world, "\"{{session.id}}\"", &facts, &instance));
    instance.flow++;
    assert_true(same(world, "\"{{org.id}}\"", &facts, &instance));
    assert_true(same(world, "\"{{user.org}}\"", &facts, &instance));
    world_fini(world);
}

static void count_scope_changes_with_the_next_match(void **state)
{
    uint16_t now[] = {1, 2, 1, 0}, later[] = {1, 2, 2, 1}, next[] = {1, 3, 2, 1};
    struct world *world = setup();
    struct e8_facts a = some_facts(3, 4), b = some_facts(3, 6), c = some_facts(3, 7);
    (void)state;
    a.counts = now;
    b.counts = later;
    c.counts = next;
    assert_true(same(world, "\"{{turn.id}}\"", &a, &b));
    assert_false(same(world, "\"{{turn.id}}\"", &a, &c));
    assert_true(same(world, "\"{{reply.to}}\"", &a, &b));
    assert_true(same(world, "\"{{turn.of}}\"", &a, &c));
    char *text = render_text(world, "[\"{{turn.id}}\", \"{{reply.to}}\"]", &b);
    assert_memory_equal(text + 2, text + 21, 16);
    free(text);
    world_fini(world);
}

static size_t distinct(struct world *world, const char *json)
{
    char *seen[32];
    size_t count = 0;

    for (uint64_t i = 0; i < 200; i++) {
        struct e8_facts facts = some_facts(i, 1);
        char *text = render_text(world, json, &facts);
        size_t at = 0;
        while (at < count && strcmp(seen[at], text) != 0)
            at++;
        if (at == count && count < E8_COUNT(seen))
            seen[count++] = text;
        else
            free(text);
    }
    for (size_t i = 0; i < count; i++)
        free(seen[i]);
    return count;
}

static void pools_have_as_many_members_as_they_say(void **state)
{
    struct world *world = setup();
    (void)state;
    assert_int_equal(distinct(world, "\"{{user.id}}\""), 5);
    assert_int_equal(distinct(world, "\"{{agent.id}}\""), 5);
    /* Which member is drawn does not depend on the other pool. */
    assert_int_equal(distinct(world, "\"{{user.id}}{{agent.id}}\""), 25);
    assert_int_equal(distinct(world, "\"{{session.id}}\""), 32);
    world_fini(world);
}

static void fields_do_not_depend_on_where_they_stand(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2);
    (void)state;
    char *alone = render_text(world, "\"{{user.name}}\"", &facts);
    char *many = render_text(
        world, "[\"{{$guid}} {{session.id}} {{$randomInt}} \", \"{{talk.tags}}\", \"{{user.name}}\"]",
        &facts);
    assert_non_null(strstr(many, alone));
    free(many);
    free(alone);
    world_fini(world);
}

/* A rendering keeps the keys that it has found; more of them than it has places for, and each again. */
static void keys_are_those_of_their_own_entity(void **state)
{
    static const char names[] = "abcdefghijklmnopqrst";
    struct e8_buf many, all;
    struct world world;
    (void)state;
    e8_buf_init(&many, 4096);
    e8_buf_init(&all, 4096);
    for (const char *c = names; *c; c++) {
        e8_buf_printf(&many,
                      "%c\"%c\": {\"lang\": \"{{$weighted en=1 de=1 fr=1}}\", "
                      "\"word\": \"{{$pick greetings:%c.lang}}\"}",
                      c == names ? '{' : ',', *c, *c);
        e8_buf_printf(&all, "%c\"{{%c.word}}\"", c == names ? '[' : ',', *c);
    }
    e8_buf_putc(&many, '}');
    e8_buf_putc(&all, ']');
    world_init(&world, "", e8_buf_cstr(&many));
    for (uint64_t instance = 0; instance < 5; instance++) {
        struct e8_facts facts = some_facts(instance, 1);
        char *together = render_text(&world, e8_buf_cstr(&all), &facts), *rest = together + 1;
        for (const char *c = names; *c; c++) {
            char one[32];
            snprintf(one, sizeof one, "\"{{%c.word}}\"", *c);
            char *alone = render_text(&world, one, &facts);
            assert_memory_equal(rest, alone, strlen(alone));
            rest += strlen(alone) + 1;
            free(alone);
        }
        free(together);
    }
    world_fini(&world);
    e8_buf_fini(&many);
    e8_buf_fini(&all);
}

static void drawing_fields_does_not_move_the_stream_of_the_event(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2);
    (void)state;
    char *without = render_text(world, "[\"\", \"{{$hex 16}}\"]", &facts);
    char *with = render_text(world, "[\"{{talk.score}} {{user.name}}\", \"{{$hex 16}}\"]", &facts);
    assert_string_equal(strstr(without, ","), strstr(with, ","));
    free(without);
    free(with);
    world_fini(world);
}

static void columns_come_from_the_same_row(void **state)
{
    struct world *world = setup();
    (void)state;
    expect_each(
        world,
        "\"{{user.lang}}: {{user.who.first}} {{user.who.last}} = {{user.name}} = {{user.again.first}}\"",
        (const char *[]){"\"en: Ann Lee = Ann Lee = Ann\"", "\"en: Bob Ray = Bob Ray = Bob\"",
                         "\"de: Uwe Klein = Uwe Klein = Uwe\"", NULL});
    world_fini(world);
}

static void columns_keep_their_type(void **state)
{
    struct world *world = setup();
    struct e8_facts facts;
    bool null_seen = false, row_seen = false;
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        facts = some_facts(i, 1);
        char *text = render_text(
            world, "[\"{{user.maybe}}\", \"{{user.maybe.zip}}\", \"<{{user.maybe.zip}}>\"]", &facts);
        if (strcmp(text, "[null,null,\"<>\"]") == 0)
            null_seen = true;
        else if (strcmp(text, "[{\"city\":\"Ghent\",\"zip\":9000},9000,\"<9000>\"]") == 0)
            row_seen = true;
        free(text);
    }
    assert_true(null_seen);
    assert_true(row_seen || distinct(world, "\"{{user.maybe.city}}\"") > 1);
    world_fini(world);
}

static void fields_of_an_entity_differ(void **state)
{
    struct world *world = setup();
    struct e8_facts facts = some_facts(3, 2);
    (void)state;
    char *text = render_text(world, "[\"{{talk.id}}\", \"{{session.id}}\"]", &facts);
    assert_memory_not_equal(text + 2, text + 21, 16);
    free(text);
    world_fini(world);
}

static void index_is_that_of_the_event_after_a_field_with_a_repeat(void **state)
{
    struct world *world = setup();
    (void)state;
    expect(world, "{\"{{$repeat 2}}\": [\"{{talk.tags}}\", \"{{$index}}\"]}",
           "\\[\\[\\[.*\\],0\\],\\[\\[.*\\],1\\]\\]");
    world_fini(world);
}

const struct CMUnitTest entity_tests[] = {
    cmocka_unit_test(the_same_facts_give_the_same_bytes),
    cmocka_unit_test(streams_stay_what_they_are),
    cmocka_unit_test(any_other_key_gives_other_bytes),
    cmocka_unit_test(draws_of_an_event_differ),
    cmocka_unit_test(scopes),
    cmocka_unit_test(count_scope_changes_with_the_next_match),
    cmocka_unit_test(pools_have_as_many_members_as_they_say),
    cmocka_unit_test(fields_do_not_depend_on_where_they_stand),
    cmocka_unit_test(keys_are_those_of_their_own_entity),
    cmocka_unit_test(drawing_fields_does_not_move_the_stream_of_the_event),
    cmocka_unit_test(columns_come_from_the_same_row),
    cmocka_unit_test(columns_keep_their_type),
    cmocka_unit_test(fields_of_an_entity_differ),
    cmocka_unit_test(index_is_that_of_the_event_after_a_field_with_a_repeat),
};
const size_t entity_test_count = E8_COUNT(entity_tests);
