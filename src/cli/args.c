#include "cli/args.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const struct e8_command *e8_command_find(const char *name)
{
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static const struct e8_option *find_option(const struct e8_command *command, struct e8_str name, char letter)
{
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name; o++) {
            if (letter ? o->letter == letter : e8_str_is(name, o->name)) {
                return o;
            }
        }
    }
    return NULL;
}

static enum e8_rc unknown_option(const struct e8_command *command, struct e8_str name, struct e8_err *err)
{
    const char *names[256];
    size_t n = 0;
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name && n < E8_COUNT(names) - 1; o++) {
            names[n++] = o->name;
        }
    }
    names[n] = NULL;
    const char *near = e8_suggest(name, names);
    struct e8_buf hint;
    char text[160];
    e8_buf_fixed(&hint, text, sizeof text - 1);
    if (near) {
        e8_buf_printf(&hint, "did you mean --%s?", near);
    } else {
        e8_buf_printf(&hint, "emit8 %s --help lists them", command->name);
    }
    return e8_fail(err, E8_INPUT, e8_buf_cstr(&hint), "unknown option --%.*s", E8_STR(name));
}

static void add_value(struct e8_args *out, const struct e8_option *option, const char *value)
{
    out->set[out->set_count].option = option;
    out->set[out->set_count++].value = value;
}

/* One of two values would be passed over; a switch is on, however often it is given. */
static enum e8_rc check_once(const struct e8_args *args, struct e8_err *err)
{
    for (size_t i = 0; i < args->set_count; i++) {
        const struct e8_option *option = args->set[i].option;
        bool once = option->arg && !(option->may & E8_OPTION_REPEATS);
        for (size_t j = 0; once && j < i; j++) {
            if (args->set[j].option == option) {
                return e8_fail(err, E8_INPUT, "leave one of them out", "--%s is given twice", option->name);
            }
        }
    }
    return E8_OK;
}

static enum e8_rc need_value(const struct e8_option *option, struct e8_err *err)
{
    return e8_fail(err, E8_INPUT, option->help, "option --%s needs a value %s", option->name, option->arg);
}

static enum e8_rc parse_long(struct e8_args *out, const char *text, char **argv, int *i, int argc,
                             struct e8_err *err)
{
    const char *equals = strchr(text, '=');
    struct e8_str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    const struct e8_option *option = find_option(out->command, name, 0);
    if (!option) {
        return unknown_option(out->command, name, err);
    }
    if (!option->arg) {
        if (equals) {
            return e8_fail(err, E8_INPUT, NULL, "option --%s takes no value", option->name);
        }
        add_value(out, option, NULL);
        return E8_OK;
    }
    if (!equals && *i + 1 >= argc) {
        return need_value(option, err);
    }
    add_value(out, option, equals ? equals + 1 : argv[++*i]);
    return E8_OK;
}

static enum e8_rc parse_letters(struct e8_args *out, const char *text, char **argv, int *i, int argc,
                                struct e8_err *err)
{
    for (; *text; text++) {
        const struct e8_option *option = find_option(out->command, E8_LIT(""), *text);
        if (!option) {
            char hint[80];
            struct e8_buf buf;
            e8_buf_fixed(&buf, hint, sizeof hint - 1);
            e8_buf_printf(&buf, "emit8 %s --help lists them", out->command->name);
            return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "unknown option -%c", *text);
        }
        if (option->arg) {
            if (!text[1] && *i + 1 >= argc) {
                return need_value(option, err);
            }
            add_value(out, option, text[1] ? text + 1 : argv[++*i]);
            return E8_OK;
        }
        add_value(out, option, NULL);
    }
    return E8_OK;
}

/* The first word of the synopsis says what it would be. */
static const char *missing(const struct e8_command *command)
{
    static const struct {
        const char *word, *text;
    } rows[] = {
        {"TYPE", "no event type is given; \"emit8 events\" lists them"},
        {"SCENARIO", "no scenario is given; \"emit8 init --list\" names the built-in ones"},
        {"RECORDING", "no recording and no log is given"},
        {"FILE…", "no log is given, and no \"-\" for stdin"},
        {"A B", "no two runs are given"},
        {"bash", "no shell is given"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        if (strncmp(command->synopsis, rows[i].word, strlen(rows[i].word)) == 0) {
            return rows[i].text;
        }
    }
    return "a word is missing";
}

static enum e8_rc check_words(const struct e8_args *args, struct e8_err *err)
{
    const struct e8_command *command = args->command;
    char hint[200];
    struct e8_buf buf;
    e8_buf_fixed(&buf, hint, sizeof hint - 1);
    e8_buf_printf(&buf, "emit8 %s %s", command->name, command->synopsis);
    if (command->max_words >= 0 && args->word_count > (size_t)command->max_words) {
        return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "\"%s\" is one word too many",
                       args->words[command->max_words]);
    }
    if (args->word_count < (size_t)command->min_words && !e8_arg_set(args, "help")) {
        return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "%s: %s", command->name, missing(command));
    }
    return E8_OK;
}

enum e8_rc e8_args_parse(const struct e8_command *command, int argc, char **argv, struct e8_args *out,
                         struct e8_err *err)
{
    size_t letters = 1;
    for (int i = 0; i < argc; i++) {
        letters += strlen(argv[i]) + 1;
    }
    memset(out, 0, sizeof *out);
    out->command = command;
    out->words = e8_new((size_t)argc + 1, sizeof *out->words);
    out->set = e8_new(letters, sizeof *out->set);
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        enum e8_rc rc = E8_OK;
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            rc = parse_long(out, argv[i] + 2, argv, &i, argc, err);
        } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
            rc = parse_letters(out, argv[i] + 1, argv, &i, argc, err);
        } else {
            out->words[out->word_count++] = argv[i];
        }
        if (rc) {
            return rc;
        }
    }
    enum e8_rc rc = check_once(out, err);
    return rc ? rc : check_words(out, err);
}

void e8_args_fini(struct e8_args *args)
{
    free(args->words);
    free(args->set);
    memset(args, 0, sizeof *args);
}

static const char *from_env(const struct e8_option *option)
{
    char name[80] = "EMIT8_";
    size_t n = strlen(name);
    for (const char *p = option->name; *p && n < sizeof name - 1; p++) {
        name[n++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    }
    name[n] = '\0';
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool e8_args_know(const struct e8_args *args, const char *name)
{
    return find_option(args->command, e8_str(name), 0) != NULL;
}

const char *e8_arg(const struct e8_args *args, const char *name)
{
    const struct e8_option *option = find_option(args->command, e8_str(name), 0);
    E8_ASSERT(option);
    for (size_t i = args->set_count; i > 0; i--) {
        if (args->set[i - 1].option == option) {
            return args->set[i - 1].value;
        }
    }
    return (option->may & E8_OPTION_ENV) ? from_env(option) : NULL;
}

bool e8_arg_set(const struct e8_args *args, const char *name)
{
    const struct e8_option *option = find_option(args->command, e8_str(name), 0);
    E8_ASSERT(option);
    for (size_t i = 0; i < args->set_count; i++) {
        if (args->set[i].option == option) {
            return true;
        }
    }
    return (option->may & E8_OPTION_ENV) && from_env(option);
}

const char **e8_arg_all(const struct e8_args *args, const char *name)
{
    const struct e8_option *option = find_option(args->command, e8_str(name), 0);
    E8_ASSERT(option);
    const char **list = e8_new(args->set_count + 2, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < args->set_count; i++) {
        if (args->set[i].option == option) {
            list[n++] = args->set[i].value;
        }
    }
    if (n == 0 && (option->may & E8_OPTION_ENV) && from_env(option)) {
        list[n++] = from_env(option);
    }
    if (n == 0) {
        free(list);
        return NULL;
    }
    return list;
}

enum e8_rc e8_arg_dur(const struct e8_args *args, const char *name, e8_dur_ns *out, struct e8_err *err)
{
    const char *text = e8_arg(args, name);
    if (text && !e8_parse_dur(e8_str(text), out)) {
        return e8_fail(err, E8_INPUT, "a number with a unit: 500ms, 5s, 2m", "--%s \"%s\" is no duration",
                       name, text);
    }
    return E8_OK;
}

enum e8_rc e8_arg_rate(const struct e8_args *args, const char *name, struct e8_rate *out, struct e8_err *err)
{
    const char *text = e8_arg(args, name);
    if (text && !e8_parse_rate(e8_str(text), out)) {
        return e8_fail(err, E8_INPUT, "events per time: 100/s, 30/m, 2.5/h", "--%s \"%s\" is no rate", name,
                       text);
    }
    return E8_OK;
}

enum e8_rc e8_arg_u64(const struct e8_args *args, const char *name, uint64_t low, uint64_t high,
                      uint64_t *out, struct e8_err *err)
{
    const char *text = e8_arg(args, name);
    uint64_t value;
    if (!text) {
        return E8_OK;
    }
    if (!e8_parse_u64(e8_str(text), &value) || value < low || value > high) {
        char hint[80];
        struct e8_buf buf;
        e8_buf_fixed(&buf, hint, sizeof hint - 1);
        e8_buf_printf(&buf, "a whole number from %llu to %llu", (unsigned long long)low,
                      (unsigned long long)high);
        return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "--%s \"%s\" %s", name, text,
                       e8_whole_fault(e8_str(text)));
    }
    *out = value;
    return E8_OK;
}

enum e8_rc e8_arg_factor(const struct e8_args *args, const char *name, double *out, struct e8_err *err)
{
    const char *text = e8_arg(args, name);
    double value;
    if (!text) {
        return E8_OK;
    }
    if (!e8_parse_factor(e8_str(text), &value) || value < 0.001 || value > 1000) {
        return e8_fail(err, E8_INPUT, "a factor from 0.001x to 1000x, like 10x", "--%s \"%s\" is no factor",
                       name, text);
    }
    *out = value;
    return E8_OK;
}

enum e8_rc e8_arg_time(const struct e8_args *args, const char *name, e8_wall_ns *out, struct e8_err *err)
{
    const char *text = e8_arg(args, name);
    uint64_t seconds;
    e8_dur_ns ago;
    if (!text || e8_wall_parse(e8_str(text), out)) {
        return E8_OK;
    }
    if (e8_parse_u64(e8_str(text), &seconds) && seconds < 253402300800u) {
        *out = (e8_wall_ns)seconds * E8_NS_S;
    } else if (e8_parse_dur(e8_str(text), &ago)) {
        *out = e8_wall_now() - ago;
    } else {
        return e8_fail(err, E8_INPUT, "2026-03-01T12:00:00Z, Unix seconds, or a time before now: 10m",
                       "--%s \"%s\" is no time", name, text);
    }
    return E8_OK;
}
