/* An attempt of an engine as the store gets it. Internal to platform. */
#ifndef E8_PLATFORM_NOTED_H
#define E8_PLATFORM_NOTED_H

#include "engine/engine.h"
#include "platform/store.h"

/* Must stay where it is: the attempt's texts lie in the other two. */
struct e8_noted {
    struct e8_store_attempt attempt;
    struct e8_buf text; /* e8_buf_fini */
    char error[E8_ERROR_MAX];
};
/* All but the delivery's row, its tries, and what has become of it. It is not due before `least`; 0: no matter. most: of the answer's
 * body, E8_STORE_BODY_MAX or less. */
void e8_noted_fill(struct e8_noted *noted, const struct e8_fed_end *end, e8_wall_ns least, size_t most);
/* Our own end cut it off, which says nothing of the receiver. */
bool e8_noted_cut(const struct e8_noted *noted);

#endif
