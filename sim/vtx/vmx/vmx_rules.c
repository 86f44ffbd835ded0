#include "sim/vtx/vmx/vmx_rules.h"

#define SEGMENT_ROW(seg, suffix, kind, number, title, text)                                             \
    [VMX_RULE_GUEST_##seg##_##suffix] = { "GUEST_" #seg "_" #suffix, VMX_FAIL_##kind, number, title,      \
        #seg ": " text, { SLOT_GUEST_##seg##_SELECTOR, SLOT_GUEST_##seg##_LIMIT, SLOT_GUEST_##seg##_RIGHTS } },

static const struct vmx_rule_info rules[VMX_RULE_COUNT] = {
#define RULE(id, kind, number, title, text, f1, f2, f3) \
    [VMX_RULE_##id] = { #id, VMX_FAIL_##kind, number, title, text, { SLOT_##f1, SLOT_##f2, SLOT_##f3 } },
#define RULE6(suffix, kind, number, title, text)               \
    SEGMENT_ROW(ES, suffix, kind, number, title, text)         \
    SEGMENT_ROW(CS, suffix, kind, number, title, text)         \
    SEGMENT_ROW(SS, suffix, kind, number, title, text)         \
    SEGMENT_ROW(DS, suffix, kind, number, title, text)         \
    SEGMENT_ROW(FS, suffix, kind, number, title, text)         \
    SEGMENT_ROW(GS, suffix, kind, number, title, text)
#include "spec/vmx/entry_rules.def"
#undef RULE
#undef RULE6
};

const struct vmx_rule_info *
vmx_rule_info(enum vmx_rule rule)
{
    return rule > VMX_RULE_NONE && rule < VMX_RULE_COUNT ? &rules[rule] : NULL;
}
