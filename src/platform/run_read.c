/* What may be run here: the built-in scenarios, and what a request asks for, as a plan. */
#include <string.h>

#include "digest/digest.h"
#include "platform/api.h"
#include "scenario/scenario.h"

#define FOLDER   "scenarios/"
#define ENDING   ".yaml"
#define TEXT_MAX ((size_t)512 << 10) /* of a scenario */

/* ---- scenarios ---- */

static enum e8_rc read_builtin(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    (void)state;
    *out = e8_catalog_builtin(path);
    return out->p ? E8_OK
                  : e8_fail(err, E8_INPUT, "a built-in scenario includes built-in files",
                            "there is no built-in file \"%s\"", path);
}

static struct e8_str builtin(struct e8_call *call, const char *name)
{
    return e8_catalog_builtin(e8_arena_printf(call->arena, FOLDER "%s" ENDING, name));
}

/* The name of a built-in scenario by its path; NULL: it is something else. */
static const char *name_of(struct e8_call *call, const char *path)
{
    size_t n = strlen(path), front = strlen(FOLDER), back = strlen(ENDING);
    if (n <= front + back || strcmp(path + n - back, ENDING) != 0 || strchr(path + front, '/')) {
        return NULL;
    }
    return e8_call_text(call, (struct e8_str){path + front, n - front - back});
}

static bool has_key(const struct e8_node *node, const char *key)
{
    for (const struct e8_node *child = node ? node->first : NULL; child; child = child->next) {
        if ((node->kind == E8_MAP && e8_str_is(child->key, key)) || has_key(child, key)) {
            return true;
        }
    }
    return false;
}

/* Its endpoints are not used; a file of theirs is not read, whatever it may be. */
static void check_text(struct e8_call *call, const char *text)
{
    struct e8_doc *doc = NULL;
    if (!e8_doc_parse("text", e8_str(text), E8_DOC_YAML, &doc, NULL) &&
        has_key(e8_node_get(e8_doc_root(doc), "endpoints"), "file")) {
        e8_call_fault_at(call, "text", "leave the endpoints out: the enabled webhooks take their place",
                         "a secret in a file is not read from here");
    }
    e8_doc_free(&doc);
}

static bool turns_secrets(struct e8_steps steps)
{
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        bool branches = step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL;
        if (step->kind == E8_STEP_SECRET ||
            (step->kind == E8_STEP_REPEAT && turns_secrets(step->repeat.body))) {
            return true;
        }
        for (size_t k = 0; branches && k < step->branches.count; k++) {
            if (turns_secrets(step->branches.list[k].steps)) {
                return true;
            }
        }
    }
    return false;
}

/* What a scenario may do on the command line, but not from here. */
static enum e8_rc check_plan(const struct e8_plan *plan, struct e8_err *err)
{
    if (plan->executes) {
        return e8_fail(err, E8_INPUT, "emit8 run has --allow-exec",
                       "a scenario with commands is not run from here");
    }
    for (size_t i = 0; i < plan->flow_count; i++) {
        if (turns_secrets(plan->flows[i].steps)) {
            return e8_fail(err, E8_INPUT,
                           "run another one, and rotate the secrets of the webhooks meanwhile: it follows",
                           "the scenario rotates secrets of endpoints of its own");
        }
    }
    return E8_OK;
}

static void add_errors(struct e8_call *call, const char *field, const struct e8_errs *errs)
{
    for (size_t i = 0; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        bool included = strcmp(err->file, "text") != 0;
        if (err->line == 0) {
            e8_call_fault_at(call, field, err->hint, "%s", err->what);
        } else if (included) {
            e8_call_fault_at(call, field, err->hint, "%s:%d:%d: %s", err->file, err->line, err->col,
                             err->what);
        } else {
            e8_call_fault_at(call, field, err->hint, "line %d, column %d: %s", err->line, err->col,
                             err->what);
        }
    }
}

static enum e8_rc parse_plan(struct e8_call *call, const struct e8_run_asked *asked, struct e8_plan **out,
                             struct e8_errs *errs)
{
    struct e8_scenario_options options = {
        .to = "http://127.0.0.1:1/",
        .secret = "not-used-and-never-sent",
        .next_secret = "not-used-and-never-sent-either",
        .stand_ins = true,
        .read = asked->text ? NULL : read_builtin,
        .seed_given = asked->seed_given,
        .seed = asked->seed,
    };
    const char *path =
        asked->text ? "text" : e8_arena_printf(call->arena, FOLDER "%s" ENDING, asked->scenario);
    struct e8_str text = asked->text ? e8_str(asked->text) : builtin(call, asked->scenario);
    e8_random_bytes(&options.seed_random, sizeof options.seed_random);
    options.seed_random >>= 11; /* no more than a browser can tell apart */
    return e8_plan_parse(call->server->catalog, path, text, &options, out, errs);
}

struct e8_plan *e8_run_plan(struct e8_call *call, const struct e8_run_asked *asked)
{
    const char *field = asked->text ? "text" : "scenario";
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    struct e8_err err = {0};
    e8_errs_init(&errs);
    if (parse_plan(call, asked, &plan, &errs)) {
        add_errors(call, field, &errs);
    } else if (check_plan(plan, &err)) {
        e8_call_fault_at(call, field, err.hint, "%s", err.what);
    }
    e8_errs_fini(&errs);
    if (e8_call_faulty(call)) {
        e8_plan_free(&plan);
        plan = NULL;
    }
    return plan;
}

/* ---- the request ---- */

static void read_scenario(struct e8_call *call, const struct e8_node *node, void *into)
{
    const char *name = e8_call_string(call, node, 64), *names[128], *own;
    char hint[E8_HINT_MAX];
    size_t n = 0;
    if (!name) {
        return;
    }
    ((struct e8_run_asked *)into)->scenario = name;
    for (const char *at = NULL;
         (at = e8_catalog_builtin_next(FOLDER, at)) != NULL && n + 1 < E8_COUNT(names);) {
        own = name_of(call, at);
        if (own && strcmp(own, name) == 0) {
            return;
        }
        if (own) {
            names[n++] = own;
        }
    }
    names[n] = NULL;
    e8_hint_names(e8_str(name), names, "built in are", hint);
    e8_call_fault(call, node, hint, "\"%s\" is no built-in scenario", name);
}

static void read_text(struct e8_call *call, const struct e8_node *node, void *into)
{
    const char *text = e8_call_string(call, node, TEXT_MAX);
    if (text) {
        check_text(call, text);
    }
    ((struct e8_run_asked *)into)->text = text;
}

static void read_seed(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct e8_run_asked *asked = into;
    if (node->kind != E8_INT || node->i < 0) {
        e8_call_fault(call, node, e8_node_hint(node, "a whole number from 0 on, without quotes"),
                      "this is no seed");
        return;
    }
    asked->seed_given = true;
    asked->seed = (uint64_t)node->i;
}

static void read_speed(struct e8_call *call, const struct e8_node *node, void *into)
{
    double speed = e8_node_is_number(node) ? e8_node_number(node) : 0;
    if (node->kind == E8_STRING && !e8_parse_factor(node->text, &speed)) {
        speed = 0;
    }
    if (speed < 0.001 || speed > 1000) {
        e8_call_fault(call, node, e8_node_hint(node, "10 or \"10x\" is ten times as fast; 0.001 to 1000"),
                      "this is no speed");
        return;
    }
    ((struct e8_run_asked *)into)->speed = speed;
}

bool e8_run_read(struct e8_call *call, struct e8_run_asked *out)
{
    static const struct e8_member members[] = {{"scenario", false, read_scenario},
                                               {"text", false, read_text},
                                               {"seed", false, read_seed},
                                               {"speed", false, read_speed}};
    *out = (struct e8_run_asked){.speed = 1};
    e8_call_members(call, members, E8_COUNT(members), out);
    if (!e8_call_faulty(call) && !out->scenario == !out->text) {
        e8_call_fault_at(call, "scenario", "GET /v1/scenarios lists the built-in ones",
                         "give either \"scenario\", a name, or \"text\"");
    }
    return !e8_call_faulty(call);
}

/* The first comment of the file, or its description. */
static void put_summary(struct e8_json *w, struct e8_str text)
{
    struct e8_doc *doc = NULL;
    const struct e8_node *description = NULL;
    if (!e8_doc_parse("scenario", text, E8_DOC_YAML, &doc, NULL)) {
        description = e8_node_get(e8_doc_root(doc), "description");
    }
    e8_json_str(w, "summary", description ? description->text : E8_LIT(""));
    e8_doc_free(&doc);
}

/* Why a built-in one is never run from here, in the arena: the fixtures have not what it needs, or it does what it may not. NULL: it is. */
static const char *refusal_of(struct e8_call *call, const char *name, struct e8_arena *arena)
{
    const struct e8_run_asked asked = {.scenario = name};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    struct e8_err err = {0};
    e8_errs_init(&errs);
    if (parse_plan(call, &asked, &plan, &errs)) {
        err = errs.list[0];
    } else {
        check_plan(plan, &err);
    }
    e8_plan_free(&plan);
    e8_errs_fini(&errs);
    return err.what[0] ? e8_arena_printf(arena, "%s%s%s", err.what, err.hint[0] ? "; " : "", err.hint) : NULL;
}

/* Plans take their time, and what is built in stays as it is. */
static const char *const *refusals(struct e8_call *call)
{
    struct e8_platform_server *server = call->server;
    size_t n = 0;
    if (server->refusals) {
        return server->refusals;
    }
    for (const char *at = NULL; (at = e8_catalog_builtin_next(FOLDER, at)) != NULL;) {
        n += name_of(call, at) != NULL;
    }
    server->refusing = e8_arena_new();
    server->refusals = e8_arena_alloc(server->refusing, (n + 1) * sizeof *server->refusals);
    n = 0;
    for (const char *at = NULL, *name; (at = e8_catalog_builtin_next(FOLDER, at)) != NULL;) {
        if ((name = name_of(call, at)) != NULL) {
            server->refusals[n++] = refusal_of(call, name, server->refusing);
        }
    }
    return server->refusals;
}

void e8_scenarios_list(struct e8_call *call)
{
    const char *const *refused = refusals(call);
    struct e8_json *w = e8_call_begin_list(call, 200);
    for (const char *at = NULL; (at = e8_catalog_builtin_next(FOLDER, at)) != NULL;) {
        const char *name = name_of(call, at);
        if (!name) {
            continue;
        }
        struct e8_str text = e8_catalog_builtin(at);
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", name);
        put_summary(w, text);
        e8_json_str(w, "text", text);
        e8_json_cstr(w, "refused", *refused++);
        e8_json_end(w, '}');
    }
    e8_call_end_list(call, 0, NULL);
}
