#include <stdlib.h>
#include <string.h>

#include "cli/merge.h"
#include "cli/settings.h"

#define NAMED 5 /* shards that are missing, at most */

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_texts(const char *const *a, const char *const *b)
{
    size_t i = 0;
    while (a && b && a[i] && b[i] && strcmp(a[i], b[i]) == 0) {
        i++;
    }
    return !(a && a[i]) && !(b && b[i]);
}

static enum e8_rc fail_foreign(const struct e8_merge_part *part, const struct e8_merge_part *first,
                               const char *hint, const char *what, struct e8_err *err)
{
    return e8_fail(err, E8_INPUT, hint, "%s: shard %u/%u is not of the run of %s: %s", part->from,
                   part->run.shard, part->run.shards, first->from, what);
}

static enum e8_rc check_seed(const struct e8_merge_part *part, const struct e8_merge_part *first,
                             struct e8_err *err)
{
    char what[80];
    if (part->run.seed == first->run.seed) {
        return E8_OK;
    }
    snprintf(what, sizeof what, "its seed is %llu, not %llu", (unsigned long long)part->run.seed,
             (unsigned long long)first->run.seed);
    return fail_foreign(part, first, "give every shard the same --seed", what, err);
}

static enum e8_rc check_start(const struct e8_merge_part *part, const struct e8_merge_part *first,
                              struct e8_err *err)
{
    const struct e8_log_run *a = &part->run, *b = &first->run;
    char what[128], one[E8_RFC3339_MAX], other[E8_RFC3339_MAX];
    e8_wall_ns start = a->clock ? a->clock : a->started, began = b->clock ? b->clock : b->started;
    if (!a->clock == !b->clock && start == began) {
        return E8_OK;
    }
    e8_wall_format(start, 3, one);
    e8_wall_format(began, 3, other);
    snprintf(what, sizeof what, "it began at %s, not at %s", one, other);
    return fail_foreign(part, first, "give every shard the same --start-at, or --clock", what, err);
}

static bool same_lists(const struct e8_log_run *a, const struct e8_log_run *b)
{
    bool good = a->endpoint_count == b->endpoint_count && a->type_count == b->type_count &&
                a->step_count == b->step_count;
    for (size_t i = 0; good && i < a->endpoint_count; i++) {
        good = same(a->endpoints[i].name, b->endpoints[i].name);
    }
    for (size_t i = 0; good && i < a->type_count; i++) {
        good = same(a->types[i], b->types[i]);
    }
    return good;
}

static enum e8_rc check_settings(const struct e8_merge *merge, const struct e8_merge_part *part,
                                 enum e8_settings_of of, struct e8_err *err)
{
    const struct e8_merge_part *first = merge->parts;
    const char *what, *hint;
    return e8_settings_differ(e8_doc_root(part->notes), e8_doc_root(first->notes), of, merge->arena, &what,
                              &hint)
               ? fail_foreign(part, first, hint, what, err)
               : E8_OK;
}

/* A plan without a file is of options alone: one of them differs. */
static enum e8_rc fail_scenario(const struct e8_merge *merge, const struct e8_merge_part *part,
                                struct e8_err *err)
{
    const struct e8_merge_part *first = merge->parts;
    bool named = same(part->run.name, first->run.name);
    enum e8_rc rc = named ? check_settings(merge, part, E8_SETTINGS_PLAN, err) : E8_OK;
    return rc ? rc
              : fail_foreign(part, first, "run the same file, with the same --var", "it ran another scenario",
                             err);
}

static enum e8_rc fail_plan(const struct e8_merge *merge, const struct e8_merge_part *part,
                            struct e8_err *err)
{
    enum e8_rc rc = check_settings(merge, part, E8_SETTINGS_PLAN, err);
    return rc ? rc
              : fail_foreign(part, merge->parts, "give every shard the same variables and options",
                             "other variables or options made another plan", err);
}

/* What a person would have got wrong comes first. */
static enum e8_rc check_plan(const struct e8_merge *merge, const struct e8_merge_part *part, bool judged,
                             struct e8_err *err)
{
    const struct e8_merge_part *first = merge->parts;
    const struct e8_log_run *a = &part->run, *b = &first->run;
    if (!same(a->fixtures_digest, b->fixtures_digest)) {
        return fail_foreign(part, first, "give every shard the same --fixtures", "it had other fixtures",
                            err);
    }
    if (!same(a->scenario_digest, b->scenario_digest)) {
        return fail_scenario(merge, part, err);
    }
    if (!same(a->version, b->version)) {
        return fail_foreign(part, first, "run the same emit8", "another version of emit8 made it", err);
    }
    enum e8_rc rc = check_seed(part, first, err);
    rc = rc ? rc : check_start(part, first, err);
    if (rc) {
        return rc;
    }
    if (a->speed < b->speed || a->speed > b->speed) {
        return fail_foreign(part, first, "give every shard the same --speed", "it had another --speed", err);
    }
    rc = check_settings(merge, part, E8_SETTINGS_SAME, err);
    if (!rc && (!same(a->plan, b->plan) || !same_lists(a, b))) {
        rc = fail_plan(merge, part, err);
    }
    if (!rc && !judged && !same_texts(a->thresholds, b->thresholds)) {
        return fail_foreign(part, first, "give --threshold here", "it had other thresholds", err);
    }
    return rc;
}

static enum e8_rc read_notes(struct e8_merge_part *part, struct e8_err *err)
{
    const char *notes = part->run.notes;
    return e8_doc_parse(part->from, e8_str(notes && notes[0] ? notes : "{}"), E8_DOC_JSON, &part->notes, err);
}

static enum e8_rc check_part(const struct e8_merge_part *part, struct e8_err *err)
{
    const struct e8_log_run *run = &part->run;
    if (!run->shard || run->shard > run->shards) {
        return e8_fail(err, E8_INPUT, "runs with --shard are merged", "%s: run %lld is no shard", part->from,
                       (long long)run->id);
    }
    if (run->resumes) {
        return e8_fail(err, E8_INPUT, "run the shard again", "%s: run %lld is a part of a resumed one",
                       part->from, (long long)run->id);
    }
    if (!run->ended) {
        return e8_fail(err, E8_INPUT, "wait for it, or run the shard again",
                       "%s: shard %u/%u has no end: it was killed, or is still running", part->from,
                       run->shard, run->shards);
    }
    return E8_OK;
}

static int by_number(const void *a, const void *b)
{
    const struct e8_merge_part *x = a, *y = b;
    return (x->run.shard > y->run.shard) - (x->run.shard < y->run.shard);
}

static enum e8_rc fail_missing(const struct e8_merge *merge, struct e8_err *err)
{
    unsigned count = merge->parts[0].run.shards, missing = 0, number = 1;
    char text[160];
    struct e8_buf list;
    e8_buf_fixed(&list, text, sizeof text);
    for (size_t i = 0; number <= count; number++) {
        if (i < merge->count && merge->parts[i].run.shard == number) {
            i++;
        } else if (missing++ < NAMED) {
            e8_buf_printf(&list, "%s%u/%u", missing > 1 ? ", " : "", number, count);
        }
    }
    if (missing > NAMED) {
        e8_buf_printf(&list, " and %u more", missing - NAMED);
    }
    return e8_fail(err, E8_INPUT, "all shards make one run; run those again that are lost",
                   "shard%s %s %s missing", missing == 1 ? "" : "s", e8_buf_cstr(&list),
                   missing == 1 ? "is" : "are");
}

enum e8_rc e8_merge_check(struct e8_merge *merge, struct e8_err *err)
{
    struct e8_merge_part *parts = merge->parts;
    bool judged = e8_arg_set(merge->args, "threshold");
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < merge->count; i++) {
        rc = check_part(&parts[i], err);
        rc = rc ? rc : read_notes(&parts[i], err);
        if (!rc && parts[i].run.shards != parts[0].run.shards) {
            rc = e8_fail(err, E8_INPUT, "merge the shards of one run",
                         "%s is shard %u/%u, but %s is shard %u/%u", parts[i].from, parts[i].run.shard,
                         parts[i].run.shards, parts[0].from, parts[0].run.shard, parts[0].run.shards);
        }
        rc = rc ? rc : check_plan(merge, &parts[i], judged, err);
    }
    if (rc) {
        return rc;
    }
    qsort(parts, merge->count, sizeof *parts, by_number);
    for (size_t i = 1; i < merge->count; i++) {
        if (parts[i].run.shard == parts[i - 1].run.shard) {
            return e8_fail(err, E8_INPUT, "give each shard once",
                           "shard %u/%u comes twice: from %s and from %s", parts[i].run.shard,
                           parts[i].run.shards, parts[i - 1].from, parts[i].from);
        }
    }
    return merge->count == parts[0].run.shards ? E8_OK : fail_missing(merge, err);
}
