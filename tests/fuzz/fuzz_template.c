/* Any JSON as a template, and as a vocabulary: what compiles must write valid JSON within its bound, the same twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {"conversation.created", "message.received", "message.sent"};

static const char base[] =
    "{\"words\": {\"colors\": [\"red\", \"gr\\\"een\"], \"mixed\": [\"a\", 7, 2.5],"
    "   \"places\": [{\"city\": \"K\\u00f6ln\", \"zip\": 1}, {\"zip\": 2, \"city\": \"\"}],"
    "   \"greetings\": {\"en\": [\"hello\"], \"de\": [\"hallo\", \"moin\"]}},"
    " \"macros\": {\"$full\": \"{{$pick colors}} {{$randomInt}}\", \"$may\": {\"{{$optional 50%}}\": "
    "\"{{$full}}\"}},"
    " \"entities\": {\"org\": {\"$scope\": \"run\", \"id\": \"org_{{$hex 4}}\"},"
    "   \"user\": {\"$scope\": {\"pool\": 3}, \"lang\": \"{{$weighted en=1 de=1 x=1}}\", \"at\": \"{{$pick "
    "places}}\","
    "     \"hi\": \"{{$pick greetings:user.lang}}\", \"tags\": {\"{{$repeat 0..3}}\": \"{{$pick mixed}}\"}},"
    "   \"turn\": {\"$scope\": {\"count\": \"message.*\"}, \"id\": \"{{$guid}}\", \"at\": "
    "\"{{flow.started_at}}\"}}}";

struct fuzz {
    struct e8_vocab *vocab;
    struct e8_errs errs;
    struct e8_doc *base, *doc;
};

static void fill(struct fuzz *f, const struct e8_node *from)
{
    const struct e8_node *words = e8_node_get(from, "words"), *macros = e8_node_get(from, "macros");
    const struct e8_node *entities = e8_node_get(from, "entities");

    for (const struct e8_node *list = words ? words->first : NULL; list; list = list->next) {
        char *name = e8_dup_str(list->key);
        e8_vocab_words(f->vocab, name, list, &f->errs);
        free(name);
    }
    if (macros)
        e8_vocab_macros(f->vocab, macros, &f->errs);
    if (entities)
        e8_vocab_entities(f->vocab, entities, &f->errs);
}

static void check_output(struct e8_str text)
{
    struct e8_doc *doc = NULL;
    struct e8_err err;

    E8_ASSERT(e8_utf8_valid(text) == text.n);
    enum e8_rc rc = e8_doc_parse("output", text, E8_DOC_JSON, &doc, &err);
    if (rc != E8_OK)
        e8_err_print(&err, stderr);
    E8_ASSERT(rc == E8_OK);
    e8_doc_free(&doc);
}

static void render(const struct e8_template *t, const struct e8_facts *facts, struct e8_memo *memo)
{
    size_t max = e8_template_max(t);
    char *memory = malloc(2 * max + 1);
    struct e8_buf once, again;

    E8_ASSERT(memory && max <= E8_TEMPLATE_OUT_MAX);
    e8_buf_fixed(&once, memory, max);
    e8_buf_fixed(&again, memory + max, max);
    E8_ASSERT(e8_template_render(t, facts, &once) == E8_OK);
    E8_ASSERT(e8_template_render(t, facts, &again) == E8_OK);
    E8_ASSERT(e8_str_eq(e8_buf_str(&once), e8_buf_str(&again)));
    for (int i = 0; i < 2; i++) { /* what is remembered is the same */
        e8_buf_reset(&again);
        E8_ASSERT(e8_template_render_with(t, facts, memo, &again) == E8_OK);
        E8_ASSERT(e8_str_eq(e8_buf_str(&once), e8_buf_str(&again)));
    }
    check_output(e8_buf_str(&once));
    if (once.n > 0) {
        e8_buf_fixed(&again, memory + max, once.n - 1);
        E8_ASSERT(e8_template_render(t, facts, &again) == E8_LIMIT);
    }
    free(memory);
}

static void render_some(const struct e8_template *t, uint64_t seed)
{
    static const uint16_t counts[E8_TYPES_MAX] = {1, 65535, 3};
    struct e8_facts facts = {.seed = seed >> 1,
                             .flow = 7,
                             .sequence = 1,
                             .id = E8_LIT("evt_\x80\""),
                             .type = E8_LIT("message.sent"),
                             .category = E8_LIT("message"),
                             .environment = E8_LIT("\n"),
                             .type_index = 2};
    struct e8_memo *memo = e8_memo_new();

    for (facts.instance = 0; facts.instance < 3; facts.instance++) {
        facts.at = (e8_wall_ns)e8_mix(seed, facts.instance);
        facts.flow_started = (e8_wall_ns)e8_mix(facts.instance, seed);
        facts.counts = facts.instance == 1 ? counts : NULL;
        render(t, &facts, memo);
    }
    e8_memo_free(&memo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {.vocab = NULL};
    struct e8_err err;
    struct e8_str text = {(const char *)data, size};

    if (e8_doc_parse("input", text, E8_DOC_JSON, &f.doc, &err) != E8_OK)
        return 0;
    E8_ASSERT(e8_doc_parse("base", e8_str(base), E8_DOC_JSON, &f.base, &err) == E8_OK);
    const struct e8_node *root = e8_doc_root(f.doc), *tree = e8_node_get(root, "template");
    struct e8_template *t = NULL;
    e8_errs_init(&f.errs);
    f.vocab = e8_vocab_new();
    E8_ASSERT(e8_vocab_types(f.vocab, types, E8_COUNT(types)) == E8_OK);
    fill(&f, e8_doc_root(f.base));
    if (tree)
        fill(&f, root);
    e8_vocab_finish(f.vocab, &f.errs);
    if (e8_template_compile(f.vocab, tree ? tree : root, &t, &f.errs) == E8_OK)
        render_some(t, e8_hash_str(text));
    else
        E8_ASSERT(f.errs.total > 0);
    e8_template_free(&t);
    e8_vocab_free(&f.vocab);
    e8_errs_fini(&f.errs);
    e8_doc_free(&f.base);
    e8_doc_free(&f.doc);
    return 0;
}
