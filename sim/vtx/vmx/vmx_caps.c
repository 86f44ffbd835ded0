#include "sim/vtx/vmx/vmx_caps.h"

#include "sim/cpu/model/model.h"

/* What we offer.  A bit here is a promise: see the header. */
#define OFFER_PIN (VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS | VMX_PIN_PREEMPTION_TIMER)

#define OFFER_PRIMARY                                                                                 \
    (VMX_PRIMARY_INTERRUPT_WINDOW | VMX_PRIMARY_TSC_OFFSETTING | VMX_PRIMARY_HLT | VMX_PRIMARY_INVLPG | \
     VMX_PRIMARY_MWAIT | VMX_PRIMARY_RDPMC | VMX_PRIMARY_RDTSC | VMX_PRIMARY_CR3_LOAD |                 \
     VMX_PRIMARY_CR3_STORE | VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_TPR_SHADOW |    \
     VMX_PRIMARY_NMI_WINDOW | VMX_PRIMARY_MOV_DR | VMX_PRIMARY_UNCONDITIONAL_IO |                       \
     VMX_PRIMARY_IO_BITMAPS | VMX_PRIMARY_MONITOR_TRAP_FLAG | VMX_PRIMARY_MSR_BITMAPS |                 \
     VMX_PRIMARY_MONITOR | VMX_PRIMARY_PAUSE | VMX_PRIMARY_SECONDARY)

#define OFFER_SECONDARY                                                                               \
    (VMX_SECONDARY_EPT | VMX_SECONDARY_DESCRIPTOR_TABLE | VMX_SECONDARY_RDTSCP |                        \
     VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_VPID | VMX_SECONDARY_WBINVD |                            \
     VMX_SECONDARY_UNRESTRICTED_GUEST | VMX_SECONDARY_APIC_REGISTERS |                                  \
     VMX_SECONDARY_VIRTUAL_INTERRUPTS | VMX_SECONDARY_PAUSE_LOOP | VMX_SECONDARY_INVPCID)

#define OFFER_EXIT                                                                                    \
    (VMX_EXIT_SAVE_DEBUG | VMX_EXIT_HOST_64 | VMX_EXIT_ACK_INTERRUPT | VMX_EXIT_SAVE_PAT |              \
     VMX_EXIT_LOAD_PAT | VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER | VMX_EXIT_SAVE_PREEMPTION_TIMER)

#define OFFER_ENTRY (VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_GUEST_64 | VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER)

/* default1 controls that the TRUE MSRs allow to be 0. */
#define FREE_PRIMARY ((uint32_t)(VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE))
#define FREE_EXIT ((uint32_t)VMX_EXIT_SAVE_DEBUG)
#define FREE_ENTRY ((uint32_t)VMX_ENTRY_LOAD_DEBUG)

enum { CR3_TARGETS = 4, MSR_LIST_MAX = 512 };

#define CR0_FIXED0 0x80000021ull /* PE, NE, PG */
#define CR0_FIXED1 0xffffffffull
#define CR4_FIXED0 0x2000ull     /* VMXE */

static struct vmx_allowed
allowed(uint32_t default1, uint32_t free, uint32_t offer)
{
    return (struct vmx_allowed){ .must = default1 & ~free, .may = default1 | offer };
}

/* CR4 bit by CPUID bit (SDM Vol 2A "CPUID"; Vol 3A "Control Registers"). */
static const struct { uint32_t leaf; uint8_t reg, bit, cr4; } cr4_features[] = {
    { 1, 3, 1, 0 }, { 1, 3, 1, 1 },  /* VME: VME, PVI */
    { 1, 3, 4, 2 },                  /* TSC: TSD */
    { 1, 3, 2, 3 },                  /* DE */
    { 1, 3, 3, 4 },                  /* PSE */
    { 1, 3, 6, 5 },                  /* PAE */
    { 1, 3, 7, 6 },                  /* MCE */
    { 1, 3, 13, 7 },                 /* PGE */
    { 1, 3, 24, 9 }, { 1, 3, 25, 10 }, /* FXSR: OSFXSR; SSE: OSXMMEXCPT */
    { 7, 2, 2, 11 },                 /* UMIP */
    { 1, 2, 5, 13 },                 /* VMX: VMXE */
    { 1, 2, 6, 14 },                 /* SMX: SMXE */
    { 7, 1, 0, 16 },                 /* FSGSBASE */
    { 1, 2, 17, 17 },                /* PCID: PCIDE */
    { 1, 2, 26, 18 },                /* XSAVE: OSXSAVE */
    { 7, 1, 7, 20 }, { 7, 1, 20, 21 }, /* SMEP, SMAP */
    { 7, 2, 3, 22 },                 /* PKU: PKE */
};

static uint64_t
cr4_fixed1(const struct cpu *cpu)
{
    uint64_t bits = 1ull << 8; /* PCE: every processor with VMX */
    for (size_t i = 0; i < sizeof cr4_features / sizeof cr4_features[0]; i++) {
        uint32_t out[4];
        cpu_cpuid(cpu, cr4_features[i].leaf, 0, out);
        if (out[cr4_features[i].reg] >> cr4_features[i].bit & 1) {
            bits |= 1ull << cr4_features[i].cr4;
        }
    }
    return bits;
}

static bool
bit_of(uint32_t word, unsigned bit)
{
    return word >> bit & 1;
}

static bool
field_exists(const struct vmx_caps *c, const struct vmcs_field_info *f)
{
    switch ((enum vmcs_exists)f->exists) {
    case EXISTS_ALWAYS: return true;
    case EXISTS_PIN: return bit_of(c->pin.may, f->bit);
    case EXISTS_PRI: return bit_of(c->primary.may, f->bit);
    case EXISTS_SEC: return bit_of(c->secondary.may, f->bit);
    case EXISTS_EXIT: return bit_of(c->exit.may, f->bit);
    case EXISTS_ENTRY: return bit_of(c->entry.may, f->bit);
    case EXISTS_ENTRY_OR_EXIT: return bit_of(c->entry.may, f->bit) || bit_of(c->exit.may, f->bit2);
    case EXISTS_CR3_TARGET: return f->bit < c->cr3_targets;
    case EXISTS_TER: /* tertiary controls, secondary exit controls and VM functions are not offered */
    case EXISTS_EXIT2:
    case EXISTS_VMFUNC:
    case EXISTS_NEVER: return false;
    }
    return false;
}

static void
find_fields(struct vmx_caps *c)
{
    c->highest_index = 0;
    for (unsigned slot = 0; slot < VMCS_SLOT_COUNT; slot++) {
        const struct vmcs_field_info *f = vmcs_field_info((enum vmcs_slot)slot);
        c->exists[slot] = field_exists(c, f);
        uint16_t index = f->encoding >> 1 & 0x1ff;
        if (c->exists[slot] && index > c->highest_index) {
            c->highest_index = index;
        }
    }
}

void
vmx_caps_init(struct vmx_caps *c, const struct cpu *cpu)
{
    *c = (struct vmx_caps){
        .pin = allowed(VMX_DEFAULT1_PIN, 0, OFFER_PIN),
        .primary = allowed(VMX_DEFAULT1_PRIMARY, FREE_PRIMARY, (uint32_t)OFFER_PRIMARY),
        .secondary = { 0, OFFER_SECONDARY },
        .exit = allowed(VMX_DEFAULT1_EXIT, FREE_EXIT, OFFER_EXIT),
        .entry = allowed(VMX_DEFAULT1_ENTRY, FREE_ENTRY, OFFER_ENTRY),
        .cr0_fixed0 = CR0_FIXED0,
        .cr0_fixed1 = CR0_FIXED1,
        .cr4_fixed0 = CR4_FIXED0,
        .cr4_fixed1 = cr4_fixed1(cpu) | CR4_FIXED0,
        .efer_bits = 0xd01, /* SCE, LME, LMA, NXE */
        .debugctl_bits = 0x1803, /* as WRMSR has it: LBR, BTF, freezing on PMI */
        .physical_width = cpu_physical_bits(cpu),
        .linear_width = cpu_linear_bits(cpu),
        .cr3_targets = CR3_TARGETS,
        .msr_list_max = MSR_LIST_MAX,
    };
    /* Timer rate; bit 5: exits store EFER.LMA into "IA-32e mode guest"; activity
     * states HLT, shutdown, wait-for-SIPI; CR3 targets.  M = 0: 512 MSRs a list. */
    c->misc = VMX_TIMER_SHIFT | 1u << 5 | 7u << 6 | (uint64_t)CR3_TARGETS << 16;
    c->ept_vpid = EPT_CAP_EXECUTE_ONLY | EPT_CAP_4_LEVELS | EPT_CAP_UC | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_1G |
                  EPT_CAP_INVEPT | EPT_CAP_AD | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL | VPID_CAP_INVVPID |
                  VPID_CAP_ADDRESS | VPID_CAP_SINGLE | VPID_CAP_ALL | VPID_CAP_SINGLE_GLOBAL;
    find_fields(c);
}

static uint64_t
pair(struct vmx_allowed a, uint32_t default1)
{
    return (uint64_t)a.may << 32 | (a.must | default1);
}

/* SDM Vol 3D "Basic VMX Information": revision, region size, write-back VMCS
 * accesses, INS/OUTS information reported, TRUE MSRs exist. */
static uint64_t
basic(void)
{
    return VMCS_REVISION | (uint64_t)VMCS_REGION_SIZE << 32 | (uint64_t)MEMORY_TYPE_WB << 50 | 1ull << 54 | 1ull << 55;
}

bool
vmx_caps_rdmsr(const struct vmx_caps *c, uint32_t index, uint64_t *value)
{
    switch (index) {
    case MSR_VMX_BASIC: *value = basic(); return true;
    case MSR_VMX_PINBASED_CTLS: *value = pair(c->pin, VMX_DEFAULT1_PIN); return true;
    case MSR_VMX_PROCBASED_CTLS: *value = pair(c->primary, VMX_DEFAULT1_PRIMARY); return true;
    case MSR_VMX_EXIT_CTLS: *value = pair(c->exit, VMX_DEFAULT1_EXIT); return true;
    case MSR_VMX_ENTRY_CTLS: *value = pair(c->entry, VMX_DEFAULT1_ENTRY); return true;
    case MSR_VMX_MISC: *value = c->misc; return true;
    case MSR_VMX_CR0_FIXED0: *value = c->cr0_fixed0; return true;
    case MSR_VMX_CR0_FIXED1: *value = c->cr0_fixed1; return true;
    case MSR_VMX_CR4_FIXED0: *value = c->cr4_fixed0; return true;
    case MSR_VMX_CR4_FIXED1: *value = c->cr4_fixed1; return true;
    case MSR_VMX_VMCS_ENUM: *value = (uint64_t)c->highest_index << 1; return true;
    case MSR_VMX_PROCBASED_CTLS2: *value = pair(c->secondary, 0); return true;
    case MSR_VMX_EPT_VPID_CAP: *value = c->ept_vpid; return true;
    case MSR_VMX_TRUE_PINBASED_CTLS: *value = pair(c->pin, 0); return true;
    case MSR_VMX_TRUE_PROCBASED_CTLS: *value = pair(c->primary, 0); return true;
    case MSR_VMX_TRUE_EXIT_CTLS: *value = pair(c->exit, 0); return true;
    case MSR_VMX_TRUE_ENTRY_CTLS: *value = pair(c->entry, 0); return true;
    default: return false; /* VMFUNC needs "enable VM functions" */
    }
}
