/* CPUID: the machine's, less what we keep, plus the hypervisor's leaves
 * (TLFS "Feature and Interface Discovery"). */
#include "hv/exits/exits.h"

#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

/* Leaf 1 ECX: MONITOR, VMX, SMX, PDCM, XSAVE, OSXSAVE, AVX, F16C and FMA are not for guests. */
enum {
    L1_ECX_HIDDEN = 1 << 3 | 1 << 5 | 1 << 6 | 1 << 15 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29 | 1 << 12,
    L1_EDX_HIDDEN = 1 << 7 | 1 << 12 | 1 << 14 | 1 << 22, /* MCE, MTRR, MCA, ACPI */
    L1_ECX_X2APIC = 1 << 21, L1_ECX_DEADLINE = 1 << 24,
    /* Leaf 7 EBX: FSGSBASE, SMEP, ERMS, INVPCID, SMAP, CLFLUSHOPT pass. */
    L7_EBX_SHOWN = 1 << 0 | 1 << 7 | 1 << 9 | 1 << 10 | 1 << 20 | 1 << 23,
    BUILD = 20348, VERSION_10_0 = 0x000A0000,
};

static struct cpuid_result leaf_1(struct vp *vp)
{
    struct cpuid_result r = arch_cpuid(1, 0);
    r.ecx &= ~(uint32_t)L1_ECX_HIDDEN;
    r.ecx |= HV_CPUID_PRESENT | L1_ECX_X2APIC | L1_ECX_DEADLINE;
    r.edx &= ~(uint32_t)L1_EDX_HIDDEN;
    r.ebx = (r.ebx & 0xFFFF) | vp->index << 24 | (uint32_t)vp->partition->vp_count << 16;
    return r;
}

/* One level of topology: every VP is a processor of its own in one package. */
static struct cpuid_result topology(struct vp *vp, uint32_t subleaf)
{
    enum { LEVEL_THREAD = 1 << 8, LEVEL_CORE = 2 << 8, BITS = 4 };
    struct cpuid_result r = { 0, 0, subleaf & 0xFF, vp->index };
    if (subleaf == 0)
        return (struct cpuid_result){ 0, 1, LEVEL_THREAD, vp->index };
    if (subleaf == 1)
        return (struct cpuid_result){ BITS, vp->partition->vp_count, LEVEL_CORE | 1, vp->index };
    return r;
}

static struct cpuid_result features(struct vp *vp)
{
    uint64_t privileges = vp->partition->privileges;
    return (struct cpuid_result){ (uint32_t)privileges, (uint32_t)(privileges >> 32), 0,
                                  HV_FEATURE_FREQUENCY_MSRS | HV_FEATURE_CRASH_MSRS | HV_FEATURE_STIMER_DIRECT };
}

static struct cpuid_result synthetic(struct vp *vp, uint32_t leaf)
{
    switch (leaf) {
    case HV_CPUID_VENDOR:
        return (struct cpuid_result){ HV_CPUID_MAX, HV_VENDOR_EBX, HV_VENDOR_ECX, HV_VENDOR_EDX };
    case HV_CPUID_INTERFACE: return (struct cpuid_result){ HV_INTERFACE_EAX, 0, 0, 0 };
    case HV_CPUID_VERSION: return (struct cpuid_result){ BUILD, VERSION_10_0, 0, 0 };
    case HV_CPUID_FEATURES: return features(vp);
    case HV_CPUID_RECOMMENDATIONS:
        return (struct cpuid_result){ HV_HINT_REMOTE_FLUSH | HV_HINT_APIC_MSRS | HV_HINT_RELAXED_TIMING
                                          | HV_HINT_NO_AUTO_EOI | HV_HINT_CLUSTER_IPI | HV_HINT_EX_PROCESSOR_MASKS,
                                      UINT32_MAX, hv.physical_bits, 0 };
    case HV_CPUID_LIMITS: return (struct cpuid_result){ HV_VPS_PER_PARTITION, hv.lp_count, 0, 0 };
    case HV_CPUID_HARDWARE: return (struct cpuid_result){ 0xA, 0, 0, 0 }; /* MSR bitmaps, second-level translation */
    default: return (struct cpuid_result){ 0, 0, 0, 0 };
    }
}

struct cpuid_result guest_cpuid(struct vp *vp, uint32_t leaf, uint32_t subleaf)
{
    if (leaf >= HV_CPUID_VENDOR && leaf <= HV_CPUID_VENDOR + 0xFF)
        return synthetic(vp, leaf);
    struct cpuid_result r = arch_cpuid(leaf, subleaf);
    switch (leaf) {
    case 1: return leaf_1(vp);
    case 5: case 0xA: case 0xD: case 0x14: return (struct cpuid_result){ 0, 0, 0, 0 };
    case 7:
        r = subleaf ? (struct cpuid_result){ 0, 0, 0, 0 } : (struct cpuid_result){ 0, r.ebx & L7_EBX_SHOWN, 0, 0 };
        if (!(vmx.secondary & VMX_SECONDARY_INVPCID))
            r.ebx &= ~(1u << 10);
        return r;
    case 0xB: case 0x1F: return topology(vp, subleaf);
    case 0x80000001:
        if (!(vmx.secondary & VMX_SECONDARY_RDTSCP))
            r.edx &= ~(1u << 27);
        return r;
    case 0x80000007:
        if (vp->partition->privileges & HV_PRIVILEGE_ACCESS_TSC_INVARIANT_CONTROLS && !vp->tsc_invariant)
            r.edx &= ~(1u << 8);
        return r;
    default: return r;
    }
}

void exit_cpuid(struct vp *vp)
{
    uint64_t *gpr = vp->context.gpr;
    uint32_t leaf = (uint32_t)gpr[GPR_RAX];
    struct cpuid_result r = guest_cpuid(vp, leaf, (uint32_t)gpr[GPR_RCX]);
    if (intercept_wants_cpuid(vp->partition, leaf)) {
        intercept_cpuid(vp, &r);
        return;
    }
    gpr[GPR_RAX] = r.eax;
    gpr[GPR_RBX] = r.ebx;
    gpr[GPR_RCX] = r.ecx;
    gpr[GPR_RDX] = r.edx;
    vp_skip_instruction(vp);
}
