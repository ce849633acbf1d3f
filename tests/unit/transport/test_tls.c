/* Outcomes of TLS, with certificates made for this run. The server's half is done by the libssl that libcurl has loaded:
 * nothing here is linked with it. */
#include "peer.h"
#include "tests.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <cmocka.h>

#include "transport/internal.h"

static struct {
    __typeof__(&TLS_server_method) TLS_server_method;
    __typeof__(&SSL_CTX_new) SSL_CTX_new;
    __typeof__(&SSL_CTX_free) SSL_CTX_free;
    __typeof__(&SSL_CTX_use_certificate_file) SSL_CTX_use_certificate_file;
    __typeof__(&SSL_CTX_use_PrivateKey_file) SSL_CTX_use_PrivateKey_file;
    __typeof__(&SSL_CTX_ctrl) SSL_CTX_ctrl;
    __typeof__(&SSL_CTX_set_verify) SSL_CTX_set_verify;
    __typeof__(&SSL_new) SSL_new;
    __typeof__(&SSL_free) SSL_free;
    __typeof__(&SSL_set_fd) SSL_set_fd;
    __typeof__(&SSL_accept) SSL_accept;
    __typeof__(&SSL_read) SSL_read;
    __typeof__(&SSL_write) SSL_write;
    __typeof__(&SSL_shutdown) SSL_shutdown;
    __typeof__(&SSL_get_shutdown) SSL_get_shutdown;
    __typeof__(&SSL_key_update) SSL_key_update;
    __typeof__(&SSL_new_session_ticket) SSL_new_session_ticket;
    __typeof__(&SSL_do_handshake) SSL_do_handshake;
    __typeof__(&SSL_renegotiate) SSL_renegotiate;
    __typeof__(&SSL_CTX_set_alpn_select_cb) SSL_CTX_set_alpn_select_cb;
} ssl;

#define LOAD(name) (*(void **)&ssl.name = dlsym(RTLD_DEFAULT, #name), assert_non_null(ssl.name))

static char dir[] = "/tmp/e8-transport-XXXXXX";
static char good_cert[64], good_key[64], old_cert[64], other_cert[64];

static void openssl(const char *const *args)
{
    extern char **environ;
    pid_t pid;
    int status;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
    char *const *argv = (char *const *)(uintptr_t)args;
    assert_int_equal(posix_spawnp(&pid, "openssl", &quiet, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define OPENSSL(...) openssl((const char *const[]){"openssl", __VA_ARGS__, NULL})

static int make_certificates(void **state)
{
    (void)state;
    char request[64], extensions[64];
    assert_non_null(mkdtemp(dir));
    snprintf(good_cert, sizeof good_cert, "%s/good.pem", dir);
    snprintf(good_key, sizeof good_key, "%s/key.pem", dir);
    snprintf(old_cert, sizeof old_cert, "%s/old.pem", dir);
    snprintf(other_cert, sizeof other_cert, "%s/other.pem", dir);
    snprintf(request, sizeof request, "%s/req.pem", dir);
    snprintf(extensions, sizeof extensions, "%s/ext", dir);
    OPENSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            good_key, "-out", good_cert, "-subj", "/CN=e8 test", "-addext", "subjectAltName=IP:127.0.0.1",
            "-days", "2");
    OPENSSL("req", "-x509", "-key", good_key, "-out", other_cert, "-subj", "/CN=e8 test", "-addext",
            "subjectAltName=IP:127.0.0.2,DNS:other.invalid", "-days", "2");
    assert_int_equal(e8_file_write(extensions, E8_LIT("subjectAltName=IP:127.0.0.1\n"), NULL), E8_OK);
    OPENSSL("req", "-new", "-key", good_key, "-out", request, "-subj", "/CN=e8 old");
    OPENSSL("x509", "-req", "-in", request, "-signkey", good_key, "-out", old_cert, "-days", "-1", "-extfile",
            extensions);
    unlink(request);
    unlink(extensions);
    LOAD(TLS_server_method), LOAD(SSL_CTX_new), LOAD(SSL_CTX_free), LOAD(SSL_CTX_use_certificate_file);
    LOAD(SSL_CTX_use_PrivateKey_file), LOAD(SSL_CTX_ctrl), LOAD(SSL_new), LOAD(SSL_free), LOAD(SSL_set_fd);
    LOAD(SSL_accept), LOAD(SSL_read), LOAD(SSL_write), LOAD(SSL_shutdown), LOAD(SSL_new_session_ticket);
    LOAD(SSL_CTX_set_verify), LOAD(SSL_do_handshake), LOAD(SSL_CTX_set_alpn_select_cb);
    LOAD(SSL_get_shutdown), LOAD(SSL_key_update), LOAD(SSL_renegotiate);
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    unlink(good_cert);
    unlink(good_key);
    unlink(old_cert);
    unlink(other_cert);
    return rmdir(dir);
}

/* --- the server ------------------------------------------------------------------------------------------------------ */

static const char *server_cert;
static long server_max; /* TLS version; 0: the newest */
static SSL_CTX *server_ctx;
static sem_t go, done;
static enum after {
    AFTER_NOTHING,
    AFTER_TICKET,
    AFTER_NOTIFY,
    AFTER_CLOSE,
    AFTER_BYTES,
    AFTER_CUT,
    AFTER_RESET
} after;
static atomic_int tls_requests;

static SSL_CTX *make_context(void)
{
    SSL_CTX *ctx = ssl.SSL_CTX_new(ssl.TLS_server_method());
    assert_non_null(ctx);
    assert_int_equal(ssl.SSL_CTX_use_certificate_file(ctx, server_cert, SSL_FILETYPE_PEM), 1);
    assert_int_equal(ssl.SSL_CTX_use_PrivateKey_file(ctx, good_key, SSL_FILETYPE_PEM), 1);
    if (server_max)
        ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MAX_PROTO_VERSION, server_max, NULL);
    return ctx;
}

static bool read_request(SSL *tls)
{
    char text[8192];
    int n = 0;
    while (n < (int)sizeof text - 1) {
        int got = ssl.SSL_read(tls, text + n, (int)sizeof text - 1 - n);
        if (got <= 0)
            return false;
        n += got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        bool chunked = strstr(text, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
        if (end &&
            (chunked ? strstr(end, "\r\n0\r\n\r\n") != NULL : strlen(end + 4) >= 7)) /* the client's body */
            break;
    }
    atomic_fetch_add(&tls_requests, 1);
    return true;
}

/* What happens on the connection once it idles. */
static void idle(SSL *tls, int fd)
{
    if (after == AFTER_NOTHING)
        return;
    peer_wait(&go);
    if (after == AFTER_TICKET) {
        ssl.SSL_new_session_ticket(tls);
        ssl.SSL_do_handshake(tls);
    } else if (after == AFTER_BYTES) {
        ssl.SSL_write(tls, OK_REPLY, sizeof OK_REPLY - 1);
    } else if (after == AFTER_CLOSE) {
        shutdown(fd, SHUT_WR);
    } else {
        ssl.SSL_shutdown(tls);
    }
    sem_post(&done);
}

static void talk_tls(int fd)
{
    SSL *tls = ssl.SSL_new(server_ctx);
    ssl.SSL_set_fd(tls, fd);
    if (ssl.SSL_accept(tls) == 1) {
        while (read_request(tls)) {
            static const char part[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok";
            if (after == AFTER_CUT || after == AFTER_RESET) {
                ssl.SSL_write(tls, part, sizeof part - 1);
                if (after == AFTER_RESET)
                    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
                break;
            }
            ssl.SSL_write(tls, OK_REPLY, sizeof OK_REPLY - 1);
            idle(tls, fd);
        }
    }
    ssl.SSL_free(tls);
}

static void tls_open(struct peer *peer, struct client *client, const char *cert)
{
    static const struct peer_step steps[] = {{.unasked = true, .talk = talk_tls, .end = PEER_CLOSE}};
    server_cert = cert;
    server_ctx = make_context();
    atomic_store(&tls_requests, 0);
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    peer_open(peer, steps, 1);
    client_open(client, peer->port);
    snprintf(client->url, sizeof client->url, "https://127.0.0.1:%d/hook", peer->port);
    client->exchange.url = e8_str(client->url);
}

static void tls_close(struct peer *peer, struct client *client)
{
    client_close(client);
    peer_close(peer);
    ssl.SSL_CTX_free(server_ctx);
    sem_destroy(&go);
    sem_destroy(&done);
    after = AFTER_NOTHING;
    server_max = 0;
}

static void assert_ended(const struct e8_exchange *x, enum e8_outcome outcome)
{
    if (x->outcome != outcome)
        print_error("%s (%d) \"%s\"\n", e8_outcome_info(x->outcome)->name, x->status, x->error);
    assert_int_equal(x->outcome, outcome);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void test_certificates(void **state)
{
    (void)state;
    const struct {
        const char *cert, *trusted;
        bool insecure;
        enum e8_outcome outcome;
    } rows[] = {
        {good_cert, good_cert, false, E8_DELIVERED},      {good_cert, NULL, false, E8_TLS_UNTRUSTED},
        {other_cert, other_cert, false, E8_TLS_NAME},     {old_cert, old_cert, false, E8_TLS_EXPIRED},
        {good_cert, other_cert, false, E8_TLS_UNTRUSTED}, {old_cert, NULL, true, E8_DELIVERED},
        {other_cert, NULL, true, E8_DELIVERED},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct peer peer;
        struct client client;
        tls_open(&peer, &client, rows[i].cert);
        client.reach.cacert = rows[i].trusted;
        client.reach.insecure = rows[i].insecure;
        struct e8_exchange *x = client_run(&client);
        assert_ended(x, rows[i].outcome);
        assert_int_equal(atomic_load(&tls_requests), rows[i].outcome == E8_DELIVERED);
        assert_true(x->outcome != E8_DELIVERED || x->phases.tls >= x->phases.connect);
        tls_close(&peer, &client);
    }
}

/* A trust that one reach has is not lent to another: neither by handle, nor by connection, nor by session. */
static void test_trust_is_apart(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    tls_open(&peer, &client, good_cert);
    const struct e8_reach strict = {0}, trusting = {.cacert = good_cert}, loose = {.insecure = true};
    const struct e8_reach *const order[] = {&loose, &strict, &trusting, &strict, &loose, &strict};
    for (size_t i = 0; i < E8_COUNT(order); i++) {
        client.exchange.reach = order[i];
        assert_ended(client_run(&client), order[i] == &strict ? E8_TLS_UNTRUSTED : E8_DELIVERED);
    }
    tls_close(&peer, &client);
}

/* A file of trusted certificates is read once, not for each connection: the system's takes 30 ms. */
static void test_trust_is_read_once(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    char copy[80];
    snprintf(copy, sizeof copy, "%s.copy", good_cert);
    assert_int_equal(link(good_cert, copy), 0);
    tls_open(&peer, &client, good_cert);
    client.reach.cacert = copy;
    client.exchange.fresh = true;
    assert_ended(client_run(&client), E8_DELIVERED);
    assert_int_equal(unlink(copy), 0);
    for (int i = 0; i < 5; i++)
        assert_ended(client_run(&client), E8_DELIVERED);
    assert_int_equal(e8_transport_counts(client.transport).connections, 6);
    tls_close(&peer, &client);
}

/* The server wants to know who calls. In TLS 1.3 it says no when the request is on its way already. */
static void test_client_certificate(void **state)
{
    (void)state;
    static const long versions[] = {TLS1_2_VERSION, 0};
    for (size_t i = 0; i < 2 * E8_COUNT(versions); i++) {
        struct peer peer;
        struct client client;
        bool unknown = i % 2; /* one that the server does not trust, or none */
        server_max = versions[i / 2];
        tls_open(&peer, &client, good_cert);
        ssl.SSL_CTX_set_verify(server_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        client.reach.cacert = good_cert;
        client.reach.cert = unknown ? other_cert : NULL;
        client.reach.key = unknown ? good_key : NULL;
        for (int k = 0; k < 20; k++) {
            assert_ended(client_run(&client), E8_TLS_HANDSHAKE);
            assert_non_null(strstr(client.exchange.error, "alert"));
            assert_int_equal(client.exchange.status, 0);
        }
        assert_int_equal(atomic_load(&tls_requests), 0);
        tls_close(&peer, &client);
    }
}

static void plain_case(const struct peer_step *step, enum e8_outcome outcome, e8_dur_ns limit)
{
    struct peer peer;
    struct client client;
    peer_open(&peer, step, 1);
    client_open(&client, peer.port);
    snprintf(client.url, sizeof client.url, "https://127.0.0.1:%d/", peer.port);
    client.exchange.url = e8_str(client.url);
    client.limit = limit;
    struct e8_exchange *x = client_run(&client);
    assert_ended(x, outcome);
    assert_int_equal(x->bytes_sent, 0);
    client.reach.connect_timeout = limit;
    client.limit = 0;
    if (limit)
        assert_ended(client_run(&client), outcome);
    client_close(&client);
    peer_close(&peer);
}

static void test_no_handshake(void **state)
{
    (void)state;
    static const struct peer_step plain = {
        .unasked = true, .reply = "220 hello, this is not TLS\r\n", .end = PEER_HOLD};
    static const struct peer_step closed = {.unasked = true, .end = PEER_CLOSE};
    static const struct peer_step stalled = {.unasked = true, .end = PEER_HOLD};
    plain_case(&plain, E8_TLS_HANDSHAKE, 0);
    plain_case(&closed, E8_TLS_HANDSHAKE, 0);
    plain_case(&stalled, E8_TLS_TIMEOUT, 60 * E8_NS_MS);
}

/* Plain HTTP towards a TLS server. */
static void test_plain_to_tls(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    tls_open(&peer, &client, good_cert);
    snprintf(client.url, sizeof client.url, "http://127.0.0.1:%d/", peer.port);
    client.exchange.url = e8_str(client.url);
    struct e8_exchange *x = client_run(&client);
    assert_true(x->outcome == E8_NOT_HTTP || x->outcome == E8_RESET || x->outcome == E8_NO_RESPONSE);
    tls_close(&peer, &client);
}

/* The first answer, which libcurl reads, has come when the kernel had it, too. */
static void test_first_answer_late(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    tls_open(&peer, &client, good_cert);
    client.reach.cacert = good_cert;
    e8_transport_stamp(client.transport);
    usleep(50000);
    client_submit(&client);
    while (!client.exchange.sent) {
        e8_transport_wait(client.transport, e8_mono_now());
        usleep(1000);
    }
    usleep(400000);
    assert_ended(client_await(&client), E8_DELIVERED);
    if (client_http != E8_HTTP_11)
        assert_in_range(client.exchange.done - client.exchange.sent, 1, 300 * E8_NS_MS);
    tls_close(&peer, &client);
}

/* Rule 15: handshakes and resumed ones are counted by what really happened. */
static void test_reuse_and_resume(void **state)
{
    (void)state;
    static const long versions[] = {TLS1_2_VERSION, 0};
    for (size_t v = 0; v < E8_COUNT(versions); v++) {
        struct peer peer;
        struct client client;
        server_max = versions[v];
        tls_open(&peer, &client, good_cert);
        client.reach.cacert = good_cert;
        for (int i = 0; i < 50; i++)
            assert_ended(client_run(&client), E8_DELIVERED);
        struct e8_transport_counts counts = e8_transport_counts(client.transport);
        assert_int_equal(counts.handshakes, 1);
        assert_int_equal(counts.reused, 49);
        assert_int_equal(counts.resumed, 0);
        const struct e8_link *link = client.transport->links; /* none: libcurl's own way */
        assert_true(client_http == E8_HTTP_11 ? !link : link && link->tls.ssl);
        client.exchange.fresh = true;
        for (int i = 0; i < 10; i++) {
            assert_ended(client_run(&client), E8_DELIVERED);
            assert_int_equal(client.exchange.flags & E8_FLAG_REUSED, 0);
        }
        counts = e8_transport_counts(client.transport);
        assert_int_equal(counts.handshakes, 11);
        assert_int_equal(counts.connections, 11);
        assert_true(counts.resumed >= 9);
        assert_true(client.exchange.flags & E8_FLAG_TLS_RESUMED);
        tls_close(&peer, &client);
    }
}

/* Rule 2 under TLS: whatever lies on an idle connection, its next use is safe, and one request stays one request. */
static void test_idle(void **state)
{
    (void)state;
    enum { GONE = E8_FLAG_RECONNECTED, BYTES = E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES };
    static const struct {
        enum after after;
        long version;
        uint16_t by_curl, by_link; /* which reads records that the other cannot tell from data */
    } rows[] = {
        {AFTER_TICKET, 0, GONE, E8_FLAG_REUSED},
        {AFTER_NOTIFY, 0, GONE, GONE},
        {AFTER_NOTIFY, TLS1_2_VERSION, GONE, GONE},
        {AFTER_CLOSE, 0, GONE, GONE},
        {AFTER_BYTES, 0, GONE, BYTES},
        {AFTER_BYTES, TLS1_2_VERSION, BYTES, BYTES},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        enum { ROUNDS = 5 };
        struct peer peer;
        struct client client;
        server_max = rows[i].version;
        after = rows[i].after;
        tls_open(&peer, &client, good_cert);
        client.reach.cacert = good_cert;
        uint16_t later = client_http == E8_HTTP_11 ? rows[i].by_curl : rows[i].by_link;
        for (int k = 0; k < ROUNDS; k++) {
            struct e8_exchange *x = client_run(&client);
            assert_ended(x, E8_DELIVERED);
            uint16_t want = k ? later : 0;
            if ((x->flags & (E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES | E8_FLAG_REUSED)) != want)
                print_error("row %zu\n", i);
            assert_int_equal(x->flags & (E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES | E8_FLAG_REUSED), want);
            sem_post(&go);
            peer_wait(&done);
        }
        struct e8_transport_counts counts = e8_transport_counts(client.transport);
        assert_int_equal(counts.idle_bytes, later == BYTES ? ROUNDS - 1 : 0);
        assert_int_equal(counts.idle_closed, later == GONE ? ROUNDS - 1 : 0);
        assert_int_equal(atomic_load(&tls_requests), ROUNDS);
        tls_close(&peer, &client);
    }
}

/* The end of TCP inside a body, without a word from TLS. */
static void test_cut(void **state)
{
    (void)state;
    enum { GONE = E8_FLAG_RECONNECTED, BYTES = E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES };
    static const struct {
        enum after after;
        enum e8_outcome outcome;
    } rows[] = {{AFTER_CUT, E8_TRUNCATED}, {AFTER_RESET, E8_RESET_IN_BODY}};
    static const long versions[] = {TLS1_2_VERSION, 0};
    for (size_t i = 0; i < 2 * E8_COUNT(rows); i++) {
        struct peer peer;
        struct client client;
        after = rows[i / 2].after;
        server_max = versions[i % 2];
        tls_open(&peer, &client, good_cert);
        client.reach.cacert = good_cert;
        struct e8_exchange *x = client_run(&client);
        assert_ended(x, rows[i / 2].outcome);
        assert_int_equal(x->status, 200);
        tls_close(&peer, &client);
    }
}

/* --- many at a time ----------------------------------------------------------------------------------------------------- */

enum fate { PLAIN, LONG, LAST, CUT, RESET, SILENT, NEW_KEYS, TWO_RECORDS, FATES };
enum { MANY = E8_BATCH_MAX + FATES, LONG_BODY = 100000 };

static sem_t arrived;
static atomic_int farewells; /* connections that ended with a close_notify of the client's */

static void write_reply(SSL *tls, size_t body, const char *more)
{
    char *text = malloc(body + 100);
    int n = snprintf(text, 100, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", more, body);
    memset(text + n, 'b', body);
    ssl.SSL_write(tls, text, n + (int)body);
    free(text);
}

/* False: the connection ends. */
static bool answer_fate(SSL *tls, int fd, enum fate fate)
{
    static const char part[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok";
    switch (fate) {
    case LONG:
        write_reply(tls, LONG_BODY, "");
        break;
    case LAST:
        write_reply(tls, 2, "Connection: close\r\n");
        ssl.SSL_shutdown(tls);
        return false;
    case RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                   sizeof(struct linger)); /* fall through */
    case CUT:
        ssl.SSL_write(tls, part, sizeof part - 1);
        return false;
    case SILENT:
        ssl.SSL_shutdown(tls);
        return false;
    case NEW_KEYS: /* and wants the client's as well */
        ssl.SSL_key_update(tls, SSL_KEY_UPDATE_REQUESTED);
        write_reply(tls, 2, "");
        break;
    case TWO_RECORDS:
        ssl.SSL_write(tls, part, sizeof part - 1);
        ssl.SSL_write(tls, "1234567", 7);
        break;
    default:
        write_reply(tls, 2, "");
        break;
    }
    return true;
}

/* The first request of a connection is answered at once; the second says its fate in its path; others are answered. */
static void talk_fates(int fd)
{
    SSL *tls = ssl.SSL_new(server_ctx);
    char text[8192];
    bool more = true;
    ssl.SSL_set_fd(tls, fd);
    for (int i = ssl.SSL_accept(tls) == 1 ? 0 : -1; i >= 0 && more; i++) {
        int n = ssl.SSL_read(tls, text, sizeof text - 1); /* the client sends it as one record */
        if (n <= 0)
            break;
        text[n] = '\0';
        if (i == 1) {
            sem_post(&arrived);
            peer_wait(&go);
            more = answer_fate(tls, fd, (enum fate)(strchr(text, '/')[1] - 'a'));
            sem_post(&done);
        } else {
            write_reply(tls, 2, "");
        }
    }
    if (more && (ssl.SSL_get_shutdown(tls) & SSL_RECEIVED_SHUTDOWN))
        atomic_fetch_add(&farewells, 1);
    ssl.SSL_free(tls);
}

static void submit_all(struct client *client, struct e8_exchange *x, int count, bool fated)
{
    static char urls[MANY][64];
    for (int i = 0; i < count; i++) {
        int start = (int)(strrchr(client->url, '/') - client->url + 1);
        int path = fated ? 'a' + i % FATES : '-';
        snprintf(urls[i], sizeof urls[i], "%.*s%c", start, client->url, path);
        x[i] = client->exchange;
        x[i].url = e8_str(urls[i]);
        x[i].deadline = e8_mono_now() + 20 * E8_NS_S;
        e8_transport_submit(client->transport, &x[i]);
    }
}

static void check_fates(const struct e8_exchange *x)
{
    static const enum e8_outcome want[FATES] = {
        [PLAIN] = E8_DELIVERED,         [LONG] = E8_DELIVERED,        [LAST] = E8_DELIVERED,
        [CUT] = E8_TRUNCATED,           [RESET] = E8_UNKNOWN,         [NEW_KEYS] = E8_DELIVERED,
        [SILENT] = E8_STALE_CONNECTION, [TWO_RECORDS] = E8_DELIVERED,
    };
    for (int i = 0; i < MANY; i++) {
        enum fate fate = (enum fate)(i % FATES);
        bool seen = x[i].outcome == E8_RESET_IN_BODY ||
                    x[i].outcome == E8_STALE_CONNECTION; /* what came before may be lost */
        if (fate == RESET)
            assert_true(seen);
        else
            assert_ended(&x[i], want[fate]);
        assert_true(x[i].flags & E8_FLAG_REUSED);
        if (fate == LONG)
            assert_true(x[i].bytes_received > LONG_BODY);
    }
}

/* What was said of plain connections in test_batch.c holds for those of TLS: those whose fate it allows are used again, and each is told
 * goodbye. */
static void test_many(void **state)
{
    (void)state;
    static struct e8_exchange x[MANY];
    static const struct peer_step steps[] = {{.unasked = true, .talk = talk_fates, .end = PEER_CLOSE}};
    for (int alone = 0; alone <= 1 && client_http != E8_HTTP_11; alone++) {
        struct peer peer, used;
        struct client client;
        int ended = 0;
        tls_open(&used, &client, good_cert);
        peer_open(&peer, steps, 1);
        snprintf(client.url, sizeof client.url, "https://127.0.0.1:%d/", peer.port);
        client.reach.cacert = good_cert;
        sem_init(&arrived, 0, 0);
        atomic_store(&farewells, 0);
        if (alone)
            e8_batch_forgo(client.transport->batch);
        submit_all(&client, x, MANY, false);
        for (int i = 0; i < MANY; i++)
            assert_ended(client_await(&client), E8_DELIVERED);
        submit_all(&client, x, MANY, true);
        e8_transport_wait(client.transport, e8_mono_now());
        for (int i = 0; i < MANY; i++) {
            peer_wait(&arrived);
            ended += i % FATES == LAST || i % FATES == CUT || i % FATES == RESET || i % FATES == SILENT;
        }
        for (int i = 0; i < MANY; i++)
            sem_post(&go);
        for (int i = 0; i < MANY; i++)
            peer_wait(&done);
        for (int i = 0; i < MANY; i++)
            client_await(&client);
        check_fates(x);
        submit_all(&client, x, MANY - ended, false);
        for (int i = 0; i < MANY - ended; i++) {
            struct e8_exchange *one = client_await(&client);
            assert_ended(one, E8_DELIVERED);
            assert_true(one->flags & E8_FLAG_REUSED);
        }
        assert_int_equal(e8_transport_counts(client.transport).connections, MANY);
        client_close(&client);
        peer_close(&peer);
        assert_int_equal(atomic_load(&farewells), MANY - ended);
        client_open(&client, 1);
        sem_destroy(&arrived);
        tls_close(&used, &client);
    }
}

/* --- records that hold no data ---------------------------------------------------------------------------------------------- */

enum flood { FLOOD_TICKETS, FLOOD_KEYS, FLOOD_IDLE, FLOODS };
static enum flood flood;

/* Says much and nothing, until nobody hears it any more: instead of the second answer, or as soon as the first has gone. */
static void talk_flood(int fd)
{
    SSL *tls = ssl.SSL_new(server_ctx);
    e8_mono_ns end = e8_mono_now() + 5 * E8_NS_S;
    bool more = true;
    ssl.SSL_set_fd(tls, fd);
    more = ssl.SSL_accept(tls) == 1 && read_request(tls);
    if (more)
        write_reply(tls, 2, "");
    if (flood != FLOOD_IDLE)
        more = more && read_request(tls);
    while (more && e8_mono_now() < end) {
        if (flood == FLOOD_KEYS)
            ssl.SSL_key_update(tls, SSL_KEY_UPDATE_REQUESTED);
        else
            ssl.SSL_new_session_ticket(tls);
        more = ssl.SSL_do_handshake(tls) == 1;
    }
    ssl.SSL_free(tls);
}

/* A client of a peer with these steps, beside the usual one. */
struct beside {
    struct peer peer, usual;
    struct client client;
    char url[64];
};

static void beside_open(struct beside *b, const struct peer_step *steps)
{
    tls_open(&b->usual, &b->client, good_cert);
    peer_open(&b->peer, steps, 1);
    b->client.reach.cacert = good_cert;
    snprintf(b->url, sizeof b->url, "https://127.0.0.1:%d/", b->peer.port);
    b->client.exchange.url = e8_str(b->url);
}

/* The client has been closed: what it leaves ends what peers say. */
static void beside_close(struct beside *b)
{
    peer_close(&b->peer);
    client_open(&b->client, 1);
    tls_close(&b->usual, &b->client);
}

/* What a receiver sends without end holds neither the deadline nor what others are sent. */
static void test_floods(void **state)
{
    (void)state;
    static const struct peer_step steps[] = {{.unasked = true, .talk = talk_flood, .end = PEER_CLOSE}};
    for (flood = 0; flood < FLOODS; flood++) {
        struct beside b;
        beside_open(&b, steps);
        struct e8_exchange usual = b.client.exchange;
        usual.url = e8_str(b.client.url);
        assert_ended(client_run(&b.client), E8_DELIVERED);
        e8_mono_ns began = e8_mono_now();
        if (flood == FLOOD_IDLE) {
            while (e8_mono_now() < began + 300 * E8_NS_MS)
                e8_transport_wait(b.client.transport, began + 300 * E8_NS_MS);
        } else {
            b.client.limit = 300 * E8_NS_MS;
            client_submit(&b.client);
            usual.deadline = E8_NEVER;
            e8_transport_submit(b.client.transport, &usual);
            client_await(&b.client);
            client_await(&b.client);
            assert_ended(&b.client.exchange, E8_TIMEOUT_FIRST_BYTE);
            assert_ended(&usual, E8_DELIVERED);
        }
        client_close(&b.client); /* which says goodbye to it, and reads no more */
        assert_in_range(e8_mono_now() - began, 300 * E8_NS_MS, 2 * E8_NS_S);
        beside_close(&b);
    }
}

/* Until TLS 1.2 a server may want another handshake in the middle, which goes before the request. */
static void talk_again(int fd)
{
    SSL *tls = ssl.SSL_new(server_ctx);
    ssl.SSL_set_fd(tls, fd);
    bool more = ssl.SSL_accept(tls) == 1;
    for (int i = 0; more && read_request(tls); i++) {
        write_reply(tls, 2, "");
        if (i % 3) /* the client may not have seen yet that it was asked for */
            continue;
        ssl.SSL_renegotiate(tls);
        more = ssl.SSL_do_handshake(tls) == 1;
    }
    ssl.SSL_free(tls);
}

static void test_handshake_anew(void **state)
{
    (void)state;
    static const struct peer_step steps[] = {{.unasked = true, .talk = talk_again, .end = PEER_CLOSE}};
    struct beside b;
    server_max = TLS1_2_VERSION;
    beside_open(&b, steps);
    b.client.limit = 3 * E8_NS_S;
    for (int i = 0; i < 40; i++)
        assert_ended(client_run(&b.client), E8_DELIVERED);
    client_close(&b.client);
    beside_close(&b);
}

/* libcurl's multi fails, and all of its connections are made anew; those of links go with it. */
static void test_rebuilt(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    tls_open(&peer, &client, good_cert);
    client.reach.cacert = good_cert;
    for (int i = 0; i < 3; i++) {
        assert_ended(client_run(&client), E8_DELIVERED);
        assert_ended(client_run(&client), E8_DELIVERED);
        atomic_store(&interpose_action_failures, 1);
        client.exchange.fresh = true;
        assert_ended(client_run(&client), E8_UNKNOWN);
        client.exchange.fresh = false;
    }
    assert_ended(client_run(&client), E8_DELIVERED);
    assert_int_equal(e8_transport_counts(client.transport).rebuilt, 3);
    tls_close(&peer, &client);
}

/* --- HTTP/2 ------------------------------------------------------------------------------------------------------------ */

static atomic_int h2_streams; /* requests */
static atomic_int h2_slow;    /* the stream that is answered late, all behind it with it */
#define H2_SLOW 60000         /* microseconds */
static atomic_int h2_silent, h2_refused, h2_reset,
    h2_goaway; /* the stream that is not answered, or refused, or reset, or the last */

struct line {
    SSL *tls; /* NULL: plain */
    int fd;
};

static bool line_read(const struct line *line, void *out, size_t n)
{
    unsigned char *p = out;
    while (n) {
        ssize_t got = line->tls ? ssl.SSL_read(line->tls, p, (int)n) : recv(line->fd, p, n, 0);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static void h2_frame(const struct line *line, int type, int flags, const unsigned char stream[4],
                     const void *payload, size_t n)
{
    unsigned char frame[32] = {0, 0, (unsigned char)n, (unsigned char)type, (unsigned char)flags};
    memcpy(frame + 5, stream, 4);
    memcpy(frame + 9, payload, n);
    if (line->tls)
        ssl.SSL_write(line->tls, frame, 9 + (int)n);
    else
        peer_write(line->fd, frame, 9 + n);
}

/* How a stream is answered: by its number. */
static void h2_answer(const struct line *line, const unsigned char stream[4])
{
    enum { HEADERS = 1, RST_STREAM = 3, GOAWAY = 7, END_STREAM = 1, END_HEADERS = 4 };
    static const unsigned char none[4] = {0}, refused[4] = {0, 0, 0, 7}, internal[4] = {0, 0, 0, 2};
    int number = stream[2] << 8 | stream[3];
    if (number == atomic_load(&h2_slow))
        usleep(H2_SLOW);
    if (number == atomic_load(&h2_refused))
        h2_frame(line, RST_STREAM, 0, stream, refused, 4);
    else if (number == atomic_load(&h2_reset))
        h2_frame(line, RST_STREAM, 0, stream, internal, 4);
    else if (number != atomic_load(&h2_silent))
        h2_frame(line, HEADERS, END_STREAM | END_HEADERS, stream, "\x88", 1); /* :status: 200 */
    if (number == atomic_load(&h2_goaway)) {
        unsigned char last[8] = {0};
        memset(last, 0x7f, 4); /* in two steps, as it should */
        h2_frame(line, GOAWAY, 0, none, last, 8);
        memcpy(last, stream, 4);
        h2_frame(line, GOAWAY, 0, none, last, 8);
    }
}

/* The least of a server (RFC 9113): status 200 and no body. */
static void h2_serve(const struct line *line)
{
    enum { DATA = 0, HEADERS = 1, SETTINGS = 4, END_STREAM = 1, ACK = 1 };
    static const unsigned char none[4] = {0};
    unsigned char head[24], payload[65536];
    if (!line_read(line, head, 24))
        return;
    h2_frame(line, SETTINGS, 0, none, "", 0);
    while (line_read(line, head, 9)) {
        size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (n > sizeof payload || !line_read(line, payload, n))
            return;
        if (head[3] == SETTINGS && !(head[4] & ACK))
            h2_frame(line, SETTINGS, ACK, none, "", 0);
        if ((head[3] != DATA && head[3] != HEADERS) || !(head[4] & END_STREAM))
            continue;
        atomic_fetch_add(&h2_streams, 1);
        h2_answer(line, head + 5);
    }
}

static void talk_h2(int fd)
{
    h2_serve(&(const struct line){.fd = fd});
}

static void talk_h2_tls(int fd)
{
    struct line line = {.tls = ssl.SSL_new(server_ctx), .fd = fd};
    ssl.SSL_set_fd(line.tls, fd);
    if (ssl.SSL_accept(line.tls) == 1)
        h2_serve(&line);
    ssl.SSL_free(line.tls);
}

static int choose_h2(SSL *tls, const unsigned char **out, unsigned char *n, const unsigned char *in,
                     unsigned in_n, void *arg)
{
    static const unsigned char h2[] = "h2";
    (void)tls, (void)arg;
    *out = h2;
    *n = 2;
    return memmem(in, in_n, "\2h2", 3) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Rule 16: one connection for all; and a stream that runs into its deadline does not trouble the others. */
static void test_http2(void **state)
{
    (void)state;
    enum { COUNT = 90, ROUNDS = 2 };
    static const struct peer_step steps[] = {{.unasked = true, .talk = talk_h2_tls, .end = PEER_CLOSE}};
    static struct e8_exchange x[COUNT];
    struct peer peer;
    struct client client;
    tls_open(&peer, &client, good_cert);
    peer.steps = steps;
    ssl.SSL_CTX_set_alpn_select_cb(server_ctx, choose_h2, NULL);
    client.reach = (struct e8_reach){.http = E8_HTTP_2, .cacert = good_cert};
    atomic_store(&h2_streams, 0);
    atomic_store(&h2_silent, 5);
    atomic_store(&h2_slow, 2 * COUNT + 1); /* the first of the second round */
    int late = 0;
    for (int i = 0; i < COUNT * ROUNDS; i++) {
        if (i % COUNT == 0) {
            for (int k = 0; k < COUNT; k++) {
                x[k] = client.exchange;
                x[k].deadline = e8_mono_now() + 2 * E8_NS_S;
                e8_transport_submit(client.transport, &x[k]);
            }
        }
        struct e8_exchange *one = client_await(&client);
        if (one->outcome == E8_TIMEOUT_FIRST_BYTE && !late++)
            continue;
        assert_ended(one, E8_DELIVERED);
        assert_int_equal(one->http_version, 20);
        assert_in_range(one->phases.first_byte, i < COUNT ? 1 : H2_SLOW * E8_NS_US / 2, one->phases.total);
    }
    atomic_store(&h2_slow, 0);
    assert_int_equal(late, 1);
    assert_int_equal(atomic_load(&h2_streams), ROUNDS * COUNT);
    assert_int_equal(atomic_load(&peer.connections), 1);
    assert_int_equal(e8_transport_counts(client.transport).reused, ROUNDS * COUNT - 1);
    tls_close(&peer, &client);
}

static void test_http2_plain(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.unasked = true, .talk = talk_h2, .end = PEER_CLOSE}));
    client_open(&client, peer.port);
    client.reach.http = E8_HTTP_2;
    atomic_store(&h2_streams, 0);
    atomic_store(&h2_silent, 0);
    for (int i = 0; i < 10; i++) {
        assert_ended(client_run(&client), E8_DELIVERED);
        assert_int_equal(client.exchange.http_version, 20);
    }
    assert_int_equal(atomic_load(&h2_streams), 10);
    client.exchange.fresh = true;
    atomic_store(&h2_reset, 1);
    assert_ended(client_run(&client), E8_RESET);
    assert_non_null(strstr(client.exchange.error, "INTERNAL_ERROR"));
    assert_null(strstr(client.exchange.error, "does it speak"));
    atomic_store(&h2_reset, 0);
    atomic_store(&h2_refused, 1);
    assert_ended(client_run(&client), E8_NO_RESPONSE);
    assert_string_equal(client.exchange.error, "the receiver refused the stream");
    assert_int_equal(e8_transport_counts(client.transport).refused, 1);
    atomic_store(&h2_refused, 0);
    atomic_store(&h2_silent, 1);
    client.limit = 50 * E8_NS_MS;
    assert_ended(client_run(&client), E8_TIMEOUT_FIRST_BYTE);
    client_close(&client);
    peer_close(&peer);
}

/* What the receiver does not want is counted; the next exchange goes on, on another connection where it must. */
static void test_http2_unwanted(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    static const struct peer_step steps[] = {{.unasked = true, .talk = talk_h2_tls, .end = PEER_CLOSE}};
    tls_open(&peer, &client, good_cert);
    peer.steps = steps;
    ssl.SSL_CTX_set_alpn_select_cb(server_ctx, choose_h2, NULL);
    client.reach = (struct e8_reach){.http = E8_HTTP_2, .cacert = good_cert};
    atomic_store(&h2_silent, 0);
    atomic_store(&h2_refused, 3);
    atomic_store(&h2_goaway, 5);
    assert_ended(client_run(&client), E8_DELIVERED);
    assert_true(client_run(&client)->outcome != E8_DELIVERED);
    assert_int_equal(e8_transport_counts(client.transport).refused, 1);
    assert_int_equal(client.exchange.status, 0);
    atomic_store(&h2_refused, 0);
    for (int i = 0; i < 3; i++) /* the connection's streams 1, 3 and 5 */
        assert_ended(client_run(&client), E8_DELIVERED);
    /* The fourth finds it ended; or the word of that comes while it begins, and it sends nothing there. */
    if (client_run(&client)->outcome == E8_STALE_CONNECTION)
        client_run(&client);
    assert_ended(&client.exchange, E8_DELIVERED);
    assert_int_equal(e8_transport_counts(client.transport).goaways, 1);
    assert_int_equal(atomic_load(&peer.connections), 3);
    atomic_store(&h2_goaway, 0);
    atomic_store(&h2_reset, 3); /* on a connection that stands, and goes on */
    assert_ended(client_run(&client), E8_RESET);
    atomic_store(&h2_reset, 0);
    assert_ended(client_run(&client), E8_DELIVERED);
    assert_true(client.exchange.flags & E8_FLAG_REUSED);
    assert_int_equal(atomic_load(&peer.connections), 3);
    tls_close(&peer, &client);
}

/* Prior knowledge that was wrong. */
static void test_http2_to_http1(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", .end = PEER_HOLD}));
    client_open(&client, peer.port);
    client.reach.http = E8_HTTP_2;
    assert_ended(client_run(&client), E8_NOT_HTTP);
    client_close(&client);
    peer_close(&peer);
}

/* Bodies that do not go out as usual: held back, at a rate, of a length that is not told. */
static void run_unusual(struct client *client, size_t i)
{
    static const struct e8_wire wires[] = {{.close_after = -1},
                                           {.rate = 500, .close_after = -1},
                                           {.chunked = true, .close_after = -1},
                                           {.chunked = true, .rate = 500, .close_after = -1}};
    struct e8_exchange *x = &client->exchange;
    x->wire = &wires[i / 2 % E8_COUNT(wires)];
    x->hold = i % 2;
    e8_mono_ns start = e8_mono_now();
    client_submit(client);
    while (x->hold && !e8_transport_held(client->transport, x))
        e8_transport_wait(client->transport, x->deadline);
    e8_mono_ns held = e8_mono_now();
    if (x->hold)
        e8_transport_release(client->transport, &x, 1);
    x = client_await(client);
    assert_ended(x, E8_DELIVERED);
    if (x->hold)
        assert_true(x->sent >= held);
    if (x->wire->rate)
        assert_true(x->done - start > 13 * E8_NS_MS); /* 7 bytes */
}

static void test_unusual(void **state)
{
    (void)state;
    static const struct peer_step h2_steps[] = {{.unasked = true, .talk = talk_h2_tls, .end = PEER_CLOSE}};
    struct peer peer;
    struct client client;
    tls_open(&peer, &client, good_cert);
    client.reach.cacert = good_cert;
    for (size_t i = 0; i < 16; i++)
        run_unusual(&client, i);
    assert_int_equal(atomic_load(&tls_requests), 16);
    assert_int_equal(atomic_load(&peer.connections), 1);
    tls_close(&peer, &client);
    tls_open(&peer, &client, good_cert);
    peer.steps = h2_steps;
    ssl.SSL_CTX_set_alpn_select_cb(server_ctx, choose_h2, NULL);
    client.reach = (struct e8_reach){.http = E8_HTTP_2, .cacert = good_cert};
    atomic_store(&h2_streams, 0);
    atomic_store(&h2_silent, 0);
    for (size_t i = 0; i < 16; i++)
        run_unusual(&client, i);
    assert_int_equal(atomic_load(&h2_streams), 16);
    assert_int_equal(atomic_load(&peer.connections), 1);
    tls_close(&peer, &client);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_unusual),
    cmocka_unit_test(test_certificates),
    cmocka_unit_test(test_trust_is_apart),
    cmocka_unit_test(test_trust_is_read_once),
    cmocka_unit_test(test_client_certificate),
    cmocka_unit_test(test_no_handshake),
    cmocka_unit_test(test_plain_to_tls),
    cmocka_unit_test(test_reuse_and_resume),
    cmocka_unit_test(test_idle),
    cmocka_unit_test(test_cut),
    cmocka_unit_test(test_many),
    cmocka_unit_test(test_floods),
    cmocka_unit_test(test_handshake_anew),
    cmocka_unit_test(test_rebuilt),
    cmocka_unit_test(test_http2),
    cmocka_unit_test(test_first_answer_late),
    cmocka_unit_test(test_http2_plain),
    cmocka_unit_test(test_http2_unwanted),
    cmocka_unit_test(test_http2_to_http1),
};

int run_tls(void)
{
    return cmocka_run_group_tests_name("tls", tests, make_certificates, remove_certificates);
}
