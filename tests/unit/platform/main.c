#include "store.h"

int main(void)
{
    return run_store_tests();
}
