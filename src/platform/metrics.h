/* `GET /metrics`: counters and histograms of all attempts since the start, by endpoint, event type and outcome, in the text format of
 * Prometheus (0.0.4). Internal to platform. Kept in memory; any thread may call anything.
 *
 * The number of series is bounded: past 2,000 combinations of endpoint, type and outcome, further ones are counted
 * as "other". */
#ifndef E8_PLATFORM_METRICS_H
#define E8_PLATFORM_METRICS_H

#include "base/base.h"
#include "delivery/delivery.h"
#include "prometheus/prometheus.h"

#define E8_METRICS_TYPE E8_PROM_CONTENT_TYPE /* Content-Type of the answer */

struct e8_metrics;
struct e8_metrics *e8_metrics_new(void);
void e8_metrics_free(struct e8_metrics **metrics); /* NULL inside is allowed */

struct e8_metrics_attempt {
    const char *webhook, *type; /* the endpoint's id; the event's type */
    enum e8_outcome outcome;
    enum e8_trigger trigger;
    e8_dur_ns response_time; /* done - due; < 0: none, as nothing was sent */
    bool failed_for_good;    /* its delivery ended undelivered */
};
/* An attempt has ended. Allocates only when its combination is new. */
void e8_metrics_attempt(struct e8_metrics *metrics, const struct e8_metrics_attempt *attempt);
/* An event was accepted, whoever takes it. */
void e8_metrics_event(struct e8_metrics *metrics, const char *type);
/* An answer of the API was made; route: as in the documentation, "/v1/webhooks/{id}", never what a client wrote. */
void e8_metrics_answer(struct e8_metrics *metrics, const char *method, const char *route, int status);

/* What is so just now. */
struct e8_metrics_gauges {
    uint64_t pending, retrying,
        in_flight;      /* deliveries: not ended; of them, sent before; that the engine has */
    uint64_t listeners; /* of the stream of events */
    uint64_t webhooks, webhooks_enabled;
    e8_wall_ns started; /* of the process */
};
/* curl_version: as in the info. About 2 KB for each combination seen: 5 MB at most. */
void e8_metrics_write(struct e8_metrics *metrics, const struct e8_metrics_gauges *gauges,
                      const char *curl_version, struct e8_buf *out);

#endif
