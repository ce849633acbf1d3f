#include <string.h>

#include "cli/args.h"

#define COLUMN 30

const struct e8_option e8_options_general[] = {
    {"help", 'h', NULL, "this text", 0},
    {"color", 0, "auto|always|never", "NO_COLOR is honoured", E8_OPTION_ENV},
    {"quiet", 'q', NULL, "no progress; notes and warnings on stderr stay", 0},
    {"fixtures", 0, "DIR", "a directory laid over the built-in fixtures, file by file", E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

const struct e8_option e8_options_reach[] = {
    {"insecure", 'k', NULL, "do not verify the receiver's certificate; every report says so", 0},
    {"cacert", 0, "FILE", "PEM file of the certificate authorities to trust",
     E8_OPTION_ENV | E8_OPTION_READS},
    {"cert", 0, "FILE", "PEM file of the client certificate", E8_OPTION_READS},
    {"key", 0, "FILE", "PEM file of its private key", E8_OPTION_READS},
    {"connect-to", 0, "H1:P1:H2:P2", "for H1:P1 connect to H2:P2 instead (repeatable)", E8_OPTION_REPEATS},
    {"resolve", 0, "HOST:PORT:ADDR", "use this address for the host (repeatable)", E8_OPTION_REPEATS},
    {"unix-socket", 0, "PATH", "connect through this Unix socket", 0},
    {"proxy", 'x', "URL", "send through a proxy; proxies in the environment are never used", 0},
    {"http", 0, "auto|1.1|2",
     "auto: HTTP/1.1 of emit8's own where it can be, the fastest; 1.1: libcurl's; 2: HTTP/2, over plain http "
     "with prior knowledge",
     0},
    {"connect-timeout", 0, "DUR", "time for name, connection and TLS; default: the deadline alone", 0},
    {"allow-target", 0, "HOST", "permit a target that is not loopback: name, address or CIDR (repeatable)",
     E8_OPTION_ENV | E8_OPTION_REPEATS},
    {NULL, 0, NULL, NULL, 0},
};

const struct e8_option e8_options_endpoint[] = {
    {"secret-file", 0, "FILE",
     "the endpoint's secret; EMIT8_SECRET holds it otherwise; during a rotation (repeatable)",
     E8_OPTION_ENV | E8_OPTION_REPEATS | E8_OPTION_READS},
    {"scheme", 0, "NAME", "signature scheme: 8bit, standard-webhooks, stripe, github, slack, or a JSON file",
     E8_OPTION_ENV},
    {"header", 'H', "'NAME: VALUE'", "another request header (repeatable)", E8_OPTION_REPEATS},
    {"timeout", 'm', "DUR", "deadline of an attempt; default: the platform's, 5s", E8_OPTION_ENV},
    {"retries", 0, "N", "attempts after the first; default: the platform's, 4; of load and find-max: 0",
     E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

const struct e8_option e8_options_workers[] = {
    {"workers", 0, "N", "threads that send; default: the cores that emit8 may use", E8_OPTION_ENV},
    {"pin", 0, NULL,
     "worker k stays on the k-th core that emit8 may use (taskset narrows them down); at most so many "
     "workers",
     E8_OPTION_ENV},
    {"spin", 0, "DUR",
     "look instead of sleeping for so long before anything is due: 60us and a core for microseconds of "
     "lateness",
     E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

const struct e8_option e8_options_output[] = {
    {"format", 0, "text|json|ndjson|csv|tap|junit|markdown|html|shard", "of the report on stdout", 0},
    {"hdr", 0, "FILE", "write all times to a file, as HdrHistogram's log", E8_OPTION_OUTPUT},
    {"report-shard", 0, "FILE", "a shard's result for emit8 merge, on one line", E8_OPTION_OUTPUT},
    {"threshold", 0, "RULE",
     "fail unless it holds: 'p(99) < 500ms', 'success{endpoint=crm} >= 99.9%' (repeatable)",
     E8_OPTION_REPEATS},
    {"metrics", 0, "ADDR:PORT", "serve the counts at /metrics while it runs, for Prometheus: 127.0.0.1:9464",
     E8_OPTION_ENV},
    {"log", 0, "FILE", "delivery log to append to; default: $XDG_STATE_HOME/emit8/deliveries.db",
     E8_OPTION_ENV | E8_OPTION_READS},
    {"no-log", 0, NULL, "keep no delivery log", 0},
    {NULL, 0, NULL, NULL, 0},
};

const struct e8_option e8_options_reports[] = {
    {"report-json", 0, "FILE", "write the report to a file as well", E8_OPTION_OUTPUT},
    {"report-ndjson", 0, "FILE", "the same on one line", E8_OPTION_OUTPUT},
    {"report-csv", 0, "FILE", "the same as CSV", E8_OPTION_OUTPUT},
    {"report-text", 0, "FILE", "the same as text", E8_OPTION_OUTPUT},
    {"report-tap", 0, "FILE", "expectations and thresholds as tests: TAP 14", E8_OPTION_OUTPUT},
    {"report-junit", 0, "FILE", "the same as JUnit XML", E8_OPTION_OUTPUT},
    {"report-markdown", 0, "FILE", "the same as a summary for a CI job's page", E8_OPTION_OUTPUT},
    {"report-html", 0, "FILE", "the same as a page with charts, in one file", E8_OPTION_OUTPUT},
    {NULL, 0, NULL, NULL, 0},
};

static void print_option(const struct e8_option *option, FILE *out)
{
    char left[128];
    struct e8_buf buf;
    e8_buf_fixed(&buf, left, sizeof left - 1);
    if (option->letter) {
        e8_buf_printf(&buf, "  -%c, --%s", option->letter, option->name);
    } else {
        e8_buf_printf(&buf, "      --%s", option->name);
    }
    if (option->arg) {
        e8_buf_printf(&buf, " %s", option->arg);
    }
    const char *text = e8_buf_cstr(&buf);
    if (buf.n >= COLUMN) {
        fprintf(out, "%s\n%*s%s\n", text, COLUMN, "", option->help);
    } else {
        fprintf(out, "%-*s%s\n", COLUMN, text, option->help);
    }
}

void e8_help_command(const struct e8_command *command, FILE *out)
{
    fprintf(out, "emit8 %s %s\n\n%s\n", command->name, command->synopsis, command->summary);
    if (command->detail) {
        fprintf(out, "\n%s", command->detail);
    }
    fprintf(out, "\nOptions:\n");
    for (size_t g = 0; g < E8_GROUPS_MAX && command->groups[g]; g++) {
        for (const struct e8_option *o = command->groups[g]; o->name; o++) {
            print_option(o, out);
        }
    }
}

void e8_help_all(FILE *out)
{
    fprintf(out,
            "emit8 %s: signed webhook deliveries from your own machine\n\n"
            "Usage: emit8 COMMAND [words] [options]\n\nCommands:\n",
            E8_VERSION);
    for (const struct e8_command *c = e8_commands; c->name; c++) {
        fprintf(out, "  %-12s%s\n", c->name, c->summary);
    }
    fprintf(
        out,
        "\nTry it:\n"
        "  emit8 sink --listen 127.0.0.1:9000 &\n"
        "  emit8 send message.received --to http://127.0.0.1:9000/webhooks\n"
        "  emit8 run support-day --sink\n"
        "  emit8 log --failed\n\n"
        "Exit codes: 0 pass; 1 a threshold failed or a delivery ended undelivered; 2 bad usage or input;\n"
        "3 could not run; 4 the run is invalid; 130, 143 stopped by a signal.\n"
        "emit8 COMMAND --help tells all about a command.\n");
}
