/* What a receiver is told to be like: shares of statuses and faults, and latencies. */
#include <math.h>
#include <string.h>

#include "sink/sink.h"

#define LATENCY_MAX (3600.0 * 1e9)

/* Nothing at all, or nothing after the last comma. */
static bool ends_early(struct e8_str text)
{
    return text.n == 0 || text.p[text.n - 1] == ',';
}

enum e8_rc e8_status_mix_parse(struct e8_str text, struct e8_status_mix *out, struct e8_err *err)
{
    static const char hint[] = "use one status, or weights as in \"200:95,503:4,429:1\"";
    struct e8_status_mix mix = {0};
    struct e8_str rest = text, word;
    double sum = 0;

    while (e8_str_split(&rest, ',', &word)) {
        struct e8_str weight = word, status_text = word;
        double share = 1;
        uint64_t status;

        e8_str_split(&weight, ':', &status_text);
        bool alone = status_text.n == word.n;
        if (!e8_parse_u64(e8_str_trim(status_text), &status) || status < 200 || status > 599)
            return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is no status from 200 to 599", E8_STR(status_text));
        if (alone && text.n != word.n)
            return e8_fail(err, E8_INPUT, hint, "status %d has no weight", (int)status);
        if (!alone && (!e8_parse_double(e8_str_trim(weight), &share) || share < 0 || share > 1e12))
            return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is no weight of status %d", E8_STR(weight),
                           (int)status);
        if (mix.count == E8_COUNT(mix.rows))
            return e8_fail(err, E8_INPUT, NULL, "more than %zu statuses", E8_COUNT(mix.rows));
        sum += share;
        mix.rows[mix.count].status = (int)status;
        mix.rows[mix.count++].upto = sum;
    }
    if (ends_early(text))
        return e8_fail(err, E8_INPUT, hint, "a status is missing");
    if (sum <= 0)
        return e8_fail(err, E8_INPUT, hint, "the weights of the statuses sum to 0");
    for (size_t i = 0; i < mix.count; i++)
        mix.rows[i].upto = i + 1 < mix.count ? mix.rows[i].upto / sum : 1;
    *out = mix;
    return E8_OK;
}

static const struct {
    const char *name;
    enum e8_fault fault;
} faults[] = {
    {"reset", E8_FAULT_RESET},
    {"close", E8_FAULT_CLOSE},
    {"hang", E8_FAULT_HANG},
    {"truncate", E8_FAULT_TRUNCATE},
};

static bool find_fault(struct e8_str name, enum e8_fault *out)
{
    for (size_t i = 0; i < E8_COUNT(faults); i++)
        if (e8_str_is(name, faults[i].name)) {
            *out = faults[i].fault;
            return true;
        }
    return false;
}

static enum e8_rc unknown_fault(struct e8_str name, struct e8_err *err)
{
    static const char *const names[] = {"reset", "close", "hang", "truncate", NULL};
    char hint[E8_HINT_MAX];

    e8_hint_near(name, names, "use reset, close, hang or truncate", hint);
    return e8_fail(err, E8_INPUT, hint, "unknown fault \"%.*s\"", E8_STR(name));
}

enum e8_rc e8_fault_mix_parse(struct e8_str text, struct e8_fault_mix *out, struct e8_err *err)
{
    static const char hint[] = "use shares as in \"reset:1%,close:0.5%\"";
    struct e8_fault_mix mix = {0};
    struct e8_str rest = text, word;
    double sum = 0;

    while (e8_str_split(&rest, ',', &word)) {
        struct e8_str share_text = word, name = word;
        double share = 1;
        enum e8_fault fault;

        e8_str_split(&share_text, ':', &name);
        bool alone = name.n == word.n;
        name = e8_str_trim(name);
        if (!find_fault(name, &fault))
            return unknown_fault(name, err);
        if (!alone && !e8_parse_share(e8_str_trim(share_text), &share))
            return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is no share of %.*s", E8_STR(share_text),
                           E8_STR(name));
        if (mix.count == E8_COUNT(mix.rows))
            return e8_fail(err, E8_INPUT, NULL, "more than %zu faults", E8_COUNT(mix.rows));
        sum += share;
        if (sum > 1 + 1e-9)
            return e8_fail(err, E8_INPUT, hint, "the shares of the faults sum to more than 100%%");
        mix.rows[mix.count].fault = fault;
        mix.rows[mix.count++].upto = sum;
    }
    if (ends_early(text))
        return e8_fail(err, E8_INPUT, hint, "a fault is missing");
    *out = mix;
    return E8_OK;
}

/* The latencies that have a name: so many durations, then perhaps a factor or a share. */
static const struct form {
    const char *name, *hint;
    struct e8_latency empty; /* of its kind */
    int durations;
    bool factor, share;
} forms[] = {
    {"exp", "use \"exp:MEAN\", as in exp:20ms", {.kind = E8_LATENCY_EXP}, 1, false, false},
    {"normal",
     "use \"normal:MEAN,DEVIATION\", as in normal:20ms,5ms",
     {.kind = E8_LATENCY_NORMAL},
     2,
     false,
     false},
    {"lognormal",
     "use \"lognormal:MEDIAN,FACTOR\" with a factor of at least 1, as in lognormal:20ms,1.5",
     {.kind = E8_LATENCY_LOGNORMAL},
     1,
     true,
     false},
    {"bimodal",
     "use \"bimodal:MOST,REST,SHARE\" with the share of the second, as in bimodal:5ms,500ms,2%",
     {.kind = E8_LATENCY_BIMODAL},
     2,
     false,
     true},
};

static bool parse_duration(struct e8_str text, double *out)
{
    e8_dur_ns dur;

    if (!e8_parse_dur(e8_str_trim(text), &dur) || (double)dur > LATENCY_MAX)
        return false;
    *out = (double)dur;
    return true;
}

static bool parse_form(const struct form *form, struct e8_str rest, struct e8_latency *out)
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

static enum e8_rc parse_named(struct e8_str name, struct e8_str rest, struct e8_latency *out,
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
    return e8_fail(err, E8_INPUT, hint, "unknown latency \"%.*s\"", E8_STR(name));
}

static const char *find_dots(struct e8_str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '.' && text.p[i + 1] == '.')
            return text.p + i;
    return NULL;
}

enum e8_rc e8_latency_parse(struct e8_str text, struct e8_latency *out, struct e8_err *err)
{
    static const char hint[] =
        "use a duration (20ms), a range (5ms..50ms), exp:, normal:, lognormal: or bimodal:";
    struct e8_latency latency = {.kind = E8_LATENCY_FIXED};
    struct e8_str rest = text, name = text;
    const char *dots = find_dots(text);

    e8_str_split(&rest, ':', &name);
    if (text.n > 0 && name.n < text.n) {
        enum e8_rc rc = parse_named(e8_str_trim(name), rest, &latency, err);

        if (rc != E8_OK)
            return rc;
    } else if (dots) {
        struct e8_str low = {text.p, (size_t)(dots - text.p)}, high = {dots + 2, text.n - low.n - 2};

        latency.kind = E8_LATENCY_UNIFORM;
        if (!parse_duration(low, &latency.a) || !parse_duration(high, &latency.b) || latency.a > latency.b)
            return e8_fail(err, E8_INPUT, "use a range as in 5ms..50ms, of at most 1h",
                           "\"%.*s\" is no range of times", E8_STR(text));
    } else if (!parse_duration(text, &latency.a)) {
        return e8_fail(err, E8_INPUT, hint, "\"%.*s\" is no latency of at most 1h", E8_STR(text));
    }
    *out = latency;
    return E8_OK;
}

e8_dur_ns e8_latency_draw(const struct e8_latency *latency, struct e8_rng *rng)
{
    double ns = latency->a;

    switch (latency->kind) {
    case E8_LATENCY_FIXED:
        break;
    case E8_LATENCY_UNIFORM:
        ns += (latency->b - latency->a) * e8_rng_unit(rng);
        break;
    case E8_LATENCY_EXP:
        ns *= e8_rng_exp(rng);
        break;
    case E8_LATENCY_NORMAL:
        ns += latency->b * e8_rng_normal(rng);
        break;
    case E8_LATENCY_LOGNORMAL:
        ns *= exp(log(latency->b) * e8_rng_normal(rng));
        break;
    case E8_LATENCY_BIMODAL:
        ns = e8_rng_unit(rng) < latency->share ? latency->b : latency->a;
        break;
    }
    return (e8_dur_ns)llround(fmin(fmax(ns, 0), LATENCY_MAX));
}
