/* Reading a scenario file: what the parts of the parser share. Internal to scenario. */
#ifndef E8_SCENARIO_PARSE_H
#define E8_SCENARIO_PARSE_H

#include "scenario/build.h"

#define E8_FLOWS_MAX 10000

/* A variable that a foreach gives, innermost first. */
struct e8_scope {
    struct e8_str name;
    const struct e8_node *value;
    const struct e8_scope *outer;
};

/* A flow that `each: types` has written out. */
struct e8_flow_group {
    struct e8_str name;
    size_t first, count; /* in the plan's flows */
};

struct e8_parser {
    const struct e8_catalog *catalog;
    const struct e8_scenario_options *options;
    struct e8_plan_owned *owned;
    struct e8_errs *errs;
    const char *environment;  /* of events that name none */
    struct e8_sources *files; /* all that was read */
    struct e8_vars *vars;     /* what ${…} may stand for */
    struct e8_written *made;  /* what flows are written out to */
    const struct e8_scope *scope;
    uint64_t rounds; /* that the loops around a step make together, at least; 0: there are none */
    struct e8_arena
        *scratch; /* of the nodes that replacing makes, while a step is parsed; NULL: the plan's arena */
    const struct e8_node **events; /* of each endpoint, for e8_parse_patterns */
    const char **types;            /* of the plan, as they are found */
    size_t type_cap;
    struct e8_flow_group *groups;
    size_t group_count;
};

/* Faults: at a node's value or key, counted in parser->errs. */
void e8_parse_fail(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void e8_parse_fail_key(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));
/* Where an e8_err was filled without a place: the same at a node. */
void e8_parse_fail_err(struct e8_parser *p, const struct e8_node *node, const struct e8_err *err);

/* Values, whose ${…} were replaced before. Each says what is wrong, if anything is. */
const char *e8_parse_text(struct e8_parser *p,
                          const struct e8_node *node); /* in the plan's arena; NULL after a fault */
bool e8_parse_dur_node(struct e8_parser *p, const struct e8_node *node, e8_dur_ns *out);
bool e8_parse_long_dur(struct e8_parser *p, const struct e8_node *node, e8_dur_ns *out); /* above 0 */
bool e8_parse_bool(struct e8_parser *p, const struct e8_node *node, bool *out);
/* Splits "A..B"; false, and both are the whole text, when there is no "..". */
bool e8_parse_range(struct e8_str text, struct e8_str *low, struct e8_str *high);
/* "3", 3 or "2..4" */
bool e8_parse_count_range(struct e8_parser *p, const struct e8_node *node, uint32_t *low, uint32_t *high);
/* Texts of a list (or one text) as a NULL-terminated array in the arena; NULL after a fault. */
const char *const *e8_parse_names(struct e8_parser *p, const struct e8_node *node, const char *what);
const char *const *e8_parse_command(struct e8_parser *p, const struct e8_node *node);
const char *e8_parse_environment(struct e8_parser *p, const struct e8_node *node);
bool e8_parse_on_failure(struct e8_parser *p, const struct e8_node *node, enum e8_on_failure *out);
/* Index of the endpoint, or -1. */
int e8_parse_endpoint_name(struct e8_parser *p, const struct e8_node *node);
/* A map of names and values, at most so many and so many bytes in all. */
void e8_parse_headers(struct e8_parser *p, const struct e8_node *map, size_t most, size_t bytes,
                      const struct e8_header **out, size_t *count);

/* Variables. */
struct e8_vars *e8_vars_new(void);
void e8_vars_free(struct e8_vars **vars);
void e8_vars_given(struct e8_parser *p); /* those of --var; before all others */
void e8_vars_add(struct e8_parser *p,
                 const struct e8_node *map); /* a file's `vars`; the first of a name counts */
/* At the end: was one given that nothing knows? And faults of the main file's own that are not used. */
void e8_vars_check(struct e8_parser *p, const struct e8_doc *main);
bool e8_vars_name_good(struct e8_str name);
/* The value with every ${…} in it replaced, also deep in it; the node itself where there is none. After a fault, which is told,
 * what could not be replaced stands as it was, and what is said about it later is taken back. */
const struct e8_node *e8_value(struct e8_parser *p, const struct e8_node *node);
/* The same for a value alone: not what is in a list or a map. */
const struct e8_node *e8_value_top(struct e8_parser *p, const struct e8_node *node);
const struct e8_node *e8_value_of(struct e8_parser *p, const struct e8_node *map,
                                  const char *key); /* of a member */
/* Does the text contain what came from the environment or the command line, of which errors and logs must not tell? */
bool e8_vars_hidden(const struct e8_vars *vars, struct e8_str text);

/* Files. */
struct e8_sources *e8_sources_new(struct e8_str text);
void e8_sources_free(struct e8_sources **files);
/* The root of the main file, with what it includes; NULL after a fault. */
const struct e8_node *e8_sources_load(struct e8_parser *p, const char *name);
/* Each file's map of that key, the main file's first; NULL at the end. */
const struct e8_node *e8_sources_each(const struct e8_parser *p, const char *key, size_t *state);
bool e8_sources_variable(const struct e8_parser *p); /* does any file contain "${"? */
/* `path` from the directory of the file that the node stands in. */
const char *e8_sources_path(struct e8_parser *p, const struct e8_node *node, const char *path);
/* A file of rows, whose path stands at a node. NULL after a fault. */
const struct e8_doc *e8_sources_rows(struct e8_parser *p, const struct e8_node *path, struct e8_str *text);
void e8_sources_digest(const struct e8_parser *p, char out[65]);
struct e8_str e8_sources_text(const struct e8_sources *files, const char *name);
bool e8_sources_main(const struct e8_sources *files, const char *name); /* is it what the user named? */

/* Rows of CSV. */
struct e8_csv {
    struct e8_parser *p;
    const struct e8_doc *doc;
    struct e8_str text;
    size_t at;
    int line, col;
    struct e8_node *names;  /* a list */
    struct e8_arena *arena; /* of the names */
};
bool e8_csv_begin(struct e8_csv *csv, struct e8_parser *p, const struct e8_doc *doc, struct e8_str text);
/* The next row as a map, in `arena`; NULL at the end or after a fault. */
const struct e8_node *e8_csv_next(struct e8_csv *csv, struct e8_arena *arena);
void e8_csv_end(struct e8_csv *csv);

/* What flows are written out to: emits stay where they are until the last is known. */
struct e8_list {
    struct e8_step *steps;
    size_t count, cap;
};
struct e8_written *e8_written_new(void);
void e8_written_free(struct e8_written **made);
struct e8_emit *e8_written_emit(struct e8_parser *p,
                                const struct e8_node *at); /* NULL: too many, which is told once */
struct e8_step *e8_written_step(struct e8_parser *p, struct e8_list *list, enum e8_step_kind kind);
struct e8_steps e8_written_steps(struct e8_parser *p, struct e8_list *list); /* ends the list */
bool e8_written_round(struct e8_parser *p,
                      const struct e8_node *at); /* false: too many, which is told once */
bool e8_written_rounds(struct e8_parser *p, const struct e8_node *at,
                       uint64_t least); /* the same before so many are made */
void e8_written_finish(struct e8_parser *p);
/* The template of a type with edits, made once for all steps that have the same. json: {"edits":[…]}; p NULL: none. */
const struct e8_template *e8_written_template(struct e8_parser *p, size_t type, const struct e8_edit *edits,
                                              size_t count, struct e8_str *json);

/* What steps say, while they are parsed. */
struct e8_context {
    int depth; /* of repeat, choose and parallel */
    const struct e8_emit
        *before;         /* the event that `again` is about; NULL: none, or it depends on what is drawn */
    struct e8_str edits; /* what e8_written_template said of it */
    const enum e8_on_failure *await; /* behind every event; or NULL */
};
void e8_parse_emit(struct e8_parser *p, const struct e8_node *map, struct e8_list *list,
                   struct e8_context *context);
void e8_parse_again(struct e8_parser *p, const struct e8_node *map, struct e8_list *list,
                    struct e8_context *context);
bool e8_parse_await(struct e8_parser *p, const struct e8_node *node, enum e8_on_failure *out);
/* A list of steps: one of its own, or put behind what is there. */
struct e8_steps e8_parse_steps(struct e8_parser *p, const struct e8_node *steps, struct e8_context *context);
void e8_parse_steps_into(struct e8_parser *p, const struct e8_node *steps, struct e8_list *list,
                         struct e8_context *context);
void e8_parse_foreach(struct e8_parser *p, const struct e8_node *map, struct e8_list *list,
                      struct e8_context *context);
void e8_parse_deliver(struct e8_parser *p, const struct e8_node *map, struct e8_deliver *out);
void e8_parse_faults(struct e8_parser *p, const struct e8_node *map, struct e8_faults *out);
const struct e8_effect *e8_parse_effect(struct e8_parser *p, const struct e8_node *map);
const struct e8_probe *e8_parse_probe(struct e8_parser *p, const struct e8_node *map);
/* What stands for secrets that are not there: neither in the environment nor in a file. */
struct e8_spare {
    const char *secret; /* NULL: there is none, and what is not there is a fault */
    bool once;          /* it stands for one alone; with options->stand_ins a new one is made for each */
    size_t taken;
};
/* Secrets of an endpoint: where they come from. Without a node, the spare one. */
const char *const *e8_parse_secrets(struct e8_parser *p, const struct e8_node *node, struct e8_spare *spare,
                                    size_t most, size_t *count);

/* The texts of errors from `from` on tell nothing secret: neither values from the environment, nor lines that hold a secret, a
 * header's value or a URL with a password. And what was said of values that could not be replaced is taken back. */
void e8_hide(struct e8_parser *p, size_t from);
void e8_hide_values(const struct e8_vars *vars, struct e8_errs *errs, size_t from);

/* The parts. Each adds its faults and goes on, so that one run of the parser finds them all. */
void e8_parse_endpoints(struct e8_parser *p, const struct e8_node *root);
void e8_parse_patterns(struct e8_parser *p); /* of the endpoints, when all types are known */
void e8_parse_flows(struct e8_parser *p, const struct e8_node *root);
void e8_parse_phases(struct e8_parser *p, const struct e8_node *list);

#endif
