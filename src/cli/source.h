/* Where scenarios come from: a file, stdin, or one of those that are built in; and what they include. */
#ifndef E8_CLI_SOURCE_H
#define E8_CLI_SOURCE_H

#include "cli/args.h"
#include "scenario/scenario.h"

/* A scenario's text, and the texts that were read for it. */
struct e8_source {
    const char *name; /* what errors call it: the path, or "scenarios/NAME.yaml" */
    struct e8_buf text;
    bool builtin; /* it includes built-in files only */
    struct e8_included {
        char *path;
        struct e8_buf text;
    } * included;
    size_t included_count;
};

/* A path that exists is a file, "-" is stdin, a plain word is one of the built-in scenarios. The caller calls e8_source_fini, also
 * after an error. */
enum e8_rc e8_source_open(const char *name, struct e8_source *out, struct e8_err *err);
void e8_source_fini(struct e8_source *source);

/* e8_plan_parse with the source's files. A scenario that leaves its endpoints to --to gets one where `elsewhere` is not NULL: that
 * URL. */
enum e8_rc e8_source_parse(struct e8_source *source, const struct e8_catalog *catalog,
                           const struct e8_scenario_options *options, const char *elsewhere,
                           struct e8_plan **out, struct e8_errs *errs);

/* The name of a built-in scenario from its path ("scenarios/quick.yaml": quick), in out; false for other files. */
#define E8_BUILTIN_MAX 64
bool e8_builtin_name(const char *path, char out[E8_BUILTIN_MAX]);
/* "NAME" is no file and no built-in scenario: E8_INPUT with a hint. */
enum e8_rc e8_builtin_unknown(const char *name, struct e8_err *err);
/* The text of a built-in scenario; p NULL: there is none of that name. *path (may be NULL) is its path, valid for ever. */
struct e8_str e8_builtin_find(const char *name, const char **path);

/* A secret for what signs nothing that is sent: a check of a file, a preview. */
#define E8_SECRET_STAND_IN      "0000000000000000000000000000000000000000000000000000000000000000"
#define E8_SECRET_STAND_IN_NEXT "1111111111111111111111111111111111111111111111111111111111111111"

#endif
