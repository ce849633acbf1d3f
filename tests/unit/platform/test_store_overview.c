/* Sums, held against the attempts they are made of. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "platform/store_parts.h"

#define HOUR   (3600 * E8_NS_S)
#define MINUTE (60 * E8_NS_S)

enum { ATTEMPTS = 4000 };

struct sample {
    const char *webhook, *type;
    int status;
    e8_wall_ns done;
    e8_dur_ns response;
};

static const char *const webhooks[] = {"whk_a", "whk_b", "whk_c"};
static const char *const types[] = {"message.sent", "agent.error"};
static const int statuses[] = {200, 200, 200, 503, 404, 0};

/* Over five hours, one delivery with one attempt each; response times from 0.1 ms to 100 s. */
static struct sample *make_samples(struct place *place, struct e8_rng *rng)
{
    struct sample *list = e8_new(ATTEMPTS, sizeof *list);
    struct e8_store_attempt attempts[50];

    for (size_t i = 0; i < E8_COUNT(webhooks); i++)
        add_webhook(place, webhooks[i]);
    for (int n = 0; n < ATTEMPTS; n++) {
        struct sample *s = &list[n];
        struct e8_store_attempt *a = &attempts[n % 50];
        s->webhook = n % 50 ? s[-1].webhook : webhooks[e8_rng_below(rng, E8_COUNT(webhooks))];
        s->type = n % 50 ? s[-1].type : types[e8_rng_below(rng, E8_COUNT(types))];
        s->status = statuses[e8_rng_below(rng, E8_COUNT(statuses))];
        s->done = T0 + e8_rng_range(rng, 0, 5 * HOUR);
        s->response = (e8_dur_ns)(E8_NS_MS / 10 * (1 + e8_rng_exp(rng) * e8_rng_exp(rng) * 1000));
        if (n % 50 == 0)
            accept_some(place, (struct one){.n = n + 1, .webhook = s->webhook, .type = s->type}, 50);
        *a = some_attempt(n + 1, 1, s->status, s->status == 200 ? E8_STATE_DELIVERED : E8_STATE_FAILED);
        a->due = s->done - s->response;
        a->sent = a->done = s->done;
        if (n % 50 == 49)
            ASSERT_OK(place, e8_store_attempts(place->store, attempts, 50, &place->err));
    }
    return list;
}

static int compare(const void *left, const void *right)
{
    e8_dur_ns a = *(const e8_dur_ns *)left, b = *(const e8_dur_ns *)right;

    return (a > b) - (a < b);
}

struct truth {
    e8_dur_ns times[ATTEMPTS];
    size_t count, delivered;
};

static struct truth *truth_of(const struct sample *list, e8_wall_ns since, e8_wall_ns until,
                              const char *webhook, const char *type, int status)
{
    struct truth *truth = e8_new(1, sizeof *truth);

    for (int n = 0; n < ATTEMPTS; n++) {
        const struct sample *s = &list[n];
        if (s->done < since || s->done >= until || (webhook && strcmp(webhook, s->webhook) != 0) ||
            (type && strcmp(type, s->type) != 0) || (status >= 0 && status != s->status))
            continue;
        truth->times[truth->count++] = s->response;
        truth->delivered += s->status == 200;
    }
    qsort(truth->times, truth->count, sizeof *truth->times, compare);
    return truth;
}

static void assert_near(e8_dur_ns told, const struct truth *truth, double share)
{
    if (truth->count == 0) {
        assert_int_equal(told, -1);
        return;
    }
    size_t rank = (size_t)(share * (double)truth->count);
    rank -= rank > 0 && (double)rank == share * (double)truth->count;
    double exact = (double)truth->times[rank], error = ((double)told - exact) / exact;
    if (error < -0.05 || error > 0.05)
        fail_msg("p%g is %.0f ns, and was told to be %lld", share * 100, exact, (long long)told);
}

static void check_slice(const struct sample *list, const struct e8_store_slice *slice, e8_wall_ns until,
                        const char *webhook)
{
    struct truth *truth = truth_of(list, slice->at, until, webhook, NULL, -1);

    assert_int_equal(slice->attempts, truth->count);
    assert_int_equal(slice->delivered, truth->delivered);
    assert_int_equal(slice->failed, truth->count - truth->delivered);
    assert_near(slice->p50, truth, 0.5);
    assert_near(slice->p90, truth, 0.9);
    assert_near(slice->p99, truth, 0.99);
    free(truth);
}

/* Of its text, or of the outcome that it makes here. */
static int status_of(const char *name)
{
    static const struct {
        const char *name;
        int status;
    } list[] = {{"200", 200},       {"503", 503},      {"404", 404},      {"none", 0},
                {"delivered", 200}, {"http_5xx", 503}, {"http_4xx", 404}, {"connect_refused", 0}};

    for (size_t i = 0; i < E8_COUNT(list); i++) {
        if (strcmp(name, list[i].name) == 0)
            return list[i].status;
    }
    fail_msg("%s?", name);
    return -1;
}

static void check_shares(const struct sample *list, const struct e8_store_shares *shares, e8_wall_ns since,
                         e8_wall_ns until, const char *webhook, char of)
{
    uint64_t total = 0;

    for (size_t i = 0; i < shares->count; i++) {
        const struct e8_store_share *share = &shares->list[i];
        int status = of == 's' || of == 'o' ? status_of(share->name) : -1;
        struct truth *truth = truth_of(list, since, until, of == 'w' ? share->name : webhook,
                                       of == 't' ? share->name : NULL, status);
        assert_int_equal(share->attempts, truth->count);
        assert_int_equal(share->delivered, truth->delivered);
        assert_near(share->p50, truth, 0.5);
        assert_near(share->p99, truth, 0.99);
        assert_true(i == 0 || share->attempts <= shares->list[i - 1].attempts);
        total += share->attempts;
        free(truth);
    }
    struct truth *all = truth_of(list, since, until, webhook, NULL, -1);
    assert_int_equal(total, all->count);
    free(all);
}

static e8_wall_ns down(e8_wall_ns time, e8_dur_ns step)
{
    return time / step * step;
}

static void check_overview(struct place *place, const struct sample *list, e8_wall_ns since, e8_wall_ns until,
                           e8_dur_ns step, const char *webhook)
{
    struct e8_store_overview o;

    ASSERT_OK(place,
              e8_store_overview(place->store, since, until, step, webhook, place->arena, &o, &place->err));
    since = down(since, step);
    until = down(until + step - 1, step);
    assert_int_equal(o.slice_count, (until - since) / step);
    assert_int_equal(o.all.at, since);
    check_slice(list, &o.all, until, webhook);
    for (size_t i = 0; i < o.slice_count; i++) {
        assert_int_equal(o.slices[i].at, since + (e8_dur_ns)i * step);
        check_slice(list, &o.slices[i], o.slices[i].at + step, webhook);
    }
    if (webhook)
        assert_int_equal(o.webhooks.count, 0);
    else
        check_shares(list, &o.webhooks, since, until, NULL, 'w');
    check_shares(list, &o.types, since, until, webhook, 't');
    check_shares(list, &o.statuses, since, until, webhook, 's');
    check_shares(list, &o.outcomes, since, until, webhook, 'o');
}

static void sums_are_what_was_added(void **state)
{
    struct place *place = *state;
    uint64_t seed = (uint64_t)e8_wall_now();
    struct e8_rng rng = e8_rng_new(seed);

    print_message("seed %llu\n", (unsigned long long)seed);
    struct sample *list = make_samples(place, &rng);
    check_overview(place, list, T0, T0 + 5 * HOUR, HOUR, NULL);
    check_overview(place, list, T0 + 17 * MINUTE, T0 + 34 * MINUTE, MINUTE, NULL);
    check_overview(place, list, T0 + 50 * MINUTE + 3, T0 + 3 * HOUR + 5, 5 * MINUTE, NULL);
    check_overview(place, list, T0 - 2 * HOUR, T0 + 9 * HOUR, 2 * HOUR, "whk_b");
    check_overview(place, list, T0 + HOUR, T0 + 2 * HOUR, 7 * MINUTE, "whk_a");
    free(list);
}

static void what_it_tells(void **state)
{
    struct place *place = *state;
    struct e8_store_overview o;
    struct e8_store_attempt a;

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    for (int n = 1; n <= 5; n++)
        accept_one(place, (struct one){.n = n, .webhook = n == 5 ? "whk_b" : "whk_a"});
    a = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    put_attempt(place, &a);
    a = some_attempt(2, 1, 0, E8_STATE_PENDING);
    a.done = a.due + E8_NS_S;
    put_attempt(place, &a);
    ASSERT_OK(place, e8_store_overview(place->store, T0, T0 + HOUR, 0, NULL, place->arena, &o, &place->err));
    assert_int_equal(o.slice_count, 60 + (T0 % MINUTE != 0));
    assert_int_equal(o.pending, 4);
    assert_int_equal(o.retrying, 1);
    assert_int_equal(o.webhooks.count, 1);
    assert_int_equal(o.outcomes.count, 2);
    assert_string_equal(o.outcomes.list[0].name, "connect_refused");
    assert_int_equal(o.outcomes.list[0].delivered, 0);
    assert_string_equal(o.outcomes.list[1].name, "delivered");
    assert_int_equal(o.outcomes.list[1].delivered, 1);
    assert_int_equal(o.latency[0].attempts, 1);
    assert_true(o.latency[0].upto >= 20 * MS && o.latency[0].upto < 24 * MS);
    assert_true(o.latency[o.latency_count - 1].upto >= E8_NS_S);
    assert_int_equal(o.latency[o.latency_count - 1].attempts, 1);
    ASSERT_OK(place,
              e8_store_overview(place->store, T0, T0 + HOUR, 0, "whk_b", place->arena, &o, &place->err));
    assert_int_equal(o.pending, 1);
    assert_int_equal(o.retrying + o.all.attempts + o.types.count + o.latency_count, 0);
    assert_int_equal(o.all.p99, -1);
    ASSERT_OK(place,
              e8_store_overview(place->store, T0, T0 + HOUR, 0, "whk_no", place->arena, &o, &place->err));
    assert_int_equal(o.pending + o.all.attempts, 0);
    ASSERT_OK(place, e8_store_overview(place->store, T0 + HOUR, T0, 0, NULL, place->arena, &o, &place->err));
    assert_int_equal(o.slice_count, 0);
    assert_int_equal(e8_store_overview(place->store, 1, T0, 0, NULL, place->arena, &o, &place->err),
                     E8_INPUT);
}

static void latencies_come_back(void **state)
{
    struct e8_latency *in = e8_new(1, sizeof *in), *out = e8_new(1, sizeof *out);
    struct e8_rng rng = e8_rng_new(7);
    struct e8_buf bytes;

    (void)state;
    e8_buf_init(&bytes, 64 << 10);
    for (int i = 0; i < 2000; i++) {
        e8_dur_ns time = (e8_dur_ns)(e8_rng_next(&rng) >> e8_rng_below(&rng, 64));
        struct e8_latency one = {0};
        e8_latency_add(&one, e8_latency_slot(time), 1);
        double exact = (double)time, told = (double)e8_latency_at(&one, 0.5);
        if (time > 16 * E8_NS_US && time < (e8_dur_ns)1 << 40)
            assert_true(told > exact * 0.95 && told < exact * 1.05);
        e8_latency_add(in, e8_latency_slot(time), (uint32_t)i);
    }
    e8_latency_add(in, e8_latency_slot(-5), 1);
    e8_latency_put(in, &bytes);
    e8_latency_merge(out, e8_buf_str(&bytes));
    assert_memory_equal(in, out, sizeof *in);
    for (size_t n = 0; n < bytes.n; n++) /* a damaged one does no harm */
        e8_latency_merge(out, (struct e8_str){bytes.p + n, bytes.n - n});
    e8_buf_fini(&bytes);
    free(in);
    free(out);
}

int run_store_overview_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sums_are_what_was_added),
        CASE(what_it_tells),
        cmocka_unit_test(latencies_come_back),
    };
    return cmocka_run_group_tests_name("store overview", tests, NULL, NULL);
}
