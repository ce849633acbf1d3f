#include "cases.h"

int main(void)
{
    return test_parsing() + test_bodies() + test_requests();
}
