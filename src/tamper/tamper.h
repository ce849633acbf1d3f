/* Tampering: a delivery that differs from a right one in exactly what was asked. Parsed from a step's `tamper:`; pure functions
 * over bytes, applied while a request is built. What is left out is as it would be without tampering.
 *
 *   tamper:
 *     signature: missing | other_secret | previous_secret | next_secret | empty | truncated | not_hex | no_prefix | double_prefix
 *                | uppercase | reserialised | twice_wrong_first | twice_wrong_last     # twice_*: two headers, one is wrong
 *                                       # empty: the digest, behind the prefix; not_hex: nor base64
 *     timestamp: {shift: -10m} | {older: 1s} | {newer: 1s} | {text: soon}   # older/newer: than the scheme's tolerance, by so much
 *     body:                             # before signing, so that the signature is right, unless `signed: false`
 *       form: spaced | pretty | escaped_slash | escaped_unicode | float_numbers | trailing_newline | reordered | escaped_nul
 *             | four_byte | duplicate_keys | extra_fields | null_optional
 *       replace: "{"  |  replace: {base64: …}   # these bytes
 *       size: 64KB                      # padded to it with an extra field
 *       depth: 1000                     # an extra field, nested so deep
 *       flip: 10 | flip: random         # one bit of this byte; after signing, unless `signed: true`; so is truncate
 *       truncate: 20                    # so many bytes less
 *       signed: true | false
 *     headers: {remove: [Content-Type], set: {X-Other: "1"}, case: lower, add: {X-Pad: {size: 8KB}}}
 *     method: GET                       # GET, HEAD, DELETE, OPTIONS and TRACE without the body, unless `body` says what to send
 *     content_type: text/plain          # or `none`
 *     transfer: {chunked: true, rate: 1KB/s, expect: true, close_after: 100}   # close_after: bytes of the body
 */
#ifndef E8_TAMPER_TAMPER_H
#define E8_TAMPER_TAMPER_H

#include <stdbool.h>

#include "doc/doc.h"
#include "http1/http1.h"
#include "sign/sign.h"

#define E8_TAMPER_BODY_MAX ((size_t)64 << 20) /* a body that tampering makes is not larger */

struct e8_tamper; /* const once parsed; lives in the arena that it was parsed into */
/* Every fault goes to errs. Texts are copied. */
enum e8_rc e8_tamper_parse(struct e8_arena *arena, const struct e8_node *node, const struct e8_tamper **out,
                           struct e8_errs *errs);

/* Which secret signs. The caller has the signers. */
enum e8_tamper_secret { E8_SECRET_RIGHT, E8_SECRET_OTHER, E8_SECRET_PREVIOUS, E8_SECRET_NEXT };
enum e8_tamper_secret e8_tamper_secret(const struct e8_tamper *tamper);

/* The body that is signed. What is no JSON (or has a key twice) keeps its form. False: as it is, nothing was written. `seed`: of
 * what is random (which byte is flipped). */
bool e8_tamper_body(const struct e8_tamper *tamper, struct e8_str body, uint64_t seed, struct e8_buf *out);
/* The body that is sent, made from the one that was signed. False: the same. */
bool e8_tamper_sent(const struct e8_tamper *tamper, struct e8_str signed_body, uint64_t seed,
                    struct e8_buf *out);
/* Changes what is signed: the timestamp, and the body for signatures over other bytes, which are appended to `scratch` (another
 * buffer than the one that holds the body). */
void e8_tamper_input(const struct e8_tamper *tamper, const struct e8_scheme *scheme, struct e8_sign_input *in,
                     struct e8_buf *scratch);
/* Changes the list of headers, in which the right signature stands in the scheme's header (or none). New bytes go to `memory`, which
 * is fixed; large ones stand in the tamper itself. max: room in the list. E8_LIMIT: the list or the memory is too small. */
enum e8_rc e8_tamper_headers(const struct e8_tamper *tamper, const struct e8_scheme *scheme,
                             struct e8_header *list, size_t *count, size_t max, struct e8_buf *memory);
struct e8_str e8_tamper_method(const struct e8_tamper *tamper);       /* "POST" */
const struct e8_wire *e8_tamper_wire(const struct e8_tamper *tamper); /* NULL: nothing unusual */
/* "signed with another secret; body pretty-printed": for people. */
void e8_tamper_text(const struct e8_tamper *tamper, struct e8_buf *out);
/* Does the body that is sent, on purpose, not fit its signature, so that a right receiver refuses it? False where it is changed before
 * it is signed, or in what the scheme does not sign. scheme NULL: nothing is signed. */
bool e8_tamper_forges(const struct e8_tamper *tamper, const struct e8_scheme *scheme, struct e8_str sent);
/* Does the tampering need a scheme that signs (flip and truncate alone do not: a body is wrong in itself), one that signs a
 * timestamp? */
bool e8_tamper_needs_secret(const struct e8_tamper *tamper);
bool e8_tamper_needs_time(const struct e8_tamper *tamper);

#endif
