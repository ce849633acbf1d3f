/* The catalogue: event types, payload templates, schemas, word lists, signature schemes and the platform's defaults, from the files
 * built into the binary with a directory laid over them, file by file. Immutable once loaded; any thread may read. */
#ifndef E8_CATALOG_CATALOG_H
#define E8_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/delivery.h"
#include "doc/json.h"
#include "sign/sign.h"
#include "template/template.h"

struct e8_type {
    const char *name, *category, *description;
    double weight; /* how frequent it is, relative to the others */
};

/* Assumed or known of the platform (fixtures/platform.json). */
struct e8_platform {
    e8_dur_ns deadline; /* a receiver must answer within */
    struct e8_retry_policy retry;
    const char *user_agent, *content_type;
    const struct e8_header_form *agent_form;
    struct {
        const char *name, *value;
        const struct e8_header_form *form;
    } headers[16]; /* templates of e8_sign_expand */
    size_t header_count;
    const char *const *environments; /* NULL-terminated; the first is the default */
    e8_dur_ns tolerance, rotation_grace;
};

struct e8_catalog;
/* overlay: a directory in the layout of fixtures/, or NULL. All faults of all files go to errs. */
enum e8_rc e8_catalog_load(const char *overlay, struct e8_catalog **out, struct e8_errs *errs);
void e8_catalog_free(struct e8_catalog **catalog);

size_t e8_catalog_count(const struct e8_catalog *catalog);
const struct e8_type *e8_catalog_type(const struct e8_catalog *catalog, size_t index);
int e8_catalog_find(const struct e8_catalog *catalog, struct e8_str name); /* -1: unknown */
const char *const *e8_catalog_names(const struct e8_catalog *catalog);     /* NULL-terminated */
const struct e8_platform *e8_catalog_platform(const struct e8_catalog *catalog);
const struct e8_schemes *e8_catalog_schemes(const struct e8_catalog *catalog);
const struct e8_vocab *e8_catalog_vocab(const struct e8_catalog *catalog);
struct e8_str e8_catalog_schema(const struct e8_catalog *catalog, size_t type); /* JSON text */
/* The schema as a part of a larger document: without $schema and $id, its own references below `root` ("#/components/schemas/X"). */
void e8_catalog_schema_put(const struct e8_catalog *catalog, size_t type, const char *root, struct e8_json *w,
                           const char *key);
const char *e8_catalog_shown(const struct e8_catalog *catalog,
                             const char *path);                  /* a file's name in errors */
const char *e8_catalog_digest(const struct e8_catalog *catalog); /* SHA-256 of all files, 64 hex digits */

/* A change to an event's tree before it is compiled: value NULL removes what the path names. */
struct e8_edit {
    struct e8_str path;          /* from the envelope's top: "data.channel" */
    const struct e8_node *value; /* placeholders in it are compiled like those of a fixture */
    const struct e8_node *at;    /* where errors point; NULL: the command line */
};
/* Envelope and payload of a type, edited and compiled. Owned by the caller. */
enum e8_rc e8_catalog_template(const struct e8_catalog *catalog, size_t type, const struct e8_edit *edits,
                               size_t count, struct e8_template **out, struct e8_errs *errs);
/* The same with the values of the edits left open (e8_template_shape), so that many steps share it; *out NULL where that cannot
 * be. Only for edits whose values may be filled in (e8_template_fills). */
void e8_catalog_shape(const struct e8_catalog *catalog, size_t type, const struct e8_edit *edits,
                      size_t count, struct e8_template **out);
/* The unedited one, compiled at load. */
const struct e8_template *e8_catalog_event(const struct e8_catalog *catalog, size_t type);

/* Writes every file in force (built in and overlay) below `directory`. Refuses to overwrite unless `force`. */
enum e8_rc e8_catalog_export(const struct e8_catalog *catalog, const char *directory, bool force,
                             struct e8_err *err);
/* Renders `count` events of each type and checks them against their schemas. Faults point at the schema's or the payload's file. */
enum e8_rc e8_catalog_check(const struct e8_catalog *catalog, unsigned count, struct e8_errs *errs);

/* The schemas alone, for when the catalogue cannot be loaded: every fault of every schema file. overlay may be NULL. */
enum e8_rc e8_catalog_check_schemas(const char *overlay, struct e8_errs *errs);

/* A built-in file ("scenarios/support-day.yaml"); p is NULL when there is none. */
struct e8_str e8_catalog_builtin(const char *path);
/* The paths of those that begin with `prefix`, sorted, one after another: the first for NULL; NULL behind the last. */
const char *e8_catalog_builtin_next(const char *prefix, const char *path);

/* Ids that sort by time: prefix, 10 characters of milliseconds, 16 of `random`, in Crockford's base 32, lower case (the layout
 * of a ULID). out has room for E8_ID_MAX bytes. */
void e8_id_make(const char *prefix, e8_wall_ns at, uint64_t random_high, uint64_t random_low, char *out);

#endif
