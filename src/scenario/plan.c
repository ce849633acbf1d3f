#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "doc/json.h"
#include "scenario/build.h"

struct e8_plan_owned *e8_plan_new(const struct e8_catalog *catalog)
{
    struct e8_plan_owned *owned = e8_new(1, sizeof *owned);
    owned->arena = e8_arena_new();
    owned->plan.types = e8_catalog_names(catalog);
    owned->plan.type_count = e8_catalog_count(catalog);
    return owned;
}

void e8_plan_free(struct e8_plan **plan)
{
    if (!*plan) {
        return;
    }
    struct e8_plan_owned *owned = (struct e8_plan_owned *)*plan;
    for (size_t i = 0; i < owned->template_count; i++) {
        e8_template_free(&owned->templates[i]);
    }
    for (size_t i = 0; i < owned->secret_count; i++) {
        e8_secret_free(&owned->secrets[i]);
    }
    for (size_t i = 0; i < owned->piece_count; i++) {
        free(owned->pieces[i]);
    }
    free(owned->templates);
    free(owned->pieces);
    free(owned->secrets);
    for (size_t i = 0; i < owned->doc_count; i++) {
        e8_doc_free(&owned->docs[i]);
    }
    free(owned->docs);
    e8_arena_free(&owned->arena);
    free(owned);
    *plan = NULL;
}

const char *e8_plan_secret(struct e8_plan_owned *owned, const char *secret)
{
    owned->secrets = e8_resize(owned->secrets, owned->secret_count + 1, sizeof *owned->secrets);
    owned->secrets[owned->secret_count] = e8_dup(secret);
    return owned->secrets[owned->secret_count++];
}

const struct e8_template *e8_plan_keep(struct e8_plan_owned *owned, struct e8_template *made)
{
    size_t n = owned->template_count;
    if ((n & (n - 1)) == 0) { /* 0, or a power of two */
        owned->templates = e8_resize(owned->templates, n ? 2 * n : 1, sizeof(struct e8_template *));
    }
    owned->templates[owned->template_count++] = made;
    return made;
}

void *e8_plan_own(struct e8_plan_owned *owned, void *piece)
{
    owned->pieces = e8_resize(owned->pieces, owned->piece_count + 1, sizeof *owned->pieces);
    owned->pieces[owned->piece_count++] = piece;
    return piece;
}

const struct e8_template *e8_plan_template(struct e8_plan_owned *owned, const struct e8_catalog *catalog,
                                           size_t type, const struct e8_edit *edits, size_t count,
                                           struct e8_errs *errs)
{
    struct e8_template *compiled;
    if (count == 0) {
        return e8_catalog_event(catalog, type);
    }
    return e8_catalog_template(catalog, type, edits, count, &compiled, errs) ? NULL
                                                                             : e8_plan_keep(owned, compiled);
}

void e8_edits_put(struct e8_json *w, const char *key, const struct e8_edit *edits, size_t count)
{
    struct e8_buf value;
    e8_buf_init(&value, SIZE_MAX / 2);
    e8_json_array(w, key);
    for (size_t i = 0; i < count; i++) {
        e8_json_object(w, NULL);
        e8_json_str(w, "path", edits[i].path);
        if (edits[i].value) {
            e8_buf_reset(&value);
            e8_node_json(edits[i].value, &value);
            e8_json_raw(w, "value", e8_buf_str(&value));
        }
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
    e8_buf_fini(&value);
}

const char *e8_edits_json(struct e8_arena *arena, const struct e8_edit *edits, size_t count)
{
    if (count == 0) {
        return NULL;
    }
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    e8_edits_put(&w, "edits", edits, count);
    e8_json_end(&w, '}');
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

void e8_plan_digest(struct e8_str text, char out[65])
{
    uint8_t digest[32];
    struct e8_buf hex;
    e8_sha256_of(text, digest);
    e8_buf_fixed(&hex, out, 64);
    e8_hex_put(&hex, digest, sizeof digest);
    out[64] = '\0';
}

enum e8_rc e8_plan_url(const char *url, struct e8_err *err)
{
    struct e8_url parts;
    return e8_url_parse(e8_str(url), &parts, err);
}

bool e8_endpoint_takes(const struct e8_endpoint *endpoint, const struct e8_plan *plan,
                       const struct e8_emit *emit)
{
    return e8_subscription_takes(&endpoint->subscription, e8_str(plan->types[emit->type]),
                                 e8_str(emit->environment));
}

bool e8_emit_goes_to(const struct e8_plan *plan, const struct e8_emit *emit, size_t endpoint)
{
    return e8_emit_goes_to_now(plan, emit, endpoint, &plan->endpoints[endpoint]);
}

bool e8_emit_goes_to_now(const struct e8_plan *plan, const struct e8_emit *emit, size_t endpoint,
                         const struct e8_endpoint *now)
{
    return emit->endpoint >= 0 ? (size_t)emit->endpoint == endpoint : e8_endpoint_takes(now, plan, emit);
}

/* One emit of each kind that endpoints may take or not: of a million steps most are alike. */
static size_t kinds_of(const struct e8_plan *plan, const struct e8_emit **kinds)
{
    size_t count = 0, cap = 64;
    while (cap < 4 * plan->emit_count) {
        cap *= 2;
    }
    const struct e8_emit **seen = e8_new(cap, sizeof *seen);
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        size_t at = (size_t)e8_mix(e8_mix(emit->type, (uint64_t)emit->endpoint),
                                   e8_hash_str(e8_str(emit->environment)));
        at &= cap - 1;
        while (seen[at] && (seen[at]->type != emit->type || seen[at]->endpoint != emit->endpoint ||
                            strcmp(seen[at]->environment, emit->environment) != 0)) {
            at = (at + 1) & (cap - 1);
        }
        if (!seen[at]) {
            seen[at] = kinds[count++] = emit;
        }
    }
    free(seen);
    return count;
}

static bool taken_by_any(const struct e8_plan *plan, const struct e8_emit **kinds, size_t count,
                         size_t endpoint)
{
    for (size_t i = 0; i < count; i++) {
        if (e8_emit_goes_to(plan, kinds[i], endpoint)) {
            return true;
        }
    }
    return false;
}

/* How many endpoints take something; those that do not are noted. */
static size_t count_useful(const struct e8_plan *plan, struct e8_buf *note)
{
    const struct e8_emit **kinds = e8_new(plan->emit_count + 1, sizeof *kinds);
    size_t count = kinds_of(plan, kinds), useful = 0;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        bool any = taken_by_any(plan, kinds, count, i);
        useful += any;
        if (!any && note) {
            e8_buf_printf(note, "endpoint \"%s\" takes no event of this plan\n", plan->endpoints[i].name);
        }
    }
    free(kinds);
    return useful;
}

static bool starts_any(const struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct e8_phase *phase = &plan->phases[i];
        struct e8_pace_walk walk;
        e8_dur_ns due;
        if (!phase->open) {
            return true;
        }
        walk = e8_pace_begin(&phase->pace);
        if (e8_pace_next(&walk, &due)) {
            return true;
        }
    }
    return false;
}

enum e8_rc e8_plan_check(const struct e8_plan *plan, const struct e8_catalog *catalog, struct e8_buf *note,
                         struct e8_err *err)
{
    (void)catalog;
    if (plan->endpoint_count == 0) {
        return e8_fail(err, E8_INPUT, "add endpoints: {NAME: {url: …}}, or --to URL",
                       "the plan has no endpoint");
    }
    if (count_useful(plan, note) == 0) {
        return e8_fail(err, E8_INPUT, "look at the endpoints' events and environments",
                       "no endpoint takes any event of the plan: nothing would be tested");
    }
    if (!starts_any(plan)) {
        return e8_fail(err, E8_INPUT, "raise times, or the rate and its length", "the plan starts no flow");
    }
    return E8_OK;
}

e8_dur_ns e8_phase_length(const struct e8_phase *phase)
{
    return phase->open ? phase->pace.length : phase->within;
}

uint64_t e8_phase_instances(const struct e8_phase *phase)
{
    if (phase->open) {
        return e8_pace_count(&phase->pace);
    }
    return phase->within && phase->concurrency < phase->times ? phase->concurrency : phase->times;
}

bool e8_plan_warms_up(const struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        if (plan->phases[i].warmup) {
            return true;
        }
    }
    return false;
}

bool e8_plan_timed(const struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        if (plan->phases[i].within) {
            return true;
        }
    }
    return false;
}

uint64_t e8_plan_instances(const struct e8_plan *plan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        struct e8_part part = e8_plan_part(plan, &plan->phases[i]);
        sum += e8_part_count(&part, e8_phase_instances(&plan->phases[i]));
    }
    return sum;
}

static uint64_t takers(const struct e8_plan *plan, const struct e8_emit *emit)
{
    uint64_t n = 0;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        n += e8_emit_goes_to(plan, emit, i);
    }
    return n;
}

/* How far a plan is walked to learn its size: waits and empty rounds count as well as events. */
struct sizing {
    const struct e8_plan *plan;
    const uint64_t *fans; /* endpoints that take an emit */
    uint64_t limit, events, deliveries, steps;
};

/* Copies are deliveries of their own. */
static uint64_t copies_of(const struct e8_plan *plan, const struct e8_walk *walk, const struct e8_emit *emit,
                          uint64_t instance)
{
    uint64_t copies = 0;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (e8_emit_goes_to(plan, emit, i)) {
            copies += e8_deliver_of(plan, walk->flow, emit, instance, walk->sequence, (uint16_t)i).copies;
        }
    }
    return copies;
}

static bool may_copy(const struct e8_plan *plan, const struct e8_flow *flow, const struct e8_emit *emit)
{
    return emit->deliver.copies > 0 ||
           (!emit->faultless && (flow->faults ? flow->faults : &plan->faults)->duplicate > 0);
}

static bool size_instance(struct sizing *s, const struct e8_flow *flow, uint64_t number)
{
    struct e8_walk walk = e8_walk_begin(flow, s->plan->seed, number);
    const struct e8_emit *emit;
    while ((emit = e8_walk_next(&walk)) != NULL && s->events <= s->limit) {
        s->events += emit->again == E8_AGAIN_NO;
        s->deliveries += s->fans[emit->index];
        if (may_copy(s->plan, flow, emit)) {
            s->deliveries += copies_of(s->plan, &walk, emit, number);
        }
    }
    s->steps += 1 + walk.steps;
    return s->events <= s->limit && s->steps / 100 <= s->limit;
}

static bool size_phase(struct sizing *s, const struct e8_phase *phase)
{
    struct e8_pace_walk walk = phase->open ? e8_pace_begin(&phase->pace) : (struct e8_pace_walk){.k = 0};
    struct e8_part part = e8_plan_part(s->plan, phase);
    e8_dur_ns due;
    bool good = true;
    for (uint64_t k = 0; good && (phase->open ? e8_pace_next(&walk, &due) : k < phase->times); k++) {
        good = !e8_part_has(&part, k) || size_instance(s, phase->flow, phase->first + k);
    }
    return good;
}

bool e8_plan_size(const struct e8_plan *plan, const struct e8_catalog *catalog, uint64_t limit,
                  uint64_t *events, uint64_t *deliveries)
{
    uint64_t *fans = e8_new(plan->emit_count + 1, sizeof *fans);
    struct sizing s = {.plan = plan, .fans = fans, .limit = limit};
    bool good = !e8_plan_timed(plan);
    (void)catalog;
    for (size_t i = 0; i < plan->emit_count; i++) {
        fans[i] = takers(plan, &plan->emits[i]);
    }
    for (size_t i = 0; good && i < plan->phase_count; i++) {
        good = size_phase(&s, &plan->phases[i]);
    }
    free(fans);
    *events = good ? s.events : 0;
    *deliveries = good ? s.deliveries : 0;
    return good;
}

/* Everything as long as it can be. */
enum e8_rc e8_plan_headers(const struct e8_catalog *catalog, const struct e8_endpoint *endpoint,
                           struct e8_err *err)
{
    const struct e8_platform *platform = e8_catalog_platform(catalog);
    char longest[E8_FACT_MAX];
    struct e8_buf text;
    memset(longest, 'x', sizeof longest);
    const struct e8_sign_input in = {.id = {longest, E8_ID_MAX - 1},
                                     .timestamp = INT64_MIN,
                                     .type = {longest, sizeof longest},
                                     .environment = {longest, sizeof longest},
                                     .attempt = UINT16_MAX};
    e8_buf_init(&text, SIZE_MAX / 2);
    e8_sign_expand(platform->user_agent, &in, &text);
    for (size_t i = 0; i < platform->header_count; i++) {
        e8_sign_expand(platform->headers[i].value, &in, &text);
    }
    for (size_t i = 0; i < endpoint->scheme->header_count; i++) {
        e8_sign_expand(endpoint->scheme->headers[i].value, &in, &text);
    }
    size_t n = text.n + (endpoint->secret_count ? E8_SIGNATURE_MAX : 0);
    e8_buf_fini(&text);
    return n <= E8_HEADERS_MAX
               ? E8_OK
               : e8_fail(err, E8_INPUT, "shorten the headers of the scheme or of platform.json",
                         "the headers of a delivery could take %zu bytes, more than %d", n, E8_HEADERS_MAX);
}
