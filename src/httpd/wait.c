/* Answers that are not due yet: their connections are suspended until then. */
#include "httpd/exchange.h"

void e8_wait_begin(struct e8_service *ex, e8_mono_ns due)
{
    ex->phase = E8_PHASE_WAIT;
    e8_peer_owes(e8_peer_of(ex->connection), E8_OWED_NOTHING);
    e8_timers_add(&ex->httpd->waiting, &ex->timer, due);
    MHD_suspend_connection(ex->connection);
}

void e8_wait_hurry(struct e8_service *ex)
{
    E8_ASSERT(ex->phase == E8_PHASE_WAIT);
    e8_timers_remove(&ex->httpd->waiting, &ex->timer);
    e8_timers_add(&ex->httpd->waiting, &ex->timer, 0);
}

void e8_wait_hurry_all(struct e8_httpd *httpd)
{
    e8_wait_resume(httpd, E8_NEVER);
}

e8_mono_ns e8_wait_next(const struct e8_httpd *httpd)
{
    return e8_timers_due(&httpd->waiting);
}

void e8_wait_resume(struct e8_httpd *httpd, e8_mono_ns now)
{
    while (httpd->waiting.count > 0 && e8_timers_due(&httpd->waiting) <= now) {
        struct e8_service *ex = E8_TIMER_OWNER(e8_timers_take(&httpd->waiting), struct e8_service, timer);
        MHD_resume_connection(ex->connection);
    }
}
