/* What the encoding does not hold. */
#include <string.h>

#include "hist/hist.h"
#include "hist/layout.h"

#define NUMBERS 5

static void put_hex(struct e8_buf *out, e8_hist_wide value)
{
    char digits[32];
    size_t n = 0;

    do
        digits[n++] = "0123456789abcdef"[value & 15];
    while ((value >>= 4) != 0);
    while (n > 0)
        e8_buf_putc(out, digits[--n]);
}

static bool get_hex(struct e8_str text, e8_hist_wide *out)
{
    static const char digits[] = "0123456789abcdef";

    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] ? strchr(digits, text.p[i]) : NULL;
        if (!at)
            return false;
        *out = *out * 16 + (unsigned)(at - digits);
    }
    return text.n > 0 && text.n <= 32;
}

void e8_hist_exact_put(const struct e8_hist *hist, struct e8_buf *out)
{
    const e8_hist_wide numbers[NUMBERS] = {(e8_hist_wide)hist->min, (e8_hist_wide)hist->max, hist->clamped,
                                           hist->sum, hist->squares};

    for (size_t i = 0; i < NUMBERS; i++) {
        e8_buf_puts(out, i ? " " : "");
        put_hex(out, numbers[i]);
    }
}

static bool get_numbers(struct e8_str text, e8_hist_wide numbers[NUMBERS])
{
    struct e8_str word;

    for (size_t i = 0; i < NUMBERS; i++)
        if (!e8_str_split(&text, ' ', &word) || !get_hex(word, &numbers[i]))
            return false;
    return text.n == 0;
}

/* Sum and squares lie between what the slots' lowest and highest values give. */
static bool fits(const struct e8_hist *hist, e8_hist_wide sum, e8_hist_wide squares)
{
    e8_hist_wide low = 0, high = 0, low_squares = 0, high_squares = 0;

    for (unsigned slot = slot_of(hist->min); slot <= slot_of(hist->max); slot++) {
        e8_hist_wide a = (e8_hist_wide)slot_low(slot), b = (e8_hist_wide)slot_high(slot);
        low += a * hist->slots[slot];
        high += b * hist->slots[slot];
        low_squares += a * a * hist->slots[slot];
        high_squares += b * b * hist->slots[slot];
    }
    return low <= sum && sum <= high && low_squares <= squares && squares <= high_squares;
}

enum e8_rc e8_hist_exact_set(struct e8_hist *hist, struct e8_str text, struct e8_err *err)
{
    e8_hist_wide n[NUMBERS];
    bool good = hist->count > 0 && get_numbers(text, n) && n[0] <= n[1] &&
                n[1] <= (e8_hist_wide)E8_HIST_MAX && slot_of((int64_t)n[0]) == slot_of(hist->min) &&
                slot_of((int64_t)n[1]) == slot_of(hist->max) && n[2] <= hist->count && fits(hist, n[3], n[4]);

    if (!good)
        return e8_fail(err, E8_INPUT, "use what emit8 wrote",
                       "the histogram's exact figures do not fit its counts");
    hist->min = (int64_t)n[0];
    hist->max = (int64_t)n[1];
    hist->clamped = (uint64_t)n[2];
    hist->sum = n[3];
    hist->squares = n[4];
    return E8_OK;
}
