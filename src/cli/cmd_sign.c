#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"

#define SIGN_COMMON                                                                                          \
    {"secret-file", 0, "FILE", "the secret; EMIT8_SECRET otherwise (repeatable)",                            \
     E8_OPTION_ENV | E8_OPTION_REPEATS},                                                                     \
        {"scheme", 0, "NAME", "8bit (default), standard-webhooks, stripe, github, slack, or a JSON file",    \
         E8_OPTION_ENV},                                                                                     \
    {                                                                                                        \
        "explain", 0, NULL, "say what was signed, byte for byte", 0                                          \
    }

const struct e8_option e8_sign_options[] = {
    SIGN_COMMON,
    {"id", 0, "ID", "of the delivery; default: a new one", 0},
    {"timestamp", 0, "UNIX", "seconds; default: now", 0},
    {NULL, 0, NULL, NULL, 0},
};

const struct e8_option e8_verify_options[] = {
    SIGN_COMMON,
    {"header", 'H', "'NAME: VALUE'", "a header that came with the body (repeatable)", E8_OPTION_REPEATS},
    {"now", 0, "TIME", "the time to check the timestamp against; default: now", 0},
    {"tolerance", 0, "DUR", "of the timestamp; default: the scheme's", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct signing {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_doc *scheme_doc;
    const struct e8_scheme *scheme;
    struct e8_cli_secrets secrets;
    struct e8_signer *signer;
    struct e8_buf body;
};

static enum e8_rc open_signing(struct signing *s, struct e8_errs *errs)
{
    struct e8_err err = {0};
    enum e8_rc rc = e8_cli_scheme(s->args, s->catalog, s->arena, &s->scheme_doc, &s->scheme, errs);
    if (rc) {
        return rc;
    }
    rc = e8_cli_secrets(s->args, &s->secrets, &err);
    if (!rc && s->secrets.count == 0) {
        rc = e8_fail(&err, E8_INPUT, "--secret-file FILE, or EMIT8_SECRET", "no secret to %s with",
                     s->args->command->name);
    }
    rc = rc ? rc
            : e8_signer_new(s->scheme, (const char *const *)s->secrets.list, s->secrets.count, &s->signer,
                            &err);
    rc = rc ? rc : e8_file_read(s->args->word_count ? s->args->words[0] : "-", E8_FILE_MAX, &s->body, &err);
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static void close_signing(struct signing *s)
{
    e8_signer_free(&s->signer);
    e8_cli_secrets_fini(&s->secrets);
    e8_buf_fini(&s->body);
    e8_doc_free(&s->scheme_doc);
    e8_catalog_free(&s->catalog);
    e8_arena_free(&s->arena);
}

static int with_signing(const struct e8_args *args, int (*work)(struct signing *))
{
    struct signing s = {.args = args, .arena = e8_arena_new()};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    e8_buf_init(&s.body, 0);
    if (e8_cli_catalog(args, &s.catalog, &code)) {
        code = open_signing(&s, &errs) ? e8_exit_errs(&errs) : work(&s);
    }
    e8_errs_fini(&errs);
    close_signing(&s);
    return code;
}

static void add_line(struct e8_buf *lines, const char *name, struct e8_str value)
{
    e8_buf_printf(lines, "%s: %.*s\n", name, E8_STR(value));
}

static void print_explained(struct signing *s, const struct e8_header *headers, size_t count,
                            enum e8_verdict verdict)
{
    struct e8_buf text;
    e8_buf_init(&text, 1 << 20);
    e8_sign_explain(s->scheme, (const char *const *)s->secrets.list, s->secrets.count, headers, count,
                    e8_buf_str(&s->body), verdict, &text);
    fputs(e8_buf_cstr(&text), stdout);
    e8_buf_fini(&text);
}

static int do_sign(struct signing *s)
{
    struct e8_err err = {0};
    char id[E8_ID_MAX];
    uint64_t timestamp = (uint64_t)(e8_wall_now() / E8_NS_S), random[2];
    e8_random_bytes(random, sizeof random);
    e8_id_make("dlv_", e8_wall_now(), random[0], random[1], id);
    if (e8_arg_u64(s->args, "timestamp", 0, 253402300799u, &timestamp, &err)) {
        return e8_exit_error(&err);
    }
    const char *given = e8_arg(s->args, "id");
    if (given && !e8_header_value_valid(e8_str(given))) {
        e8_fail(&err, E8_INPUT, NULL, "--id holds a control character");
        return e8_exit_error(&err);
    }
    struct e8_sign_input in = {.id = e8_str(given ? given : id),
                               .timestamp = (int64_t)timestamp,
                               .body = e8_buf_str(&s->body),
                               .attempt = 1};
    struct e8_header headers[E8_SCHEME_HEADERS_MAX + 1];
    size_t count = 0;
    struct e8_buf values[E8_SCHEME_HEADERS_MAX + 1], lines;
    e8_buf_init(&lines, 1 << 20);
    for (size_t i = 0; i <= s->scheme->header_count; i++) {
        bool last = i == s->scheme->header_count;
        const char *name = last ? s->scheme->header : s->scheme->headers[i].name;
        e8_buf_init(&values[i], 64 << 10);
        if (last) {
            e8_signer_sign(s->signer, &in, &values[i]);
        } else {
            e8_sign_expand(s->scheme->headers[i].value, &in, &values[i]);
        }
        headers[count++] = (struct e8_header){e8_str(name), e8_buf_str(&values[i])};
        add_line(&lines, name, e8_buf_str(&values[i]));
    }
    fputs(e8_buf_cstr(&lines), stdout);
    if (e8_arg_set(s->args, "explain")) {
        fputc('\n', stdout);
        print_explained(s, headers, count, E8_VERIFIED);
    }
    for (size_t i = 0; i <= s->scheme->header_count; i++) {
        e8_buf_fini(&values[i]);
    }
    e8_buf_fini(&lines);
    return E8_EXIT_PASS;
}

static int do_verify(struct signing *s)
{
    struct e8_err err = {0};
    struct e8_header *headers = NULL;
    size_t count = 0, matched = 0;
    e8_wall_ns now = e8_wall_now();
    e8_dur_ns tolerance = s->scheme->tolerance;
    enum e8_rc rc = e8_cli_headers(s->args, &headers, &count, &err);
    rc = rc ? rc : e8_arg_time(s->args, "now", &now, &err);
    rc = rc ? rc : e8_arg_dur(s->args, "tolerance", &tolerance, &err);
    if (rc) {
        free(headers);
        return e8_exit_error(&err);
    }
    enum e8_verdict verdict =
        e8_verify(s->signer, headers, count, e8_buf_str(&s->body), now, tolerance, &matched);
    printf("%s", e8_verdict_name(verdict));
    if (verdict != E8_VERIFIED) {
        printf(": %s", e8_verdict_text(verdict));
    }
    putchar('\n');
    if (e8_arg_set(s->args, "explain")) {
        print_explained(s, headers, count, verdict);
    }
    free(headers);
    return verdict == E8_VERIFIED ? E8_EXIT_PASS : E8_EXIT_FAIL;
}

int e8_cmd_sign(const struct e8_args *args)
{
    return with_signing(args, do_sign);
}

int e8_cmd_verify(const struct e8_args *args)
{
    return with_signing(args, do_verify);
}
