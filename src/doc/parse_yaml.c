/* The only file that knows libfyaml. Its events are read one by one, never its documents: nothing is expanded, and what is
 * refused is refused before it costs memory. Places are computed from byte offsets; libfyaml's columns are not used. */
#include "doc/build.h"

#include <libfyaml.h>
#include <string.h>

struct yaml {
    struct e8_build *build;
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct e8_str
        input;       /* the text, ended by a line break: libfyaml errs at the end of a line that has none */
    size_t last_end; /* where the event before this one ended */
    int documents;
};

static void discard(struct fy_diag *diag, void *user, const char *text, size_t n)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)n;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char byte_at(const struct yaml *y, size_t at)
{
    return at < y->build->text.n ? y->build->text.p[at] : '\0';
}

/* Past white space and comments. */
static size_t skip_blank(const struct yaml *y, size_t at)
{
    while (is_blank(byte_at(y, at)) || byte_at(y, at) == '#') {
        if (byte_at(y, at) == '#')
            while (at < y->build->text.n && byte_at(y, at) != '\n' && byte_at(y, at) != '\r')
                at++;
        else
            at++;
    }
    return at;
}

/* libfyaml's marks stand behind the first character of an anchor, an alias or a quoted string. */
static size_t mark_start(const struct yaml *y, const struct fy_mark *mark, const char *openers)
{
    size_t at = mark->input_pos;
    if (at > 0 && byte_at(y, at - 1) && strchr(openers, byte_at(y, at - 1)))
        at--;
    return at;
}

static size_t token_start(const struct yaml *y, struct fy_token *token, const char *openers)
{
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    return mark ? mark_start(y, mark, openers) : y->last_end;
}

/* The mark of a block scalar is its first line; its place is the indicator on the line above. */
static size_t block_start(const struct yaml *y, size_t content)
{
    size_t at = content;
    if (at > 0 && byte_at(y, at - 1) == '\n')
        at--;
    if (at > 0 && byte_at(y, at - 1) == '\r')
        at--;
    while (at > y->last_end && byte_at(y, at - 1) != '\n' && byte_at(y, at - 1) != '\r')
        at--;
    for (; at < content; at++)
        if (byte_at(y, at) == '|' || byte_at(y, at) == '>')
            return at;
    return content;
}

/* A value that is not written has no token: it stands at its key, or at the dash of its item. */
static size_t missing_start(struct yaml *y)
{
    const struct e8_build *build = y->build;
    if (build->have_key)
        return build->key_at;
    size_t at = skip_blank(y, y->last_end);
    if (byte_at(y, at) == '-')
        y->last_end = at + 1;
    return at;
}

static size_t scalar_start(struct yaml *y, struct fy_token *token, enum fy_scalar_style style)
{
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (!mark)
        return missing_start(y);
    if (style == FYSS_LITERAL || style == FYSS_FOLDED)
        return block_start(y, mark->input_pos);
    return mark_start(y, mark, style == FYSS_DOUBLE_QUOTED ? "\"" : style == FYSS_SINGLE_QUOTED ? "'" : "");
}

/* What stands between the marks of a scalar; p is NULL where nothing is written. */
static struct e8_str raw_text(const struct yaml *y, struct fy_token *token)
{
    const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
    const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;
    struct e8_str all = y->build->text;
    if (!start || !end || start->input_pos > all.n)
        return (struct e8_str){NULL, 0};
    E8_ASSERT(start->input_pos <= end->input_pos);
    size_t last = end->input_pos < all.n ? end->input_pos : all.n;
    return (struct e8_str){all.p + start->input_pos, last - start->input_pos};
}

struct scalar {
    enum fy_scalar_style style;
    bool plain, block;
    struct e8_str raw, text;
    size_t at;
};

static enum e8_rc read_text(struct yaml *y, struct scalar *s)
{
    size_t end = (size_t)(s->raw.p - y->build->text.p) + s->raw.n;
    switch (s->style) {
    case FYSS_DOUBLE_QUOTED:
        return e8_yaml_double(y->build, s->raw, &s->text);
    case FYSS_LITERAL:
    case FYSS_FOLDED:
        if (byte_at(y, s->at) != '|' && byte_at(y, s->at) != '>')
            return e8_build_fail(y->build, s->at, NULL, "this block string cannot be read");
        return e8_yaml_block(y->build, s->at, end, &s->text);
    default:
        s->text = e8_yaml_flow(y->build->arena, s->raw, s->style == FYSS_SINGLE_QUOTED);
        return E8_OK;
    }
}

/* libfyaml takes values that stand left of where they must. */
static enum e8_rc check_indent(struct yaml *y, size_t at)
{
    const struct e8_build *build = y->build;
    if (!build->depth)
        return E8_OK;
    for (int i = 0; i < build->depth; i++)
        if (byte_at(y, build->open_at[i]) == '[' || byte_at(y, build->open_at[i]) == '{')
            return E8_OK;
    const struct e8_node *parent = build->open[build->depth - 1];
    if (e8_build_column(y->build, at) > parent->col)
        return E8_OK;
    return e8_build_fail(y->build, at,
                         parent->kind == E8_MAP ? "indent it deeper than its key"
                                                : "indent it deeper than the '-'",
                         "a value that is not indented");
}

static enum e8_rc on_key(struct yaml *y, const struct scalar *s)
{
    if (s->plain && s->text.n == 0)
        return e8_build_fail(y->build, s->at, "write the key before ':'; an empty one is \"\"",
                             "a key is missing");
    if (s->plain && e8_str_is(s->text, "<<"))
        return e8_build_fail(y->build, s->at,
                             "write the members out; in quotes \"<<\" is a key like any other",
                             "merge keys are not supported");
    if (s->block)
        return e8_build_fail(y->build, s->at, "write it in quotes", "a key that is a block string");
    return e8_build_key(y->build, s->text, s->at);
}

static enum e8_rc on_value(struct yaml *y, const struct scalar *s)
{
    if (!y->build->depth && s->plain && !s->raw.p)
        return e8_build_fail(y->build, 0, "an empty map is {}", "the document is empty");
    enum e8_rc rc = s->raw.p && !s->block ? check_indent(y, s->at) : E8_OK;
    if (rc != E8_OK)
        return rc;
    struct e8_node *node = e8_build_add(y->build, E8_STRING, s->at);
    if (!node)
        return E8_INPUT;
    node->text = s->text;
    node->quoted = !s->plain;
    if (!s->plain)
        return E8_OK;
    enum e8_scalar fault = e8_scalar_core(node, s->text);
    return fault == E8_SCALAR_OK ? E8_OK : e8_build_scalar_fail(y->build, s->at, fault, s->text);
}

static enum e8_rc on_scalar(struct yaml *y, struct fy_event *event)
{
    struct fy_token *token = event->scalar.value;
    enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
    struct scalar s = {
        .style = style,
        .plain = style == FYSS_PLAIN || style == FYSS_ANY,
        .block = style == FYSS_LITERAL || style == FYSS_FOLDED,
        .raw = raw_text(y, token),
        .at = scalar_start(y, token, style),
    };
    enum e8_rc rc = s.raw.p ? read_text(y, &s) : E8_OK;
    if (rc != E8_OK)
        return rc;
    return e8_build_wants_key(y->build) ? on_key(y, &s) : on_value(y, &s);
}

static enum e8_rc on_open(struct yaml *y, struct fy_event *event, enum e8_node_kind kind)
{
    size_t at = token_start(y, fy_event_get_token(event), "");
    if (e8_build_wants_key(y->build))
        return e8_build_fail(y->build, at, "keys are strings", "a key that is %s", e8_node_kind_name(kind));
    bool flow = byte_at(y, at) == '[' || byte_at(y, at) == '{';
    enum e8_rc rc = flow ? check_indent(y, at) : E8_OK;
    return rc == E8_OK ? e8_build_open(y->build, kind, at) : rc;
}

static enum e8_rc on_document(struct yaml *y, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    size_t at = mark ? mark->input_pos : skip_blank(y, y->last_end);
    if (++y->documents > 1)
        return e8_build_fail(y->build, at, "one document per file", "a second document begins here");
    return E8_OK;
}

/* Anchors and tags, which every kind of node can carry. */
static enum e8_rc check_properties(struct yaml *y, struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event), *tag = fy_event_get_tag_token(event);
    if (anchor)
        return e8_build_fail(y->build, token_start(y, anchor, "&"), "write the value out where it is used",
                             "anchors are not supported");
    if (tag)
        return e8_build_fail(y->build, token_start(y, tag, ""), "remove it; quotes make a string",
                             "tags are not supported");
    return E8_OK;
}

static enum e8_rc on_event(struct yaml *y, struct fy_event *event)
{
    enum e8_rc rc;
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return on_document(y, event);
    case FYET_ALIAS:
        return e8_build_fail(y->build, token_start(y, event->alias.anchor, "*"),
                             "write the value out; in quotes it is a string", "aliases are not supported");
    case FYET_SCALAR:
        rc = check_properties(y, event);
        return rc == E8_OK ? on_scalar(y, event) : rc;
    case FYET_MAPPING_START:
        rc = check_properties(y, event);
        return rc == E8_OK ? on_open(y, event, E8_MAP) : rc;
    case FYET_SEQUENCE_START:
        rc = check_properties(y, event);
        return rc == E8_OK ? on_open(y, event, E8_SEQ) : rc;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        e8_build_close(y->build);
        return E8_OK;
    default:
        return E8_OK;
    }
}

/* The innermost bracket that the end of the text leaves open, for the hint. */
static const char *unclosed(const struct yaml *y, size_t at, char *out, size_t size)
{
    const struct e8_build *build = y->build;
    if (skip_blank(y, at) < build->text.n)
        return NULL;
    for (int i = build->depth - 1; i >= 0; i--) {
        char c = byte_at(y, build->open_at[i]);
        if (c == '[' || c == '{') {
            snprintf(out, size, "the '%c' at line %d, column %d is not closed", c, build->open[i]->line,
                     build->open[i]->col);
            return out;
        }
    }
    return NULL;
}

/* libfyaml's messages: a part of each, better words where there are, and what would be right. */
static const struct {
    const char *part, *what, *hint;
} messages[] = {
    {"indendation in a mapping", "a tab in the indentation", "indent with spaces"},
    {"tab", NULL, "indent with spaces"},
    {"cannot start with", NULL, "put the value in quotes"},
    {"nested block mapping on the same line", "a second ': ' on the same line",
     "put a value that contains ': ' in quotes"},
    {"sequence on the same line", "a list that begins behind its key",
     "begin it on the next line, or use [ ]"},
    {"multiline plain key", NULL, "members of one map begin in the same column"},
    {"invalid indentation", NULL, "members of one map begin in the same column"},
    {"wrongly indented", NULL, "indent it deeper than its key"},
    {"after mapping", NULL, "members of one map begin in the same column, with ': ' behind the key"},
    {"without closing quote", NULL, "close the quote, or put a value with quotes in it into the other kind"},
    {"escape", NULL, "single quotes take a backslash as it is"},
    {"trailing content after", NULL, "put the whole value in quotes"},
    {"alias", NULL, "put a value that begins with '*' in quotes"},
    {"did not find expected node content", "a value is missing", "an empty value is written null"},
};

/* The first escape of a double-quoted string that is no character; `at` when there is none. */
static size_t broken_escape(const struct yaml *y, size_t at)
{
    struct e8_str text = y->build->text;
    for (size_t i = at; i + 1 < text.n && text.p[i] != '"'; i++) {
        if (text.p[i] != '\\')
            continue;
        char kind = text.p[i + 1];
        int64_t code = kind == 'u' || kind == 'U' ? e8_text_hex(text, i + 2, kind == 'u' ? 4 : 8) : 0;
        int64_t low = kind == 'u' && byte_at(y, i + 7) == 'u' ? e8_text_hex(text, i + 8, 4) : -1;
        bool pair =
            code >= 0xD800 && code < 0xDC00 && byte_at(y, i + 6) == '\\' && low >= 0xDC00 && low < 0xE000;
        if (!pair && ((code >= 0xD800 && code < 0xE000) || code > 0x10FFFF))
            return i;
        i += pair ? 7 : 1;
    }
    return at;
}

static enum e8_rc fail_by_message(struct yaml *y, size_t at, const char *message)
{
    char buffer[96];
    const char *hint = unclosed(y, at, buffer, sizeof buffer);
    bool surrogate = strstr(message, "low surrogate") != NULL;
    if (surrogate || strstr(message, "UTF8 escape"))
        return e8_build_fail(y->build, surrogate && at >= 6 ? at - 6 : broken_escape(y, at),
                             "surrogates come in pairs, as in \\ud83d\\ude00",
                             "an escape that is no character");
    if (strstr(message, "without closing quote") && at > 0)
        at--;
    for (size_t i = 0; i < E8_COUNT(messages); i++)
        if (strstr(message, messages[i].part))
            return e8_build_fail(y->build, at, hint ? hint : messages[i].hint, "%s",
                                 messages[i].what ? messages[i].what : message);
    return e8_build_fail(y->build, at, hint, "%s", message);
}

/* The first of libfyaml's own diagnostics becomes the error. */
static enum e8_rc fail_by_diag(struct yaml *y)
{
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(y->diag, &iterator);
    if (!error || !error->msg)
        return e8_build_fail(y->build, y->last_end, NULL, "this is not valid YAML");
    const struct fy_mark *mark = error->fyt ? fy_token_start_mark(error->fyt) : NULL;
    size_t at = mark ? mark->input_pos : e8_text_find(y->build->text, error->line, error->column);
    return fail_by_message(y, at, error->msg);
}

static enum e8_rc read_events(struct yaml *y)
{
    enum e8_rc rc = E8_OK;
    struct fy_event *event;
    while (rc == E8_OK && (event = fy_parser_parse(y->parser))) {
        rc = on_event(y, event);
        const struct fy_mark *end = fy_event_end_mark(event);
        if (end && end->input_pos > y->last_end)
            y->last_end = end->input_pos;
        fy_parser_event_free(y->parser, event);
    }
    if (rc == E8_OK && fy_parser_get_stream_error(y->parser))
        rc = fail_by_diag(y);
    if (rc == E8_OK && !y->build->root)
        rc = e8_build_fail(y->build, 0, "an empty map is {}", "the document is empty");
    return rc;
}

static struct e8_str with_last_break(struct e8_arena *arena, struct e8_str text)
{
    if (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        return text;
    char *copy = e8_arena_alloc(arena, text.n + 2);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\n';
    return (struct e8_str){copy, text.n + 1};
}

static enum e8_rc open_parser(struct yaml *y)
{
    struct fy_diag_cfg diag;
    fy_diag_cfg_default(&diag);
    diag.fp = NULL;
    diag.output_fn = discard;
    diag.colorize = false;
    y->diag = fy_diag_create(&diag);
    if (y->diag) {
        fy_diag_set_collect_errors(y->diag, true);
        struct fy_parse_cfg config = {
            .flags =
                FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE | FYPCF_SLOPPY_FLOW_INDENTATION,
            .diag = y->diag,
        };
        y->parser = fy_parser_create(&config);
    }
    if (!y->parser || fy_parser_set_string(y->parser, y->input.p, y->input.n))
        return e8_fail_at(y->build->err, y->build->name, 0, 0, NULL, "libfyaml has no memory for a parser");
    return E8_OK;
}

enum e8_rc e8_parse_yaml(struct e8_build *build)
{
    struct yaml y = {.build = build};
    if (skip_blank(&y, 0) == build->text.n)
        return e8_build_fail(build, 0, "an empty map is {}", "the document is empty");
    enum e8_rc rc = e8_yaml_guard(build);
    y.input = with_last_break(build->arena, build->text);
    if (rc == E8_OK)
        rc = open_parser(&y);
    if (rc == E8_OK)
        rc = read_events(&y);
    if (y.parser)
        fy_parser_destroy(y.parser);
    if (y.diag)
        fy_diag_destroy(y.diag);
    return rc;
}
