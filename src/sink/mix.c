/* What a receiver is told to be like: shares of statuses and faults. */
#include <string.h>

#include "sink/sink.h"

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

static const char fault_hint[] = "use shares as in \"reset:1%,close:0.5%\"";

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

static enum e8_rc fail_share(struct e8_str share, struct e8_str fault, struct e8_err *err)
{
    char hint[E8_SHARE_HINT_MAX];

    return e8_fail(err, E8_INPUT, e8_share_hint(e8_str_trim(share), fault_hint, hint),
                   "\"%.*s\" is no share of %.*s", E8_STR(share), E8_STR(fault));
}

enum e8_rc e8_fault_mix_parse(struct e8_str text, struct e8_fault_mix *out, struct e8_err *err)
{
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
            return fail_share(share_text, name, err);
        if (mix.count == E8_COUNT(mix.rows))
            return e8_fail(err, E8_INPUT, NULL, "more than %zu faults", E8_COUNT(mix.rows));
        sum += share;
        if (sum > 1 + 1e-9)
            return e8_fail(err, E8_INPUT, fault_hint, "the shares of the faults sum to more than 100%%");
        mix.rows[mix.count].fault = fault;
        mix.rows[mix.count++].upto = sum;
    }
    if (ends_early(text))
        return e8_fail(err, E8_INPUT, fault_hint, "a fault is missing");
    *out = mix;
    return E8_OK;
}
