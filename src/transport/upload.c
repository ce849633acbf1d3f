#include "transport/internal.h"

#include <stdio.h>
#include <string.h>

#define EXPECT_WAIT  E8_NS_S
#define CLOSE_LOOK   E8_NS_MS
#define PIECES_A_SEC 50u
#define PIECE_MAX    16384u
#define CHUNK_MAX    4096u
#define RATE_MAX     10000000000u /* what is faster is as fast as it goes */

/* --- what may leave -------------------------------------------------------------------------------------------------- */

static uint64_t rate_of(const struct e8_slot *slot)
{
    const struct e8_wire *wire = slot->exchange->wire;
    return wire && wire->rate < RATE_MAX ? wire->rate : 0;
}

static size_t close_at(const struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    bool closes = x->wire && x->wire->close_after >= 0;
    return closes && (uint64_t)x->wire->close_after < x->body.n ? (size_t)x->wire->close_after : x->body.n;
}

/* So far the body may go, but for the rate. */
static size_t limit_of(const struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    size_t limit = slot->upload.go ? close_at(slot) : 0;
    if (x->hold && !slot->upload.released && limit == x->body.n)
        limit--;
    return limit;
}

/* When byte number `n` of the body has its turn. */
static e8_mono_ns turn_of(const struct e8_slot *slot, uint64_t n)
{
    uint64_t rate = rate_of(slot);
    uint64_t ns = n / rate * (uint64_t)E8_NS_S + (n % rate * (uint64_t)E8_NS_S + rate - 1) / rate;
    return slot->upload.began + (e8_dur_ns)ns;
}

/* The piece that comes next: all that there may be, in small pieces where there is a rate, and at least two chunks. */
static size_t piece_of(const struct e8_slot *slot, size_t room)
{
    const struct e8_exchange *x = slot->exchange;
    size_t piece = limit_of(slot) - slot->upload.at, most = room;
    uint64_t rate = rate_of(slot);
    if (rate && rate / PIECES_A_SEC < most)
        most = rate < PIECES_A_SEC ? 1 : (size_t)(rate / PIECES_A_SEC);
    if (rate && most > PIECE_MAX)
        most = PIECE_MAX;
    if (x->wire && x->wire->chunked && most > CHUNK_MAX)
        most = CHUNK_MAX;
    if (x->wire && x->wire->chunked && most > (x->body.n + 1) / 2)
        most = (x->body.n + 1) / 2;
    return piece < most ? piece : most;
}

/* --- libcurl asks for bytes ------------------------------------------------------------------------------------------ */

static void set_timer(struct e8_slot *slot, e8_mono_ns at)
{
    e8_timers_remove(&slot->transport->uploads, &slot->upload.timer);
    e8_timers_add(&slot->transport->uploads, &slot->upload.timer, at);
}

static size_t pause_upload(struct e8_slot *slot)
{
    slot->upload.paused = true;
    if (e8_upload_held(slot)) /* whoever waits for that is told */
        slot->transport->woken = true;
    return CURL_READFUNC_PAUSE;
}

static void judge_close(struct e8_slot *slot)
{
    struct e8_upload *up = &slot->upload;
    up->cut = true;
    if (slot->response.complete) {
        slot->verdict = (int)e8_outcome_of_status(slot->exchange->status);
        return;
    }
    snprintf(up->why, sizeof up->why, "closed on purpose after %zu bytes of the body", close_at(slot));
    slot->verdict = E8_NO_RESPONSE;
    slot->why = up->why;
}

/* libcurl ends chunks and streams properly when it is told that there is no more, which would make a whole request of half of
 * one. Otherwise the rest of the answer is still read. */
static size_t stop(struct e8_slot *slot)
{
    const struct e8_wire *wire = slot->exchange->wire;
    slot->upload.cut = true;
    return slot->reach.http == E8_HTTP_2 || (wire && wire->chunked) ? CURL_READFUNC_ABORT : 0;
}

static size_t give(struct e8_slot *slot, char *out, size_t n)
{
    struct e8_upload *up = &slot->upload;
    const struct e8_exchange *x = slot->exchange;
    memcpy(out, x->body.p + up->at, n);
    up->at += n;
    if (x->hold && up->at == x->body.n && up->stamps)
        slot->exchange->sent = e8_mono_now();
    if (x->wire && x->wire->close_after >= 0 && up->at == x->body.n)
        set_timer(slot, 0);
    return n;
}

static void begin(struct e8_slot *slot)
{
    const struct e8_wire *wire = slot->exchange->wire;
    slot->upload.begun = true;
    slot->upload.began = e8_mono_now();
    slot->upload.go = !wire || !wire->expect || slot->upload.invited;
    if (!slot->upload.go)
        set_timer(slot, slot->upload.began + EXPECT_WAIT);
}

/* The head, and all pieces before, have been sent. */
static size_t on_read(char *out, size_t size, size_t count, void *client)
{
    struct e8_slot *slot = client;
    E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
    struct e8_upload *up = &slot->upload;
    const struct e8_exchange *x = slot->exchange;
    bool closes = x->wire && x->wire->close_after >= 0;
    if (!up->begun)
        begin(slot);
    if (up->ended)
        return up->at < x->body.n ? stop(slot) : 0;
    if (closes && up->go && up->at == close_at(slot)) {
        judge_close(slot);
        return CURL_READFUNC_ABORT;
    }
    if (up->at == x->body.n)
        return 0;
    size_t piece = piece_of(slot, size * count);
    if (piece == 0)
        return pause_upload(slot);
    if (rate_of(slot) && turn_of(slot, up->at + piece) > e8_mono_now()) {
        set_timer(slot, turn_of(slot, up->at + piece));
        return pause_upload(slot);
    }
    return give(slot, out, piece);
}

/* Where libcurl wants to send once more, that is the end. */
static int on_seek(void *client, curl_off_t offset, int origin)
{
    (void)client;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

void e8_upload_setup(struct e8_slot *slot)
{
    curl_easy_setopt(slot->easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(slot->easy, CURLOPT_READDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_SEEKFUNCTION, on_seek);
}

/* --- what happens meanwhile ------------------------------------------------------------------------------------------ */

/* May be called in libcurl's callbacks: it goes on when they are over. */
static void go_on(struct e8_slot *slot)
{
    if (!slot->upload.paused)
        return;
    slot->upload.paused = false;
    curl_easy_pause(slot->easy, CURLPAUSE_CONT);
}

void e8_upload_continue(struct e8_slot *slot)
{
    struct e8_upload *up = &slot->upload;
    up->invited = true;
    if (!up->begun || up->go)
        return;
    e8_timers_remove(&slot->transport->uploads, &up->timer);
    up->go = true;
    up->began = e8_mono_now(); /* of a rate */
    go_on(slot);
}

void e8_upload_answered(struct e8_slot *slot)
{
    if (!slot->upload.on)
        return;
    slot->upload.ended = true;
    go_on(slot);
}

void e8_upload_mind(struct e8_slot *slot)
{
    char byte;
    if (!slot->upload.paused || slot->fd < 0 || slot->reach.http == E8_HTTP_2 ||
        recv(slot->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        return;
    slot->upload.ended = true;
    go_on(slot);
    e8_multi_act(slot->multi, CURL_SOCKET_TIMEOUT, 0);
}

/* All of the body is with the kernel; libcurl does not ask any more once it has given all. */
static bool all_sent(const struct e8_slot *slot)
{
    curl_off_t bytes = 0;
    long head = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_SIZE_UPLOAD_T, &bytes);
    curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &head);
    return slot->exchange->sent && head > 0 && (uint64_t)bytes >= slot->exchange->body.n;
}

static void look_for_close(struct e8_slot *slot)
{
    if (!all_sent(slot)) {
        set_timer(slot, e8_mono_now() + CLOSE_LOOK);
        return;
    }
    judge_close(slot);
    e8_transfer_end(slot, (enum e8_outcome)slot->verdict, slot->why);
}

void e8_upload_due(struct e8_slot *slot)
{
    struct e8_upload *up = &slot->upload;
    const struct e8_exchange *x = slot->exchange;
    e8_timers_remove(&slot->transport->uploads, &up->timer);
    if (x->wire && x->wire->close_after >= 0 && up->at == x->body.n) {
        look_for_close(slot);
        return;
    }
    if (!up->go)
        e8_upload_continue(slot);
    else
        go_on(slot);
    e8_multi_act(slot->multi, CURL_SOCKET_TIMEOUT, 0);
}

/* --- the exchange ---------------------------------------------------------------------------------------------------- */

bool e8_upload_wanted(const struct e8_exchange *x)
{
    const struct e8_wire *w = x->wire;
    return x->hold || (w && (w->chunked || w->expect || w->rate || w->close_after >= 0));
}

void e8_upload_reset(struct e8_slot *slot)
{
    struct e8_upload *up = &slot->upload;
    e8_timers_remove(&slot->transport->uploads, &up->timer);
    up->begun = up->go = up->invited = up->paused = up->ended = up->cut = up->stamps = false;
    up->at = 0;
}

/* Without a body libcurl does not ask for it: the moment when the head has been sent must be looked for. */
void e8_upload_sending(struct e8_slot *slot)
{
    const struct e8_wire *wire = slot->exchange->wire;
    if (wire && wire->close_after >= 0 && slot->exchange->body.n == 0)
        set_timer(slot, 0);
}

bool e8_upload_held(const struct e8_slot *slot)
{
    const struct e8_upload *up = &slot->upload;
    const struct e8_exchange *x = slot->exchange;
    if (up->waiting)
        return true;
    return x->hold && !up->released && up->paused && up->go && up->at + 1 == x->body.n;
}

bool e8_transport_held(const struct e8_transport *t, const struct e8_exchange *x)
{
    const struct e8_slot *slot = x->slot;
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    return !slot || (x->hold && e8_upload_held(slot));
}

static void start(struct e8_slot *slot)
{
    slot->upload.waiting = false;
    slot->transport->starting = slot;
    e8_transfer_add(slot);
    e8_multi_act(slot->multi, CURL_SOCKET_TIMEOUT, 0);
    slot->transport->starting = NULL;
}

/* Handles that go on are served by libcurl in the order in which they were told to, in one call for each multi. */
void e8_transport_release(struct e8_transport *t, struct e8_exchange *const *list, size_t count)
{
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    for (size_t i = 0; i < count; i++) {
        struct e8_slot *slot = list[i]->slot;
        if (!slot || !list[i]->hold || slot->upload.released)
            continue;
        E8_ASSERT(slot->magic == E8_SLOT_MAGIC && slot->transport == t && slot->exchange == list[i]);
        slot->upload.released = true;
        slot->upload.stamps = slot->exchange->sent != 0;
        if (slot->upload.waiting)
            start(slot);
        else
            go_on(slot);
    }
    for (size_t i = 0; i < t->multi_count; i++)
        e8_multi_act(t->multis[i], CURL_SOCKET_TIMEOUT, 0);
}
