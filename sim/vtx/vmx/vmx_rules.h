/* The rules of VM entry as data: spec/vmx/entry_rules.def with its enumerators.
 *
 * Every refused VM entry has exactly one rule id.  It is kept per processor,
 * written to the trace, and explained by sim/debug/explain_vmx.h.
 */
#ifndef SIM_VTX_VMX_VMX_RULES_H
#define SIM_VTX_VMX_VMX_RULES_H

#include "sim/vtx/vmx/vmcs.h"

enum vmx_rule {
    VMX_RULE_NONE,
#define RULE(id, kind, number, title, text, f1, f2, f3) VMX_RULE_##id,
#define RULE6(suffix, kind, number, title, text)                                                    \
    VMX_RULE_GUEST_ES_##suffix, VMX_RULE_GUEST_CS_##suffix, VMX_RULE_GUEST_SS_##suffix,              \
    VMX_RULE_GUEST_DS_##suffix, VMX_RULE_GUEST_FS_##suffix, VMX_RULE_GUEST_GS_##suffix,
#include "spec/vmx/entry_rules.def"
#undef RULE
#undef RULE6
    VMX_RULE_COUNT,
};

/* How VM entry ends when a rule is broken. */
enum vmx_rule_kind { VMX_FAIL_INVALID, VMX_FAIL_VALID, VMX_FAIL_GUEST, VMX_FAIL_MSR };

enum { VMX_RULE_FIELDS = 3 };

struct vmx_rule_info {
    const char *id;
    enum vmx_rule_kind kind;
    unsigned number;   /* VALID: error; GUEST: exit qualification; else 0 */
    const char *title; /* SDM Vol 3C section */
    const char *text;  /* the requirement */
    uint8_t field[VMX_RULE_FIELDS]; /* [enum vmcs_slot] involved, SLOT_NONE after the last */
};

/* NULL for VMX_RULE_NONE and beyond the last rule. */
const struct vmx_rule_info *vmx_rule_info(enum vmx_rule);

#endif
