/* What is written between placeholders, and how values are escaped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void trees_without_placeholders_stay_as_they_are(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, " { \"a\" : [ 1 , -2.50 , 1e3, true , false , null , \"x\" ] , \"\" : { } , \"b\":[ ] } ",
           "\\{\"a\":\\[1,-2\\.50,1e3,true,false,null,\"x\"\\],\"\":\\{\\},\"b\":\\[\\]\\}");
    expect(&world, "\"\"", "\"\"");
    expect(&world, "0", "0");
    world_fini(&world);
}

static void braces_that_are_none(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "\"{ } }} {x} a}\"", "\"\\{ \\} \\}\\} \\{x\\} a\\}\"");
    expect(&world, "\"{\\\"a\\\":{\\\"b\\\":1}}\"", "\"\\{\\\\\"a\\\\\":\\{\\\\\"b\\\\\":1\\}\\}\"");
    expect(&world, "\"{\\\"a\\\":{{$randomInt 1..1}}}\"", "\"\\{\\\\\"a\\\\\":1\\}\"");
    expect(&world, "\"{{{$randomInt 1..1}}}\"", "\"\\{1\\}\"");
    expect(&world, "\"{{'{{'}}x{{ '}}' }}\"", "\"\\{\\{x\\}\\}\"");
    expect(&world, "\"{{$randomInt 1..1}}{{$randomInt 2..2}}\"", "\"12\"");
    expect(&world, "\" {{$randomInt 1..1}}\"", "\" 1\"");
    world_fini(&world);
}

static struct e8_doc *parse(const char *text)
{
    struct e8_doc *doc;
    struct e8_err err;

    if (e8_doc_parse("output", e8_str(text), E8_DOC_JSON, &doc, &err) != E8_OK)
        fail_msg("%s: %s", text, err.what);
    return doc;
}

/* As a literal, a quoted argument, a word of a list, and a fact; alone, and within a longer text. */
static const char *const ways[] = {
    "[\"%s\", \"x%s\"]",
    "[\"{{$weighted '%s'=1}}\", \"x{{$weighted '%s'=1}}\"]",
    "[\"{{'%s'}}\", \"x{{'%s'}}\"]",
    "[\"{{$pick special}}\", \"x{{$pick special}}\"]",
    "[\"{{thing.text}}\", \"x{{thing.text}}\"]",
    "[\"{{$macro}}\", \"x{{$macro}}\"]",
};

static void check_character(const char *escape, struct e8_str plain)
{
    struct world world = {.vocab = e8_vocab_new()};
    char json[256];

    e8_errs_init(&world.errs);
    snprintf(json, sizeof(json), "[\"%s\"]", escape);
    assert_int_equal(world_words(&world, "special", json), E8_OK);
    snprintf(json, sizeof(json), "{\"thing\": {\"text\": \"%s\"}}", escape);
    e8_vocab_entities(world.vocab, world_parse(&world, "e.json", json), &world.errs);
    snprintf(json, sizeof(json), "{\"$macro\": \"%s\"}", escape);
    e8_vocab_macros(world.vocab, world_parse(&world, "m.json", json), &world.errs);
    assert_int_equal(e8_vocab_finish(world.vocab, &world.errs), E8_OK);
    for (size_t i = 0; i < E8_COUNT(ways); i++) {
        struct e8_buf text;
        struct e8_str pieces = e8_str(ways[i]), piece;
        e8_buf_init(&text, 1000);
        while (e8_str_split(&pieces, '%', &piece)) {
            if (text.n > 0) {
                e8_buf_puts(&text, escape);
                piece = (struct e8_str){piece.p + 1, piece.n - 1};
            }
            e8_buf_putstr(&text, piece);
        }
        struct e8_facts facts = some_facts(0, 1);
        char *out = render_text(&world, e8_buf_cstr(&text), &facts);
        struct e8_doc *doc = parse(out);
        const struct e8_node *alone = e8_doc_root(doc)->first, *longer = alone->next;
        if (!e8_str_eq(alone->text, plain))
            fail_msg("%s gives %s", text.p, out);
        assert_true(e8_str_eq((struct e8_str){longer->text.p + 1, longer->text.n - 1}, plain));
        e8_doc_free(&doc);
        free(out);
        e8_buf_fini(&text);
    }
    world_fini(&world);
}

static void every_character_is_escaped(void **state)
{
    static const char *const beyond[] = {
        "é", "€", "\U0001F648", "\xED\x9F\xBF", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"};
    (void)state;
    for (unsigned c = 1; c < 0x80; c++) {
        char escape[8], plain = (char)c;
        if (c == '\'')
            continue; /* has a meaning of its own in two of the ways */
        snprintf(escape, sizeof(escape), "\\u%04x", c);
        check_character(escape, (struct e8_str){&plain, 1});
    }
    for (size_t i = 0; i < E8_COUNT(beyond); i++)
        check_character(beyond[i], e8_str(beyond[i]));
}

static void names_of_members_are_escaped(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, "", "");
    expect(&world, "{\"q\\\"\\\\\\u0001é\": 1}", "\\{\"q\\\\\"\\\\\\\\\\\\u0001é\":1\\}");
    expect(&world, "\"{{$pick odd}}\"", "\"q\\\\\"b\\\\\\\\n\\\\nu\\\\u0001eé\\{\\{x\\}\\}\"");
    world_fini(&world);
}

static void facts_of_any_bytes_are_written_as_valid_text(void **state)
{
    struct world world;
    char bytes[E8_FACT_MAX];
    (void)state;
    world_init(&world, "", "");
    struct e8_template *t = world_compile(&world, "[\"{{event.id}}\", \"x{{event.environment}}\"]");
    for (unsigned c = 0; c < 256; c++) {
        struct e8_facts facts = some_facts(0, 1);
        memset(bytes, (int)c, sizeof(bytes));
        facts.id = facts.environment = (struct e8_str){bytes, sizeof(bytes)};
        char *text = render(t, &facts); /* parses what comes out */
        assert_int_equal(e8_utf8_valid(e8_str(text)), strlen(text));
        free(text);
    }
    e8_template_free(&t);
    world_fini(&world);
}

static void values_within_a_text_are_those_that_stand_alone(void **state)
{
    static const char *const placeholders[] = {
        "$guid",          "$randomInt 1..9", "$randomFloat 0..9 3", "$pick mixed", "$weighted a=1 2=1 true=1",
        "$date -3d..-1h", "$base62 7"};
    struct world world;
    char json[128];
    (void)state;
    world_init(&world, "", "");
    for (size_t i = 0; i < E8_COUNT(placeholders); i++) {
        struct e8_facts facts = some_facts(i, 1);
        snprintf(json, sizeof(json), "\"{{%s}}\"", placeholders[i]);
        char *alone = render_text(&world, json, &facts);
        snprintf(json, sizeof(json), "\"<{{%s}}>\"", placeholders[i]);
        char *longer = render_text(&world, json, &facts);
        bool quoted = alone[0] == '"';
        assert_int_equal(strlen(longer), strlen(alone) + (quoted ? 2 : 4));
        assert_memory_equal(longer + 2, alone + quoted, strlen(alone) - (quoted ? 2 : 0));
        free(alone);
        free(longer);
    }
    world_fini(&world);
}

const struct CMUnitTest string_tests[] = {
    cmocka_unit_test(trees_without_placeholders_stay_as_they_are),
    cmocka_unit_test(braces_that_are_none),
    cmocka_unit_test(every_character_is_escaped),
    cmocka_unit_test(names_of_members_are_escaped),
    cmocka_unit_test(facts_of_any_bytes_are_written_as_valid_text),
    cmocka_unit_test(values_within_a_text_are_those_that_stand_alone),
};
const size_t string_test_count = E8_COUNT(string_tests);
