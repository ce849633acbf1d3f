#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "tests.h"

/* Both ways of HTTP/1.1 are tested; what does not go out as usual is libcurl's alone. */
static const struct {
    const char *name;
    int (*run)(void);
    bool curl_alone;
} groups[] = {
    {"allow", run_allow, false},     {"classify", run_classify, false}, {"outcomes", run_outcomes, false},
    {"connect", run_connect, false}, {"loop", run_loop, false},         {"tls", run_tls, false},
    {"rules", run_rules, false},     {"batch", run_batch, false},       {"wire", run_wire, true},
    {"hold", run_hold, true},
};

int main(int argc, char **argv)
{
    struct e8_err err = {0};
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sem_init(&interpose_name_hold, 0, 0);
    sem_init(&interpose_name_held, 0, 0);
    if (e8_transport_init(&err)) {
        e8_err_print(&err, stderr);
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "1.1") == 0) {
        client_http = E8_HTTP_11;
        argc--;
        argv++;
    }
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        bool wanted = argc < 2 || strcmp(argv[1], groups[i].name) == 0;
        if (wanted && (client_http == E8_HTTP_11 || !groups[i].curl_alone))
            failed += groups[i].run();
    }
    return failed != 0;
}
