#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

static void the_schemes_of_the_fixtures_are_there(void **state)
{
    struct bench *bench = *state;
    const char *const *names = e8_schemes_names(bench->schemes);
    size_t count = 0;
    while (names[count] != NULL) {
        assert_string_equal(scheme_named(bench, names[count])->name, names[count]);
        count++;
    }
    assert_true(count >= 5);
    assert_null(e8_schemes_find(bench->schemes, "8BIT"));
    const struct e8_scheme *s = scheme_named(bench, "8bit");
    assert_string_equal(s->header, "X-8bit-Signature-256");
    assert_string_equal(s->prefix, "sha256=");
    assert_false(s->signs_timestamp || s->signs_id || s->multiple);
    assert_int_equal(s->tolerance, 0);
    s = scheme_named(bench, "standard-webhooks");
    assert_true(s->signs_timestamp && s->signs_id && s->multiple);
    assert_int_equal(s->secret, E8_SECRET_WHSEC);
    assert_int_equal(s->encoding, E8_SIGN_BASE64);
    assert_int_equal(s->tolerance, 300 * E8_NS_S);
    assert_int_equal(s->header_count, 2);
    s = scheme_named(bench, "stripe");
    assert_string_equal(s->timestamp_item, "t=");
    assert_null(s->timestamp_header);
}

static void a_custom_scheme_needs_two_keys_only(void **state)
{
    const struct e8_scheme *s = custom(*state, "{\"header\": \"X-Sig\", \"algorithm\": \"sha512\"}");
    assert_non_null(s);
    assert_int_equal(s->hash, E8_SHA512);
    assert_string_equal(s->content, "{body}");
    assert_int_equal(s->encoding, E8_SIGN_HEX);
    assert_int_equal(s->secret, E8_SECRET_RAW);
    assert_string_equal(s->prefix, "");
    assert_string_equal(s->separator, "");
    assert_string_equal(s->description, "");
    assert_null(s->timestamp_header);
    assert_null(s->timestamp_item);
    assert_null(s->id_header);
    assert_int_equal(s->header_count, 0);
    assert_false(s->multiple);
}

static void what_receivers_read_is_sent_unasked(void **state)
{
    const struct e8_scheme *s =
        custom(*state, "{\"header\": \"X-Sig\", \"algorithm\": \"sha1\","
                       "\"content\": \"{id}:{timestamp}:{body}\", \"id_header\": \"X-Id\","
                       "\"timestamp_header\": \"X-Time\", \"headers\": {\"x-id\": \"{id}\"}}");
    assert_non_null(s);
    assert_int_equal(s->header_count, 2);
    assert_string_equal(s->headers[0].name, "x-id");
    assert_string_equal(s->headers[1].name, "X-Time");
    assert_string_equal(s->headers[1].value, "{timestamp}");
    assert_int_equal(s->tolerance, 300 * E8_NS_S);
}

#define BASE "\"header\": \"X-Sig\", \"algorithm\": \"sha256\""

static void faults_are_named_where_they_are(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *json, *what, *hint;
    } rows[] = {
        {"[]", "must be a map", "header"},
        {"{\"algorithm\": \"sha256\"}", "no \"header\"", "X-Signature"},
        {"{\"header\": \"X-Sig\"}", "no \"algorithm\"", "sha256"},
        {"{\"header\": null, \"algorithm\": \"sha256\"}", "no \"header\"", ""},
        {"{\"header\": \"X-Sig\", \"algorithm\": \"sha265\"}", "unknown algorithm \"sha265\"",
         "did you mean \"sha256\"?"},
        {"{\"header\": \"X-Sig\", \"algorithm\": 256}", "must be a string", ""},
        {"{\"header\": \"X Sig\", \"algorithm\": \"sha256\"}", "no name for a header", ""},
        {"{\"header\": \"Host\", \"algorithm\": \"sha256\"}", "framing", ""},
        {"{" BASE ", \"encodng\": \"hex\"}", "unknown key \"encodng\"", "did you mean \"encoding\"?"},
        {"{" BASE ", \"encoding\": \"base46\"}", "unknown encoding", "did you mean \"base64\"?"},
        {"{" BASE ", \"secret\": \"plain\"}", "unknown secret \"plain\"", "known: raw whsec hex base64"},
        {"{" BASE ", \"content\": \"{bdy}\"}", "unknown variable \"{bdy}\"", "did you mean \"{body}\"?"},
        {"{" BASE ", \"content\": \"{type}.{body}\"}", "unknown variable \"{type}\"", ""},
        {"{" BASE ", \"content\": \"{body\"}", "no closing brace", ""},
        {"{" BASE ", \"content\": \"constant\"}", "no {body}", "{timestamp}.{body}"},
        {"{" BASE ", \"content\": \"{timestamp}.{body}\"}", "no receiver would learn", "timestamp_header"},
        {"{" BASE ", \"content\": \"{id}.{body}\"}", "no receiver would learn", "id_header"},
        {"{" BASE ", \"content\": "
         "\"{body}{body}{body}{body}{body}{body}{body}{body}{body}{body}{body}{body}{body}{body}"
         "{body}{body}{body}\"}",
         "more than 16 parts", ""},
        {"{" BASE ", \"content\": \"{body}\\u0000\"}", "NUL", ""},
        {"{" BASE ", \"multiple\": true}", "needs a separator", "separator"},
        {"{" BASE ", \"multiple\": \"yes\", \"separator\": \",\"}", "true or false", ""},
        {"{" BASE ", \"separator\": \"a\"}", "part of a signature", ""},
        {"{" BASE ", \"separator\": \",\", \"prefix\": \"v1,\"}", "part of the prefix", ""},
        {"{" BASE ", \"separator\": \", , ,\"}", "longer than 4", ""},
        {"{" BASE ", \"prefix\": \"a\\nb\"}", "not printable ASCII", ""},
        {"{" BASE ", \"prefix\": \"\\u00e9\"}", "not printable ASCII", ""},
        {"{" BASE ", \"prefix\": \" v1\"}", "begins with a space", ""},
        {"{" BASE ", \"timestamp_item\": \"t=\"}", "needs a separator", ""},
        {"{" BASE ", \"timestamp_item\": \"t=\", \"separator\": \",\", \"prefix\": \"t\"}", "told apart", ""},
        {"{" BASE ", \"timestamp_item\": \"t=\", \"separator\": \",\", \"timestamp_header\": \"X-T\"}",
         "both", ""},
        {"{" BASE ", \"tolerance\": \"5m\"}", "not signed", ""},
        {"{" BASE
         ", \"content\": \"{timestamp}{body}\", \"timestamp_header\": \"X-T\", \"tolerance\": \"5\"}",
         "no tolerance", "5m"},
        {"{" BASE
         ", \"content\": \"{timestamp}{body}\", \"timestamp_header\": \"X-T\", \"tolerance\": \"0\"}",
         "no tolerance", "at least 1s"},
        {"{" BASE ", \"timestamp_header\": \"x-sig\"}", "are the same", ""},
        {"{" BASE ", \"headers\": [\"X-A\"]}", "must be a map", ""},
        {"{" BASE ", \"headers\": {\"X A\": \"1\"}}", "cannot be sent", ""},
        {"{" BASE ", \"headers\": {\"Content-Length\": \"1\"}}", "cannot be sent", ""},
        {"{" BASE ", \"headers\": {\"X-A\": 1}}", "must be a string", ""},
        {"{" BASE ", \"headers\": {\"X-A\": \"a\\r\\nb\"}}", "control characters", ""},
        {"{" BASE ", \"headers\": {\"X-A\": \"{tipe}\"}}", "unknown variable \"{tipe}\"",
         "did you mean \"{type}\"?"},
        {"{" BASE ", \"headers\": {\"X-A\": \"{body}\"}}", "unknown variable \"{body}\"", ""},
        {"{" BASE ", \"headers\": {\"X-Sig\": \"1\"}}", "carries the signature", ""},
        {"{" BASE ", \"headers\": {\"X-A\": \"1\", \"x-a\": \"2\"}}", "twice", ""},
        {"{" BASE ", \"timestamp_header\": \"X-T\", \"headers\": {\"X-T\": \"t{timestamp}\"}}",
         "receivers read", ""},
        {"{" BASE ", \"headers\": {\"A\": \"\", \"B\": \"\", \"C\": \"\", \"D\": \"\", \"E\": \"\", \"F\": "
         "\"\", \"G\": \"\","
         "\"H\": \"\", \"I\": \"\"}}",
         "more than 8 headers", ""},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        if (custom(bench, rows[i].json) != NULL)
            fail_msg("accepted %s", rows[i].json);
        const struct e8_err *err = &bench->errs.list[0];
        if (strstr(err->what, rows[i].what) == NULL || strstr(err->hint, rows[i].hint) == NULL)
            fail_msg("%s: said \"%s\"; \"%s\"", rows[i].json, err->what, err->hint);
        assert_string_equal(err->file, "custom.json");
        assert_true(err->line == 1 && err->col >= 1);
    }
}

static void every_fault_of_a_file_is_reported(void **state)
{
    struct bench *bench = *state;
    static const char text[] =
        "{\"schemes\": {\"a\": {\"header\": \"X\"}, \"b\": {\"algorithm\": \"md5\"}, \"c\": 1}, \"x\": 1}";
    struct e8_doc *doc = NULL;
    struct e8_schemes *schemes = NULL;
    assert_int_equal(e8_doc_parse("s.json", e8_str(text), E8_DOC_JSON, &doc, NULL), E8_OK);
    struct e8_errs errs;
    e8_errs_init(&errs);
    assert_int_equal(e8_schemes_load(e8_doc_root(doc), &schemes, &errs), E8_INPUT);
    assert_null(schemes);
    assert_int_equal(errs.total, 5);
    e8_errs_fini(&errs);
    e8_doc_free(&doc);
    assert_int_equal(e8_doc_parse("s.json", E8_LIT("[]"), E8_DOC_JSON, &doc, NULL), E8_OK);
    assert_int_equal(e8_schemes_load(e8_doc_root(doc), &schemes, NULL), E8_INPUT);
    e8_doc_free(&doc);
    (void)bench;
}

/* As e8_sign_expand, whatever the template is made of; what is a text already is not copied. */
static void forms_are_filled_as_templates_expand(void **state)
{
    static const char *const texts[] = {
        "",           "plain",       "{version}",        "a {version}",
        "{id}",       "{delivery}",  "{type}",           "{environment}",
        "{attempt}",  "{timestamp}", "{id}.{timestamp}", "{ id} {type}{type}!",
        "{\"a\": {}}"};
    struct e8_arena *arena = e8_arena_new();
    struct e8_sign_input in = {.id = E8_LIT("dlv_1"),
                               .timestamp = 17,
                               .type = E8_LIT("t.u"),
                               .environment = E8_LIT("p"),
                               .attempt = 2};
    char memory[256];
    (void)state;
    for (size_t i = 0; i < 2 * E8_COUNT(texts); i++) {
        const char *text = texts[i / 2];
        struct e8_buf wanted, filled;
        in.timestamp_text = i % 2 ? E8_LIT("soon") : (struct e8_str){NULL, 0};
        e8_buf_init(&wanted, 1024);
        e8_buf_fixed(&filled, memory, sizeof memory);
        e8_sign_expand(text, &in, &wanted);
        struct e8_header header = e8_header_fill(e8_header_form(arena, "X-A", text), &in, &filled);
        assert_true(e8_str_is(header.name, "X-A"));
        assert_true(e8_str_eq(header.value, e8_buf_str(&wanted)));
        e8_buf_fini(&wanted);
    }
    struct e8_buf none;
    e8_buf_fixed(&none, memory, 0);
    assert_ptr_equal(e8_header_fill(e8_header_form(arena, "X-A", "{id}"), &in, &none).value.p, in.id.p);
    assert_true(e8_str_is(e8_header_fill(e8_header_form(arena, "X-A", "x{version}"), &in, &none).value,
                          "x" E8_VERSION));
    assert_false(none.full);
    e8_arena_free(&arena);
}

static void header_templates_expand(void **state)
{
    (void)state;
    struct e8_sign_input in = {.id = E8_LIT("evt_1"),
                               .timestamp = -7,
                               .type = E8_LIT("message.received"),
                               .environment = E8_LIT("staging"),
                               .attempt = 3};
    struct e8_buf out;
    e8_buf_init(&out, 1024);
    e8_sign_expand("{id}|{timestamp}|{type}|{delivery}|{attempt}|{environment}|{version}|{\"a\": {}}|{ id}",
                   &in, &out);
    assert_string_equal(e8_buf_cstr(&out),
                        "evt_1|-7|message.received|evt_1|3|staging|" E8_VERSION "|{\"a\": {}}|{ id}");
    e8_buf_reset(&out);
    e8_sign_expand("", &in, &out);
    assert_int_equal(out.n, 0);
    e8_buf_fini(&out);
    assert_true(e8_sign_expandable("{id} {\"a\": {}} } {", NULL));
    struct e8_err err = {0};
    assert_false(e8_sign_expandable("{body}", &err));
    assert_false(e8_sign_expandable("{ID}", &err));
    assert_false(e8_sign_expandable("{id", &err));
    assert_false(e8_sign_expandable("x{atempt}", &err));
    assert_string_equal(err.hint, "did you mean \"{attempt}\"?");
}

int test_schemes(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schemes_of_the_fixtures_are_there),
        cmocka_unit_test(a_custom_scheme_needs_two_keys_only),
        cmocka_unit_test(what_receivers_read_is_sent_unasked),
        cmocka_unit_test(faults_are_named_where_they_are),
        cmocka_unit_test(every_fault_of_a_file_is_reported),
        cmocka_unit_test(header_templates_expand),
        cmocka_unit_test(forms_are_filled_as_templates_expand),
    };
    return cmocka_run_group_tests_name("sign schemes", tests, bench_setup, bench_teardown);
}
