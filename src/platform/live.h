/* The hub behind `GET /v1/stream`: what happens, told to all that listen, as server-sent events. Internal to platform.
 *
 * A listener gets 20 deliveries in a second, and then one `event: many` with the number of the others, so that a dashboard stays
 * usable when thousands go out; a listener that does not keep up is cut off (see e8_stream). Any thread may call anything. Times come
 * in as arguments. */
#ifndef E8_PLATFORM_LIVE_H
#define E8_PLATFORM_LIVE_H

#include "base/base.h"
#include "httpd/httpd.h"

#define E8_LIVE_LISTENERS 64 /* at a time */
#define E8_LIVE_RATE      20 /* deliveries a second, for each */
#define E8_LIVE_PING      (15 * E8_NS_S)

struct e8_live;
struct e8_live *e8_live_new(void);
void e8_live_free(struct e8_live **live); /* ends all streams; NULL inside is allowed */

/* The answer for a new listener, of type text/event-stream; the hub's own: it goes into e8_response.stream, and nobody else frees it.
 * webhook: only what has to do with this endpoint; NULL: all. NULL: there are as many as may be (503). */
struct e8_stream *e8_live_listen(struct e8_live *live, const char *webhook, e8_mono_ns now);

/* A delivery has changed. `write` puts its row, a JSON value, into *out; it is called at most once, and only if somebody is told;
 * false: it is not there any more, nobody is told. */
typedef bool e8_live_write_fn(void *state, struct e8_buf *out);
void e8_live_delivery(struct e8_live *live, const char *webhook, e8_live_write_fn *write, void *state,
                      e8_mono_ns now);
/* An endpoint was made, changed, deleted, disabled: `event: webhook`. */
void e8_live_webhook(struct e8_live *live, const char *id);
/* A run has begun, gone on or ended: `event: run`, `json` as data. */
void e8_live_run(struct e8_live *live, struct e8_str json);

/* Tells of those that were too many, sends heartbeats, forgets who is gone. To be called every 100 ms or so (httpd's tick). */
void e8_live_tick(struct e8_live *live, e8_mono_ns now);
size_t e8_live_count(struct e8_live *live); /* who listens */

#endif
