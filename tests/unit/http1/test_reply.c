/* Responses, each parsed whole, byte by byte and at every split: the result must be the same. */
#include "cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http1/reply.h"

#define H200    "HTTP/1.1 200 OK\r\n"
#define CHUNKED H200 "Transfer-Encoding: chunked\r\n\r\n"
#define INTERIM "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        (literal), sizeof(literal) - 1                                                                       \
    }

struct row {
    struct e8_str text;
    enum e8_reply_state state;
    enum e8_reply_fault fault;
    int status;
    const char *body;
    bool persistent;
    size_t left_over; /* bytes behind the response */
};

static const struct row rows[] = {
    {TEXT(H200 "Content-Length: 2\r\n\r\nok"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "ok", true, 0},
    {TEXT(H200 "content-LENGTH :\t2 \r\n\r\nokmore"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "ok", true, 4},
    {TEXT("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "ok", true, 0},
    {TEXT("HTTP/1.1 204\r\n\r\n"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 204, "", true, 0},
    {TEXT("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 304, "", true, 0},
    {TEXT(H200 "Connection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n"), E8_REPLY_WHOLE, E8_REPLY_GOOD,
     200, "", false, 0},
    {TEXT("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "", false, 0},
    {TEXT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), E8_REPLY_WHOLE,
     E8_REPLY_GOOD, 200, "", true, 0},
    {TEXT(INTERIM INTERIM H200 "Content-Length: 1\r\n\r\nx"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "x", true,
     0},
    {TEXT(CHUNKED "2;a=b\r\nok\r\n1 \r\n!\r\n0\r\nX: y\r\n\r\n"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "ok!",
     true, 0},
    {TEXT(H200 "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"), E8_REPLY_WHOLE, E8_REPLY_GOOD,
     200, "x", true, 0},
    {TEXT(H200 "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), E8_REPLY_WHOLE,
     E8_REPLY_GOOD, 200, "x", true, 0},
    {TEXT(H200 "X: a\r\n folded: b\r\nContent-Length: 0\r\n\r\n"), E8_REPLY_WHOLE, E8_REPLY_GOOD, 200, "",
     true, 0},
    {TEXT(H200 "Content-Length: 9\r\n\r\nok"), E8_REPLY_BODY, E8_REPLY_GOOD, 200, "ok", true, 0},
    {TEXT(H200 "\r\nuntil the end"), E8_REPLY_BODY, E8_REPLY_GOOD, 200, "until the end", false, 0},
    {TEXT(CHUNKED "3\r\nok"), E8_REPLY_CHUNK, E8_REPLY_GOOD, 200, "ok", true, 0},
    {TEXT(CHUNKED "2\r\nok\r"), E8_REPLY_CHUNK_END, E8_REPLY_GOOD, 200, "ok", true, 0},
    {TEXT(H200 "Content-Length: 2\r\n"), E8_REPLY_FIELDS, E8_REPLY_GOOD, 200, "", true, 0},
    {TEXT("HTTP/1.1 20"), E8_REPLY_STATUS, E8_REPLY_GOOD, 0, "", false, 0},
    {TEXT(INTERIM), E8_REPLY_STATUS, E8_REPLY_GOOD, 0, "", true, 0},
    {TEXT(""), E8_REPLY_STATUS, E8_REPLY_GOOD, 0, "", false, 0},
    {TEXT("HTTX"), E8_REPLY_BROKEN, E8_REPLY_NOT_HTTP, 0, "", false, 0},
    {TEXT("\r\nHTTP/1.1 200 OK\r\n"), E8_REPLY_BROKEN, E8_REPLY_NOT_HTTP, 0, "", false, 0},
    {TEXT("HTTP/1 200 OK\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_STATUS, 0, "", false, 0},
    {TEXT("HTTP/2.0 200 OK\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_STATUS, 0, "", false, 0},
    {TEXT("HTTP/1.1\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_STATUS, 0, "", false, 0},
    {TEXT("HTTP/1.1 2000 X\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_STATUS, 0, "", false, 0},
    {TEXT("HTTP/1.1 099 X\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_STATUS, 0, "", false, 0},
    {TEXT("HTTP/1.1 600 X\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_STATUS, 600, "", true, 0},
    {TEXT("HTTP/1.1 101 X\r\n"), E8_REPLY_BROKEN, E8_REPLY_UPGRADED, 101, "", true, 0},
    {TEXT(H200 "no colon\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_HEADER, 200, "", true, 0},
    {TEXT(H200 "X: a\0b\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_HEADER, 200, "", true, 0},
    {TEXT(H200 "Content-Length: 1\r\nContent-Length: 1\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "",
     true, 0},
    {TEXT(H200 "Content-Length: 0x1\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true, 0},
    {TEXT(H200 "Content-Length: 9223372036854775808\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "",
     true, 0},
    {TEXT(H200 "Transfer-Encoding: gzip, chunked\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true,
     0},
    {TEXT(CHUNKED "\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true, 0},
    {TEXT(CHUNKED "g\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true, 0},
    {TEXT(CHUNKED "-1\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true, 0},
    {TEXT(CHUNKED "8000000000000000\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true, 0},
    {TEXT(CHUNKED "00000000000000001\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "", true, 0},
    {TEXT(CHUNKED "2\r\nokx"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "ok", true, 0},
    {TEXT(CHUNKED "2\r\nok\rx"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "ok", true, 0},
    {TEXT(CHUNKED "2\r\nok\r\r\n"), E8_REPLY_BROKEN, E8_REPLY_BAD_FRAMING, 200, "ok", true, 0},
};

struct parsed {
    struct e8_reply reply;
    struct e8_buf head, content, fields;
    size_t taken;
};

static void on_field(void *state, struct e8_str name, struct e8_str value)
{
    struct e8_buf *fields = state;
    e8_buf_printf(fields, "%.*s=%.*s\n", E8_STR(name), E8_STR(value));
}

static void begin(struct parsed *p, uint64_t most)
{
    memset(p, 0, sizeof *p);
    e8_reply_init(&p->reply);
    e8_reply_reset(&p->reply, false, most);
    e8_buf_init(&p->head, SIZE_MAX);
    e8_buf_init(&p->content, SIZE_MAX);
    e8_buf_init(&p->fields, SIZE_MAX);
}

static void end(struct parsed *p)
{
    e8_reply_fini(&p->reply);
    e8_buf_fini(&p->head);
    e8_buf_fini(&p->content);
    e8_buf_fini(&p->fields);
}

/* On memory of its own, so that a byte too far is seen. */
static void feed(struct parsed *p, const char *bytes, size_t n)
{
    const struct e8_reply_taker taker = {on_field, &p->fields, &p->head, &p->content};
    char *copy = malloc(n + !n);
    memcpy(copy, bytes, n);
    size_t taken = e8_reply_feed(&p->reply, copy, n, &taker);
    assert_true(taken <= n);
    assert_true(taken == n || p->reply.state >= E8_REPLY_WHOLE);
    p->taken += taken;
    free(copy);
}

static void check(const struct row *row, const struct parsed *p)
{
    const struct e8_reply *r = &p->reply;
    if (r->state != row->state || r->fault != row->fault)
        print_error("%.*s: state %d, fault %d (%s)\n", E8_STR(row->text), (int)r->state, (int)r->fault,
                    r->why ? r->why : "");
    assert_int_equal(r->state, row->state);
    assert_int_equal(r->fault, row->fault);
    assert_int_equal(r->why != NULL, r->fault != E8_REPLY_GOOD);
    assert_int_equal(r->status, row->status);
    assert_true(e8_str_is(e8_buf_str(&p->content), row->body));
    assert_int_equal(r->body, strlen(row->body));
    if (row->state == E8_REPLY_WHOLE) {
        assert_int_equal(r->persistent, row->persistent);
        assert_int_equal(p->taken, row->text.n - row->left_over);
        assert_false(e8_str_starts(e8_buf_str(&p->fields), "Retry-After")); /* of an interim response */
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct parsed p;
        for (size_t split = 0; split <= rows[i].text.n; split++) {
            begin(&p, 1000);
            feed(&p, rows[i].text.p, split);
            if (p.taken == split)
                feed(&p, rows[i].text.p + split, rows[i].text.n - split);
            check(&rows[i], &p);
            end(&p);
        }
        begin(&p, 1000);
        for (size_t at = 0; at < rows[i].text.n && p.reply.state < E8_REPLY_WHOLE; at++)
            feed(&p, rows[i].text.p + at, 1);
        check(&rows[i], &p);
        end(&p);
    }
}

static void test_fields_and_head(void **state)
{
    (void)state;
    static const char head[] = H200 "Server: x \r\nContent-Length: 0\r\nRetry-After:7\r\nEmpty:\r\n\r\n";
    struct parsed p;
    begin(&p, 0);
    feed(&p, INTERIM, sizeof INTERIM - 1);
    feed(&p, head, sizeof head - 1);
    assert_string_equal(e8_buf_cstr(&p.fields), "Server=x\nRetry-After=7\nEmpty=\n");
    assert_string_equal(e8_buf_cstr(&p.head), head);
    assert_int_equal(p.reply.version, 11);
    assert_int_equal(p.reply.interims, 1);
    end(&p);
}

static void test_interims(void **state)
{
    (void)state;
    struct parsed p;
    begin(&p, 0);
    for (unsigned i = 0; i < E8_REPLY_INTERIM_MAX; i++)
        feed(&p, INTERIM, sizeof INTERIM - 1);
    assert_int_equal(p.reply.state, E8_REPLY_STATUS);
    feed(&p, INTERIM, sizeof INTERIM - 1);
    assert_int_equal(p.reply.fault, E8_REPLY_TOO_MANY_INTERIM);
    assert_int_equal(p.reply.status, 0);
    end(&p);
}

static void test_bodiless(void **state)
{
    (void)state;
    struct parsed p;
    begin(&p, 100);
    e8_reply_reset(&p.reply, true, 100);
    feed(&p, H200 "Content-Length: 5\r\n\r\n", sizeof H200 "Content-Length: 5\r\n\r\n" - 1);
    assert_int_equal(p.reply.state, E8_REPLY_WHOLE);
    end(&p);
}

/* At the limit it is whole, one byte more and it is capped. */
static void test_cap(void **state)
{
    (void)state;
    static const char texts[][64] = {H200 "Content-Length: 5\r\n\r\n12345", H200 "\r\n12345",
                                     CHUNKED "5\r\n12345\r\n0\r\n\r\n"};
    for (size_t i = 0; i < E8_COUNT(texts); i++) {
        for (uint64_t most = 4; most <= 5; most++) {
            struct parsed p;
            begin(&p, most);
            feed(&p, texts[i], strlen(texts[i]));
            e8_reply_eof(&p.reply);
            assert_int_equal(p.reply.state, most == 4 ? E8_REPLY_CAPPED : E8_REPLY_WHOLE);
            end(&p);
        }
    }
}

/* Only what lasts until the end of the connection is made whole by that. */
static void test_eof(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct parsed p;
        begin(&p, 1000);
        feed(&p, rows[i].text.p, rows[i].text.n);
        e8_reply_eof(&p.reply);
        bool unmeasured = strcmp(rows[i].body, "until the end") == 0;
        assert_int_equal(p.reply.state, unmeasured ? E8_REPLY_WHOLE : rows[i].state);
        end(&p);
    }
}

static void feed_many(struct parsed *p, const char *text, size_t times)
{
    for (size_t i = 0; i < times && p->reply.state < E8_REPLY_WHOLE; i++)
        feed(p, text, strlen(text));
}

static void test_limits(void **state)
{
    (void)state;
    struct parsed p;
    begin(&p, 0);
    feed(&p, H200 "X: ", sizeof H200 "X: " - 1);
    feed_many(&p, "0123456789", E8_REPLY_LINE_MAX / 10 + 1);
    assert_int_equal(p.reply.fault, E8_REPLY_BAD_HEADER);
    assert_int_equal(p.reply.status, 200);
    end(&p);
    begin(&p, 0);
    feed(&p, H200, sizeof H200 - 1);
    feed_many(&p, "X: 0123456789\r\n", E8_REPLY_HEAD_MAX / 15 + 1);
    assert_int_equal(p.reply.fault, E8_REPLY_BAD_HEADER);
    assert_true(p.reply.line.cap <= E8_REPLY_LINE_MAX + 1);
    end(&p);
    begin(&p, UINT64_MAX);
    static const char chunked[] = H200 "Transfer-Encoding: chunked\r\n\r\n";
    feed(&p, chunked, sizeof chunked - 1);
    feed_many(&p, "1\r\nx\r\n", E8_REPLY_HEAD_MAX); /* many small ones are no fault */
    assert_int_equal(p.reply.state, E8_REPLY_CHUNK_SIZE);
    feed_many(&p, "1;name=0123456789\r\nx\r\n", E8_REPLY_HEAD_MAX / 16 + 1);
    assert_int_equal(p.reply.fault, E8_REPLY_BAD_FRAMING);
    end(&p);
}

/* One object for many responses. */
static void test_again(void **state)
{
    (void)state;
    struct parsed p;
    begin(&p, 1000);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        e8_reply_reset(&p.reply, false, 1000);
        e8_buf_reset(&p.content);
        e8_buf_reset(&p.fields);
        p.taken = 0;
        feed(&p, rows[i].text.p, rows[i].text.n);
        check(&rows[i], &p);
    }
    end(&p);
}

/* Of a head that is known the rest is read as ever: what follows it, and whatever the bytes' split. Plain ones are known. */
static void test_memo(void **state)
{
    (void)state;
    struct e8_reply_memo memo = {.n = 0};
    size_t known = 0;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        const struct e8_str text = rows[i].text;
        struct parsed p;
        begin(&p, 1000);
        assert_int_equal(e8_reply_recall(&p.reply, &memo, text.p, text.n) > 0,
                         memo.n && text.n >= memo.n && memcmp(memo.head, text.p, memo.n) == 0);
        end(&p);
        memo.n = 0;
        begin(&p, 1000);
        feed(&p, text.p, text.n);
        e8_reply_remember(&memo, &p.reply, text.p, text.n);
        end(&p);
        for (size_t split = memo.n; memo.n && split <= text.n; split++) {
            begin(&p, 1000);
            p.taken = e8_reply_recall(&p.reply, &memo, text.p, split);
            assert_int_equal(p.taken, memo.n);
            if (p.reply.state < E8_REPLY_WHOLE)
                feed(&p, text.p + memo.n, split - memo.n);
            if (p.taken == split)
                feed(&p, text.p + split, text.n - split);
            check(&rows[i], &p);
            end(&p);
        }
        known += memo.n > 0;
    }
    assert_int_equal(known, 9);
}

int test_replies(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_fields_and_head),
        cmocka_unit_test(test_interims), cmocka_unit_test(test_bodiless),
        cmocka_unit_test(test_cap),      cmocka_unit_test(test_eof),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_again),
        cmocka_unit_test(test_memo),
    };
    return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
