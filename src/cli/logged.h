/* Deliveries of a log, made again: the body of the event, and what its step says beside it. */
#ifndef E8_CLI_LOGGED_H
#define E8_CLI_LOGGED_H

#include "catalog/catalog.h"
#include "dlog/dlog.h"
#include "scenario/scenario.h"

/* Steps of one run; each is restored once. The catalogue must outlive it. */
struct e8_logged;
struct e8_logged *e8_logged_new(const struct e8_catalog *catalog);
void e8_logged_free(struct e8_logged **logged);

/* The step with this number: tampering, headers, verbatim, raw body; valid until `logged` is freed, or the texts of the step are. */
enum e8_rc e8_logged_step(struct e8_logged *logged, uint32_t number, const struct e8_log_step *step,
                          const struct e8_emit **out, struct e8_err *err);
/* Appends the body of the delivery's event, before any tampering. */
enum e8_rc e8_logged_body(struct e8_logged *logged, const struct e8_log_delivery *delivery,
                          struct e8_buf *body, struct e8_err *err);

#endif
