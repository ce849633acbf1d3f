#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "tests.h"

static const struct {
    const char *name;
    int (*run)(void);
} groups[] = {
    {"allow", run_allow},     {"classify", run_classify}, {"outcomes", run_outcomes},
    {"connect", run_connect}, {"loop", run_loop},         {"tls", run_tls},
    {"rules", run_rules},     {"wire", run_wire},         {"hold", run_hold},
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
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (argc < 2 || strcmp(argv[1], groups[i].name) == 0)
            failed += groups[i].run();
    }
    return failed != 0;
}
