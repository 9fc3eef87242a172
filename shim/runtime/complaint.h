// SPDX-License-Identifier: Apache-2.0
/*
 * Failures as runc tells them: on stderr, and as a line of the log that the caller named, from
 * which containerd takes the sentence that the engine's user sees.
 */
#pragma once

#include "command.h"

void complain(const Command *command, const char *sentence);
