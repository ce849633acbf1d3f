#include "template/program.h"

#define FLOAT_MAX   24 /* sign, 19 digits, point, leading zero */
#define INT_MAX_LEN 20

_Static_assert(E8_FACT_MAX <= E8_TPL_ROOM, "a fact has room");
_Static_assert(E8_RFC3339_MAX >= E8_TPL_PIECE, "a stamp is a piece");

/* Times are written to the millisecond. */

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

static e8_dur_ns elapsed(const struct e8_facts *facts)
{
    e8_dur_ns dur;
    if (__builtin_sub_overflow(facts->at, facts->flow_started, &dur))
        return facts->at > facts->flow_started ? INT64_MAX : 0;
    return dur > 0 ? dur : 0;
}

static void put_time(struct render *r, e8_wall_ns wall)
{
    char *at = e8_tpl_room(&r->to, E8_RFC3339_MAX);
    r->to.at = at + e8_wall_format_on(r->day, wall, 3, at);
}

/* Most payloads write these two more than once. */
static void put_stamp(struct render *r, struct stamp *stamp, e8_wall_ns wall)
{
    if (stamp->n == 0)
        stamp->n = e8_wall_format_on(r->day, wall, 3, stamp->text);
    e8_tpl_put_piece(&r->to, (struct e8_str){stamp->text, stamp->n});
}

static void put_fact(struct render *r, struct e8_str fact)
{
    E8_ASSERT(fact.n <= E8_FACT_MAX);
    if (e8_json_copy(e8_tpl_room(&r->to, E8_FACT_MAX), fact)) {
        r->to.at += fact.n;
        return;
    }
    e8_tpl_flush(&r->to);
    e8_buf_put_json(r->to.out, fact);
}

static void event_id(struct render *r, const struct op *op)
{
    (void)op;
    put_fact(r, r->facts->id);
}

static void event_type(struct render *r, const struct op *op)
{
    (void)op;
    put_fact(r, r->facts->type);
}

static void event_category(struct render *r, const struct op *op)
{
    (void)op;
    put_fact(r, r->facts->category);
}

static void event_environment(struct render *r, const struct op *op)
{
    (void)op;
    put_fact(r, r->facts->environment);
}

static void event_time(struct render *r, const struct op *op)
{
    (void)op;
    put_stamp(r, &r->at, r->facts->at);
}

static void event_sequence(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_unsigned(&r->to, r->facts->sequence);
}

static void flow_started(struct render *r, const struct op *op)
{
    (void)op;
    put_stamp(r, &r->flow_started, r->facts->flow_started);
}

static void flow_elapsed(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_signed(&r->to, elapsed(r->facts) / E8_NS_S);
}

static void flow_elapsed_ms(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_signed(&r->to, elapsed(r->facts) / E8_NS_MS);
}

static void unix_seconds(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_signed(&r->to, floor_div(r->facts->at, E8_NS_S));
}

static void unix_ms(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_signed(&r->to, floor_div(r->facts->at, E8_NS_MS));
}

static void index_of_item(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_unsigned(&r->to, r->index);
}

static void count_events(struct render *r, const struct op *op)
{
    e8_tpl_put_unsigned(&r->to, e8_tpl_count(op->types, r->facts));
}

static void version(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_bytes(&r->to, E8_VERSION, sizeof(E8_VERSION) - 1);
}

static void run_seed(struct render *r, const struct op *op)
{
    (void)op;
    e8_tpl_put_unsigned(&r->to, r->facts->seed);
}

static e8_wall_ns offset_time(struct render *r, const struct op *op)
{
    int64_t ms = op->range.low;
    e8_wall_ns wall;

    if (op->range.high > ms)
        ms = e8_rng_range(&r->rng, ms, op->range.high);
    if (__builtin_add_overflow(r->facts->at, ms * E8_NS_MS, &wall))
        return ms < 0 ? INT64_MIN : INT64_MAX;
    return wall;
}

static void date(struct render *r, const struct op *op)
{
    put_time(r, offset_time(r, op));
}

static void unix_date(struct render *r, const struct op *op)
{
    e8_tpl_put_signed(&r->to, floor_div(offset_time(r, op), E8_NS_S));
}

static bool parse_offset(struct compiler *c, struct e8_str text, int64_t *ms)
{
    struct e8_str size = text;
    bool minus = text.n > 0 && text.p[0] == '-';
    e8_dur_ns dur;

    if (minus || (text.n > 0 && text.p[0] == '+'))
        size = (struct e8_str){text.p + 1, text.n - 1};
    if (!e8_parse_dur(size, &dur))
        return e8_tpl_fail(c, "for example -3d, +90s or 0; units are ms, s, m, h, d",
                           "\"%.*s\" is no time offset", E8_STR(text));
    *ms = (minus ? -dur : dur) / E8_NS_MS;
    return true;
}

static bool compile_offset(struct compiler *c, struct call *call)
{
    struct e8_str from = call->args[0], to = from;
    struct op *op = &call->op;

    e8_tpl_split_range(call->args[0], &from, &to);
    if (!parse_offset(c, from, &op->range.low) || !parse_offset(c, to, &op->range.high))
        return false;
    if (op->range.low > op->range.high)
        return e8_tpl_fail(c, "the earlier time comes first", "the range %.*s is reversed",
                           E8_STR(call->args[0]));
    return true;
}

static bool compile_count(struct compiler *c, struct call *call)
{
    call->op.types = e8_tpl_types(c, call->args[0]);
    return call->op.types != NULL;
}

static bool compile_index(struct compiler *c, struct call *call)
{
    (void)call;
    return c->repeats > 0 || e8_tpl_fail(c, "it counts the items of {\"{{$repeat 1..3}}\": ITEM}",
                                         "$index has a meaning only within a $repeat");
}

static bool compile_data(struct compiler *c, struct call *call)
{
    (void)call;
    return e8_tpl_fail(c, "there it is the whole value of a member: \"data\": \"{{event.data}}\"",
                       "event.data may be used only in envelope.json");
}

#define STR       KIND_STRING
#define NUM       KIND_NUMBER
#define ANY       (KIND_STRING | KIND_NUMBER | KIND_BOOL | KIND_NULL | KIND_TREE)
#define FACT      (6 * (size_t)E8_FACT_MAX)
#define TIME      ((size_t)E8_RFC3339_MAX)
#define OF_ITSELF 0
#define STEADY    CHANGES_NEVER
#define PER_EVENT CHANGES_EVENT
#define PER_FLOW  CHANGES_FLOW
#define FN(name)  e8_tpl_compile_##name
#define OUT(name) e8_tpl_render_##name
#define FROM_TO   "OFFSET or FROM..TO"
#define REST      (-1)

const struct function e8_tpl_functions[] = {
    {"event.id", "", 0, 0, STR, PER_EVENT, FACT, NULL, event_id},
    {"event.type", "", 0, 0, STR, PER_EVENT, FACT, NULL, event_type},
    {"event.category", "", 0, 0, STR, PER_EVENT, FACT, NULL, event_category},
    {"event.environment", "", 0, 0, STR, PER_EVENT, FACT, NULL, event_environment},
    {"event.created_at", "", 0, 0, STR, PER_EVENT, TIME, NULL, event_time},
    {"event.sequence", "", 0, 0, NUM, PER_EVENT, INT_MAX_LEN, NULL, event_sequence},
    {"event.data", "", 0, 0, ANY, STEADY, 0, compile_data, NULL},
    {"flow.started_at", "", 0, 0, STR, PER_FLOW, TIME, NULL, flow_started},
    {"flow.elapsed", "", 0, 0, NUM, PER_EVENT, INT_MAX_LEN, NULL, flow_elapsed},
    {"flow.elapsed_ms", "", 0, 0, NUM, PER_EVENT, INT_MAX_LEN, NULL, flow_elapsed_ms},
    {"$guid", "", 0, 0, STR, STEADY, 36, NULL, OUT(guid)},
    {"$randomUUID", "", 0, 0, STR, STEADY, 36, NULL, OUT(guid)},
    {"$timestamp", "", 0, 0, NUM, PER_EVENT, INT_MAX_LEN, NULL, unix_seconds},
    {"$timestampMs", "", 0, 0, NUM, PER_EVENT, INT_MAX_LEN, NULL, unix_ms},
    {"$isoTimestamp", "", 0, 0, STR, PER_EVENT, TIME, NULL, event_time},
    {"$date", FROM_TO, 1, 1, STR, PER_EVENT, TIME, compile_offset, date},
    {"$unix", FROM_TO, 1, 1, NUM, PER_EVENT, INT_MAX_LEN, compile_offset, unix_date},
    {"$randomInt", "MIN..MAX", 0, 2, NUM, STEADY, INT_MAX_LEN, FN(int), OUT(decimal)},
    {"$randomFloat", "MIN..MAX DECIMALS", 1, 2, NUM, STEADY, FLOAT_MAX, FN(float), OUT(decimal)},
    {"$randomBoolean", "P%", 0, 1, KIND_BOOL, STEADY, 5, FN(bool), OUT(bool)},
    {"$hex", "N", 1, 1, STR, STEADY, OF_ITSELF, FN(hex), OUT(chars)},
    {"$digits", "N", 1, 1, STR, STEADY, OF_ITSELF, FN(digits), OUT(chars)},
    {"$letters", "N", 1, 1, STR, STEADY, OF_ITSELF, FN(letters), OUT(chars)},
    {"$alnum", "N", 1, 1, STR, STEADY, OF_ITSELF, FN(alnum), OUT(chars)},
    {"$base62", "N", 1, 1, STR, STEADY, OF_ITSELF, FN(base62), OUT(chars)},
    {"$pick", "LIST or LIST:ENTITY.FIELD", 1, 1, ANY, STEADY, OF_ITSELF, FN(pick), OUT(pick)},
    {"$weighted", "A=3 B=1 ...", 1, REST, ANY, STEADY, OF_ITSELF, FN(weighted), OUT(weighted)},
    {"$optional", "P% REST", 1, REST, ANY, STEADY, OF_ITSELF, FN(optional), OUT(optional)},
    {"$count", "PATTERN", 1, 1, NUM, PER_EVENT, INT_MAX_LEN, compile_count, count_events},
    {"$index", "", 0, 0, NUM, STEADY, INT_MAX_LEN, compile_index, index_of_item},
    {"$lower", "REST", 1, REST, STR, STEADY, OF_ITSELF, FN(lower), OUT(letters)},
    {"$upper", "REST", 1, REST, STR, STEADY, OF_ITSELF, FN(upper), OUT(letters)},
    {"$version", "", 0, 0, STR, STEADY, sizeof(E8_VERSION), NULL, version},
    {"$seed", "", 0, 0, NUM, STEADY, INT_MAX_LEN, NULL, run_seed},
    {NULL, NULL, 0, 0, 0, STEADY, 0, NULL, NULL},
};

const struct function *e8_tpl_function(struct e8_str name)
{
    for (const struct function *f = e8_tpl_functions; f->name; f++)
        if (e8_str_is(name, f->name))
            return f;
    return NULL;
}
