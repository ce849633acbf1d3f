#include <string.h>

#include "sign/parts.h"

#define SHOWN_MAX   2048       /* bytes of the signed content */
#define SECONDS_MAX 9223372036 /* what nanoseconds can count */
#define VALUE_MAX   400        /* of a header's value */

/* Every byte as itself or as an escape, so that no two contents look the same. */
static void put_bytes(struct e8_str text, struct e8_buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\n')
            e8_buf_puts(out, "\\n");
        else if (c == '\r')
            e8_buf_puts(out, "\\r");
        else if (c == '\t')
            e8_buf_puts(out, "\\t");
        else if (c == '\\')
            e8_buf_puts(out, "\\\\");
        else if (c < 0x20 || c >= 0x7f)
            e8_buf_printf(out, "\\x%02x", (unsigned)c);
        else
            e8_buf_putc(out, (char)c);
    }
}

static struct e8_str part_text(const struct e8_part *part, const struct e8_content *content)
{
    switch (part->var) {
    case E8_VAR_ID:
        return content->id.p != NULL ? content->id : E8_LIT("<no id>");
    case E8_VAR_TIMESTAMP:
        return content->timestamp.p != NULL ? content->timestamp : E8_LIT("<no timestamp>");
    case E8_VAR_BODY:
        return content->body;
    default:
        return part->text;
    }
}

static void put_content(const struct e8_scheme *scheme, const struct e8_content *content, struct e8_buf *out)
{
    struct e8_part part;
    size_t total = 0, shown = 0;
    for (struct e8_str rest = e8_str(scheme->content); e8_part_next(&rest, &part);)
        total += part_text(&part, content).n;
    e8_buf_printf(out, "signed content: %s, %zu bytes:\n  ", scheme->content, total);
    for (struct e8_str rest = e8_str(scheme->content); e8_part_next(&rest, &part);) {
        struct e8_str text = part_text(&part, content);
        text.n = text.n > SHOWN_MAX - shown ? SHOWN_MAX - shown : text.n;
        put_bytes(text, out);
        shown += text.n;
    }
    if (shown < total)
        e8_buf_printf(out, " … and %zu bytes more", total - shown);
    e8_buf_putc(out, '\n');
}

static void put_value(struct e8_str value, struct e8_buf *out)
{
    struct e8_str head = {value.p, value.n > VALUE_MAX ? VALUE_MAX : value.n};
    e8_buf_put_clean(out, head);
    if (head.n < value.n)
        e8_buf_printf(out, " … and %zu bytes more", value.n - head.n);
    e8_buf_putc(out, '\n');
}

static void put_form(const struct e8_scheme *scheme, struct e8_buf *out)
{
    e8_buf_printf(out, "expected form: %s: ", scheme->header);
    if (scheme->timestamp_item != NULL)
        e8_buf_printf(out, "%sSECONDS%s", scheme->timestamp_item, scheme->separator);
    e8_buf_printf(out, "%s<%zu characters of %s>", scheme->prefix, e8_digest_text_size(scheme),
                  scheme->encoding == E8_SIGN_HEX ? "lower-case hex" : "base64");
    if (scheme->multiple)
        e8_buf_printf(out, "; several with \"%s\" between them", scheme->separator);
    e8_buf_putc(out, '\n');
}

static bool contains_signature(struct e8_str name)
{
    struct e8_str word = E8_LIT("signature");
    for (size_t i = 0; i + word.n <= name.n; i++) {
        if (e8_str_ieq((struct e8_str){name.p + i, word.n}, word))
            return true;
    }
    return false;
}

/* No signature where it belongs: one of another scheme is the likeliest reason. */
static void put_other_headers(const struct e8_header *headers, size_t count, struct e8_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!contains_signature(headers[i].name))
            continue;
        e8_buf_puts(out, "hint: there is a header ");
        e8_buf_put_clean(out, headers[i].name);
        e8_buf_puts(out, ": is this the right scheme?\n");
    }
}

static void put_timestamp(const struct e8_received *got, struct e8_buf *out)
{
    e8_buf_puts(out, "timestamp: ");
    if (got->timestamp.p == NULL) {
        e8_buf_puts(out, "none, or more than one\n");
        return;
    }
    char text[E8_RFC3339_MAX];
    if (got->seconds > 0 && got->seconds < SECONDS_MAX) {
        e8_wall_format(got->seconds * E8_NS_S, 0, text);
        e8_buf_putstr(out, got->timestamp);
        e8_buf_printf(out, " (%s)\n", text);
    } else {
        put_value(got->timestamp, out);
    }
}

static void put_request(const struct e8_scheme *scheme, const struct e8_received *got, struct e8_buf *out)
{
    if (got->headers > 0) {
        e8_buf_printf(out, "received: %s: ", scheme->header);
        put_value(got->value, out);
    }
    put_form(scheme, out);
    if (got->fault != NULL)
        e8_buf_printf(out, "fault: %s\n", got->fault);
    if (scheme->signs_timestamp)
        put_timestamp(got, out);
    if (scheme->signs_id) {
        e8_buf_puts(out, "id: ");
        put_value(got->id.p != NULL ? got->id : E8_LIT("none, or more than one"), out);
    }
}

void e8_sign_explain(const struct e8_scheme *scheme, const char *const *secrets, size_t secret_count,
                     const struct e8_header *headers, size_t count, struct e8_str body,
                     enum e8_verdict verdict, struct e8_buf *out)
{
    static const char *const hashes[] = {"SHA-1", "SHA-256", "SHA-384", "SHA-512"};
    struct e8_received got;
    e8_received_read(scheme, headers, count, &got);
    e8_buf_printf(out, "verdict: %s: %s\n", e8_verdict_name(verdict), e8_verdict_text(verdict));
    e8_buf_printf(out, "scheme: %s: HMAC-%s\n", scheme->name, hashes[scheme->hash]);
    put_request(scheme, &got, out);
    struct e8_content content = {got.id, got.timestamp, body};
    put_content(scheme, &content, out);
    if (verdict == E8_SIG_MISSING)
        put_other_headers(headers, count, out);
    else
        e8_culprit_find(scheme, secrets, secret_count, headers, count, body, &got, out);
}
