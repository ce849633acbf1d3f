#include "cli/logged.h"

#include <stdlib.h>
#include <string.h>

/* A step as it was. */
struct restored {
    struct e8_emit *emit; /* NULL: not asked for yet */
    struct e8_doc *doc;
    const struct e8_template *template; /* NULL: not asked for yet */
    struct e8_template *compiled;       /* the same, where it is the step's own */
};

struct e8_logged {
    const struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct restored *steps;
    size_t step_count;
    uint16_t *counts; /* by the catalogue's types, then those that only the log has */
    size_t count_room;
};

struct e8_logged *e8_logged_new(const struct e8_catalog *catalog)
{
    struct e8_logged *logged = e8_new(1, sizeof *logged);
    logged->catalog = catalog;
    logged->arena = e8_arena_new();
    return logged;
}

void e8_logged_free(struct e8_logged **logged)
{
    struct e8_logged *l = *logged;
    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->step_count; i++) {
        e8_template_free(&l->steps[i].compiled);
        e8_doc_free(&l->steps[i].doc);
    }
    e8_arena_free(&l->arena);
    free(l->steps);
    free(l->counts);
    free(l);
    *logged = NULL;
}

static struct restored *slot_of(struct e8_logged *logged, uint32_t number)
{
    if (number >= logged->step_count) {
        size_t count =
            (size_t)number + 1 > 2 * logged->step_count ? (size_t)number + 1 : 2 * logged->step_count;
        logged->steps = e8_resize(logged->steps, count, sizeof *logged->steps);
        memset(logged->steps + logged->step_count, 0, (count - logged->step_count) * sizeof *logged->steps);
        logged->step_count = count;
    }
    return &logged->steps[number];
}

static enum e8_rc first_of(struct e8_errs *errs, enum e8_rc rc, struct e8_err *err)
{
    if (rc && errs->count && err) {
        *err = errs->list[0];
    }
    e8_errs_fini(errs);
    return rc;
}

static enum e8_rc restore(struct e8_logged *logged, struct restored *slot, const struct e8_log_step *step,
                          struct e8_err *err)
{
    struct e8_emit *emit = e8_arena_alloc(logged->arena, sizeof *emit);
    struct e8_errs errs;
    *emit = (struct e8_emit){.endpoint = -1, .raw = step->body, .environment = step->environment};
    e8_errs_init(&errs);
    enum e8_rc rc = E8_OK;
    if (step->edits) {
        struct e8_err bad = {0};
        rc = e8_doc_parse("the log's step", e8_str(step->edits), E8_DOC_JSON, &slot->doc, &bad);
        rc = rc ? e8_errs_add(&errs, &bad)
                : e8_step_restore(logged->arena, e8_doc_root(slot->doc), emit, &errs);
    }
    const struct e8_node *again = slot->doc ? e8_node_get(e8_doc_root(slot->doc), "again") : NULL;
    if (again) {
        emit->again = e8_str_is(again->text, "retry") ? E8_AGAIN_RETRY : E8_AGAIN_REPLAY;
    }
    slot->emit = emit;
    return first_of(&errs, rc, err);
}

enum e8_rc e8_logged_step(struct e8_logged *logged, uint32_t number, const struct e8_log_step *step,
                          const struct e8_emit **out, struct e8_err *err)
{
    struct restored *slot = slot_of(logged, number);
    enum e8_rc rc = slot->emit ? E8_OK : restore(logged, slot, step, err);
    *out = slot->emit;
    return rc;
}

static enum e8_rc read_edits(struct e8_logged *logged, const struct restored *slot, struct e8_edit **edits,
                             size_t *count, struct e8_err *err)
{
    const struct e8_node *list = slot->doc ? e8_node_get(e8_doc_root(slot->doc), "edits") : NULL;
    *edits = NULL;
    *count = 0;
    if (!list) {
        return E8_OK;
    }
    *edits = e8_arena_alloc(logged->arena, (list->count + 1) * sizeof **edits);
    for (const struct e8_node *node = list->first; node; node = node->next) {
        const struct e8_node *path = e8_node_get(node, "path");
        if (!path) {
            return e8_fail(err, E8_INPUT, NULL, "the log's step is damaged");
        }
        (*edits)[(*count)++] = (struct e8_edit){path->text, e8_node_get(node, "value"), NULL};
    }
    return E8_OK;
}

/* The type whose template it is: the step's own where the event bears another name. */
static enum e8_rc find_type(const struct e8_logged *logged, const struct restored *slot, const char *name,
                            size_t *out, struct e8_err *err)
{
    const struct e8_node *emit = slot->doc ? e8_node_get(e8_doc_root(slot->doc), "emit") : NULL;
    struct e8_str type = emit ? emit->text : e8_str(name);
    int found = e8_catalog_find(logged->catalog, type);
    *out = (size_t)(found < 0 ? 0 : found);
    return found >= 0 ? E8_OK
                      : e8_fail(err, E8_INPUT, "give the run's --fixtures",
                                "the fixtures have no event type \"%.*s\"", E8_STR(type));
}

static enum e8_rc compile(struct e8_logged *logged, struct restored *slot, const char *type,
                          struct e8_err *err)
{
    struct e8_edit *edits;
    size_t count, index;
    struct e8_errs errs;
    enum e8_rc rc = find_type(logged, slot, type, &index, err);
    rc = rc ? rc : read_edits(logged, slot, &edits, &count, err);
    if (rc || count == 0) {
        slot->template = rc ? NULL : e8_catalog_event(logged->catalog, index);
        return rc;
    }
    e8_errs_init(&errs);
    rc = e8_catalog_template(logged->catalog, index, edits, count, &slot->compiled, &errs);
    slot->template = slot->compiled;
    return first_of(&errs, rc, err);
}

/* Counts of the log stand by the run's types; rendering wants them by the catalogue's, and then those that only the run has.
 * Returns the index of the delivery's own. */
static uint16_t place_counts(struct e8_logged *logged, const struct e8_log_delivery *delivery)
{
    size_t known = e8_catalog_count(logged->catalog), room = known + delivery->type_count + 1;
    uint16_t own = 0;
    if (room > logged->count_room) {
        logged->counts = e8_resize(logged->counts, room, sizeof *logged->counts);
        logged->count_room = room;
    }
    memset(logged->counts, 0, room * sizeof *logged->counts);
    for (size_t i = 0, more = known; i < delivery->type_count; i++) {
        int type = e8_catalog_find(logged->catalog, e8_str(delivery->types[i]));
        size_t at = type >= 0 ? (size_t)type : more++;
        logged->counts[at] = delivery->counts[i];
        if (strcmp(delivery->types[i], delivery->type) == 0) {
            own = (uint16_t)at;
        }
    }
    return own;
}

static struct e8_str category_of(const struct e8_logged *logged, const char *type)
{
    int known = e8_catalog_find(logged->catalog, e8_str(type));
    if (known >= 0) {
        return e8_str(e8_catalog_type(logged->catalog, (size_t)known)->category);
    }
    return (struct e8_str){type, strcspn(type, ".")};
}

enum e8_rc e8_logged_body(struct e8_logged *logged, const struct e8_log_delivery *delivery,
                          struct e8_buf *body, struct e8_err *err)
{
    const struct e8_emit *emit;
    enum e8_rc rc = e8_logged_step(logged, delivery->event.step, &delivery->step, &emit, err);
    struct restored *slot = slot_of(logged, delivery->event.step);
    if (!rc && delivery->step.body.p) {
        e8_buf_putstr(body, delivery->step.body);
        return E8_OK;
    }
    if (!rc && !slot->template) {
        rc = compile(logged, slot, delivery->type, err);
    }
    if (rc) {
        return rc;
    }
    uint16_t own = place_counts(logged, delivery);
    struct e8_facts facts = {
        .seed = delivery->seed,
        .flow = delivery->event.flow,
        .instance = delivery->event.instance,
        .sequence = delivery->event.sequence,
        .flow_started = delivery->event.flow_started,
        .at = delivery->event.at,
        .id = e8_str(delivery->event.id),
        .type = e8_str(delivery->type),
        .category = category_of(logged, delivery->type),
        .environment = e8_str(delivery->environment),
        .counts = logged->counts,
        .type_index = own,
    };
    return e8_template_render(slot->template, &facts, body);
}
