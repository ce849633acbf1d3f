#include <math.h>
#include <string.h>

#include "report/parts.h"

const char *e8_share_text(uint64_t part, uint64_t whole, char out[E8_NUMBER_MAX])
{
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, E8_NUMBER_MAX);
    double percent = whole ? (double)part / (double)whole * 100 : 0;
    if (whole == 0)
        e8_buf_puts(&buf, "–");
    else if (part == 0)
        e8_buf_puts(&buf, "0 %");
    else if (part >= whole)
        e8_buf_puts(&buf, "100 %");
    else if (percent < 0.01)
        e8_buf_puts(&buf, "<0.01 %");
    else
        e8_buf_printf(&buf, "%.2f %%", percent > 99.99 ? 99.99 : percent);
    return e8_buf_cstr(&buf);
}

const char *e8_permille_text(unsigned share, char out[E8_NUMBER_MAX])
{
    if (share >= 100 || share % 10 == 0)
        snprintf(out, E8_NUMBER_MAX, "%u %%", (share + 5) / 10);
    else
        snprintf(out, E8_NUMBER_MAX, "%u.%u %%", share / 10, share % 10);
    return out;
}

const char *e8_bytes_text(uint64_t bytes, char out[E8_NUMBER_MAX])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    struct e8_buf buf;
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < E8_COUNT(units); unit++)
        value /= 1000;
    e8_buf_fixed(&buf, out, E8_NUMBER_MAX);
    e8_buf_printf(&buf, "%.*f %s", unit == 0 || value >= 99.95 ? 0 : 1, value, units[unit]);
    return e8_buf_cstr(&buf);
}

const char *e8_rate_text(double per_s, char out[E8_NUMBER_MAX])
{
    char count[E8_NUMBER_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, E8_NUMBER_MAX);
    if (per_s <= 0)
        e8_buf_puts(&buf, "0/s");
    else if (per_s >= 999.5)
        e8_buf_printf(&buf, "%s/s", e8_count_text((uint64_t)(per_s + 0.5), count));
    else
        e8_buf_printf(&buf, "%.*f/s", per_s >= 99.95 ? 0 : per_s >= 9.995 ? 1 : 2, per_s);
    return e8_buf_cstr(&buf);
}

const char *e8_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}
