#include <string.h>

#include "cli/notes.h"

#define TEXT_MAX   ((size_t)1024) /* bytes of one text of a step, so that all of them stay below E8_NOTES_MAX */
#define SIGNAL_MAX 64

/* ---- writing ---- */

static void put_text(struct e8_json *w, const char *key, const char *text)
{
    if (text && text[0]) {
        struct e8_str whole = e8_str(text);
        struct e8_str head = {text, whole.n < TEXT_MAX ? whole.n : TEXT_MAX};
        e8_json_str(w, key, (struct e8_str){text, whole.n > TEXT_MAX ? e8_utf8_valid(head) : whole.n});
    }
}

static void put_step(struct e8_json *w, const struct e8_report_step *step)
{
    e8_json_object(w, NULL);
    put_text(w, "id", step->id);
    put_text(w, "type", step->type);
    put_text(w, "expects", step->expects);
    e8_json_bool(w, "reports", step->reports);
    e8_json_int(w, "met", (int64_t)step->met);
    e8_json_int(w, "unmet", (int64_t)step->unmet);
    e8_json_int(w, "reported", (int64_t)step->reported);
    e8_json_int(w, "not_measured", (int64_t)step->not_measured);
    put_text(w, "why", step->why);
    put_text(w, "delivery_id", step->delivery_id);
    e8_json_end(w, '}');
}

/* The sums must be right, and the first fault must be told, however many steps there are. */
static void put_rest(struct e8_json *w, const struct e8_report_step *steps, size_t count)
{
    char id[64];
    struct e8_report_step rest = {.id = id, .type = "*", .expects = "what each of them says"};
    snprintf(id, sizeof id, "%zu more steps", count);
    for (size_t i = 0; i < count; i++) {
        if (steps[i].unmet && !rest.unmet) {
            rest.why = steps[i].why;
            rest.delivery_id = steps[i].delivery_id;
        }
        rest.met += steps[i].met;
        rest.unmet += steps[i].unmet;
        rest.reported += steps[i].reported;
        rest.not_measured += steps[i].not_measured;
    }
    put_step(w, &rest);
}

static void put_spread(struct e8_json *w, const struct e8_hist *spread)
{
    struct e8_buf text;
    e8_buf_init(&text, (size_t)1 << 20);
    e8_hist_encode(spread, &text);
    e8_json_str(w, "copies_spread", e8_buf_str(&text));
    e8_buf_fini(&text);
}

static void put_generator(struct e8_json *w, const struct e8_report_more *more)
{
    const struct e8_pressure *pressure = &more->pressure;
    e8_json_bool(w, "open", more->open);
    e8_json_bool(w, "load", more->load);
    e8_json_bool(w, "receiver_here", more->local);
    e8_json_int(w, "busy_permille", pressure->busy);
    e8_json_int(w, "windows", (int64_t)pressure->windows);
    e8_json_int(w, "full_windows", (int64_t)pressure->full);
    e8_json_int(w, "processors_permille", pressure->cpu);
    if (more->bound) {
        e8_json_int(w, "in_flight_reached", (int64_t)more->bound);
    }
    if (more->crowd) {
        e8_json_int(w, "retries_reached", (int64_t)more->crowd);
    }
    if (more->has_receipts) {
        e8_json_int(w, "receipts", (int64_t)more->receipts);
    }
}

static void put_end(struct e8_json *w, const struct e8_report_more *more)
{
    if (more->early && more->sized) {
        e8_json_int(w, "not_begun", (int64_t)more->not_begun);
    } else if (more->early) {
        e8_json_null(w, "not_begun");
    }
    if (more->signal) {
        e8_json_int(w, "signal", more->signal);
    }
    if (more->remark_count) {
        e8_json_array(w, "remarks");
        for (size_t i = 0; i < more->remark_count; i++) {
            e8_json_cstr(w, NULL, more->remarks[i]);
        }
        e8_json_end(w, ']');
    }
}

static void put_schedule(struct e8_json *w, const struct e8_schedule *schedule)
{
    if (schedule->count == 0) {
        return;
    }
    e8_json_array(w, "schedule");
    e8_json_int(w, NULL, (int64_t)schedule->count);
    e8_json_int(w, NULL, schedule->first);
    e8_json_int(w, NULL, schedule->last);
    e8_json_int(w, NULL, schedule->first_due);
    e8_json_int(w, NULL, schedule->last_due);
    e8_json_end(w, ']');
}

void e8_notes_write(const struct e8_report_more *more, struct e8_json *w)
{
    size_t count = more->step_count > E8_NOTED_STEPS_MAX ? E8_NOTED_STEPS_MAX - 1 : more->step_count;
    if (more->step_count) {
        e8_json_array(w, "expectations");
        for (size_t i = 0; i < count; i++) {
            put_step(w, &more->steps[i]);
        }
        if (count < more->step_count) {
            put_rest(w, more->steps + count, more->step_count - count);
        }
        e8_json_end(w, ']');
    }
    if (more->spread && e8_hist_count(more->spread)) {
        put_spread(w, more->spread);
    }
    e8_json_int(w, "flows_stopped", (int64_t)more->flows_stopped);
    e8_json_int(w, "commands_failed", (int64_t)more->commands_failed);
    put_text(w, "command_why", more->command_why);
    e8_json_bool(w, "stopped_by_step", more->stopped_by_step);
    put_generator(w, more);
    put_schedule(w, &more->schedule);
    put_end(w, more);
    if (more->apart) {
        e8_json_int(w, "apart_ns", more->apart);
    }
    if (more->settings) {
        e8_json_raw(w, "settings", e8_str(more->settings));
    }
    if (more->by_hand) {
        e8_json_bool(w, "by_hand", true);
        e8_json_int(w, "paused_ns", more->paused);
        e8_json_num(w, "factor_least", more->factor_least, 9);
        e8_json_num(w, "factor_most", more->factor_most, 9);
        e8_json_int(w, "changed_ns", more->changed_at);
    }
    if (more->aborted) {
        e8_json_cstr(w, "aborted_by", more->aborted->text);
    }
}

/* ---- reading ---- */

static const char *text_of(const struct e8_node *map, const char *key, struct e8_arena *arena)
{
    const struct e8_node *node = e8_node_get(map, key);
    return node && node->kind == E8_STRING ? e8_arena_str(arena, node->text).p : "";
}

static uint64_t count_of(const struct e8_node *map, const char *key)
{
    const struct e8_node *node = e8_node_get(map, key);
    return node && node->kind == E8_INT && node->i > 0 ? (uint64_t)node->i : 0;
}

static bool is_set(const struct e8_node *map, const char *key)
{
    const struct e8_node *node = e8_node_get(map, key);
    return node && node->kind == E8_BOOL && node->b;
}

static void read_steps(const struct e8_node *list, struct e8_arena *arena, struct e8_report_more *more)
{
    if (!list || list->kind != E8_SEQ || !list->count) {
        return;
    }
    struct e8_report_step *steps = e8_arena_alloc(arena, list->count * sizeof *steps);
    more->steps = steps;
    for (const struct e8_node *node = list->first; node; node = node->next) {
        steps[more->step_count++] = (struct e8_report_step){
            .id = text_of(node, "id", arena),
            .type = text_of(node, "type", arena),
            .expects = text_of(node, "expects", arena),
            .reports = is_set(node, "reports"),
            .met = count_of(node, "met"),
            .unmet = count_of(node, "unmet"),
            .reported = count_of(node, "reported"),
            .not_measured = count_of(node, "not_measured"),
            .why = text_of(node, "why", arena),
            .delivery_id = text_of(node, "delivery_id", arena),
        };
    }
}

/* No share of ours is above a whole. */
static unsigned permille_of(const struct e8_node *map, const char *key)
{
    uint64_t share = count_of(map, key);
    return share < 1000 ? (unsigned)share : 1000;
}

static void read_generator(const struct e8_node *root, struct e8_report_more *more)
{
    more->open = is_set(root, "open");
    more->load = is_set(root, "load");
    more->local = is_set(root, "receiver_here");
    more->pressure = (struct e8_pressure){
        .busy = permille_of(root, "busy_permille"),
        .windows = count_of(root, "windows"),
        .full = count_of(root, "full_windows"),
        .cpu = permille_of(root, "processors_permille"),
    };
    more->bound = count_of(root, "in_flight_reached");
    more->crowd = count_of(root, "retries_reached");
    more->has_receipts = e8_node_get(root, "receipts") != NULL;
    more->receipts = count_of(root, "receipts");
    more->goaways = count_of(root, "http2_goaways");
    more->refused = count_of(root, "http2_refused_streams");
    more->over_h2 = count_of(root, "http2_answers");
    more->declined_h2 = count_of(root, "http2_declined");
}

static void read_remarks(const struct e8_node *list, struct e8_arena *arena, struct e8_report_more *more)
{
    if (!list || list->kind != E8_SEQ || !list->count) {
        return;
    }
    const char **remarks = e8_arena_alloc(arena, list->count * sizeof *remarks);
    more->remarks = remarks;
    for (const struct e8_node *node = list->first; node; node = node->next) {
        if (node->kind == E8_STRING) {
            remarks[more->remark_count++] = e8_arena_str(arena, node->text).p;
        }
    }
}

static void read_end(const struct e8_node *root, struct e8_arena *arena, struct e8_report_more *more)
{
    const struct e8_node *node = e8_node_get(root, "not_begun");
    uint64_t signal = count_of(root, "signal");
    more->early = node != NULL;
    more->sized = node && node->kind == E8_INT;
    more->not_begun = count_of(root, "not_begun");
    more->signal = signal <= SIGNAL_MAX ? (int)signal : 0;
    read_remarks(e8_node_get(root, "remarks"), arena, more);
}

static double number_of(const struct e8_node *map, const char *key)
{
    const struct e8_node *node = e8_node_get(map, key);
    double number = node && e8_node_is_number(node) ? e8_node_number(node) : 0;
    return number > 0 ? number : 0;
}

static void read_hand(const struct e8_node *root, struct e8_report_more *more)
{
    more->by_hand = is_set(root, "by_hand");
    more->paused = (e8_dur_ns)count_of(root, "paused_ns");
    more->factor_least = number_of(root, "factor_least");
    more->factor_most = number_of(root, "factor_most");
    more->changed_at = (e8_dur_ns)count_of(root, "changed_ns");
}

/* What no run of ours has written tells nothing. */
static void read_schedule(const struct e8_node *list, struct e8_schedule *out)
{
    int64_t numbers[5];
    size_t n = 0;
    const struct e8_node *node =
        list && list->kind == E8_SEQ && list->count == E8_COUNT(numbers) ? list->first : NULL;
    for (; node && node->kind == E8_INT && node->i < INT64_MAX / 2 && node->i > INT64_MIN / 2;
         node = node->next) {
        numbers[n++] = node->i;
    }
    if (n == E8_COUNT(numbers) && numbers[0] > 0) {
        *out = (struct e8_schedule){(uint64_t)numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    }
}

static enum e8_rc read_spread(const struct e8_node *node, struct e8_hist **out, struct e8_err *err)
{
    return node && node->kind == E8_STRING ? e8_hist_decode(node->text, out, err) : E8_OK;
}

enum e8_rc e8_notes_read(const char *notes, const struct e8_threshold *thresholds, size_t count,
                         struct e8_arena *arena, struct e8_report_more *more, struct e8_hist **spread,
                         struct e8_err *err)
{
    struct e8_doc *doc = NULL;
    if (!notes || !notes[0]) {
        return E8_OK;
    }
    enum e8_rc rc = e8_doc_parse("the notes of the run", e8_str(notes), E8_DOC_JSON, &doc, err);
    if (rc) {
        return rc;
    }
    const struct e8_node *root = e8_doc_root(doc);
    const char *aborted = text_of(root, "aborted_by", arena);
    read_steps(e8_node_get(root, "expectations"), arena, more);
    more->flows_stopped = count_of(root, "flows_stopped");
    more->commands_failed = count_of(root, "commands_failed");
    more->command_why = text_of(root, "command_why", arena);
    more->stopped_by_step = is_set(root, "stopped_by_step");
    read_generator(root, more);
    read_end(root, arena, more);
    read_hand(root, more);
    read_schedule(e8_node_get(root, "schedule"), &more->schedule);
    more->apart = (e8_dur_ns)count_of(root, "apart_ns");
    for (size_t i = 0; i < count && aborted[0]; i++) {
        more->aborted = strcmp(thresholds[i].text, aborted) == 0 ? &thresholds[i] : more->aborted;
    }
    rc = read_spread(e8_node_get(root, "copies_spread"), spread, err);
    more->spread = *spread;
    e8_doc_free(&doc);
    return rc;
}
