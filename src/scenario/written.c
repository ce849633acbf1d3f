#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "scenario/parse.h"

#define CHUNK      1024
#define ROUNDS_MAX E8_EMITS_MAX
#define STEPS_MAX  (4 * (size_t)E8_EMITS_MAX)

/* A template with edits, by what makes it; or a shape of many, by their edits without the values. */
struct cached {
    uint32_t hash;
    uint32_t type;                  /* with SHAPE, where it is one */
    struct e8_str json;             /* {"edits":[…]} */
    const struct e8_template *body; /* NULL: it has no shape */
};
#define SHAPE 0x80000000u

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
    size_t cached;
    uint32_t *places; /* by hash: 1 + the index in the cache; 0: empty */
    size_t place_count;
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
        free(w->places);
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

bool e8_written_rounds(struct e8_parser *p, const struct e8_node *at, uint64_t least)
{
    return least <= ROUNDS_MAX || crowd(p, at, "use repeat", "rounds of foreach", ROUNDS_MAX);
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

static uint32_t *place_of(const struct e8_written *w, uint32_t hash, uint32_t type, struct e8_str json)
{
    size_t i = hash & (w->place_count - 1);
    while (w->places[i]) {
        const struct cached *there = &w->cache[w->places[i] - 1];
        if (there->hash == hash && there->type == type && e8_str_eq(there->json, json)) {
            break;
        }
        i = (i + 1) & (w->place_count - 1);
    }
    return &w->places[i];
}

static void grow_places(struct e8_written *w)
{
    w->place_count = w->place_count ? 2 * w->place_count : 64;
    free(w->places);
    w->places = e8_new(w->place_count, sizeof *w->places);
    for (size_t i = 0; i < w->cached; i++) {
        *place_of(w, w->cache[i].hash, w->cache[i].type, w->cache[i].json) = (uint32_t)i + 1;
    }
}

/* What was made of the same; else an empty place for it (*fresh), whose text is in the plan's arena. */
static struct cached *look_up(struct e8_parser *p, uint32_t type, const struct e8_edit *edits, size_t count,
                              bool *fresh)
{
    struct e8_written *w = p->made;
    struct e8_buf text;
    if (2 * w->cached >= w->place_count) {
        grow_places(w);
    }
    e8_buf_init(&text, SIZE_MAX / 2);
    struct e8_json writer = e8_json_new(&text, 0);
    e8_json_object(&writer, NULL);
    e8_edits_put(&writer, "edits", edits, count);
    e8_json_end(&writer, '}');
    uint32_t hash = (uint32_t)e8_mix(e8_hash_str(e8_buf_str(&text)), type);
    uint32_t *place = place_of(w, hash, type, e8_buf_str(&text));
    *fresh = *place == 0;
    if (*fresh) {
        w->cache = grown(w->cache, w->cached, sizeof *w->cache);
        w->cache[w->cached] =
            (struct cached){hash, type, e8_arena_str(p->owned->arena, e8_buf_str(&text)), NULL};
        *place = (uint32_t)++w->cached;
    }
    e8_buf_fini(&text);
    return &w->cache[*place - 1];
}

/* What templates with other values for the same paths have in common; NULL where there is no such thing. */
static const struct e8_template *shape_of(struct e8_parser *p, size_t type, const struct e8_edit *edits,
                                          size_t count)
{
    static const struct e8_node open = {.kind = E8_NULL, .text = E8_LIT("null")};
    struct e8_edit *bare = e8_new(count, sizeof *bare);
    struct e8_template *shape = NULL;
    bool fresh, fits = true;
    for (size_t i = 0; i < count; i++) {
        fits = fits && (!edits[i].value || e8_template_fills(edits[i].value));
        bare[i] = (struct e8_edit){edits[i].path, edits[i].value ? &open : NULL, NULL};
    }
    struct cached *known = fits ? look_up(p, (uint32_t)type | SHAPE, bare, count, &fresh) : NULL;
    free(bare);
    if (known && fresh) {
        e8_catalog_shape(p->catalog, type, edits, count, &shape);
        known->body = shape ? e8_plan_keep(p->owned, shape) : NULL;
    }
    return known ? known->body : NULL;
}

static const struct e8_template *fill(struct e8_parser *p, const struct e8_template *shape,
                                      const struct e8_edit *edits, size_t count)
{
    const struct e8_node **values = e8_new(count, sizeof *values);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (edits[i].value) {
            values[n++] = edits[i].value;
        }
    }
    struct e8_template *made = e8_template_filled(shape, values, n);
    free(values);
    return made ? e8_plan_keep(p->owned, made) : NULL;
}

const struct e8_template *e8_written_template(struct e8_parser *p, size_t type, const struct e8_edit *edits,
                                              size_t count, struct e8_str *json)
{
    bool fresh;
    *json = (struct e8_str){NULL, 0};
    if (count == 0) {
        return e8_catalog_event(p->catalog, type);
    }
    struct cached *place = look_up(p, (uint32_t)type, edits, count, &fresh);
    *json = place->json;
    if (!fresh && place->body) {
        return place->body;
    }
    size_t index = (size_t)(place - p->made->cache); /* the list may move */
    const struct e8_template *shape = shape_of(p, type, edits, count);
    const struct e8_template *body = shape ? fill(p, shape, edits, count) : NULL;
    body = body ? body : e8_plan_template(p->owned, p->catalog, type, edits, count, p->errs);
    p->made->cache[index].body = body;
    return body;
}
