/* Templates: a JSON tree with placeholders, compiled once to a program that renders into a bounded buffer without
 * allocating. The language is described in fixtures/README.md.
 *
 * A `e8_vocab` holds what placeholders may name: event types, word lists, entities and macros. It is filled once (one
 * thread), then const; templates point into it and must not outlive it. Rendering is safe from any thread. */
#ifndef E8_TEMPLATE_TEMPLATE_H
#define E8_TEMPLATE_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "doc/doc.h"

#define E8_TYPES_MAX 256
#define E8_TEMPLATE_OUT_MAX                                                                                  \
    ((size_t)2 << 20)  /* a template whose output could be larger is refused when compiled */
#define E8_FACT_MAX 96 /* bytes; a longer text among the facts is a bug of the caller */

/* Everything that rendering depends on. The same facts give the same bytes. */
struct e8_facts {
    uint64_t seed;     /* of the run */
    uint64_t flow;     /* e8_hash_str of the flow's name */
    uint64_t instance; /* of the flow, 0, 1, … */
    uint32_t sequence; /* of the event in the instance, 1, 2, … */
    e8_wall_ns flow_started;
    e8_wall_ns at;                                 /* the event's time */
    struct e8_str id, type, category, environment; /* each of at most E8_FACT_MAX bytes */
    const uint16_t
        *counts; /* events of each type so far in this instance, this one included; NULL: this one alone */
    uint16_t type_index;
};

struct e8_vocab;
struct e8_vocab *e8_vocab_new(void);
void e8_vocab_free(struct e8_vocab **vocab);
/* The nodes must outlive the vocab. Types in the order of the catalogue. Each adds every fault it finds to errs. A node NULL
 * says that the file has faults of its own, which were told: that its names are missing is no fault then. */
enum e8_rc e8_vocab_types(struct e8_vocab *vocab, const char *const *names, size_t count);
enum e8_rc e8_vocab_words(struct e8_vocab *vocab, const char *name, const struct e8_node *list,
                          struct e8_errs *errs);
enum e8_rc e8_vocab_macros(struct e8_vocab *vocab, const struct e8_node *map, struct e8_errs *errs);
enum e8_rc e8_vocab_entities(struct e8_vocab *vocab, const struct e8_node *map, struct e8_errs *errs);
/* After all of the above: compiles macros and entities; finds unknown names and references to themselves. */
enum e8_rc e8_vocab_finish(struct e8_vocab *vocab, struct e8_errs *errs);
/* Every placeholder that may be used (functions, macros, references), sorted, NULL-terminated; for help and "did you mean". */
const char *const *e8_vocab_names(const struct e8_vocab *vocab);

struct e8_template;
/* Compiles a tree; all faults go to errs, with their places. Owned by the caller. The tree may go afterwards. Call it after
 * e8_vocab_finish. What names a macro, field or word list that has faults of its own fails without another error. */
enum e8_rc e8_template_compile(const struct e8_vocab *vocab, const struct e8_node *tree,
                               struct e8_template **out, struct e8_errs *errs);
/* The same where the values of some nodes are left open, so that many templates share one program: a shape, which is never
 * rendered itself. *out is NULL where it cannot be: one of the nodes stands within a directive, or the tree has faults, which
 * are not told. */
void e8_template_shape(const struct e8_vocab *vocab, const struct e8_node *tree,
                       const struct e8_node *const *open, size_t count, struct e8_template **out);
/* May the value be filled in? A scalar without placeholders. */
bool e8_template_fills(const struct e8_node *value);
/* The shape, which must outlive it, with a value for each open node (copied): renders as the tree with these values. It lives in
 * `arena`, and is not freed by itself. NULL where its output could be larger than E8_TEMPLATE_OUT_MAX. */
const struct e8_template *e8_template_filled(struct e8_arena *arena, const struct e8_template *shape,
                                             const struct e8_node *const *values, size_t count);
void e8_template_free(struct e8_template **t);
/* Appends the compact JSON text. E8_LIMIT when it did not fit `out` (then nothing of it may be used); never otherwise. */
enum e8_rc e8_template_render(const struct e8_template *t, const struct e8_facts *facts, struct e8_buf *out);
/* The same bytes, sooner: what is the same in many renderings (fields of entities with the scope run, or a small pool) is kept in
 * the memo, which belongs to one thread and to templates of one vocab. */
struct e8_memo;
struct e8_memo *e8_memo_new(void);
void e8_memo_free(struct e8_memo **memo);
enum e8_rc e8_template_render_with(const struct e8_template *t, const struct e8_facts *facts,
                                   struct e8_memo *memo,
                                   struct e8_buf *out); /* memo NULL: as the one above */
/* An upper bound of what rendering can write. */
size_t e8_template_max(const struct e8_template *t);

#endif
