// SPDX-License-Identifier: Apache-2.0
/*
 * doctor: looks at the host and says what would hinder VMs, and how to mend it. It changes nothing,
 * never stops at the first finding, and says so when it could not look (NOTE).
 */
#pragma once

#include "config.h"

typedef enum {
    DOCTOR_OK,
    DOCTOR_NOTE, /* good to know, or could not be looked at */
    DOCTOR_WARN, /* VMs run, and something will go wrong one day */
    DOCTOR_FAIL, /* VMs cannot run, or the host is open */
} DoctorLevel;

typedef struct {
    const char *id;    /* stable, for scripts: "engine.live-restore" */
    const char *title; /* for people: "live restore" */
    DoctorLevel level;
    gchar *what; /* one sentence */
    gchar *mend; /* one sentence: how; NULL when there is nothing to do */
} DoctorFinding;

/* DoctorFinding, in the order of the checks. */
GPtrArray *doctor_run(const Config *config);
/* The same by the built-in defaults, with TROUBLE (why there is no configuration) as a finding. */
GPtrArray *doctor_run_unconfigured(const GError *trouble);

DoctorLevel doctor_worst(const GPtrArray *findings);
/* "ok", "note", "warn", "fail". */
const char *doctor_level_name(DoctorLevel level);
