/* When the bytes of an answer came. A worker that slept, or that has much to do, reads them late; the kernel stamped them when it had them.
 * So what is measured is the receiver's time, not how long this program took to wake up. */
#include <string.h>
#include <time.h>

#include "transport/internal.h"

#define SET  (50 * E8_NS_US) /* so much between two reads, and the wall clock was set */
#define NEAR (8 * E8_NS_US)

void e8_arrival_want(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

int e8_arrival_begin(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        e8_arrival_want(fd);
    return fd;
}

void e8_arrival_prepare(struct e8_arrival *arrival, const struct e8_io *io)
{
    arrival->piece = (struct iovec){io->bytes, io->n};
    arrival->head = (struct msghdr){.msg_iov = &arrival->piece,
                                    .msg_iovlen = 1,
                                    .msg_control = arrival->control,
                                    .msg_controllen = sizeof arrival->control};
}

static bool stamp_of(struct e8_arrival *arrival, e8_wall_ns *out)
{
    const struct cmsghdr *told = CMSG_FIRSTHDR(&arrival->head); /* no more is asked for */
    struct timespec at;
    if (!told || told->cmsg_level != SOL_SOCKET || told->cmsg_type != SCM_TIMESTAMPNS ||
        told->cmsg_len < CMSG_LEN(sizeof at))
        return false;
    memcpy(&at, CMSG_DATA(told), sizeof at);
    *out = (e8_wall_ns)at.tv_sec * E8_NS_S + at.tv_nsec;
    return true;
}

bool e8_arrival_trusts(e8_dur_ns *offset, const struct e8_instant *now)
{
    e8_dur_ns before = *offset, after = now->wall - now->mono;
    if (now->apart > NEAR)
        return false;
    *offset = after;
    return !before || (after - before < SET && before - after < SET);
}

bool e8_arrival_of(struct e8_arrival *arrival, const struct e8_instant *read, e8_mono_ns *out)
{
    e8_wall_ns came;
    if (!stamp_of(arrival, &came))
        return false;
    *out = came < read->wall ? read->mono - (read->wall - came) : read->mono;
    return true;
}

bool e8_arrival_peek(int fd, e8_dur_ns *offset, e8_mono_ns *out)
{
    char bytes[E8_TLS_RECORD + 512];
    const struct e8_io io = {.bytes = bytes, .n = sizeof bytes};
    struct e8_arrival arrival;
    e8_arrival_prepare(&arrival, &io);
    if (recvmsg(fd, &arrival.head, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return false;
    struct e8_instant now = e8_instant_now();
    return e8_arrival_trusts(offset, &now) && e8_arrival_of(&arrival, &now, out);
}
