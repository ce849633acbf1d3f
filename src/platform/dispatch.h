/* Sends what the store owes, by the engine: the same requests, outcomes and retries as of a run. Internal to platform.
 *
 * The store is the queue. A thread of its own takes deliveries that are due from it, feeds them to the engine, and writes back in
 * batches what has become of them. A change of the endpoints starts another engine with them; the one before ends what is under
 * way, and what it has not sent goes to the new one. */
#ifndef E8_PLATFORM_DISPATCH_H
#define E8_PLATFORM_DISPATCH_H

#include "catalog/catalog.h"
#include "platform/platform.h"
#include "platform/store.h"

/* A delivery whose state has changed, after it was committed. Valid during the call. */
struct e8_dispatched {
    int64_t row;
    const char *delivery, *webhook, *event, *type;
    const char *run; /* that made the event, when somebody asked for it again; NULL: none did */
    bool test;
    const struct e8_store_attempt *attempt;
    bool failed_for_good; /* no attempt follows, and it was not delivered */
};
/* An endpoint that was disabled: by a 410, or since nothing has been delivered for too long. Of `last`, its last delivery that was tried,
 * come the facts that are told with it; NULL: the log has none any more. */
struct e8_disabled {
    const char *webhook, *reason;
    e8_wall_ns at;
    const struct e8_store_row *last;
};
struct e8_dispatch_options {
    struct e8_store *store;
    const struct e8_catalog *catalog;
    const struct e8_platform_options
        *platform; /* in_flight, workers, reach, disable_after; must outlive it */
    /* On the dispatcher's thread; may be NULL. */
    void (*on_dispatched)(void *state, const struct e8_dispatched *what);
    void (*on_disabled)(void *state, const struct e8_disabled *what);
    void *state;
};
struct e8_dispatch;
enum e8_rc e8_dispatch_start(const struct e8_dispatch_options *options, struct e8_dispatch **out,
                             struct e8_err *err);
/* There is something new to send, or endpoints have changed. Any thread; cheap. */
void e8_dispatch_wake(struct e8_dispatch *dispatch);
/* How many deliveries its engine has. Any thread. */
size_t e8_dispatch_in_flight(const struct e8_dispatch *dispatch);
/* It goes on no longer: the store failed. Any thread. */
bool e8_dispatch_failed(struct e8_dispatch *dispatch, struct e8_err *err);
/* Sends nothing more, waits up to `grace` for what is under way, writes it, frees. What is not sent stays in the store. */
void e8_dispatch_stop(struct e8_dispatch **dispatch, e8_dur_ns grace);

#endif
