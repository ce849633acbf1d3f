/* --metrics ADDR:PORT: a run's counts so far, served at /metrics in the text format of Prometheus. */
#ifndef E8_CLI_METRICS_H
#define E8_CLI_METRICS_H

#include "cli/args.h"
#include "report/report.h"

struct e8_cli_metrics;
/* *out is NULL without --metrics. E8_INPUT: no address, or one that others can reach; E8_ENV. Says where on stderr, unless --quiet. */
enum e8_rc e8_cli_metrics_open(const struct e8_args *args, struct e8_cli_metrics **out, struct e8_err *err);
/* What is served from now on; to be called often, does something once a second. NULL inside is allowed. */
void e8_cli_metrics_update(struct e8_cli_metrics *metrics, const struct e8_log_run *run,
                           const struct e8_stats *stats, e8_mono_ns now);
void e8_cli_metrics_close(struct e8_cli_metrics **metrics); /* NULL inside is allowed */

#endif
