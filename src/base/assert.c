#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void e8_assert_fail(const char *what, const char *file, int line, const char *func)
{
    fprintf(stderr, "emit8: bug: %s:%d: %s: does not hold: %s\n", file, line, func, what);
    abort();
}
