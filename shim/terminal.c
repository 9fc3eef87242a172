// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include "driver/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* What the handlers need. */
static struct {
    struct termios own; /* as the terminal was */
    struct termios raw;
    volatile sig_atomic_t is_lent;
} lent;

static void set_modes(const struct termios *modes)
{
    /* Of a process in the background the kernel would stop for it whoever asks. */
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    sigprocmask(SIG_BLOCK, &stop, &before);
    /* Not when what was written has been read: it may never be. */
    tcsetattr(STDIN_FILENO, TCSANOW, modes);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static gboolean in_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* The signal's own effect follows when the handler has ended. */
static void on_end(int signal_number)
{
    if (lent.is_lent)
        set_modes(&lent.own);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void on_stop(int signal_number G_GNUC_UNUSED)
{
    int kept = errno;
    if (lent.is_lent && in_foreground())
        set_modes(&lent.own);
    raise(SIGSTOP);
    errno = kept;
}

static void on_continue(int signal_number G_GNUC_UNUSED)
{
    int kept = errno;
    if (lent.is_lent && in_foreground())
        set_modes(&lent.raw);
    errno = kept;
}

/* Its coming wakes whoever waits, and the size is looked at then. */
static void on_resize(int signal_number G_GNUC_UNUSED)
{
}

static void handle(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}, old;
    sigaction(signal_number, NULL, &old);
    if (old.sa_handler == SIG_DFL)
        sigaction(signal_number, &action, NULL);
}

/* INT, TERM and HUP unwind as in every verb (interrupt.h). */
static void watch_signals(void)
{
    static const int ends[] = {SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT, SIGBUS,  SIGFPE,
                               SIGUSR1, SIGSEGV, SIGUSR2,   SIGALRM, SIGXCPU, SIGXFSZ,
                               SIGPROF, SIGPOLL, SIGVTALRM, SIGPWR,  SIGSYS,  SIGSTKFLT};
    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++)
        handle(ends[i], on_end);
    handle(SIGTSTP, on_stop);
    handle(SIGTTIN, on_stop);
    handle(SIGCONT, on_continue);
    handle(SIGWINCH, on_resize);
}

gboolean terminal_lend(Terminal *terminal, Detach *detach, GError **error)
{
    if (tcgetattr(STDIN_FILENO, &lent.own) < 0) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "standard input is no terminal that could be lent to the VM");
        return FALSE;
    }
    terminal->detach = detach;
    lent.raw = lent.own;
    cfmakeraw(&lent.raw);
    watch_signals();
    lent.is_lent = 1;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &lent.raw) == 0)
        return TRUE;
    lent.is_lent = 0;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot take over the terminal");
    return FALSE;
}

void terminal_return(void)
{
    if (!lent.is_lent)
        return;
    set_modes(&lent.own);
    lent.is_lent = 0;
}

gboolean terminal_typed(GString *bytes, gpointer data)
{
    Terminal *terminal = data;
    return detach_filter(terminal->detach, bytes);
}

gboolean terminal_resized(guint *rows, guint *columns, gpointer data)
{
    Terminal *terminal = data;
    struct winsize size = {0};
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0 ||
        (size.ws_row == terminal->rows && size.ws_col == terminal->columns))
        return FALSE;
    *rows = terminal->rows = size.ws_row;
    *columns = terminal->columns = size.ws_col;
    return TRUE;
}
