#include "scenario/parse.h"

static const char *secret_from_env(struct e8_parser *p, const struct e8_node *node)
{
    const char *name = e8_parse_text(p, node);
    const char *value = name && p->options->getenv ? p->options->getenv(name) : NULL;
    if (name && (!value || !*value)) {
        if (p->options->secret) {
            return e8_plan_secret(p->owned, p->options->secret);
        }
        e8_parse_fail(p, node, "set it, or give --secret-file", "the environment has no %s", name);
        return NULL;
    }
    return value ? e8_plan_secret(p->owned, value) : NULL;
}

static const char *secret_from_file(struct e8_parser *p, const struct e8_node *node)
{
    const char *path = e8_parse_text(p, node);
    struct e8_err err = {0};
    char *secret = NULL;
    if (!path) {
        return NULL;
    }
    if (e8_secret_read(path, &secret, &err)) {
        e8_parse_fail_err(p, node, &err);
        return NULL;
    }
    const char *kept = e8_plan_secret(p->owned, secret);
    e8_secret_free(&secret);
    return kept;
}

static const char *parse_secret(struct e8_parser *p, const struct e8_node *node)
{
    if (node->kind == E8_MAP) { /* its keys are not shown: it may be a secret without quotes */
        const struct e8_node *env = e8_node_get(node, "env"), *file = e8_node_get(node, "file");
        if (!env == !file || node->count > 1) {
            e8_parse_fail(p, node, "{env: CRM_SECRET} or {file: path}", "a secret comes from one place");
            return NULL;
        }
        return env ? secret_from_env(p, env) : secret_from_file(p, file);
    }
    const char *text = e8_parse_text(p, node);
    return text ? e8_plan_secret(p->owned, text) : NULL;
}

const char *const *e8_parse_secrets(struct e8_parser *p, const struct e8_node *node, const char *otherwise,
                                    size_t most, size_t *count)
{
    bool list = node && node->kind == E8_SEQ;
    const char **secrets = e8_arena_alloc(p->owned->arena, (list ? node->count + 1 : 2) * sizeof *secrets);
    *count = 0;
    if (!node && otherwise) {
        secrets[(*count)++] = e8_plan_secret(p->owned, otherwise);
    } else if (list && node->count > most) {
        e8_parse_fail(p, node, NULL, "at most %zu secrets at a time", most);
    } else if (list) {
        for (const struct e8_node *item = node->first; item; item = item->next) {
            const char *secret = parse_secret(p, item);
            if (secret) {
                secrets[(*count)++] = secret;
            }
        }
    } else if (node) {
        secrets[0] = parse_secret(p, node);
        *count = secrets[0] ? 1 : 0;
    }
    return secrets;
}
