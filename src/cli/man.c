#include <string.h>

#include "cli/args.h"

/* The manual page in the man(7) language, from the tables that parse the command line. */

#define RELEASED "2026-11-23"

static const struct {
    const struct e8_option *options;
    const char *title, *intro;
} groups[] = {
    {e8_options_workers, "Worker options", "The threads that send."},
    {e8_options_endpoint, "Endpoint options", "How deliveries are signed and retried."},
    {e8_options_reach, "Connection options", "How receivers are reached; the names are those of curl."},
    {e8_options_output, "Output options", "The report, thresholds and the delivery log."},
    {e8_options_reports, "Report files", "The same report in files, as many as are wanted."},
    {e8_options_general, "General options", "Every command takes them."},
};

struct entry {
    const char *name, *text;
};

/* The code point at the start of a text of our tables, which are valid UTF-8; *n is its length. */
static unsigned code_point(struct e8_str text, size_t *n)
{
    unsigned char lead = (unsigned char)text.p[0];
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned point = lead & (0x7fu >> length);
    E8_ASSERT(lead >= 0xc0 && length <= text.n);
    for (size_t i = 1; i < length; i++) {
        point = point << 6 | ((unsigned char)text.p[i] & 0x3fu);
    }
    *n = length;
    return point;
}

/* The text of a line: nothing in it is taken for a request or an escape, and what is not ASCII is named by its code point. */
static void put_text(struct e8_str text, FILE *out)
{
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {{'\\', "\\(rs"}, {'-', "\\-"},   {'\'', "\\(aq"}, {'"', "\\(dq"},
                   {'^', "\\(ha"},  {'~', "\\(ti"}, {'`', "\\(ga"}};
    size_t i = 0;
    if (text.n && (text.p[0] == '.' || text.p[0] == '\'')) {
        fputs("\\&", out);
    }
    while (i < text.n) {
        size_t e = 0;
        while (e < E8_COUNT(escapes) && escapes[e].c != text.p[i]) {
            e++;
        }
        if (e < E8_COUNT(escapes)) {
            fputs(escapes[e].escape, out);
            i++;
        } else if ((unsigned char)text.p[i] < 0x80) {
            fputc(text.p[i++], out);
        } else {
            size_t n;
            fprintf(out, "\\[u%04X]", code_point((struct e8_str){text.p + i, text.n - i}, &n));
            i += n;
        }
    }
}

static void put(const char *text, FILE *out)
{
    put_text(e8_str(text), out);
}

/* A request with one argument: ".SH TITLE", ".B word". */
static void request(const char *name, const char *argument, FILE *out)
{
    fprintf(out, ".%s \"", name);
    put(argument, out);
    fputs("\"\n", out);
}

static void paragraph(const char *text, FILE *out)
{
    put(text, out);
    fputs("\n", out);
}

/* A text of several lines, as it stands. */
static void example(const char *text, FILE *out)
{
    fputs(".PP\n.nf\n.RS 4\n", out);
    while (*text) {
        size_t n = strcspn(text, "\n");
        put_text(e8_str_trim((struct e8_str){text, n}), out);
        fputs("\n", out);
        text += n + (text[n] == '\n');
    }
    fputs(".RE\n.fi\n", out);
}

static void put_option(const struct e8_option *option, FILE *out)
{
    fputs(".TP\n", out);
    if (option->letter) {
        fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    }
    fputs("\\fB\\-\\-", out);
    put(option->name, out);
    fputs("\\fR", out);
    if (option->arg) {
        fputs(" \\fI", out);
        put(option->arg, out);
        fputs("\\fR", out);
    }
    fputs("\n", out);
    paragraph(option->help, out);
}

static void put_options(const struct e8_option *options, FILE *out)
{
    for (const struct e8_option *o = options; o->name; o++) {
        put_option(o, out);
    }
}

static const char *group_title(const struct e8_option *options)
{
    for (size_t i = 0; i < E8_COUNT(groups); i++) {
        if (groups[i].options == options) {
            return groups[i].title;
        }
    }
    return NULL;
}

/* "Beside these: Endpoint options, General options." */
static void put_shared(const struct e8_command *command, FILE *out)
{
    const char *before = ".PP\nBelow: ";
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        const char *title = group_title(command->groups[g]);
        if (title) {
            fputs(before, out);
            put(title, out);
            before = ", ";
        }
    }
    fputs(".\n", out);
}

static void put_command(const struct e8_command *command, FILE *out)
{
    request("SS", command->name, out);
    fputs("\\fBemit8 ", out);
    put(command->name, out);
    fputs("\\fR ", out);
    paragraph(command->synopsis, out);
    fputs(".PP\n", out);
    paragraph(command->summary, out);
    if (command->detail) {
        example(command->detail, out);
    }
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        if (!group_title(command->groups[g])) {
            put_options(command->groups[g], out);
        }
    }
    put_shared(command, out);
}

static void put_synopsis(FILE *out)
{
    request("SH", "SYNOPSIS", out);
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        fputs(c == e8_commands ? "" : ".br\n", out);
        fputs("\\fBemit8 ", out);
        put(c->name, out);
        fputs("\\fR ", out);
        paragraph(c->synopsis, out);
    }
}

static void put_entries(const struct entry *entries, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        fputs(".TP\n", out);
        request("B", entries[i].name, out);
        paragraph(entries[i].text, out);
    }
}

static void put_files(FILE *out)
{
    static const struct entry files[] = {
        {"$XDG_STATE_HOME/emit8/deliveries.db", "The delivery log, an SQLite file, where neither --log nor "
                                                "EMIT8_LOG names another; without XDG_STATE_HOME it is "
                                                "~/.local/state/emit8/deliveries.db."},
        {"fixtures/", "Event types, payloads, schemas, word lists and signature schemes. They are built into "
                      "the program; emit8 events export "
                      "writes them out, --fixtures lays changed ones over them."},
        {"scenarios/", "The scenarios that are built in: support-day, fan-out, quick."},
    };
    request("SH", "FILES", out);
    put_entries(files, E8_COUNT(files), out);
}

/* Several commands have a --seed: is this row the first of its name? */
static bool is_first(const struct e8_command *command, const struct e8_option *option)
{
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        for (size_t g = 0; g < E8_GROUPS_MAX && c->groups[g]; g++) {
            for (const struct e8_option *o = c->groups[g]; o->name; o++) {
                if ((o->may & E8_OPTION_ENV) && strcmp(o->name, option->name) == 0) {
                    return c == command && o == option;
                }
            }
        }
    }
    return false;
}

static void put_variable(const struct e8_option *option, FILE *out)
{
    fputs(".TP\n.B EMIT8_", out);
    for (const char *p = option->name; *p; p++) {
        fputc(*p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p, out);
    }
    fputs("\nThe same as \\fB\\-\\-", out);
    put(option->name, out);
    fputs("\\fR.\n", out);
}

static void put_environment(FILE *out)
{
    static const struct entry others[] = {
        {"EMIT8_SECRET", "The endpoint's secret, where no --secret-file is given."},
        {"EMIT8_NOTIFY_SECRET",
         "The secret of emit8 serve --notify, where no --notify-secret-file is given."},
        {"NO_COLOR", "No colour, unless --color asks for it."},
        {"XDG_STATE_HOME, HOME", "Where the delivery log is; see FILES."},
    };
    request("SH", "ENVIRONMENT", out);
    paragraph("An option on the command line beats its variable, a variable beats the scenario and the "
              "defaults. Proxy variables "
              "are never used.",
              out);
    put_entries(others, E8_COUNT(others), out);
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        for (size_t g = 0; g < E8_GROUPS_MAX && c->groups[g]; g++) {
            for (const struct e8_option *o = c->groups[g]; o->name; o++) {
                if ((o->may & E8_OPTION_ENV) && is_first(c, o)) {
                    put_variable(o, out);
                }
            }
        }
    }
}

static void put_exit_status(FILE *out)
{
    static const struct entry codes[] = {
        {"0", "All passed."},
        {"1", "A threshold failed or, where no threshold speaks of it, a delivery ended undelivered; verify: "
              "it does not verify."},
        {"2", "The usage or the input is wrong; nothing was run."},
        {"3", "It could not run: files, the network, memory, the delivery log."},
        {"4", "The run is invalid: it tested nothing, emit8 itself was the limit, or it was killed."},
        {"130, 143",
         "Stopped by SIGINT or SIGTERM; the report was still printed. 129: by SIGHUP, on a terminal."},
    };
    request("SH", "EXIT STATUS", out);
    put_entries(codes, E8_COUNT(codes), out);
}

static void put_examples(FILE *out)
{
    request("SH", "EXAMPLES", out);
    paragraph("One event to a receiver under development:", out);
    example("emit8 send message.received --to http://localhost:3000/hooks", out);
    fputs(".PP\n", out);
    paragraph("A test receiver that fails now and then, and a day of events for it:", out);
    example("emit8 sink --listen 127.0.0.1:9000 --secret-file secret.txt --status 200:95,503:5\n"
            "emit8 run support-day --to http://127.0.0.1:9000/hooks --secret-file secret.txt",
            out);
    fputs(".PP\n", out);
    paragraph("What went wrong, and one of them again:", out);
    example("emit8 log --failed\n"
            "emit8 log --show dlv_01kawx5m6y2d8\xe2\x80\xa6\n"
            "emit8 log --resend dlv_01kawx5m6y2d8\xe2\x80\xa6",
            out);
}

void e8_help_man(FILE *out)
{
    fprintf(out, ".TH EMIT8 1 \"%s\" \"emit8 %s\" \"User Commands\"\n", RELEASED, E8_VERSION);
    fputs(".nh\n.ad l\n", out);
    request("SH", "NAME", out);
    fputs("emit8 \\- signed webhook deliveries from your own machine\n", out);
    put_synopsis(out);
    request("SH", "DESCRIPTION", out);
    paragraph("emit8 stands in for the 8bit-ai webhook platform: it sends realistic, signed webhook "
              "deliveries to your receivers, "
              "one event or whole scenarios, retries as the platform does, logs every attempt, and reports.",
              out);
    fputs(".PP\n", out);
    paragraph("Results go to the standard output, progress and errors to the standard error. Targets other "
              "than this machine need "
              "--allow-target. Secrets come from files, the environment or the scenario, never from the "
              "command line.",
              out);
    request("SH", "COMMANDS", out);
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        put_command(c, out);
    }
    request("SH", "OPTIONS", out);
    for (size_t i = 0; i < E8_COUNT(groups); i++) {
        request("SS", groups[i].title, out);
        paragraph(groups[i].intro, out);
        put_options(groups[i].options, out);
    }
    put_files(out);
    put_environment(out);
    put_exit_status(out);
    put_examples(out);
    request("SH", "SEE ALSO", out);
    fputs(".BR curl (1),\n.BR sqlite3 (1)\n", out);
}
