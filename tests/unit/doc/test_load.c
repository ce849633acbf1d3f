/* Files. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doc_test.h"

static char dir[] = "/tmp/e8_doc_XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static const char *path_of(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static enum e8_rc load(const char *name, const char *content, struct e8_doc **doc, struct e8_err *err)
{
    const char *path = path_of(name);
    assert_int_equal(e8_file_write(path, e8_str(content), NULL), E8_OK);
    enum e8_rc rc = e8_doc_load(path, doc, err);
    unlink(path);
    return rc;
}

static void the_ending_says_the_language(void **state)
{
    (void)state;
    struct e8_doc *doc;
    struct e8_err err;
    assert_int_equal(load("a.yaml", "a: 1\n", &doc, &err), E8_OK);
    assert_string_equal(e8_doc_name(doc), path_of("a.yaml"));
    e8_doc_free(&doc);
    assert_int_equal(load("a.json", "{\"a\": 1}", &doc, &err), E8_OK);
    e8_doc_free(&doc);
    assert_int_equal(load("a.json", "a: 1\n", &doc, &err), E8_INPUT);
    assert_null(doc);
    assert_string_equal(err.file, path_of("a.json"));
    assert_int_equal(err.line, 1);
    assert_int_equal(err.col, 1);
    assert_int_equal(load("json", "a: 1\n", &doc, &err), E8_OK);
    e8_doc_free(&doc);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct e8_doc *doc;
    struct e8_err err;
    assert_int_equal(e8_doc_load(path_of("missing.yaml"), &doc, &err), E8_INPUT);
    assert_null(doc);
    assert_int_equal(e8_doc_load(dir, &doc, &err), E8_INPUT);
    assert_null(doc);
    const char *fifo = path_of("fifo.yaml");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(e8_doc_load(fifo, &doc, &err), E8_INPUT);
    unlink(fifo);
    assert_int_equal(load("empty.yaml", "", &doc, &err), E8_INPUT);
    assert_null(doc);
}

static void the_text_is_copied(void **state)
{
    (void)state;
    char text[] = "a: [plain, 'quoted']\n";
    struct e8_doc *doc;
    assert_int_equal(e8_doc_parse("file", e8_str(text), E8_DOC_YAML, &doc, NULL), E8_OK);
    memset(text, 'x', sizeof text - 1);
    assert_string_equal(json_of(e8_doc_root(doc)), "{\"a\":[\"plain\",\"quoted\"]}");
    e8_doc_free(&doc);
    e8_doc_free(&doc);
}

int run_load_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ending_says_the_language),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(the_text_is_copied),
    };
    return cmocka_run_group_tests_name("load", tests, make_dir, remove_dir);
}
