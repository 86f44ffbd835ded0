/* The table of requirements, in the order in which they are reported. */
#include "hv/boot/require.h"

#include "spec/hv/cpuid.h"

enum { ECX_VMX = 1 << 5, ECX_X2APIC = 1 << 21, ECX_DEADLINE = 1 << 24, EDX_FXSR = 1 << 24, EXT_LM = 1 << 29, EXT_NX = 1 << 20 };

enum word { LEAF1_ECX, LEAF1_EDX, EXT1_EDX };
static const struct { enum word word; uint32_t bit; const char *text; } table[] = {
    { EXT1_EDX, EXT_LM, "64-bit mode" },
    { EXT1_EDX, EXT_NX, "execute-disable pages (NX)" },
    { LEAF1_EDX, EDX_FXSR, "FXSAVE" },
    { LEAF1_ECX, ECX_VMX, "VT-x (VMX in CPUID.1:ECX; AMD-V is not supported yet)" },
    { LEAF1_ECX, ECX_X2APIC, "the x2APIC" },
    { LEAF1_ECX, ECX_DEADLINE, "the TSC-deadline timer" },
};

void require_read(struct require_facts *f)
{
    f->max_leaf = arch_cpuid(0, 0).eax;
    struct cpuid_result leaf1 = arch_cpuid(1, 0);
    f->leaf1_ecx = leaf1.ecx;
    f->leaf1_edx = leaf1.edx;
    f->ext1_edx = arch_cpuid(0x80000001, 0).edx;
    f->feature_control = leaf1.ecx & ECX_VMX ? arch_rdmsr(MSR_FEATURE_CONTROL) : 0;
}

const char *require_missing(const struct require_facts *f)
{
    const uint32_t words[] = { f->leaf1_ecx, f->leaf1_edx, f->ext1_edx };
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!(words[table[i].word] & table[i].bit))
            return table[i].text;
    if (f->feature_control & FEATURE_CONTROL_LOCK && !(f->feature_control & FEATURE_CONTROL_VMX))
        return "VT-x: it is switched off and locked by the firmware (IA32_FEATURE_CONTROL)";
    return NULL;
}
