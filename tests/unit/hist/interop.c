#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#define PAIRS_MAX 2000

struct pairs {
    int64_t values[PAIRS_MAX];
    uint64_t counts[PAIRS_MAX];
    size_t n;
};

static void pairs_add(struct pairs *pairs, int64_t value, uint64_t count)
{
    E8_ASSERT(pairs->n < PAIRS_MAX);
    pairs->values[pairs->n] = value;
    pairs->counts[pairs->n++] = count;
}

static struct e8_hist *pairs_record(const struct pairs *pairs)
{
    struct e8_hist *hist = e8_hist_new();

    for (size_t i = 0; i < pairs->n; i++)
        record_many(hist, pairs->values[i], pairs->counts[i]);
    return hist;
}

static void emit(struct pairs *pairs)
{
    struct e8_hist *hist = pairs_record(pairs);
    struct e8_buf buf;

    e8_buf_init(&buf, 1 << 20);
    e8_hist_encode(hist, &buf);
    printf("%s", e8_buf_cstr(&buf));
    for (size_t i = 0; i < pairs->n; i++)
        printf(" %lld*%llu", (long long)pairs->values[i], (unsigned long long)pairs->counts[i]);
    putchar('\n');
    e8_buf_fini(&buf);
    e8_hist_free(&hist);
    pairs->n = 0;
}

static void emit_edges(struct pairs *pairs)
{
    static const int64_t edges[] = {0, 1, 2, 1023, 1024, 2047, 2048, 2049, 4095, 4096, 1000000, E8_HIST_MAX};

    emit(pairs); /* empty */
    for (size_t i = 0; i < E8_COUNT(edges); i++) {
        pairs_add(pairs, edges[i], 1);
        emit(pairs);
    }
    for (size_t i = 0; i < E8_COUNT(edges); i++)
        pairs_add(pairs, edges[i], i + 1);
    emit(pairs);
    for (unsigned shift = 0; shift < 43; shift++)
        pairs_add(pairs, (int64_t)(shift * shift), (uint64_t)1 << shift);
    emit(pairs);
}

int interop_emit(void)
{
    static struct pairs pairs;
    struct e8_rng rng = e8_rng_new(20260301);

    emit_edges(&pairs);
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < PAIRS_MAX; i++)
            pairs_add(&pairs,
                      (int64_t)(e8_rng_next(&rng) % (uint64_t)(E8_HIST_MAX + 1) >> e8_rng_below(&rng, 42)),
                      1 + e8_rng_below(&rng, 300));
        emit(&pairs);
    }
    return 0;
}

static bool check(struct e8_str line)
{
    static struct pairs pairs;
    struct e8_str encoded, pair, value;
    struct e8_hist *decoded;
    struct e8_err err;

    pairs.n = 0;
    e8_str_split(&line, ' ', &encoded);
    while (e8_str_split(&line, ' ', &pair)) {
        uint64_t count = 0;
        int64_t number = 0;
        E8_ASSERT(e8_str_split(&pair, '*', &value) && e8_parse_i64(value, &number) &&
                  e8_parse_u64(pair, &count));
        pairs_add(&pairs, number, count);
    }
    if (e8_hist_decode(encoded, &decoded, &err) != E8_OK) {
        e8_err_print(&err, stderr);
        return false;
    }
    struct e8_hist *expected = pairs_record(&pairs);
    bool same = same_slots(decoded, expected);
    e8_hist_free(&expected);
    e8_hist_free(&decoded);
    return same;
}

int interop_check(void)
{
    char *line = NULL;
    size_t room = 0, lines = 0;
    bool good = true;

    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0; lines++)
        good &= check(e8_str_trim((struct e8_str){line, (size_t)n}));
    free(line);
    return good && lines > 0 ? 0 : 1;
}
