#include "stats/series.h"

#include <string.h>

/* No clock tells so much; a file that is damaged may. */
#define AT_MOST (INT64_MAX / 4)

static int64_t floor_of(int64_t at, int64_t width)
{
    return at / width - (at % width < 0);
}

static void slice_add(struct e8_slice *into, const struct e8_slice *from)
{
    into->begun += from->begun;
    into->ended += from->ended;
    into->attempts += from->attempts;
    into->failed += from->failed;
    into->tried += from->tried;
}

/* Slices become twice as long. */
static void coarsen(struct e8_series *series)
{
    int64_t first = floor_of(series->first, 2);
    size_t count = series->count;

    for (size_t i = 0; i < count; i++) {
        size_t to = (size_t)(floor_of(series->first + (int64_t)i, 2) - first);
        struct e8_slice slice = series->slices[i];
        series->slices[i] = (struct e8_slice){0};
        slice_add(&series->slices[to], &slice);
        series->count = to + 1;
    }
    series->first = first;
    series->width *= 2;
}

static bool fits(const struct e8_series *series, int64_t first, int64_t last)
{
    int64_t from = first < series->first ? first : series->first;
    int64_t to = series->first + (int64_t)series->count - 1;

    return (last > to ? last : to) - from < E8_SLICES;
}

static void extend(struct e8_series *series, int64_t first, int64_t last)
{
    size_t before = first < series->first ? (size_t)(series->first - first) : 0;

    if (before) {
        memmove(series->slices + before, series->slices, series->count * sizeof(series->slices[0]));
        memset(series->slices, 0, before * sizeof(series->slices[0]));
        series->first = first;
        series->count += before;
    }
    while (series->first + (int64_t)series->count <= last)
        series->slices[series->count++] = (struct e8_slice){0};
}

/* Makes room for the time between, both ends included. */
static void cover(struct e8_series *series, e8_mono_ns from, e8_mono_ns to)
{
    if (series->count == 0) {
        series->width = E8_SLICE;
        series->first = floor_of(from, E8_SLICE);
        series->count = 1;
        series->slices[0] = (struct e8_slice){0};
    }
    while (!fits(series, floor_of(from, series->width), floor_of(to, series->width)))
        coarsen(series);
    extend(series, floor_of(from, series->width), floor_of(to, series->width));
}

static bool holds(const struct e8_series *series, e8_mono_ns at)
{
    e8_mono_ns start = series->first * series->width;

    return series->count && at >= start && at < start + (int64_t)series->count * series->width;
}

struct e8_slice *e8_series_at(struct e8_series *series, e8_mono_ns at)
{
    at = at > AT_MOST ? AT_MOST : at < -AT_MOST ? -AT_MOST : at;
    if (!holds(series, at))
        cover(series, at, at);
    return &series->slices[(at - series->first * series->width) / series->width];
}

void e8_series_merge(struct e8_series *into, const struct e8_series *from)
{
    if (from->count == 0)
        return;
    e8_mono_ns start = from->first * from->width;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    while (into->width < from->width)
        coarsen(into);
    cover(into, start, start + ((int64_t)from->count - 1) * from->width);
    for (size_t i = 0; i < from->count; i++)
        slice_add(&into->slices[floor_of(start + (int64_t)i * from->width, into->width) - into->first],
                  &from->slices[i]);
}
