#include <stdio.h>
#include <sys/resource.h>

#include "tests.h"

static struct e8_catalog *loaded;

const struct e8_catalog *catalog(void)
{
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (!loaded && e8_catalog_load(NULL, &loaded, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    e8_errs_fini(&errs);
    assert_non_null(loaded);
    return loaded;
}

static void keep(void *state, const struct e8_done *done)
{
    struct rig *rig = state;
    pthread_mutex_lock(&rig->lock);
    if (rig->count == rig->room) {
        rig->room = rig->room ? 2 * rig->room : 64;
        rig->attempts = e8_resize(rig->attempts, rig->room, sizeof *rig->attempts);
        rig->places = e8_resize(rig->places, rig->room, sizeof *rig->places);
    }
    struct place *place = &rig->places[rig->count];
    *place = (struct place){done->flow->name, done->emit->name, done->instance, done->sequence, ""};
    snprintf(place->why, sizeof place->why, "%s", done->why ? done->why : "");
    rig->attempts[rig->count++] = *done->attempt;
    pthread_mutex_unlock(&rig->lock);
}

static void keep_reading(void *state, const struct e8_effect_reading *reading)
{
    struct rig *rig = state;
    pthread_mutex_lock(&rig->lock);
    assert_true(rig->reading_count < E8_COUNT(rig->readings));
    struct reading *kept = &rig->readings[rig->reading_count++];
    *kept = (struct reading){reading->measured, reading->met, reading->before, reading->after, ""};
    snprintf(kept->why, sizeof kept->why, "%s", reading->why ? reading->why : "");
    pthread_mutex_unlock(&rig->lock);
}

/* Each "%d" becomes the port. */
static void put_ports(const char *text, int port, struct e8_buf *out)
{
    for (; *text; text++) {
        if (text[0] == '%' && text[1] == 'd') {
            e8_buf_puti(out, port);
            text++;
        } else {
            e8_buf_putc(out, *text);
        }
    }
}

void rig_open(struct rig *rig, const char *text, answer_fn *answer, void *state)
{
    struct e8_scenario_options options = {.seed_random = 1};
    struct e8_errs errs;
    struct e8_buf made;
    memset(rig, 0, sizeof *rig);
    pthread_mutex_init(&rig->lock, NULL);
    receiver_open(&rig->receiver, answer, state);
    e8_buf_init(&made, 1 << 20);
    put_ports(text, rig->receiver.port, &made);
    e8_errs_init(&errs);
    if (e8_plan_parse(catalog(), "s.yaml", e8_buf_str(&made), &options, &rig->plan, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    e8_errs_fini(&errs);
    e8_buf_fini(&made);
    assert_non_null(rig->plan);
    rig->options.workers = 2;
    rig->options.on_done = keep;
    rig->options.on_effect = keep_reading;
    rig->options.state = rig;
}

void rig_start(struct rig *rig)
{
    struct e8_err err = {0};
    if (e8_engine_start(rig->plan, catalog(), &rig->options, &rig->engine, &err)) {
        fail_msg("%s", err.what);
    }
}

void rig_finish(struct rig *rig)
{
    assert_true(e8_engine_wait(rig->engine, 60 * E8_NS_S));
    e8_engine_finish(&rig->engine, &rig->result);
    assert_null(rig->engine);
    const struct e8_counts *n = rig_counts(rig);
    assert_int_equal(n->planned, n->delivered + n->failed + n->dropped + n->aborted + n->withheld);
    assert_int_equal(n->attempts, rig->count);
}

void rig_run(struct rig *rig)
{
    rig_start(rig);
    rig_finish(rig);
}

static void free_result(struct rig *rig)
{
    e8_stats_free(&rig->result.stats);
    e8_hist_free(&rig->result.spread);
    free(rig->result.expected);
    rig->result.expected = NULL;
}

void rig_again(struct rig *rig)
{
    struct receiver *r = &rig->receiver;
    free_result(rig);
    rig->count = rig->reading_count = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count; i++) {
        free(r->list[i].head);
        free(r->list[i].body);
    }
    r->count = 0;
    pthread_mutex_unlock(&r->lock);
    atomic_store(&r->received, 0);
    atomic_store(&r->most, 0);
}

void rig_close(struct rig *rig)
{
    free_result(rig);
    receiver_close(&rig->receiver);
    e8_plan_free(&rig->plan);
    free(rig->attempts);
    free(rig->places);
    pthread_mutex_destroy(&rig->lock);
}

const struct e8_counts *rig_counts(const struct rig *rig)
{
    return &e8_stats_all(rig->result.stats)->n;
}

const struct e8_attempt *rig_attempt(const struct rig *rig, uint64_t instance, uint32_t sequence, size_t n)
{
    for (size_t i = 0; i < rig->count; i++) {
        const struct place *place = &rig->places[i];
        if (place->instance == instance && place->sequence == sequence && n-- == 0) {
            return &rig->attempts[i];
        }
    }
    return NULL;
}

size_t rig_late(const struct rig *rig, e8_dur_ns bound)
{
    size_t late = 0;
    for (size_t i = 0; i < rig->count; i++) {
        late += e8_send_lag(&rig->attempts[i].times) >= bound;
    }
    return late;
}

double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(void)
{
    assert_int_equal(e8_transport_init(NULL), E8_OK);
    int failed = test_parts() + test_runs() + test_bounds() + test_ends() + test_order() + test_faults() +
                 test_again() + test_secrets() + test_expected() + test_resume() + test_turns() +
                 test_steady() + test_feed() + test_changes();
    e8_catalog_free(&loaded);
    return failed != 0;
}

const char *const rig_secrets[3] = {ONE_SECRET, TWO_SECRET, THREE_SECRET};

unsigned signed_with(const struct request *request, const char *name)
{
    const struct e8_scheme *scheme = e8_schemes_find(e8_catalog_schemes(catalog()), name);
    unsigned bits = 0;
    char value[256];
    struct e8_header header = {e8_str(scheme->header), e8_str(header_of(request, scheme->header, value))};
    for (size_t i = 0; i < E8_COUNT(rig_secrets); i++) {
        struct e8_signer *signer = NULL;
        assert_int_equal(e8_signer_new(scheme, &rig_secrets[i], 1, &signer, NULL), E8_OK);
        if (e8_verify(signer, &header, 1, (struct e8_str){request->body, request->body_n}, 0, -1, NULL) ==
            E8_VERIFIED) {
            bits |= 1u << i;
        }
        e8_signer_free(&signer);
    }
    return bits;
}
