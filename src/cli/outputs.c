#include "cli/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/runs.h"

#define LINKS_MOST 40

struct named {
    const char *option; /* NULL: a word of the command line, or stdout */
    const char *path;   /* NULL: stdout */
    bool writes, known; /* known: it is there, a regular file */
    dev_t device;
    ino_t number;
    const char *place; /* where it would be made; NULL: in no directory */
};

struct names {
    const struct e8_args *args;
    struct e8_arena *arena;
    struct named *list;
    size_t count, room;
};

/* ---- where a path leads ---- */

/* The real path of the directory, and the name in it. NULL: there is no such directory. */
static const char *place_in(struct e8_str path, struct e8_arena *arena)
{
    size_t n = path.n;
    char real[PATH_MAX];
    while (n > 0 && path.p[n - 1] != '/') {
        n--;
    }
    const char *directory = n ? e8_arena_str(arena, (struct e8_str){path.p, n}).p : ".";
    if (!realpath(directory, real)) {
        return NULL;
    }
    return e8_arena_printf(arena, "%s/%.*s", strcmp(real, "/") == 0 ? "" : real, (int)(path.n - n),
                           path.p + n);
}

/* Through symbolic links, also one that leads to nothing yet. */
static const char *place_of(const char *path, struct e8_arena *arena)
{
    char target[PATH_MAX];
    const char *place = place_in(e8_str(path), arena);
    for (int links = 0; place && links < LINKS_MOST; links++) {
        ssize_t n = readlink(place, target, sizeof target);
        if (n <= 0 || (size_t)n == sizeof target) {
            return place;
        }
        const char *slash = strrchr(place, '/');
        place =
            place_in(e8_str(target[0] == '/' ? e8_arena_printf(arena, "%.*s", (int)n, target)
                                             : e8_arena_printf(arena, "%.*s%.*s", (int)(slash - place) + 1,
                                                               place, (int)n, target)),
                     arena);
    }
    return place;
}

/* ---- what the command line names ---- */

static void add(struct names *names, const char *option, const char *path, bool writes)
{
    struct stat st;
    struct named named = {.option = option, .path = path, .writes = writes};
    int rc = path ? stat(path, &st) : fstat(STDOUT_FILENO, &st);
    named.known = rc == 0 && S_ISREG(st.st_mode);
    if (named.known) {
        named.device = st.st_dev;
        named.number = st.st_ino;
    } else if (rc != 0 && path) {
        named.place = place_of(path, names->arena);
    }
    if (!named.known && !named.place) {
        return;
    }
    if (names->count == names->room) {
        names->room = names->room ? 2 * names->room : 16;
        names->list = e8_resize(names->list, names->room, sizeof *names->list);
    }
    names->list[names->count++] = named;
}

static bool is_dash(const char *path)
{
    return strcmp(path, "-") == 0;
}

static void add_option(struct names *names, const struct e8_option *option)
{
    const char **values = e8_arg_all(names->args, option->name);
    for (size_t i = 0; values && values[i]; i++) {
        if (!is_dash(values[i])) {
            add(names, option->name, values[i], option->may & E8_OPTION_WRITES);
        }
    }
    free(values);
}

/* The log that is meant where none is named. */
static void add_default_log(struct names *names, const struct e8_option *option, bool none)
{
    struct e8_buf path;
    if (strcmp(option->name, "log") != 0 || none || e8_arg(names->args, "log")) {
        return;
    }
    e8_buf_init(&path, 4096);
    if (e8_dlog_default_path(&path, NULL) == E8_OK) {
        add(names, option->name, e8_arena_str(names->arena, e8_buf_str(&path)).p, false);
    }
    e8_buf_fini(&path);
}

static bool has_switch(const struct e8_args *args, const char *name)
{
    for (size_t i = 0; i < args->set_count; i++) {
        if (strcmp(args->set[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A word that is the name of a file is read; FILE@RUN is one as well. */
static void add_words(struct names *names)
{
    for (size_t i = 0; i < names->args->word_count; i++) {
        const char *file;
        int64_t run;
        e8_cli_run_name(names->args->words[i], names->arena, &file, &run);
        if (access(file, F_OK) == 0) {
            add(names, NULL, file, false);
        }
    }
}

static void collect(struct names *names)
{
    const struct e8_command *command = names->args->command;
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name; o++) {
            if (o->may & (E8_OPTION_WRITES | E8_OPTION_READS)) {
                add_option(names, o);
                add_default_log(names, o, has_switch(names->args, "no-log"));
            }
        }
    }
    add_words(names);
    add(names, NULL, NULL, false);
}

/* ---- what does not go together ---- */

static bool is_same(const struct named *a, const struct named *b)
{
    if (a->known || b->known) {
        return a->known && b->known && a->device == b->device && a->number == b->number;
    }
    return strcmp(a->place, b->place) == 0;
}

static enum e8_rc refuse(const struct named *output, const struct named *other, struct e8_err *err)
{
    char hint[80];
    snprintf(hint, sizeof hint, "name another file with --%s", output->option);
    if (!other->path) {
        return e8_fail(err, E8_INPUT, hint, "--%s %s is the file that stdout goes to", output->option,
                       output->path);
    }
    if (!other->option) {
        return e8_fail(err, E8_INPUT, hint, "--%s %s would be written over %s, which is read", output->option,
                       output->path, other->path);
    }
    return e8_fail(err, E8_INPUT, hint, "--%s %s and --%s %s are one file", output->option, output->path,
                   other->option, other->path);
}

static enum e8_rc compare(const struct names *names, struct e8_err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        for (size_t k = 0; k < names->count; k++) {
            const struct named *output = &names->list[i], *other = &names->list[k];
            if (i != k && output->writes && is_same(output, other)) {
                return refuse(output, other, err);
            }
        }
    }
    return E8_OK;
}

const char *e8_cli_stdout_of(const struct e8_args *args)
{
    for (size_t i = 0; i < args->set_count; i++) {
        if ((args->set[i].option->may & E8_OPTION_WRITES) && is_dash(args->set[i].value)) {
            return args->set[i].option->name;
        }
    }
    return NULL;
}

static enum e8_rc check_stdout(const struct e8_args *args, struct e8_err *err)
{
    const char *first = e8_cli_stdout_of(args);
    for (size_t i = 0; first && i < args->set_count; i++) {
        const struct e8_option *option = args->set[i].option;
        const char *value = args->set[i].value;
        bool dash = (option->may & E8_OPTION_WRITES) && is_dash(value);
        if (dash && !(option->may & E8_OPTION_STDOUT)) {
            return e8_fail(err, E8_INPUT, "name a file", "--%s - cannot go to stdout", option->name);
        }
        if (dash && strcmp(option->name, first) != 0) {
            return e8_fail(err, E8_INPUT, "name a file for one of them",
                           "--%s - and --%s - both go to stdout", first, option->name);
        }
        if (strcmp(option->name, "format") == 0) {
            return e8_fail(err, E8_INPUT, "leave one of them out, or name a file",
                           "--format %s and --%s - both go to stdout", value, first);
        }
    }
    return E8_OK;
}

static enum e8_rc check_names(const struct e8_args *args, struct e8_err *err)
{
    for (size_t i = 0; i < args->set_count; i++) {
        const struct e8_option *option = args->set[i].option;
        if ((option->may & E8_OPTION_WRITES) && !args->set[i].value[0]) {
            return e8_fail(err, E8_INPUT, "name a file", "--%s: the name of the file is empty", option->name);
        }
    }
    return E8_OK;
}

enum e8_rc e8_cli_outputs_check(const struct e8_args *args, struct e8_err *err)
{
    struct names names = {.args = args, .arena = e8_arena_new()};
    enum e8_rc rc = check_names(args, err);
    rc = rc ? rc : check_stdout(args, err);
    if (!rc) {
        collect(&names);
        rc = compare(&names, err);
    }
    free(names.list);
    e8_arena_free(&names.arena);
    return rc;
}

/* ---- may it be written ---- */

/* What is no regular file (a pipe, a terminal) is not opened: whoever reads it would see its end. */
static bool may_open(const char *path, mode_t mode)
{
    if (!S_ISREG(mode)) {
        return access(path, W_OK) == 0;
    }
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* Whether a file can be made is known when one has been. */
static bool may_make(const char *path)
{
    struct e8_arena *arena = e8_arena_new();
    const char *place = place_of(path, arena);
    int fd = open(place ? place : path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    int cause = errno;
    if (fd >= 0) {
        close(fd);
        unlink(place ? place : path);
    }
    e8_arena_free(&arena);
    errno = cause;
    return fd >= 0;
}

enum e8_rc e8_cli_may_write(const char *option, const char *path, struct e8_err *err)
{
    struct stat st;
    if (is_dash(path)) {
        return E8_OK;
    }
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode)) {
        return e8_fail(err, E8_INPUT, "name a file", "--%s %s: Is a directory", option, path);
    }
    return (there ? may_open(path, st.st_mode) : may_make(path))
               ? E8_OK
               : e8_fail(err, E8_ENV, "a file in a directory that exists and may be written", "--%s %s: %s",
                         option, path, strerror(errno));
}
