/* Signature schemes as data (fixtures/schemes.json): what is signed, how, and in which header; signing, verifying, and saying
 * what went wrong. */
#ifndef E8_SIGN_SIGN_H
#define E8_SIGN_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "digest/digest.h"
#include "doc/doc.h"
#include "http1/http1.h"

#define E8_SECRETS_MAX        8
#define E8_SCHEME_HEADERS_MAX 8
#define E8_SIGNATURE_MAX      2048 /* bytes of a signature header's value at most */

enum e8_sign_encoding { E8_SIGN_HEX, E8_SIGN_BASE64 };
enum e8_secret_form { E8_SECRET_RAW, E8_SECRET_WHSEC, E8_SECRET_HEX, E8_SECRET_BASE64 };

struct e8_scheme {
    const char *name, *description;
    enum e8_hash hash;
    const char *content; /* template of the signed content: {id} {timestamp} {body} */
    enum e8_sign_encoding encoding;
    enum e8_secret_form secret;
    const char *header;           /* that carries the signature */
    const char *prefix;           /* before each signature: "sha256=", "v1," */
    const char *separator;        /* between several signatures; empty: one only */
    bool multiple;                /* several secrets may sign during a rotation */
    const char *timestamp_header; /* NULL: none */
    const char *timestamp_item;   /* prefix of the timestamp inside the signature header ("t="); NULL: none */
    const char *id_header;        /* NULL: none */
    e8_dur_ns tolerance;          /* of the timestamp; 0: the scheme signs none */
    bool signs_timestamp, signs_id; /* derived from content */
    struct {
        const char *name, *value;
        const struct e8_header_form *form;
    } headers[E8_SCHEME_HEADERS_MAX]; /* sent with it; templates */
    size_t header_count;
};

/* All schemes of a file; owned, const after loading. Every fault goes to errs. */
struct e8_schemes;
enum e8_rc e8_schemes_load(const struct e8_node *root, struct e8_schemes **out, struct e8_errs *errs);
void e8_schemes_free(struct e8_schemes **schemes);
const struct e8_scheme *e8_schemes_find(const struct e8_schemes *schemes,
                                        const char *name);             /* NULL if unknown */
const char *const *e8_schemes_names(const struct e8_schemes *schemes); /* NULL-terminated */
/* One scheme from its own node: a custom scheme in a scenario or file. Lives in `arena`. */
enum e8_rc e8_scheme_parse(struct e8_arena *arena, const char *name, const struct e8_node *node,
                           const struct e8_scheme **out, struct e8_errs *errs);

/* What a delivery is signed over and described by. */
struct e8_sign_input {
    struct e8_str id; /* the delivery's */
    int64_t timestamp;
    struct e8_str timestamp_text; /* in its place, where a tampered one is no number; p NULL: none */
    struct e8_str body;
    struct e8_str type, environment; /* for headers alone */
    int attempt;
};

/* A scheme with its keys. One thread at a time (HMAC contexts). No allocation while signing. */
struct e8_signer;
/* Secrets as the user wrote them. E8_INPUT for empty ones, under 16 characters, or not in the scheme's form; the text of an
 * error never contains any of a secret. More than one needs scheme->multiple, else the first signs alone. */
enum e8_rc e8_signer_new(const struct e8_scheme *scheme, const char *const *secrets, size_t count,
                         struct e8_signer **out, struct e8_err *err);
void e8_signer_free(struct e8_signer **signer);
/* Whether e8_signer_new would take them. No secret at all is right: nothing is signed then. */
enum e8_rc e8_signer_check(const struct e8_scheme *scheme, const char *const *secrets, size_t count,
                           struct e8_err *err);
const struct e8_scheme *e8_signer_scheme(const struct e8_signer *signer);
/* Appends the value of the signature header. */
void e8_signer_sign(struct e8_signer *signer, const struct e8_sign_input *in, struct e8_buf *out);
/* Expands a header template ({id} {timestamp} {type} {delivery} {attempt} {environment} {version}). */
void e8_sign_expand(const char *text, const struct e8_sign_input *in, struct e8_buf *out);
bool e8_sign_expandable(const char *text, struct e8_err *err); /* only known variables */

/* A header whose value is such a template, taken apart once. Lives in `arena`, as its texts do for as long. */
struct e8_header_form;
const struct e8_header_form *e8_header_form(struct e8_arena *arena, const char *name, const char *text);
/* What is neither constant nor the whole of one of *in's texts is put together in `memory`, which must not move. */
struct e8_header e8_header_fill(const struct e8_header_form *form, const struct e8_sign_input *in,
                                struct e8_buf *memory);

enum e8_verdict {
    E8_VERIFIED,
    E8_SIG_MISSING,   /* no signature header */
    E8_SIG_MALFORMED, /* not of the scheme's form */
    E8_SIG_MISMATCH,
    E8_TIME_MISSING, /* the scheme signs a timestamp and there is none, or it is no number */
    E8_TIME_OLD,
    E8_TIME_NEW,
    E8_ID_MISSING,
};
const char *e8_verdict_name(enum e8_verdict verdict);
const char *e8_verdict_text(enum e8_verdict verdict);

/* Verifies as a careful receiver does: raw body, constant time, every secret tried, timestamp within the tolerance of `now`
 * (tolerance < 0: not checked). More than one signature header is malformed: which one counts would be a guess.
 * *matched (may be NULL): index of the secret. */
enum e8_verdict e8_verify(struct e8_signer *signer, const struct e8_header *headers, size_t count,
                          struct e8_str body, e8_wall_ns now, e8_dur_ns tolerance, size_t *matched);

/* Says what was signed, byte for byte, and for a mismatch finds the usual culprit: re-serialised JSON, trailing newline, secret
 * taken as hex or base64, hex against base64, timestamp or id missing from the signed content, another algorithm. Plain text,
 * several lines; never contains a secret or the right signature of a forged body unless `verdict` is E8_VERIFIED. */
void e8_sign_explain(const struct e8_scheme *scheme, const char *const *secrets, size_t secret_count,
                     const struct e8_header *headers, size_t count, struct e8_str body,
                     enum e8_verdict verdict, struct e8_buf *out);

#endif
