#include <string.h>
#include <strings.h>

#include "http1/http1.h"

/* token of RFC 9110, 5.6.2: letters, digits and !#$%&'*+-.^_`|~; a bit for each character of ASCII */
static const uint32_t tokens[] = {0, 0x03FF6CFA, 0xC7FFFFFE, 0x57FFFFFF};

static bool is_token(unsigned char c)
{
    return c < 0x80 && (tokens[c / 32] >> c % 32 & 1);
}

#define ONES (UINT64_MAX / 255)

/* In the highest bit of each byte, for those below 0x80: is it from `low` to `high`? */
static uint64_t between(uint64_t eight, unsigned char low, unsigned char high)
{
    eight &= ONES * 0x7f;
    return (eight + ONES * (0x80u - low)) & ~(eight + ONES * (0x7fu - high));
}

/* Letters, digits and '-': what nearly all names are made of. */
static bool all_usual(uint64_t eight)
{
    uint64_t usual =
        between(eight | ONES * 0x20, 'a', 'z') | between(eight, '0', '9') | between(eight, '-', '-');
    return (usual & ~eight & ONES << 7) == ONES << 7;
}

static bool no_control(uint64_t eight)
{
    return ((between(eight, 0x20, 0x7e) | eight) & ONES << 7) == ONES << 7;
}

/* Eight bytes at a time, the last eight perhaps once more. False says nothing. */
static inline bool all_eights(struct e8_str text, bool hold(uint64_t))
{
    uint64_t eight;
    if (text.n < sizeof eight)
        return false;
    for (size_t i = 0; i + sizeof eight < text.n; i += sizeof eight) {
        memcpy(&eight, text.p + i, sizeof eight);
        if (!hold(eight))
            return false;
    }
    memcpy(&eight, text.p + text.n - sizeof eight, sizeof eight);
    return hold(eight);
}

bool e8_header_name_valid(struct e8_str name)
{
    if (all_eights(name, all_usual))
        return true;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_token((unsigned char)name.p[i]))
            return false;
    }
    return name.n > 0;
}

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

bool e8_header_value_valid(struct e8_str value)
{
    if (all_eights(value, no_control))
        return true;
    for (size_t i = 0; i < value.n; i++) {
        if (is_control((unsigned char)value.p[i]))
            return false;
    }
    return true;
}

bool e8_header_is_framing(struct e8_str name)
{
    static const char *const names[] = {
        "host", "content-length", "transfer-encoding", "connection", "expect", "te", "trailer", "upgrade"};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        if (e8_str_ieq(name, e8_str(names[i])))
            return true;
    }
    return false;
}

/* Enough of a name to recognise it. */
static struct e8_str shown(struct e8_str name)
{
    return name.n > 60 ? (struct e8_str){name.p, 60} : name;
}

static enum e8_rc name_fault(struct e8_str name, struct e8_err *err)
{
    if (name.n == 0)
        return e8_fail(err, E8_INPUT, "write \"Name: value\"", "the header has no name");
    if (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t')
        return e8_fail(err, E8_INPUT, "put the colon right behind the name",
                       "there is a space before the colon of the header \"%.*s\"", E8_STR(shown(name)));
    return e8_fail(err, E8_INPUT, "letters, digits and !#$%&'*+-.^_`|~ alone",
                   "\"%.*s\" is no name for a header", E8_STR(shown(name)));
}

/* The value stays out of the error: it may be a secret. */
enum e8_rc e8_header_parse(struct e8_str line, struct e8_header *out, struct e8_err *err)
{
    const char *colon = line.n > 0 ? memchr(line.p, ':', line.n) : NULL;
    if (colon == NULL)
        return e8_fail(err, E8_INPUT, "write \"Name: value\"", "the header has no colon");
    struct e8_str name = {line.p, (size_t)(colon - line.p)};
    struct e8_str value = e8_str_trim_blanks((struct e8_str){colon + 1, line.n - name.n - 1});
    if (!e8_header_name_valid(name))
        return name_fault(name, err);
    if (e8_header_is_framing(name))
        return e8_fail(err, E8_INPUT, "leave it out: emit8 sets the headers that frame a request",
                       "the header \"%.*s\" would break the framing of the request", E8_STR(shown(name)));
    if (!e8_header_value_valid(value))
        return e8_fail(err, E8_INPUT, "no line breaks, NUL or other control characters but tab",
                       "the value of the header \"%.*s\" has a control character", E8_STR(shown(name)));
    *out = (struct e8_header){name, value};
    return E8_OK;
}

const struct e8_header *e8_header_find(const struct e8_header *list, size_t count, const char *name)
{
    struct e8_str wanted = e8_str(name);
    for (size_t i = 0; i < count; i++) {
        if (e8_str_ieq(list[i].name, wanted))
            return &list[i];
    }
    return NULL;
}

bool e8_header_is_secret(struct e8_str name)
{
    static const char *const words[] = {"authorization", "cookie", "token", "key", "secret", "password"};
    for (size_t i = 0; i < E8_COUNT(words); i++) {
        size_t n = strlen(words[i]);
        for (size_t at = 0; at + n <= name.n; at++) {
            if (strncasecmp(name.p + at, words[i], n) == 0)
                return true;
        }
    }
    return false;
}
