#include <string.h>

#include "cli/merge.h"

#define STDIN_MAX  ((size_t)1 << 30)
#define SHARDS_MAX 10000

/* What a line says of the run; the first that is missing or wrong is kept. */
struct facts {
    const struct e8_node *map;
    struct e8_arena *arena;
    const char *bad;
};

static const struct e8_node *member(struct facts *f, const char *key, enum e8_node_kind kind)
{
    const struct e8_node *node = e8_node_get(f->map, key);
    if (!node || node->kind != kind) {
        f->bad = f->bad ? f->bad : key;
        return NULL;
    }
    return node;
}

static const char *text_of(struct facts *f, const char *key)
{
    const struct e8_node *node = member(f, key, E8_STRING);
    return node ? e8_arena_str(f->arena, node->text).p : "";
}

static int64_t number_of(struct facts *f, const char *key)
{
    const struct e8_node *node = member(f, key, E8_INT);
    if (node && (node->i < 0 || node->i > INT64_MAX / 2)) {
        f->bad = f->bad ? f->bad : key;
        return 0;
    }
    return node ? node->i : 0;
}

static bool truth_of(struct facts *f, const char *key)
{
    const struct e8_node *node = member(f, key, E8_BOOL);
    return node && node->b;
}

static uint64_t seed_of(struct facts *f)
{
    uint64_t seed = 0;
    const struct e8_node *node = member(f, "seed", E8_STRING);
    if (node && !e8_parse_u64(node->text, &seed)) {
        f->bad = f->bad ? f->bad : "seed";
    }
    return seed;
}

static double speed_of(struct facts *f)
{
    const struct e8_node *node = e8_node_get(f->map, "speed");
    if (!node || !e8_node_is_number(node)) {
        f->bad = f->bad ? f->bad : "speed";
        return 0;
    }
    return e8_node_number(node);
}

static void read_run(struct facts *f, struct e8_log_run *run)
{
    run->name = text_of(f, "name");
    run->scenario_digest = text_of(f, "scenario_digest");
    run->fixtures_digest = text_of(f, "fixtures_digest");
    run->version = text_of(f, "version");
    run->curl_version = text_of(f, "curl_version");
    run->command = text_of(f, "command");
    run->seed = seed_of(f);
    run->plan = text_of(f, "plan");
    run->started = run->epoch = number_of(f, "started");
    run->ended = number_of(f, "ended");
    run->clock = number_of(f, "clock");
    run->speed = speed_of(f);
    run->workers = (unsigned)number_of(f, "workers");
    run->insecure = truth_of(f, "insecure");
    run->interrupted = truth_of(f, "interrupted");
    run->planned = (uint64_t)number_of(f, "planned");
    run->dropped = (uint64_t)number_of(f, "dropped");
    run->aborted = (uint64_t)number_of(f, "aborted");
    run->stalls = (uint64_t)number_of(f, "stalls");
    run->timer_floor = number_of(f, "timer_floor");
}

/* NULL-terminated. */
static const char *const *texts_of(struct facts *f, const char *key, size_t *count)
{
    const struct e8_node *list = member(f, key, E8_SEQ);
    const char **texts = e8_arena_alloc(f->arena, ((list ? list->count : 0) + 1) * sizeof *texts);
    *count = 0;
    for (const struct e8_node *node = list ? list->first : NULL; node; node = node->next) {
        if (node->kind != E8_STRING) {
            f->bad = f->bad ? f->bad : key;
        }
        texts[(*count)++] = e8_arena_str(f->arena, node->kind == E8_STRING ? node->text : E8_LIT("")).p;
    }
    return texts;
}

static void read_endpoints(struct facts *f, struct e8_log_run *run)
{
    const struct e8_node *list = member(f, "endpoints", E8_SEQ);
    struct e8_log_endpoint *endpoints =
        e8_arena_alloc(f->arena, ((list ? list->count : 0) + 1) * sizeof *endpoints);
    for (const struct e8_node *node = list ? list->first : NULL; node; node = node->next) {
        struct facts of = {.map = node, .arena = f->arena};
        struct e8_log_endpoint *endpoint = &endpoints[run->endpoint_count++];
        endpoint->name = text_of(&of, "name");
        endpoint->url = text_of(&of, "url");
        endpoint->scheme = text_of(&of, "scheme");
        f->bad = f->bad ? f->bad : of.bad;
    }
    run->endpoints = endpoints;
}

static const char *notes_of(struct facts *f)
{
    const struct e8_node *node = member(f, "notes", E8_MAP);
    struct e8_buf text;
    e8_buf_init(&text, (size_t)16 << 20);
    if (node) {
        e8_node_json(node, &text);
    }
    const char *notes = e8_arena_str(f->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return notes;
}

static const char *read_shard(const struct e8_node *root, struct e8_arena *arena, struct e8_log_run *run)
{
    struct facts f = {.map = root, .arena = arena}, of = {.map = e8_node_get(root, "run"), .arena = arena};
    size_t ignored;
    int64_t number = number_of(&f, "number"), count = number_of(&f, "count");
    if (number_of(&f, "emit8_shard") != 1) {
        return "emit8_shard";
    }
    if (count < 1 || count > SHARDS_MAX || number < 1 || number > count) {
        return "number";
    }
    run->shard = (unsigned)number;
    run->shards = (unsigned)count;
    read_run(&of, run);
    read_endpoints(&f, run);
    run->types = texts_of(&f, "types", &run->type_count);
    run->thresholds = texts_of(&f, "thresholds", &ignored);
    run->notes = notes_of(&f);
    return f.bad ? f.bad : of.bad;
}

static enum e8_rc fail_line(const char *from, const char *why, struct e8_err *err)
{
    return e8_fail(err, E8_INPUT,
                   "was it cut short? run or load with --shard … --format shard prints it on one line",
                   "%s: the shard's result is damaged: %s", from, why);
}

static enum e8_rc read_line(struct e8_merge *merge, struct e8_str text, size_t number, struct e8_err *err)
{
    struct e8_err why = {0};
    merge->parts = e8_resize(merge->parts, merge->count + 1, sizeof *merge->parts);
    struct e8_merge_part *part = &merge->parts[merge->count++];
    *part = (struct e8_merge_part){.from = e8_arena_printf(merge->arena, "line %zu of stdin", number)};
    if (e8_doc_parse(part->from, text, E8_DOC_JSON, &part->doc, &why)) {
        return fail_line(part->from, why.what, err);
    }
    const char *bad = read_shard(e8_doc_root(part->doc), merge->arena, &part->run);
    if (bad) {
        return fail_line(part->from, e8_arena_printf(merge->arena, "\"%s\" is missing or wrong", bad), err);
    }
    if (e8_stats_get(e8_node_get(e8_doc_root(part->doc), "stats"), (unsigned)part->run.endpoint_count,
                     (unsigned)part->run.type_count, &part->stats, &why)) {
        return fail_line(part->from, why.what, err);
    }
    e8_doc_free(&part->doc); /* all of it is in the arena and the statistics */
    return E8_OK;
}

static bool is_report(struct e8_str line)
{
    return memmem(line.p, line.n, "\"schema_version\":", 17) != NULL;
}

static enum e8_rc fail_nothing(size_t lines, size_t reports, struct e8_err *err)
{
    static const char hint[] =
        "merge what run or load with --shard … --format shard prints, or the shards' logs";
    return reports ? e8_fail(err, E8_INPUT, hint, "stdin holds reports, of which no exact whole can be made")
                   : e8_fail(err, E8_INPUT, hint, "stdin holds no shard's result (%zu other line%s)", lines,
                             lines == 1 ? "" : "s");
}

/* Before the result may stand what kubectl logs --prefix or --timestamps put there. */
enum e8_rc e8_merge_read_lines(struct e8_merge *merge, struct e8_err *err)
{
    static const char head[] = E8_SHARD_HEAD;
    struct e8_buf all;
    enum e8_rc rc = e8_file_read("-", STDIN_MAX, &all, err);
    size_t reports = 0;
    struct e8_str rest = rc ? E8_LIT("") : e8_buf_str(&all), line;
    for (size_t number = 1; !rc && e8_str_split(&rest, '\n', &line); number++) {
        const char *at = line.n ? memmem(line.p, line.n, head, sizeof head - 1) : NULL;
        if (at) {
            struct e8_str text = {at, line.n - (size_t)(at - line.p)};
            rc = read_line(merge, e8_str_trim(text), number, err);
        } else {
            merge->passed += e8_str_trim(line).n > 0;
            reports += is_report(line);
        }
    }
    e8_buf_fini(&all);
    if (!rc && !merge->count) {
        rc = fail_nothing(merge->passed, reports, err);
    }
    return rc;
}
