#include <stdlib.h>
#include <string.h>

#include "cli/merge.h"
#include "cli/notes.h"
#include "cli/session.h"

/* ---- thresholds ---- */

static enum e8_rc take_thresholds(struct e8_merge *merge, struct e8_err *err)
{
    const char **given = e8_arg_all(merge->args, "threshold");
    const char *const *texts = given ? given : merge->parts[0].run.thresholds;
    size_t n = 0;
    enum e8_rc rc = E8_OK;
    while (texts && texts[n]) {
        n++;
    }
    const char **kept = e8_arena_alloc(merge->arena, (n + 1) * sizeof *kept);
    merge->thresholds = e8_arena_alloc(merge->arena, (n + 1) * sizeof *merge->thresholds);
    for (size_t i = 0; !rc && i < n; i++) {
        struct e8_threshold *threshold = &merge->thresholds[i];
        rc = given ? e8_cli_threshold("threshold", texts[i], threshold, err)
                   : e8_threshold_parse(e8_str(texts[i]), threshold, err);
        rc = rc ? rc
                : e8_threshold_check(threshold, merge->run.endpoints, merge->run.endpoint_count,
                                     merge->run.types, err);
        kept[i] = threshold->text;
    }
    merge->threshold_count = rc ? 0 : n;
    merge->run.thresholds = kept;
    free(given);
    return rc;
}

/* ---- notes ---- */

/* What e8_notes_read and e8_notes_write know. */
static bool is_told(struct e8_str key)
{
    static const char *const told[] = {"expectations",
                                       "copies_spread",
                                       "flows_stopped",
                                       "commands_failed",
                                       "command_why",
                                       "stopped_by_step",
                                       "aborted_by",
                                       "open",
                                       "load",
                                       "receiver_here",
                                       "busy_permille",
                                       "windows",
                                       "full_windows",
                                       "processors_permille",
                                       "receipts",
                                       "by_hand",
                                       "paused_ns",
                                       "not_begun",
                                       "signal",
                                       "remarks",
                                       "in_flight_reached",
                                       "retries_reached",
                                       "factor_least",
                                       "factor_most",
                                       "changed_ns",
                                       "schedule",
                                       "apart_ns",
                                       "settings"};
    for (size_t i = 0; i < E8_COUNT(told); i++) {
        if (e8_str_is(key, told[i])) {
            return true;
        }
    }
    return false;
}

static const struct e8_node *find(const struct e8_node *map, struct e8_str key)
{
    const struct e8_node *node = map->kind == E8_MAP ? map->first : NULL;
    while (node && !e8_str_eq(node->key, key)) {
        node = node->next;
    }
    return node;
}

static bool is_before(const struct e8_merge *merge, size_t count, struct e8_str key)
{
    bool found = false;
    for (size_t i = 0; !found && i < count; i++) {
        found = find(e8_doc_root(merge->parts[i].notes), key) != NULL;
    }
    return found;
}

/* Numbers are added, truths are true where one is; of all else the first is kept. */
static void put_fact(struct e8_json *w, const struct e8_merge *merge, const struct e8_node *first)
{
    char *key = e8_dup_str(first->key);
    int64_t sum = 0;
    bool any = false;
    for (size_t i = 0; i < merge->count; i++) {
        const struct e8_node *node = find(e8_doc_root(merge->parts[i].notes), first->key);
        if (node && node->kind == E8_INT && __builtin_add_overflow(sum, node->i, &sum)) {
            sum = INT64_MAX;
        }
        any = any || (node && node->kind == E8_BOOL && node->b);
    }
    if (first->kind == E8_INT) {
        e8_json_int(w, key, sum);
    } else if (first->kind == E8_BOOL) {
        e8_json_bool(w, key, any);
    } else {
        struct e8_buf text;
        e8_buf_init(&text, E8_NOTES_MAX);
        e8_node_json(first, &text);
        e8_json_raw(w, key, e8_buf_str(&text));
        e8_buf_fini(&text);
    }
    free(key);
}

static void put_facts(struct e8_json *w, const struct e8_merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        const struct e8_node *root = e8_doc_root(merge->parts[i].notes);
        for (const struct e8_node *node = root->kind == E8_MAP ? root->first : NULL; node;
             node = node->next) {
            if (!is_told(node->key) && !is_before(merge, i, node->key)) {
                put_fact(w, merge, node);
            }
        }
    }
}

static bool same_step(const struct e8_report_step *a, const struct e8_report_step *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->type, b->type) == 0;
}

static void add_step(struct e8_report_step *into, const struct e8_report_step *from)
{
    if (from->unmet && !into->unmet) {
        into->why = from->why;
        into->delivery_id = from->delivery_id;
    }
    into->met += from->met;
    into->unmet += from->unmet;
    into->reported += from->reported;
    into->not_measured += from->not_measured;
}

static enum e8_rc add_steps(struct e8_merge *merge, const struct e8_report_more *more, struct e8_err *err)
{
    struct e8_report_step *steps;
    if (!merge->more.steps) {
        steps = e8_arena_alloc(merge->arena, (more->step_count + 1) * sizeof *steps);
        for (size_t i = 0; i < more->step_count; i++) {
            steps[i] = more->steps[i];
        }
        merge->more.steps = steps;
        merge->more.step_count = more->step_count;
        return E8_OK;
    }
    bool good = merge->more.step_count == more->step_count;
    steps = e8_arena_alloc(merge->arena, (merge->more.step_count + 1) * sizeof *steps);
    for (size_t i = 0; good && i < more->step_count; i++) {
        steps[i] = merge->more.steps[i];
        good = same_step(&steps[i], &more->steps[i]);
        add_step(&steps[i], &more->steps[i]);
    }
    merge->more.steps = steps;
    return good ? E8_OK
                : e8_fail(err, E8_INPUT, "give every shard the same scenario",
                          "the shards expected other things");
}

/* What the generators are judged by: the worst of them. Receipts are told by all, or by none. */
static void add_generator(struct e8_report_more *into, const struct e8_report_more *from, bool first)
{
    into->open = into->open || from->open;
    into->load = into->load || from->load;
    into->local = into->local || from->local;
    e8_pressure_merge(&into->pressure, &from->pressure);
    into->bound = from->bound > into->bound ? from->bound : into->bound;
    into->crowd = from->crowd > into->crowd ? from->crowd : into->crowd;
    into->has_receipts = from->has_receipts && (first || into->has_receipts);
    into->receipts += from->receipts;
    into->goaways += from->goaways;
    into->refused += from->refused;
    into->over_h2 += from->over_h2;
    into->declined_h2 += from->declined_h2;
}

static void add_end(struct e8_report_more *into, const struct e8_report_more *from)
{
    into->signal = into->signal ? into->signal : from->signal;
    if (from->early) {
        into->sized = from->sized && (into->sized || !into->early);
        into->early = true;
        into->not_begun += from->not_begun;
    }
}

static void add_factors(struct e8_report_more *into, const struct e8_report_more *from)
{
    bool first = !(into->factor_least > 0);
    if (!(from->factor_least > 0)) {
        return;
    }
    into->changed_at = first || from->changed_at < into->changed_at ? from->changed_at : into->changed_at;
    into->factor_least =
        first || from->factor_least < into->factor_least ? from->factor_least : into->factor_least;
    into->factor_most = from->factor_most > into->factor_most ? from->factor_most : into->factor_most;
}

/* Each counts from its own start: together they are the plan's schedule, also where they did not run at one time. */
static void add_hand(struct e8_report_more *into, const struct e8_report_more *from)
{
    e8_schedule_merge(&into->schedule, &from->schedule);
    into->by_hand = into->by_hand || from->by_hand;
    into->paused = from->paused > into->paused ? from->paused : into->paused;
    add_factors(into, from);
}

/* ---- what single shards have to say ---- */

static const char *end_remark(const struct e8_merge *merge, const struct e8_merge_part *part,
                              const struct e8_report_more *more)
{
    const struct e8_log_run *run = &part->run;
    unsigned long long unbegun = more->not_begun, planned = run->planned + more->not_begun;
    const char *what = run->interrupted && !more->aborted ? "was interrupted" : "was stopped early";
    if (!more->early && !run->interrupted) {
        return NULL;
    }
    if (!more->sized) {
        return e8_arena_printf(merge->arena,
                               "shard %u/%u %s; how many deliveries it did not begin is not known",
                               run->shard, run->shards, what);
    }
    return e8_arena_printf(merge->arena, "shard %u/%u %s: %llu of its %llu deliveries were not begun",
                           run->shard, run->shards, what, unbegun, planned);
}

static const char *hand_remark(const struct e8_merge *merge, const struct e8_merge_part *part,
                               const struct e8_report_more *more)
{
    char how[E8_HAND_MAX];
    return more->by_hand ? e8_arena_printf(merge->arena, "the rate of shard %u/%u was changed by hand%s%s",
                                           part->run.shard, part->run.shards,
                                           e8_hand_text(more, how)[0] ? ": " : "", how)
                         : NULL;
}

/* So many of a kind, so that the other warnings have room. */
static void add_remark(struct e8_merge *merge, size_t *count, const char *remark)
{
    if (remark && ++*count <= E8_REMARKS_MOST) {
        merge->remarks[merge->more.remark_count++] = remark;
    }
}

static e8_dur_ns longest(const struct e8_merge *merge)
{
    e8_dur_ns most = 0;
    for (size_t i = 0; i < merge->count; i++) {
        e8_dur_ns length = merge->parts[i].run.ended - merge->parts[i].run.started;
        most = length > most ? length : most;
    }
    return most;
}

/* So far apart two shards may begin: a second, where that is little of the run; of a long one a hundredth. */
static e8_dur_ns may_differ(e8_dur_ns length)
{
    e8_dur_ns little = length / 10 < E8_NS_S ? length / 10 : E8_NS_S;
    return length / 100 > little ? length / 100 : little;
}

/* With a --clock each begins when it likes. What they then amount to is no load that there ever was. */
static void look_at_starts(struct e8_merge *merge)
{
    const struct e8_merge_part *first = merge->parts;
    e8_dur_ns most = may_differ(longest(merge));
    char text[E8_DUR_MAX];
    for (size_t i = 1; i < merge->count; i++) {
        first = merge->parts[i].run.started < first->run.started ? &merge->parts[i] : first;
    }
    for (size_t i = 0; i < merge->count; i++) {
        const struct e8_log_run *run = &merge->parts[i].run;
        e8_dur_ns after = run->started - first->run.started;
        if (after > most) {
            merge->more.apart = after > merge->more.apart ? after : merge->more.apart;
            add_remark(merge, &merge->late,
                       e8_arena_printf(
                           merge->arena,
                           "shard %u/%u began %s after shard %u/%u: they did not load the receiver "
                           "together, and there is no rate of the whole",
                           run->shard, run->shards, e8_dur_text(after, text), first->run.shard, run->shards));
        }
    }
}

static void end_remarks(struct e8_merge *merge)
{
    const size_t counts[] = {merge->ended_early, merge->changed, merge->late};
    static const char *const what[] = {"ended before the end of their plan", "were changed by hand",
                                       "began after the first"};
    for (size_t i = 0; i < E8_COUNT(counts); i++) {
        if (counts[i] > E8_REMARKS_MOST) {
            merge->remarks[merge->more.remark_count++] =
                e8_arena_printf(merge->arena, "%zu shards in all %s", counts[i], what[i]);
        }
    }
    merge->more.remarks = merge->remarks;
}

static enum e8_rc add_more(struct e8_merge *merge, const struct e8_merge_part *part, struct e8_err *err)
{
    struct e8_report_more more = {0}, *all = &merge->more;
    struct e8_hist *spread = NULL;
    enum e8_rc rc = e8_notes_read(part->run.notes, merge->thresholds, merge->threshold_count, merge->arena,
                                  &more, &spread, err);
    rc = rc ? rc : add_steps(merge, &more, err);
    if (!rc && spread) {
        merge->spread = merge->spread ? merge->spread : e8_hist_new();
        e8_hist_merge(merge->spread, spread);
    }
    e8_hist_free(&spread);
    add_generator(all, &more, part == merge->parts);
    add_end(all, &more);
    add_hand(all, &more);
    add_remark(merge, &merge->ended_early, end_remark(merge, part, &more));
    add_remark(merge, &merge->changed, hand_remark(merge, part, &more));
    all->spread = merge->spread;
    all->flows_stopped += more.flows_stopped;
    all->commands_failed += more.commands_failed;
    all->command_why = all->command_why && all->command_why[0] ? all->command_why : more.command_why;
    all->stopped_by_step = all->stopped_by_step || more.stopped_by_step;
    all->aborted = all->aborted ? all->aborted : more.aborted;
    return rc;
}

static enum e8_rc merge_notes(struct e8_merge *merge, struct e8_err *err)
{
    struct e8_buf text;
    enum e8_rc rc = E8_OK;
    e8_buf_init(&text, E8_NOTES_MAX);
    for (size_t i = 0; !rc && i < merge->count; i++) {
        rc = add_more(merge, &merge->parts[i], err);
    }
    look_at_starts(merge);
    end_remarks(merge);
    if (!rc) {
        struct e8_json w = e8_json_new(&text, 0);
        e8_json_object(&w, NULL);
        put_facts(&w, merge);
        e8_notes_write(&merge->more, &w);
        e8_json_end(&w, '}');
        merge->run.notes = e8_arena_str(merge->arena, e8_buf_str(&text)).p;
    }
    e8_buf_fini(&text);
    return rc;
}

/* ---- the run ---- */

static void add_run(struct e8_log_run *into, const struct e8_log_run *from)
{
    into->started = from->started < into->started ? from->started : into->started;
    into->ended = from->ended > into->ended ? from->ended : into->ended;
    into->workers += from->workers;
    into->insecure = into->insecure || from->insecure;
    into->interrupted = into->interrupted || from->interrupted;
    into->planned += from->planned;
    into->dropped += from->dropped;
    into->aborted += from->aborted;
    into->stalls += from->stalls;
    into->timer_floor = from->timer_floor > into->timer_floor ? from->timer_floor : into->timer_floor;
}

static void say_urls(const struct e8_merge *merge)
{
    const struct e8_log_run *first = &merge->parts[0].run;
    for (size_t i = 0; i < first->endpoint_count; i++) {
        for (size_t k = 1; k < merge->count; k++) {
            const char *url = merge->parts[k].run.endpoints[i].url;
            if (strcmp(url ? url : "", first->endpoints[i].url ? first->endpoints[i].url : "") != 0) {
                fprintf(stderr,
                        "emit8: endpoint \"%s\" had another URL in shard %u/%u; that of shard 1 is kept\n",
                        first->endpoints[i].name, merge->parts[k].run.shard, first->shards);
                break;
            }
        }
    }
}

enum e8_rc e8_merge_run(struct e8_merge *merge, struct e8_err *err)
{
    struct e8_log_run *run = &merge->run;
    struct e8_buf command;
    *run = merge->parts[0].run;
    for (size_t i = 1; i < merge->count; i++) {
        add_run(run, &merge->parts[i].run);
    }
    e8_buf_init(&command, 64 << 10);
    e8_cli_command(merge->args, &command);
    run->id = 0;
    run->shard = 0;
    run->epoch = run->started;
    run->command = e8_arena_str(merge->arena, e8_buf_str(&command)).p;
    e8_buf_fini(&command);
    merge->stats = e8_stats_new((unsigned)run->endpoint_count, (unsigned)run->type_count);
    for (size_t i = 0; i < merge->count; i++) {
        e8_stats_merge(merge->stats, merge->parts[i].stats);
    }
    run->stats = merge->stats;
    say_urls(merge);
    enum e8_rc rc = take_thresholds(merge, err);
    return rc ? rc : merge_notes(merge, err);
}
