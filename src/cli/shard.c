#include "cli/shard.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/terminal.h"

#define SHARDS_MAX 10000
#define LATE_MAX   E8_NS_S
#define LEAD       (500 * E8_NS_MS) /* for the workers to be ready */
#define LOOK       (100 * E8_NS_MS)

const struct e8_option e8_options_shard[] = {
    {"shard", 0, "I/N", "run one of N equal parts of the plan, counted from 1; emit8 merge makes them one",
     E8_OPTION_ENV},
    {"shards", 0, "N", "the same; JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID say which part", E8_OPTION_ENV},
    {"start-at", 0, "TIME", "wait until then, as all shards do: RFC 3339, Unix seconds, or +30s",
     E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

/* ---- which one ---- */

static const char *given(const struct e8_args *args, const char *name)
{
    for (size_t i = args->set_count; i > 0; i--) {
        if (strcmp(args->set[i - 1].option->name, name) == 0) {
            return args->set[i - 1].value;
        }
    }
    return NULL;
}

static enum e8_rc parse_shard(const char *text, struct e8_shard *out, struct e8_err *err)
{
    const char *slash = strchr(text, '/');
    uint64_t number, count;
    bool good = slash && e8_parse_u64((struct e8_str){text, (size_t)(slash - text)}, &number) &&
                e8_parse_u64(e8_str(slash + 1), &count);
    if (!good) {
        return e8_fail(err, E8_INPUT, "the second of four: 2/4", "--shard \"%s\" is no shard", text);
    }
    if (count < 1 || count > SHARDS_MAX) {
        return e8_fail(err, E8_INPUT, "from 1 to 10000", "--shard \"%s\": so many shards cannot be", text);
    }
    if (number < 1 || number > count) {
        return e8_fail(err, E8_INPUT, "they are counted from 1: 1/4, 2/4, 3/4, 4/4",
                       "--shard \"%s\": there is no shard %llu of %llu", text, (unsigned long long)number,
                       (unsigned long long)count);
    }
    *out = (struct e8_shard){(unsigned)number, (unsigned)count};
    return E8_OK;
}

/* What a scheduler of jobs says: a whole number. *found: there is such a variable. */
static enum e8_rc read_number(const char *name, bool *found, uint64_t *out, struct e8_err *err)
{
    const char *text = getenv(name);
    *found = text && *text;
    return !*found || e8_parse_u64(e8_str(text), out)
               ? E8_OK
               : e8_fail(err, E8_INPUT, "a whole number, or give --shard I/N", "%s=\"%s\" is no number", name,
                         text);
}

static enum e8_rc take_index(const char *name, uint64_t index, uint64_t count, struct e8_shard *out,
                             struct e8_err *err)
{
    if (index >= count) {
        return e8_fail(err, E8_INPUT, "let --shards be the number of the jobs",
                       "by %s this is job %llu, but there are %llu shards", name,
                       (unsigned long long)index + 1, (unsigned long long)count);
    }
    *out = (struct e8_shard){(unsigned)index + 1, (unsigned)count};
    return E8_OK;
}

/* A Job with completionMode: Indexed counts its pods from 0. */
static enum e8_rc from_kubernetes(uint64_t count, struct e8_shard *out, struct e8_err *err)
{
    static const char name[] = "JOB_COMPLETION_INDEX";
    uint64_t index = 0;
    bool found;
    enum e8_rc rc = read_number(name, &found, &index, err);
    return rc || !found ? rc : take_index(name, index, count, out, err);
}

/* An array's tasks are numbered from MIN in steps of STEP (sbatch --array=MIN-MAX:STEP). */
static enum e8_rc from_slurm(uint64_t count, struct e8_shard *out, struct e8_err *err)
{
    static const char name[] = "SLURM_ARRAY_TASK_ID";
    uint64_t id = 0, least = 0, step = 1, tasks = count;
    bool found, has_least, has_step, has_tasks;
    enum e8_rc rc = read_number(name, &found, &id, err);
    rc = rc || !found ? rc : read_number("SLURM_ARRAY_TASK_MIN", &has_least, &least, err);
    rc = rc || !found ? rc : read_number("SLURM_ARRAY_TASK_STEP", &has_step, &step, err);
    rc = rc || !found ? rc : read_number("SLURM_ARRAY_TASK_COUNT", &has_tasks, &tasks, err);
    if (rc || !found) {
        return rc;
    }
    if (tasks != count) {
        return e8_fail(err, E8_INPUT, "let --shards be the number of the tasks",
                       "SLURM_ARRAY_TASK_COUNT is %llu, but there are %llu shards", (unsigned long long)tasks,
                       (unsigned long long)count);
    }
    if (!has_least || !step || id < least || (id - least) % step) {
        return e8_fail(err, E8_INPUT, "an array without gaps: sbatch --array=1-4; or give --shard I/N",
                       "%s=%llu does not tell which shard this is", name, (unsigned long long)id);
    }
    return take_index(name, (id - least) / step, count, out, err);
}

/* They must be said to be meant: a variable alone divides nothing. */
static enum e8_rc from_scheduler(uint64_t count, struct e8_shard *out, struct e8_err *err)
{
    static enum e8_rc (*const schedulers[])(uint64_t, struct e8_shard *, struct e8_err *) = {from_kubernetes,
                                                                                             from_slurm};
    for (size_t i = 0; i < E8_COUNT(schedulers); i++) {
        enum e8_rc rc = schedulers[i](count, out, err);
        if (rc || out->count) {
            return rc;
        }
    }
    return e8_fail(
        err, E8_INPUT, "--shard 1/4, or start it as an indexed Job or an array of tasks",
        "--shards %llu does not say which one: neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set",
        (unsigned long long)count);
}

static enum e8_rc find_shard(const struct e8_args *args, struct e8_shard *out, struct e8_err *err)
{
    uint64_t count = 0;
    const char *text = e8_arg(args, "shard");
    enum e8_rc rc = text ? parse_shard(text, out, err) : E8_OK;
    if (!rc && !(given(args, "shard") && !given(args, "shards"))) {
        rc = e8_arg_u64(args, "shards", 1, SHARDS_MAX, &count, err);
    }
    if (rc || !count) {
        return rc;
    }
    if (text && out->count != count) {
        return e8_fail(err, E8_INPUT, "leave one of them out", "shard %s is not one of %llu (--shards)", text,
                       (unsigned long long)count);
    }
    return text ? E8_OK : from_scheduler(count, out, err);
}

/* ---- when ---- */

static enum e8_rc find_start(const struct e8_args *args, struct e8_cli_shard *out, struct e8_err *err)
{
    const char *text = e8_arg(args, "start-at");
    uint64_t seconds;
    e8_dur_ns wait;
    if (!text || e8_wall_parse(e8_str(text), &out->start_at)) {
        return E8_OK;
    }
    if (e8_parse_u64(e8_str(text), &seconds) && seconds < 9000000000u) {
        out->start_at = (e8_wall_ns)seconds * E8_NS_S;
        return E8_OK;
    }
    out->relative = text[0] == '+' && e8_parse_dur(e8_str(text + 1), &wait);
    if (!out->relative) {
        return e8_fail(err, E8_INPUT, "2026-03-01T12:00:00Z, Unix seconds, or a time from now: +30s",
                       "--start-at \"%s\" is no time", text);
    }
    out->start_at = e8_wall_now() + wait;
    return E8_OK;
}

enum e8_rc e8_cli_shard(const struct e8_args *args, struct e8_cli_shard *out, struct e8_err *err)
{
    *out = (struct e8_cli_shard){.start_at = 0};
    enum e8_rc rc = find_shard(args, &out->shard, err);
    return rc ? rc : find_start(args, out, err);
}

static void say_note(struct e8_buf *note)
{
    struct e8_str rest = e8_buf_str(note), line;
    while (e8_str_split(&rest, '\n', &line)) {
        if (line.n) {
            fprintf(stderr, "emit8: %.*s\n", E8_STR(line));
        }
    }
}

enum e8_rc e8_cli_divide(const struct e8_cli_shard *shard, e8_wall_ns clock, bool dry, struct e8_plan *plan,
                         struct e8_err *err)
{
    struct e8_buf note;
    if (!shard->shard.count) {
        return E8_OK;
    }
    if (!plan->seed_given) {
        return e8_fail(err, E8_INPUT, "--seed 42, the same for all; or `seed:` in the scenario",
                       "without a seed the shards would not be parts of one plan");
    }
    if (!dry && !clock && (!shard->start_at || shard->relative)) {
        return e8_fail(err, E8_INPUT,
                       "--start-at TIME, some time ahead and the same for all: 2026-03-01T12:00:00Z",
                       "%s: the ids of events depend on the start, which must be one for all shards",
                       shard->relative ? "--start-at +… is another moment for each shard"
                                       : "--shard needs --start-at (or --clock)");
    }
    plan->shard = shard->shard;
    e8_buf_init(&note, 64 << 10);
    enum e8_rc rc = e8_shard_check(plan, &note, err);
    if (!rc) {
        say_note(&note);
    }
    e8_buf_fini(&note);
    return rc;
}

/* ---- the start gate ---- */

struct wait {
    bool quiet, terminal; /* terminal: one line, redrawn in place */
    bool keys;            /* q ends it */
    e8_dur_ns said;       /* what was left of it when it was last told */
};

static void say_wait(const struct wait *wait, e8_wall_ns at, e8_dur_ns left)
{
    char moment[E8_RFC3339_MAX], text[E8_DUR_MAX], line[160];
    int columns = 0, rows;
    e8_wall_format(at, 0, moment);
    e8_dur_text((left + E8_NS_S - 1) / E8_NS_S * E8_NS_S, text);
    snprintf(line, sizeof line, "emit8: begins at %s, in %s%s", moment, text, wait->keys ? " (q stops)" : "");
    if (!wait->terminal) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    e8_terminal_size(STDERR_FILENO, &columns, &rows);
    fprintf(stderr, "\r\033[K%.*s", columns > 1 ? columns - 1 : 79, line);
    fflush(stderr);
}

static void end_line(const struct wait *wait)
{
    if (wait->terminal) {
        fputs("\r\033[K", stderr);
    }
}

/* The start stays where it is. */
static void suspend(const struct wait *wait)
{
    end_line(wait);
    e8_terminal_give();
    e8_signals_suspend();
}

/* There is nothing yet that other keys would change: they are read, so that they change nothing later either. */
static int take_keys(struct wait *wait)
{
    enum e8_key key = E8_KEY_NONE;
    wait->keys = wait->terminal && e8_terminal_take();
    while (wait->keys && (key = e8_terminal_key()) != E8_KEY_NONE) {
        if (key == E8_KEY_QUIT) {
            return SIGINT;
        }
    }
    return 0;
}

/* What else a terminal says (its size has changed, …) is no reason to end. */
static int taken_to_end(struct wait *wait, e8_dur_ns timeout)
{
    int taken = e8_signals_take(timeout);
    if (taken == SIGTSTP) {
        suspend(wait);
    } else if (taken == SIGCONT) {
        e8_terminal_again();
    }
    return taken == SIGINT || taken == SIGTERM || taken == SIGHUP ? taken : take_keys(wait);
}

enum e8_rc e8_cli_check_start(e8_wall_ns at, struct e8_err *err)
{
    char moment[E8_RFC3339_MAX], text[E8_DUR_MAX];
    e8_dur_ns late = e8_wall_now() - at;
    e8_wall_format(at, 0, moment);
    if (late > LATE_MAX) {
        return e8_fail(err, E8_INPUT,
                       "choose a moment that all shards can wait for; date -u says what time it is",
                       "--start-at: %s has passed, %s ago", moment, e8_dur_text(late, text));
    }
    return E8_OK;
}

static void note_late(e8_wall_ns at)
{
    char text[E8_DUR_MAX];
    e8_dur_ns late = e8_wall_now() - at;
    if (late > 0) {
        fprintf(stderr, "emit8: begins %s late; what was due goes out at once\n", e8_dur_text(late, text));
    }
}

enum e8_rc e8_cli_wait(e8_wall_ns at, bool quiet, int *signal, struct e8_err *err)
{
    struct wait wait = {
        .quiet = quiet, .terminal = !quiet && e8_terminal_redraws(STDERR_FILENO), .said = INT64_MAX};
    e8_dur_ns left;
    enum e8_rc rc = e8_cli_check_start(at, err);
    *signal = rc ? 0 : take_keys(&wait);
    while (!rc && !*signal && (left = at - LEAD - e8_wall_now()) > 0) {
        if (!quiet && (wait.terminal ? wait.said - left >= E8_NS_S : wait.said == INT64_MAX)) {
            say_wait(&wait, at, left + LEAD);
            wait.said = left;
        }
        *signal = taken_to_end(&wait, left < LOOK ? left + E8_NS_MS : LOOK);
    }
    end_line(&wait);
    if (*signal) {
        e8_terminal_give();
    }
    rc = rc || *signal ? rc : e8_cli_check_start(at, err); /* we may have been stopped until after it */
    if (!rc && !*signal) {
        note_late(at);
    }
    return rc;
}
