/* What a template compiles to, and what the files of this module share. Not for other modules.
 *
 * A value is written in one of two forms: as a JSON value, or as text, which is the escaped body of a JSON string without
 * its quotes. Every choice, word and literal is kept ready in the form it is written in, so rendering copies bytes. */
#ifndef E8_TEMPLATE_PROGRAM_H
#define E8_TEMPLATE_PROGRAM_H

#include "template/template.h"
#include "template/write.h"

#define E8_TPL_DEPTH_MAX    64 /* programs within programs */
#define E8_TPL_NEST_MAX     64 /* brackets within brackets: what doc reads again */
#define E8_TPL_STEPS_MAX    ((uint64_t)1 << 20)
#define E8_TPL_REPEAT_MAX   64
#define E8_TPL_WORD_MAX     128 /* bytes of a key of a word list, escaped */
#define E8_TPL_WEIGHT_MAX   1000000000
#define E8_TPL_ENTITIES_MAX 64
#define E8_TPL_ARGS_MAX     3
#define E8_TPL_KEYS_MAX     8   /* of word lists that a rendering keeps */
#define E8_TPL_MEMO_TEXT    104 /* bytes of a field that a memo keeps */
#define E8_TPL_MEMO_PLACES  512
#define E8_TPL_MEMO_POOL    64 /* members of a pool of which it does */

enum form { FORM_VALUE, FORM_TEXT, FORM_COUNT };

enum kind { KIND_STRING = 1, KIND_NUMBER = 2, KIND_BOOL = 4, KIND_NULL = 8, KIND_TREE = 16 };

struct op;
struct program;
struct word_list;

/* A time once written; n 0: not yet. */
struct stamp {
    size_t n;
    char text[E8_RFC3339_MAX];
};

/* The key that a field of an entity gives for a word list: the same in all of a rendering. */
struct found_key {
    const struct program *field; /* NULL: none */
    const struct word_list *list;
    uint32_t index;
};

/* A field as it was once written; body NULL: none. */
struct remembered {
    uint64_t scope; /* e8_mixed of its key */
    const struct program *body;
    size_t n;
    char text[E8_TPL_MEMO_TEXT];
};

/* Each has one place; who comes later takes it. */
struct e8_memo {
    struct remembered places[E8_TPL_MEMO_PLACES];
    struct e8_wall_day day; /* of the last time that was written */
};

struct render {
    struct writer to;
    const struct e8_facts *facts;
    struct e8_rng rng;
    uint64_t mixed_seed; /* e8_mixed of it */
    uint64_t mixed_flow; /* the same of the key of (seed, flow, instance) */
    uint32_t index;      /* in the innermost repeat */
    const struct e8_str *values;
    struct e8_memo *memo; /* or NULL */
    struct e8_wall_day *day;
    struct stamp at, flow_started;
    uint64_t known;                         /* bits of the entities whose scopes are set */
    uint64_t scopes[E8_TPL_ENTITIES_MAX];   /* e8_mixed of their keys */
    struct found_key keys[E8_TPL_KEYS_MAX]; /* of word lists, found in this rendering */
};

typedef void (*render_fn)(struct render *r, const struct op *op);

/* The words that can be chosen, in one form. */
struct choices {
    struct e8_str *at; /* pieces */
    uint32_t count;
    size_t longest;
};

/* words/NAME.json. Choices are kept for each form of the whole element and of each column, and there for each key. */
struct word_list {
    struct word_list *next;
    struct e8_str name;
    bool broken; /* has an error that was reported */
    bool keyed;
    size_t key_count; /* 1 when not keyed */
    struct e8_str *keys;
    uint64_t *starts;    /* e8_tpl_start of each key */
    size_t column_count; /* 0: the elements are no rows */
    struct e8_str *columns;
    unsigned *kinds; /* [0]: of elements, [1 + column] */
    struct choices *choices;
};

struct type_set {
    uint64_t bits[E8_TYPES_MAX / 64];
    uint16_t count;
    uint16_t types[];
};

enum alphabet { LETTERS_HEX, LETTERS_DIGITS, LETTERS_LOWER, LETTERS_ALNUM, LETTERS_BASE62, LETTERS_COUNT };

/* All pairs of an alphabet's letters, in its order. */
struct pairs {
    const char *text;
    uint32_t count;
};

struct weights {
    const uint64_t *upto; /* running sums */
    uint32_t count;
};

struct op {
    struct e8_str before; /* literal text, written first; a piece */
    render_fn render;
    union {
        struct e8_str text;
        struct {
            int64_t low, high;
            int decimals;
        } range;
        struct {
            struct pairs pairs;
            uint32_t count;
        } chars;
        double share;
        struct {
            double share;
            const struct program *body;
            bool null; /* what is written instead: null or nothing */
        } optional;
        struct {
            const struct choices *choices; /* for each key of the list */
            const struct word_list *list;
            const struct program *key;
            const uint32_t *indices; /* of the keys that the field chooses among; NULL: it writes its key */
            unsigned place;          /* of the key in render->keys, which others may have, too */
        } pick;
        struct {
            struct weights weights;
            const struct e8_str *texts; /* pieces */
        } weighted;
        struct {
            struct weights weights;
            const struct program *const *bodies;
        } choose;
        struct {
            const struct program *body;
            uint32_t low, high;
        } repeat;
        struct {
            const struct program *body;
            bool upper;
        } letters;
        struct {
            const struct program *body;
            const struct entity *entity;
            uint64_t hash; /* of ENTITY.FIELD */
        } call;
        const struct type_set *types;
        size_t value; /* index in render->values */
    };
};

struct program {
    const struct op *ops;
    size_t count;
    struct e8_str after; /* literal text, written last; a piece */
    size_t max;          /* upper bound of what it writes; saturates */
    uint64_t steps;      /* upper bound of what it executes; saturates */
    unsigned depth;      /* of programs in it */
    unsigned nest;       /* of brackets in what it writes */
};

enum scope { SCOPE_FLOW, SCOPE_RUN, SCOPE_POOL, SCOPE_COUNT };

struct entity {
    struct entity *next;
    struct e8_str name;
    uint64_t hash;
    unsigned number;
    enum scope scope;
    uint64_t members;                 /* SCOPE_POOL */
    struct e8_str pattern;            /* SCOPE_COUNT */
    const struct type_set *types;     /* SCOPE_COUNT */
    const struct e8_node *scope_node; /* or NULL */
    struct item *fields, *last;
};

/* What a macro names, directly or through others, that does not stay the same. */
struct changes {
    const char *event; /* a name that changes from event to event */
    bool flow;         /* flow.started_at */
    uint64_t entities; /* bits of their numbers */
};

enum item_state { ITEM_NEW, ITEM_ACTIVE, ITEM_DONE, ITEM_BROKEN };

/* A macro, or a field of an entity: a template with a name. */
struct item {
    struct item *next;
    struct e8_str name; /* "$name", or "entity.field" */
    const struct e8_node *node;
    struct entity *entity; /* NULL: a macro */
    uint64_t hash;
    enum item_state state;
    unsigned kinds;
    struct changes changes;
    const struct word_list *rows;            /* what it picks a row from, or NULL */
    const struct program *forms[FORM_COUNT]; /* text: NULL for KIND_TREE */
    const struct program **columns;          /* [column * FORM_COUNT + form] */
    unsigned *column_kinds;
};

struct e8_vocab {
    struct e8_arena *arena;
    bool finished;
    bool macros_faulty, entities_faulty; /* there may be names that are missing for that */
    const char **types;                  /* NULL-terminated */
    size_t type_count;
    struct word_list *lists;
    struct item *macros, *last_macro;
    struct entity *entities, *last_entity;
    unsigned entity_count;
    const char **names;
    struct pairs pairs[LETTERS_COUNT];
};

struct e8_template {
    const struct program *program;
    size_t max;
    union {
        struct e8_arena *arena;      /* of the program */
        const struct e8_str *values; /* of a filled shape, as JSON */
    };
};

/* One compilation of one tree. Errors are reported at `node`. */
struct compiler {
    const struct e8_vocab *vocab;
    struct e8_arena *arena; /* of the result */
    struct e8_errs *errs;
    const struct e8_node *node;
    bool at_key;
    bool failed;
    struct item *item;                 /* that is being compiled; NULL: a template */
    struct compiler *up;               /* who asked for the item */
    unsigned depth;                    /* of the recursion */
    unsigned repeats;                  /* around this place */
    int column;                        /* wanted of a row; -1: the whole value */
    bool begun;                        /* the builder of the whole tree is made */
    const struct e8_node *const *open; /* of a shape: what is left open at the top */
    size_t open_count, opened;
};

/* What something compiled to. kinds 0: it has an error. */
struct value {
    unsigned kinds;
    const struct word_list *rows;
};

/* A program that is being built. */
struct builder {
    struct compiler *c;
    struct op *ops;
    size_t count, cap;
    struct e8_buf text; /* literal text in front of the next op */
    size_t max;
    uint64_t steps;
    unsigned depth, nest, level;
    bool top; /* of the whole tree */
};

/* build.c */
void e8_tpl_begin(struct builder *b, struct compiler *c);
const struct program *e8_tpl_end(struct builder *b);
void e8_tpl_put(struct builder *b, struct e8_str bytes);      /* as they are */
void e8_tpl_put_text(struct builder *b, struct e8_str bytes); /* escaped */
void e8_tpl_put_scalar(struct builder *b, const struct e8_node *node);
void e8_tpl_open(struct builder *b, char bracket);
void e8_tpl_close(struct builder *b, char bracket);
/* Copies the op; it writes at most `max` bytes by itself and `times` times what `body` (or NULL) writes. */
void e8_tpl_op(struct builder *b, const struct op *op, size_t max, const struct program *body,
               uint64_t times);
/* An array around the items: brackets count for the depth of what is written. */
void e8_tpl_op_array(struct builder *b, const struct op *op, const struct program *body, uint64_t times);
void e8_tpl_op_value(struct builder *b, size_t value);
void e8_tpl_run(struct render *r, const struct program *program);
bool e8_tpl_is_one(const struct program *program); /* an op and nothing else */
struct e8_str e8_tpl_escape(struct e8_arena *arena, struct e8_str text, bool quotes); /* a piece */

/* compile.c */
bool e8_tpl_fail(struct compiler *c, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* false */
struct value e8_tpl_node(struct builder *b, const struct e8_node *node, enum form form);
const struct program *e8_tpl_program(struct compiler *c, const struct e8_node *node, enum form form,
                                     struct value *value);
/* The text between {{ and }}, or REST. */
struct value e8_tpl_placeholder(struct builder *b, struct e8_str text, enum form form);
const struct program *e8_tpl_rest(struct compiler *c, struct e8_str text, enum form form,
                                  struct value *value);
bool e8_tpl_fits(struct compiler *c, const struct program *program);
/* The same for a whole tree; reports at that part of it which makes it too large. */
bool e8_tpl_tree_fits(struct compiler *c, const struct program *program, const struct e8_node *tree);

/* args.c */
/* The next word; quotes may stand anywhere in it ('on hold'=3) and are known to be paired. False: nothing is left. */
bool e8_tpl_word(struct e8_str *rest, struct e8_str *word);
/* These report what is wrong and return false. */
bool e8_tpl_unquote(struct compiler *c, struct e8_str word, struct e8_str *out);
bool e8_tpl_split_range(struct e8_str text, struct e8_str *low, struct e8_str *high);
bool e8_tpl_share(struct compiler *c, struct e8_str word, double *share);
bool e8_tpl_integer(struct compiler *c, struct e8_str word, int64_t low, int64_t high, int64_t *out);
bool e8_tpl_weight(struct compiler *c, struct e8_str word, uint64_t *out);
bool e8_tpl_weights(struct compiler *c, const uint64_t *weights, size_t count, struct weights *out);
const char *e8_tpl_did_you_mean(struct compiler *c, struct e8_str name, const char *const *names,
                                const char *otherwise);

/* functions.c: the one table */
enum changing { CHANGES_NEVER, CHANGES_EVENT, CHANGES_FLOW }; /* from event to event: not in an entity */

struct call {
    const struct function *function;
    enum form form;
    struct e8_str args[E8_TPL_ARGS_MAX];
    size_t count;
    struct e8_str rest; /* all arguments, as written */
    struct op op;
    size_t max;
    const struct program *body;
    struct value value;
};

struct function {
    const char *name;
    const char *usage; /* "MIN..MAX"; for errors */
    int min, max;      /* number of arguments; max -1: any, it takes `rest` */
    unsigned kinds;    /* of the value; KIND_STRING alone is written without quotes, the caller puts them */
    enum changing changes;
    size_t bytes; /* at most; what the function is made of comes on top */
    bool (*compile)(struct compiler *c,
                    struct call *call); /* may be NULL, else sets op and what differs from this row */
    render_fn render;
};

extern const struct function e8_tpl_functions[]; /* ends with name NULL */
const struct function *e8_tpl_function(struct e8_str name);

/* random.c, choose.c */
#define E8_TPL_COMPILE(name) bool e8_tpl_compile_##name(struct compiler *c, struct call *call)
#define E8_TPL_RENDER(name)  void e8_tpl_render_##name(struct render *r, const struct op *op)
void e8_tpl_make_pairs(struct e8_vocab *vocab);
E8_TPL_RENDER(guid);
E8_TPL_COMPILE(int);
E8_TPL_COMPILE(float);
E8_TPL_RENDER(decimal);
E8_TPL_COMPILE(bool);
E8_TPL_RENDER(bool);
E8_TPL_COMPILE(hex);
E8_TPL_COMPILE(digits);
E8_TPL_COMPILE(letters);
E8_TPL_COMPILE(alnum);
E8_TPL_COMPILE(base62);
E8_TPL_RENDER(chars);
E8_TPL_COMPILE(pick);
E8_TPL_RENDER(pick);
E8_TPL_COMPILE(weighted);
E8_TPL_RENDER(weighted);
E8_TPL_COMPILE(optional);
E8_TPL_RENDER(optional);
E8_TPL_COMPILE(lower);
E8_TPL_COMPILE(upper);
E8_TPL_RENDER(letters);

/* directives.c */
bool e8_tpl_is_directive(const struct e8_node *map);
bool e8_tpl_is_directive_name(struct e8_str name);
struct value e8_tpl_directive(struct builder *b, const struct e8_node *map, enum form form);

static inline uint32_t e8_tpl_draw(struct e8_rng *rng, const struct weights *weights)
{
    uint64_t at = e8_rng_below(rng, weights->upto[weights->count - 1]);
    uint32_t i = 0;

    while (weights->upto[i] <= at)
        i++;
    return i;
}

/* words.c */
uint64_t
e8_tpl_start(struct e8_str key); /* its first eight bytes: the keys of a list mostly differ in them */
const struct word_list *e8_tpl_words(const struct e8_vocab *vocab, struct e8_str name);
const struct choices *e8_tpl_choices(const struct word_list *list, int column, enum form form);

/* entities.c */
struct item *e8_tpl_macro(const struct e8_vocab *vocab, struct e8_str name);
struct entity *e8_tpl_entity(const struct e8_vocab *vocab, struct e8_str name);
struct item *e8_tpl_field(const struct entity *entity, struct e8_str name);
bool e8_tpl_scope(struct compiler *c, struct entity *entity); /* once the types are known */

/* references.c */
/* ENTITY.FIELD or ENTITY.FIELD.COLUMN, or a macro; compiles it if need be. */
struct value e8_tpl_reference(struct builder *b, struct e8_str name, enum form form);
/* A field's draws are from a stream of its own; the caller sets the one before again. */
void e8_tpl_begin_field(struct render *r, const struct op *op);
bool e8_tpl_compile_items(struct e8_vocab *vocab, struct e8_errs *errs);
/* Notes that what is being compiled uses something that changes; reports and returns false if it must not. */
bool e8_tpl_uses(struct compiler *c, const struct changes *changes, struct e8_str name);

/* vocab.c */
const struct type_set *e8_tpl_types(struct compiler *c, struct e8_str pattern);
uint64_t e8_tpl_count(const struct type_set *types, const struct e8_facts *facts);

#endif
