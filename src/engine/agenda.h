/* What is to be done when: pointers by due time; among equals, first in, first out. Internal to engine. */
#ifndef E8_ENGINE_AGENDA_H
#define E8_ENGINE_AGENDA_H

#include "base/base.h"

struct e8_agenda_entry {
    e8_mono_ns due;
    uint64_t order;
    void *item;
};
struct e8_agenda {
    struct e8_agenda_entry *list;
    size_t count, room;
    uint64_t pushed;
};

void e8_agenda_fini(struct e8_agenda *agenda);
void e8_agenda_push(struct e8_agenda *agenda, e8_mono_ns due, void *item);
/* E8_NEVER when empty. */
e8_mono_ns e8_agenda_due(const struct e8_agenda *agenda);
void *e8_agenda_pop(struct e8_agenda *agenda); /* NULL when empty */

#endif
