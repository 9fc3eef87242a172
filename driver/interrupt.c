// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include "error.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t raised;
static gint held;

/* How many requests are waited for, for how long, and since when there is a wish. */
static GMutex patience_lock;
static struct {
    guint requests;
    guint ms;
    gint64 raised_at;
} patience;

void interrupt_raise(int signal_number)
{
    if (!raised)
        raised = signal_number;
}

int interrupt_signal(void)
{
    return raised;
}

static gboolean is_patient(void)
{
    g_mutex_lock(&patience_lock);
    if (!patience.raised_at)
        patience.raised_at = g_get_monotonic_time();
    gint64 until = patience.raised_at + (gint64)patience.ms * G_TIME_SPAN_MILLISECOND;
    gboolean patient = patience.requests > 0 && g_get_monotonic_time() < until;
    g_mutex_unlock(&patience_lock);
    return patient;
}

gboolean interrupt_pending(void)
{
    return raised && g_atomic_int_get(&held) == 0 && !is_patient();
}

void interrupt_patience_begin(guint ms)
{
    g_mutex_lock(&patience_lock);
    patience.requests++;
    patience.ms = ms;
    g_mutex_unlock(&patience_lock);
}

void interrupt_patience_end(void)
{
    g_mutex_lock(&patience_lock);
    patience.requests--;
    g_mutex_unlock(&patience_lock);
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
