#include "threshold/threshold.h"

#include <math.h>
#include <string.h>

#include "delivery/delivery.h"

struct measure_row {
    const char *name;
    enum e8_measure measure;
    bool argument;
    enum { BOUND_DUR, BOUND_SHARE, BOUND_RATE, BOUND_COUNT } bound;
};

static const struct measure_row measures[] = {
    {"p", E8_MEASURE_QUANTILE, true, BOUND_DUR},
    {"min", E8_MEASURE_MIN, false, BOUND_DUR},
    {"mean", E8_MEASURE_MEAN, false, BOUND_DUR},
    {"avg", E8_MEASURE_MEAN, false, BOUND_DUR},
    {"max", E8_MEASURE_MAX, false, BOUND_DUR},
    {"success", E8_MEASURE_SUCCESS, false, BOUND_SHARE},
    {"status", E8_MEASURE_STATUS, true, BOUND_SHARE},
    {"outcome", E8_MEASURE_OUTCOME, true, BOUND_SHARE},
    {"rate", E8_MEASURE_RATE, false, BOUND_RATE},
    {"failed", E8_MEASURE_FAILED, false, BOUND_COUNT},
    {"retries", E8_MEASURE_RETRIES, false, BOUND_COUNT},
    {"unmet", E8_MEASURE_UNMET, false, BOUND_COUNT},
    {"dropped", E8_MEASURE_DROPPED, false, BOUND_COUNT},
    {"attempt_rate", E8_MEASURE_ATTEMPT_RATE, false, BOUND_RATE},
};

static const char *const names[] = {
    "p(99)",       "min",     "mean",         "max",           "success",
    "status(5xx)", "rate",    "failed",       "retries",       "outcome(reset)",
    "unmet",       "dropped", "attempt_rate", "response_time", "service_time",
    "send_lag",    NULL};

static const struct {
    const char *text;
    enum e8_compare compare;
} operators[] = {
    {"<=", E8_LE}, {">=", E8_GE}, {"==", E8_EQ}, {"<", E8_LT}, {">", E8_GT},
};

#define EXAMPLES "like \"p(99) < 500ms\", \"success >= 99.9%\", \"status(5xx) < 0.1%\", \"rate >= 490/s\""

static bool take_word(struct e8_str *rest, struct e8_str *word)
{
    *rest = e8_str_trim(*rest);
    size_t n = 0;
    while (n < rest->n && (rest->p[n] == '_' || (rest->p[n] >= 'a' && rest->p[n] <= 'z'))) {
        n++;
    }
    *word = (struct e8_str){rest->p, n};
    *rest = (struct e8_str){rest->p + n, rest->n - n};
    return n > 0;
}

static bool take_argument(struct e8_str *rest, struct e8_str *argument)
{
    *rest = e8_str_trim(*rest);
    const char *close = rest->n && rest->p[0] == '(' ? memchr(rest->p, ')', rest->n) : NULL;
    if (!close) {
        return false;
    }
    *argument = e8_str_trim((struct e8_str){rest->p + 1, (size_t)(close - rest->p) - 1});
    *rest = (struct e8_str){close + 1, rest->n - (size_t)(close - rest->p) - 1};
    return true;
}

static bool take_of(struct e8_str word, enum e8_of *of)
{
    static const char *const of_names[] = {"response_time", "service_time", "send_lag"};
    for (size_t i = 0; i < E8_COUNT(of_names); i++) {
        if (e8_str_is(word, of_names[i])) {
            *of = (enum e8_of)i;
            return true;
        }
    }
    return false;
}

static enum e8_rc fail_outcome(struct e8_str name, struct e8_err *err)
{
    const char *known[E8_OUTCOME_COUNT + 1] = {NULL};
    for (int i = 0; i < E8_OUTCOME_COUNT; i++) {
        known[i] = e8_outcome_info((enum e8_outcome)i)->name;
    }
    char hint[E8_HINT_MAX];
    e8_hint_near(name, known, "an outcome's name, like outcome(reset)", hint);
    return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is no outcome", E8_STR(name));
}

static enum e8_rc parse_argument(struct e8_str argument, struct e8_threshold *out, struct e8_err *err)
{
    double number;
    uint64_t status;
    enum e8_outcome outcome;
    if (out->measure == E8_MEASURE_QUANTILE) {
        if (!e8_parse_double(argument, &number) || number < 0 || number > 100) {
            return e8_fail(err, E8_INPUT, "p(50), p(99), p(99.9)", "\"%.*s\" is no percentile",
                           E8_STR(argument));
        }
        out->quantile = number / 100;
    } else if (out->measure == E8_MEASURE_OUTCOME) {
        if (argument.n >= sizeof out->outcome || !e8_outcome_find(argument, &outcome)) {
            return fail_outcome(argument, err);
        }
        memcpy(out->outcome, argument.p, argument.n);
    } else if (argument.n == 3 && argument.p[0] >= '1' && argument.p[0] <= '5' && argument.p[1] == 'x' &&
               argument.p[2] == 'x') {
        out->status_low = (argument.p[0] - '0') * 100;
        out->status_high = out->status_low + 99;
    } else if (e8_parse_u64(argument, &status) && status >= 100 && status <= 599) {
        out->status_low = out->status_high = (int)status;
    } else {
        return e8_fail(err, E8_INPUT, "a status like 503 or a class like 5xx", "\"%.*s\" is no status",
                       E8_STR(argument));
    }
    return E8_OK;
}

static const struct measure_row *find_measure(struct e8_str word)
{
    for (size_t i = 0; i < E8_COUNT(measures); i++) {
        if (e8_str_is(word, measures[i].name)) {
            return &measures[i];
        }
    }
    return NULL;
}

static const struct measure_row *row_of(enum e8_measure measure)
{
    for (size_t i = 0; i < E8_COUNT(measures); i++) {
        if (measures[i].measure == measure) {
            return &measures[i];
        }
    }
    E8_UNREACHABLE();
}

static enum e8_rc parse_measure(struct e8_str *rest, struct e8_threshold *out, const struct measure_row **row,
                                struct e8_err *err)
{
    struct e8_str word, argument;
    take_word(rest, &word);
    bool of = take_of(word, &out->of);
    if (of) {
        take_word(rest, &word);
    }
    *row = find_measure(word);
    if (!*row || (of && (*row)->bound != BOUND_DUR)) {
        char hint[E8_HINT_MAX];
        e8_hint_near(word, names, EXAMPLES, hint);
        return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is nothing that a run measures", E8_STR(word));
    }
    out->measure = (*row)->measure;
    if ((*row)->argument) {
        if (!take_argument(rest, &argument)) {
            return e8_fail(err, E8_INPUT, EXAMPLES, "%s needs an argument in parentheses", (*row)->name);
        }
        return parse_argument(argument, out, err);
    }
    return E8_OK;
}

static bool is_name(struct e8_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ',' || text.p[i] == '{' || (unsigned char)text.p[i] <= ' ') {
            return false;
        }
    }
    return text.n > 0;
}

static enum e8_rc take_key(struct e8_str scope, struct e8_threshold *out, struct e8_err *err)
{
    static const char *const keys[] = {"endpoint", "type", NULL};
    const char *equals = scope.n ? memchr(scope.p, '=', scope.n) : NULL;
    struct e8_str key = e8_str_trim((struct e8_str){scope.p, equals ? (size_t)(equals - scope.p) : scope.n});
    struct e8_str value = E8_LIT("");
    if (equals) {
        value = e8_str_trim((struct e8_str){equals + 1, scope.n - (size_t)(equals - scope.p) - 1});
    }
    bool endpoint = e8_str_is(key, "endpoint");
    if (!endpoint && !e8_str_is(key, "type")) {
        char hint[E8_HINT_MAX];
        e8_hint_near(key, keys, "{endpoint=crm} or {type=message.*}", hint);
        return e8_fail(err, E8_INPUT, hint, "\"%.*s\" narrows nothing down", E8_STR(key));
    }
    if (!is_name(value) || value.n >= sizeof out->endpoint) {
        return e8_fail(err, E8_INPUT, "one of them: {endpoint=crm} or {type=message.*}",
                       "\"%.*s\" is no %s's name", E8_STR(value), endpoint ? "endpoint" : "type");
    }
    memcpy(endpoint ? out->endpoint : out->type, value.p, value.n);
    return E8_OK;
}

/* What is not counted for each endpoint and type cannot be narrowed down. */
static enum e8_rc parse_scope(struct e8_str *rest, const struct measure_row *row, struct e8_threshold *out,
                              struct e8_err *err)
{
    *rest = e8_str_trim(*rest);
    const char *close = rest->n && rest->p[0] == '{' ? memchr(rest->p, '}', rest->n) : NULL;
    if (!rest->n || rest->p[0] != '{') {
        return E8_OK;
    }
    if (!close) {
        return e8_fail(err, E8_INPUT, "{endpoint=crm} or {type=message.*}", "a brace is not closed");
    }
    struct e8_str scope = {rest->p + 1, (size_t)(close - rest->p) - 1};
    *rest = (struct e8_str){close + 1, rest->n - scope.n - 2};
    if (row->bound == BOUND_DUR && out->of != E8_OF_RESPONSE) {
        return e8_fail(err, E8_INPUT, "response times can be: p(99){endpoint=crm} < 500ms",
                       "send lag and service time are measured over the whole run alone");
    }
    if (row->measure == E8_MEASURE_STATUS && out->status_low == out->status_high) {
        return e8_fail(err, E8_INPUT, "classes can be: status(5xx){endpoint=crm} < 0.1%",
                       "single statuses are counted over the whole run alone");
    }
    if (row->measure == E8_MEASURE_DROPPED) {
        return e8_fail(err, E8_INPUT, "dropped == 0", "what was dropped is counted over the whole run alone");
    }
    return take_key(scope, out, err);
}

/* Every run of blanks as one space. */
static enum e8_rc normalise(struct e8_str text, struct e8_threshold *out, struct e8_err *err)
{
    char spaced[sizeof out->text];
    struct e8_buf normal, clean;
    e8_buf_fixed(&normal, spaced, sizeof spaced - 1);
    for (size_t i = 0; i < text.n; i++) {
        bool blank = text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r');
        if (!blank || normal.n == 0 || spaced[normal.n - 1] != ' ') {
            e8_buf_putc(&normal, blank ? ' ' : text.p[i]);
        }
    }
    e8_buf_fixed(&clean, out->text, sizeof out->text - 1);
    e8_buf_put_clean(&clean, e8_buf_str(&normal));
    out->text[clean.n] = '\0';
    return normal.full || clean.full
               ? e8_fail(err, E8_INPUT, EXAMPLES, "a threshold of more than %zu bytes", sizeof out->text - 1)
               : E8_OK;
}

static bool parse_operator(struct e8_str *rest, enum e8_compare *out)
{
    *rest = e8_str_trim(*rest);
    for (size_t i = 0; i < E8_COUNT(operators); i++) {
        if (e8_str_starts(*rest, operators[i].text)) {
            size_t n = strlen(operators[i].text);
            *rest = (struct e8_str){rest->p + n, rest->n - n};
            *out = operators[i].compare;
            return true;
        }
    }
    return false;
}

static enum e8_rc fail_duration(struct e8_str text, struct e8_err *err)
{
    double number;
    char hint[80];
    struct e8_buf buf;
    e8_buf_fixed(&buf, hint, sizeof hint - 1);
    if (text.n < 16 && e8_parse_double(text, &number) && number >= 0) {
        e8_buf_printf(&buf, "with its unit: %.*sms", E8_STR(text));
    } else {
        e8_buf_puts(&buf, "a number with a unit: 500ms, 2s");
    }
    return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "\"%.*s\" is no duration", E8_STR(text));
}

static enum e8_rc fail_share(struct e8_str text, struct e8_err *err)
{
    char hint[E8_SHARE_HINT_MAX];
    return e8_fail(err, E8_INPUT, e8_share_hint(text, "a share from 0% to 100%: 99.9%, 0.1%", hint),
                   "\"%.*s\" is no share", E8_STR(text));
}

static enum e8_rc parse_bound(struct e8_str text, const struct measure_row *row, double *out,
                              struct e8_err *err)
{
    e8_dur_ns dur;
    struct e8_rate rate;
    double number;
    switch (row->bound) {
    case BOUND_DUR:
        if (!e8_parse_dur(text, &dur)) {
            return fail_duration(text, err);
        }
        *out = (double)dur;
        break;
    case BOUND_SHARE:
        if (!e8_parse_share(text, out)) {
            return fail_share(text, err);
        }
        break;
    case BOUND_RATE:
        if (!e8_parse_rate(text, &rate)) {
            return e8_fail(err, E8_INPUT, "events per time: 490/s", "\"%.*s\" is no rate", E8_STR(text));
        }
        *out = e8_rate_per_s(rate);
        break;
    case BOUND_COUNT:
        if (!e8_parse_double(text, &number) || number < 0) {
            return e8_fail(err, E8_INPUT, "a number: failed == 0", "\"%.*s\" is no count", E8_STR(text));
        }
        *out = number;
        break;
    }
    return E8_OK;
}

enum e8_rc e8_threshold_parse(struct e8_str text, struct e8_threshold *out, struct e8_err *err)
{
    struct e8_str rest = text;
    const struct measure_row *row;
    memset(out, 0, sizeof *out);
    enum e8_rc rc = parse_measure(&rest, out, &row, err);
    if (rc) {
        return rc;
    }
    rc = parse_scope(&rest, row, out, err);
    if (rc) {
        return rc;
    }
    if (!parse_operator(&rest, &out->compare)) {
        return e8_fail(err, E8_INPUT, "one of < <= > >= ==", "threshold \"%.*s\" has no comparison",
                       E8_STR(text));
    }
    rc = parse_bound(e8_str_trim(rest), row, &out->bound, err);
    return rc ? rc : normalise(e8_str_trim(text), out, err);
}

bool e8_threshold_holds(const struct e8_threshold *threshold, double measured)
{
    switch (threshold->compare) {
    case E8_LT:
        return measured < threshold->bound;
    case E8_LE:
        return measured <= threshold->bound;
    case E8_GT:
        return measured > threshold->bound;
    case E8_GE:
        return measured >= threshold->bound;
    case E8_EQ:
        return measured <= threshold->bound && measured >= threshold->bound;
    }
    E8_UNREACHABLE();
}

/* ---- changes ---- */

#define CHANGES "p(99) > +10%, p(99) > +20ms, success < -0.1pp, rate < -5%"

static bool drop_end(struct e8_str *text, const char *end)
{
    size_t n = strlen(end);
    if (text->n <= n || !e8_bytes_eq(text->p + text->n - n, end, n)) {
        return false;
    }
    *text = e8_str_trim((struct e8_str){text->p, text->n - n});
    return true;
}

static enum e8_rc parse_change(struct e8_str text, const struct measure_row *row, struct e8_regression *out,
                               struct e8_err *err)
{
    double sign = text.n && text.p[0] == '-' ? -1 : 1, number;
    if (!text.n || (text.p[0] != '+' && text.p[0] != '-')) {
        return e8_fail(err, E8_INPUT, CHANGES, "\"%.*s\" is no change: a change has a sign", E8_STR(text));
    }
    struct e8_str size = e8_str_trim((struct e8_str){text.p + 1, text.n - 1}), bare = size;
    bool percent = drop_end(&bare, "%"), points = !percent && drop_end(&bare, "pp");
    if (percent || points) {
        if (!e8_parse_double(bare, &number) || number < 0 || (points && row->bound != BOUND_SHARE)) {
            return e8_fail(err, E8_INPUT, CHANGES, "\"%.*s\" is no change of %s", E8_STR(text), row->name);
        }
        out->relative = percent;
        out->of.bound = sign * number / 100;
        return E8_OK;
    }
    if (row->bound == BOUND_SHARE) {
        return e8_fail(err, E8_INPUT, "-0.1pp is percentage points, -0.1% of what it was",
                       "\"%.*s\" is no change of a share", E8_STR(text));
    }
    enum e8_rc rc = parse_bound(size, row, &out->of.bound, err);
    out->of.bound *= sign;
    return rc;
}

enum e8_rc e8_regression_parse(struct e8_str text, struct e8_regression *out, struct e8_err *err)
{
    struct e8_str rest = text;
    const struct measure_row *row;
    memset(out, 0, sizeof *out);
    enum e8_rc rc = parse_measure(&rest, &out->of, &row, err);
    rc = rc ? rc : parse_scope(&rest, row, &out->of, err);
    if (rc) {
        return rc;
    }
    if (!parse_operator(&rest, &out->of.compare) || out->of.compare == E8_EQ) {
        return e8_fail(err, E8_INPUT, "one of < <= > >=", "\"%.*s\" has no comparison", E8_STR(text));
    }
    rc = parse_change(e8_str_trim(rest), row, out, err);
    return rc ? rc : normalise(e8_str_trim(text), &out->of, err);
}

bool e8_regression_found(const struct e8_regression *rule, double before, double after)
{
    double change = after - before;
    if (rule->relative) {
        double scale = before < 0 ? -before : before;
        return e8_threshold_holds(&rule->of, scale > 0    ? change / scale
                                             : change > 0 ? (double)INFINITY
                                             : change < 0 ? -(double)INFINITY
                                                          : 0);
    }
    return e8_threshold_holds(&rule->of, change);
}

void e8_threshold_value_text(const struct e8_threshold *threshold, double measured, char out[48])
{
    struct e8_buf buf;
    char dur[E8_DUR_MAX];
    e8_buf_fixed(&buf, out, 47);
    switch (row_of(threshold->measure)->bound) {
    case BOUND_DUR:
        e8_buf_puts(&buf, e8_dur_text(measured < (double)E8_NEVER ? (e8_dur_ns)measured : E8_NEVER, dur));
        break;
    case BOUND_SHARE:
        e8_buf_printf(&buf, "%.4g %%", measured * 100);
        break;
    case BOUND_RATE:
        e8_buf_printf(&buf, "%.4g/s", measured);
        break;
    case BOUND_COUNT:
        e8_buf_printf(&buf, "%.0f", measured);
        break;
    }
    out[buf.n] = '\0';
}
