/* The hub behind `GET /v1/stream`: what happens, told to all that listen, as server-sent events. Internal to platform.
 *
 * A listener gets 20 deliveries in a second, and then one `event: many` with the number of the others, so that a dashboard stays
 * usable when thousands go out; a listener that does not keep up is cut off (see e8_stream). Any thread may call anything. Times come
 * in as arguments. */
#ifndef E8_PLATFORM_LIVE_H
#define E8_PLATFORM_LIVE_H

#include "base/base.h"
#include "httpd/httpd.h"

#define E8_HUB_LISTENERS 64 /* at a time */
#define E8_HUB_RATE      20 /* deliveries a second, for each */
#define E8_HUB_PING      (15 * E8_NS_S)

struct e8_hub;
struct e8_hub *e8_hub_new(void);
void e8_hub_free(struct e8_hub **live); /* ends all streams; NULL inside is allowed */

/* Makes a stream of the hub's the body of *response, whose status and headers are the caller's. webhook: only what has to do with
 * this endpoint; NULL: all. False: there are as many listeners as may be (503), and the response is as it was. */
bool e8_hub_listen(struct e8_hub *live, const char *webhook, e8_mono_ns now, struct e8_response *response);

/* A delivery has changed. `write` puts its row, a JSON value, into *out; it is called at most once, and only if somebody is told;
 * false: it is not there any more, nobody is told. */
typedef bool e8_hub_write_fn(void *state, struct e8_buf *out);
void e8_hub_delivery(struct e8_hub *live, const char *webhook, e8_hub_write_fn *write, void *state,
                     e8_mono_ns now);
/* An endpoint was made, changed, deleted, disabled: `event: webhook`. reason: why the platform disabled it; NULL: it did not. */
void e8_hub_webhook(struct e8_hub *live, const char *id, const char *reason);
/* A run has begun, gone on or ended: `event: run`, `json` as data. */
void e8_hub_run(struct e8_hub *live, struct e8_str json);

/* Tells of those that were too many, sends heartbeats, forgets who is gone. To be called every 100 ms or so (httpd's tick). */
void e8_hub_tick(struct e8_hub *live, e8_mono_ns now);
size_t e8_hub_count(struct e8_hub *live); /* who listens */

#endif
