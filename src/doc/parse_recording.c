/* A recording as the sink writes it: a head in YAML whose last key has no value yet, then the items of that value, each a JSON
 * object on a line of its own. */
#include "doc/build.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The line at byte `at`, without its end; *next is where the one behind it begins. */
static struct e8_str line_at(struct e8_str text, size_t at, size_t *next)
{
    const char *end = memchr(text.p + at, '\n', text.n - at);
    size_t n = end ? (size_t)(end - (text.p + at)) : text.n - at;
    *next = at + n + (end != NULL);
    return (struct e8_str){text.p + at, n};
}

static size_t indent_of(struct e8_str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] == ' ')
        n++;
    return n;
}

static bool is_item(struct e8_str line, size_t indent)
{
    return indent_of(line) == indent && line.n > indent + 2 && !memcmp(line.p + indent, "- {", 3);
}

/* What is left of an item when its writer was killed. */
static bool begins_item(struct e8_str line, size_t indent)
{
    for (size_t i = 0; i < line.n && i < indent + 3; i++)
        if (line.p[i] != (i < indent ? ' ' : "- {"[i - indent]))
            return false;
    return true;
}

static bool is_nothing(struct e8_str line)
{
    size_t n = indent_of(line);
    return n == line.n || line.p[n] == '#' || (line.p[n] == '\r' && n + 1 == line.n);
}

/* Where the items begin and how far they are indented; false: there are none, or something else follows them. Then *items is
 * the end of the text, or where it is torn. */
static bool find_items(struct e8_str text, size_t *items, size_t *indent)
{
    bool found = false;
    size_t next;
    *items = text.n;
    *indent = 0;
    for (size_t at = 0; at < text.n; at = next) {
        struct e8_str line = line_at(text, at, &next);
        if (!found && is_item(line, indent_of(line))) {
            found = true;
            *items = at;
            *indent = indent_of(line);
            continue;
        }
        bool torn = at + line.n == text.n && begins_item(line, found ? *indent : indent_of(line));
        if (!found && torn && !is_nothing(line)) {
            *items = at;
        } else if (found && !torn && !is_nothing(line) && !is_item(line, *indent)) {
            *items = text.n;
            return false;
        }
    }
    return found;
}

/* The value that the head ends with; NULL where it has one. */
static struct e8_node *find_open(struct e8_node *root, size_t indent)
{
    struct e8_node *node = root;
    while (node && node->kind == E8_MAP)
        node = node->last;
    return node && node->kind == E8_NULL && !node->text.n && node->key_col <= (int)indent + 1 ? node : NULL;
}

static enum e8_rc parse_item(struct e8_build *build, size_t at, size_t end)
{
    enum e8_rc rc = e8_parse_json_value(build, &at, end);
    while (rc == E8_OK && at < end && is_blank(build->text.p[at]))
        at++;
    return rc || at == end ? rc : e8_build_fail(build, at, "one object on each line", "something follows");
}

static bool is_torn(struct e8_build *build, size_t at, size_t end)
{
    struct e8_build dry;
    struct e8_arena *arena = e8_arena_new();
    e8_build_init(&dry, arena, build->name, build->text, NULL);
    bool torn = parse_item(&dry, at, end) != E8_OK;
    e8_build_fini(&dry);
    e8_arena_free(&arena);
    return torn;
}

static enum e8_rc parse_items(struct e8_build *build, size_t at, size_t indent)
{
    struct e8_str text = build->text;
    enum e8_rc rc = E8_OK;
    for (size_t next; rc == E8_OK && at < text.n; at = next) {
        struct e8_str line = line_at(text, at, &next);
        size_t end = at + line.n;
        bool ended =
            end < text.n; /* by a line break: what was killed while it wrote leaves a line without one */
        if (is_nothing(line) || (!ended && (!is_item(line, indent) || is_torn(build, at + indent + 2, end))))
            continue;
        rc = parse_item(build, at + indent + 2, end);
    }
    return rc;
}

enum e8_rc e8_parse_recording(struct e8_build *build)
{
    struct e8_str text = build->text;
    size_t items, indent;
    bool found = find_items(text, &items, &indent);
    build->text.n = items;
    enum e8_rc rc = e8_parse_yaml(build);
    build->text.n = text.n;
    if (!found)
        return rc;
    struct e8_node *list = rc == E8_OK ? find_open(build->root, indent) : NULL;
    if (rc || !list)
        return rc ? rc : e8_build_fail(build, items, NULL, "the list of steps has no key");
    list->kind = E8_SEQ;
    build->open[0] = list;
    build->open_at[0] = items;
    build->depth = 1;
    rc = parse_items(build, items, indent);
    build->depth = 0;
    if (list->first) {
        list->line = list->first->line;
        list->col = (int)indent + 1;
    }
    return rc;
}
