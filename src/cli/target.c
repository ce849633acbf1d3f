#include "cli/target.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/platform.h"

#define ENDPOINTS_MAX 64

/* NAME=URL, where a "=" stands before the URL's "://"; else the URL alone. */
static struct e8_str take_name(const char **url)
{
    const char *equals = strchr(*url, '='), *scheme = strstr(*url, "://");
    if (!equals || (scheme && scheme < equals)) {
        return E8_LIT("");
    }
    struct e8_str name = {*url, (size_t)(equals - *url)};
    *url = equals + 1;
    return name;
}

static enum e8_rc add_endpoint(struct e8_cli_target *t, const char *to, struct e8_err *err)
{
    struct e8_endpoint *endpoint = &t->endpoints[t->count];
    struct e8_url url;
    struct e8_str name = take_name(&to);
    endpoint->url = to;
    endpoint->name = name.n     ? e8_arena_str(t->arena, name).p
                     : t->count ? e8_arena_printf(t->arena, "target-%zu", t->count + 1)
                                : "target";
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->endpoints[i].name, endpoint->name) == 0) {
            return e8_fail(err, E8_INPUT, "--to NAME=URL", "two endpoints are named \"%s\"", endpoint->name);
        }
    }
    if (!e8_endpoint_name_good(e8_str(endpoint->name))) {
        return e8_fail(err, E8_INPUT, "letters, digits, '-', '_' and '.', at most 64",
                       "\"%s\" is no name for an endpoint", endpoint->name);
    }
    t->count++;
    return e8_url_parse(e8_str(to), &url, err);
}

static enum e8_rc fail_missing(const struct e8_args *args, struct e8_err *err)
{
    for (size_t i = 0; i < args->word_count; i++) {
        if (strstr(args->words[i], "://")) {
            char hint[E8_HINT_MAX];
            struct e8_buf buf;
            e8_buf_fixed(&buf, hint, sizeof hint - 1);
            e8_buf_puts(&buf, "did you mean --to ");
            e8_url_redacted(e8_str(args->words[i]), &buf);
            e8_buf_putc(&buf, '?');
            return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf),
                           "where to? --to is missing, and a URL stands where event types do");
        }
    }
    return e8_fail(err, E8_INPUT, "--to http://127.0.0.1:9000/webhooks", "where to? --to is missing");
}

static enum e8_rc read_urls(const struct e8_args *args, bool several, struct e8_cli_target *t,
                            struct e8_err *err)
{
    const char **all = e8_arg_all(args, "to");
    enum e8_rc rc = E8_OK;
    size_t n = 0;
    while (all && all[n]) {
        n++;
    }
    t->endpoints = e8_arena_alloc(t->arena, (n + 1) * sizeof *t->endpoints);
    if (n == 0) {
        rc = fail_missing(args, err);
    } else if (several && n > ENDPOINTS_MAX) {
        rc = e8_fail(err, E8_INPUT, NULL, "--to is given more than %d times", ENDPOINTS_MAX);
    }
    for (size_t i = 0; !rc && several && all && i < n; i++) {
        rc = add_endpoint(t, all[i], err);
    }
    if (!rc && !several && all) {
        struct e8_url url;
        t->endpoints[0].url = all[n - 1];
        t->endpoints[0].name = "target";
        t->count = 1;
        rc = e8_url_parse(e8_str(all[n - 1]), &url, err);
    }
    free(all);
    return rc;
}

static enum e8_rc read_settings(const struct e8_args *args, const struct e8_catalog *catalog,
                                struct e8_cli_target *t, struct e8_endpoint *out, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_secrets(args, &t->secrets, err);
    out->secrets = (const char *const *)t->secrets.list;
    out->secret_count = t->secrets.count;
    rc = rc ? rc : e8_cli_headers(args, &t->headers, &out->header_count, err);
    out->headers = t->headers;
    return rc ? rc : e8_cli_policy(args, e8_catalog_platform(catalog), &out->timeout, &out->retry, err);
}

enum e8_rc e8_cli_target(const struct e8_args *args, const struct e8_catalog *catalog, bool several,
                         struct e8_cli_target *out, struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_endpoint like = {0};
    *out = (struct e8_cli_target){.arena = e8_arena_new()};
    if (read_urls(args, several, out, &err) || read_settings(args, catalog, out, &like, &err)) {
        return e8_errs_add(errs, &err);
    }
    enum e8_rc rc = e8_cli_scheme(args, catalog, out->arena, &out->scheme_doc, &like.scheme, errs);
    if (!rc && e8_signer_check(like.scheme, like.secrets, like.secret_count, &err)) {
        rc = e8_errs_add(errs, &err);
    }
    for (size_t i = 0; i < out->count; i++) {
        like.name = out->endpoints[i].name;
        like.url = out->endpoints[i].url;
        out->endpoints[i] = like;
    }
    return rc;
}

void e8_cli_target_fini(struct e8_cli_target *target)
{
    e8_cli_secrets_fini(&target->secrets);
    free(target->headers);
    e8_doc_free(&target->scheme_doc);
    e8_arena_free(&target->arena);
}

void e8_cli_target_note(const struct e8_cli_target *target)
{
    if (target->secrets.count == 0) {
        fputs("emit8: not signed: no secret; give --secret-file or EMIT8_SECRET\n", stderr);
    }
}
