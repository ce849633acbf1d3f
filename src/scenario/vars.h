/* What ${…} may stand for, and what came of it. Internal to the files of variables. */
#ifndef E8_SCENARIO_VARS_H
#define E8_SCENARIO_VARS_H

#include "scenario/parse.h"

#define E8_VARS_MAX    1000 /* of one file */
#define E8_COLUMNS_MAX 1000

struct e8_variable {
    struct e8_str name;
    const struct e8_node *raw;   /* as the file says; NULL: only given with --var */
    const struct e8_node *value; /* with what it refers to replaced; NULL: not asked for yet */
    const char *given;           /* with --var; or NULL */
    size_t weight;               /* values that it stands for */
    bool busy, used;
};

/* What came from outside. */
struct e8_hidden {
    char *name, *value;
};

/* A place in a file, and what it says. */
struct e8_noted {
    const struct e8_doc *doc;
    struct e8_str text;
    int line, col;
};

struct e8_vars {
    struct e8_variable *list;
    size_t count;
    struct e8_hidden *hidden;
    size_t hidden_count;
    struct e8_noted *places; /* nodes whose value came from outside */
    size_t place_count;
    struct e8_noted *failed; /* nodes that could not be replaced */
    size_t failed_count;
    size_t total, bytes; /* values and bytes that variables stood for so far */
    int depth;
};

bool e8_vars_name_char(char c);
struct e8_variable *e8_vars_find(struct e8_vars *vars, struct e8_str name); /* NULL: none of that name */
/* The value of a name, of which `at` asks. NULL: there is none; *told: because of a fault. */
const struct e8_node *e8_vars_look_up(struct e8_parser *p, struct e8_str name, const struct e8_node *at,
                                      bool *told);
struct e8_arena *e8_vars_arena(const struct e8_parser *p); /* of the nodes that replacing makes */
void e8_vars_note(struct e8_noted **list, size_t *count, const struct e8_node *node);
/* What is said of the node's value from now on is taken back. */
void e8_vars_fail(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A text from outside, as a number or a truth value where it is one; it stands where `at` does. */
struct e8_node *e8_vars_typed(struct e8_arena *arena, struct e8_str text, const struct e8_node *at);

#endif
