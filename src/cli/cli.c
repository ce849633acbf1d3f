#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/outputs.h"
#include "cli/session.h"
#include "cli/shard.h"

const struct e8_option e8_no_options[] = {{NULL, 0, NULL, NULL, 0}};

const struct e8_command e8_commands[] = {
    {"send",
     "send one event, or many of some types",
     "TYPE|PATTERN… --to URL [options]",
     "  emit8 send message.received --to http://localhost:3000/hooks\n"
     "  emit8 send 'conversation.*' --to http://localhost:3000/hooks -n 100 --rate 20/s\n"
     "  emit8 send message.received --to http://localhost:3000/hooks --set data.channel=web --dry-run\n",
     1,
     -1,
     {e8_send_options, e8_options_workers, e8_options_endpoint, e8_options_reach, e8_options_output,
      e8_options_reports, e8_options_general, NULL},
     e8_cmd_send},
    {"run",
     "run a scenario: a file, or a built-in one by name",
     "SCENARIO [options]",
     "  emit8 run support-day --sink\n"
     "  emit8 run scenario.yaml --dry-run\n"
     "  emit8 run scenario.yaml --to http://localhost:3000/hooks --threshold 'p(99) < 500ms'\n"
     "  emit8 run scenario.yaml --to crm=http://localhost:3000/crm --to audit=http://localhost:3000/audit "
     "--speed 10x\n",
     1,
     1,
     {e8_run_options, e8_options_workers, e8_options_shard, e8_options_endpoint, e8_options_reach,
      e8_options_output, e8_options_reports, e8_options_general, NULL},
     e8_cmd_run},
    {"load",
     "a load test from flags alone",
     "--to URL [TYPE|PATTERN…] [options]",
     "  emit8 load --to http://localhost:3000/hooks --rate 500/s -z 1m --threshold 'p(99) < 250ms'\n"
     "  emit8 load --to http://localhost:3000/hooks 'message.*' -c 64 -z 30s --warmup 5s\n"
     "  emit8 load --to http://localhost:3000/hooks --stages '0..500/s:1m,500/s:5m' --process poisson\n"
     "\nWithout a type all are sent, each as often as the catalogue weighs it.\n",
     0,
     -1,
     {e8_load_options, e8_options_workers, e8_options_shard, e8_options_endpoint, e8_options_reach,
      e8_options_output, e8_options_reports, e8_options_general, NULL},
     e8_cmd_load},
    {"find-max",
     "the highest rate that a receiver holds an objective at",
     "--to URL [TYPE|PATTERN…] --slo RULE [options]",
     "  emit8 find-max --to http://localhost:3000/hooks --slo 'p(99) < 200ms' --slo 'success >= 99.9%'\n"
     "  emit8 find-max --to http://localhost:3000/hooks 'message.*' --slo 'p(95) < 50ms' --from 200/s --max "
     "5000/s "
     "--for 30s\n"
     "\nThe rate doubles until an objective does not hold, then the gap is halved; what was found must hold "
     "once more.\n"
     "\nExit code: 0 a rate was found, 1 even the lowest does not hold, or none twice, 4 nothing valid was "
     "measured.\n",
     0,
     -1,
     {e8_find_max_options, e8_options_workers, e8_options_endpoint, e8_options_reach, e8_options_general,
      NULL},
     e8_cmd_find_max},
    {"validate",
     "find every fault of scenario files",
     "FILE|DIRECTORY|-… [options]",
     "  emit8 validate scenario.yaml\n"
     "  emit8 validate scenarios/ --format json\n"
     "  emit8 validate --schema > scenario.schema.json\n",
     0,
     -1,
     {e8_validate_options, e8_options_general, NULL},
     e8_cmd_validate},
    {"init",
     "write a scenario to start from, or show the built-in ones",
     "[NAME] [options]",
     "  emit8 init\n"
     "  emit8 init --list\n"
     "  emit8 init my-day --from support-day\n",
     0,
     1,
     {e8_init_options, e8_options_general, NULL},
     e8_cmd_init},
    {"check",
     "check a receiver: does it survive what happens in production",
     "--to URL --secret-file FILE [options]",
     "  emit8 check --to http://localhost:3000/hooks --secret-file secret.txt\n"
     "  emit8 check --to http://localhost:3000/hooks --secret-file secret.txt --only SIG,RAW-03\n"
     "  emit8 check --to http://localhost:3000/hooks --secret-file secret.txt --effect-get "
     "http://localhost:3000/count --effect-pointer /count --report-junit check.xml\n"
     "\nExit code: 0 nothing failed, 1 a probe failed, 4 a valid delivery was not accepted, so that nothing "
     "can be said.\n",
     0,
     0,
     {e8_check_options, e8_options_reach, e8_options_general, NULL},
     e8_cmd_check},
    {"sink",
     "a test receiver: verifies, is slow or fails as told, keeps receipts",
     "[options]",
     "  emit8 sink --listen 127.0.0.1:9000 --secret-file secret.txt\n"
     "  emit8 sink --status 200:95,503:4,429:1 --latency lognormal:20ms,1.5 --fail reset:1%\n",
     0,
     0,
     {e8_sink_options, e8_options_general, NULL},
     e8_cmd_sink},
    {"serve",
     "the mock platform: its API, durable deliveries, and a dashboard in the browser",
     "[options]",
     "  emit8 serve\n"
     "  emit8 serve --listen 127.0.0.1:0 --state ./state --plan starter\n"
     "  emit8 serve --allow-target hooks.example.com --notify http://localhost:3000/alerts --format ndjson\n"
     "\nEndpoints are made over the API (GET /openapi.json tells how) or in the browser; an event that was "
     "accepted is\n"
     "delivered at least once, also after a kill. Each delivery that fails for good is a line on stdout.\n",
     0,
     0,
     {e8_serve_options, e8_options_reach, e8_options_general, NULL},
     e8_cmd_serve},
    {"replay",
     "send again what a sink recorded, or what a run sent",
     "RECORDING|LOG --to URL [options]",
     "  emit8 sink --record day.yaml\n"
     "  emit8 replay day.yaml --to http://localhost:3000/hooks\n"
     "  emit8 replay day.yaml --to http://localhost:3000/hooks --speed max --type 'conversation.*'\n"
     "  emit8 replay deliveries.db --run 7 --to http://localhost:3000/hooks --secret-file secret.txt "
     "--fresh-time\n",
     1,
     1,
     {e8_replay_options, e8_options_workers, e8_options_endpoint, e8_options_reach, e8_options_output,
      e8_options_reports, e8_options_general, NULL},
     e8_cmd_replay},
    {"events",
     "list, show, export and validate event types",
     "[list | show TYPE… | schema TYPE | export DIR | export --asyncapi | validate DIR]",
     "  emit8 events\n"
     "  emit8 events show message.received -n 3 --seed 7\n"
     "  emit8 events export my-fixtures && emit8 events validate my-fixtures\n"
     "  emit8 events export --asyncapi > asyncapi.json\n",
     0,
     -1,
     {e8_events_options, e8_options_general, NULL},
     e8_cmd_events},
    {"log",
     "query, follow, show and resend what was delivered",
     "[FILE] [options]",
     "  emit8 log --status 5xx --type 'agent.*'\n"
     "  emit8 log --follow --failed\n"
     "  emit8 log --show dlv_01…\n",
     0,
     1,
     {e8_log_options, e8_options_endpoint, e8_options_reach, e8_options_general, NULL},
     e8_cmd_log},
    {"report",
     "the report of a run, or of several beside each other, from their logs",
     "[FILE[@RUN]…] [options]",
     "  emit8 report\n"
     "  emit8 report deliveries.db --run 3 --format json\n"
     "  emit8 report --format html > report.html\n"
     "  emit8 report monday.db tuesday.db@2 --format html > compared.html\n"
     "\nSeveral runs, of several files or by several --run, are compared with the first.\n",
     0,
     -1,
     {e8_report_options, e8_options_general, NULL},
     e8_cmd_report},
    {"diff",
     "what changed from one run to another, and whether it is too much",
     "A B [options]",
     "  emit8 diff monday.db tuesday.db\n"
     "  emit8 diff deliveries.db@3 deliveries.db@7\n"
     "  emit8 diff baseline.json deliveries.db --fail-if 'p(99) > +10%' --fail-if 'success < -0.1pp'\n"
     "\nA and B are logs (FILE, FILE@RUN, or @RUN of the default log) or JSON reports.\n"
     "\nExit code: 0 no rule fails, 1 one does, 4 the runs cannot be compared: one is invalid, or their "
     "plans "
     "differ.\n",
     2,
     2,
     {e8_diff_options, e8_options_general, NULL},
     e8_cmd_diff},
    {"merge",
     "make one run of the shards that several machines ran",
     "FILE… -o ALL.db | - [options]",
     "  emit8 merge a.db b.db c.db d.db -o all.db\n"
     "  emit8 merge a.db b.db -o all.db --threshold 'p(99) < 250ms' --report-junit load.xml\n"
     "  kubectl logs --selector job-name=emit8 --tail=-1 | emit8 merge -\n"
     "\n- reads the shards' results from stdin, as --format shard prints them; other lines are passed over.\n"
     "A shard that is missing, comes twice, is of another run, or was run with other options is an error, "
     "and nothing\n"
     "is written.\n",
     1,
     -1,
     {e8_merge_options, e8_options_reports, e8_options_general, NULL},
     e8_cmd_merge},
    {"sign",
     "sign a body from a file or stdin",
     "[FILE|-] --secret-file FILE [options]",
     "  emit8 sign body.json --secret-file secret.txt --scheme github\n"
     "  emit8 sign --explain < body.json\n",
     0,
     1,
     {e8_sign_options, e8_options_general, NULL},
     e8_cmd_sign},
    {"verify",
     "verify a signed body, and say why it does not verify",
     "[FILE|-] -H 'NAME: VALUE'… --secret-file FILE [options]",
     "  emit8 verify body.json --secret-file secret.txt -H 'X-8bit-Signature-256: sha256=…' --explain\n",
     0,
     1,
     {e8_verify_options, e8_options_general, NULL},
     e8_cmd_verify},
    {"completion",
     "completion for a shell",
     "bash|zsh|fish",
     "  source <(emit8 completion bash)\n",
     1,
     1,
     {e8_no_options, e8_options_general, NULL},
     e8_cmd_completion},
    {"version",
     "versions of emit8 and of its libraries",
     "",
     NULL,
     0,
     0,
     {e8_no_options, e8_options_general, NULL},
     e8_cmd_version},
    {NULL, NULL, NULL, NULL, 0, 0, {NULL}, NULL},
};

/* A closed stdin, stdout or stderr must not become the number of a socket or of the log. */
static void guard_stdio(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            int null = open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
            (void)null;
        }
    }
}

static int unknown_command(const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (const struct e8_command *c = e8_commands; c->name && n < E8_COUNT(names) - 1; c++) {
        names[n++] = c->name;
    }
    names[n] = NULL;
    struct e8_err err = {0};
    char hint[E8_HINT_MAX];
    e8_hint_near(e8_str(name), names, "emit8 --help lists them", hint);
    e8_fail(&err, E8_INPUT, hint, "unknown command \"%s\"", name);
    return e8_exit_error(&err);
}

static enum e8_rc check_color(const struct e8_args *args, struct e8_err *err)
{
    const char *when = e8_arg(args, "color");
    if (when && strcmp(when, "auto") != 0 && strcmp(when, "always") != 0 && strcmp(when, "never") != 0) {
        return e8_fail(err, E8_INPUT, "auto, always or never", "--color \"%s\" is not known", when);
    }
    return E8_OK;
}

static int run_command(const struct e8_command *command, int argc, char **argv)
{
    struct e8_args args;
    struct e8_err err = {0};
    int code;
    if (e8_args_parse(command, argc, argv, &args, &err)) {
        code = e8_exit_error(&err);
    } else if (check_color(&args, &err)) {
        code = e8_exit_error(&err);
    } else if (e8_arg_set(&args, "help")) {
        e8_help_command(command, stdout);
        code = 0;
    } else if (e8_cli_outputs_check(&args, &err)) {
        code = e8_exit_error(&err);
    } else {
        code = command->run(&args);
    }
    e8_args_fini(&args);
    return code;
}

static int show_help(const char *topic)
{
    const struct e8_command *command = topic ? e8_command_find(topic) : NULL;
    if (command) {
        e8_help_command(command, stdout);
    } else if (topic && strcmp(topic, "--man") == 0) {
        e8_help_man(stdout);
    } else if (topic) {
        return unknown_command(topic);
    } else {
        e8_help_all(stdout);
    }
    return 0;
}

static int run(int argc, char **argv)
{
    guard_stdio();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        e8_help_all(stderr);
        return E8_EXIT_INPUT;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return show_help(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    const struct e8_command *command = e8_command_find(name);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(name);
}

/* A result that did not reach stdout whole is no result; only a reader that went away (| head) is none of our business. */
static int check_stdout(int code)
{
    int flushed = fflush(stdout), reason = errno;
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (!flushed && !ferror(stdout)) {
        return code;
    }
    if (poll(&out, 1, 0) > 0 && (out.revents & POLLERR)) {
        return code;
    }
    struct e8_err err = {0};
    e8_fail(&err, E8_ENV, "is the disk full?", "what stands on stdout is not whole: %s",
            strerror(flushed ? reason : EIO));
    return e8_exit_error(&err);
}

int e8_cli_main(int argc, char **argv)
{
    return check_stdout(run(argc, argv));
}
