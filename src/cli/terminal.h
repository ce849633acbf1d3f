/* The terminal of a run: its keys, and its settings, which every way out leaves as they were. One for the process; main thread. */
#ifndef E8_CLI_TERMINAL_H
#define E8_CLI_TERMINAL_H

#include <stdbool.h>

/* Opens the controlling terminal, if there is one; restores its settings at exit, and when the process is killed by its own fault.
 * Before any thread starts. */
void e8_terminal_open(void);
/* Keys come one by one and unseen while we are in the foreground. False: there is no terminal, or it is another's for now. To be
 * called again and again, for that changes. */
bool e8_terminal_take(void);
/* Gives it back as it was, for so long as we are stopped. */
void e8_terminal_give(void);
/* Sets it again: the shell had changed it while we were stopped without having been asked. */
void e8_terminal_again(void);
/* False only where another process group has the terminal. */
bool e8_terminal_foreground(void);

enum e8_key { E8_KEY_NONE, E8_KEY_PAUSE, E8_KEY_FASTER, E8_KEY_SLOWER, E8_KEY_QUIT };
enum e8_key e8_terminal_key(void);                      /* the next that was pressed */
void e8_terminal_size(int fd, int *columns, int *rows); /* 0: not known */
bool e8_terminal_redraws(int fd);                       /* it is one that can be drawn on in place */
bool e8_terminal_unicode(void);                         /* by the locale's variables */

#endif
