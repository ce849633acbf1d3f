/* The sink over real sockets: what it answers, counts, prints and keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../httpd/client.h"
#include "sink/receipt.h"
#include "sink/sink.h"
#include "tests.h"

static const char *const secret[] = {"a secret of the test, long enough"};
static const char *const whsec[] = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};

static struct e8_doc *schemes_doc;
static struct e8_schemes *schemes;

static int load_schemes(void **state)
{
    struct e8_errs errs;

    (void)state;
    e8_errs_init(&errs);
    assert_int_equal(e8_doc_load(E8_SOURCE_DIR "/fixtures/schemes.json", &schemes_doc, NULL), E8_OK);
    assert_int_equal(e8_schemes_load(e8_doc_root(schemes_doc), &schemes, &errs), E8_OK);
    e8_errs_fini(&errs);
    return 0;
}

static int free_schemes(void **state)
{
    (void)state;
    e8_schemes_free(&schemes);
    e8_doc_free(&schemes_doc);
    return 0;
}

/* What a test sends. NULL members are left out. */
struct delivery {
    const char *id, *attempt, *type, *body, *signature, *extra;
};

static void put_header(struct e8_buf *out, const char *name, const char *value)
{
    if (value)
        e8_buf_printf(out, "%s: %s\r\n", name, value);
}

static void say(struct client *client, const struct delivery *delivery)
{
    struct e8_buf request;

    e8_buf_init(&request, CLIENT_MAX);
    e8_buf_puts(&request, "POST /hooks HTTP/1.1\r\nHost: h\r\n");
    put_header(&request, "X-8bit-Delivery", delivery->id);
    put_header(&request, "X-8bit-Attempt", delivery->attempt);
    put_header(&request, "X-8bit-Event", delivery->type);
    put_header(&request, "X-8bit-Signature-256", delivery->signature);
    if (delivery->extra)
        e8_buf_puts(&request, delivery->extra);
    e8_buf_printf(&request, "Content-Length: %zu\r\n\r\n%s", strlen(delivery->body), delivery->body);
    assert_true(client_say_n(client, request.p, request.n));
    e8_buf_fini(&request);
}

static int deliver(const char *url, const struct delivery *delivery, struct reply *reply)
{
    struct client client;

    assert_true(client_open(&client, url));
    say(&client, delivery);
    client_read(&client, reply);
    client_close(&client);
    return reply->status;
}

static const char *sign(const struct e8_scheme *scheme, const char *const *secrets, const char *id,
                        int64_t timestamp, const char *body, char out[256])
{
    struct e8_sign_input input = {.id = e8_str(id), .timestamp = timestamp, .body = e8_str(body)};
    struct e8_signer *signer;
    struct e8_buf buf;

    e8_buf_fixed(&buf, out, 256);
    assert_int_equal(e8_signer_new(scheme, secrets, 1, &signer, NULL), E8_OK);
    e8_signer_sign(signer, &input, &buf);
    e8_buf_cstr(&buf);
    e8_signer_free(&signer);
    return out;
}

static struct e8_sink *start(const struct e8_sink_options *options)
{
    struct e8_sink *sink = NULL;
    struct e8_err err = {0};

    if (e8_sink_start(options, &sink, &err) != E8_OK)
        fail_msg("%s", err.what);
    return sink;
}

static struct e8_sink_counts counts_of(struct e8_sink *sink)
{
    struct e8_sink_counts counts;

    e8_sink_counts(sink, &counts);
    return counts;
}

static char *temporary(char path[64])
{
    char directory[] = "/tmp/e8-sink-XXXXXX";

    assert_non_null(mkdtemp(directory));
    snprintf(path, 64, "%s/receipts.db", directory);
    return path;
}

static void remove_temporary(char path[64])
{
    char other[80];

    unlink(path);
    snprintf(other, sizeof other, "%s-wal", path);
    unlink(other);
    snprintf(other, sizeof other, "%s-shm", path);
    unlink(other);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

/* One row of one query, columns separated by '|'. */
static const char *query(const char *path, const char *sql, char out[1024])
{
    sqlite3 *db;
    sqlite3_stmt *row;
    size_t n = 0;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const unsigned char *text = sqlite3_column_text(row, i);

        n += (size_t)snprintf(out + n, 1024 - n, "%s%s", i ? "|" : "", text ? (const char *)text : "NULL");
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
    return out;
}

static void signatures_are_verified(void **state)
{
    const struct e8_scheme *scheme = e8_schemes_find(schemes, "8bit");
    char right[256];
    struct e8_sink_options options = {
        .scheme = scheme, .secrets = secret, .secret_count = 1, .tolerance = -1};
    struct delivery delivery = {.id = "d1", .attempt = "1", .type = "message.received", .body = "{}"};
    struct e8_sink_counts counts;
    struct reply reply;

    (void)state;
    sign(scheme, secret, "d1", 0, "{}", right);
    for (int reject = 0; reject < 2; reject++) {
        options.reject = reject;
        struct e8_sink *sink = start(&options);

        delivery.signature = right;
        delivery.body = "{}";
        assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), 200);
        assert_string_equal(reply.body, "{\"received\":true,\"verdict\":\"verified\"}\n");
        delivery.body = "{ }";
        assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), reject ? 401 : 200);
        assert_non_null(strstr(reply.body, "signature_mismatch"));
        delivery.signature = NULL;
        assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), reject ? 401 : 200);
        assert_non_null(strstr(reply.body, "signature_missing"));
        counts = counts_of(sink);
        assert_int_equal(counts.received, 3);
        assert_int_equal(counts.verified, 1);
        assert_int_equal(counts.rejected, 2);
        assert_int_equal(counts.duplicates, 2);
        assert_int_equal(counts.types, 1);
        assert_int_equal(counts.status[200], reject ? 1 : 3);
        assert_int_equal(counts.status[401], reject ? 2 : 0);
        assert_int_equal(e8_sink_stop(&sink, NULL), E8_OK);
        assert_null(sink);
    }
}

static void other_schemes_name_the_delivery(void **state)
{
    const struct e8_scheme *scheme = e8_schemes_find(schemes, "standard-webhooks");
    char signature[256], extra[512], path[64], out[1024];
    int64_t now = e8_wall_now() / E8_NS_S;
    struct e8_sink_options options = {.scheme = scheme,
                                      .secrets = whsec,
                                      .secret_count = 1,
                                      .tolerance = 300 * E8_NS_S,
                                      .receipts = temporary(path)};
    struct delivery delivery = {.body = "{\"a\":1}", .extra = extra};
    struct reply reply;

    (void)state;
    struct e8_sink *sink = start(&options);
    for (int i = 0; i < 3; i++) { /* right, right again, too old */
        int64_t stamp = i == 2 ? now - 1000 : now;

        sign(scheme, whsec, "msg_1", stamp, delivery.body, signature);
        snprintf(extra, sizeof extra,
                 "webhook-id: msg_1\r\nwebhook-timestamp: %lld\r\nwebhook-signature: %s\r\n",
                 (long long)stamp, signature);
        assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), 200);
    }
    assert_non_null(strstr(reply.body, "timestamp_old"));
    assert_int_equal(counts_of(sink).verified, 2);
    assert_int_equal(counts_of(sink).duplicates,
                     0); /* no attempt header: the second is taken for the second attempt */
    assert_int_equal(e8_sink_stop(&sink, NULL), E8_OK);
    query(path,
          "SELECT group_concat(delivery_id), group_concat(attempt), group_concat(verdict), max(type) FROM "
          "receipt",
          out);
    assert_string_equal(out, "msg_1,msg_1,msg_1|1,2,3|verified,verified,timestamp_old|NULL");
    remove_temporary(path);
}

static void own_header_names(void **state)
{
    struct e8_sink_options options = {
        .event_header = "X-Kind", .delivery_header = "X-Id", .attempt_header = "X-Try", .tolerance = -1};
    struct delivery delivery = {.body = "", .extra = "X-Kind: a.b\r\nX-Id: 1\r\nX-Try: 7\r\n"};
    struct e8_sink *sink = start(&options);
    struct reply reply;

    (void)state;
    deliver(e8_sink_url(sink), &delivery, &reply);
    deliver(e8_sink_url(sink), &delivery, &reply);
    assert_int_equal(counts_of(sink).duplicates, 1);
    assert_int_equal(counts_of(sink).types, 1);
    e8_sink_stop(&sink, NULL);
}

static void receipts_are_kept(void **state)
{
    char path[64], out[1024];
    struct e8_sink_options options = {.receipts = temporary(path), .tolerance = -1};
    struct delivery delivery = {.id = "dlv_1", .attempt = "3", .type = "message.sent", .body = "hello"};
    e8_wall_ns before = e8_wall_now();
    struct client client;
    struct reply reply;

    (void)state;
    assert_int_equal(e8_spread_parse(E8_LIT("2ms"), &options.latency, NULL), E8_OK);
    for (int i = 0; i < 2; i++) { /* the second run appends */
        struct e8_sink *sink = start(&options);

        assert_true(client_open(&client, e8_sink_url(sink)));
        for (int n = 0; n < 10; n++) {
            say(&client, &delivery);
            client_read(&client, &reply);
            assert_int_equal(reply.status, 200);
        }
        client_close(&client);
        assert_int_equal(counts_of(sink).verified + counts_of(sink).rejected, 0);
        assert_int_equal(e8_sink_stop(&sink, NULL), E8_OK);
    }
    assert_string_equal(query(path, "SELECT count(*), min(id), max(id) FROM receipt", out), "20|1|20");
    query(path,
          "SELECT DISTINCT delivery_id, attempt, type, verdict, status, fault, hex(body_sha256), body_bytes, "
          "connection,"
          " response_delay_ms FROM receipt",
          out);
    assert_string_equal(out, "dlv_1|3|message.sent|unchecked|200|NULL|"
                             "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824|5|1|2.0");
    query(path, "SELECT min(at_ns) FROM receipt", out);
    assert_true(strtoll(out, NULL, 10) >= before && strtoll(out, NULL, 10) <= e8_wall_now());
    assert_string_equal(query(path, "PRAGMA integrity_check", out), "ok");
    remove_temporary(path);
}

static void other_methods(void **state)
{
    char path[64], out[1024];
    struct e8_sink_options options = {.receipts = temporary(path),
                                      .scheme = e8_schemes_find(schemes, "8bit"),
                                      .secrets = secret,
                                      .secret_count = 1,
                                      .tolerance = -1};
    struct e8_sink *sink = start(&options);
    struct reply reply;

    (void)state;
    client_ask(e8_sink_url(sink), "GET / HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 405);
    assert_non_null(strstr(reply.head, "Allow: POST\r\n"));
    client_ask(e8_sink_url(sink),
               "PUT /x/y HTTP/1.1\r\nHost: h\r\nX-8bit-Delivery: d\r\nX-8bit-Attempt: 1\r\nContent-Length: "
               "1\r\n\r\nx",
               &reply);
    assert_int_equal(reply.status, 405);
    struct e8_sink_counts counts = counts_of(sink);
    assert_int_equal(counts.received, 2);
    assert_int_equal(counts.status[405], 2);
    assert_int_equal(counts.rejected, 0);
    e8_sink_stop(&sink, NULL);
    assert_string_equal(
        query(path, "SELECT count(*), max(delivery_id), max(status), max(verdict) FROM receipt", out),
        "2|d|405|unchecked");
    remove_temporary(path);
}

enum { MANY = 2000 };

/* The statuses of deliveries 0 to MANY - 1, sent in the given direction over one connection. */
static void statuses(const struct e8_sink_options *options, bool backwards, int out[MANY])
{
    struct e8_sink *sink = start(options);
    struct client client;
    struct reply reply;
    char id[32];

    assert_true(client_open(&client, e8_sink_url(sink)));
    for (int n = 0; n < MANY; n++) {
        int i = backwards ? MANY - 1 - n : n;
        struct delivery delivery = {.id = id, .attempt = "1", .type = "t", .body = "{}"};

        snprintf(id, sizeof id, "dlv_%d", i);
        say(&client, &delivery);
        client_read(&client, &reply);
        out[i] = reply.status;
    }
    client_close(&client);
    assert_int_equal(counts_of(sink).received, MANY);
    assert_int_equal(counts_of(sink).duplicates, 0);
    e8_sink_stop(&sink, NULL);
}

static void draws_depend_on_seed_and_delivery_alone(void **state)
{
    struct e8_sink_options options = {.seed = 7, .tolerance = -1};
    static int forth[MANY], back[MANY], other[MANY];
    int failed = 0, different = 0;

    (void)state;
    assert_int_equal(e8_status_mix_parse(E8_LIT("200:80,503:15,429:5"), &options.status, NULL), E8_OK);
    statuses(&options, false, forth);
    statuses(&options, true, back);
    options.seed = 8;
    statuses(&options, false, other);
    assert_memory_equal(forth, back, sizeof forth);
    for (int i = 0; i < MANY; i++) {
        failed += forth[i] != 200;
        different += forth[i] != other[i];
    }
    assert_in_range(failed, MANY / 5 - 80, MANY / 5 + 80); /* 20 %, give or take 4.5 sigma */
    assert_true(different > MANY / 10);
}

static void retries_draw_anew(void **state)
{
    struct e8_sink_options options = {.seed = 1, .tolerance = -1, .retry_after = "2"};
    struct delivery delivery = {.id = "d", .type = "t", .body = "{}"};
    struct reply reply;
    int failed = 0;

    (void)state;
    e8_status_mix_parse(E8_LIT("200:1,503:1"), &options.status, NULL);
    struct e8_sink *sink = start(&options);
    for (int i = 0; i < 40; i++) {
        deliver(e8_sink_url(sink), &delivery, &reply); /* without a number: 1, 2, 3, … */
        failed += reply.status == 503;
        assert_int_equal(strstr(reply.head, "Retry-After: 2\r\n") != NULL, reply.status == 503);
    }
    assert_in_range(failed, 5, 35);
    delivery.attempt = "12";
    int status = deliver(e8_sink_url(sink), &delivery, &reply);
    assert_int_equal(counts_of(sink).duplicates, 1);
    assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), status);
    delivery.attempt = "99";
    deliver(e8_sink_url(sink), &delivery, &reply);
    assert_int_equal(counts_of(sink).duplicates, 2);
    e8_sink_stop(&sink, NULL);
}

static void faults_are_counted(void **state)
{
    char path[64], out[1024], id[32];
    struct e8_sink_options options = {.seed = 5, .tolerance = -1, .receipts = temporary(path)};
    struct reply reply;
    int resets = 0, closes = 0, cuts = 0, whole = 0;

    (void)state;
    e8_fault_mix_parse(E8_LIT("reset:25%,close:25%,truncate:25%"), &options.fault, NULL);
    struct e8_sink *sink = start(&options);
    for (int i = 0; i < 400; i++) {
        struct delivery delivery = {.id = id, .attempt = "1", .body = "{}"};

        snprintf(id, sizeof id, "d%d", i);
        deliver(e8_sink_url(sink), &delivery, &reply);
        resets += reply.error == ECONNRESET;
        closes += reply.status == 0 && reply.error == 0;
        cuts += reply.cut;
        whole += reply.status == 200 && !reply.cut;
    }
    assert_int_equal(resets + closes + cuts + whole, 400);
    assert_in_range(resets, 60, 140);
    assert_in_range(closes, 60, 140);
    assert_in_range(cuts, 60, 140);
    struct e8_sink_counts counts = counts_of(sink);
    assert_int_equal(counts.faulted, 400 - whole);
    assert_int_equal(counts.status[200], whole + cuts);
    e8_sink_stop(&sink, NULL);
    char expected[128];
    snprintf(expected, sizeof expected, "%d|%d|%d|%d|%d", resets, closes, cuts, whole, resets + closes);
    query(path,
          "SELECT sum(fault = 'reset'), sum(fault = 'close'), sum(fault = 'truncate'), sum(fault IS NULL),"
          " sum(status IS NULL) FROM receipt",
          out);
    assert_string_equal(out, expected);
    remove_temporary(path);
}

static void lines_are_printed(void **state)
{
    struct e8_sink_options options = {.tolerance = -1};
    struct delivery delivery = {.id = "dlv_\x1b[31m", .attempt = "2", .type = "a.b", .body = "12345"};
    struct reply reply;
    char *text = NULL, *line;
    size_t size = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        options.out = open_memstream(&text, &size);
        options.ndjson = i == 1;
        struct e8_sink *sink = start(&options);

        deliver(e8_sink_url(sink), &delivery, &reply);
        assert_int_equal(reply.status, 200);
        assert_int_equal(e8_sink_stop(&sink, NULL), E8_OK);
        fclose(options.out);
        assert_non_null(strstr(text, "http://127.0.0.1:"));
        line = strchr(text, '\n') + 1;
        assert_ptr_equal(strchr(line, '\n') + 1, text + size);
        assert_null(strchr(text, '\x1b'));
        if (i == 0) {
            assert_non_null(strstr(text, "no secret: signatures are not verified\n"));
            assert_string_equal(line + strlen("12:00:01.123Z"),
                                "  200  unchecked  a.b                      dlv_\\x1B[31m  #2  5 B  0 ns\n");
        } else {
            assert_true(strncmp(line, "{\"at\":\"2", 8) == 0);
            assert_string_equal(strchr(line, ','),
                                ",\"delivery_id\":\"dlv_\\u001b[31m\",\"attempt\":2,\"type\":\"a.b\","
                                "\"verdict\":\"unchecked\",\"status\":200,\"fault\":null,\"bytes\":5,"
                                "\"delay_ms\":0.000}\n");
        }
        free(text);
    }
}

static void lines_of_faults(void **state)
{
    struct e8_receipt receipt = {
        .at = 0, .delay = 1234 * E8_NS_US, .attempt = 1, .verdict = "verified", .fault = E8_FAULT_HANG};
    struct e8_buf out;

    (void)state;
    e8_buf_init(&out, 1000);
    e8_receipt_line(&receipt, &out);
    assert_string_equal(
        e8_buf_cstr(&out),
        "00:00:00.000Z  -    verified   -                        -  #1  0 B  1.23 ms  hang\n");
    e8_buf_reset(&out);
    e8_receipt_ndjson(&receipt, &out);
    assert_string_equal(
        e8_buf_cstr(&out),
        "{\"at\":\"1970-01-01T00:00:00.000Z\",\"delivery_id\":null,\"attempt\":1,\"type\":null,"
        "\"verdict\":\"verified\",\"status\":null,\"fault\":\"hang\",\"bytes\":0,\"delay_ms\":1.234}\n");
    e8_buf_fini(&out);
}

/* Nothing is added to it: it may be a delivery log. */
static void another_database(const char *path, const struct e8_sink_options *options)
{
    struct e8_sink *sink = NULL;
    struct e8_err err = {0};
    sqlite3_stmt *count;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "DROP TABLE receipt; CREATE TABLE delivery(id TEXT)", NULL, NULL, NULL);
    assert_int_equal(e8_sink_start(options, &sink, &err), E8_INPUT);
    assert_null(sink);
    assert_non_null(strstr(err.what, "is no file of receipts, but another database"));
    sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema", -1, &count, NULL);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 1);
    sqlite3_finalize(count);
    sqlite3_close(db);
}

static void starts_that_fail(void **state)
{
    static const char *const empty[] = {""};
    char path[64], other[64];
    struct e8_sink_options options = {.tolerance = -1, .receipts = temporary(path)};
    struct e8_sink *sink = NULL;
    struct e8_err err = {0};
    sqlite3 *db;

    (void)state;
    options.listen = "nowhere";
    assert_int_equal(e8_sink_start(&options, &sink, &err), E8_INPUT);
    assert_null(sink);
    options.listen = NULL;
    FILE *file = fopen(path, "w");
    fputs("this is a text and no database, and it is long enough to be read as one\n", file);
    fclose(file);
    assert_int_equal(e8_sink_start(&options, &sink, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "no file of receipts"));
    options.receipts = "/does/not/exist/receipts.db";
    assert_int_equal(e8_sink_start(&options, &sink, &err), E8_ENV);
    options.receipts = temporary(other);
    assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE receipt(something TEXT)", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(e8_sink_start(&options, &sink, &err), E8_INPUT);
    another_database(other, &options);
    options.receipts = NULL;
    options.scheme = e8_schemes_find(schemes, "8bit");
    options.secrets = empty;
    options.secret_count = 1;
    assert_int_equal(e8_sink_start(&options, &sink, &err), E8_INPUT);
    assert_null(sink);
    remove_temporary(path);
    remove_temporary(other);
}

/* In a process of its own, for its limit. Exits 0 when all is as it should be. */
static _Noreturn void disk_full_child(const char *path, const char *log)
{
    struct e8_sink_options options = {.tolerance = -1, .receipts = path};
    struct rlimit limit = {200 << 10, 200 << 10};
    struct delivery delivery = {.id = "d", .type = "t", .body = "{}"};
    struct e8_sink *sink = NULL;
    struct e8_err err = {0};
    struct client client;
    struct reply reply;
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    signal(SIGXFSZ, SIG_IGN);
    dup2(fd, STDERR_FILENO);
    if (e8_sink_start(&options, &sink, &err) != E8_OK)
        _exit(1);
    setrlimit(RLIMIT_FSIZE, &limit);
    client_open(&client, e8_sink_url(sink));
    for (int i = 0; i < 6000; i++) {
        char attempt[16];

        snprintf(attempt, sizeof attempt, "%d", i + 1);
        delivery.attempt = attempt;
        say(&client, &delivery);
        client_read(&client, &reply);
        if (reply.status != 200)
            _exit(2);
    }
    client_close(&client);
    if (counts_of(sink).received != 6000)
        _exit(3);
    if (e8_sink_stop(&sink, &err) != E8_ENV || sink)
        _exit(4);
    _exit(strstr(err.what, "of 6000 receipts are lost") && err.hint[0] ? 0 : 5);
}

static void disk_full(void **state)
{
    char path[64], log[80], out[1024];
    int status;

    (void)state;
    temporary(path);
    snprintf(log, sizeof log, "%s-log", path);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        disk_full_child(path, log);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    query(path, "SELECT count(*) BETWEEN 1 AND 5999, max(id) = count(*) FROM receipt", out);
    assert_string_equal(out, "1|1"); /* an end, no gap */
    assert_string_equal(query(path, "PRAGMA integrity_check", out), "ok");
    FILE *file = fopen(log, "r");
    char line[256] = "";
    assert_non_null(fgets(line, sizeof line, file));
    assert_non_null(strstr(line, "receipts cannot be written"));
    assert_null(fgets(line, sizeof line, file)); /* said once */
    fclose(file);
    unlink(log);
    remove_temporary(path);
}

static void reader_of_lines_goes_away(void **state)
{
    struct e8_sink_options options = {.tolerance = -1};
    struct delivery delivery = {.id = "d", .attempt = "1", .body = "{}"};
    struct reply reply;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    options.out = fdopen(ends[1], "w");
    struct e8_sink *sink = start(&options);
    close(ends[0]);
    for (int i = 0; i < 100; i++)
        assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), 200);
    assert_int_equal(counts_of(sink).received, 100);
    assert_int_equal(e8_sink_stop(&sink, NULL), E8_OK);
    fclose(options.out);
}

/* Far more than the ring holds, as fast as it goes. */
static void nothing_is_lost_under_load(void **state)
{
    enum { BATCH = 100, ROUNDS = 400 };
    char path[64], out[1024];
    struct e8_sink_options options = {.tolerance = -1, .receipts = temporary(path)};
    struct e8_sink *sink = start(&options);
    struct client client;
    struct reply reply;

    (void)state;
    assert_true(client_open(&client, e8_sink_url(sink)));
    for (int round = 0; round < ROUNDS; round++) {
        char attempt[16];
        struct delivery delivery = {.id = "d", .attempt = attempt, .body = "{}"};

        snprintf(attempt, sizeof attempt, "%d", round + 1);
        for (int i = 0; i < BATCH; i++)
            say(&client, &delivery);
        for (int i = 0; i < BATCH; i++)
            client_read(&client, &reply);
        assert_int_equal(reply.status, 200);
    }
    client_close(&client);
    struct e8_sink_counts counts = counts_of(sink);
    assert_int_equal(counts.received, BATCH * ROUNDS);
    assert_int_equal(counts.duplicates, (BATCH - 1) * ROUNDS);
    assert_int_equal(e8_sink_stop(&sink, NULL), E8_OK);
    assert_string_equal(query(path, "SELECT count(*), count(DISTINCT attempt) FROM receipt", out),
                        "40000|400");
    remove_temporary(path);
}

/* Through the server and the writer's thread: what was posted, in its order, and nothing else. */
static void what_is_posted_is_recorded(void **state)
{
    char path[64];
    struct delivery delivery = {.attempt = "1", .type = "message.received", .extra = "X-Odd: 1\r\n"};
    struct reply reply;
    struct e8_doc *doc;
    struct e8_err err = {0};
    struct client client;

    (void)state;
    temporary(path);
    struct e8_sink_options options = {.record = path};
    struct e8_sink *sink = start(&options);
    for (int i = 0; i < 50; i++) {
        char id[16], body[32];

        snprintf(id, sizeof id, "d%d", i);
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        delivery.id = id;
        delivery.body = body;
        assert_int_equal(deliver(e8_sink_url(sink), &delivery, &reply), 200);
    }
    assert_true(client_open(&client, e8_sink_url(sink)));
    static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_true(client_say_n(&client, get, sizeof get - 1));
    client_read(&client, &reply);
    client_close(&client);
    assert_int_equal(e8_sink_stop(&sink, &err), E8_OK);
    assert_int_equal(e8_sink_start(&options, &sink, &err), E8_INPUT); /* it is there now */
    if (e8_doc_load(path, &doc, &err))
        fail_msg("%s", err.what);
    const struct e8_node *steps = e8_node_get(e8_node_get(e8_doc_root(doc), "flows"), "recording");
    assert_int_equal(steps->count, 50);
    int i = 0;
    for (const struct e8_node *step = steps->first; step; step = step->next, i++) {
        char body[32];

        snprintf(body, sizeof body, "{\"n\":%d}", i);
        assert_true(e8_str_is(e8_node_get(step, "body")->text, body));
        assert_true(e8_str_is(e8_node_get(e8_node_get(step, "headers"), "X-Odd")->text, "1"));
    }
    e8_doc_free(&doc);
    remove_temporary(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_verified),
        cmocka_unit_test(other_schemes_name_the_delivery),
        cmocka_unit_test(own_header_names),
        cmocka_unit_test(receipts_are_kept),
        cmocka_unit_test(other_methods),
        cmocka_unit_test(draws_depend_on_seed_and_delivery_alone),
        cmocka_unit_test(retries_draw_anew),
        cmocka_unit_test(faults_are_counted),
        cmocka_unit_test(lines_are_printed),
        cmocka_unit_test(lines_of_faults),
        cmocka_unit_test(starts_that_fail),
        cmocka_unit_test(disk_full),
        cmocka_unit_test(reader_of_lines_goes_away),
        cmocka_unit_test(nothing_is_lost_under_load),
        cmocka_unit_test(what_is_posted_is_recorded),
    };
    int failed = test_mix() + test_record();

    signal(SIGPIPE, SIG_IGN);
    return failed + cmocka_run_group_tests_name("sink", tests, load_schemes, free_schemes);
}
