#include "cli/plan_view.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_LIMIT 1000000 /* events that are counted */
#define GAP        2
/* Widths of columns: the time; what is kept free for the endpoints' names; to what the others give way */
#define TIME_WIDTH  10
#define NAME_WIDTH  16
#define FLOW_LEAST  18
#define EVENT_LEAST 24

struct table {
    const struct e8_plan_view *view;
    size_t flow_width, event_width, margin;
    uint64_t events;
    bool at_least, more;
    struct e8_plan_row last;     /* of the event that is shown next */
    const struct e8_step *await; /* behind it */
    bool any, awaits;
    struct e8_buf to, words, line;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t width_of(struct e8_str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.n; i++) {
        width += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    }
    return width;
}

static void pad(struct e8_buf *line, size_t from, size_t width)
{
    size_t used = width_of((struct e8_str){line->p + from, line->n - from});
    e8_buf_printf(line, "%*s", used < width ? (int)(width - used) : 0, "");
}

/* Text in a field, cut where it is too long; characters are whole. */
static void put_field(struct e8_buf *line, struct e8_str text, size_t width)
{
    size_t from = line->n, n = 0, seen = 0;
    bool cut = width_of(text) > width;
    while (n < text.n && (seen < width - cut || ((unsigned char)text.p[n] & 0xC0) == 0x80)) {
        seen += ((unsigned char)text.p[n] & 0xC0) != 0x80;
        n += seen <= width - cut;
    }
    e8_buf_put_clean(line, (struct e8_str){text.p, n});
    e8_buf_puts(line, cut ? "…" : "");
    pad(line, from, width);
}

static void put_line(struct table *t, bool dim)
{
    while (t->line.n && t->line.p[t->line.n - 1] == ' ') {
        t->line.n--;
    }
    bool colour = dim && t->view->style.colour;
    fprintf(t->view->out, "%s%.*s%s\n", colour ? "\033[2m" : "", E8_STR(e8_buf_str(&t->line)),
            colour ? "\033[0m" : "");
    e8_buf_reset(&t->line);
}

/* As many words as fit, the rest on lines of their own. */
static void put_wrapped(struct table *t, struct e8_str text, size_t margin, bool dim)
{
    struct e8_str rest = text, word;
    size_t width = (size_t)t->view->style.width;
    bool first = true;
    while (e8_str_split(&rest, ' ', &word)) {
        if (!first && width_of(e8_buf_str(&t->line)) + 1 + width_of(word) > width) {
            put_line(t, dim);
            e8_buf_printf(&t->line, "%*s", (int)margin, "");
            first = true;
        }
        e8_buf_puts(&t->line, first ? "" : " ");
        e8_buf_put_clean(&t->line, word);
        first = false;
    }
    put_line(t, dim);
}

/* NAME#NUMBER, of which the name gives way. */
static void put_flow(struct table *t, const struct e8_plan_row *row)
{
    char number[32];
    int n = snprintf(number, sizeof number, "#%llu", (unsigned long long)row->instance);
    struct e8_str name = e8_str(row->flow->name);
    size_t from = t->line.n, room = t->flow_width > (size_t)n ? t->flow_width - (size_t)n : 1;
    put_field(&t->line, name, least(width_of(name), room));
    e8_buf_puts(&t->line, number);
    pad(&t->line, from, t->flow_width);
    e8_buf_puts(&t->line, "  ");
}

static void put_start(struct table *t, const struct e8_plan_row *row)
{
    char number[48];
    struct e8_buf text;
    e8_buf_fixed(&text, number, sizeof number - 1);
    e8_buf_printf(&text, "%s%lld.%03lld", row->at_least ? "≥" : "", (long long)(row->offset / E8_NS_S),
                  (long long)(row->offset % E8_NS_S / E8_NS_MS));
    size_t width = width_of(e8_buf_str(&text));
    e8_buf_printf(&t->line, "%*s", width < TIME_WIDTH ? (int)(TIME_WIDTH - width) : 0, "");
    e8_buf_putstr(&t->line, e8_buf_str(&text));
    e8_buf_puts(&t->line, "  ");
    put_flow(t, row);
    t->at_least = t->at_least || row->at_least;
}

static void put_event_name(struct table *t, const struct e8_emit *emit)
{
    char name[200];
    struct e8_buf text;
    const struct e8_plan *plan = t->view->plan;
    const char *usual = e8_catalog_platform(t->view->catalog)->environments[0];
    e8_buf_fixed(&text, name, sizeof name - 1);
    e8_buf_puts(&text, plan->types[emit->type]);
    if (emit->environment && strcmp(emit->environment, usual) != 0) {
        e8_buf_printf(&text, " (%s)", emit->environment);
    }
    put_field(&t->line, e8_buf_str(&text), t->event_width);
    e8_buf_puts(&t->line, "  ");
}

/* What is waited for behind an event stands on its line. */
static void put_await(struct table *t)
{
    static const char *const words[] = {
        [E8_ON_FAILURE_STOP_FLOW] = "awaited",
        [E8_ON_FAILURE_CONTINUE] = "awaited, whatever comes",
        [E8_ON_FAILURE_STOP_RUN] = "awaited; a failure stops the run",
    };
    if (t->await) {
        e8_buf_puts(&t->words, t->words.n ? "; " : "");
        e8_buf_puts(&t->words, words[t->await->await.on_failure]);
        t->awaits = true;
        t->await = NULL;
    }
}

/* What is special stands behind the endpoints where it fits, else on the lines below. */
static void put_event(struct table *t)
{
    const struct e8_plan_row *row = &t->last;
    size_t width = (size_t)t->view->style.width, margin = t->margin + GAP;
    if (!t->any) {
        return;
    }
    t->any = false;
    e8_buf_reset(&t->words);
    e8_plan_row_words(row, &t->words);
    put_await(t);
    put_start(t, row);
    put_event_name(t, row->emit);
    size_t used = width_of(e8_buf_str(&t->line)) + width_of(e8_buf_str(&t->to));
    bool beside = t->words.n == 0 || used + GAP + width_of(e8_buf_str(&t->words)) <= width;
    if (beside && t->words.n) {
        e8_buf_puts(&t->to, "  ");
        e8_buf_putstr(&t->to, e8_buf_str(&t->words));
    }
    if (width_of(e8_buf_str(&t->line)) + width_of(e8_buf_str(&t->to)) <= width) {
        e8_buf_put_clean(&t->line, e8_buf_str(&t->to));
        put_line(t, false);
    } else {
        put_wrapped(t, e8_buf_str(&t->to), margin, false);
    }
    if (!beside) {
        e8_buf_printf(&t->line, "%*s", (int)margin, "");
        put_wrapped(t, e8_buf_str(&t->words), margin, true);
    }
}

static void put_step(struct table *t, const struct e8_plan_row *row)
{
    e8_buf_reset(&t->words);
    e8_plan_step_words(t->view->plan, row->step, &t->words);
    put_start(t, row);
    put_wrapped(t, e8_buf_str(&t->words), t->margin + GAP, true);
}

static bool same_event(const struct e8_plan_row *a, const struct e8_plan_row *b)
{
    return a->emit == b->emit && a->flow == b->flow && a->instance == b->instance &&
           a->sequence == b->sequence && a->offset == b->offset;
}

static bool same_deliver(const struct e8_deliver *a, const struct e8_deliver *b)
{
    return a->copies == b->copies && a->concurrent == b->concurrent && a->retried == b->retried &&
           a->reorder == b->reorder && a->drop == b->drop && a->late == b->late && a->burst == b->burst;
}

static bool ends_event(const struct table *t, const struct e8_plan_row *row)
{
    return t->any && !t->await && row->step->kind == E8_STEP_AWAIT && t->last.flow == row->flow &&
           t->last.instance == row->instance && t->last.offset == row->offset;
}

static bool show_row(void *state, const struct e8_plan_row *row)
{
    struct table *t = state;
    if (row->step && ends_event(t, row)) {
        t->await = row->step;
        return true;
    }
    if (row->step) {
        put_event(t);
        put_step(t, row);
        return true;
    }
    bool same = t->any && same_event(&t->last, row) && row->endpoint > t->last.endpoint;
    if (same && same_deliver(&t->last.deliver, &row->deliver)) {
        e8_buf_puts(&t->to, ", ");
        e8_buf_puts(&t->to, row->endpoint->name);
        t->last.endpoint = row->endpoint;
        return true;
    }
    put_event(t);
    t->more = !same && t->view->limit && t->events == t->view->limit;
    if (t->more) {
        return false;
    }
    t->events += !same;
    t->any = true;
    t->last = *row;
    e8_buf_reset(&t->to);
    e8_buf_puts(&t->to, row->endpoint ? row->endpoint->name : "(no endpoint takes it)");
    return true;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* About: of what arrives at random there may be some more. */
static uint64_t last_instance(const struct e8_phase *phase)
{
    return phase->first +
           (phase->open ? (uint64_t)e8_pace_mean(&phase->pace) : e8_phase_instances(phase) - 1);
}

/* The columns get what they want where there is room for it; else the flows' names give way first, to a point. None is narrower
 * than its heading. */
static void share_width(struct table *t, size_t flows, size_t types, size_t names)
{
    size_t width = (size_t)t->view->style.width;
    size_t others = TIME_WIDTH + 3 * GAP + least(names, NAME_WIDTH);
    size_t room = width > others ? width - others : 0;
    if (flows + types > room) {
        flows = most(least(flows, FLOW_LEAST), room > types ? room - types : 0);
    }
    if (flows + types > room) {
        types = most(least(types, EVENT_LEAST), room > flows ? room - flows : 0);
    }
    t->flow_width = most(flows, sizeof "flow" - 1);
    t->event_width = most(types, sizeof "event" - 1);
    t->margin = TIME_WIDTH + GAP + t->flow_width + GAP;
}

static void measure(struct table *t)
{
    const struct e8_plan *plan = t->view->plan;
    const char *usual = e8_catalog_platform(t->view->catalog)->environments[0];
    size_t flows = 0, types = 0, names = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        char number[32];
        int n = snprintf(number, sizeof number, "#%llu", (unsigned long long)last_instance(&plan->phases[i]));
        flows = most(flows, width_of(e8_str(plan->phases[i].flow->name)) + (size_t)n);
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        const char *environment = plan->emits[i].environment;
        bool marked = environment && strcmp(environment, usual) != 0;
        size_t mark = marked ? width_of(e8_str(environment)) + 3 : 0;
        types = most(types, width_of(e8_str(plan->types[plan->emits[i].type])) + mark);
    }
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        names = most(names, width_of(e8_str(plan->endpoints[i].name)));
    }
    share_width(t, flows, types, names + (plan->endpoint_count > 1)); /* a comma follows */
}

static void put_names(struct e8_buf *out, const char *const *names)
{
    for (size_t i = 0; names && names[i]; i++) {
        e8_buf_puts(out, i ? ", " : "");
        e8_buf_puts(out, names[i]);
    }
}

static void put_endpoints(struct table *t)
{
    const struct e8_plan *plan = t->view->plan;
    size_t width = 0, urls = 0;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        width = most(width, width_of(e8_str(plan->endpoints[i].name)));
        e8_buf_reset(&t->words);
        e8_url_redacted(e8_str(plan->endpoints[i].url), &t->words);
        urls = most(urls, width_of(e8_buf_str(&t->words)));
    }
    for (size_t i = 0; i < plan->endpoint_count && i < 20; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        e8_buf_puts(&t->line, "  ");
        put_field(&t->line, e8_str(endpoint->name), least(width, 24));
        e8_buf_puts(&t->line, "  ");
        e8_buf_reset(&t->words);
        e8_url_redacted(e8_str(endpoint->url), &t->words);
        put_field(&t->line, e8_buf_str(&t->words), least(urls, 44));
        e8_buf_puts(&t->line, "  ");
        e8_buf_reset(&t->words);
        put_names(&t->words, endpoint->subscription.patterns);
        e8_buf_puts(&t->words, endpoint->subscription.patterns ? "" : "*");
        if (endpoint->subscription.environments) {
            e8_buf_puts(&t->words, "; ");
            put_names(&t->words, endpoint->subscription.environments);
        }
        put_wrapped(t, e8_buf_str(&t->words), least(width, 24) + least(urls, 44) + (size_t)3 * GAP, false);
    }
    if (plan->endpoint_count > 20) {
        fprintf(t->view->out, "  … and %zu more endpoints\n", plan->endpoint_count - 20);
    }
}

static void put_head(struct table *t, bool counted, uint64_t events, uint64_t deliveries)
{
    const struct e8_plan *plan = t->view->plan;
    FILE *out = t->view->out;
    char count[E8_NUMBER_MAX], other[E8_NUMBER_MAX];
    e8_buf_put_clean(&t->line, e8_str(plan->name));
    if (plan->description) {
        e8_buf_puts(&t->line, ": ");
        put_wrapped(t, e8_str(plan->description), GAP, false);
    } else {
        put_line(t, false);
    }
    if (plan->shard.count) {
        e8_buf_printf(&t->line, "shard %u of %u: ", plan->shard.number, plan->shard.count);
    }
    if (counted) {
        e8_buf_printf(&t->line, "%s event%s in %s deliver%s", e8_count_text(events, count),
                      events == 1 ? "" : "s", e8_count_text(deliveries, other),
                      deliveries == 1 ? "y" : "ies");
    } else if (e8_plan_timed(plan)) {
        e8_buf_puts(&t->line, "as many events as their time allows");
    } else {
        e8_buf_printf(&t->line, "more than %s events", e8_count_text(SIZE_LIMIT, count));
    }
    e8_buf_printf(&t->line, ", seed %llu; nothing is sent", (unsigned long long)plan->seed);
    put_line(t, false);
    fputc('\n', out);
    put_endpoints(t);
    fputc('\n', out);
    e8_buf_printf(&t->line, "%*s  ", TIME_WIDTH, "seconds");
    put_field(&t->line, e8_str("flow"), t->flow_width);
    e8_buf_puts(&t->line, "  ");
    put_field(&t->line, e8_str("event"), t->event_width);
    e8_buf_puts(&t->line, "  to");
    put_line(t, true);
}

static void put_foot(struct table *t, uint64_t events)
{
    FILE *out = t->view->out;
    if (t->more && events) {
        uint64_t left = events - t->events;
        char count[E8_NUMBER_MAX];
        fprintf(out, "\n… and %s more event%s; --limit 0 shows all\n", e8_count_text(left, count),
                left == 1 ? "" : "s");
    } else if (t->more) {
        fputs("\n… and more; --limit 0 shows all\n", out);
    }
    bool timed = e8_plan_timed(t->view->plan), warm = e8_plan_warms_up(t->view->plan);
    if (t->awaits || t->at_least || timed || warm) {
        fputs(t->more ? "" : "\n", out);
    }
    if (warm) {
        fputs("what warms up is sent as well, but not counted\n", out);
    }
    if (timed) {
        fputs("of a closed loop that is bounded by time, the first of each place; the next starts when it "
              "has ended\n",
              out);
    }
    if (t->awaits) {
        fputs("awaited: the flow goes on when the receiver has answered, and ends if it fails\n", out);
    }
    if (t->at_least) {
        fputs("≥: so late or later, because of what is awaited before\n", out);
    }
}

enum e8_rc e8_plan_print(const struct e8_plan_view *view, struct e8_err *err)
{
    struct table t = {.view = view};
    uint64_t events, deliveries;
    e8_buf_init(&t.to, 1 << 20);
    e8_buf_init(&t.words, 1 << 20);
    e8_buf_init(&t.line, 1 << 20);
    measure(&t);
    bool counted = e8_plan_size(view->plan, view->catalog, SIZE_LIMIT, &events, &deliveries);
    put_head(&t, counted, events, deliveries);
    enum e8_rc rc = e8_plan_rows(view->plan, view->catalog, view->clock, view->limit, show_row, &t, err);
    if (!rc) {
        put_event(&t);
        put_foot(&t, events);
    }
    e8_buf_fini(&t.to);
    e8_buf_fini(&t.words);
    e8_buf_fini(&t.line);
    return rc;
}
