#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "scenario/parse.h"

#define CHUNK      1024
#define MANY       4096 /* steps that are not copied to the arena */
#define ROUNDS_MAX E8_EMITS_MAX
#define STEPS_MAX  (4 * (size_t)E8_EMITS_MAX)

/* A template with edits, by what makes it; or a shape of many, by their edits without the values. */
struct cached {
    const char *json;               /* {"edits":[…]} */
    const struct e8_template *body; /* NULL: it has no shape */
    uint32_t size;                  /* of the JSON */
    uint32_t type;                  /* with SHAPE, where it is one */
};
#define SHAPE 0x80000000u

struct e8_written {
    struct e8_emit *first; /* of the emits: as many as the files write out, in the plan's arena */
    size_t first_cap;
    struct e8_emit **chunks; /* those that loops add */
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

static void free_chunks(struct e8_written *w)
{
    for (size_t i = 0; w->first_cap + i * CHUNK < w->emits; i++) {
        free(w->chunks[i]);
    }
    free(w->chunks);
    w->chunks = NULL;
    w->emits = 0;
}

static void forget(struct e8_written *w)
{
    free(w->cache);
    free(w->places);
    w->cache = NULL;
    w->places = NULL;
    w->cached = w->place_count = 0;
}

void e8_written_free(struct e8_written **made)
{
    struct e8_written *w = *made;
    if (w) {
        free_chunks(w);
        free(w->blocks);
        forget(w);
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

static size_t count_emits(const struct e8_node *node)
{
    size_t n = e8_str_is(node->key, "emit") || e8_str_is(node->key, "again");
    for (const struct e8_node *child = node->first; child; child = child->next) {
        n += count_emits(child);
    }
    return n;
}

/* Room for what the files write out, so that all of it need not be copied once more when the last is known. */
static void make_room(struct e8_parser *p)
{
    const struct e8_node *map;
    size_t state = 0;
    while ((map = e8_sources_each(p, "flows", &state)) != NULL) {
        p->made->first_cap += count_emits(map);
    }
    p->made->first_cap += !p->made->first_cap;
    p->made->first = e8_arena_alloc(p->owned->arena, p->made->first_cap * sizeof(struct e8_emit));
}

static struct e8_emit *emit_at(const struct e8_written *w, size_t index)
{
    size_t i = index - w->first_cap;
    return index < w->first_cap ? &w->first[index] : &w->chunks[i / CHUNK][i % CHUNK];
}

struct e8_emit *e8_written_emit(struct e8_parser *p, const struct e8_node *at)
{
    struct e8_written *w = p->made;
    if (w->emits == E8_EMITS_MAX) {
        crowd(p, at, "use repeat and choose", "emit steps", E8_EMITS_MAX);
        return NULL;
    }
    if (!w->first) {
        make_room(p);
    }
    size_t added = w->emits - w->first_cap;
    if (w->emits >= w->first_cap && added % CHUNK == 0) {
        w->chunks = grown(w->chunks, added / CHUNK, sizeof(struct e8_emit *));
        w->chunks[added / CHUNK] = e8_new(CHUNK, sizeof(struct e8_emit));
    }
    struct e8_emit *emit = emit_at(w, w->emits);
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
    size_t count = list->count;
    struct e8_step *steps;
    if (count >= MANY) {
        steps = e8_plan_own(p->owned, e8_resize(list->steps, count, sizeof *steps));
        list->steps = NULL;
    } else {
        steps = e8_arena_alloc(p->owned->arena, count * sizeof *steps);
    }
    if (list->steps) {
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

/* All emits in one piece. */
static void move_emits(struct e8_written *w, struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->emit_count; i++) {
        plan->emits[i] = *emit_at(w, i);
    }
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
}

void e8_written_finish(struct e8_parser *p)
{
    struct e8_written *w = p->made;
    struct e8_plan *plan = &p->owned->plan;
    forget(w); /* before there is need of more memory */
    plan->emit_count = w->emits;
    plan->emits = w->first;
    if (w->emits > w->first_cap || !w->first) {
        plan->emits = e8_arena_alloc(p->owned->arena, (w->emits + 1) * sizeof *plan->emits);
        move_emits(w, plan);
    }
    free_chunks(w);
}

static uint64_t hash_of(struct e8_str json, uint32_t type)
{
    return e8_mix(e8_hash_str(json), type);
}

static uint32_t *place_of(const struct e8_written *w, uint32_t type, struct e8_str json)
{
    size_t i = hash_of(json, type) & (w->place_count - 1);
    while (w->places[i]) {
        const struct cached *there = &w->cache[w->places[i] - 1];
        if (there->type == type && e8_str_eq((struct e8_str){there->json, there->size}, json)) {
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
        struct e8_str json = {w->cache[i].json, w->cache[i].size};
        *place_of(w, w->cache[i].type, json) = (uint32_t)i + 1;
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
    uint32_t *place = place_of(w, type, e8_buf_str(&text));
    *fresh = *place == 0;
    if (*fresh) {
        w->cache = grown(w->cache, w->cached, sizeof *w->cache);
        struct e8_str kept = e8_arena_str(p->owned->arena, e8_buf_str(&text));
        w->cache[w->cached] = (struct cached){kept.p, NULL, (uint32_t)kept.n, type};
        *place = (uint32_t)++w->cached;
    }
    e8_buf_fini(&text);
    return &w->cache[*place - 1];
}

/* What templates with other values for the same paths have in common; NULL where there is no such thing. */
static const struct e8_template *shape_of(struct e8_parser *p, size_t type, const struct e8_edit *edits,
                                          size_t count)
{
    static const struct e8_node open = {.kind = E8_NULL};
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
    const struct e8_template *made = e8_template_filled(p->owned->arena, shape, values, n);
    free(values);
    return made;
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
    *json = (struct e8_str){place->json, place->size};
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
