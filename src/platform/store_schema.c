#include "platform/store_side.h"

/* Times are wall nanoseconds, durations nanoseconds, except where a column says otherwise. `kind` is what the log is filtered by:
 * a delivery has one, and of any filter it is known which kinds it takes. So one index serves all filters and all of their
 * combinations: a page is the merge of the rows of its kinds. */
static const char first[] =
    "CREATE TABLE webhook(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " deleted INTEGER NOT NULL DEFAULT 0," /* 1: the log still names it; of what follows it has the URL alone */
    " enabled INTEGER NOT NULL, failing_since INTEGER NOT NULL, url TEXT, description TEXT, scheme TEXT,"
    " events TEXT, environments TEXT, headers TEXT, timeout INTEGER, attempts INTEGER, base INTEGER,"
    " factor REAL, cap INTEGER, jitter INTEGER, disabled_reason TEXT, disabled_at INTEGER, notify_url TEXT,"
    " created INTEGER, updated INTEGER, rotated INTEGER, grace_until INTEGER,"
    " secret TEXT, secret_before TEXT) STRICT;"
    "CREATE TABLE word(n INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE kind(n INTEGER PRIMARY KEY, webhook INTEGER NOT NULL, type INTEGER NOT NULL,"
    " environment INTEGER NOT NULL, test INTEGER NOT NULL, state INTEGER NOT NULL, class INTEGER NOT NULL,"
    " deliveries INTEGER NOT NULL," /* how many there are */
    " newest INTEGER NOT NULL,"     /* no row of it is newer than this one */
    " UNIQUE(webhook, type, environment, test, state, class)) STRICT;"
    "CREATE TABLE event(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " type INTEGER NOT NULL, environment INTEGER NOT NULL, test INTEGER NOT NULL, created INTEGER NOT NULL,"
    " first INTEGER NOT NULL, deliveries INTEGER NOT NULL," /* its deliveries: so many from row `first` on */
    " body BLOB NOT NULL) STRICT;"
    "CREATE INDEX event_alone ON event(created) WHERE deliveries = 0;"
    "CREATE TABLE delivery(row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " kind INTEGER NOT NULL, event INTEGER NOT NULL, webhook INTEGER NOT NULL, created INTEGER NOT NULL,"
    " due INTEGER,"             /* of the next attempt; NULL: none follows */
    " test INTEGER NOT NULL,"   /* 1: it is sent even where its endpoint is disabled */
    " asked INTEGER,"           /* when somebody asked for it again: attempts due before do not count */
    " number INTEGER NOT NULL," /* of the last attempt; 0: none yet */
    " tries INTEGER NOT NULL,"  /* that the policy has counted */
    " status INTEGER, outcome INTEGER, error TEXT, response INTEGER, updated INTEGER" /* of the last attempt */
    ") STRICT;"
    "CREATE INDEX delivery_kind ON delivery(kind);"
    "CREATE INDEX delivery_queue ON delivery(webhook, test, due) WHERE due IS NOT NULL;"
    /* Of each 1,024 rows: when the first and the last of them were made, whatever the clock did. */
    "CREATE TABLE span(block INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL) STRICT;"
    "CREATE TABLE attempt(n INTEGER PRIMARY KEY," /* delivery << 20 | number */
    " reason INTEGER NOT NULL, outcome INTEGER NOT NULL, status INTEGER, due INTEGER NOT NULL,"
    " sent INTEGER NOT NULL, done INTEGER NOT NULL," /* after `due` */
    " dns INTEGER, connect INTEGER, tls INTEGER, first_byte INTEGER, total INTEGER, error TEXT,"
    " body_length INTEGER NOT NULL, request BLOB, response BLOB, body BLOB) STRICT;"
    /* Of attempts that ended in the `step` seconds from `at` on (seconds), of an endpoint (0: of all): all of them, or those of one
     * value of something (enum e8_sum_of). */
    "CREATE TABLE sum(step INTEGER NOT NULL, webhook INTEGER NOT NULL, of INTEGER NOT NULL,"
    " at INTEGER NOT NULL, value INTEGER NOT NULL, attempts INTEGER NOT NULL, delivered INTEGER NOT NULL,"
    " latency BLOB NOT NULL," /* see store_latency.c; of a mix: store_mix.c */
    " PRIMARY KEY(step, webhook, of, at, value)) STRICT, WITHOUT ROWID;";

/* What scenario runs have sent: never due by itself. */
static const char second[] =
    "CREATE TABLE run(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " started INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0) STRICT;" /* 0: it has not */
    "ALTER TABLE delivery ADD COLUMN run INTEGER;"                         /* NULL: of none */
    "CREATE INDEX delivery_run ON delivery(run) WHERE run IS NOT NULL;";

/* Of a webhook: since when it has been enabled again; 0: it always was. Of an attempt: what was changed on purpose about the request,
 * in words, whether its signature is therefore wrong, and the body that was sent in place of the event's. */
static const char third[] =
    "ALTER TABLE webhook ADD COLUMN enabled_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN tamper TEXT;" /* NULL: nothing */
    "ALTER TABLE attempt ADD COLUMN forged INTEGER;"
    "ALTER TABLE attempt ADD COLUMN changed BLOB;" /* NULL: the event's body was sent */
    "ALTER TABLE attempt ADD COLUMN changed_length INTEGER;";

/* What has become of runs (struct e8_store_run). Of those from before it is known what the log says. */
static const char fourth[] =
    "ALTER TABLE run ADD COLUMN state INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN note TEXT;"
    "ALTER TABLE run ADD COLUMN told INTEGER NOT NULL DEFAULT 0;" /* when the figures were these; 0: never */
    "ALTER TABLE run ADD COLUMN planned INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE run ADD COLUMN length INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN stalls INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN p50 INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE run ADD COLUMN p99 INTEGER NOT NULL DEFAULT -1;"
    "UPDATE run SET state = 1 WHERE ended <> 0;"
    "UPDATE run SET attempts = coalesce((SELECT sum(number) FROM delivery d WHERE d.run = run.n), 0),"
    " delivered = (SELECT count(*) FROM delivery d JOIN kind k ON k.n = d.kind WHERE d.run = run.n AND "
    "k.state = 1),"
    " failed = (SELECT count(*) FROM delivery d JOIN kind k ON k.n = d.kind WHERE d.run = run.n AND k.state "
    "= 2);";

/* From now on the class of a new kind is the status itself, which older versions would not find. */
static const char fifth[] = "";

/* How many attempts waited here for most of their time (struct e8_store_slice). */
static const char sixth[] = "ALTER TABLE sum ADD COLUMN late INTEGER NOT NULL DEFAULT 0;";

/* Of a run: what of it is in the log, and how many of its deliveries a kill has left without an end (struct e8_run_figures). */
static const char seventh[] =
    "ALTER TABLE run ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;" /* attempts, and of those the ones that */
    "ALTER TABLE run ADD COLUMN logged_delivered INTEGER NOT NULL DEFAULT 0;" /* ended their delivery */
    "ALTER TABLE run ADD COLUMN logged_failed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0;"
    "UPDATE run SET logged = attempts, logged_delivered = delivered, logged_failed = failed;";

/* With which secrets the request was signed (enum e8_signed_by); NULL: not known. */
static const char eighth[] = "ALTER TABLE attempt ADD COLUMN signed_by INTEGER;";

/* Of a run: what makes it again. NULL: not known. */
static const char ninth[] = "ALTER TABLE run ADD COLUMN seed INTEGER;"
                            "ALTER TABLE run ADD COLUMN speed REAL;";

const char *const e8_store_schema[E8_STORE_VERSION] = {first, second,  third,  fourth, fifth,
                                                       sixth, seventh, eighth, ninth};
