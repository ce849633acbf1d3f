#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "match/match.h"

static void valid_patterns(void **state)
{
    (void)state;
    static const char *const good[] = {"*", "message.received", "conversation.*", "a.b.*", "ping", "a_1-x.b"};
    static const char *const bad[] = {"",     "**",   ".*",         "*.*",  "a.*.b", "a*",
                                      "a.b*", ".a",   "a.",         "a..b", "A.b",   "a.*.*",
                                      "a b",  "a.\n", "\xc3\xa4.b", "*.a",  "a..*"};

    for (size_t i = 0; i < E8_COUNT(good); i++)
        assert_true(e8_pattern_valid(e8_str(good[i])));
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        assert_false(e8_pattern_valid(e8_str(bad[i])));
    assert_false(e8_pattern_valid((struct e8_str){NULL, 0}));
}

/* A slice ends where it says, whatever stands behind it. */
static void slices_end_where_they_say(void **state)
{
    (void)state;
    assert_true(e8_pattern_valid((struct e8_str){"a.bX", 3}));
    assert_true(e8_pattern_valid((struct e8_str){"a.*.b", 3}));
    assert_true(e8_pattern_matches((struct e8_str){"a.*.b", 3}, (struct e8_str){"a.bcd", 3}));
    assert_false(e8_pattern_matches((struct e8_str){"a.b", 3}, (struct e8_str){"a.bcd", 4}));
}

/* On the heap, where a sanitizer sees a look before or behind it. */
static void the_shortest_patterns_are_read_within_bounds(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        char *p = e8_new(n, 1);
        memcpy(p, &"a.*"[3 - n], n);
        assert_int_equal(e8_pattern_valid((struct e8_str){p, n}), n != 2);
        p[0] = 'a';
        e8_pattern_matches((struct e8_str){p, n}, (struct e8_str){p, n});
        free(p);
    }
}

static bool matches(const char *pattern, const char *type)
{
    return e8_pattern_matches(e8_str(pattern), e8_str(type));
}

static void patterns_match_types(void **state)
{
    (void)state;
    assert_true(matches("*", "message.received"));
    assert_true(matches("message.received", "message.received"));
    assert_true(matches("conversation.*", "conversation.created"));
    assert_true(matches("conversation.*", "conversation.note.added"));
    assert_true(matches("a.b.*", "a.b.c"));

    assert_false(matches("message.received", "message.receive"));
    assert_false(matches("message.received", "message.received.x"));
    assert_false(matches("message.received", "Message.received"));
    assert_false(matches("conversation.*", "conversation"));
    assert_false(matches("conversation.*", "conversation."));
    assert_false(matches("conversation.*", "conversations.created"));
    assert_false(matches("conversation.*", "x.conversation.created"));
    assert_false(matches("a.b.*", "a.c.b"));
    assert_false(matches("", ""));
}

static bool takes(const char *const *patterns, const char *const *environments, const char *type,
                  const char *where)
{
    struct e8_subscription subscription = {patterns, environments};
    return e8_subscription_takes(&subscription, e8_str(type), e8_str(where));
}

static void subscriptions_take(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    const char *const some[] = {"message.received", "agent.*", NULL};
    const char *const live[] = {"production", "staging", NULL};

    assert_true(takes(NULL, NULL, "a.b", "production"));
    assert_true(takes(none, none, "a.b", "production"));
    assert_true(takes(some, NULL, "agent.error", "development"));
    assert_true(takes(some, live, "message.received", "staging"));
    assert_true(takes(NULL, live, "a.b", "production"));
    assert_false(takes(some, NULL, "message.sent", "production"));
    assert_false(takes(some, live, "agent.error", "development"));
    assert_false(takes(NULL, live, "a.b", "prod"));
    assert_false(takes(NULL, live, "a.b", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_patterns),
        cmocka_unit_test(slices_end_where_they_say),
        cmocka_unit_test(the_shortest_patterns_are_read_within_bounds),
        cmocka_unit_test(patterns_match_types),
        cmocka_unit_test(subscriptions_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
