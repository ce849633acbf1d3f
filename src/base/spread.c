#include "base/spread.h"

#include <math.h>

#include "base/assert.h"
#include "base/units.h"

#define SPREAD_MAX (3600.0 * 1e9)

/* Nothing at all, or nothing after the last comma. */
static bool ends_early(struct e8_str text)
{
    return text.n == 0 || text.p[text.n - 1] == ',';
}

/* The latencies that have a name: so many durations, then perhaps a factor or a share. */
static const struct form {
    const char *name, *hint;
    struct e8_spread empty; /* of its kind */
    int durations;
    bool factor, share;
} forms[] = {
    {"exp", "use \"exp:MEAN\", as in exp:20ms", {.kind = E8_SPREAD_EXP}, 1, false, false},
    {"normal",
     "use \"normal:MEAN,DEVIATION\", as in normal:20ms,5ms",
     {.kind = E8_SPREAD_NORMAL},
     2,
     false,
     false},
    {"lognormal",
     "use \"lognormal:MEDIAN,FACTOR\" with a factor of at least 1, as in lognormal:20ms,1.5",
     {.kind = E8_SPREAD_LOGNORMAL},
     1,
     true,
     false},
    {"bimodal",
     "use \"bimodal:MOST,REST,SHARE\" with the share of the second, as in bimodal:5ms,500ms,2%",
     {.kind = E8_SPREAD_BIMODAL},
     2,
     false,
     true},
};

static bool parse_duration(struct e8_str text, double *out)
{
    e8_dur_ns dur;

    if (!e8_parse_dur(e8_str_trim(text), &dur) || (double)dur > SPREAD_MAX)
        return false;
    *out = (double)dur;
    return true;
}

static bool parse_form(const struct form *form, struct e8_str rest, struct e8_spread *out)
{
    struct e8_str word;

    if (ends_early(rest))
        return false;
    if (!e8_str_split(&rest, ',', &word) || !parse_duration(word, &out->a))
        return false;
    if (form->durations == 2 && (!e8_str_split(&rest, ',', &word) || !parse_duration(word, &out->b)))
        return false;
    if (form->factor && (!e8_str_split(&rest, ',', &word) || !e8_parse_double(e8_str_trim(word), &out->b) ||
                         out->b < 1 || out->b > 1000))
        return false;
    if (form->share && (!e8_str_split(&rest, ',', &word) || !e8_parse_share(e8_str_trim(word), &out->share)))
        return false;
    return !e8_str_split(&rest, ',', &word);
}

static enum e8_rc parse_named(struct e8_str name, struct e8_str rest, struct e8_spread *out,
                              struct e8_err *err)
{
    static const char *const names[] = {"exp", "normal", "lognormal", "bimodal", NULL};
    char hint[E8_HINT_MAX];

    for (size_t i = 0; i < E8_COUNT(forms); i++) {
        if (!e8_str_is(name, forms[i].name))
            continue;
        *out = forms[i].empty;
        if (!parse_form(&forms[i], rest, out))
            return e8_fail(err, E8_INPUT, forms[i].hint, "\"%.*s\" is not what %s needs", E8_STR(rest),
                           forms[i].name);
        return E8_OK;
    }
    e8_hint_near(name, names, "use exp, normal, lognormal, bimodal, or a duration", hint);
    return e8_fail(err, E8_INPUT, hint, "unknown distribution \"%.*s\"", E8_STR(name));
}

static const char *find_dots(struct e8_str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '.' && text.p[i + 1] == '.')
            return text.p + i;
    return NULL;
}

enum e8_rc e8_spread_parse(struct e8_str text, struct e8_spread *out, struct e8_err *err)
{
    static const char hint[] =
        "use a duration (20ms), a range (5ms..50ms), exp:, normal:, lognormal: or bimodal:";
    struct e8_spread spread = {.kind = E8_SPREAD_FIXED};
    struct e8_str rest = text, name = text;
    const char *dots = find_dots(text);

    e8_str_split(&rest, ':', &name);
    if (text.n > 0 && name.n < text.n) {
        enum e8_rc rc = parse_named(e8_str_trim(name), rest, &spread, err);

        if (rc != E8_OK)
            return rc;
    } else if (dots) {
        struct e8_str low = {text.p, (size_t)(dots - text.p)}, high = {dots + 2, text.n - low.n - 2};

        spread.kind = E8_SPREAD_UNIFORM;
        if (!parse_duration(low, &spread.a) || !parse_duration(high, &spread.b) || spread.a > spread.b)
            return e8_fail(err, E8_INPUT, "use a range as in 5ms..50ms, of at most 1h",
                           "\"%.*s\" is no range of times", E8_STR(text));
    } else if (!parse_duration(text, &spread.a)) {
        return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is no duration of at most 1h", E8_STR(text));
    }
    *out = spread;
    return E8_OK;
}

e8_dur_ns e8_spread_draw(const struct e8_spread *spread, struct e8_rng *rng)
{
    double ns = spread->a;

    switch (spread->kind) {
    case E8_SPREAD_FIXED:
        break;
    case E8_SPREAD_UNIFORM:
        ns += (spread->b - spread->a) * e8_rng_unit(rng);
        break;
    case E8_SPREAD_EXP:
        ns *= e8_rng_exp(rng);
        break;
    case E8_SPREAD_NORMAL:
        ns += spread->b * e8_rng_normal(rng);
        break;
    case E8_SPREAD_LOGNORMAL:
        ns *= exp(log(spread->b) * e8_rng_normal(rng));
        break;
    case E8_SPREAD_BIMODAL:
        ns = e8_rng_unit(rng) < spread->share ? spread->b : spread->a;
        break;
    }
    return (e8_dur_ns)llround(fmin(fmax(ns, 0), SPREAD_MAX));
}
