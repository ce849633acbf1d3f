#include "tests.h"

int main(void)
{
    return run_open_tests() + run_write_tests() + run_read_tests() + run_query_tests() + run_crash_tests() +
           run_spool_tests() + run_done_tests() + run_gather_tests() + run_bench();
}
