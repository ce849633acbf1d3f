#include <unistd.h>

#include "tests.h"

static struct e8_catalog *loaded;
static char directory[] = "/tmp/e8-unit-check-XXXXXX";
static char path[256];

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

struct e8_check_options options(const char *scheme)
{
    return (struct e8_check_options){
        .scenario = {.to = TARGET, .secret = SECRET, .seed_given = true, .seed = 7},
        .scheme = e8_schemes_find(e8_catalog_schemes(catalog()), scheme),
        .deadline = 5 * E8_NS_S,
    };
}

struct e8_check *load(const struct e8_check_options *given)
{
    struct e8_check *check = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (e8_check_load(catalog(), given, &check, &errs)) {
        e8_errs_print(&errs, stderr);
        fail_msg("the checks do not load");
    }
    e8_errs_fini(&errs);
    return check;
}

const char *written(const char *name, const char *text)
{
    struct e8_buf out;
    struct e8_err err = {0};
    e8_buf_fixed(&out, path, sizeof path - 1);
    e8_buf_printf(&out, "%s/%s", directory, name);
    assert_int_equal(e8_file_write(e8_buf_cstr(&out), e8_str(text), &err), E8_OK);
    return path;
}

const struct e8_result *result(const struct e8_results *results, const char *id)
{
    for (size_t i = 0; i < results->count; i++) {
        if (strcmp(results->list[i].id, id) == 0) {
            return &results->list[i];
        }
    }
    return NULL;
}

const struct e8_flow *flow(struct e8_check *check, const char *id)
{
    const struct e8_plan *plan = e8_check_plan(check);
    for (size_t i = 0; i < plan->flow_count; i++) {
        if (strcmp(plan->flows[i].name, id) == 0) {
            return &plan->flows[i];
        }
    }
    fail_msg("there is no flow %s", id);
    return NULL;
}

int main(void)
{
    if (!mkdtemp(directory)) {
        return 1;
    }
    int failed = test_lint() + test_load() + test_choose() + test_profile() + test_collect();
    if (path[0]) {
        unlink(path);
    }
    rmdir(directory);
    e8_catalog_free(&loaded);
    return failed != 0;
}
