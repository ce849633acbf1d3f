#include <string.h>

#include "check/internal.h"

struct profile {
    struct e8_check *check;
    const struct e8_node *entry; /* of a probe or a group */
    const struct e8_node *statuses;
    const char *reason;
    bool skip;
    size_t changed; /* steps whose expectation it changed */
    struct e8_errs *errs;
};

static void wrong(struct profile *p, const struct e8_node *node, const char *hint, const char *what)
{
    struct e8_err err = {0};
    e8_node_fail(&err, node, hint, "%s", what);
    e8_errs_add(p->errs, &err);
}

static bool change_step(void *state, const struct e8_emit *emit)
{
    struct profile *p = state;
    const struct e8_expect *changed;
    if (emit->expect && !e8_expect_override(p->check->arena, emit->expect, p->statuses, &changed, p->errs)) {
        p->check->plan->emits[emit->index].expect = changed;
        p->changed++;
    }
    return true;
}

static void change_probe(struct profile *p, struct e8_check_probe *probe)
{
    probe->override = p->reason;
    if (p->skip && probe->says->canary) {
        wrong(p, p->entry, NULL, "a canary cannot be skipped: without it no refusal means anything");
    } else if (p->skip) {
        probe->skipped = "left out by the profile";
    }
    if (p->statuses) {
        e8_steps_emits(probe->flow->steps, change_step, p);
    }
}

static void read_entry(struct profile *p)
{
    static const char *const keys[] = {"status", "skip", "reason", NULL};
    if (p->entry->kind != E8_MAP) {
        wrong(p, p->entry, "{status: [404], reason: TEXT} or {skip: true, reason: TEXT}",
              "an entry of a profile is a map");
        return;
    }
    const struct e8_node *reason = e8_node_get(p->entry, "reason"), *skip = e8_node_get(p->entry, "skip");
    e8_node_only(p->entry, keys, p->errs);
    p->statuses = e8_node_get(p->entry, "status");
    p->skip = skip && skip->kind == E8_BOOL && skip->b;
    if (!reason) {
        wrong(p, p->entry, "reason: behind a gateway that answers 404", "an override needs a reason");
    } else if (reason->kind != E8_STRING || !e8_str_trim(reason->text).n) {
        wrong(p, reason, "one line for the report", "a reason is a text");
    } else {
        p->reason = e8_arena_str(p->check->arena, e8_str_trim(reason->text)).p;
    }
    if (skip && skip->kind != E8_BOOL) {
        wrong(p, skip, "skip: true", "skip is true or false");
    } else if (!p->skip && !p->statuses) {
        wrong(p, p->entry, "status: [404], or skip: true", "an override changes something");
    }
}

static void apply_entry(struct profile *p)
{
    size_t found = 0, before = p->errs->total;
    read_entry(p);
    for (size_t i = 0; i < p->check->count; i++) {
        struct e8_check_probe *probe = &p->check->probes[i];
        if (e8_check_named(probe, p->entry->key)) {
            found++;
            change_probe(p, probe);
        }
    }
    if (!found) {
        struct e8_err err = {0};
        char hint[E8_HINT_MAX];
        e8_key_fail(&err, p->entry, e8_check_hint(p->check, p->entry->key, hint),
                    "there is no probe \"%.*s\"", E8_STR(p->entry->key));
        e8_errs_add(p->errs, &err);
    } else if (p->statuses && !p->changed && p->errs->total == before) {
        wrong(p, p->statuses, "skip: true leaves it out", "this probe expects no status");
    }
}

enum e8_rc e8_check_profile(struct e8_check *check, const char *path, struct e8_errs *errs)
{
    struct e8_doc *doc = NULL;
    struct e8_err err = {0};
    size_t before = errs->total;
    if (e8_doc_load(path, &doc, &err)) {
        return e8_errs_add(errs, &err);
    }
    const struct e8_node *root = e8_doc_root(doc);
    struct profile whole = {.check = check, .errs = errs};
    if (root->kind != E8_MAP) {
        wrong(&whole, root, "SIG-01: {status: [404], reason: TEXT}", "a profile is a map of probes");
    } else {
        for (const struct e8_node *node = root->first; node; node = node->next) {
            struct profile p = {.check = check, .entry = node, .errs = errs};
            apply_entry(&p);
        }
    }
    e8_doc_free(&doc);
    return errs->total == before ? E8_OK : E8_INPUT;
}
