#include <string.h>

#include "scenario/parse.h"

/* Another secret for the n-th that is not there; hexadecimal digits fit the form of every scheme. */
static const char *made_up(struct e8_parser *p, const char *from, size_t n)
{
    char digest[65];
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    e8_buf_printf(&text, "%zu %s", n, from);
    e8_plan_digest(e8_buf_str(&text), digest);
    e8_buf_fini(&text);
    return e8_plan_secret(p->owned, digest);
}

/* For a secret that is not there; NULL: its absence is a fault. */
static const char *take_spare(struct e8_parser *p, struct e8_spare *spare)
{
    size_t n = spare->taken++;
    if (!spare->secret || (n && spare->once && !p->options->stand_ins)) {
        return NULL;
    }
    return n && p->options->stand_ins ? made_up(p, spare->secret, n)
                                      : e8_plan_secret(p->owned, spare->secret);
}

static const char *secret_from_env(struct e8_parser *p, const struct e8_node *node, struct e8_spare *spare)
{
    const char *name = e8_parse_text(p, node);
    const char *value = name && p->options->getenv ? p->options->getenv(name) : NULL;
    if (name && (!value || !*value)) {
        const char *instead = take_spare(p, spare);
        if (!instead) {
            e8_parse_fail(p, node,
                          spare->once ? "set it, or give a second --secret-file"
                                      : "set it, or give --secret-file",
                          "the environment has no %s", name);
        }
        return instead;
    }
    return value ? e8_plan_secret(p->owned, value) : NULL;
}

static const char *secret_from_file(struct e8_parser *p, const struct e8_node *node, struct e8_spare *spare)
{
    const char *path = e8_parse_text(p, node);
    struct e8_err err = {0};
    char *secret = NULL;
    if (!path) {
        return NULL;
    }
    bool is_file = strcmp(path, "-") != 0;
    path = is_file ? e8_sources_path(p, node, path) : path;
    const char *instead = is_file && !e8_file_readable(path) ? take_spare(p, spare) : NULL;
    if (instead) {
        return instead;
    }
    if (e8_secret_read(path, &secret, &err)) {
        e8_parse_fail(p, node, err.hint[0] ? err.hint : NULL, "%s: %s", path, err.what);
        return NULL;
    }
    const char *kept = e8_plan_secret(p->owned, secret);
    e8_secret_free(&secret);
    return kept;
}

static const char *parse_secret(struct e8_parser *p, const struct e8_node *node, struct e8_spare *spare)
{
    if (node->kind == E8_MAP) { /* its keys are not shown: it may be a secret without quotes */
        const struct e8_node *env = e8_node_get(node, "env"), *file = e8_node_get(node, "file");
        if (!env == !file || node->count > 1) {
            e8_parse_fail(p, node, "{env: CRM_SECRET} or {file: path}", "a secret comes from one place");
            return NULL;
        }
        return env ? secret_from_env(p, env, spare) : secret_from_file(p, file, spare);
    }
    const char *text = e8_parse_text(p, node);
    return text ? e8_plan_secret(p->owned, text) : NULL;
}

const char *const *e8_parse_secrets(struct e8_parser *p, const struct e8_node *node, struct e8_spare *spare,
                                    size_t most, size_t *count)
{
    bool list = node && node->kind == E8_SEQ;
    const char **secrets = e8_arena_alloc(p->owned->arena, (list ? node->count + 1 : 2) * sizeof *secrets);
    *count = 0;
    if (!node && spare->secret) {
        secrets[(*count)++] = take_spare(p, spare);
    } else if (list && node->count > most) {
        e8_parse_fail(p, node, NULL, "at most %zu secrets at a time", most);
    } else if (list) {
        for (const struct e8_node *item = node->first; item; item = item->next) {
            const char *secret = parse_secret(p, item, spare);
            if (secret) {
                secrets[(*count)++] = secret;
            }
        }
    } else if (node) {
        secrets[0] = parse_secret(p, node, spare);
        *count = secrets[0] ? 1 : 0;
    }
    return secrets;
}
