#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests.h"

#define CONNECTIONS 512
#define BUFFER      (64 << 10)

struct connection {
    int fd;
    char *in;
    size_t n;
    bool busy; /* an answer is due */
    e8_mono_ns due;
    struct answer answer;
};

static void keep(struct receiver *r, const char *head, size_t head_n, const char *body, size_t body_n)
{
    pthread_mutex_lock(&r->lock);
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 64;
        r->list = e8_resize(r->list, r->room, sizeof *r->list);
    }
    struct request *request = &r->list[r->count++];
    request->at = e8_mono_now();
    request->head = e8_dup_str((struct e8_str){head, head_n});
    request->body = e8_dup_str((struct e8_str){body, body_n});
    request->body_n = body_n;
    pthread_mutex_unlock(&r->lock);
}

static void drop(struct receiver *r, struct connection *c)
{
    if (c->busy) {
        atomic_fetch_sub(&r->outstanding, 1);
    }
    close(c->fd);
    free(c->in);
    *c = (struct connection){.fd = -1};
}

/* Takes a whole request out of the buffer. */
static void take(struct receiver *r, struct connection *c)
{
    char *end = c->n ? memmem(c->in, c->n, "\r\n\r\n", 4) : NULL;
    if (c->busy || !end) {
        return;
    }
    size_t head_n = (size_t)(end - c->in) + 4;
    char *head = e8_dup_str((struct e8_str){c->in, head_n});
    const char *length = strcasestr(head, "\r\ncontent-length:");
    size_t body_n = length ? (size_t)strtoull(length + 17, NULL, 10) : 0;
    if (c->n >= head_n + body_n) {
        size_t number = atomic_fetch_add(&r->received, 1);
        keep(r, c->in, head_n, c->in + head_n, body_n);
        c->n -= head_n + body_n;
        memmove(c->in, c->in + head_n + body_n, c->n);
        c->answer = r->answer ? r->answer(r->state, number, head) : (struct answer){.status = 200};
        c->busy = true;
        c->due = c->answer.delay == E8_NEVER ? E8_NEVER : e8_mono_now() + c->answer.delay;
        int now = atomic_fetch_add(&r->outstanding, 1) + 1;
        if (now > atomic_load(&r->most)) {
            atomic_store(&r->most, now);
        }
    }
    free(head);
}

static void say(struct receiver *r, struct connection *c)
{
    char text[512];
    const char *body = c->answer.body[0] ? c->answer.body : "ok";
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", c->answer.status,
                     c->answer.headers ? c->answer.headers : "", strlen(body), body);
    c->busy = false;
    atomic_fetch_sub(&r->outstanding, 1);
    atomic_fetch_add(&r->answered, 1);
    if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
        drop(r, c);
    }
}

static void hear(struct receiver *r, struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->n, BUFFER - c->n, MSG_DONTWAIT);
    if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
        drop(r, c);
        return;
    }
    c->n += n > 0 ? (size_t)n : 0;
    take(r, c);
}

static void welcome(struct receiver *r, struct connection *list)
{
    int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < CONNECTIONS; i++) {
        if (list[i].fd < 0) {
            list[i] = (struct connection){.fd = fd, .in = e8_new(1, BUFFER)};
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int wait_of(const struct connection *list)
{
    e8_mono_ns first = E8_NEVER, now = e8_mono_now();
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (list[i].fd >= 0 && list[i].busy && list[i].due < first) {
            first = list[i].due;
        }
    }
    return first == E8_NEVER ? -1 : first <= now ? 0 : (int)((first - now) / E8_NS_MS) + 1;
}

static void *serve(void *state)
{
    struct receiver *r = state;
    struct connection *list = e8_new(CONNECTIONS, sizeof *list);
    struct pollfd fds[CONNECTIONS + 2];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        list[i].fd = -1;
    }
    while (!atomic_load(&r->stop)) {
        fds[0] = (struct pollfd){.fd = r->listener, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = r->wake[0], .events = POLLIN};
        for (size_t i = 0; i < CONNECTIONS; i++) {
            fds[i + 2] = (struct pollfd){.fd = list[i].fd, .events = POLLIN};
        }
        poll(fds, CONNECTIONS + 2, wait_of(list));
        for (size_t i = 0; i < CONNECTIONS; i++) {
            if (list[i].fd >= 0 && fds[i + 2].fd == list[i].fd && fds[i + 2].revents) {
                hear(r, &list[i]);
            }
            if (list[i].fd >= 0 && list[i].busy && list[i].due <= e8_mono_now()) {
                say(r, &list[i]);
            }
        }
        if (fds[0].revents) {
            welcome(r, list);
        }
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (list[i].fd >= 0) {
            drop(r, &list[i]);
        }
    }
    free(list);
    return NULL;
}

const char *header_of(const struct request *request, const char *name, char *out)
{
    char line[64];
    int n = snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strcasestr(request->head, line);
    size_t length = at ? strcspn(at + n, "\r") : 0;
    assert_true(length < 256);
    memcpy(out, at ? at + n : "", length);
    out[length] = '\0';
    return out;
}

void receiver_open(struct receiver *r, answer_fn *answer, void *state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    memset(r, 0, sizeof *r);
    r->answer = answer;
    r->state = state;
    pthread_mutex_init(&r->lock, NULL);
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->listener, 512), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &n), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(pipe2(r->wake, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

void receiver_close(struct receiver *r)
{
    atomic_store(&r->stop, true);
    assert_int_equal(write(r->wake[1], "x", 1), 1);
    pthread_join(r->thread, NULL);
    close(r->listener);
    close(r->wake[0]);
    close(r->wake[1]);
    for (size_t i = 0; i < r->count; i++) {
        free(r->list[i].head);
        free(r->list[i].body);
    }
    free(r->list);
    pthread_mutex_destroy(&r->lock);
}
