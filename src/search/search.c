#include "search/search.h"

#include <math.h>

const char *e8_search_stage_name(enum e8_search_stage stage)
{
    static const char *const names[] = {"climb", "halve", "confirm"};
    return names[stage];
}

const char *e8_search_result_name(enum e8_search_result result)
{
    static const char *const names[] = {"holds", "fails", "invalid"};
    return names[result];
}

/* To three digits. */
static double rounded(double rate)
{
    double unit = pow(10, floor(log10(rate)) - 2);
    return round(rate / unit) * unit;
}

struct e8_search e8_search_begin(double from, double top, double precision)
{
    E8_ASSERT(from > 0 && from <= top && precision >= 0.01 && precision <= 0.5);
    return (struct e8_search){.from = from, .top = top, .precision = precision, .next = from};
}

bool e8_search_next(const struct e8_search *search, double *rate, enum e8_search_stage *stage)
{
    *rate = search->next;
    *stage = search->stage;
    return !search->ended;
}

static void confirm(struct e8_search *search, double rate)
{
    search->stage = E8_SEARCH_CONFIRM;
    search->next = rate;
}

/* Between what holds and what does not; where the gap is small enough, what holds must hold again. */
static void halve(struct e8_search *search)
{
    double middle = rounded((search->holds + search->above) / 2);
    bool close = search->above / search->holds - 1 <= search->precision;

    search->stage = E8_SEARCH_HALVE;
    search->next = middle;
    if (close || middle <= search->holds || middle >= search->above)
        confirm(search, search->holds);
}

static void bound_by(struct e8_search *search, double rate, enum e8_search_result result)
{
    search->above = rate;
    search->bound = result == E8_SEARCH_INVALID ? E8_BOUND_GENERATOR : E8_BOUND_RECEIVER;
}

static void tell_climb(struct e8_search *search, double rate, enum e8_search_result result)
{
    if (result != E8_SEARCH_HOLDS) {
        bound_by(search, rate, result);
        search->ended = search->holds <= 0;
        if (!search->ended)
            halve(search);
        return;
    }
    search->holds = rate;
    if (rate < search->top) {
        search->next = rate * 2 < search->top ? rounded(rate * 2) : search->top;
    } else {
        search->bound = E8_BOUND_TOP;
        confirm(search, rate);
    }
}

static void tell_halve(struct e8_search *search, double rate, enum e8_search_result result)
{
    if (result == E8_SEARCH_HOLDS)
        search->holds = rate;
    else
        bound_by(search, rate, result);
    halve(search);
}

/* One that does not hold again was luck; a lower one is tried. */
static void tell_confirm(struct e8_search *search, double rate, enum e8_search_result result)
{
    double lower = rounded(rate * (1 - search->precision));

    search->confirmed = result == E8_SEARCH_HOLDS;
    search->holds = search->confirmed ? rate : 0;
    search->confirmations++;
    search->ended =
        search->confirmed || search->confirmations == E8_SEARCH_CONFIRMATIONS || lower < search->from;
    if (!search->confirmed)
        bound_by(search, rate, result);
    search->next = lower;
}

void e8_search_tell(struct e8_search *search, enum e8_search_result result)
{
    E8_ASSERT(!search->ended);
    double rate = search->next;

    search->steps++;
    switch (search->stage) {
    case E8_SEARCH_CLIMB:
        tell_climb(search, rate, result);
        break;
    case E8_SEARCH_HALVE:
        tell_halve(search, rate, result);
        break;
    case E8_SEARCH_CONFIRM:
        tell_confirm(search, rate, result);
        break;
    }
}

/* Doublings and the two ends; halvings of a gap that is as large as what holds; confirmations. */
unsigned e8_search_most(double from, double top, double precision)
{
    return (unsigned)(ceil(log2(top / from)) + 2 + ceil(log2(1 / precision)) + 1) + E8_SEARCH_CONFIRMATIONS;
}
