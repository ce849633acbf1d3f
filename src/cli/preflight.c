/* Before anything is sent: does this machine have what the plan may need? */
#include <stdio.h>
#include <string.h>

#include "cli/execute.h"
#include "cli/limits.h"

#define PORT_RESTS   60     /* seconds after use, on Linux (TCP_TIMEWAIT_LEN) */
#define SIZED_EVENTS 200000 /* of a plan that is walked to know its size */
#define WORKER_RATE  500000 /* deliveries a second; no core sends so many */

struct need {
    uint64_t sure;     /* connections at a time, whatever the receiver does */
    uint64_t possible; /* where it answers nothing before the deadline */
    double fresh;      /* connections per second that are not used again */
    double resting;    /* of them, those whose ports rest at a time */
    double rate;       /* deliveries per second at most */
};

static double higher(struct e8_rate from, struct e8_rate to)
{
    double a = e8_rate_per_s(from), b = e8_rate_per_s(to);
    return a > b ? a : b;
}

/* Arrivals per second at most; of bursts and recorded arrivals on average. */
static double peak_of(const struct e8_pace *pace)
{
    double peak = 0;
    switch (pace->kind) {
    case E8_PACE_CONSTANT:
        return e8_rate_per_s(pace->from);
    case E8_PACE_RAMP:
    case E8_PACE_SINE:
        return higher(pace->from, pace->to);
    case E8_PACE_STEPS:
        for (size_t i = 0; i < pace->piece_count; i++) {
            double piece = higher(pace->pieces[i].from, pace->pieces[i].to);
            peak = piece > peak ? piece : peak;
        }
        return peak;
    case E8_PACE_BURST:
    case E8_PACE_RECORDED:
        return e8_pace_mean(pace) * (double)E8_NS_S / (double)pace->length;
    }
    E8_UNREACHABLE();
}

/* Deliveries of an open phase that are in flight at a time, where nothing is answered before the deadline. */
static double open_in_flight(const struct e8_pace *pace, double rate, double each, double timeout)
{
    double burst = pace->kind == E8_PACE_BURST ? (double)pace->burst * each : 0;
    return rate * timeout > burst ? rate * timeout : burst;
}

/* Deliveries of an instance, on average. */
static double per_instance(const struct execution *x)
{
    const struct e8_plan *plan = x->run->plan;
    uint64_t events, deliveries, instances = e8_plan_instances(plan);
    e8_plan_size(plan, x->run->catalog, SIZED_EVENTS, &events, &deliveries);
    return deliveries && instances ? (double)deliveries / (double)instances : (double)plan->endpoint_count;
}

/* Of the plan's steps, those whose requests are on connections of their own. */
static double share_fresh(const struct e8_plan *plan)
{
    size_t fresh = 0;
    for (size_t i = 0; i < plan->emit_count; i++) {
        fresh += plan->emits[i].tamper != NULL;
    }
    return plan->emit_count ? (double)fresh / (double)plan->emit_count : 0;
}

static double longest_timeout(const struct e8_plan *plan)
{
    e8_dur_ns longest = 0;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        longest = plan->endpoints[i].timeout > longest ? plan->endpoints[i].timeout : longest;
    }
    return (double)longest / (double)E8_NS_S;
}

static uint64_t at_most(double count, uint64_t limit)
{
    return count < (double)limit ? (uint64_t)count + 1 : limit;
}

static void add_fresh(struct need *need, double rate, double seconds)
{
    double resting = rate * (seconds < PORT_RESTS ? seconds : PORT_RESTS);
    need->fresh = rate > need->fresh ? rate : need->fresh;
    need->resting = resting > need->resting ? resting : need->resting;
}

/* Sinks of the run's own are not slow. */
static struct need need_of(const struct execution *x)
{
    const struct e8_plan *plan = x->run->plan;
    uint64_t limit = x->run->in_flight ? x->run->in_flight : E8_IN_FLIGHT_DEFAULT;
    double each = per_instance(x), timeout = x->sink_count ? 0 : longest_timeout(plan);
    double speed = x->run->speed > 0 ? x->run->speed : 1;
    struct need need = {0};
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct e8_phase *phase = &plan->phases[i];
        struct e8_part part = e8_plan_part(plan, phase);
        uint64_t at_once = phase->times < part.concurrency ? phase->times : part.concurrency;
        double rate = phase->open ? peak_of(&phase->pace) / (double)part.step * speed * each : 0;
        double in_flight =
            phase->open ? open_in_flight(&phase->pace, rate, each, timeout) : (double)at_once * each;
        uint64_t possible = at_most(in_flight, limit);
        need.rate = rate > need.rate ? rate : need.rate;
        at_once = phase->open ? 0 : at_once < limit ? at_once : limit;
        need.sure = at_once > need.sure ? at_once : need.sure;
        need.possible = possible > need.possible ? possible : need.possible;
        add_fresh(&need, rate * share_fresh(plan), (double)phase->pace.length / speed / (double)E8_NS_S);
    }
    return need;
}

static enum e8_rc check_files(const struct execution *x, const struct need *need, struct e8_err *err)
{
    uint64_t ends = x->sink_count ? 2 : 1;
    struct e8_cli_files_limit files = e8_cli_files_for(need->possible, ends, x->run->workers);
    if (need->sure * ends > files.limit) {
        return e8_fail(err, E8_ENV,
                       "raise the hard limit of open files (ulimit -Hn), or send fewer at a time",
                       "%llu deliveries at a time need more files than the %llu that may be open",
                       (unsigned long long)need->sure, (unsigned long long)files.limit);
    }
    if (need->possible > files.room) {
        e8_cli_files_warn(need->possible, &files, "raise ulimit -Hn, or lower --in-flight");
    }
    return E8_OK;
}

/* Local ports for connections to one address; 0: not known. */
static uint64_t local_ports(void)
{
    char line[64];
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    bool read = file && fgets(line, sizeof line, file);
    if (file) {
        fclose(file);
    }
    if (!read) {
        return 0;
    }
    uint64_t low, high;
    struct e8_str rest = {line, strcspn(line, "\n")}, word;
    bool good = e8_str_split(&rest, '\t', &word) && e8_parse_u64(word, &low) &&
                e8_parse_u64(e8_str_trim(rest), &high) && high >= low;
    return good ? high - low + 1 : 0;
}

static enum e8_rc check_ports(const struct execution *x, const struct need *need, struct e8_err *err)
{
    uint64_t ports = x->reach.reach.unix_socket ? 0 : local_ports();
    if (ports == 0) {
        return E8_OK;
    }
    if (need->sure > ports && x->run->plan->endpoint_count == 1) {
        return e8_fail(err, E8_ENV, "widen net.ipv4.ip_local_port_range, or send fewer at a time",
                       "%llu deliveries at a time need more local ports than the %llu of this machine",
                       (unsigned long long)need->sure, (unsigned long long)ports);
    }
    if (need->possible > ports) {
        fprintf(stderr,
                "emit8: a slow receiver may bring %llu deliveries in flight, but there are\n"
                "       %llu local ports: widen net.ipv4.ip_local_port_range, or lower\n"
                "       --in-flight\n",
                (unsigned long long)need->possible, (unsigned long long)ports);
    } else if (need->resting > (double)ports) {
        fprintf(stderr,
                "emit8: %.0f connections a second that are not used again take more than\n"
                "       the %llu local ports, for each rests %d s after it: widen\n"
                "       net.ipv4.ip_local_port_range, or lower the rate\n",
                need->fresh, (unsigned long long)ports, PORT_RESTS);
    }
    return E8_OK;
}

/* Of one phase, that is; what machines can do differs too much to refuse it. */
static void note_rate(const struct execution *x, const struct need *need)
{
    unsigned cores = e8_cli_cores(), workers = x->run->workers;
    workers = workers < cores ? workers : cores;
    if (need->rate > (double)workers * WORKER_RATE) {
        fprintf(stderr,
                "emit8: %.0f deliveries a second are far beyond what %u worker%s of this machine\n"
                "       can send: the run will be late, and invalid; lower the rate, or share it\n"
                "       with --shard\n",
                need->rate, workers, workers == 1 ? "" : "s");
    }
}

enum e8_rc e8_execution_preflight(const struct execution *x, struct e8_err *err)
{
    struct need need = need_of(x);
    note_rate(x, &need);
    enum e8_rc rc = check_files(x, &need, err);
    return rc ? rc : check_ports(x, &need, err);
}
