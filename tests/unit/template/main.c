#include <stdlib.h>
#include <string.h>

#include "world.h"

int main(void)
{
    struct group {
        const struct CMUnitTest *tests;
        size_t count;
    } groups[] = {
        {value_tests, value_test_count}, {string_tests, string_test_count}, {entity_tests, entity_test_count},
        {error_tests, error_test_count}, {limit_tests, limit_test_count},   {memo_tests, memo_test_count},
    };
    size_t total = 0, n = 0;

    for (size_t i = 0; i < E8_COUNT(groups); i++)
        total += groups[i].count;
    struct CMUnitTest *all = calloc(total, sizeof(*all));
    assert_non_null(all);
    for (size_t i = 0; i < E8_COUNT(groups); n += groups[i++].count)
        memcpy(all + n, groups[i].tests, groups[i].count * sizeof(*all));
    int failed = _cmocka_run_group_tests("template", all, total, NULL, NULL);
    free(all);
    return failed != 0;
}
