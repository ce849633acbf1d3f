/* A command with its output in a pipe. It is the leader of a process group of its own, so that what it has started ends with it
 * when its time is over. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/worker.h"

#define LOOK_EVERY_MS 50
#define READS_MAX     64 /* of its output, one after the other */

static void say(char why[E8_WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char why[E8_WHY_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, E8_WHY_MAX, format, args);
    va_end(args);
}

/* As a program finds things that a shell has started: no signal blocked, none ignored. */
static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_init(attr);
    rc = rc ? rc : posix_spawnattr_setsigmask(attr, &none);
    rc = rc ? rc : posix_spawnattr_setsigdefault(attr, &all);
    rc = rc ? rc : posix_spawnattr_setpgroup(attr, 0);
    return rc ? rc
              : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETPGROUP);
}

static int spawn(const char *const *argv, int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    size_t n = 0;
    while (argv[n]) {
        n++;
    }
    char **copy = e8_new(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = e8_dup(argv[i]);
    }
    int rc = set_attributes(&attr);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1); /* libraries open some for all */
    rc = rc ? rc : posix_spawnp(pid, copy[0], &actions, &attr, copy, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    for (size_t i = 0; i < n; i++) {
        free(copy[i]);
    }
    free(copy);
    return rc;
}

/* Takes what the pipe holds, at most so much that the end is seen when it has come. False: its writers have closed it. */
static bool drain(int fd, struct e8_buf *out)
{
    char bytes[4096];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n > 0) {
            e8_buf_put(out, bytes, (size_t)n);
        } else {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
    }
    return true;
}

/* Until it ends; false when it had to be ended. What it left running may hold the pipe: that is not waited for. */
static bool wait_for(pid_t pid, int fd, e8_mono_ns end, const atomic_bool *give_up, struct e8_buf *out,
                     int *status)
{
    bool open = true;
    for (;;) {
        struct pollfd poller = {.fd = open ? fd : -1, .events = POLLIN};
        pid_t got = waitpid(pid, status, WNOHANG);
        open = open && drain(fd, out);
        if (got == pid) {
            return true;
        }
        if (atomic_load(give_up) || e8_mono_now() >= end) {
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL); /* should it have made a group of its own */
            waitpid(pid, status, 0);
            return false;
        }
        poll(&poller, 1, open ? LOOK_EVERY_MS : 2);
    }
}

static bool judge(int status, bool ended, const atomic_bool *give_up, e8_dur_ns limit, const char *name,
                  char why[E8_WHY_MAX])
{
    if (!ended && atomic_load(give_up)) {
        say(why, "the run was ended while \"%.60s\" ran", name);
    } else if (!ended) {
        say(why, "\"%.60s\" took more than %lld s", name, (long long)(limit / E8_NS_S));
    } else if (WIFSIGNALED(status)) {
        say(why, "\"%.60s\" was ended by signal %d", name, WTERMSIG(status));
    } else if (WEXITSTATUS(status)) {
        say(why, "\"%.60s\" ended with exit code %d", name, WEXITSTATUS(status));
    } else {
        return true;
    }
    return false;
}

bool e8_command_run(const char *const *argv, e8_dur_ns limit, const atomic_bool *give_up, struct e8_buf *out,
                    char why[E8_WHY_MAX])
{
    int fds[2], status = 0;
    pid_t pid;
    if (pipe2(fds, O_CLOEXEC)) {
        say(why, "cannot run \"%.60s\": %s", argv[0], strerror(errno));
        return false;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    int rc = spawn(argv, fds[1], &pid);
    close(fds[1]);
    if (rc) {
        close(fds[0]);
        say(why, "cannot run \"%.60s\": %s", argv[0], strerror(rc));
        return false;
    }
    bool ended = wait_for(pid, fds[0], e8_after(e8_mono_now(), limit), give_up, out, &status);
    close(fds[0]);
    return judge(status, ended, give_up, limit, argv[0], why);
}
