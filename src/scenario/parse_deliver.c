#include "scenario/parse.h"

static bool parse_copies(struct e8_parser *p, const struct e8_node *node, uint32_t *out)
{
    if (node->kind != E8_INT || node->i < 1 || node->i > E8_COPIES_MAX) {
        e8_parse_fail(p, node, "a whole number from 1 to 1000", "\"%.*s\" is no number of copies",
                      E8_STR(node->text));
        return false;
    }
    *out = (uint32_t)node->i;
    return true;
}

/* What only copies can be. */
static void need_copies(struct e8_parser *p, const struct e8_node *map, const char *key)
{
    const struct e8_node *node = e8_node_get(map, key);
    if (node && !e8_node_get(map, "duplicate")) {
        e8_parse_fail_key(p, node, "{duplicate: 49, concurrent: true}", "\"%s\" is said of duplicates", key);
    }
}

void e8_parse_deliver(struct e8_parser *p, const struct e8_node *map, struct e8_deliver *out)
{
    static const char *const keys[] = {"duplicate", "concurrent", "as",   "late",
                                       "burst",     "reorder",    "drop", NULL};
    const struct e8_node *node;
    if (map->kind != E8_MAP || map->count == 0) {
        e8_parse_fail(p, map, "deliver: {duplicate: 1}", "deliver must be a map of what is unusual");
        return;
    }
    e8_node_only(map, keys, p->errs);
    if ((node = e8_node_get(map, "duplicate")) != NULL) {
        parse_copies(p, node, &out->copies);
    }
    if ((node = e8_node_get(map, "concurrent")) != NULL) {
        e8_parse_bool(p, node, &out->concurrent);
    }
    if ((node = e8_node_get(map, "as")) != NULL) {
        out->retried = e8_str_is(node->text, "retry");
        if (!out->retried) {
            e8_parse_fail(p, node, "as: retry; left out, it is the same bytes",
                          "\"%.*s\" is not how copies are sent", E8_STR(node->text));
        }
    }
    if ((node = e8_node_get(map, "late")) != NULL) {
        e8_parse_long_dur(p, node, &out->late);
    }
    if ((node = e8_node_get(map, "burst")) != NULL) {
        e8_parse_long_dur(p, node, &out->burst);
    }
    if ((node = e8_node_get(map, "reorder")) != NULL) {
        e8_parse_bool(p, node, &out->reorder);
    }
    need_copies(p, map, "concurrent");
    need_copies(p, map, "as");
    if ((node = e8_node_get(map, "drop")) != NULL && e8_parse_bool(p, node, &out->drop) && out->drop &&
        map->count > 1) {
        e8_parse_fail_key(p, node, "drop: true alone", "what is dropped is not delivered in any other way");
    }
}

static bool parse_share(struct e8_parser *p, const struct e8_node *node, struct e8_str text, double *out)
{
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_parse_share(text, out)) {
        char hint[E8_SHARE_HINT_MAX];
        e8_parse_fail(p, node, e8_share_hint(text, "0% to 100%, as in 2%", hint), "\"%.*s\" is no share",
                      E8_STR(text));
        return false;
    }
    return true;
}

/* "1% by 30s": false where the word is not in it. */
static bool split(struct e8_str text, const char *word, struct e8_str *before, struct e8_str *after)
{
    struct e8_str w = e8_str(word);
    for (size_t i = 1; i + w.n < text.n; i++) {
        if (text.p[i - 1] == ' ' && text.p[i + w.n] == ' ' &&
            e8_str_eq((struct e8_str){text.p + i, w.n}, w)) {
            *before = e8_str_trim((struct e8_str){text.p, i - 1});
            *after = e8_str_trim((struct e8_str){text.p + i + w.n, text.n - i - w.n});
            return true;
        }
    }
    return false;
}

/* A share with a duration: "1% by 30s", or {share: 1%, by: 30s}. */
static void parse_timed(struct e8_parser *p, const struct e8_node *node, const char *word, const char *hint,
                        double *share, e8_dur_ns *out)
{
    const char *const keys[] = {"share", word, NULL};
    struct e8_str before, after;
    if (node->kind == E8_MAP) {
        const struct e8_node *part = e8_node_get(node, "share"), *length = e8_node_get(node, word);
        e8_node_only(node, keys, p->errs);
        if (!part || !length) {
            e8_parse_fail(p, node, hint, "it needs a share and a duration");
        } else {
            parse_share(p, part, part->text, share);
            e8_parse_long_dur(p, length, out);
        }
    } else if (node->kind == E8_SEQ || !split(node->text, word, &before, &after)) {
        e8_parse_fail(p, node, hint, "\"%.*s\" needs a share and a duration", E8_STR(node->text));
    } else if (parse_share(p, node, before, share) &&
               (!e8_parse_dur(after, out) || *out == 0 || *out > E8_SPAN_MAX)) {
        e8_parse_fail(p, node, hint, "\"%.*s\" is no duration above 0", E8_STR(after));
    }
}

static void parse_duplicate(struct e8_parser *p, const struct e8_node *node, struct e8_faults *out)
{
    static const char *const keys[] = {"share", "copies", "concurrent", NULL};
    const struct e8_node *share = e8_node_get(node, "share"), *copies = e8_node_get(node, "copies");
    const struct e8_node *concurrent = e8_node_get(node, "concurrent");
    out->copies = 1;
    if (node->kind != E8_MAP) {
        parse_share(p, node, node->text, &out->duplicate);
        return;
    }
    e8_node_only(node, keys, p->errs);
    if (share) {
        parse_share(p, share, share->text, &out->duplicate);
    } else {
        e8_parse_fail(p, node, "duplicate: {share: 2%, copies: 4}", "it needs a share");
    }
    if (copies) {
        parse_copies(p, copies, &out->copies);
    }
    if (concurrent) {
        e8_parse_bool(p, concurrent, &out->concurrent);
    }
}

void e8_parse_faults(struct e8_parser *p, const struct e8_node *map, struct e8_faults *out)
{
    static const char *const keys[] = {"duplicate", "reorder", "late", "drop", "burst", NULL};
    const struct e8_node *node;
    if (map->kind != E8_MAP) {
        e8_parse_fail(p, map, "faults: {duplicate: 2%, late: 1% by 30s}", "faults must be a map of shares");
        return;
    }
    e8_node_only(map, keys, p->errs);
    if ((node = e8_node_get(map, "duplicate")) != NULL) {
        parse_duplicate(p, node, out);
    }
    if ((node = e8_node_get(map, "reorder")) != NULL) {
        parse_share(p, node, node->text, &out->reorder);
    }
    if ((node = e8_node_get(map, "drop")) != NULL) {
        parse_share(p, node, node->text, &out->drop);
    }
    if ((node = e8_node_get(map, "late")) != NULL) {
        parse_timed(p, node, "by", "late: 1% by 30s", &out->late, &out->late_by);
    }
    if ((node = e8_node_get(map, "burst")) != NULL) {
        parse_timed(p, node, "over", "burst: 10% over 2s", &out->burst, &out->burst_over);
    }
    if (out->duplicate + out->reorder + out->late + out->drop + out->burst > 1.0000001) {
        e8_parse_fail(p, map, "at most 100% in all", "the shares are more than all deliveries");
    }
}
