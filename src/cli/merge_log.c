#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/merge.h"
#include "cli/outputs.h"
#include "cli/session.h"

/* ---- reading ---- */

/* --run FILE=N of this file, or --run N of all. 0: neither. */
static enum e8_rc find_given(const struct e8_merge *merge, const char *path, int64_t *run, struct e8_err *err)
{
    const char **given = e8_arg_all(merge->args, "run");
    enum e8_rc rc = E8_OK;
    *run = 0;
    for (size_t i = 0; !rc && given && given[i]; i++) {
        const char *equals = strrchr(given[i], '=');
        uint64_t number;
        size_t n = equals ? (size_t)(equals - given[i]) : 0;
        if (!e8_parse_u64(e8_str(equals ? equals + 1 : given[i]), &number) || number < 1 ||
            number > INT64_MAX) {
            rc = e8_fail(err, E8_INPUT, "--run 3 for all, --run a.db=3 for one file",
                         "--run \"%s\" names no run", given[i]);
        } else if (!equals ? *run == 0 : e8_str_is((struct e8_str){given[i], n}, path)) {
            *run = (int64_t)number;
        }
    }
    free(given);
    return rc;
}

/* Each FILE of --run is one of those that are merged. */
static enum e8_rc check_given(const struct e8_merge *merge, struct e8_err *err)
{
    const char **given = e8_arg_all(merge->args, "run");
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && given && given[i]; i++) {
        const char *equals = strrchr(given[i], '=');
        struct e8_str file = {given[i], equals ? (size_t)(equals - given[i]) : 0};
        bool found = !equals;
        for (size_t k = 0; !found && k < merge->args->word_count; k++) {
            found = e8_str_is(file, merge->args->words[k]);
        }
        if (!found) {
            rc = e8_fail(err, E8_INPUT, "name one of them as it was given", "--run: \"%.*s\" is not merged",
                         E8_STR(file));
        }
    }
    free(given);
    return rc;
}

static enum e8_rc open_log(struct e8_merge *merge, const char *path, struct e8_err *err)
{
    struct e8_merge_part *part = &merge->parts[merge->count++];
    int64_t run;
    part->from = path;
    enum e8_rc rc = find_given(merge, path, &run, err);
    rc = rc ? rc : e8_dlog_read(path, &part->reader, err);
    rc = rc || run ? rc : e8_dlog_newest_shard(part->reader, &run, err);
    rc = rc ? rc : e8_dlog_run(part->reader, run, &part->run, err);
    part->run.epoch = part->run.started;
    return rc;
}

enum e8_rc e8_merge_open_logs(struct e8_merge *merge, struct e8_err *err)
{
    enum e8_rc rc = check_given(merge, err);
    merge->parts = e8_new(merge->args->word_count, sizeof *merge->parts);
    for (size_t i = 0; !rc && i < merge->args->word_count; i++) {
        rc = open_log(merge, merge->args->words[i], err);
    }
    return rc;
}

/* ---- writing ---- */

enum e8_rc e8_merge_may_write(const char *path, bool force, struct e8_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return e8_cli_may_write("output", path, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return e8_fail(err, E8_INPUT, "name another file with -o", "%s is not a regular file", path);
    }
    return force ? E8_OK
                 : e8_fail(err, E8_INPUT, "name another file, or add --force", "%s is there already", path);
}

/* SQLite's files beside one that was there. */
static void remove_side_files(const char *path)
{
    static const char *const endings[] = {"-wal", "-shm", "-journal"};
    struct e8_buf name;
    e8_buf_init(&name, 64 << 10);
    for (size_t i = 0; i < E8_COUNT(endings); i++) {
        e8_buf_reset(&name);
        e8_buf_printf(&name, "%s%s", path, endings[i]);
        unlink(e8_buf_cstr(&name));
    }
    e8_buf_fini(&name);
}

/* Without --force, what has come there meanwhile stays. */
static enum e8_rc move(const char *from, const char *to, bool force, struct e8_err *err)
{
    if (force) {
        remove_side_files(to);
    }
    int rc = force ? rename(from, to) : renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (rc != 0 && !force && errno == EINVAL) { /* this file system has no such call */
        rc = rename(from, to);
    }
    return rc == 0 ? E8_OK
                   : e8_fail(err, errno == EEXIST ? E8_INPUT : E8_ENV, NULL, "%s cannot be written: %s", to,
                             strerror(errno));
}

static int stopped_by;

static bool stop(void)
{
    stopped_by = stopped_by ? stopped_by : e8_signals_take(0);
    return stopped_by != 0;
}

static enum e8_rc gather(struct e8_merge *merge, const char *path, struct e8_err *err)
{
    struct e8_log_part *parts = e8_new(merge->count, sizeof *parts);
    struct e8_dlog *log = NULL;
    for (size_t i = 0; i < merge->count; i++) {
        parts[i] = (struct e8_log_part){merge->parts[i].reader, &merge->parts[i].run};
    }
    enum e8_rc rc = e8_dlog_open(path, 1, &log, err);
    rc = rc ? rc : e8_dlog_gather(log, &merge->run, parts, merge->count, stop, err);
    e8_dlog_finish(&log, NULL, NULL);
    free(parts);
    return rc;
}

enum e8_rc e8_merge_write(struct e8_merge *merge, const char *path, bool force, int *signal,
                          struct e8_err *err)
{
    const char *made = e8_arena_printf(merge->arena, "%s.merge-%ld", path, (long)getpid());
    e8_signals_init();
    enum e8_rc rc = gather(merge, made, err);
    rc = rc ? rc : move(made, path, force, err);
    if (rc) {
        unlink(made);
        remove_side_files(made);
    }
    *signal = stopped_by;
    return rc;
}
