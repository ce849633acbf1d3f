#include <string.h>

#include "expect/internal.h"

/* What was found wrong goes into one line, its parts joined by "; ". */
struct finding {
    struct e8_buf *why; /* or NULL */
    bool met;
};

/* The next part of the line; false where nobody wants to read it. */
static bool unmet(struct finding *f)
{
    if (!f->met && f->why)
        e8_buf_puts(f->why, "; ");
    f->met = false;
    return f->why != NULL;
}

static bool among(const struct e8_expect *expect, int status)
{
    if (expect->status_count == 0)
        return status >= 200 && status <= 299;
    for (size_t i = 0; i < expect->status_count; i++)
        if (status >= expect->statuses[i].low && status <= expect->statuses[i].high)
            return true;
    return false;
}

/* A 2xx that broke off has acknowledged nothing; a refusal may break off: nobody has to read a body that is refused. */
static bool broken(const struct e8_answer *answer)
{
    return answer->status >= 200 && answer->status <= 299 && answer->outcome && answer->outcome[0] &&
           strcmp(answer->outcome, "delivered") != 0;
}

static void judge_status(struct finding *f, const struct e8_expect *expect, const struct e8_answer *answer)
{
    const char *outcome = answer->outcome && answer->outcome[0] ? answer->outcome : NULL;
    bool cut = broken(answer);
    if ((among(expect, answer->status) && !cut) || !unmet(f))
        return;
    e8_buf_puts(f->why, "expected ");
    e8_expect_put_statuses(expect, f->why);
    if (answer->status == 0)
        e8_buf_puts(f->why, "; got no answer");
    else
        e8_buf_printf(f->why, "; got %d", answer->status);
    if (outcome && (cut || answer->status == 0))
        e8_buf_printf(f->why, " (%s)", outcome);
}

static void judge_time(struct finding *f, const struct e8_expect *expect, const struct e8_answer *answer)
{
    char took[E8_DUR_MAX], most[E8_DUR_MAX];
    if (expect->within < 0 || answer->took <= expect->within || !unmet(f))
        return;
    e8_buf_printf(f->why, "expected within %s; took %s", e8_dur_text(expect->within, most),
                  e8_dur_text(answer->took, took));
}

/* The next header of that name in *rest. */
static bool next_header(struct e8_str *rest, struct e8_str name, struct e8_str *value)
{
    struct e8_str line;
    while (e8_str_split(rest, '\n', &line)) {
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        if (!colon || !e8_str_ieq((struct e8_str){line.p, (size_t)(colon - line.p)}, name))
            continue;
        *value = e8_str_trim((struct e8_str){colon + 1, line.n - (size_t)(colon - line.p) - 1});
        return true;
    }
    return false;
}

/* "application/json" is also what "application/json; charset=utf-8" says. */
static bool value_is(const struct header_rule *rule, struct e8_str value)
{
    if (e8_str_eq(value, rule->value))
        return true;
    if (!e8_str_ieq(rule->name, E8_LIT("Content-Type")))
        return false;
    const char *end = value.n ? memchr(value.p, ';', value.n) : NULL;
    bool bare = !rule->value.n || !memchr(rule->value.p, ';', rule->value.n);
    struct e8_str type = end && bare ? e8_str_trim((struct e8_str){value.p, (size_t)(end - value.p)}) : value;
    return e8_str_ieq(type, rule->value);
}

static void judge_header(struct finding *f, const struct header_rule *rule, struct e8_str head)
{
    struct e8_str value = {NULL, 0}, first = {NULL, 0};
    bool found = false, matched = false;
    while (next_header(&head, rule->name, &value)) {
        first = found ? first : value;
        found = true;
        matched = matched || value_is(rule, value);
    }
    bool met = rule->kind == HEADER_ANY ? found : rule->kind == HEADER_ABSENT ? !found : matched;
    if (met || !unmet(f))
        return;
    e8_buf_printf(f->why, "expected %sheader ", rule->kind == HEADER_ABSENT ? "no " : "");
    e8_buf_put_clean(f->why, rule->name);
    if (rule->kind == HEADER_IS) {
        e8_buf_putc(f->why, ' ');
        e8_expect_put_shown(f->why, rule->value);
    }
    e8_buf_puts(f->why, found ? "; got " : "; there is none");
    if (found)
        e8_expect_put_shown(f->why, first);
}

static void judge_texts(struct finding *f, const struct texts *texts, bool wanted, struct e8_str body)
{
    for (size_t i = 0; i < texts->count; i++) {
        struct e8_str text = texts->list[i];
        bool there = body.n > 0 && memmem(body.p, body.n, text.p, text.n) != NULL;
        if (there == wanted || !unmet(f))
            continue;
        e8_buf_puts(f->why, wanted ? "the body lacks " : "the body contains ");
        e8_expect_put_shown(f->why, text);
    }
}

static void judge_pointer(struct finding *f, const struct pointer_rule *rule, const struct e8_node *root)
{
    struct e8_buf missing;
    const struct e8_node *last = root;
    e8_buf_init(&missing, E8_FILE_MAX);
    const struct e8_node *node = e8_pointer_find(root, rule->pointer, &last, &missing);
    e8_buf_fini(&missing);
    if ((node && e8_values_equal(node, rule->value)) || !unmet(f))
        return;
    e8_buf_puts(f->why, "expected ");
    e8_expect_put_value(f->why, rule->value);
    e8_buf_puts(f->why, " at ");
    e8_buf_put_clean(f->why, e8_str(rule->pointer));
    e8_buf_puts(f->why, node ? "; got " : "; there is nothing");
    if (node)
        e8_expect_put_value(f->why, node);
}

static void judge_json(struct finding *f, const struct e8_expect *expect, struct e8_str body)
{
    struct e8_doc *doc = NULL;
    struct e8_err err = {0};
    if (expect->pointer_count == 0)
        return;
    if (e8_doc_parse("body", body, E8_DOC_JSON, &doc, &err)) {
        if (unmet(f))
            e8_buf_puts(f->why, body.n ? "the body is no JSON" : "expected JSON; the body is empty");
        return;
    }
    for (size_t i = 0; i < expect->pointer_count; i++)
        judge_pointer(f, &expect->pointers[i], e8_doc_root(doc));
    e8_doc_free(&doc);
}

/* What stands in an answer that should not have come says nothing more. */
bool e8_expect_holds(const struct e8_expect *expect, const struct e8_answer *answer, struct e8_buf *why)
{
    struct finding f = {why, true};
    judge_status(&f, expect, answer);
    if (!f.met)
        return false;
    judge_time(&f, expect, answer);
    if (answer->status == 0)
        return f.met;
    for (size_t i = 0; i < expect->header_count; i++)
        judge_header(&f, &expect->headers[i], answer->head);
    judge_texts(&f, &expect->contains, true, answer->body);
    judge_texts(&f, &expect->lacks, false, answer->body);
    judge_json(&f, expect, answer->body);
    return f.met;
}
