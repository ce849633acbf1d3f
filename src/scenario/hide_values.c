#include <stdio.h>
#include <string.h>

#include "scenario/vars.h"

#define PIECE 4 /* characters in a row that tell too much of a value */
#define HEAD  8 /* of a value that was cut off */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* How much of the value stands at text[at]; 0 where it is not it. A short value must stand alone. */
static size_t found_at(struct e8_str text, size_t at, const char *value)
{
    size_t n = strlen(value), same = 0;
    while (same < n && at + same < text.n && text.p[at + same] == value[same]) {
        same++;
    }
    if (same < n && same < HEAD) {
        return 0;
    }
    bool alone =
        (at == 0 || !is_word(text.p[at - 1])) && (at + same == text.n || !is_word(text.p[at + same]));
    return same >= HEAD || alone ? same : 0;
}

/* The variables' names in the place of their values; of short ones only where they are known to stand. */
static void put_names(const struct e8_vars *vars, bool noted, char *text, size_t size)
{
    char made[sizeof((struct e8_err){0}.what)];
    struct e8_str all = e8_str(text);
    struct e8_buf out;
    E8_ASSERT(size <= sizeof made);
    e8_buf_fixed(&out, made, size - 1);
    for (size_t at = 0; at < all.n;) {
        size_t longest = 0, which = 0;
        for (size_t i = 0; i < vars->hidden_count; i++) {
            const char *value = vars->hidden[i].value;
            size_t n = noted || strlen(value) >= HEAD ? found_at(all, at, value) : 0;
            which = n > longest ? i : which;
            longest = n > longest ? n : longest;
        }
        if (longest) {
            e8_buf_printf(&out, "${%s}", vars->hidden[which].name);
        } else {
            e8_buf_putc(&out, text[at]);
        }
        at += longest ? longest : 1;
    }
    if (out.n) {
        memcpy(text, made, out.n);
    }
    text[out.n] = '\0';
}

/* Does a piece of the value stand in the text that does not stand in what the file says? */
static bool leaks(const char *text, const char *value, struct e8_str said, size_t piece)
{
    size_t n = strlen(value);
    for (size_t i = 0; i + piece <= n; i++) {
        const char *found = memmem(text, strlen(text), value + i, piece);
        if (found && !(said.n && memmem(said.p, said.n, value + i, piece))) {
            return true;
        }
    }
    return false;
}

static const struct e8_noted *noted_at(const struct e8_noted *list, size_t count, const struct e8_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].doc && list[i].line == err->line && list[i].col == err->col &&
            strcmp(e8_doc_name(list[i].doc), err->file) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

/* What a message tells of the value in other words, or in part. */
static void hide_pieces(const struct e8_vars *vars, struct e8_err *err)
{
    const struct e8_noted *place = noted_at(vars->places, vars->place_count, err);
    for (size_t i = 0; place && i < vars->hidden_count; i++) {
        const char *value = vars->hidden[i].value;
        if (leaks(err->what, value, place->text, PIECE)) {
            snprintf(err->what, sizeof err->what, "the value of ${%s} is not right here",
                     vars->hidden[i].name);
        }
        if (leaks(err->hint, value, place->text, HEAD)) {
            err->hint[0] = '\0';
        }
    }
}

/* Of a value that could not be replaced only that is told. */
static void drop_consequences(const struct e8_vars *vars, struct e8_errs *errs, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        bool drop = false;
        for (size_t j = from; j < kept && !drop; j++) {
            const struct e8_err *other = &errs->list[j];
            drop = noted_at(vars->failed, vars->failed_count, err) && other->line == err->line &&
                   other->col == err->col && strcmp(other->file, err->file) == 0;
        }
        if (drop) {
            errs->total--;
        } else {
            errs->list[kept++] = errs->list[i];
        }
    }
    errs->count = kept;
}

void e8_hide_values(const struct e8_vars *vars, struct e8_errs *errs, size_t from)
{
    drop_consequences(vars, errs, from);
    for (size_t i = from; i < errs->count; i++) {
        struct e8_err *err = &errs->list[i];
        bool noted = noted_at(vars->places, vars->place_count, err);
        put_names(vars, noted, err->what, sizeof err->what);
        put_names(vars, noted, err->hint, sizeof err->hint);
        hide_pieces(vars, err);
    }
}
