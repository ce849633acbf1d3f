/* One engine with the endpoints as they were at one moment, and what is under way in it. Internal to platform. */
#ifndef E8_PLATFORM_SENDER_H
#define E8_PLATFORM_SENDER_H

#include "engine/engine.h"
#include "platform/dispatch.h"
#include "platform/noted.h"

/* A delivery that an engine has. */
struct e8_item {
    struct e8_fed fed;
    int64_t row;
    e8_wall_ns due; /* as it is measured */
    unsigned tries;
    bool tried; /* an attempt was made */
    char id[E8_ID_MAX], event_id[E8_ID_MAX], webhook[E8_ID_MAX];
    char run[E8_ID_MAX]; /* empty: none */
    bool test;
    const char *type; /* the plan's */
    struct e8_buf body;
    struct e8_item *next; /* the dispatcher's */
};

/* What has become of it: an attempt, or nothing. */
struct e8_note {
    struct e8_item *item;
    enum e8_fed_how how;  /* but for E8_FED_MORE the item comes back with it */
    struct e8_noted made; /* but for E8_FED_UNSENT */
    struct e8_note *next;
};
void e8_note_free(struct e8_note *note); /* not its item */
void e8_item_free(struct e8_item *item);

struct e8_sender;
/* Takes all endpoints from the store. `told` gets each note, to keep, on the threads of the engine's workers. E8_ENV. */
enum e8_rc e8_sender_start(const struct e8_dispatch_options *options,
                           void (*told)(void *state, struct e8_note *note), void *state,
                           struct e8_sender **out, struct e8_err *err);
/* The moment at which an endpoint's secret before a rotation is valid no longer; E8_NEVER: none is. */
e8_wall_ns e8_sender_expires(const struct e8_sender *sender);
/* One moment by both clocks. Of what is taken from the store at one moment the order stays. */
struct e8_moment {
    e8_mono_ns mono;
    e8_wall_ns wall;
};
/* A copy of the delivery, for e8_sender_feed. It is due no earlier than it could be sent: time while emit8 was not there, or its
 * endpoint was disabled, is not the receiver's. NULL: it has no such endpoint, or knows no such event. */
struct e8_item *e8_sender_item(struct e8_sender *sender, const struct e8_due *due, struct e8_moment now);
/* The engine has it from then on; it comes back with a note. */
void e8_sender_feed(struct e8_sender *sender, struct e8_item *item);
/* Sends nothing more; e8_sender_end waits for the end of what is under way and frees. All items have come back then. */
void e8_sender_stop(struct e8_sender *sender);
bool e8_sender_ended(struct e8_sender *sender);
void e8_sender_abort(struct e8_sender *sender);
void e8_sender_end(struct e8_sender **sender);

#endif
