#include "cli/limits.h"

#include <stdio.h>
#include <sys/resource.h>

#define FILES_APART  32 /* the log, the loops, what the libraries open */
#define FILES_WORKER 8

/* What there is then. */
static uint64_t raise_to(uint64_t needed)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0) {
        return UINT64_MAX;
    }
    if (now.rlim_cur != RLIM_INFINITY && now.rlim_cur < needed) {
        struct rlimit more = {now.rlim_max != RLIM_INFINITY && now.rlim_max < needed ? now.rlim_max : needed,
                              now.rlim_max};
        now = setrlimit(RLIMIT_NOFILE, &more) == 0 ? more : now;
    }
    return now.rlim_cur == RLIM_INFINITY ? UINT64_MAX : now.rlim_cur;
}

struct e8_cli_files_limit e8_cli_files_for(uint64_t deliveries, uint64_t ends, unsigned workers)
{
    uint64_t apart = FILES_APART + (uint64_t)FILES_WORKER * workers;
    uint64_t limit = raise_to(deliveries * ends + apart);
    uint64_t room = limit > apart ? (limit - apart) / ends : 1;
    return (struct e8_cli_files_limit){limit, room ? room : 1};
}

void e8_cli_files_warn(uint64_t deliveries, const struct e8_cli_files_limit *files, const char *then)
{
    fprintf(stderr,
            "emit8: a slow receiver may bring %llu deliveries in flight; with at most\n"
            "       %llu open files there is room for about %llu:\n"
            "       %s\n",
            (unsigned long long)deliveries, (unsigned long long)files->limit, (unsigned long long)files->room,
            then);
}
