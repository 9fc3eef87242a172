// SPDX-License-Identifier: Apache-2.0
/* What security groups let pass. */
#include "spec.h"

VmRule *vm_rule_new(gboolean inbound)
{
    VmRule *rule = g_new0(VmRule, 1);
    rule->inbound = inbound;
    rule->ports = g_array_new(FALSE, TRUE, sizeof(VmPorts));
    rule->icmp_type = rule->icmp_code = -1;
    return rule;
}

void vm_rule_free(VmRule *rule)
{
    if (!rule)
        return;
    g_array_unref(rule->ports);
    g_free(rule);
}

VmRule *vm_rule_copy(const VmRule *rule)
{
    VmRule *copy = g_memdup2(rule, sizeof *rule);
    copy->ports = g_array_copy(rule->ports);
    return copy;
}

GPtrArray *vm_rules_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)vm_rule_free);
}

void vm_nic_set_rules(VmNic *nic, const GPtrArray *rules)
{
    GPtrArray *copies = rules ? vm_rules_new() : NULL;
    for (guint i = 0; rules && i < rules->len; i++)
        g_ptr_array_add(copies, vm_rule_copy(rules->pdata[i]));
    g_clear_pointer(&nic->rules, g_ptr_array_unref);
    nic->rules = copies;
}
