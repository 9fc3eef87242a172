// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include "error.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t raised;
static gint held;

void interrupt_raise(int signal_number)
{
    if (!raised)
        raised = signal_number;
}

int interrupt_signal(void)
{
    return raised;
}

gboolean interrupt_pending(void)
{
    return raised && g_atomic_int_get(&held) == 0;
}

gboolean interrupt_check(GError **error)
{
    if (!interrupt_pending())
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERRUPTED, "interrupted by signal %d (%s)",
                (int)raised, strsignal(raised));
    return FALSE;
}

void interrupt_hold(void)
{
    g_atomic_int_inc(&held);
}

void interrupt_allow(void)
{
    g_atomic_int_add(&held, -1);
}

void interrupt_install(void)
{
    /* No SA_RESTART: a blocking call returns with EINTR and its caller looks at the wish. */
    struct sigaction stop = {.sa_handler = interrupt_raise};
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++) {
        struct sigaction old;
        sigaction(signals[i], NULL, &old);
        /* nohup and a shell's background jobs ignore some of these on purpose. */
        if (old.sa_handler != SIG_IGN)
            sigaction(signals[i], &stop, NULL);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
}
