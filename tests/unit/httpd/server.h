/* The server that the tests talk to, and the groups of tests. */
#ifndef E8_TEST_SERVER_H
#define E8_TEST_SERVER_H

#include <stdatomic.h>

#include "httpd/httpd.h"

#define BODY_MAX ((size_t)1 << 20)

struct fixture {
    struct e8_httpd *httpd;
    const char *url;
    atomic_uint requests; /* to /echo */
    atomic_uint ticks;
};

/* POST /echo, any /info, GET /delay?for=, GET /fault?kind=&for=&empty, GET /big, and GET of any file under /files/ */
extern const struct e8_route routes[];

struct fixture start_on(const char *listen, unsigned connections); /* without /echo */
struct fixture *start(void);                                       /* freed by the caller */
int set_up(void **state);                                          /* start(), for cmocka */
int tear_down(void **state);

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Each returns the failures. */
int test_requests(void); /* what is read and answered */
int test_streams(void);
int test_wary(void); /* clients that mean harm */

#endif
