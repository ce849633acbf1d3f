#include "engine/agenda.h"

#include <stdlib.h>
#include <string.h>

static bool before(const struct e8_agenda_entry *a, const struct e8_agenda_entry *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

void e8_agenda_fini(struct e8_agenda *agenda)
{
    free(agenda->list);
    memset(agenda, 0, sizeof *agenda);
}

void e8_agenda_push(struct e8_agenda *agenda, e8_mono_ns due, void *item)
{
    if (agenda->count == agenda->room) {
        agenda->room = agenda->room ? agenda->room * 2 : 64;
        agenda->list = e8_resize(agenda->list, agenda->room, sizeof *agenda->list);
    }
    struct e8_agenda_entry entry = {due, agenda->pushed++, item};
    size_t at = agenda->count++;
    while (at > 0 && before(&entry, &agenda->list[(at - 1) / 2])) {
        agenda->list[at] = agenda->list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    agenda->list[at] = entry;
}

e8_mono_ns e8_agenda_due(const struct e8_agenda *agenda)
{
    return agenda->count ? agenda->list[0].due : E8_NEVER;
}

void *e8_agenda_pop(struct e8_agenda *agenda)
{
    if (!agenda->count) {
        return NULL;
    }
    void *item = agenda->list[0].item;
    struct e8_agenda_entry entry = agenda->list[--agenda->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= agenda->count) {
            break;
        }
        if (child + 1 < agenda->count && before(&agenda->list[child + 1], &agenda->list[child])) {
            child++;
        }
        if (!before(&agenda->list[child], &entry)) {
            break;
        }
        agenda->list[at] = agenda->list[child];
        at = child;
    }
    if (agenda->count) {
        agenda->list[at] = entry;
    }
    return item;
}
