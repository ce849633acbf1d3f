/* Reading a scenario file: what the parts of the parser share. Internal to scenario. */
#ifndef E8_SCENARIO_PARSE_H
#define E8_SCENARIO_PARSE_H

#include "scenario/build.h"

struct e8_parser {
    const struct e8_catalog *catalog;
    const struct e8_scenario_options *options;
    struct e8_plan_owned *owned;
    struct e8_errs *errs;
    const char *environment; /* of events that name none */
    bool crowded;            /* it was said that there are too many emits */
};

/* Faults: at a node's value or key, counted in parser->errs. */
void e8_parse_fail(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void e8_parse_fail_key(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));
/* Where an e8_err was filled without a place: the same at a node. */
void e8_parse_fail_err(struct e8_parser *p, const struct e8_node *node, const struct e8_err *err);

/* A text with ${NAME} and ${NAME:-default} replaced from the environment, in the plan's arena; NULL after a fault. */
const char *e8_parse_text(struct e8_parser *p, const struct e8_node *node);
bool e8_parse_dur_node(struct e8_parser *p, const struct e8_node *node, e8_dur_ns *out);
/* Splits "A..B"; false, and both are the whole text, when there is no "..". */
bool e8_parse_range(struct e8_str text, struct e8_str *low, struct e8_str *high);
/* "3", 3 or "2..4" */
bool e8_parse_count_range(struct e8_parser *p, const struct e8_node *node, uint32_t *low, uint32_t *high);
/* Texts of a list (or one text) as a NULL-terminated array in the arena; NULL after a fault. */
const char *const *e8_parse_names(struct e8_parser *p, const struct e8_node *node, const char *what);
const char *e8_parse_environment(struct e8_parser *p, const struct e8_node *node);

/* An error shows the line it stands in. From those at `from` on it is taken away where the line, or what it is a part of, may
 * hold a secret, a header's value or a URL with a password. */
void e8_hide_secrets(struct e8_str text, struct e8_errs *errs, size_t from);

/* The parts, a file each. Each adds its faults and goes on, so that one run of the parser finds them all. */
void e8_parse_endpoints(struct e8_parser *p, const struct e8_node *map);
void e8_parse_flows(struct e8_parser *p, const struct e8_node *map);
void e8_parse_phases(struct e8_parser *p, const struct e8_node *list);

#endif
