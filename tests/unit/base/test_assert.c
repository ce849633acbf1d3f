#include "groups.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct thing {
    unsigned magic;
};

static void break_assertion(void *arg)
{
    int *number = arg;
    E8_ASSERT(*number == 2);
}

static void check_magic(void *arg)
{
    struct thing *thing = arg;
    E8_CHECK_MAGIC(thing, 0x1234);
}

static void reach(void *arg)
{
    (void)arg;
    E8_UNREACHABLE();
}

static void assert_aborts(void work(void *), void *arg, const char *saying)
{
    char said[512];
    int status = in_child(work, arg, said, sizeof(said));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, saying));
    assert_non_null(strstr(said, "test_assert.c:"));
}

static void assertion_says_what_and_aborts(void **state)
{
    (void)state;
    int one = 1;
    assert_aborts(break_assertion, &one, "*number == 2");
    assert_aborts(reach, NULL, "unreachable");
}

static void assertion_that_holds_is_silent(void **state)
{
    (void)state;
    int two = 2;
    struct thing good = {0x1234};
    break_assertion(&two);
    check_magic(&good);
}

static void magic_is_checked(void **state)
{
    (void)state;
    struct thing wrong = {0x1235};
    assert_aborts(check_magic, &wrong, "magic");
    assert_aborts(check_magic, NULL, "magic");
}

int test_assert(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assertion_says_what_and_aborts),
        cmocka_unit_test(assertion_that_holds_is_silent),
        cmocka_unit_test(magic_is_checked),
    };
    return cmocka_run_group_tests_name("assert", tests, NULL, NULL);
}
