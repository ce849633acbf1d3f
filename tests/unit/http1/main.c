#include "cases.h"

int main(void)
{
    return test_headers() + test_urls() + test_requests() + test_replies();
}
