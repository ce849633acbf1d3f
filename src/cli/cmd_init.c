#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/source.h"

#define START "scenarios/templates/start.yaml"

const struct e8_option e8_init_options[] = {
    {"from", 0, "NAME", "copy this built-in scenario instead of the one to start from", 0},
    {"list", 0, NULL, "show the built-in scenarios", 0},
    {"force", 0, NULL, "write over a file that exists", 0},
    {NULL, 0, NULL, NULL, 0},
};

static void print_builtin(const char *name, const char *path, size_t width)
{
    struct e8_doc *doc = NULL;
    struct e8_err err = {0};
    enum e8_rc rc = e8_doc_parse(path, e8_catalog_builtin(path), E8_DOC_YAML, &doc, &err);
    E8_ASSERT(rc == E8_OK);
    const struct e8_node *description = e8_node_get(e8_doc_root(doc), "description");
    printf("%-*s  %.*s\n", (int)width, name, E8_STR(description ? description->text : E8_LIT("")));
    e8_doc_free(&doc);
}

static int list_builtin(void)
{
    char name[E8_BUILTIN_MAX];
    size_t width = 0;
    for (const char *path = NULL; (path = e8_catalog_builtin_next("scenarios/", path)) != NULL;) {
        if (e8_builtin_name(path, name) && strlen(name) > width) {
            width = strlen(name);
        }
    }
    for (const char *path = NULL; (path = e8_catalog_builtin_next("scenarios/", path)) != NULL;) {
        if (e8_builtin_name(path, name)) {
            print_builtin(name, path, width);
        }
    }
    return E8_EXIT_PASS;
}

/* A name without an ending gets one. */
static const char *path_of(struct e8_arena *arena, const char *name)
{
    const char *slash = strrchr(name, '/');
    return strchr(slash ? slash : name, '.') ? name : e8_arena_printf(arena, "%s.yaml", name);
}

static bool is_plain(struct e8_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_')) {
            return false;
        }
    }
    return name.n > 0;
}

/* The text to start from, under the file's name and not its own. */
static void put_start(const char *path, struct e8_buf *out)
{
    static const char line[] = "\nscenario: start\n";
    struct e8_str text = e8_catalog_builtin(START), stem;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *at = text.p ? strstr(text.p, line) : NULL;
    E8_ASSERT(at);
    stem = (struct e8_str){file, strcspn(file, ".")};
    if (!is_plain(stem)) {
        e8_buf_putstr(out, text);
        return;
    }
    e8_buf_put(out, text.p, (size_t)(at - text.p));
    e8_buf_printf(out, "\nscenario: %.*s\n", E8_STR(stem));
    e8_buf_puts(out, at + sizeof line - 1);
}

static enum e8_rc check_place(const char *path, bool force, struct e8_err *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? e8_dup_str((struct e8_str){path, (size_t)(slash - path) + 1}) : e8_dup(".");
    struct stat st;
    enum e8_rc rc = E8_OK;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = e8_fail(err, E8_INPUT, "the name of a file", "%s is a directory", path);
    } else if (lstat(path, &st) == 0 && !force) {
        rc = e8_fail(err, E8_INPUT, "give another name, or --force to write over it", "%s exists", path);
    } else if (stat(parent, &st) != 0) {
        rc = e8_fail(err, E8_ENV, "a file in a directory that exists", "%s: %s", path, strerror(errno));
    }
    free(parent);
    return rc;
}

static enum e8_rc write_scenario(const struct e8_args *args, const char *path, struct e8_err *err)
{
    const char *from = e8_arg(args, "from");
    struct e8_buf text;
    enum e8_rc rc = E8_OK;
    e8_buf_init(&text, E8_FILE_MAX);
    if (from) {
        struct e8_str builtin = e8_builtin_find(from, NULL);
        rc = builtin.p ? E8_OK : e8_builtin_unknown(from, err);
        e8_buf_putstr(&text, builtin);
    } else {
        put_start(path, &text);
    }
    rc = rc ? rc : check_place(path, e8_arg_set(args, "force"), err);
    rc = rc ? rc : e8_file_write(path, e8_buf_str(&text), err);
    e8_buf_fini(&text);
    return rc;
}

static void hint_builtin(const struct e8_args *args)
{
    const char *name = args->word_count ? args->words[0] : NULL;
    if (name && !e8_arg_set(args, "from") && e8_builtin_find(name, NULL).p) {
        fprintf(stderr, "emit8: to copy the built-in one: emit8 init --from %s\n", name);
    }
}

int e8_cmd_init(const struct e8_args *args)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_err err = {0};
    int code = E8_EXIT_PASS;
    const char *path = path_of(arena, args->word_count ? args->words[0] : "scenario.yaml");
    if (e8_arg_set(args, "list")) {
        code = list_builtin();
    } else if (write_scenario(args, path, &err)) {
        code = e8_exit_error(&err);
    } else if (!e8_arg_set(args, "quiet")) {
        printf("wrote %s; try: emit8 run %s --sink\n", path, path);
        hint_builtin(args);
    }
    e8_arena_free(&arena);
    return code;
}
