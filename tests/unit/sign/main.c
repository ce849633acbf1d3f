#include "cases.h"

int main(void)
{
    return test_schemes() + test_signing() + test_verifying() + test_explaining();
}
