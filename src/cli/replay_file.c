#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"

#define FROM "# from " /* the comment that says when the first one came */

static const char *from_environment(const char *name)
{
    return getenv(name);
}

static void find_beginning(struct replayer *r)
{
    struct e8_str rest = e8_buf_str(&r->source.text), line;
    while (e8_str_split(&rest, '\n', &line)) {
        line = e8_str_trim(line);
        if (e8_str_starts(line, "- ")) {
            return;
        }
        if (e8_str_starts(line, FROM)) {
            line.p += strlen(FROM);
            line.n -= strlen(FROM);
            e8_wall_parse(e8_str_trim(line), &r->began);
            return;
        }
    }
}

static const struct e8_header *find(const struct replay_item *item, const char *name)
{
    return e8_header_find(item->headers, item->header_count, name);
}

/* The number in a header, or behind a prefix in it ("t="). */
static bool number_in(const struct e8_header *header, const char *prefix, int64_t *out)
{
    const char *at =
        header && header->value.n ? memmem(header->value.p, header->value.n, prefix, strlen(prefix)) : NULL;
    if (!at) {
        return false;
    }
    struct e8_str text = {at + strlen(prefix), 0};
    const char *end = header->value.p + header->value.n;
    while (text.p + text.n < end && text.p[text.n] >= '0' && text.p[text.n] <= '9') {
        text.n++;
    }
    return e8_parse_i64(text, out);
}

/* What the recorded headers say that were made of this template. */
static bool number_of(const struct replayer *r, const struct replay_item *item, const char *template,
                      int64_t *out)
{
    const struct e8_platform *platform = e8_catalog_platform(r->catalog);
    const struct e8_scheme *scheme = r->endpoint.scheme;
    for (size_t i = 0; i < scheme->header_count; i++) {
        if (strcmp(scheme->headers[i].value, template) == 0 &&
            number_in(find(item, scheme->headers[i].name), "", out)) {
            return true;
        }
    }
    for (size_t i = 0; i < platform->header_count; i++) {
        if (strcmp(platform->headers[i].value, template) == 0 &&
            number_in(find(item, platform->headers[i].name), "", out)) {
            return true;
        }
    }
    return false;
}

static int64_t timestamp_of(const struct replayer *r, const struct replay_item *item)
{
    const struct e8_scheme *scheme = r->endpoint.scheme;
    int64_t value;
    if (scheme->timestamp_header && number_in(find(item, scheme->timestamp_header), "", &value)) {
        return value;
    }
    if (scheme->timestamp_item && number_in(find(item, scheme->header), scheme->timestamp_item, &value)) {
        return value;
    }
    if (number_of(r, item, "{timestamp}", &value)) {
        return value;
    }
    return r->began ? (r->began + item->at) / E8_NS_S : 0;
}

void e8_replay_tell(const struct replayer *r, struct replay_item *item)
{
    int64_t attempt = 1;
    number_of(r, item, "{attempt}", &attempt);
    item->attempt = (int)attempt;
    item->timestamp = timestamp_of(r, item);
}

static void add_step(struct replayer *r, const struct e8_emit *emit, e8_dur_ns at)
{
    struct replay_item *item = e8_replay_add(r);
    item->at = at;
    item->type = r->recorded->types[emit->type];
    item->environment = emit->environment;
    item->id = emit->delivery_id;
    item->body = emit->raw;
    item->headers = emit->headers;
    item->header_count = emit->header_count;
    e8_replay_tell(r, item);
}

static enum e8_rc fail_foreign(const struct replayer *r, const struct e8_emit *emit, struct e8_errs *errs)
{
    struct e8_err err = {0};
    e8_fail_at(&err, emit ? emit->file : r->source.name, emit ? emit->line : 0, 0, "emit8 run plays it",
               emit ? "a step without a body of its own: this is no recording" : "is no recording");
    return e8_errs_add(errs, &err);
}

static enum e8_rc take_steps(struct replayer *r, struct e8_errs *errs)
{
    const struct e8_emit *emit;
    if (r->recorded->flow_count != 1) {
        return fail_foreign(r, NULL, errs);
    }
    struct e8_walk walk = e8_walk_begin(&r->recorded->flows[0], r->recorded->seed, 0);
    while ((emit = e8_walk_next(&walk)) != NULL) {
        if (!emit->raw.p) {
            return fail_foreign(r, emit, errs);
        }
        add_step(r, emit, walk.offset);
    }
    return E8_OK;
}

enum e8_rc e8_replay_file(struct replayer *r, const char *path, struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_scenario_options options = {
        .getenv = from_environment, .to = r->endpoint.url, .seed_random = r->seed};
    if (e8_source_open(path, &r->source, &err)) {
        return e8_errs_add(errs, &err);
    }
    find_beginning(r);
    enum e8_rc rc = e8_source_parse(&r->source, r->catalog, &options, NULL, &r->recorded, errs);
    return rc ? rc : take_steps(r, errs);
}
