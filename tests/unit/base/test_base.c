#include "groups.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct e8_str flush_copy(const void *bytes, size_t n)
{
    char *copy = malloc(n);
    assert_true(copy || n == 0);
    if (n > 0)
        memcpy(copy, bytes, n);
    return (struct e8_str){copy, n};
}

int in_child(void work(void *), void *arg, char *said, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        work(arg);
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while (n + 1 < size && (got = read(ends[0], said + n, size - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

int main(void)
{
    static int (*const groups[])(void) = {
        test_assert, test_str,   test_timers, test_buf,  test_mem,  test_err,
        test_units,  test_clock, test_rng,    test_ring, test_file,
    };
    int failures = 0;
    for (size_t i = 0; i < E8_COUNT(groups); i++)
        failures += groups[i]();
    return failures ? 1 : 0;
}
