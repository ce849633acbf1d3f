/* What the files of sign share; not for other modules. */
#ifndef E8_SIGN_PARTS_H
#define E8_SIGN_PARTS_H

#include "doc/json.h"
#include "sign/sign.h"

#define E8_SECRET_MIN     16 /* characters, and bytes of a decoded key */
#define E8_PARTS_MAX      16 /* of a content template */
#define E8_SIGNATURES_MAX 32 /* in one header; more are malformed */

/* Templates: text and {variables}, taken apart. A brace without a variable's name in it is text. */
enum e8_var {
    E8_VAR_TEXT,
    E8_VAR_ID,
    E8_VAR_TIMESTAMP,
    E8_VAR_BODY,
    E8_VAR_TYPE,
    E8_VAR_DELIVERY,
    E8_VAR_ATTEMPT,
    E8_VAR_ENVIRONMENT,
    E8_VAR_VERSION,
};
struct e8_part {
    enum e8_var var;
    struct e8_str text; /* as written */
};
/* Takes the next part from *rest; false at the end. */
bool e8_part_next(struct e8_str *rest, struct e8_part *part);
bool e8_template_uses(const char *text, enum e8_var var);
/* Whether a content template has only {id}, {timestamp} and {body}, and not too many parts. */
bool e8_content_valid(const char *text, struct e8_err *err);

/* What the content is made of, each as it stands in the headers. */
struct e8_content {
    struct e8_str id, timestamp, body;
};
void e8_content_add(struct e8_hmac *hmac, const struct e8_part *part, const struct e8_content *content);

/* The key bytes of a secret. `key` has at least secret.n bytes of room and is the caller's to wipe. */
enum e8_rc e8_secret_key(enum e8_secret_form form, struct e8_str secret, struct e8_buf *key,
                         struct e8_err *err);
struct e8_str e8_secret_bare(struct e8_str secret); /* without whsec_ */

void e8_digest_encode(enum e8_sign_encoding encoding, const uint8_t *digest, size_t n, struct e8_buf *out);
size_t e8_digest_text_size(const struct e8_scheme *scheme);

/* The headers of a request as a receiver of this scheme reads them. Slices point into the headers. */
struct e8_received {
    size_t headers;      /* that carry the scheme's signature name */
    struct e8_str value; /* of the first of them, without blanks around it */
    struct e8_str digests[E8_SIGNATURES_MAX];
    size_t count;
    struct e8_str id, timestamp; /* as written; p is NULL where there is none, or more than one */
    int64_t seconds;
    const char *fault; /* of a malformed header */
};
/* E8_VERIFIED when everything that the scheme needs is there and of its form; nothing is compared yet. Fills what it
 * can in any case. */
enum e8_verdict e8_received_read(const struct e8_scheme *scheme, const struct e8_header *headers,
                                 size_t count, struct e8_received *out);

/* JSON written anew in the ways of the usual libraries. */
struct e8_rewrite {
    const char *name;
    struct e8_json_style style;
};
extern const struct e8_rewrite e8_rewrites[];
extern const size_t e8_rewrite_count;

/* Looks for what was done differently, least first. Appends "cause: …" lines; E8_VERIFIED says that nothing was. */
void e8_culprit_find(const struct e8_scheme *scheme, const char *const *secrets, size_t secret_count,
                     const struct e8_header *headers, size_t count, struct e8_str body,
                     const struct e8_received *got, struct e8_buf *out);

#endif
