// SPDX-License-Identifier: Apache-2.0
#include "doctor.h"

#include "doctor_facts.h"

static void finding_free(gpointer data)
{
    DoctorFinding *finding = data;
    g_free(finding->what);
    g_free(finding->mend);
    g_free(finding);
}

void doctor_say(GPtrArray *findings, DoctorLevel level, const char *id, const char *title,
                const char *mend, const char *what, ...)
{
    DoctorFinding *finding = g_new0(DoctorFinding, 1);
    finding->id = id;
    finding->title = title;
    finding->level = level;
    finding->mend = g_strdup(mend);
    va_list args;
    va_start(args, what);
    finding->what = g_strdup_vprintf(what, args);
    va_end(args);
    g_ptr_array_add(findings, finding);
}

GPtrArray *doctor_judge(const DoctorFacts *facts)
{
    GPtrArray *findings = g_ptr_array_new_with_free_func(finding_free);
    doctor_judge_config(facts, findings);
    doctor_judge_engine(facts, findings);
    doctor_judge_kernel(facts, findings);
    doctor_judge_network(facts, findings);
    doctor_judge_cloud(facts, findings);
    doctor_judge_state(facts, findings);
    return findings;
}

GPtrArray *doctor_run(const Config *config)
{
    g_autoptr(DoctorFacts) facts = doctor_facts_read(config, NULL);
    return doctor_judge(facts);
}

GPtrArray *doctor_run_unconfigured(const GError *trouble)
{
    g_autoptr(Config) config = config_defaults();
    g_autoptr(DoctorFacts) facts = doctor_facts_read(config, trouble);
    return doctor_judge(facts);
}

DoctorLevel doctor_worst(const GPtrArray *findings)
{
    DoctorLevel worst = DOCTOR_OK;
    for (guint i = 0; i < findings->len; i++)
        worst = MAX(worst, ((const DoctorFinding *)g_ptr_array_index(findings, i))->level);
    return worst;
}

const char *doctor_level_name(DoctorLevel level)
{
    static const char *const names[] = {"ok", "note", "warn", "fail"};
    return names[level];
}
