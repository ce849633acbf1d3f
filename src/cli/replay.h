/* What the files of `emit8 replay` share. */
#ifndef E8_CLI_REPLAY_H
#define E8_CLI_REPLAY_H

#include "cli/logged.h"
#include "cli/session.h"
#include "cli/source.h"

#define E8_REPLAY_HEADERS_MAX 56 /* of one request; the engine has room for these and its own */

/* How what was recorded leaves. */
enum replay_mode {
    REPLAY_VERBATIM, /* the recorded headers and bytes */
    REPLAY_RESIGNED, /* signed with the given secret, with the timestamps that it had */
    REPLAY_FRESH,    /* signed as it is sent */
};

/* One recorded delivery. */
struct replay_item {
    e8_dur_ns at; /* from the first */
    uint64_t order;
    const char *type, *environment, *id;
    struct e8_str body;
    const struct e8_header *headers; /* as recorded; of a log: none */
    size_t header_count;
    int64_t timestamp; /* that was signed; Unix seconds; 0: not known */
    int attempt;
    const struct e8_emit *step; /* of a log: what its step says; else NULL */
};

struct replayer {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_cli_secrets secrets;
    struct e8_doc *scheme_doc;
    struct e8_endpoint endpoint;
    struct e8_header *headers; /* -H */
    struct e8_signer *signer;  /* NULL: no secret */
    struct e8_signer *other;   /* with a secret that nobody has; made with `signer` */
    enum replay_mode mode;
    bool fresh_ids, max;
    double speed;
    uint64_t seed, workers, in_flight;
    struct replay_item *items; /* sorted by time */
    size_t count, room;
    e8_wall_ns began; /* of offset 0; 0: not known */
    /* Of a recording: */
    struct e8_source source;
    struct e8_plan *recorded;
    /* Of a log: */
    bool log;
    struct e8_dlog_reader *reader;
    struct e8_logged *logged;
};

struct replay_item *e8_replay_add(struct replayer *r);

/* Fills r->items. replay_file.c: a recording; replay_log.c: a delivery log. */
enum e8_rc e8_replay_file(struct replayer *r, const char *path, struct e8_errs *errs);
enum e8_rc e8_replay_log(struct replayer *r, const char *path, struct e8_err *err);

/* replay_items.c: what the requests are made of. */
/* New ids, the same for what had the same before. */
void e8_replay_rename(struct replayer *r);
/* The headers that the item leaves with, where they do not depend on the moment; and the body, where the step tampers with it. */
enum e8_rc e8_replay_dress(struct replayer *r, struct replay_item *item, struct e8_err *err);
/* Was it sent with recorded headers, and not made by a run? */
bool e8_replay_foreign(const struct replay_item *item);
/* The timestamp and the attempt's number that the recorded headers tell. */
void e8_replay_tell(const struct replayer *r, struct replay_item *item);
/* What the log keeps of the item's step (as of a scenario's): the headers that it leaves with but those of -H, its id. */
const char *e8_replay_json(struct replayer *r, const struct replay_item *item);
/* The recorded headers that are not made anew when it is signed as it is sent. */
void e8_replay_strip(struct replayer *r, struct replay_item *item);

#endif
