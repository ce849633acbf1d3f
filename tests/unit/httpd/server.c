/* The server that the tests talk to. */
#include "server.h"

#include <stdlib.h>
#include <string.h>

static void put_header(struct e8_response *response, const char *name, const char *value)
{
    response->headers[response->header_count].name = name;
    response->headers[response->header_count++].value = value;
}

static void on_echo(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct fixture *fixture = state;

    atomic_fetch_add(&fixture->requests, 1);
    e8_buf_putstr(&response->body, request->body);
}

static void on_info(void *state, const struct e8_request *request, struct e8_response *response)
{
    const char *x0 = e8_request_header(request, "x-twice", 0), *x1 = e8_request_header(request, "X-Twice", 1);
    const char *q = e8_request_query(request, "q");
    struct e8_str name, value;

    (void)state;
    E8_ASSERT(request->began <= request->complete);
    E8_ASSERT(e8_wall_now() - request->wall < 10 * E8_NS_S);
    E8_ASSERT(!e8_request_header(request, "X-Twice", 2));
    E8_ASSERT(!e8_request_header(request, "X-None", 0));
    e8_request_header_at(request, 0, &name, &value);
    e8_buf_printf(&response->body, "%.*s|%.*s|%s|%llu|%s|%s|%s|%zu|%.*s=%.*s", E8_STR(request->method),
                  E8_STR(request->path), request->peer, (unsigned long long)request->connection,
                  x0 ? x0 : "-", x1 ? x1 : "-", q ? q : "-", e8_request_header_count(request), E8_STR(name),
                  E8_STR(value));
    response->status = 201;
    put_header(response, "X-Answer", "yes");
    response->close = e8_request_header(request, "X-Please-Close", 0) != NULL;
}

static void on_delay(void *state, const struct e8_request *request, struct e8_response *response)
{
    e8_dur_ns delay = 0;

    (void)state;
    E8_ASSERT(e8_parse_dur(e8_str(e8_request_query(request, "for")), &delay));
    response->delay = delay;
    e8_buf_puts(&response->body, e8_request_query(request, "for"));
}

static void on_fault(void *state, const struct e8_request *request, struct e8_response *response)
{
    static const char *const names[] = {"none", "close", "reset", "hang", "truncate"};
    e8_dur_ns delay = 0;
    const char *delay_text = e8_request_query(request, "for");

    (void)state;
    if (delay_text)
        E8_ASSERT(e8_parse_dur(e8_str(delay_text), &delay));
    response->delay = delay;
    for (size_t i = 0; i < E8_COUNT(names); i++)
        if (strcmp(e8_request_query(request, "kind"), names[i]) == 0)
            response->fault = (enum e8_fault)i;
    if (!e8_request_query(request, "empty"))
        e8_buf_puts(&response->body, "0123456789");
}

static void on_big(void *state, const struct e8_request *request, struct e8_response *response)
{
    (void)state;
    (void)request;
    for (size_t i = 0; i < 17 * 1024; i++) {
        char kilobyte[1024];

        memset(kilobyte, 'x', sizeof kilobyte);
        e8_buf_put(&response->body, kilobyte, sizeof kilobyte);
    }
}

static void on_files(void *state, const struct e8_request *request, struct e8_response *response)
{
    (void)state;
    e8_buf_printf(&response->body, "file %.*s", E8_STR(request->path));
}

static void on_tick(void *state)
{
    struct fixture *fixture = state;

    atomic_fetch_add(&fixture->ticks, 1);
}

const struct e8_route routes[] = {
    {"POST", "/echo", on_echo}, {NULL, "/info", on_info},    {"GET", "/delay", on_delay},
    {"GET", "/big", on_big},    {"GET", "/fault", on_fault}, {"GET", "/files/*", on_files},
    {NULL, NULL, NULL},
};

struct fixture start_on(const char *listen, unsigned connections)
{
    struct fixture fixture = {0};
    struct e8_err err = {0};
    struct e8_httpd_options options = {
        .listen = listen, .routes = routes, .body_max = BODY_MAX, .connections_max = connections};

    E8_ASSERT(e8_httpd_start(&options, &fixture.httpd, &err) == E8_OK);
    fixture.url = e8_httpd_url(fixture.httpd);
    return fixture;
}

struct fixture *start(void)
{
    struct fixture *fixture = e8_new(1, sizeof *fixture);
    struct e8_httpd_options options = {
        .listen = "127.0.0.1:0", .routes = routes, .body_max = BODY_MAX, .state = fixture, .tick = on_tick};

    E8_ASSERT(e8_httpd_start(&options, &fixture->httpd, NULL) == E8_OK);
    fixture->url = e8_httpd_url(fixture->httpd);
    return fixture;
}

int set_up(void **state)
{
    *state = start();
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;

    e8_httpd_stop(&fixture->httpd);
    free(fixture);
    return 0;
}
