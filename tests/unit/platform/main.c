#include "api.h"
#include "guard.h"
#include "store.h"

int main(void)
{
    return run_store_tests() + run_guard_tests() + run_live_tests() + run_metrics_tests() + run_api_tests();
}
