/* What the processors do, by /proc/stat (proc_stat(5)): ticks of each since the system's start. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "engine/worker.h"

enum { LINE = 512, IDLE = 3, IOWAIT = 4, STEAL = 7 };

/* "cpu1 user nice system idle iowait irq softirq steal guest guest_nice"; what guests use is in user's already. */
static bool add_line(struct e8_str line, const cpu_set_t *ours, struct e8_cpu *cpu)
{
    struct e8_str word;
    uint64_t number, ticks;
    if (line.n < 4 || memcmp(line.p, "cpu", 3) != 0) {
        return false;
    }
    e8_str_split(&line, ' ', &word);
    if (!e8_parse_u64((struct e8_str){word.p + 3, word.n - 3}, &number) || number >= CPU_SETSIZE ||
        !CPU_ISSET(number, ours)) {
        return true;
    }
    for (int i = 0; i <= STEAL && e8_str_split(&line, ' ', &word) && e8_parse_u64(word, &ticks); i++) {
        cpu->all += ticks;
        cpu->idle += i == IDLE || i == IOWAIT ? ticks : 0;
    }
    return true;
}

struct e8_cpu e8_cpu_now(void)
{
    struct e8_cpu cpu = {0};
    cpu_set_t ours;
    char line[LINE];
    FILE *file = fopen("/proc/stat", "re");
    if (!file || sched_getaffinity(0, sizeof ours, &ours) != 0) {
        if (file) {
            fclose(file);
        }
        return cpu;
    }
    while (fgets(line, sizeof line, file) &&
           add_line((struct e8_str){line, strcspn(line, "\n")}, &ours, &cpu)) {
    }
    fclose(file);
    return cpu;
}

unsigned e8_cpu_share(const struct e8_cpu *before, const struct e8_cpu *after)
{
    if (before->all == 0 || after->all <= before->all || after->idle < before->idle) {
        return 0;
    }
    uint64_t all = after->all - before->all, idle = after->idle - before->idle;
    return idle < all ? (unsigned)((all - idle) * 1000 / all) : 0;
}
