// SPDX-License-Identifier: Apache-2.0
#include "undo.h"

#include "interrupt.h"
#include "log.h"

typedef struct {
    const char *what;
    UndoFunc func;
    gpointer data;
    GDestroyNotify destroy;
} Step;

struct Undo {
    GArray *steps;
};

static void step_clear(gpointer data)
{
    const Step *step = data;
    if (step->destroy)
        step->destroy(step->data);
}

Undo *undo_new(void)
{
    Undo *undo = g_new0(Undo, 1);
    undo->steps = g_array_new(FALSE, FALSE, sizeof(Step));
    g_array_set_clear_func(undo->steps, step_clear);
    return undo;
}

void undo_push(Undo *undo, const char *what, UndoFunc func, gpointer data, GDestroyNotify destroy)
{
    Step step = {what, func, data, destroy};
    g_array_append_val(undo->steps, step);
}

void undo_commit(Undo *undo)
{
    g_array_set_size(undo->steps, 0);
}

void undo_free(Undo *undo)
{
    interrupt_hold();
    for (guint i = undo->steps->len; i-- > 0;) {
        const Step *step = &g_array_index(undo->steps, Step, i);
        g_autoptr(GError) error = NULL;
        if (!step->func(step->data, &error))
            log_warn("cannot take back %s: %s", step->what, error->message);
    }
    interrupt_allow();
    g_array_unref(undo->steps);
    g_free(undo);
}
