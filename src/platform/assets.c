#include <string.h>

#include "digest/digest.h"
#include "platform/api.h"

#define FOLDER "platform/web/"
#define PREFIX "/assets/"
#define POLICY                                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "    \
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
};

/* Of what is built in, only what stands in the table of types is served. */
static const char *type_of(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < E8_COUNT(types); i++) {
        size_t m = strlen(types[i].ending);
        if (n > m && strcmp(path + n - m, types[i].ending) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

/* The built-in file for a path; NULL: there is none. */
static const char *file_of(struct e8_call *call, struct e8_str path)
{
    if (e8_str_is(path, "/")) {
        return FOLDER "index.html";
    }
    if (!e8_str_starts(path, PREFIX)) {
        return NULL;
    }
    struct e8_str name = {path.p + strlen(PREFIX), path.n - strlen(PREFIX)};
    return e8_str_is(name, "chart.js") ? "web/chart.js"
                                       : e8_arena_printf(call->arena, FOLDER "%.*s", E8_STR(name));
}

static const char *tag_of(struct e8_call *call, struct e8_str content)
{
    uint8_t digest[32];
    char hex[33];
    struct e8_buf text;
    e8_sha256_of(content, digest);
    e8_buf_fixed(&text, hex, sizeof hex);
    e8_hex_put(&text, digest, 16);
    return e8_arena_printf(call->arena, "\"%.*s\"", E8_STR(e8_buf_str(&text)));
}

bool e8_assets_have(struct e8_call *call, struct e8_str name)
{
    const char *path = file_of(call, name);
    return path && e8_catalog_builtin(path).p && type_of(path);
}

bool e8_assets_answer(struct e8_call *call)
{
    const char *path = file_of(call, call->request->path);
    struct e8_str content = path ? e8_catalog_builtin(path) : (struct e8_str){NULL, 0};
    const char *type = content.p ? type_of(path) : NULL;
    bool gets = e8_str_is(call->request->method, "GET") || e8_str_is(call->request->method, "HEAD");
    if (!type || !gets) {
        return false;
    }
    const char *tag = tag_of(call, content), *known = e8_request_header(call->request, "If-None-Match", 0);
    bool same = known && strcmp(known, tag) == 0;
    call->response->status = same ? 304 : 200;
    e8_call_header(call, "Content-Type", type);
    e8_call_header(call, "ETag", tag);
    e8_call_header(call, "Cache-Control", "no-cache");
    e8_call_header(call, "Content-Security-Policy", POLICY);
    if (!same) {
        call->response->constant = content;
    }
    return true;
}

void e8_assets_refuse_link(struct e8_call *call)
{
    call->response->status = 403;
    e8_call_header(call, "Content-Type", "text/html; charset=utf-8");
    e8_call_header(call, "Cache-Control", "no-store");
    e8_call_header(call, "Content-Security-Policy", POLICY);
    call->response->constant = e8_catalog_builtin(FOLDER "elsewhere.html");
}
