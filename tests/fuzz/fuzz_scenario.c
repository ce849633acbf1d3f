/* Any bytes as a scenario: what parses can be checked, sized, walked and previewed; what does not says where, inside the text. A
 * line "#== NAME" begins a file that the scenario may include or take rows from. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WALK_MAX  2000 /* events of an instance */
#define STEPS_MAX 200000

static const struct e8_catalog *catalog(void)
{
    static struct e8_catalog *loaded;
    struct e8_errs errs;
    if (!loaded) {
        e8_errs_init(&errs);
        E8_ASSERT(e8_catalog_load(NULL, &loaded, &errs) == E8_OK);
        e8_errs_fini(&errs);
    }
    return loaded;
}

#define PIECE "zqxj" /* what no error tells of the secret */

static const char *variable(const char *name)
{
    return strcmp(name, "SECRET") == 0 ? PIECE "-" PIECE "-" PIECE "-" PIECE
           : strcmp(name, "N") == 0    ? "3"
                                       : NULL;
}

/* The files of an input, the scenario first. */
#define FILES_MAX 8
struct files {
    size_t count;
    struct {
        char name[32];
        struct e8_str text;
    } list[FILES_MAX];
};

static struct files split(struct e8_str all)
{
    struct files files = {.count = 1, .list = {{"fuzz.yaml", all}}};
    const char *end = all.p + all.n, *at = all.n ? memmem(all.p, all.n, "\n#== ", 5) : NULL;
    while (at && files.count < FILES_MAX) {
        const char *name = at + 5, *line = memchr(name, '\n', (size_t)(end - name));
        size_t n = line ? (size_t)(line - name) : 0;
        if (!line || n >= sizeof files.list[0].name) {
            break;
        }
        files.list[files.count - 1].text.n = (size_t)(at + 1 - files.list[files.count - 1].text.p);
        memcpy(files.list[files.count].name, name, n);
        files.list[files.count].text = (struct e8_str){line + 1, (size_t)(end - line) - 1};
        at = memmem(line, (size_t)(end - line), "\n#== ", 5);
        files.count++;
    }
    return files;
}

static const struct e8_str *find(const struct files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->list[i].name, name) == 0) {
            return &files->list[i].text;
        }
    }
    return NULL;
}

static enum e8_rc serve(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    const struct e8_str *text = find(state, path);
    if (!text) {
        return e8_fail(err, E8_INPUT, NULL, "there is no such file");
    }
    *out = *text;
    return E8_OK;
}

/* What is written out very often is right, but takes its time. */
static bool is_long(struct e8_str text)
{
    size_t loops = 0, digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        loops += text.n - i >= 7 && memcmp(text.p + i, "foreach", 7) == 0;
        digits = text.p[i] >= '0' && text.p[i] <= '9' ? digits + 1 : 0;
        if (digits > 3 && loops > 0) {
            return true;
        }
    }
    return loops > 2;
}

static int lines_of(struct e8_str text)
{
    int lines = 1;
    for (size_t i = 0; i < text.n; i++) {
        lines += text.p[i] == '\n' || text.p[i] == '\r';
    }
    return lines;
}

static void check_errs(const struct e8_errs *errs, const struct files *files, bool knows)
{
    E8_ASSERT(errs->total > 0 && errs->count > 0);
    for (size_t i = 0; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        const struct e8_str *text = find(files, err->file);
        E8_ASSERT(err->rc != E8_OK && err->what[0]);
        E8_ASSERT(text);
        E8_ASSERT(err->line >= 0 && err->col >= 0 && err->line <= lines_of(*text) + 1);
        E8_ASSERT(knows ||
                  (!strstr(err->what, PIECE) && !strstr(err->hint, PIECE) && !strstr(err->source, PIECE)));
    }
}

static void walk_instance(const struct e8_flow *flow, uint64_t seed, uint64_t number)
{
    struct e8_walk walk = e8_walk_begin(flow, seed, number), again = walk;
    const struct e8_emit *emit;
    while ((emit = e8_walk_next(&walk)) != NULL && walk.sequence < WALK_MAX && walk.steps < STEPS_MAX) {
        E8_ASSERT(walk.offset >= 0 && walk.depth <= E8_DEPTH_MAX);
        E8_ASSERT(e8_walk_next(&again) == emit && again.offset == walk.offset);
    }
    if (!emit) {
        E8_ASSERT(e8_walk_next(&walk) == NULL);
    }
    E8_ASSERT(e8_flow_age(flow, seed, number) >= 0);
}

static bool count_preview(void *state, const struct e8_preview *preview)
{
    unsigned *left = state;
    E8_ASSERT(preview->parts->count > 0);
    return --*left > 0;
}

/* A walk that emits nothing for a long time is allowed, but is not looked at here. */
static bool is_short(const struct e8_plan *plan)
{
    uint64_t events, deliveries;
    struct e8_plan first = *plan;
    struct e8_phase phases[4];
    first.phase_count = plan->phase_count < 4 ? plan->phase_count : 4;
    memcpy(phases, plan->phases, first.phase_count * sizeof phases[0]);
    for (size_t i = 0; i < first.phase_count; i++) {
        phases[i].open = false;
        phases[i].times = 2;
    }
    first.phases = phases;
    e8_plan_size(&first, catalog(), WALK_MAX, &events, &deliveries);
    return events > 0;
}

static void try_plan(const struct e8_plan *plan)
{
    struct e8_err err = {0};
    struct e8_buf note;
    e8_buf_init(&note, 1 << 20);
    enum e8_rc rc = e8_plan_check(plan, catalog(), &note, &err);
    E8_ASSERT(rc == E8_OK || err.what[0]);
    e8_buf_fini(&note);
    for (size_t i = 0; i < plan->flow_count && i < 4; i++) {
        for (uint64_t number = 0; number < 3; number++) {
            walk_instance(&plan->flows[i], plan->seed, number);
        }
    }
    for (size_t i = 0; i < plan->phase_count; i++) {
        E8_ASSERT(plan->phases[i].flow >= plan->flows &&
                  plan->phases[i].flow < plan->flows + plan->flow_count);
    }
    uint64_t events, deliveries;
    e8_plan_size(plan, catalog(), WALK_MAX, &events, &deliveries);
    E8_ASSERT(events <= WALK_MAX);
    if (rc == E8_OK && is_short(plan)) {
        unsigned left = 8;
        E8_ASSERT(e8_preview_plan(plan, catalog(), 1, count_preview, &left, &err) == E8_OK);
    }
}

static void check_plan(const struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        E8_ASSERT(emit->index == i && emit->type < plan->type_count &&
                  emit->event < e8_catalog_count(catalog()));
        E8_ASSERT(emit->environment && (emit->body || emit->raw.p) &&
                  emit->endpoint < (int)plan->endpoint_count);
    }
    E8_ASSERT(!plan->types[plan->type_count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct e8_str all = {(const char *)data, size};
    struct files files = split(all);
    struct e8_scenario_options options = {
        .getenv = variable, .seed_random = 7, .read = serve, .read_state = &files};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    if (memmem(data, size, "file", 4) || is_long(all)) { /* secrets are not read from the fuzzer's machine */
        return 0;
    }
    e8_errs_init(&errs);
    if (e8_plan_parse(catalog(), "fuzz.yaml", files.list[0].text, &options, &plan, &errs) == E8_OK) {
        E8_ASSERT(errs.total == 0 && plan);
        check_plan(plan);
        try_plan(plan);
    } else {
        E8_ASSERT(!plan);
        check_errs(&errs, &files, memmem(data, size, PIECE, 4));
    }
    e8_plan_free(&plan);
    e8_errs_fini(&errs);
    return 0;
}
