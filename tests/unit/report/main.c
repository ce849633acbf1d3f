#include "sample.h"

#include <stdlib.h>
#include <string.h>

/* CMOCKA_RUN_GROUP takes arrays whose size it knows. */
int main(void)
{
    const struct {
        const struct CMUnitTest *tests;
        size_t count;
    } groups[] = {{verdict_tests, verdict_count},
                  {expectation_tests, expectation_count},
                  {format_tests, format_count},
                  {text_tests, text_count},
                  {rows_tests, rows_count},
                  {live_tests, live_count},
                  {feedback_tests, feedback_count},
                  {curve_tests, curve_count},
                  {confidence_tests, confidence_count},
                  {course_tests, course_count},
                  {html_tests, html_count},
                  {diff_tests, diff_count}};
    size_t count = 0;
    struct CMUnitTest all[256];
    for (size_t i = 0; i < E8_COUNT(groups); i++) {
        E8_ASSERT(count + groups[i].count <= E8_COUNT(all));
        memcpy(&all[count], groups[i].tests, groups[i].count * sizeof(all[0]));
        count += groups[i].count;
    }
    return _cmocka_run_group_tests("report", all, count, NULL, NULL);
}
