#include <string.h>

#include "check/internal.h"
#include "doc/json.h"

static void put_json(const struct e8_check *check, struct e8_buf *out)
{
    struct e8_json w = e8_json_new(out, 2);
    e8_json_object(&w, NULL);
    e8_json_array(&w, "probes");
    for (size_t i = 0; i < check->count; i++) {
        const struct e8_check_probe *probe = &check->probes[i];
        if (!probe->chosen) {
            continue;
        }
        e8_json_object(&w, NULL);
        e8_json_cstr(&w, "id", probe->id);
        e8_json_cstr(&w, "group", probe->group);
        e8_json_cstr(&w, "title", probe->says->title);
        e8_json_array(&w, "needs");
        for (size_t j = 0; probe->says->needs && probe->says->needs[j]; j++) {
            e8_json_cstr(&w, NULL, probe->says->needs[j]);
        }
        e8_json_end(&w, ']');
        e8_json_bool(&w, "canary", probe->says->canary);
        e8_json_bool(&w, "built_in", probe->builtin);
        e8_json_cstr(&w, "why", probe->says->why);
        e8_json_cstr(&w, "mend", probe->says->mend);
        e8_json_end(&w, '}');
    }
    e8_json_end(&w, ']');
    e8_json_end(&w, '}');
    e8_buf_putc(out, '\n');
}

static void put_probe(const struct e8_check_probe *probe, int width, struct e8_buf *out)
{
    const char *before = "  (needs ";
    e8_buf_printf(out, "  %-*s  %s", width, probe->id, probe->says->title ? probe->says->title : "");
    for (size_t i = 0; probe->says->needs && probe->says->needs[i]; i++) {
        e8_buf_printf(out, "%s%s", before, probe->says->needs[i]);
        before = ", ";
    }
    e8_buf_puts(out, before[0] == ',' ? ")\n" : "\n");
}

void e8_check_list(const struct e8_check *check, bool json, struct e8_buf *out)
{
    size_t width = 0;
    const char *group = NULL;
    if (json) {
        put_json(check, out);
        return;
    }
    for (size_t i = 0; i < check->count; i++) {
        size_t n = strlen(check->probes[i].id);
        width = n > width ? n : width;
    }
    for (size_t i = 0; i < check->count; i++) {
        const struct e8_check_probe *probe = &check->probes[i];
        if (!probe->chosen) {
            continue;
        }
        if (!group || strcmp(group, probe->group) != 0) {
            e8_buf_printf(out, "%s%s\n", group ? "\n" : "", probe->group);
        }
        group = probe->group;
        put_probe(probe, (int)width, out);
    }
}
