#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "scenario/parse.h"

#define CHUNK      1024
#define ROUNDS_MAX E8_EMITS_MAX
#define STEPS_MAX  (4 * (size_t)E8_EMITS_MAX)

/* A template with edits, by what makes it. */
struct cached {
    uint64_t hash;
    size_t type;
    struct e8_str json; /* {"edits":[…]}; p NULL: an empty place */
    const struct e8_template *body;
};

struct e8_written {
    struct e8_emit **chunks;
    size_t emits;
    struct {
        struct e8_step *list;
        size_t count;
    } * blocks; /* lists of steps that point at emits */
    size_t block_count;
    size_t rounds, steps;
    bool crowded; /* it was said that there is too much of something */
    struct cached *cache;
    size_t cached, cap;
};

struct e8_written *e8_written_new(void)
{
    return e8_new(1, sizeof(struct e8_written));
}

void e8_written_free(struct e8_written **made)
{
    struct e8_written *w = *made;
    for (size_t i = 0; w && i * CHUNK < w->emits; i++) {
        free(w->chunks[i]);
    }
    if (w) {
        free(w->chunks);
        free(w->blocks);
        free(w->cache);
        free(w);
    }
    *made = NULL;
}

static bool crowd(struct e8_parser *p, const struct e8_node *at, const char *hint, const char *what,
                  size_t most)
{
    if (!p->made->crowded) {
        e8_parse_fail(p, at, hint, "more than %zu %s", most, what);
    }
    p->made->crowded = true;
    return false;
}

static void *grown(void *list, size_t count, size_t size)
{
    return (count & (count - 1)) == 0 ? e8_resize(list, count ? 2 * count : 1, size) : list;
}

struct e8_emit *e8_written_emit(struct e8_parser *p, const struct e8_node *at)
{
    struct e8_written *w = p->made;
    if (w->emits == E8_EMITS_MAX) {
        crowd(p, at, "use repeat and choose", "emit steps", E8_EMITS_MAX);
        return NULL;
    }
    if (w->emits % CHUNK == 0) {
        w->chunks = grown(w->chunks, w->emits / CHUNK, sizeof(struct e8_emit *));
        w->chunks[w->emits / CHUNK] = e8_new(CHUNK, sizeof(struct e8_emit));
    }
    struct e8_emit *emit = &w->chunks[w->emits / CHUNK][w->emits % CHUNK];
    emit->index = (uint32_t)w->emits++;
    emit->endpoint = -1;
    return emit;
}

struct e8_step *e8_written_step(struct e8_parser *p, struct e8_list *list, enum e8_step_kind kind)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 8;
        list->steps = e8_resize(list->steps, list->cap, sizeof *list->steps);
    }
    p->made->steps++;
    list->steps[list->count] = (struct e8_step){.kind = kind};
    return &list->steps[list->count++];
}

struct e8_steps e8_written_steps(struct e8_parser *p, struct e8_list *list)
{
    struct e8_written *w = p->made;
    struct e8_step *steps = e8_arena_alloc(p->owned->arena, list->count * sizeof *steps);
    size_t count = list->count;
    if (count) {
        memcpy(steps, list->steps, count * sizeof *steps);
    }
    w->blocks = grown(w->blocks, w->block_count, sizeof *w->blocks);
    w->blocks[w->block_count].list = steps;
    w->blocks[w->block_count++].count = count;
    free(list->steps);
    *list = (struct e8_list){0};
    return (struct e8_steps){steps, count};
}

bool e8_written_round(struct e8_parser *p, const struct e8_node *at)
{
    struct e8_written *w = p->made;
    if (w->crowded || w->steps > STEPS_MAX) {
        return crowd(p, at, "use repeat", "steps", STEPS_MAX);
    }
    return ++w->rounds <= ROUNDS_MAX || crowd(p, at, "use repeat", "rounds of foreach", ROUNDS_MAX);
}

void e8_written_finish(struct e8_parser *p)
{
    struct e8_written *w = p->made;
    struct e8_plan *plan = &p->owned->plan;
    plan->emits = e8_arena_alloc(p->owned->arena, (w->emits + 1) * sizeof *plan->emits);
    plan->emit_count = w->emits;
    for (size_t i = 0; i < w->block_count; i++) {
        for (size_t j = 0; j < w->blocks[i].count; j++) {
            struct e8_step *step = &w->blocks[i].list[j];
            if (step->kind == E8_STEP_EMIT) {
                step->emit = &plan->emits[step->emit->index];
            } else if (step->kind == E8_STEP_MEASURE) {
                step->measure.emit = &plan->emits[step->measure.emit->index];
            }
        }
    }
    for (size_t i = 0; i < w->emits;
         i += CHUNK) { /* one by one, so that they do not all stand twice in memory */
        size_t n = w->emits - i < CHUNK ? w->emits - i : CHUNK;
        memcpy(plan->emits + i, w->chunks[i / CHUNK], n * sizeof *plan->emits);
        free(w->chunks[i / CHUNK]);
    }
    w->emits = 0;
}

static struct cached *place_of(struct e8_written *w, uint64_t hash, size_t type, struct e8_str json)
{
    size_t i = (size_t)hash & (w->cap - 1);
    while (w->cache[i].json.p &&
           (w->cache[i].hash != hash || w->cache[i].type != type || !e8_str_eq(w->cache[i].json, json))) {
        i = (i + 1) & (w->cap - 1);
    }
    return &w->cache[i];
}

static void grow_cache(struct e8_written *w)
{
    struct cached *old = w->cache;
    size_t cap = w->cap;
    w->cap = cap ? 2 * cap : 64;
    w->cache = e8_new(w->cap, sizeof *w->cache);
    for (size_t i = 0; i < cap; i++) {
        if (old[i].json.p) {
            *place_of(w, old[i].hash, old[i].type, old[i].json) = old[i];
        }
    }
    free(old);
}

const struct e8_template *e8_written_template(struct e8_parser *p, size_t type, const struct e8_edit *edits,
                                              size_t count, struct e8_str *json)
{
    struct e8_written *w = p->made;
    struct e8_buf text;
    *json = (struct e8_str){NULL, 0};
    if (count == 0) {
        return e8_catalog_event(p->catalog, type);
    }
    if (2 * w->cached >= w->cap) {
        grow_cache(w);
    }
    e8_buf_init(&text, SIZE_MAX / 2);
    struct e8_json writer = e8_json_new(&text, 0);
    e8_json_object(&writer, NULL);
    e8_edits_put(&writer, "edits", edits, count);
    e8_json_end(&writer, '}');
    uint64_t hash = e8_mix(e8_hash_str(e8_buf_str(&text)), type);
    struct cached *place = place_of(w, hash, type, e8_buf_str(&text));
    if (!place->json.p) {
        const struct e8_template *body = e8_plan_template(p->owned, p->catalog, type, edits, count, p->errs);
        if (body) {
            *place = (struct cached){hash, type, e8_arena_str(p->owned->arena, e8_buf_str(&text)), body};
            w->cached++;
        }
    }
    e8_buf_fini(&text);
    *json = place->json;
    return place->body;
}
