/* Who may ask the platform: the checks that keep other people's pages in the user's browser out of it. Internal to platform.
 *
 * A page elsewhere can make a browser send requests here, and by DNS rebinding it can even make them look like the same origin's.
 * So the Host must be one by which this server is known (exactly, with its port), an Origin must be one of ours, Sec-Fetch-Site may
 * not tell of another site (but for a link to the front page), and what changes something must have a type that no form can send.
 * There are no CORS headers, and no header changes the method. The key is another matter: it is checked elsewhere. */
#ifndef E8_PLATFORM_GUARD_H
#define E8_PLATFORM_GUARD_H

#include "base/base.h"
#include "httpd/httpd.h"

struct e8_guard;
/* url: where it listens, as e8_httpd_url gives it. hosts: further names, "emit8.example.com" (then with the port, and without one:
 * behind a proxy, also by https) or "emit8.example.com:8443" (just so); NULL-terminated or NULL. Known anyway, with the port:
 * localhost, 127.0.0.1, [::1], and the address itself. E8_INPUT for what is no host name. Const once made: any thread. */
enum e8_rc e8_guard_new(const char *url, const char *const *hosts, struct e8_guard **out, struct e8_err *err);
void e8_guard_free(struct e8_guard **guard); /* NULL inside is allowed */

/* What it looks at. Texts are NULL where the request has no such header. */
struct e8_guard_facts {
    struct e8_str method, path;
    const char *host, *origin, *fetch_site, *fetch_mode, *fetch_dest, *content_type;
    bool repeated; /* one of these headers came twice */
    size_t body;   /* bytes */
};
struct e8_guard_refusal {
    int status;          /* 403, or 415 */
    const char *code;    /* "FORBIDDEN", "UNSUPPORTED_MEDIA_TYPE" */
    const char *message; /* what; hint. Constant */
    bool
        link; /* somebody has followed a link of another site: a page for people may answer, which says what to do */
};
/* True: it may go on. Else *why says how to answer (may be NULL). A pure function. */
bool e8_guard_judge(const struct e8_guard *guard, const struct e8_guard_facts *facts,
                    struct e8_guard_refusal *why);
/* The same of a request. */
bool e8_guard_permits(const struct e8_guard *guard, const struct e8_request *request,
                      struct e8_guard_refusal *why);

#endif
