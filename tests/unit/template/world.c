#include "world.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"conversation.created", "message.received", "message.sent",
                                    "session.started"};

static const char *const words[][2] = {
    {"colors", "[\"red\", \"green\", \"blue\"]"},
    {"numbers", "[1, 2.50, -3e2]"},
    {"mixed", "[\"a\", 7]"},
    {"odd", "[\"q\\\"b\\\\n\\nu\\u0001e\\u00e9{{x}}\"]"},
    {"places", "[{\"city\": \"Köln\", \"zip\": 50667}, {\"city\": \"A\\\"B\", \"zip\": 1},"
               " {\"city\": \"Ghent\", \"zip\": 9000}]"},
    {"greetings", "{\"en\": [\"hello\", \"hi\"], \"de\": [\"hallo\", \"moin\"], \"fr\": [\"salut\"]}"},
    {"people", "{\"en\": [{\"first\": \"Ann\", \"last\": \"Lee\"}, {\"first\": \"Bob\", \"last\": \"Ray\"}],"
               " \"de\": [{\"last\": \"Klein\", \"first\": \"Uwe\"}]}"},
};

const struct e8_node *world_parse(struct world *world, const char *name, const char *json)
{
    struct e8_err err;

    assert_true(world->doc_count < DOCS_MAX);
    if (e8_doc_parse(name, e8_str(json), E8_DOC_JSON, &world->docs[world->doc_count], &err) != E8_OK)
        fail_msg("%s: %s", json, err.what);
    return e8_doc_root(world->docs[world->doc_count++]);
}

enum e8_rc world_words(struct world *world, const char *name, const char *json)
{
    char file[64];
    snprintf(file, sizeof(file), "words/%s.json", name);
    return e8_vocab_words(world->vocab, name, world_parse(world, file, json), &world->errs);
}

void world_init(struct world *world, const char *macros, const char *entities)
{
    *world = (struct world){.vocab = e8_vocab_new()};
    e8_errs_init(&world->errs);
    assert_int_equal(e8_vocab_types(world->vocab, types, E8_COUNT(types)), E8_OK);
    for (size_t i = 0; i < E8_COUNT(words); i++)
        assert_int_equal(world_words(world, words[i][0], words[i][1]), E8_OK);
    if (macros[0])
        e8_vocab_macros(world->vocab, world_parse(world, "macros.json", macros), &world->errs);
    if (entities[0])
        e8_vocab_entities(world->vocab, world_parse(world, "entities.json", entities), &world->errs);
    e8_vocab_finish(world->vocab, &world->errs);
}

void world_fini(struct world *world)
{
    e8_vocab_free(&world->vocab);
    assert_null(world->vocab);
    for (size_t i = 0; i < world->doc_count; i++)
        e8_doc_free(&world->docs[i]);
    e8_errs_fini(&world->errs);
}

const char *world_error(const struct world *world, size_t i)
{
    static char text[1400];

    assert_true(i < world->errs.count);
    const struct e8_err *err = &world->errs.list[i];
    snprintf(text, sizeof(text), "%s:%d:%d: %s%s%s", err->file, err->line, err->col, err->what,
             err->hint[0] ? "; " : "", err->hint);
    return text;
}

struct e8_template *world_compile(struct world *world, const char *json)
{
    struct e8_template *t;
    size_t before = world->errs.total;
    const struct e8_node *tree = world_parse(world, "t.json", json);
    enum e8_rc rc = e8_template_compile(world->vocab, tree, &t, &world->errs);

    assert_int_equal(rc, t ? E8_OK : E8_INPUT);
    if (t)
        assert_int_equal(world->errs.total, before);
    e8_doc_free(&world->docs[--world->doc_count]); /* a template must not need its tree */
    return t;
}

struct e8_facts some_facts(uint64_t instance, uint32_t sequence)
{
    return (struct e8_facts){
        .seed = 42,
        .flow = 7,
        .instance = instance,
        .sequence = sequence,
        .flow_started = 1772366400 * E8_NS_S,
        .at = 1772366461 * E8_NS_S + 987654321,
        .id = E8_LIT("evt_01"),
        .type = E8_LIT("message.received"),
        .category = E8_LIT("message"),
        .environment = E8_LIT("produc\"tion"),
        .type_index = 1,
    };
}

char *render(const struct e8_template *t, const struct e8_facts *facts)
{
    struct e8_buf out;
    struct e8_doc *doc;
    struct e8_err err;

    e8_buf_init(&out, e8_template_max(t));
    assert_int_equal(e8_template_render(t, facts, &out), E8_OK);
    char *text = e8_dup_str(e8_buf_str(&out));
    e8_buf_fini(&out);
    if (e8_doc_parse("output", e8_str(text), E8_DOC_JSON, &doc, &err) != E8_OK)
        fail_msg("%s: %s", text, err.what);
    e8_doc_free(&doc);
    return text;
}

char *render_text(struct world *world, const char *json, const struct e8_facts *facts)
{
    struct e8_template *t = world_compile(world, json);

    if (!t)
        fail_msg("%s: %s", json, world_error(world, world->errs.count - 1));
    char *text = render(t, facts);
    e8_template_free(&t);
    assert_null(t);
    return text;
}

void expect(struct world *world, const char *json, const char *regex)
{
    char whole[512];
    regex_t compiled;

    snprintf(whole, sizeof(whole), "^(%s)$", regex);
    assert_int_equal(regcomp(&compiled, whole, REG_EXTENDED | REG_NOSUB), 0);
    for (uint64_t i = 0; i < 50; i++) {
        struct e8_facts facts = some_facts(i, 1);
        char *text = render_text(world, json, &facts);
        if (regexec(&compiled, text, 0, NULL, 0) != 0)
            fail_msg("%s gives %s, not %s", json, text, regex);
        free(text);
    }
    regfree(&compiled);
}

static size_t position(const char *const *alternatives, const char *text)
{
    size_t i = 0;

    while (alternatives[i] && strcmp(alternatives[i], text) != 0)
        i++;
    return i;
}

void expect_each(struct world *world, const char *json, const char *const *alternatives)
{
    bool seen[16] = {false};

    for (uint64_t i = 0; i < 500; i++) {
        struct e8_facts facts = some_facts(i, 1);
        char *text = render_text(world, json, &facts);
        size_t at = position(alternatives, text);
        if (!alternatives[at])
            fail_msg("%s gives %s", json, text);
        seen[at] = true;
        free(text);
    }
    for (size_t i = 0; alternatives[i]; i++)
        if (!seen[i])
            fail_msg("%s never gives %s", json, alternatives[i]);
}

bool has_error(const struct world *world, size_t i, const char *error)
{
    const char *actual = i < world->errs.count ? world_error(world, i) : "no error";

    if (strcmp(actual, error) == 0)
        return true;
    print_error("expected %s\n     got %s\n", error, actual);
    return false;
}

bool gives_error(struct world *world, const char *json, const char *error)
{
    size_t before = world->errs.count;
    struct e8_template *t = world_compile(world, json);
    bool ok = has_error(world, before, error) && world->errs.count == before + 1 && !t;

    if (!ok)
        print_error("     for %s, with %zu errors\n", json, world->errs.count - before);
    e8_template_free(&t);
    e8_errs_fini(&world->errs);
    e8_errs_init(&world->errs);
    return ok;
}
