/* Overlays with faults: each says where. */
#include <stdio.h>
#include <sys/stat.h>

#include "tests.h"

static void load_bad(const char *path, struct e8_errs *errs)
{
    struct e8_catalog *c = NULL;
    e8_errs_init(errs);
    if (e8_catalog_load(path, &c, errs) == E8_OK) {
        fail_msg("%s was taken", path);
    }
    assert_null(c);
    assert_true(errs->total > 0);
}

static const struct fault {
    const char *file, *text;
    int line, col;
    const char *what;
} table[] = {
    {"catalog.json", "{\"types\": [\n  {\"type\": 5}]}", 2, 12, "needs \"type\""},
    {"catalog.json", "{\"types\": [\n  {\"type\": \"a.b\", \"category\": \"a\"}]}", 2, 3, "\"description\""},
    {"catalog.json", "{\"types\": [7]}", 1, 12, "is an object"},
    {"catalog.json", "{\"types\": {}}", 1, 11, "no list of types"},
    {"catalog.json", "{\"types\": []}", 1, 11, "no list of types"},
    {"catalog.json", "{\n}", 1, 1, "no list of types"},
    {"catalog.json", "[]", 1, 1, "no list of types"},
    {"catalog.json", "{\"types\": [{\"type\": \"noresource\", \"category\": \"a\", \"description\": \"b\"}]}",
     1, 21, "no event name"},
    {"catalog.json", "{\"types\": [{\"type\": \"a.*\", \"category\": \"a\", \"description\": \"b\"}]}", 1, 21,
     "no event name"},
    {"catalog.json", "{\"types\": [{\"type\": \"A.b\", \"category\": \"a\", \"description\": \"b\"}]}", 1, 21,
     "no event name"},
    {"catalog.json",
     "{\"types\": [{\"type\": \"a.b\", \"category\": \"a\", \"description\": \"b\", \"weight\": 0}]}", 1, 75,
     "not a positive number"},
    {"catalog.json",
     "{\"types\": [{\"type\": \"a.b\", \"category\": \"a\", \"description\": \"b\", \"wight\": 1}]}", 1, 65,
     "wight"},
    {"catalog.json",
     "{\"types\": [{\"type\": \"a.b\", \"category\": \"a\", \"description\": \"b\"},\n"
     "{\"type\": \"a.b\", \"category\": \"a\", \"description\": \"b\"}]}",
     2, 10, "twice"},
    {"catalog.json", "{\"types\": [", 1, 12, ""},
    {"envelope.json", "{\"a\": 1}", 1, 1, "no place for the payload"},
    {"envelope.json", "{\"a\": \"{{event.nothing}}\",\n \"data\": \"{{event.data}}\"}", 1, 7,
     "event.nothing"},
    {"envelope.json", "{\"data\": \"{{event.data}}\",}", 1, 26, ""},
    {"events/message.sent.json", "{\n  \"a\": \"{{$pikc tags}}\"\n}", 2, 8, "$pikc"},
    {"events/message.sent.json", "{\"a\": \"{{$pick nolist}}\"}", 1, 7, "nolist"},
    {"events/message.sent.json", "{\"a\": 1 \"b\": 2}", 1, 9, ""},
    {"events/message.sent.json", "", 1, 1, ""},
    {"events/message.snet.json", "{}", 0, 0, "\"message.snet\" is no type"},
    {"schemas/message.snet.json", "{}", 0, 0, "\"message.snet\" is no type"},
    {"words/tags.json", "{\"a\": \n 5}", 2, 2, ""},
    {"words/tags.json", "[]", 1, 1, ""},
    {"words/tags.json", "[1, x]", 1, 5, ""},
    {"entities.json", "{\"user\": {\"id\": \"{{user.nmae}}\", \"name\": \"x\"}}", 1, 17, ""},
    {"entities.json", "[]", 1, 1, ""},
    {"placeholders.json", "{\"$x\": \"{{$y}}\"}", 1, 8, "$y"},
    {"placeholders.json", "{\"$x\": \"{{$x}}\"}", 1, 8, ""},
    {"schemes.json", "{}", 1, 1, "schemes"},
    {"schemes.json", "{\"schemes\": {\"8bit\": {\"header\": \"X\", \"algorithm\": \"md5\"}}}", 1, 51, "md5"},
    {"platform.json",
     "{\"user_agent\": \"x\", \"content_type\": \"y\", \"headers\": {}, \"environments\": [], \"a\": 1}", 1,
     77, "\"a\""},
    {"platform.json",
     "{\"user_agent\": \"x\", \"content_type\": \"y\", \"headers\": {},\n \"environments\": []}", 2, 18,
     "list of names"},
    {"platform.json", "{\"user_agent\": \"x\", \"content_type\": \"y\",\n \"environments\": [\"a\"]}", 1, 1,
     "\"headers\" is missing"},
    {"platform.json", "[1]", 1, 1, "\"user_agent\""},
    {"platform.json",
     "{\"user_agent\": \"x\\ny\", \"content_type\": \"y\", \"headers\": {}, \"environments\": [\"a\"]}", 1,
     16, "control characters"},
    {"platform.json",
     "{\"user_agent\": \"x\", \"content_type\": \"y\", \"headers\": {}, \"environments\": [\"a\", "
     "\"b\\r\\nX: y\"]}",
     1, 79, "no name of an environment"},
    {"platform.json",
     "{\"user_agent\": \"x\", \"content_type\": \"y\", \"headers\":\n{\"Host\": \"x\"}, \"environments\": "
     "[\"a\"]}",
     2, 2, "cannot be sent"},
    {"platform.json",
     "{\"user_agent\": \"x\", \"content_type\": \"y\", \"headers\":\n{\"A\": \"{typ}\"}, \"environments\": "
     "[\"a\"]}",
     2, 7, "typ"},
    {"platform.json",
     "{\"user_agent\": \"x\", \"content_type\": \"y\", \"headers\":\n{\"A\": 5}, \"environments\": [\"a\"]}",
     2, 7, "must be a text"},
    {"platform.json",
     "{\"deadline\": \"0\", \"user_agent\": \"x\", \"content_type\": \"y\", \"headers\": {}, "
     "\"environments\": [\"a\"]}",
     1, 14, "leaves no time"},
    {"platform.json",
     "{\"deadline\": 5, \"user_agent\": \"x\", \"content_type\": \"y\", \"headers\": {}, \"environments\": "
     "[\"a\"]}",
     1, 14, "\"deadline\" is no duration"},
    {"platform.json",
     "{\"deadline\": \"999999d\", \"user_agent\": \"x\", \"content_type\": \"y\", \"headers\": {}, "
     "\"environments\": [\"a\"]}",
     1, 14, "\"deadline\" is no duration"},
    {"platform.json",
     "{\"retry\": {\"attempts\": 0, \"factor\": 0.5, \"jitter\": \"some\"}, \"user_agent\": \"x\", "
     "\"content_type\": \"y\", "
     "\"headers\": {}, \"environments\": [\"a\"]}",
     1, 24, "attempts is out of range"},
    {"platfrom.json", "{}", 0, 0, "no file of a catalogue"},
};

static void each_fault_has_its_place(void **state)
{
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct place place;
        struct e8_errs errs;
        place_make(&place);
        place_put(&place, table[i].file, table[i].text);
        load_bad(place.path, &errs);
        missing += !has_error(&errs, table[i].file, table[i].line, table[i].col, table[i].what);
        e8_errs_fini(&errs);
        place_remove(&place);
    }
    assert_int_equal(missing, 0);
}

static void all_faults_are_told_and_each_once(void **state)
{
    struct place place;
    struct e8_errs errs;
    (void)state;
    place_make(&place);
    place_put(&place, "envelope.json", "{\"a\": \"{{event.x}}\", \"data\": \"{{event.data}}\"}");
    place_put(&place, "events/message.sent.json", "{\"a\": \"{{$q}}\", \"b\": \"{{$r}}\"}");
    place_put(&place, "events/agent.error.json", "{\"c\": \"{{$s}}\"}");
    place_put(&place, "words/tags.json", "[");
    place_put(&place, "platform.json", "{\"user_agent\": 1, \"headers\": [], \"retry\": {\"factor\": 0}}");
    load_bad(place.path, &errs);
    expect_error(&errs, "envelope.json", 1, 7, "event.x");
    expect_error(&errs, "message.sent.json", 1, 7, "$q");
    expect_error(&errs, "message.sent.json", 1, 22, "$r");
    expect_error(&errs, "agent.error.json", 1, 7, "$s");
    expect_error(&errs, "tags.json", 1, 2, "");
    expect_error(&errs, "platform.json", 1, 16, "user_agent");
    expect_error(&errs, "platform.json", 1, 1, "content_type");
    expect_error(&errs, "platform.json", 1, 30, "headers");
    expect_error(&errs, "platform.json", 1, 54, "factor");
    expect_error(&errs, "platform.json", 1, 1, "environments");
    for (size_t i = 0; i < errs.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (errs.list[i].line && errs.list[i].line == errs.list[j].line &&
                errs.list[i].col == errs.list[j].col && strcmp(errs.list[i].file, errs.list[j].file) == 0 &&
                strcmp(errs.list[i].what, errs.list[j].what) == 0) {
                print_errors(&errs);
                fail_msg("told twice: %s", errs.list[i].what);
            }
        }
    }
    assert_int_equal(e8_errs_distinct(&errs), errs.count);
    e8_errs_fini(&errs);
    place_remove(&place);
}

/* A fault of a list of names is told; that the names are missing is not, a hundred times. */
static void faults_of_names_are_told_alone(void **state)
{
    static const struct {
        const char *file, *text;
    } bad[] = {
        {"entities.json", "{\"user\": "},
        {"entities.json", "[]"},
        {"entities.json", "{\"user\": {\"id\": \"{{user.nmae}}\", \"name\": \"x\"}}"},
        {"entities.json", "{\"user\": {\"$scope\": \"rnu\", \"id\": \"x\"}}"},
        {"entities.json", "{\"user\": 5}"},
        {"placeholders.json", "{\"$x\": 1,}"},
        {"placeholders.json", "5"},
        {"placeholders.json", "{\"$x\": \"{{$x}}\"}"},
        {"placeholders.json", "{\"x\": 1}"},
        {"words/tags.json", "["},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        struct place place;
        struct e8_errs errs;
        place_make(&place);
        place_put(&place, bad[i].file, bad[i].text);
        place_put(&place, "events/message.sent.json", "{\"a\": \"{{event.idd}} {{$hex x}}\"}");
        load_bad(place.path, &errs);
        expect_error(&errs, "message.sent.json", 1, 7, "event.idd");
        expect_error(&errs, "message.sent.json", 1, 7, "whole number");
        if (e8_errs_distinct(&errs) != 3) {
            print_errors(&errs);
            fail_msg("%s: %zu faults", bad[i].text, e8_errs_distinct(&errs));
        }
        e8_errs_fini(&errs);
        place_remove(&place);
    }
}

/* What is too large or too deep is a payload, though it is compiled with the envelope around it. */
static void limits_point_into_the_payload(void **state)
{
    struct e8_buf text;
    struct e8_errs errs;
    struct place place;
    (void)state;
    place_make(&place);
    e8_buf_init(&text, 4 << 20);
    e8_buf_puts(&text, "{\"a\": 1,\n \"b\": \"");
    for (int i = 0; i < 200000; i++) {
        e8_buf_puts(&text, "0123456789abcdef");
    }
    e8_buf_puts(&text, "\"}");
    place_put(&place, "events/message.sent.json", e8_buf_cstr(&text));
    e8_buf_reset(&text);
    e8_buf_puts(&text, "{\"a\": [1],\n \"b\": ");
    for (int i = 0; i < 126; i++) {
        e8_buf_putc(&text, i < 63 ? '[' : ']');
    }
    e8_buf_putc(&text, '}');
    place_put(&place, "events/agent.error.json", e8_buf_cstr(&text));
    place_put(&place, "events/agent.deployed.json",
              "{\"a\": {\"{{$repeat 64}}\": {\"{{$repeat 64}}\": \"{{$hex 300}}{{$hex 300}}\"}}}");
    load_bad(place.path, &errs);
    expect_error(&errs, "events/message.sent.json", 2, 7, "larger than 2097152 bytes");
    expect_error(&errs, "events/agent.error.json", 2, 69, "nested too deeply");
    expect_error(&errs, "events/agent.deployed.json", 1, 7, "larger than 2097152 bytes");
    assert_int_equal(errs.total, 3);
    e8_buf_fini(&text);
    e8_errs_fini(&errs);
    place_remove(&place);
}

static void a_new_type_needs_its_files(void **state)
{
    struct place place;
    struct e8_errs errs;
    (void)state;
    place_make(&place);
    place_put(&place, "catalog.json",
              "{\"types\": [{\"type\": \"a.b\", \"category\": \"a\", \"description\": \"d\"}]}");
    load_bad(place.path, &errs);
    expect_error(&errs, "events/a.b.json", 0, 0, "missing");
    expect_error(&errs, "schemas/a.b.json", 0, 0, "missing");
    e8_errs_fini(&errs);
    place_remove(&place);
}

static void what_is_no_directory_is_refused(void **state)
{
    struct place place;
    struct e8_errs errs;
    char path[128];
    (void)state;
    place_make(&place);
    load_bad(place.path, &errs);
    expect_error(&errs, place.path, 0, 0, "no fixture files");
    e8_errs_fini(&errs);
    load_bad("/nonexistent/e8", &errs);
    expect_error(&errs, "/nonexistent/e8", 0, 0, "No such file");
    e8_errs_fini(&errs);
    place_put(&place, "events", "a file");
    snprintf(path, sizeof path, "%s/events", place.path);
    load_bad(path, &errs);
    expect_error(&errs, "/events", 0, 0, "not a directory");
    e8_errs_fini(&errs);
    load_bad(place.path, &errs); /* a folder that cannot be read is not taken for an absent one */
    expect_error(&errs, "/events/", 0, 0, "Not a directory");
    e8_errs_fini(&errs);
    place_remove(&place);
}

static void a_directory_or_fifo_is_no_file(void **state)
{
    struct place place;
    struct e8_errs errs;
    char path[128];
    (void)state;
    place_make(&place);
    place_put(&place, "words/x.json", "[1]");
    snprintf(path, sizeof path, "%s/catalog.json", place.path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/platform.json", place.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    load_bad(place.path, &errs);
    expect_error(&errs, "/catalog.json", 0, 0, "");
    expect_error(&errs, "/platform.json", 0, 0, "");
    e8_errs_fini(&errs);
    place_remove(&place);
}

static void check_bad(struct place *place, struct e8_errs *errs)
{
    struct e8_catalog *c = NULL;
    e8_errs_init(errs);
    if (e8_catalog_load(place->path, &c, errs)) {
        print_errors(errs);
    }
    assert_non_null(c);
    assert_int_equal(e8_catalog_check(c, 5, errs), E8_INPUT);
    e8_catalog_free(&c);
}

static void schemas_have_places_too(void **state)
{
    struct place place;
    struct e8_errs errs;
    (void)state;
    place_make(&place);
    place_put(&place, "schemas/message.sent.json", "{\n \"type\": \"object\",\n \"propreties\": {}\n}");
    place_put(&place, "schemas/agent.error.json", "{\"type\": }");
    place_put(&place, "events/agent.deployed.json", "{\"a\": 1}");
    check_bad(&place, &errs);
    expect_error(&errs, "schemas/message.sent.json", 3, 2, "propreties");
    expect_error(&errs, "schemas/agent.error.json", 1, 10, "");
    expect_error(&errs, "events/agent.deployed.json", 0, 0, "rendered event 0");
    assert_int_equal(errs.total, 3);
    e8_errs_fini(&errs);
    place_remove(&place);
}

int test_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_place),       cmocka_unit_test(all_faults_are_told_and_each_once),
        cmocka_unit_test(a_new_type_needs_its_files),     cmocka_unit_test(what_is_no_directory_is_refused),
        cmocka_unit_test(faults_of_names_are_told_alone), cmocka_unit_test(limits_point_into_the_payload),
        cmocka_unit_test(a_directory_or_fifo_is_no_file), cmocka_unit_test(schemas_have_places_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
