// SPDX-License-Identifier: Apache-2.0
/*
 * The containers of deploys that failed and could not be taken back, since the engine was not to be
 * reached: it may start such a container all the same. <state>/doomed/<container-id>, 0600, is the
 * only evidence that one is to go, whatever else is there of it or is not. Errors: IO, NO_SPACE,
 * SANDBOX for what is no container id.
 */
#pragma once

#include "config.h"
#include "engine.h"

#define DOOMED_FOLDER "doomed"

/* The mark says whose container it is. */
gboolean doomed_add(const Config *config, const char *container_id, const char *deploy_id,
                    GError **error);
/* The container has gone. Fine if it was not doomed. */
gboolean doomed_remove(const Config *config, const char *container_id, GError **error);
/* Takes the marks of the VM's containers away that have gone after all, and that of their start
 * (stray.h). */
gboolean doomed_forget(const Config *config, Engine *engine, const char *deploy_id, GError **error);
/* A container that is doomed is one whose removal broke off: its state becomes ENGINE_DEAD, so that
 * nobody takes it for a VM, and gc, purge and the next deploy remove it. */
void doomed_judge(const Config *config, EngineContainer *container);
/* All of CONTAINERS, EngineContainer*; where none was ever doomed for one look at the folder. */
void doomed_judge_all(const Config *config, const GPtrArray *containers);
