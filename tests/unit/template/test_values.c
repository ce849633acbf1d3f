/* Each function, reference and directive: what it gives, and of what type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define HEX "[0-9a-f]"

static void references_of_the_event(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "\"{{event.id}}\"", "\"evt_01\"");
    expect(&world, "\"{{event.type}}\"", "\"message\\.received\"");
    expect(&world, "\"{{event.category}}\"", "\"message\"");
    expect(&world, "\"{{event.environment}}\"", "\"produc\\\\\"tion\"");
    expect(&world, "\"in {{event.environment}}\"", "\"in produc\\\\\"tion\"");
    expect(&world, "\"{{event.created_at}}\"", "\"2026-03-01T12:01:01\\.987Z\"");
    expect(&world, "\"{{event.sequence}}\"", "1");
    expect(&world, "\"{{flow.started_at}}\"", "\"2026-03-01T12:00:00\\.000Z\"");
    expect(&world, "\"{{flow.elapsed}}\"", "61");
    expect(&world, "\"{{flow.elapsed_ms}}\"", "61987");
    world_fini(&world);
}

static void times(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "\"{{$timestamp}}\"", "1772366461");
    expect(&world, "\"{{$timestampMs}}\"", "1772366461987");
    expect(&world, "\"{{$isoTimestamp}}\"", "\"2026-03-01T12:01:01\\.987Z\"");
    expect(&world, "\"{{$date -1d}}\"", "\"2026-02-28T12:01:01\\.987Z\"");
    expect(&world, "\"{{$date +500ms}}\"", "\"2026-03-01T12:01:02\\.487Z\"");
    expect(&world, "\"{{$date 0}} {{$date 2h}}\"",
           "\"2026-03-01T12:01:01\\.987Z 2026-03-01T14:01:01\\.987Z\"");
    expect(&world, "\"{{$date -2m..-1m}}\"", "\"2026-03-01T1(1:59|2:00):[0-5][0-9]\\.[0-9]{3}Z\"");
    expect(&world, "\"{{$unix -61s}}\"", "1772366400");
    expect(&world, "\"{{$unix -1s..1s}}\"", "17723664(60|61|62)");
    world_fini(&world);
}

static void times_at_the_edges(void **state)
{
    struct world world;
    struct e8_facts facts = some_facts(0, 1);
    (void)state;
    world_init(&world, "", "");
    const char *json =
        "[\"{{$timestamp}}\", \"{{$timestampMs}}\", \"{{flow.elapsed}}\", \"{{flow.elapsed_ms}}\"]";
    facts.at = -1;
    facts.flow_started = 0;
    char *text = render_text(&world, json, &facts);
    assert_string_equal(text, "[-1,-1,0,0]");
    free(text);
    facts.at = INT64_MIN;
    facts.flow_started = INT64_MAX;
    text = render_text(&world, json, &facts);
    assert_string_equal(text, "[-9223372037,-9223372036855,0,0]");
    free(text);
    facts.at = INT64_MAX;
    facts.flow_started = INT64_MIN;
    text = render_text(&world, "[\"{{$date 1d}}\", \"{{flow.elapsed}}\", \"{{flow.started_at}}\"]", &facts);
    assert_string_equal(text, "[\"2262-04-11T23:47:16.854Z\",9223372036,\"1677-09-21T00:12:43.145Z\"]");
    free(text);
    world_fini(&world);
}

static void identifiers(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "\"{{$guid}}\"", "\"" HEX "{8}-" HEX "{4}-4" HEX "{3}-[89ab]" HEX "{3}-" HEX "{12}\"");
    expect(&world, "\"x{{ $randomUUID }}\"",
           "\"x" HEX "{8}-" HEX "{4}-4" HEX "{3}-[89ab]" HEX "{3}-" HEX "{12}\"");
    expect(&world, "\"{{$hex 7}}\"", "\"" HEX "{7}\"");
    expect(&world, "\"{{$digits 9}}\"", "\"[0-9]{9}\"");
    expect(&world, "\"{{$letters 1}}\"", "\"[a-z]\"");
    expect(&world, "\"{{$alnum 5}}\"", "\"[0-9a-z]{5}\"");
    expect(&world, "\"id_{{$base62 200}}\"", "\"id_[0-9A-Za-z]{200}\"");
    world_fini(&world);
}

/* Every letter comes, and at no place much more often than another. */
static void characters_are_even(void **state)
{
    struct world world;
    unsigned seen[10][256] = {{0}};
    (void)state;
    world_init(&world, "", "");
    struct e8_template *t = world_compile(&world, "\"{{$digits 10}}\"");
    for (uint64_t i = 0; i < 2000; i++) {
        struct e8_facts facts = some_facts(i, 1);
        char *text = render(t, &facts);
        for (size_t at = 0; at < 10; at++)
            seen[at][(unsigned char)text[1 + at]]++;
        free(text);
    }
    for (size_t at = 0; at < 10; at++)
        for (char c = '0'; c <= '9'; c++)
            assert_in_range(seen[at][(unsigned char)c], 130, 270);
    e8_template_free(&t);
    world_fini(&world);
}

static void numbers(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "\"{{$randomInt}}\"", "[0-9]{1,3}|1000");
    expect_each(&world, "\"{{$randomInt -1..1}}\"", (const char *[]){"-1", "0", "1", NULL});
    expect_each(&world, "\"{{$randomInt 3 4}}\"", (const char *[]){"3", "4", NULL});
    expect(&world, "\"n: {{$randomInt 5..5}}\"", "\"n: 5\"");
    expect(&world, "\"{{$randomInt -9007199254740992..9007199254740992}}\"", "-?[0-9]{1,16}");
    expect_each(&world, "\"{{$randomFloat -0.01..0.01}}\"", (const char *[]){"-0.01", "0.00", "0.01", NULL});
    expect(&world, "\"{{$randomFloat 1..2 6}}\"", "1\\.[0-9]{6}|2\\.000000");
    expect_each(&world, "\"{{$randomFloat 1..2 0}}\"", (const char *[]){"1", "2", NULL});
    expect(&world, "\"{{$randomFloat -12.5..-12.5 3}}\"", "-12\\.500");
    expect_each(&world, "\"{{$randomBoolean}}\"", (const char *[]){"true", "false", NULL});
    expect(&world, "\"{{$randomBoolean 100%}}\"", "true");
    expect(&world, "\"is {{$randomBoolean 0%}}\"", "\"is false\"");
    expect(&world, "\"{{$seed}}\"", "42");
    expect(&world, "\"{{$version}}\"", "\"[0-9]+\\.[0-9]+\\.[0-9]+\"");
    world_fini(&world);
}

static void picks(void **state)
{
    struct world world;
    (void)state;
    world_init(
        &world, "",
        "{\"user\": {\"lang\": \"{{$weighted en=1 de=1 xx=1}}\", \"who\": \"{{$pick people:user.lang}}\"}}");
    expect_each(&world, "\"{{$pick colors}}\"", (const char *[]){"\"red\"", "\"green\"", "\"blue\"", NULL});
    expect_each(&world, "\"a {{$pick mixed}}\"", (const char *[]){"\"a a\"", "\"a 7\"", NULL});
    expect_each(&world, "\"{{$pick mixed}}\"", (const char *[]){"\"a\"", "7", NULL});
    expect_each(&world, "\"{{$pick numbers}}\"", (const char *[]){"1", "2.50", "-3e2", NULL});
    expect_each(&world, "\"{{$pick places}}\"",
                (const char *[]){"{\"city\":\"Köln\",\"zip\":50667}", "{\"city\":\"A\\\"B\",\"zip\":1}",
                                 "{\"city\":\"Ghent\",\"zip\":9000}", NULL});
    expect_each(&world, "\"{{user.lang}} {{$pick greetings:user.lang}}\"",
                (const char *[]){"\"en hello\"", "\"en hi\"", "\"de hallo\"", "\"de moin\"", "\"xx hello\"",
                                 "\"xx hi\"", NULL});
    expect_each(&world, "\"{{user.who}}\"",
                (const char *[]){"{\"first\":\"Ann\",\"last\":\"Lee\"}",
                                 "{\"first\":\"Bob\",\"last\":\"Ray\"}",
                                 "{\"last\":\"Klein\",\"first\":\"Uwe\"}", NULL});
    world_fini(&world);
}

static void weighted(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect_each(&world, "\"{{$weighted a=1 'two words'=2 'it''s'=1 ''=1}}\"",
                (const char *[]){"\"a\"", "\"two words\"", "\"it's\"", "\"\"", NULL});
    expect_each(&world, "\"{{$weighted 1=1 -2.5e3=1 true=1 false=1 null=1}}\"",
                (const char *[]){"1", "-2.5e3", "true", "false", "null", NULL});
    expect_each(&world, "\"{{$weighted '1'=1 'true'=1 01=1 .5=1 1.=1 1e=1 -=1 a=b=1}}\"",
                (const char *[]){"\"1\"", "\"true\"", "\"01\"", "\".5\"", "\"1.\"", "\"1e\"", "\"-\"",
                                 "\"a=b\"", NULL});
    expect_each(&world, "\"<{{$weighted 1=1 true=1 null=1 'q\\\"'=1}}>\"",
                (const char *[]){"\"<1>\"", "\"<true>\"", "\"<>\"", "\"<q\\\">\"", NULL});
    expect(&world, "\"{{$weighted a=0 b=1 c=0}}\"", "\"b\"");
    expect(&world, "\"{{$weighted '}}'=1 '{{'=0}}\"", "\"}}\"");
    world_fini(&world);
}

/* 9 to 1 over 2000 instances: 1800 on average, deviation 13. */
static void weights_are_kept(void **state)
{
    static const char *const templates[] = {
        "\"{{$weighted a=9 b=1}}\"",
        "{\"{{$choose 9 1}}\": [\"a\", \"b\"]}",
        "\"{{$optional 90% 'a'}}\"",
        "{\"{{$optional 90%}}\": \"a\"}",
    };
    struct world world;
    (void)state;
    world_init(&world, "", "");
    for (size_t i = 0; i < E8_COUNT(templates); i++) {
        struct e8_template *t = world_compile(&world, templates[i]);
        size_t count = 0;
        for (uint64_t k = 0; k < 2000; k++) {
            struct e8_facts facts = some_facts(k, 1);
            char *text = render(t, &facts);
            count += strcmp(text, "\"a\"") == 0;
            free(text);
        }
        assert_in_range(count, 1720, 1880);
        e8_template_free(&t);
    }
    world_fini(&world);
}

static void optionals(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect_each(&world, "\"{{$optional 50% $randomInt 3..3}}\"", (const char *[]){"3", "null", NULL});
    expect_each(&world, "\"{{$optional 50% 'a b'}}\"", (const char *[]){"\"a b\"", "null", NULL});
    expect_each(&world, "\"<{{$optional 50% 'a b'}}>\"", (const char *[]){"\"<a b>\"", "\"<>\"", NULL});
    expect_each(&world, "\"{{$optional 50% $optional 50% event.sequence}}\"",
                (const char *[]){"1", "null", NULL});
    expect(&world, "\"{{$optional 100% $pick places}}\"", "\\{\"city\":.*\\}");
    expect(&world, "\"{{$optional 0% $guid}}\"", "null");
    world_fini(&world);
}

static void letter_cases(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "{\"$mac\": \"{{$upper $hex 4}}:x\"}", "");
    expect(&world, "\"{{$upper 'a\\\"\\\\n\\t\\u001fzé'}}\"", "\"A\\\\\"\\\\\\\\N\\\\t\\\\u001FZé\"");
    expect(&world, "\"{{$lower 'ABC Éx'}}-{{$upper $pick colors}}\"", "\"abc Éx-(RED|GREEN|BLUE)\"");
    expect(&world, "\"{{$lower 'A'}}B\"", "\"aB\"");
    expect(&world, "\"{{$upper $randomBoolean 100%}}\"", "\"TRUE\"");
    expect(&world, "\"{{$lower $upper $optional 0% 'x'}}\"", "\"\"");
    expect(&world, "\"{{$mac}}\"", "\"[0-9A-F]{4}:x\"");
    world_fini(&world);
}

static void counts(void **state)
{
    static const uint16_t so_far[] = {1, 3, 2, 0};
    struct world world;
    struct e8_facts facts = some_facts(0, 6);
    const char *json = "[\"{{$count message.received}}\",\"{{$count message.*}}\",\"{{$count *}}\","
                       "\"{{$count session.started}}\"]";
    (void)state;
    world_init(&world, "", "");
    expect(&world, json, "\\[1,1,1,0\\]");
    facts.counts = so_far;
    char *text = render_text(&world, json, &facts);
    assert_string_equal(text, "[3,5,6,0]");
    free(text);
    world_fini(&world);
}

static void repeats(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "{\"{{$repeat 3}}\": \"{{$index}}\"}", "\\[0,1,2\\]");
    expect(&world, "{\"{{$repeat 0}}\": 1}", "\\[\\]");
    expect_each(&world, "{\"{{ $repeat 0..2 }}\": true}",
                (const char *[]){"[]", "[true]", "[true,true]", NULL});
    expect(&world,
           "{\"{{$repeat 2}}\": {\"i\": \"{{$index}}\", \"in\": {\"{{$repeat 2}}\": \"{{$index}}\"}, \"j\": "
           "\"{{$index}}\"}}",
           "\\[\\{\"i\":0,\"in\":\\[0,1\\],\"j\":0\\},\\{\"i\":1,\"in\":\\[0,1\\],\"j\":1\\}\\]");
    struct e8_facts facts = some_facts(0, 1);
    char *text = render_text(&world, "{\"{{$repeat 2}}\": \"{{$hex 8}}\"}", &facts);
    assert_int_equal(strlen(text), 23);
    assert_memory_not_equal(text + 2, text + 13, 8);
    free(text);
    world_fini(&world);
}

static void choices(void **state)
{
    struct world world;
    (void)state;
    world_init(&world,
               "{\"$some\": {\"{{$choose}}\": [\"x\", 1, null]}, \"$may\": {\"{{$optional 50%}}\": \"y\"}}",
               "");
    expect_each(&world, "{\"{{$choose}}\": [{\"a\": 1}, [2], \"c\", null]}",
                (const char *[]){"{\"a\":1}", "[2]", "\"c\"", "null", NULL});
    expect(&world, "{\"{{$choose 0 1}}\": [1, {\"{{$choose}}\": [2]}]}", "2");
    expect_each(&world, "{\"{{$optional 50%}}\": {\"a\": []}}", (const char *[]){"{\"a\":[]}", "null", NULL});
    expect_each(&world, "\"<{{$some}}>\"", (const char *[]){"\"<x>\"", "\"<1>\"", "\"<>\"", NULL});
    expect_each(&world, "\"{{$some}}\"", (const char *[]){"\"x\"", "1", "null", NULL});
    expect_each(&world, "\"<{{$may}}>\"", (const char *[]){"\"<y>\"", "\"<>\"", NULL});
    world_fini(&world);
}

static void macros(void **state)
{
    struct world world;
    (void)state;
    world_init(&world,
               "{\"$full\": \"{{$pick colors}} {{$two}}\", \"$two\": \"{{$randomInt 2..2}}\", \"$tree\": "
               "[\"{{$two}}\", "
               "null], \"$flag\": true, \"$num\": 1.50, \"$none\": null, \"$place\": \"{{$pick places}}\"}",
               "");
    expect(&world, "\"{{$full}}\"", "\"(red|green|blue) 2\"");
    expect(&world, "\"{{$two}}\"", "2");
    expect(&world, "\"{{$tree}}\"", "\\[2,null\\]");
    expect(&world, "\"{{$flag}}, {{$num}}, {{$none}}.\"", "\"true, 1\\.50, \\.\"");
    expect(&world, "[\"{{$flag}}\", \"{{$num}}\", \"{{$none}}\"]", "\\[true,1\\.50,null\\]");
    expect(&world, "\"{{$place}}\"", "\\{\"city\":.*,\"zip\":[0-9]+\\}");
    world_fini(&world);
}

static size_t count_of(const char *const *names, const char *name)
{
    size_t count = 0;

    for (; *names; names++)
        count += strcmp(*names, name) == 0;
    return count;
}

static void names_are_sorted_and_complete(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "{\"$full\": 1}", "{\"user\": {\"name\": 1, \"place\": \"{{$pick places}}\"}}");
    const char *const *names = e8_vocab_names(world.vocab);
    for (size_t i = 0; names[i + 1]; i++)
        assert_true(strcmp(names[i], names[i + 1]) < 0);
    static const char *const wanted[] = {"$guid",        "$pick",           "event.id",
                                         "flow.elapsed", "$full",           "user.name",
                                         "user.place",   "user.place.city", "user.place.zip"};
    for (size_t i = 0; i < E8_COUNT(wanted); i++)
        assert_int_equal(count_of(names, wanted[i]), 1);
    world_fini(&world);
}

const struct CMUnitTest value_tests[] = {
    cmocka_unit_test(references_of_the_event),
    cmocka_unit_test(times),
    cmocka_unit_test(times_at_the_edges),
    cmocka_unit_test(identifiers),
    cmocka_unit_test(characters_are_even),
    cmocka_unit_test(numbers),
    cmocka_unit_test(picks),
    cmocka_unit_test(weighted),
    cmocka_unit_test(weights_are_kept),
    cmocka_unit_test(optionals),
    cmocka_unit_test(letter_cases),
    cmocka_unit_test(counts),
    cmocka_unit_test(repeats),
    cmocka_unit_test(choices),
    cmocka_unit_test(macros),
    cmocka_unit_test(names_are_sorted_and_complete),
};
const size_t value_test_count = E8_COUNT(value_tests);
