#include <stdio.h>

#include "tests.h"

static struct e8_catalog *loaded;

const struct e8_catalog *catalog(void)
{
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (!loaded && e8_catalog_load(NULL, &loaded, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    e8_errs_fini(&errs);
    assert_non_null(loaded);
    return loaded;
}

const char *variable(const char *name)
{
    return strcmp(name, "A") == 0        ? "alpha"
           : strcmp(name, "URL") == 0    ? "http://127.0.0.1:7/env"
           : strcmp(name, "SECRET") == 0 ? SECRET
           : strcmp(name, "EMPTY") == 0  ? ""
                                         : NULL;
}

struct e8_scenario_options defaults(void)
{
    return (struct e8_scenario_options){.getenv = variable, .seed_random = 99};
}

enum e8_rc read_from(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    const struct file *file = state;
    while (file->path && strcmp(file->path, path) != 0) {
        file++;
    }
    *out = e8_str(file->text);
    return file->path ? E8_OK : e8_fail(err, E8_INPUT, NULL, "cannot read %s", path);
}

struct e8_plan *plan_with(const char *text, const struct e8_scenario_options *options)
{
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (e8_plan_parse(catalog(), "s.yaml", e8_str(text), options, &plan, &errs)) {
        e8_errs_print(&errs, stderr);
        e8_errs_fini(&errs);
        fail_msg("not taken:\n%s", text);
    }
    assert_int_equal(errs.total, 0);
    e8_errs_fini(&errs);
    return plan;
}

struct e8_plan *plan_of(const char *text)
{
    struct e8_scenario_options options = defaults();
    return plan_with(text, &options);
}

int main(void)
{
    int failed = test_parse() + test_faults() + test_walk() + test_plan() + test_deliver() + test_steps() +
                 test_vars() + test_sources() + test_hidden() + test_secrets() + test_step_faults();
    e8_catalog_free(&loaded);
    return failed != 0;
}
