#include "transport/internal.h"

#include <arpa/inet.h>
#include <string.h>

static const unsigned char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct block {
    struct e8_addr addr;
    unsigned bits;
};

bool e8_addr_of(const struct sockaddr *sa, struct e8_addr *out)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        memcpy(out->b, v4_prefix, sizeof v4_prefix);
        memcpy(out->b + 12, &in.sin_addr, 4);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        memcpy(out->b, &in6.sin6_addr, 16);
        return true;
    }
    return false;
}

static struct e8_str bare(struct e8_str text)
{
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = (struct e8_str){text.p + 1, text.n - 2};
    const char *zone = text.n ? memchr(text.p, '%', text.n) : NULL;
    if (zone)
        text.n = (size_t)(zone - text.p);
    return text;
}

bool e8_addr_parse(struct e8_str text, struct e8_addr *out)
{
    char copy[INET6_ADDRSTRLEN];
    text = bare(text);
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    struct in_addr in;
    if (inet_pton(AF_INET, copy, &in) == 1) {
        memcpy(out->b, v4_prefix, sizeof v4_prefix);
        memcpy(out->b + 12, &in, 4);
        return true;
    }
    return inet_pton(AF_INET6, copy, out->b) == 1;
}

static bool is_v4(const struct e8_addr *addr)
{
    return memcmp(addr->b, v4_prefix, sizeof v4_prefix) == 0;
}

void e8_addr_text(const struct e8_addr *addr, char out[64])
{
    if (is_v4(addr))
        inet_ntop(AF_INET, addr->b + 12, out, 64);
    else
        inet_ntop(AF_INET6, addr->b, out, 64);
}

static bool covers(const struct block *block, const struct e8_addr *addr)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (is_v4(&block->addr) != is_v4(addr)) /* ::/0 is not meant to let IPv4 in */
        return false;
    if (memcmp(block->addr.b, addr->b, whole) != 0)
        return false;
    unsigned mask = 0xffu & (0xff00u >> rest);
    return rest == 0 || (block->addr.b[whole] & mask) == (addr->b[whole] & mask);
}

/* "10.0.0.0/8", "fd00::/8". */
static bool block_parse(struct e8_str text, struct block *out)
{
    struct e8_str rest = text, head;
    uint64_t bits;
    if (!e8_str_split(&rest, '/', &head) || head.n == text.n)
        return false;
    if (!e8_addr_parse(head, &out->addr) || !e8_parse_u64(rest, &bits))
        return false;
    unsigned most = memchr(head.p, ':', head.n) ? 128 : 32;
    if (bits > most)
        return false;
    out->bits = (unsigned)bits + (128 - most);
    return true;
}

bool e8_addr_is_loopback(const struct e8_addr *addr)
{
    static const struct e8_addr one = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return (is_v4(addr) && addr->b[12] == 127) || memcmp(addr, &one, sizeof one) == 0;
}

/* Link-local blocks and the metadata services of clouds: no CIDR block and no name opens them. */
static bool restricted(const struct e8_addr *addr)
{
    static const char *const blocks[] = {
        "169.254.0.0/16",   "fe80::/10",           "fd00:ec2::254/128",      "100.100.100.200/32",
        "168.63.129.16/32", "64:ff9b::a9fe:0/112", "64:ff9b::6464:64c8/128",
    };
    for (size_t i = 0; i < E8_COUNT(blocks); i++) {
        struct block block;
        E8_ASSERT(block_parse(e8_str(blocks[i]), &block));
        if (covers(&block, addr))
            return true;
    }
    return false;
}

enum e8_rc e8_allow_check(const char *entry, struct e8_err *err)
{
    struct e8_str text = e8_str(entry);
    struct e8_addr addr;
    struct block block;
    if (e8_addr_parse(text, &addr) || block_parse(text, &block))
        return E8_OK;
    if (text.n == 0 || strpbrk(entry, "/:@*?[] \t\r\n"))
        return e8_fail(err, E8_INPUT,
                       "a host name, an address or a block such as 10.0.0.0/8; no port, no scheme",
                       "allowed target \"%s\" is not understood", entry);
    return E8_OK;
}

static struct e8_str undotted(struct e8_str host)
{
    if (host.n > 1 && host.p[host.n - 1] == '.')
        host.n--;
    return host;
}

bool e8_allow_name(const char *const *allow, struct e8_str host)
{
    for (; allow && *allow; allow++) {
        if (e8_str_ieq(undotted(e8_str(*allow)), undotted(host)))
            return true;
    }
    return false;
}

bool e8_allow_has_addresses(const char *const *allow)
{
    struct e8_addr addr;
    struct block block;
    for (; allow && *allow; allow++) {
        if (e8_addr_parse(e8_str(*allow), &addr) || block_parse(e8_str(*allow), &block))
            return true;
    }
    return false;
}

bool e8_allow_addr(const char *const *allow, const struct e8_addr *addr, bool named)
{
    if (e8_addr_is_loopback(addr))
        return true;
    bool exact_only = restricted(addr);
    if (named && !exact_only)
        return true;
    for (; allow && *allow; allow++) {
        struct e8_addr one;
        struct block block;
        if (e8_addr_parse(e8_str(*allow), &one)) {
            if (memcmp(&one, addr, sizeof one) == 0)
                return true;
        } else if (!exact_only && block_parse(e8_str(*allow), &block) && covers(&block, addr)) {
            return true;
        }
    }
    return false;
}
