#include "cli/resume.h"

#include <string.h>

static enum e8_rc open_log(const struct e8_args *args, struct e8_resume *out, struct e8_err *err)
{
    struct e8_buf path;
    enum e8_rc rc = E8_OK;
    e8_buf_init(&path, 4096);
    if (e8_arg_set(args, "no-log")) {
        rc = e8_fail(err, E8_INPUT, "leave --no-log out", "--resume needs the delivery log");
    } else if (e8_arg(args, "log")) {
        e8_buf_puts(&path, e8_arg(args, "log"));
    } else {
        rc = e8_dlog_default_path(&path, err);
    }
    rc = rc ? rc : e8_dlog_read(e8_buf_cstr(&path), &out->reader, err);
    e8_buf_fini(&path);
    return rc;
}

/* The start of the first run of the chain. */
static enum e8_rc find_wall(struct e8_resume *out, struct e8_err *err)
{
    struct e8_log_run run = out->run;
    enum e8_rc rc = E8_OK;
    while (!rc && run.resumes > 0) {
        rc = e8_dlog_run(out->reader, run.resumes, &run, err);
    }
    out->wall = run.started;
    return rc;
}

enum e8_rc e8_resume_find(const struct e8_args *args, const char *scenario_digest, struct e8_resume *out,
                          struct e8_err *err)
{
    uint64_t given = 0;
    int64_t id = 0;
    *out = (struct e8_resume){0};
    enum e8_rc rc = e8_arg_u64(args, "run", 1, INT64_MAX, &given, err);
    rc = rc ? rc : open_log(args, out, err);
    if (!rc && given == 0) {
        rc = e8_dlog_unfinished(out->reader, scenario_digest, &id, err);
        given = (uint64_t)id;
    }
    rc = rc ? rc : e8_dlog_run(out->reader, (int64_t)given, &out->run, err);
    rc = rc ? rc : e8_dlog_resumable(out->reader, (int64_t)given, err);
    return rc ? rc : find_wall(out, err);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static enum e8_rc check_endpoints(const struct e8_log_run *run, const struct e8_plan *plan,
                                  struct e8_err *err)
{
    bool good = run->endpoint_count == plan->endpoint_count;
    for (size_t i = 0; good && i < plan->endpoint_count; i++) {
        good = same(run->endpoints[i].name, plan->endpoints[i].name);
    }
    return good ? E8_OK
                : e8_fail(err, E8_INPUT, "give the --var, --to and variables of then",
                          "run %lld had other endpoints", (long long)run->id);
}

static bool same_step(const struct e8_log_step *step, const struct e8_plan *plan, const struct e8_emit *emit)
{
    bool same_body = emit->raw.p ? step->body.p && e8_str_eq(step->body, emit->raw) : !step->body.p;
    return same(step->type, plan->types[emit->type]) && same(step->environment, emit->environment) &&
           same(step->edits, emit->json) && same_body;
}

static enum e8_rc check_steps(const struct e8_log_run *run, const struct e8_plan *plan, struct e8_err *err)
{
    bool good = run->step_count == plan->emit_count;
    for (size_t i = 0; good && i < plan->emit_count; i++) {
        good = same_step(&run->steps[i], plan, &plan->emits[i]);
    }
    return good ? E8_OK
                : e8_fail(err, E8_INPUT, "give the --var, --environment and variables of then",
                          "run %lld had other steps", (long long)run->id);
}

enum e8_rc e8_resume_check(const struct e8_resume *resume, const struct e8_plan *plan,
                           const struct e8_catalog *catalog, struct e8_err *err)
{
    const struct e8_log_run *run = &resume->run;
    if (!same(run->scenario_digest, plan->digest)) {
        return e8_fail(err, E8_INPUT, "take the scenario as it was then, or leave --resume out",
                       "run %lld was of another scenario, or of another version of this one",
                       (long long)run->id);
    }
    if (run->shards) {
        return e8_fail(err, E8_INPUT, "run the shard again, with a new --start-at for all",
                       "run %lld was a part of a divided run, which cannot be gone on with",
                       (long long)run->id);
    }
    if (!same(run->fixtures_digest, e8_catalog_digest(catalog))) {
        return e8_fail(err, E8_INPUT, "give the run's --fixtures, or leave --resume out",
                       "the fixtures have changed since run %lld", (long long)run->id);
    }
    if (run->seed != plan->seed) {
        return e8_fail(err, E8_INPUT, "leave --seed out: the run's own is taken",
                       "run %lld had the seed %llu, not %llu", (long long)run->id,
                       (unsigned long long)run->seed, (unsigned long long)plan->seed);
    }
    enum e8_rc rc = check_endpoints(run, plan, err);
    return rc ? rc : check_steps(run, plan, err);
}

enum e8_rc e8_resume_load(struct e8_resume *resume, struct e8_err *err)
{
    enum e8_rc rc = e8_dlog_done(resume->reader, resume->run.id, &resume->done, err);
    int64_t id = resume->run.id;
    e8_dlog_reader_free(&resume->reader);
    resume->run = (struct e8_log_run){.id = id};
    return rc;
}

void e8_resume_fini(struct e8_resume *resume)
{
    e8_done_free(&resume->done);
    e8_dlog_reader_free(&resume->reader);
}
