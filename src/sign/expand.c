#include <string.h>

#include "sign/parts.h"

/* In the order of enum e8_var, from E8_VAR_ID. */
static const char *const names[] = {"id",      "timestamp",   "body",    "type", "delivery",
                                    "attempt", "environment", "version", NULL};
static const char *const content_names[] = {"id", "timestamp", "body", NULL};
static const char *const header_names[] = {"id",      "timestamp",   "type",    "delivery",
                                           "attempt", "environment", "version", NULL};

/* Length of the name behind a '{'. */
static size_t name_length(struct e8_str text)
{
    size_t n = 0;
    while (n < text.n && ((text.p[n] | 0x20) >= 'a' && (text.p[n] | 0x20) <= 'z'))
        n++;
    return n;
}

static enum e8_var find_var(struct e8_str name)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (e8_str_is(name, names[i]))
            return (enum e8_var)(E8_VAR_ID + i);
    }
    return E8_VAR_TEXT;
}

/* The variable that text begins with, *size its length with the braces; E8_VAR_TEXT if it begins with none. */
static enum e8_var var_at(struct e8_str text, size_t *size)
{
    if (text.n < 3 || text.p[0] != '{')
        return E8_VAR_TEXT;
    size_t n = name_length((struct e8_str){text.p + 1, text.n - 1});
    if (n + 1 >= text.n || text.p[n + 1] != '}')
        return E8_VAR_TEXT;
    *size = n + 2;
    return find_var((struct e8_str){text.p + 1, n});
}

bool e8_part_next(struct e8_str *rest, struct e8_part *part)
{
    if (rest->n == 0)
        return false;
    size_t size = 0;
    part->var = var_at(*rest, &size);
    if (part->var == E8_VAR_TEXT) {
        for (size = 1; size < rest->n; size++) {
            size_t ignored;
            if (var_at((struct e8_str){rest->p + size, rest->n - size}, &ignored) != E8_VAR_TEXT)
                break;
        }
    }
    part->text = (struct e8_str){rest->p, size};
    *rest = (struct e8_str){rest->p + size, rest->n - size};
    return true;
}

bool e8_template_uses(const char *text, enum e8_var var)
{
    struct e8_str rest = e8_str(text);
    struct e8_part part;
    while (e8_part_next(&rest, &part)) {
        if (part.var == var)
            return true;
    }
    return false;
}

static bool listed(struct e8_str name, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (e8_str_is(name, *known))
            return true;
    }
    return false;
}

static bool unknown_variable(struct e8_str name, const char *const *known, struct e8_err *err)
{
    char hint[256];
    struct e8_buf buf;
    e8_buf_fixed(&buf, hint, sizeof hint);
    const char *near = e8_suggest(name, known);
    if (near != NULL)
        e8_buf_printf(&buf, "did you mean \"{%s}\"?", near);
    else
        e8_buf_puts(&buf, "known here:");
    for (size_t i = 0; near == NULL && known[i] != NULL; i++)
        e8_buf_printf(&buf, "%s{%s}", i > 0 ? ", " : " ", known[i]);
    size_t n = name.n > 60 ? 60 : name.n;
    e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "unknown variable \"{%.*s}\"", (int)n, name.p);
    return false;
}

static bool only_known(const char *text, const char *const *known, struct e8_err *err)
{
    for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
        struct e8_str name = {at + 1, name_length(e8_str(at + 1))};
        if (name.n == 0)
            continue;
        if (at[1 + name.n] != '}') {
            e8_fail(err, E8_INPUT, "variables are written {name}", "\"{%.*s\" has no closing brace",
                    (int)(name.n > 60 ? 60 : name.n), name.p);
            return false;
        }
        if (!listed(name, known))
            return unknown_variable(name, known, err);
    }
    return true;
}

bool e8_sign_expandable(const char *text, struct e8_err *err)
{
    return only_known(text, header_names, err);
}

bool e8_content_valid(const char *text, struct e8_err *err)
{
    if (!only_known(text, content_names, err))
        return false;
    struct e8_str rest = e8_str(text);
    struct e8_part part;
    size_t count = 0;
    while (e8_part_next(&rest, &part))
        count++;
    if (count > E8_PARTS_MAX)
        e8_fail(err, E8_INPUT, NULL, "the content has more than %d parts", E8_PARTS_MAX);
    return count <= E8_PARTS_MAX;
}

static void put_part(const struct e8_part *part, const struct e8_sign_input *in, struct e8_buf *out)
{
    switch (part->var) {
    case E8_VAR_ID:
    case E8_VAR_DELIVERY:
        e8_buf_putstr(out, in->id);
        return;
    case E8_VAR_TIMESTAMP:
        if (in->timestamp_text.p != NULL)
            e8_buf_putstr(out, in->timestamp_text);
        else
            e8_buf_puti(out, in->timestamp);
        return;
    case E8_VAR_TYPE:
        e8_buf_putstr(out, in->type);
        return;
    case E8_VAR_ATTEMPT:
        e8_buf_puti(out, in->attempt);
        return;
    case E8_VAR_ENVIRONMENT:
        e8_buf_putstr(out, in->environment);
        return;
    case E8_VAR_VERSION:
        e8_buf_puts(out, E8_VERSION);
        return;
    case E8_VAR_TEXT:
    case E8_VAR_BODY: /* never in a header */
        e8_buf_putstr(out, part->text);
        return;
    }
}

void e8_sign_expand(const char *text, const struct e8_sign_input *in, struct e8_buf *out)
{
    struct e8_str rest = e8_str(text);
    struct e8_part part;
    while (e8_part_next(&rest, &part))
        put_part(&part, in, out);
}

struct e8_header_form {
    struct e8_str name;
    size_t count;
    struct e8_part parts[];
};

static size_t count_parts(struct e8_str text)
{
    struct e8_part part;
    size_t count = 0;
    while (e8_part_next(&text, &part))
        count++;
    return count;
}

/* The version is the same for all. */
static struct e8_str with_version(struct e8_arena *arena, struct e8_str text)
{
    struct e8_part part;
    struct e8_buf out;
    e8_buf_init(&out, SIZE_MAX);
    while (e8_part_next(&text, &part))
        e8_buf_putstr(&out, part.var == E8_VAR_VERSION ? E8_LIT(E8_VERSION) : part.text);
    struct e8_str whole = e8_arena_str(arena, e8_buf_str(&out));
    e8_buf_fini(&out);
    return whole;
}

const struct e8_header_form *e8_header_form(struct e8_arena *arena, const char *name, const char *text)
{
    struct e8_str rest = with_version(arena, e8_str(text));
    size_t count = count_parts(rest);
    struct e8_header_form *form = e8_arena_alloc(arena, sizeof *form + count * sizeof(struct e8_part));
    form->name = e8_str(name);
    while (form->count < count)
        e8_part_next(&rest, &form->parts[form->count++]);
    return form;
}

/* Is the part a text already? False: it has to be written. */
static bool is_text(const struct e8_part *part, const struct e8_sign_input *in, struct e8_str *text)
{
    switch (part->var) {
    case E8_VAR_TEXT:
        *text = part->text;
        return true;
    case E8_VAR_ID:
    case E8_VAR_DELIVERY:
        *text = in->id;
        return true;
    case E8_VAR_TYPE:
        *text = in->type;
        return true;
    case E8_VAR_ENVIRONMENT:
        *text = in->environment;
        return true;
    default:
        return false;
    }
}

struct e8_header e8_header_fill(const struct e8_header_form *form, const struct e8_sign_input *in,
                                struct e8_buf *memory)
{
    struct e8_header header = {.name = form->name};
    E8_ASSERT(memory->fixed);
    if (form->count == 1 && is_text(&form->parts[0], in, &header.value))
        return header;
    size_t start = memory->n;
    for (size_t i = 0; i < form->count; i++)
        put_part(&form->parts[i], in, memory);
    header.value = (struct e8_str){memory->p + start, memory->n - start};
    return header;
}

void e8_content_add(struct e8_hmac *hmac, const struct e8_part *part, const struct e8_content *content)
{
    switch (part->var) {
    case E8_VAR_ID:
        e8_hmac_add(hmac, content->id);
        return;
    case E8_VAR_TIMESTAMP:
        e8_hmac_add(hmac, content->timestamp);
        return;
    case E8_VAR_BODY:
        e8_hmac_add(hmac, content->body);
        return;
    default:
        e8_hmac_add(hmac, part->text);
        return;
    }
}
