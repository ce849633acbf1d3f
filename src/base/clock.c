#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"

enum { DAY_S = 86400, LOOKS = 4, NEAR = 2000 };

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    E8_ASSERT(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * E8_NS_S + now.tv_nsec;
}

e8_mono_ns e8_mono_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

e8_wall_ns e8_wall_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

struct e8_instant e8_instant_now(void)
{
    struct e8_instant best = {0};
    e8_dur_ns width = E8_NEVER;
    for (int i = 0; i < LOOKS && width > NEAR; i++) {
        e8_mono_ns before = e8_mono_now();
        e8_wall_ns wall = e8_wall_now();
        e8_mono_ns after = e8_mono_now();
        if (after - before < width) {
            width = after - before;
            best = (struct e8_instant){before + width / 2, wall, width};
        }
    }
    return best;
}

/* A time of the proleptic Gregorian calendar. */
struct civil {
    int year, month, day, hour, minute, second;
};

/* Both ways as in Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* What an e8_wall_ns can hold lies in the years 1677 to 2262: all of these are small and none is negative. */
static void civil_of_days(int64_t days, struct civil *out)
{
    uint32_t since = (uint32_t)(days + 719468);
    uint32_t era = since / 146097, day_of_era = since % 146097;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year_of_era + era * 400) + (out->month <= 2);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* "000102…99" */
#define TEN(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"
static const char two_digits[] =
    TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");

static char *put_two(char *at, uint32_t value)
{
    memcpy(at, two_digits + (size_t)value * 2, 2);
    return at + 2;
}

static char *put_three(char *at, uint32_t value)
{
    *at = (char)('0' + value / 100);
    return put_two(at + 1, value % 100);
}

static char *put_parts(char *at, uint32_t first, uint32_t second, uint32_t third, char between)
{
    at = put_two(at, first);
    *at++ = between;
    at = put_two(at, second);
    *at++ = between;
    return put_two(at, third);
}

enum { DATE_SIZE = sizeof("2026-03-01T") - 1 };

static void write_date(struct e8_wall_day *day, int64_t number)
{
    struct civil date;
    civil_of_days(number, &date);
    uint32_t year = (uint32_t)date.year;
    char *at = put_two(day->text, year / 100);
    *put_parts(at, year % 100, (uint32_t)date.month, (uint32_t)date.day, '-') = 'T';
    day->number = number;
}

size_t e8_wall_format_on(struct e8_wall_day *day, e8_wall_ns wall, int digits, char out[E8_RFC3339_MAX])
{
    E8_ASSERT(digits == 0 || digits == 3 || digits == 6 || digits == 9);
    int64_t seconds = floor_div(wall, E8_NS_S);
    int64_t rest = wall % E8_NS_S;
    uint32_t nanos = (uint32_t)(rest < 0 ? rest + E8_NS_S : rest);
    int64_t days = floor_div(seconds, DAY_S);
    uint32_t of_day = (uint32_t)(seconds - days * DAY_S);
    if (day->text[0] == '\0' || day->number != days)
        write_date(day, days);

    memcpy(out, day->text, DATE_SIZE);
    char *at = put_parts(out + DATE_SIZE, of_day / 3600, of_day / 60 % 60, of_day % 60, ':');
    if (digits > 0)
        *at++ = '.';
    uint32_t unit = 1000000;
    for (int i = 0; i < digits; i += 3, unit /= 1000)
        at = put_three(at, nanos / unit % 1000);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}

size_t e8_wall_format(e8_wall_ns wall, int digits, char out[E8_RFC3339_MAX])
{
    struct e8_wall_day day = {0};
    return e8_wall_format_on(&day, wall, digits, out);
}

static bool take(struct e8_str *text, char c)
{
    if (text->n == 0 || text->p[0] != c)
        return false;
    text->p++;
    text->n--;
    return true;
}

static bool take_digits(struct e8_str *text, size_t count, int *out)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (i >= text->n || text->p[i] < '0' || text->p[i] > '9')
            return false;
        value = value * 10 + (text->p[i] - '0');
    }
    *text = (struct e8_str){text->p + count, text->n - count};
    *out = value;
    return true;
}

static bool take_date(struct e8_str *text, struct civil *out)
{
    return take_digits(text, 4, &out->year) && take(text, '-') && take_digits(text, 2, &out->month) &&
           take(text, '-') && take_digits(text, 2, &out->day);
}

static bool take_time(struct e8_str *text, struct civil *out)
{
    return take_digits(text, 2, &out->hour) && take(text, ':') && take_digits(text, 2, &out->minute) &&
           take(text, ':') && take_digits(text, 2, &out->second);
}

/* Nothing, or a point and at least one digit; what is finer than a nanosecond is cut off. */
static bool take_fraction(struct e8_str *text, int64_t *nanos)
{
    *nanos = 0;
    if (!take(text, '.'))
        return true;
    int digit;
    int64_t place = E8_NS_S;
    size_t before = text->n;
    while (take_digits(text, 1, &digit)) {
        place /= 10;
        *nanos += digit * place;
    }
    return text->n < before;
}

static bool take_zone(struct e8_str *text, int *seconds_east)
{
    *seconds_east = 0;
    if (take(text, 'Z') || take(text, 'z'))
        return true;
    int sign = take(text, '-') ? -1 : 1;
    if (sign == 1 && !take(text, '+'))
        return false;
    int hours, minutes;
    if (!take_digits(text, 2, &hours) || !take(text, ':') || !take_digits(text, 2, &minutes))
        return false;
    *seconds_east = sign * (hours * 3600 + minutes * 60);
    return hours <= 23 && minutes <= 59;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* False where there is no such time (a second 60 only at the end of a UTC day) or an e8_wall_ns cannot hold it. */
static bool to_wall(const struct civil *t, int64_t nanos, int seconds_east, e8_wall_ns *out)
{
    if (t->month < 1 || t->month > 12 || t->day < 1 || t->day > days_in(t->year, t->month))
        return false;
    if (t->hour > 23 || t->minute > 59 || t->second > 60)
        return false;
    int64_t seconds = days_of(t->year, t->month, t->day) * DAY_S + t->hour * INT64_C(3600) +
                      t->minute * INT64_C(60) + t->second - seconds_east;
    if (t->second == 60 && seconds % DAY_S != 0)
        return false;
    if (seconds < 0) { /* so that the first second that fits does not overflow on its way */
        seconds += 1;
        nanos -= E8_NS_S;
    }
    int64_t wall;
    if (__builtin_mul_overflow(seconds, E8_NS_S, &wall) || __builtin_add_overflow(wall, nanos, &wall))
        return false;
    *out = wall;
    return true;
}

bool e8_wall_parse(struct e8_str text, e8_wall_ns *out)
{
    struct civil when = {0};
    int64_t nanos;
    int zone;
    if (!take_date(&text, &when))
        return false;
    if (text.n == 0)
        return to_wall(&when, 0, 0, out);
    if (!take(&text, 'T') && !take(&text, 't') && !take(&text, ' '))
        return false;
    if (!take_time(&text, &when) || !take_fraction(&text, &nanos) || !take_zone(&text, &zone) || text.n > 0)
        return false;
    return to_wall(&when, nanos, zone, out);
}

/* One of the three-letter names in `names`; its number from 1. */
static bool take_name(struct e8_str *text, const char *names, int *out)
{
    for (int i = 1; *names && text->n >= 3; i++, names += 3) {
        if (memcmp(text->p, names, 3) == 0) {
            *text = (struct e8_str){text->p + 3, text->n - 3};
            *out = i;
            return true;
        }
    }
    return false;
}

bool e8_http_date_parse(struct e8_str text, e8_wall_ns *out)
{
    struct civil when = {0};
    int weekday;
    if (!take_name(&text, "MonTueWedThuFriSatSun", &weekday) || !take(&text, ',') || !take(&text, ' '))
        return false;
    if (!take_digits(&text, 2, &when.day) || !take(&text, ' '))
        return false;
    if (!take_name(&text, "JanFebMarAprMayJunJulAugSepOctNovDec", &when.month) || !take(&text, ' '))
        return false;
    if (!take_digits(&text, 4, &when.year) || !take(&text, ' ') || !take_time(&text, &when))
        return false;
    if (!e8_str_is(text, " GMT"))
        return false;
    if (to_wall(&when, 0, 0, out))
        return true;
    if (when.year < 2262)
        return false;
    when.year = 1800 + when.year % 400; /* the same calendar */
    bool exists = to_wall(&when, 0, 0, out);
    *out = exists ? INT64_MAX : *out;
    return exists;
}
