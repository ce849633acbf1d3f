#include <string.h>

#include "catalog/catalog.h"
#include "catalog/files.h"
#include "catalog/schema.h"

#define CHECK_TIME ((e8_wall_ns)1767225600 * E8_NS_S) /* 2026-01-01: the same events at each check */

struct event_check {
    const struct e8_catalog *catalog;
    size_t type;
    struct e8_schema *schema;
    struct e8_buf body;
    struct e8_errs *errs;
};

static bool check_one(struct event_check *k, unsigned index)
{
    const struct e8_type *type = e8_catalog_type(k->catalog, k->type);
    const char *const *environments = e8_catalog_platform(k->catalog)->environments;
    struct e8_err err = {0};
    char id[E8_ID_MAX];
    e8_id_make("evt_", CHECK_TIME, e8_mix(index, 1), e8_mix(index, 2), id);
    struct e8_facts facts = {
        .seed = 1,
        .flow = e8_hash_str(E8_LIT("validate")),
        .instance = index,
        .sequence = 1 + index % 7,
        .flow_started = CHECK_TIME - (e8_dur_ns)(index % 3600) * E8_NS_S,
        .at = CHECK_TIME + (e8_dur_ns)index * E8_NS_S,
        .id = e8_str(id),
        .type = e8_str(type->name),
        .category = e8_str(type->category),
        .environment = e8_str(environments[0]),
        .type_index = (uint16_t)k->type,
    };
    e8_buf_reset(&k->body);
    enum e8_rc rc = e8_template_render(e8_catalog_event(k->catalog, k->type), &facts, &k->body);
    E8_ASSERT(rc == E8_OK);
    if (e8_schema_check(k->schema, e8_buf_str(&k->body), &err)) {
        struct e8_err placed = {0};
        char file[200];
        struct e8_buf text;
        e8_buf_fixed(&text, file, sizeof file - 1);
        e8_buf_printf(&text, "events/%s.json", type->name);
        e8_fail_at(&placed, e8_catalog_shown(k->catalog, e8_buf_cstr(&text)), 0, 0,
                   "change the payload or its schema", "rendered event %u: %s", index, err.what);
        e8_errs_add(k->errs, &placed);
        return false;
    }
    return true;
}

enum e8_rc e8_catalog_check(const struct e8_catalog *catalog, unsigned count, struct e8_errs *errs)
{
    size_t before = errs->total;
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        struct event_check k = {.catalog = catalog, .type = i, .errs = errs};
        struct e8_err err = {0};
        char file[200];
        struct e8_buf text;
        e8_buf_fixed(&text, file, sizeof file - 1);
        e8_buf_printf(&text, "schemas/%s.json", e8_catalog_type(catalog, i)->name);
        const char *shown = e8_catalog_shown(catalog, e8_buf_cstr(&text));
        if (e8_schema_parse(shown, e8_catalog_schema(catalog, i), &k.schema, &err)) {
            e8_errs_add(errs, &err);
            continue;
        }
        e8_buf_init(&k.body, SIZE_MAX / 2);
        for (unsigned n = 0; n < count && check_one(&k, n); n++) {
        }
        e8_buf_fini(&k.body);
        e8_schema_free(&k.schema);
    }
    return errs->total == before ? E8_OK : E8_INPUT;
}

enum e8_rc e8_catalog_check_schemas(const char *overlay, struct e8_errs *errs)
{
    struct e8_fixture_files files;
    struct e8_errs unread; /* e8_catalog_load has told those */
    size_t before = errs->total;
    e8_errs_init(&unread);
    e8_fixture_files_load(overlay, &files, &unread);
    for (size_t i = 0; i < files.count; i++) {
        struct e8_schema *schema = NULL;
        struct e8_err err = {0};
        if (strncmp(files.list[i].path, "schemas/", 8) == 0 &&
            e8_schema_parse(files.list[i].shown, files.list[i].text, &schema, &err)) {
            e8_errs_add(errs, &err);
        }
        e8_schema_free(&schema);
    }
    e8_fixture_files_fini(&files);
    e8_errs_fini(&unread);
    return errs->total == before ? E8_OK : E8_INPUT;
}
