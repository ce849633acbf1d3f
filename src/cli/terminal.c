#include "cli/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/base.h"

static int tty = -1;
static struct termios before; /* as it was when it was taken */
static atomic_bool taken;     /* read by handlers */

/* ---- settings ---- */

static void restore(void)
{
    if (taken) {
        taken = false;
        tcsetattr(tty, TCSANOW, &before);
    }
}

static void on_fault(int signal)
{
    restore();
    raise(signal); /* its action is the default again */
}

/* Those that somebody else handles (a sanitizer) are left alone. */
static void guard(int signal)
{
    struct sigaction now, ours = {.sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    sigemptyset(&ours.sa_mask);
    if (sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        sigaction(signal, &ours, NULL);
    }
}

void e8_terminal_open(void)
{
    static const int faults[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT};
    if (tty >= 0) {
        return;
    }
    tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (tty < 0) {
        return;
    }
    atexit(restore);
    for (size_t i = 0; i < E8_COUNT(faults); i++) {
        guard(faults[i]);
    }
}

bool e8_terminal_foreground(void)
{
    pid_t group = tty >= 0 ? tcgetpgrp(tty) : -1;
    return group < 0 || group == getpgrp();
}

/* Signals still come from keys (ISIG), and the output is left alone. */
static void set(void)
{
    struct termios ours = before;
    ours.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    ours.c_cc[VMIN] = 0;
    ours.c_cc[VTIME] = 0;
    tcsetattr(tty, TCSANOW, &ours);
}

bool e8_terminal_take(void)
{
    if (tty < 0 || !e8_terminal_foreground()) {
        return false;
    }
    if (!taken) {
        if (tcgetattr(tty, &before) != 0) {
            return false;
        }
        taken = true;
        set();
    }
    return true;
}

void e8_terminal_give(void)
{
    restore();
}

void e8_terminal_again(void)
{
    if (taken && e8_terminal_foreground()) {
        set();
    }
}

/* ---- keys ---- */

static const struct {
    char byte;
    enum e8_key key;
} plain[] = {{' ', E8_KEY_PAUSE},  {'p', E8_KEY_PAUSE},  {'+', E8_KEY_FASTER}, {'=', E8_KEY_FASTER},
             {'-', E8_KEY_SLOWER}, {'_', E8_KEY_SLOWER}, {'q', E8_KEY_QUIT},   {'Q', E8_KEY_QUIT}},
  arrows[] = {{'A', E8_KEY_FASTER}, {'C', E8_KEY_FASTER}, {'B', E8_KEY_SLOWER}, {'D', E8_KEY_SLOWER}};

/* Where we are in an escape sequence: ESC, then [ or O, parameters, and the byte that says what it was. */
static enum { OUTSIDE, ESCAPED, WITHIN } place;

static enum e8_key key_of(char byte)
{
    enum e8_key key = E8_KEY_NONE;
    if (byte == '\033') {
        place = ESCAPED;
    } else if (place == ESCAPED && (byte == '[' || byte == 'O')) {
        place = WITHIN;
    } else if (place == WITHIN) {
        for (size_t i = 0; i < E8_COUNT(arrows); i++) {
            key = arrows[i].byte == byte ? arrows[i].key : key;
        }
        place = (byte >= '0' && byte <= '9') || byte == ';' ? WITHIN : OUTSIDE;
    } else {
        for (size_t i = 0; place == OUTSIDE && i < E8_COUNT(plain); i++) {
            key = plain[i].byte == byte ? plain[i].key : key;
        }
        place = OUTSIDE;
    }
    return key;
}

enum e8_key e8_terminal_key(void)
{
    enum e8_key key = E8_KEY_NONE;
    char byte;
    while (taken && key == E8_KEY_NONE && e8_terminal_foreground() && read(tty, &byte, 1) == 1) {
        key = key_of(byte);
    }
    return key;
}

/* ---- what it is ---- */

void e8_terminal_size(int fd, int *columns, int *rows)
{
    struct winsize size = {0};
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0;
    *columns = known ? size.ws_col : 0;
    *rows = known ? size.ws_row : 0;
}

bool e8_terminal_redraws(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

bool e8_terminal_unicode(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value) {
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
        }
    }
    return false;
}
