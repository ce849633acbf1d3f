/* Assertions that are always on: a broken one is a bug of emit8, never of its input. */
#ifndef E8_BASE_ASSERT_H
#define E8_BASE_ASSERT_H

/* Says what does not hold and where on stderr, and aborts. */
_Noreturn void e8_assert_fail(const char *what, const char *file, int line, const char *func);

#define E8_ASSERT(cond)  ((cond) ? (void)0 : e8_assert_fail(#cond, __FILE__, __LINE__, __func__))
#define E8_UNREACHABLE() e8_assert_fail("unreachable", __FILE__, __LINE__, __func__)

/* Every object that travels as a void pointer begins with `unsigned magic`; callbacks check it first. */
#define E8_CHECK_MAGIC(object, value) E8_ASSERT((object) && (object)->magic == (value))

#define E8_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
