/* The test groups of the module, one per source file. Each returns the number of failed tests. */
#ifndef TESTS_UNIT_HTTP1_CASES_H
#define TESTS_UNIT_HTTP1_CASES_H

int test_headers(void);
int test_urls(void);
int test_requests(void);
int test_replies(void);

#endif
