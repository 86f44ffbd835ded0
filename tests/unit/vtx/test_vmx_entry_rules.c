/* Every rule of spec/vmx/entry_rules.def has exactly one row here: a VMCS that can be entered,
 * changed in a few fields so that this rule is the first one broken. */
#include "vtx_bench.h"

#include <string.h>

/* Starting points, all valid. */
enum base {
    BASE_64,       /* bench_valid_vmcs */
    BASE_32,       /* 32-bit protected mode, no PAE */
    BASE_V86,
    BASE_REAL,     /* unrestricted guest with CR0.PE = 0 */
    BASE_HOST32,   /* processor outside IA-32e mode, 32-bit host and guest */
    BASE_PAE,      /* 32-bit guest with PAE paging and EPT */
    BASE_UG,       /* 64-bit unrestricted guest */
};

struct set { uint8_t slot; uint64_t value; };
struct row {
    enum vmx_rule rule;
    enum base base;
    struct set set[6];
    void (*prepare)(void);
};

/* --- starting points ------------------------------------------------------------------ */

static struct vmcs *
vmcs(void)
{
    return bench.cpu.vmx->current;
}

static void
make_32bit_guest(struct vmcs *v)
{
    v->entry_controls &= ~(uint64_t)VMX_ENTRY_GUEST_64;
    v->guest_cr4 = CR4_VMXE;
    v->guest_cs_rights = 0xc09b;
}

static void
make_v86_guest(struct vmcs *v)
{
    make_32bit_guest(v);
    v->guest_rflags |= RFLAGS_VM;
    for (unsigned seg = 0; seg < LDTR; seg++) {
        v->slot[SLOT_GUEST_ES_SELECTOR + seg] = 0x1000 + seg;
        v->slot[SLOT_GUEST_ES_BASE + seg] = (0x1000 + seg) << 4;
        v->slot[SLOT_GUEST_ES_LIMIT + seg] = 0xffff;
        v->slot[SLOT_GUEST_ES_RIGHTS + seg] = 0xf3;
    }
}

static void
make_unrestricted(struct vmcs *v)
{
    v->secondary_controls |= VMX_SECONDARY_UNRESTRICTED_GUEST;
}

static void
make_host_32bit(struct vmcs *v)
{
    bench.cpu.efer = 0;
    v->exit_controls &= ~(uint64_t)VMX_EXIT_HOST_64;
    v->host_rip = 0x1000;
    v->host_ss_selector = 0x10;
    make_32bit_guest(v);
}

static void
make_base(enum base base)
{
    struct vmcs *v = vmcs();
    switch (base) {
    case BASE_64: break;
    case BASE_32: make_32bit_guest(v); break;
    case BASE_V86: make_v86_guest(v); break;
    case BASE_REAL:
        make_32bit_guest(v);
        make_unrestricted(v);
        v->guest_cr0 = 0x30;
        break;
    case BASE_HOST32: make_host_32bit(v); break;
    case BASE_PAE:
        make_32bit_guest(v);
        v->guest_cr4 |= CR4_PAE;
        break;
    case BASE_UG: make_unrestricted(v); break;
    }
}

/* --- things beside fields -------------------------------------------------------------- */

static void no_vmcs(void) { bench_memory(OP_VMCLEAR, BENCH_VMCS, 0); }
static void mov_ss(void) { bench.cpu.shadow_movss = true; }
static void launched(void) { vmcs()->launch_state = VMCS_LAUNCHED; }
static void no_lma(void) { bench.cpu.efer = 0; }
static void low_vtpr(void) { *mem_ram_write(bench.machine.mem, BENCH_VAPIC + 0x80) = 0x20; }

static void
launched_before_vmxoff(void)
{
    vmcs()->launch_state = VMCS_LAUNCHED;
    vmcs()->launch_epoch = bench.cpu.vmx->epoch - 1;
}

static void
linked_shadow(void)
{
    uint32_t revision = VMCS_REVISION | 0x80000000u;
    mem_write(bench.machine.mem, BENCH_VMCS2, &revision, sizeof revision);
}

static void
msr_entry(uint32_t index, uint32_t reserved)
{
    struct { uint32_t index, reserved; uint64_t value; } e = { index, reserved, 0 };
    mem_write(bench.machine.mem, BENCH_MSR_AREA, &e, sizeof e);
}
static void msr_reserved(void) { msr_entry(0x174, 1); }
static void msr_fs_base(void) { msr_entry(0xc0000100, 0); }
static void msr_x2apic(void) { msr_entry(0x808, 0); }
static void msr_smm(void) { msr_entry(0x9b, 0); }
static void msr_microcode(void) { msr_entry(0x79, 0); }
static void msr_unknown(void) { msr_entry(0x12345, 0); }

/* 513 good entries: one more than IA32_VMX_MISC[27:25] recommends.  Only eight writes are kept. */
static void
msr_too_many(void)
{
    struct { uint32_t index, reserved; uint64_t value; } e = { 0x174, 0, 0 };
    for (unsigned i = 0; i < 513; i++) {
        mem_write(bench.machine.mem, BENCH_MSR_AREA + i * sizeof e, &e, sizeof e);
    }
    bench.cpu.vmx->caps.msr_list_max = 5; /* the fake keeps no more */
    vmcs()->entry_msr_load_count = 6;
}

/* --- the rows ------------------------------------------------------------------------------ */

#define S(name) SLOT_##name
#define WIDE (1ull << 46)
#define NONCANON 0x0000800000000000ull
#define PIN 0x16u
#define PRI (0x04006172u | 0x80000000u | VMX_PRIMARY_MSR_BITMAPS)
#define SEC (VMX_SECONDARY_EPT | VMX_SECONDARY_VPID)
#define EXIT_64 (0x36dfbu | VMX_EXIT_HOST_64)
#define ENTRY_64 (0x11fbu | VMX_ENTRY_GUEST_64)
#define EVENT(type, vector) (VMX_EVENT_VALID | (type) << VMX_EVENT_TYPE_SHIFT | (vector))


static const struct row rows[] = {
    { VMX_RULE_ENTRY_PRE_NO_VMCS, BASE_64, {{ 0 }}, no_vmcs },
    { VMX_RULE_ENTRY_PRE_MOVSS, BASE_64, {{ 0 }}, mov_ss },
    { VMX_RULE_ENTRY_PRE_NOT_CLEAR, BASE_64, {{ 0 }}, launched },
    { VMX_RULE_ENTRY_PRE_NOT_LAUNCHED, BASE_64, {{ 0 }}, NULL },
    { VMX_RULE_ENTRY_PRE_AFTER_VMXOFF, BASE_64, {{ 0 }}, launched_before_vmxoff },

    { VMX_RULE_ENTRY_CTL_PIN_MUST1, BASE_64, {{ S(PIN_CONTROLS), 0x14 }}, NULL },
    { VMX_RULE_ENTRY_CTL_PIN_MUST0, BASE_64, {{ S(PIN_CONTROLS), PIN | VMX_PIN_POSTED_INTERRUPTS }}, NULL },
    { VMX_RULE_ENTRY_CTL_PRI_MUST1, BASE_64, {{ S(PRIMARY_CONTROLS), PRI & ~2u }}, NULL },
    { VMX_RULE_ENTRY_CTL_PRI_MUST0, BASE_64, {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_TERTIARY }}, NULL },
    { VMX_RULE_ENTRY_CTL_SEC_MUST0, BASE_64, {{ S(SECONDARY_CONTROLS), SEC | VMX_SECONDARY_APIC_ACCESSES }}, NULL },
    { VMX_RULE_ENTRY_CTL_CR3TGT_COUNT, BASE_64, {{ S(CR3_TARGET_COUNT), 5 }}, NULL },
    { VMX_RULE_ENTRY_CTL_IOBMP_A_ALIGN, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_IO_BITMAPS }, { S(IO_BITMAP_A), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_IOBMP_A_WIDTH, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_IO_BITMAPS }, { S(IO_BITMAP_A), WIDE }}, NULL },
    { VMX_RULE_ENTRY_CTL_IOBMP_B_ALIGN, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_IO_BITMAPS }, { S(IO_BITMAP_B), 0x800 }}, NULL },
    { VMX_RULE_ENTRY_CTL_IOBMP_B_WIDTH, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_IO_BITMAPS }, { S(IO_BITMAP_B), WIDE }}, NULL },
    { VMX_RULE_ENTRY_CTL_MSRBMP_ALIGN, BASE_64, {{ S(MSR_BITMAP), 0x10 }}, NULL },
    { VMX_RULE_ENTRY_CTL_MSRBMP_WIDTH, BASE_64, {{ S(MSR_BITMAP), WIDE }}, NULL },
    { VMX_RULE_ENTRY_CTL_VAPIC_ALIGN, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_TPR_SHADOW }, { S(VIRTUAL_APIC_ADDRESS), 0x10 }}, NULL },
    { VMX_RULE_ENTRY_CTL_VAPIC_WIDTH, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_TPR_SHADOW }, { S(VIRTUAL_APIC_ADDRESS), WIDE }}, NULL },
    { VMX_RULE_ENTRY_CTL_TPRTHR_RSVD, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_TPR_SHADOW }, { S(TPR_THRESHOLD), 0x10 }}, NULL },
    { VMX_RULE_ENTRY_CTL_TPRTHR_VTPR, BASE_64,
      {{ S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_TPR_SHADOW }, { S(TPR_THRESHOLD), 3 }}, low_vtpr },
    { VMX_RULE_ENTRY_CTL_VNMI_NEEDS_NMI, BASE_64, {{ S(PIN_CONTROLS), PIN | VMX_PIN_VIRTUAL_NMIS }}, NULL },
    { VMX_RULE_ENTRY_CTL_NMIWIN_NEEDS_VNMI, BASE_64,
      {{ S(PIN_CONTROLS), PIN | VMX_PIN_NMI }, { S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_NMI_WINDOW }}, NULL },
    { VMX_RULE_ENTRY_CTL_X2APIC_NEEDS_TPR, BASE_64, {{ S(SECONDARY_CONTROLS), SEC | VMX_SECONDARY_X2APIC_MODE }}, NULL },
    { VMX_RULE_ENTRY_CTL_APICREG_NEEDS_TPR, BASE_64, {{ S(SECONDARY_CONTROLS), SEC | VMX_SECONDARY_APIC_REGISTERS }}, NULL },
    { VMX_RULE_ENTRY_CTL_VID_NEEDS_TPR, BASE_64,
      {{ S(SECONDARY_CONTROLS), SEC | VMX_SECONDARY_VIRTUAL_INTERRUPTS }, { S(PIN_CONTROLS), PIN | 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_VID_NEEDS_EXTINT, BASE_64,
      {{ S(SECONDARY_CONTROLS), SEC | VMX_SECONDARY_VIRTUAL_INTERRUPTS },
       { S(PRIMARY_CONTROLS), PRI | VMX_PRIMARY_TPR_SHADOW }}, NULL },
    { VMX_RULE_ENTRY_CTL_VPID_ZERO, BASE_64, {{ S(VPID), 0 }}, NULL },
    { VMX_RULE_ENTRY_CTL_EPTP_MEMTYPE, BASE_64, {{ S(EPT_POINTER), BENCH_EPT | 0x1d }}, NULL },
    { VMX_RULE_ENTRY_CTL_EPTP_WALK, BASE_64, {{ S(EPT_POINTER), BENCH_EPT | 0x26 }}, NULL },
    { VMX_RULE_ENTRY_CTL_EPTP_SSS, BASE_64, {{ S(EPT_POINTER), BENCH_EPT | 0x9e }}, NULL },
    { VMX_RULE_ENTRY_CTL_EPTP_RSVD, BASE_64, {{ S(EPT_POINTER), BENCH_EPT | 0x11e }}, NULL },
    { VMX_RULE_ENTRY_CTL_UG_NEEDS_EPT, BASE_64,
      {{ S(SECONDARY_CONTROLS), VMX_SECONDARY_UNRESTRICTED_GUEST }}, NULL },

    { VMX_RULE_ENTRY_CTL_EXIT_MUST1, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 & ~1u }}, NULL },
    { VMX_RULE_ENTRY_CTL_EXIT_MUST0, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 | VMX_EXIT_LOAD_PERF_GLOBAL }}, NULL },
    { VMX_RULE_ENTRY_CTL_SAVETIMER_NEEDS_TIMER, BASE_64,
      {{ S(EXIT_CONTROLS), EXIT_64 | VMX_EXIT_SAVE_PREEMPTION_TIMER }}, NULL },
    { VMX_RULE_ENTRY_CTL_XSTORE_ALIGN, BASE_64, {{ S(EXIT_MSR_STORE_ADDRESS), 8 }, { S(EXIT_MSR_STORE_COUNT), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_XSTORE_WIDTH, BASE_64, {{ S(EXIT_MSR_STORE_ADDRESS), WIDE }, { S(EXIT_MSR_STORE_COUNT), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_XSTORE_LAST, BASE_64,
      {{ S(EXIT_MSR_STORE_ADDRESS), WIDE - 16 }, { S(EXIT_MSR_STORE_COUNT), 2 }}, NULL },
    { VMX_RULE_ENTRY_CTL_XLOAD_ALIGN, BASE_64, {{ S(EXIT_MSR_LOAD_ADDRESS), 8 }, { S(EXIT_MSR_LOAD_COUNT), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_XLOAD_WIDTH, BASE_64, {{ S(EXIT_MSR_LOAD_ADDRESS), WIDE }, { S(EXIT_MSR_LOAD_COUNT), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_XLOAD_LAST, BASE_64,
      {{ S(EXIT_MSR_LOAD_ADDRESS), WIDE - 16 }, { S(EXIT_MSR_LOAD_COUNT), 2 }}, NULL },

    { VMX_RULE_ENTRY_CTL_ENTRY_MUST1, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 & ~1u }}, NULL },
    { VMX_RULE_ENTRY_CTL_ENTRY_MUST0, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_SMM }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_TYPE, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(1u, 0x20) }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_NMI_VECTOR, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(2u, 3) }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_HWEXC_VECTOR, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 32) }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_OTHER_VECTOR, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(7u, 1) }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_EC_NOT_HWEXC, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(2u, 2) | VMX_EVENT_ERROR }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_EC_REALMODE, BASE_REAL,
      {{ S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 13) | VMX_EVENT_ERROR }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_EC_MISSING, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 13) }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_EC_EXTRA, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 6) | VMX_EVENT_ERROR }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_RSVD, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 6) | 1u << 12 }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_EC_VALUE, BASE_64,
      {{ S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 13) | VMX_EVENT_ERROR }, { S(ENTRY_EXCEPTION_ERROR), 0x10000 }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_ILEN, BASE_64,
      {{ S(ENTRY_INTERRUPTION_INFO), EVENT(4u, 0x80) }, { S(ENTRY_INSTRUCTION_LENGTH), 16 }}, NULL },
    { VMX_RULE_ENTRY_CTL_EVT_ILEN_ZERO, BASE_64,
      {{ S(ENTRY_INTERRUPTION_INFO), EVENT(6u, 3) }, { S(ENTRY_INSTRUCTION_LENGTH), 0 }}, NULL },
    { VMX_RULE_ENTRY_CTL_NLOAD_ALIGN, BASE_64, {{ S(ENTRY_MSR_LOAD_ADDRESS), 8 }, { S(ENTRY_MSR_LOAD_COUNT), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_NLOAD_WIDTH, BASE_64, {{ S(ENTRY_MSR_LOAD_ADDRESS), WIDE }, { S(ENTRY_MSR_LOAD_COUNT), 1 }}, NULL },
    { VMX_RULE_ENTRY_CTL_NLOAD_LAST, BASE_64,
      {{ S(ENTRY_MSR_LOAD_ADDRESS), WIDE - 16 }, { S(ENTRY_MSR_LOAD_COUNT), 2 }}, NULL },

    { VMX_RULE_HOST_SIZE_LMA1, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 & ~(unsigned)VMX_EXIT_HOST_64 }}, NULL },
    { VMX_RULE_HOST_SIZE_LMA0_HOST, BASE_64, {{ 0 }}, no_lma },
    { VMX_RULE_HOST_SIZE_GUEST64_HOST32, BASE_HOST32, {{ S(ENTRY_CONTROLS), ENTRY_64 }}, NULL },
    { VMX_RULE_HOST_CR0_FIXED0, BASE_64, {{ S(HOST_CR0), 0x80010011 }}, NULL },
    { VMX_RULE_HOST_CR0_FIXED1, BASE_64, {{ S(HOST_CR0), 0x180010031 }}, NULL },
    { VMX_RULE_HOST_CR4_FIXED0, BASE_64, {{ S(HOST_CR4), CR4_PAE }}, NULL },
    { VMX_RULE_HOST_CR4_FIXED1, BASE_64, {{ S(HOST_CR4), CR4_PAE | CR4_VMXE | 1u << 12 }}, NULL },
    { VMX_RULE_HOST_CR3_WIDTH, BASE_64, {{ S(HOST_CR3), WIDE }}, NULL },
    { VMX_RULE_HOST_SYSENTER_ESP_CANON, BASE_64, {{ S(HOST_SYSENTER_ESP), NONCANON }}, NULL },
    { VMX_RULE_HOST_SYSENTER_EIP_CANON, BASE_64, {{ S(HOST_SYSENTER_EIP), NONCANON }}, NULL },
    { VMX_RULE_HOST_PAT_TYPE, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 | VMX_EXIT_LOAD_PAT }, { S(HOST_PAT), 0x0200 }}, NULL },
    { VMX_RULE_HOST_EFER_RSVD, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 | VMX_EXIT_LOAD_EFER }, { S(HOST_EFER), 0x502 }}, NULL },
    { VMX_RULE_HOST_EFER_LMA, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 | VMX_EXIT_LOAD_EFER }, { S(HOST_EFER), EFER_LME }}, NULL },
    { VMX_RULE_HOST_EFER_LME, BASE_64, {{ S(EXIT_CONTROLS), EXIT_64 | VMX_EXIT_LOAD_EFER }, { S(HOST_EFER), EFER_LMA }}, NULL },
    { VMX_RULE_HOST_CR4_PAE, BASE_64, {{ S(HOST_CR4), CR4_VMXE }}, NULL },
    { VMX_RULE_HOST_RIP_CANON, BASE_64, {{ S(HOST_RIP), NONCANON }}, NULL },
    { VMX_RULE_HOST_CR4_PCIDE, BASE_HOST32, {{ S(HOST_CR4), CR4_VMXE | CR4_PCIDE }}, NULL },
    { VMX_RULE_HOST_RIP_HIGH, BASE_HOST32, {{ S(HOST_RIP), 1ull << 32 }}, NULL },
    { VMX_RULE_HOST_ES_RPL_TI, BASE_64, {{ S(HOST_ES_SELECTOR), 0x13 }}, NULL },
    { VMX_RULE_HOST_CS_RPL_TI, BASE_64, {{ S(HOST_CS_SELECTOR), 0xc }}, NULL },
    { VMX_RULE_HOST_SS_RPL_TI, BASE_64, {{ S(HOST_SS_SELECTOR), 0x11 }}, NULL },
    { VMX_RULE_HOST_DS_RPL_TI, BASE_64, {{ S(HOST_DS_SELECTOR), 0x14 }}, NULL },
    { VMX_RULE_HOST_FS_RPL_TI, BASE_64, {{ S(HOST_FS_SELECTOR), 0x12 }}, NULL },
    { VMX_RULE_HOST_GS_RPL_TI, BASE_64, {{ S(HOST_GS_SELECTOR), 0x13 }}, NULL },
    { VMX_RULE_HOST_TR_RPL_TI, BASE_64, {{ S(HOST_TR_SELECTOR), 0x1c }}, NULL },
    { VMX_RULE_HOST_CS_NULL, BASE_64, {{ S(HOST_CS_SELECTOR), 0 }}, NULL },
    { VMX_RULE_HOST_TR_NULL, BASE_64, {{ S(HOST_TR_SELECTOR), 0 }}, NULL },
    { VMX_RULE_HOST_SS_NULL, BASE_HOST32, {{ S(HOST_SS_SELECTOR), 0 }}, NULL },
    { VMX_RULE_HOST_FS_BASE_CANON, BASE_64, {{ S(HOST_FS_BASE), NONCANON }}, NULL },
    { VMX_RULE_HOST_GS_BASE_CANON, BASE_64, {{ S(HOST_GS_BASE), NONCANON }}, NULL },
    { VMX_RULE_HOST_GDTR_BASE_CANON, BASE_64, {{ S(HOST_GDTR_BASE), NONCANON }}, NULL },
    { VMX_RULE_HOST_IDTR_BASE_CANON, BASE_64, {{ S(HOST_IDTR_BASE), NONCANON }}, NULL },
    { VMX_RULE_HOST_TR_BASE_CANON, BASE_64, {{ S(HOST_TR_BASE), NONCANON }}, NULL },

    { VMX_RULE_GUEST_CR0_FIXED0, BASE_64, {{ S(GUEST_CR0), 0x80010011 }}, NULL },
    { VMX_RULE_GUEST_CR0_FIXED1, BASE_64, {{ S(GUEST_CR0), 0x180010031 }}, NULL },
    { VMX_RULE_GUEST_CR0_PG_PE, BASE_UG, {{ S(GUEST_CR0), 0x80010030 }}, NULL },
    { VMX_RULE_GUEST_CR4_FIXED0, BASE_64, {{ S(GUEST_CR4), CR4_PAE }}, NULL },
    { VMX_RULE_GUEST_CR4_FIXED1, BASE_64, {{ S(GUEST_CR4), CR4_PAE | CR4_VMXE | CR4_SMXE }}, NULL },
    { VMX_RULE_GUEST_DEBUGCTL_RSVD, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_LOAD_DEBUG }, { S(GUEST_DEBUGCTL), 4 }}, NULL },
    { VMX_RULE_GUEST_IA32E_PG, BASE_UG, {{ S(GUEST_CR0), 0x31 }}, NULL },
    { VMX_RULE_GUEST_IA32E_PAE, BASE_64, {{ S(GUEST_CR4), CR4_VMXE }}, NULL },
    { VMX_RULE_GUEST_CR4_PCIDE, BASE_32, {{ S(GUEST_CR4), CR4_VMXE | CR4_PCIDE }}, NULL },
    { VMX_RULE_GUEST_CR3_WIDTH, BASE_64, {{ S(GUEST_CR3), 1ull << 63 }}, NULL },
    { VMX_RULE_GUEST_DR7_HIGH, BASE_64,
      {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_LOAD_DEBUG }, { S(GUEST_DR7), 1ull << 32 | 0x400 }}, NULL },
    { VMX_RULE_GUEST_SYSENTER_ESP_CANON, BASE_64, {{ S(GUEST_SYSENTER_ESP), NONCANON }}, NULL },
    { VMX_RULE_GUEST_SYSENTER_EIP_CANON, BASE_64, {{ S(GUEST_SYSENTER_EIP), NONCANON }}, NULL },
    { VMX_RULE_GUEST_PAT_TYPE, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_LOAD_PAT }, { S(GUEST_PAT), 3 }}, NULL },
    { VMX_RULE_GUEST_EFER_RSVD, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_LOAD_EFER }, { S(GUEST_EFER), 0x1500 }}, NULL },
    { VMX_RULE_GUEST_EFER_LMA, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_LOAD_EFER }, { S(GUEST_EFER), EFER_LME }}, NULL },
    { VMX_RULE_GUEST_EFER_LME, BASE_64, {{ S(ENTRY_CONTROLS), ENTRY_64 | VMX_ENTRY_LOAD_EFER }, { S(GUEST_EFER), EFER_LMA }}, NULL },

    { VMX_RULE_GUEST_TR_TI, BASE_64, {{ S(GUEST_TR_SELECTOR), 0x1c }}, NULL },
    { VMX_RULE_GUEST_LDTR_TI, BASE_64, {{ S(GUEST_LDTR_SELECTOR), 4 }}, NULL },
    { VMX_RULE_GUEST_SS_CS_RPL, BASE_64, {{ S(GUEST_SS_SELECTOR), 0x13 }, { S(GUEST_SS_RIGHTS), 0xc0f3 }}, NULL },
#define V86(seg)                                                                                      \
    { VMX_RULE_GUEST_##seg##_V86_BASE, BASE_V86, {{ S(GUEST_##seg##_BASE), 0x123 }}, NULL },            \
    { VMX_RULE_GUEST_##seg##_V86_LIMIT, BASE_V86, {{ S(GUEST_##seg##_LIMIT), 0xfffff }}, NULL },        \
    { VMX_RULE_GUEST_##seg##_V86_AR, BASE_V86, {{ S(GUEST_##seg##_RIGHTS), 0x93 }}, NULL },
    V86(ES) V86(CS) V86(SS) V86(DS) V86(FS) V86(GS)
    { VMX_RULE_GUEST_TR_BASE_CANON, BASE_64, {{ S(GUEST_TR_BASE), NONCANON }}, NULL },
    { VMX_RULE_GUEST_FS_BASE_CANON, BASE_64, {{ S(GUEST_FS_BASE), NONCANON }, { S(GUEST_FS_RIGHTS), 0x10000 }}, NULL },
    { VMX_RULE_GUEST_GS_BASE_CANON, BASE_64, {{ S(GUEST_GS_BASE), NONCANON }, { S(GUEST_GS_RIGHTS), 0x10000 }}, NULL },
    { VMX_RULE_GUEST_LDTR_BASE_CANON, BASE_64, {{ S(GUEST_LDTR_BASE), NONCANON }}, NULL },
    { VMX_RULE_GUEST_CS_BASE_HIGH, BASE_64, {{ S(GUEST_CS_BASE), 1ull << 32 }}, NULL },
    { VMX_RULE_GUEST_SS_BASE_HIGH, BASE_64, {{ S(GUEST_SS_BASE), 1ull << 32 }}, NULL },
    { VMX_RULE_GUEST_DS_BASE_HIGH, BASE_64, {{ S(GUEST_DS_BASE), 1ull << 32 }}, NULL },
    { VMX_RULE_GUEST_ES_BASE_HIGH, BASE_64, {{ S(GUEST_ES_BASE), 1ull << 32 }}, NULL },
    { VMX_RULE_GUEST_CS_TYPE, BASE_64, {{ S(GUEST_CS_RIGHTS), 0xa093 }}, NULL },
    { VMX_RULE_GUEST_SS_TYPE, BASE_64, {{ S(GUEST_SS_RIGHTS), 0xc091 }}, NULL },
#define DATA(seg)                                                                                                     \
    { VMX_RULE_GUEST_##seg##_TYPE_ACCESSED, BASE_64, {{ S(GUEST_##seg##_RIGHTS), 0xc092 }}, NULL },                       \
    { VMX_RULE_GUEST_##seg##_TYPE_READABLE, BASE_64, {{ S(GUEST_##seg##_RIGHTS), 0xc099 }}, NULL },                       \
    { VMX_RULE_GUEST_##seg##_DPL_RPL, BASE_64, {{ S(GUEST_##seg##_SELECTOR), 0x13 }}, NULL },
    DATA(DS) DATA(ES) DATA(FS) DATA(GS)
#define ANY(seg, ar)                                                                                                  \
    { VMX_RULE_GUEST_##seg##_S, BASE_64, {{ S(GUEST_##seg##_RIGHTS), (ar) & ~0x10u }}, NULL },                          \
    { VMX_RULE_GUEST_##seg##_P, BASE_64, {{ S(GUEST_##seg##_RIGHTS), (ar) & ~0x80u }}, NULL },                          \
    { VMX_RULE_GUEST_##seg##_AR_RSVD, BASE_64, {{ S(GUEST_##seg##_RIGHTS), (ar) | 0x100 }}, NULL },                     \
    { VMX_RULE_GUEST_##seg##_G_LOW, BASE_64, {{ S(GUEST_##seg##_LIMIT), 0xfffff000 }}, NULL },                          \
    { VMX_RULE_GUEST_##seg##_G_HIGH, BASE_64, {{ S(GUEST_##seg##_RIGHTS), (ar) & ~0x8000u }}, NULL },
    ANY(ES, 0xc093u) ANY(CS, 0xa09bu) ANY(SS, 0xc093u) ANY(DS, 0xc093u) ANY(FS, 0xc093u) ANY(GS, 0xc093u)
    { VMX_RULE_GUEST_CS_DPL_TYPE3, BASE_UG, {{ S(GUEST_CS_RIGHTS), 0xc0b3 }}, NULL },
    { VMX_RULE_GUEST_CS_DPL_NONCONF, BASE_64, {{ S(GUEST_CS_RIGHTS), 0xa0fb }}, NULL },
    { VMX_RULE_GUEST_CS_DPL_CONF, BASE_64, {{ S(GUEST_CS_RIGHTS), 0xa0bf }}, NULL },
    { VMX_RULE_GUEST_SS_DPL_RPL, BASE_64, {{ S(GUEST_SS_RIGHTS), 0xc0f3 }, { S(GUEST_CS_RIGHTS), 0xa0fb }}, NULL },
    { VMX_RULE_GUEST_SS_DPL_ZERO, BASE_UG, {{ S(GUEST_CS_RIGHTS), 0xc093 }, { S(GUEST_SS_RIGHTS), 0xc0f3 }}, NULL },
    { VMX_RULE_GUEST_CS_D_L, BASE_64, {{ S(GUEST_CS_RIGHTS), 0xe09b }}, NULL },
    { VMX_RULE_GUEST_TR_TYPE, BASE_64, {{ S(GUEST_TR_RIGHTS), 0x83 }}, NULL },
    { VMX_RULE_GUEST_TR_S, BASE_64, {{ S(GUEST_TR_RIGHTS), 0x9b }}, NULL },
    { VMX_RULE_GUEST_TR_P, BASE_64, {{ S(GUEST_TR_RIGHTS), 0x0b }}, NULL },
    { VMX_RULE_GUEST_TR_AR_RSVD, BASE_64, {{ S(GUEST_TR_RIGHTS), 0x2008b }}, NULL },
    { VMX_RULE_GUEST_TR_G_LOW, BASE_64, {{ S(GUEST_TR_RIGHTS), 0x808b }}, NULL },
    { VMX_RULE_GUEST_TR_G_HIGH, BASE_64, {{ S(GUEST_TR_LIMIT), 0x100fff }}, NULL },
    { VMX_RULE_GUEST_TR_UNUSABLE, BASE_64, {{ S(GUEST_TR_RIGHTS), 0x1008b }}, NULL },
    { VMX_RULE_GUEST_LDTR_TYPE, BASE_64, {{ S(GUEST_LDTR_RIGHTS), 0x83 }}, NULL },
    { VMX_RULE_GUEST_LDTR_S, BASE_64, {{ S(GUEST_LDTR_RIGHTS), 0x92 }}, NULL },
    { VMX_RULE_GUEST_LDTR_P, BASE_64, {{ S(GUEST_LDTR_RIGHTS), 0x02 }}, NULL },
    { VMX_RULE_GUEST_LDTR_AR_RSVD, BASE_64, {{ S(GUEST_LDTR_RIGHTS), 0x882 }}, NULL },
    { VMX_RULE_GUEST_LDTR_G_LOW, BASE_64, {{ S(GUEST_LDTR_RIGHTS), 0x8082 }, { S(GUEST_LDTR_LIMIT), 0x67 }}, NULL },
    { VMX_RULE_GUEST_LDTR_G_HIGH, BASE_64, {{ S(GUEST_LDTR_LIMIT), 0x100fff }}, NULL },

    { VMX_RULE_GUEST_GDTR_BASE_CANON, BASE_64, {{ S(GUEST_GDTR_BASE), NONCANON }}, NULL },
    { VMX_RULE_GUEST_IDTR_BASE_CANON, BASE_64, {{ S(GUEST_IDTR_BASE), NONCANON }}, NULL },
    { VMX_RULE_GUEST_GDTR_LIMIT, BASE_64, {{ S(GUEST_GDTR_LIMIT), 0x10000 }}, NULL },
    { VMX_RULE_GUEST_IDTR_LIMIT, BASE_64, {{ S(GUEST_IDTR_LIMIT), 0x10000 }}, NULL },
    { VMX_RULE_GUEST_RIP_HIGH, BASE_64, {{ S(GUEST_CS_RIGHTS), 0xc09b }, { S(GUEST_RIP), 1ull << 32 }}, NULL },
    { VMX_RULE_GUEST_RIP_LINEAR, BASE_64, {{ S(GUEST_RIP), 1ull << 48 }}, NULL },
    { VMX_RULE_GUEST_RFLAGS_RSVD0, BASE_64, {{ S(GUEST_RFLAGS), 0x8002 }}, NULL },
    { VMX_RULE_GUEST_RFLAGS_RSVD1, BASE_64, {{ S(GUEST_RFLAGS), 0 }}, NULL },
    { VMX_RULE_GUEST_RFLAGS_VM_IA32E, BASE_V86, {{ S(ENTRY_CONTROLS), ENTRY_64 }, { S(GUEST_CR4), CR4_PAE | CR4_VMXE }}, NULL },
    { VMX_RULE_GUEST_RFLAGS_VM_REAL, BASE_V86, {{ S(GUEST_CR0), 0x30 }, { S(SECONDARY_CONTROLS), SEC | VMX_SECONDARY_UNRESTRICTED_GUEST }}, NULL },
    { VMX_RULE_GUEST_RFLAGS_IF_EXTINT, BASE_64, {{ S(ENTRY_INTERRUPTION_INFO), EVENT(0u, 0x30) }}, NULL },

    { VMX_RULE_GUEST_ACT_SUPPORTED, BASE_64, {{ S(GUEST_ACTIVITY), 4 }}, NULL },
    { VMX_RULE_GUEST_ACT_HLT_DPL, BASE_64,
      {{ S(GUEST_ACTIVITY), 1 }, { S(GUEST_SS_RIGHTS), 0xc0f3 }, { S(GUEST_SS_SELECTOR), 0x13 },
       { S(GUEST_CS_RIGHTS), 0xa0fb }, { S(GUEST_CS_SELECTOR), 0xb }}, NULL },
    { VMX_RULE_GUEST_ACT_BLOCKING, BASE_64,
      {{ S(GUEST_ACTIVITY), 1 }, { S(GUEST_INTERRUPTIBILITY), 2 }}, NULL },
    { VMX_RULE_GUEST_ACT_HLT_EVENT, BASE_64, {{ S(GUEST_ACTIVITY), 1 }, { S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 6) }}, NULL },
    { VMX_RULE_GUEST_ACT_SHUTDOWN_EVENT, BASE_64, {{ S(GUEST_ACTIVITY), 2 }, { S(ENTRY_INTERRUPTION_INFO), EVENT(3u, 6) }}, NULL },
    { VMX_RULE_GUEST_ACT_SIPI_EVENT, BASE_64, {{ S(GUEST_ACTIVITY), 3 }, { S(ENTRY_INTERRUPTION_INFO), EVENT(2u, 2) }}, NULL },
    { VMX_RULE_GUEST_INT_RSVD, BASE_64, {{ S(GUEST_INTERRUPTIBILITY), 0x20 }}, NULL },
    { VMX_RULE_GUEST_INT_STI_MOVSS, BASE_64, {{ S(GUEST_INTERRUPTIBILITY), 3 }, { S(GUEST_RFLAGS), 0x202 }}, NULL },
    { VMX_RULE_GUEST_INT_STI_IF, BASE_64, {{ S(GUEST_INTERRUPTIBILITY), 1 }}, NULL },
    { VMX_RULE_GUEST_INT_STI_EXTINT, BASE_64,
      {{ S(GUEST_INTERRUPTIBILITY), 1 }, { S(GUEST_RFLAGS), 0x202 }, { S(ENTRY_INTERRUPTION_INFO), EVENT(0u, 0x30) }}, NULL },
    { VMX_RULE_GUEST_INT_MOVSS_EXTINT, BASE_64,
      {{ S(GUEST_INTERRUPTIBILITY), 2 }, { S(GUEST_RFLAGS), 0x202 }, { S(ENTRY_INTERRUPTION_INFO), EVENT(0u, 0x30) }}, NULL },
    { VMX_RULE_GUEST_INT_MOVSS_NMI, BASE_64,
      {{ S(GUEST_INTERRUPTIBILITY), 2 }, { S(ENTRY_INTERRUPTION_INFO), EVENT(2u, 2) }}, NULL },
    { VMX_RULE_GUEST_INT_SMI_OUTSIDE, BASE_64, {{ S(GUEST_INTERRUPTIBILITY), 4 }}, NULL },
    { VMX_RULE_GUEST_INT_VNMI, BASE_64,
      {{ S(PIN_CONTROLS), PIN | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS }, { S(GUEST_INTERRUPTIBILITY), 8 },
       { S(ENTRY_INTERRUPTION_INFO), EVENT(2u, 2) }}, NULL },
    { VMX_RULE_GUEST_INT_ENCLAVE_SGX, BASE_64, {{ S(GUEST_INTERRUPTIBILITY), 16 }}, NULL },
    { VMX_RULE_GUEST_PDBG_RSVD, BASE_64, {{ S(GUEST_PENDING_DEBUG), 1u << 16 }}, NULL },
    { VMX_RULE_GUEST_PDBG_BS_SET, BASE_64, {{ S(GUEST_ACTIVITY), 1 }, { S(GUEST_RFLAGS), 0x102 }}, NULL },
    { VMX_RULE_GUEST_PDBG_BS_CLEAR, BASE_64, {{ S(GUEST_ACTIVITY), 1 }, { S(GUEST_PENDING_DEBUG), 1u << 14 }}, NULL },
    { VMX_RULE_GUEST_LINK_ALIGN, BASE_64, {{ S(LINK_POINTER), 0x800 }}, NULL },
    { VMX_RULE_GUEST_LINK_WIDTH, BASE_64, {{ S(LINK_POINTER), WIDE }}, NULL },
    { VMX_RULE_GUEST_LINK_REVISION, BASE_64, {{ S(LINK_POINTER), 0x3000 }}, NULL },
    { VMX_RULE_GUEST_LINK_SHADOW, BASE_64, {{ S(LINK_POINTER), BENCH_VMCS2 }}, linked_shadow },
    { VMX_RULE_GUEST_LINK_CURRENT, BASE_64, {{ S(LINK_POINTER), BENCH_VMCS }}, NULL },
    { VMX_RULE_GUEST_PDPTE_RSVD, BASE_PAE, {{ S(GUEST_PDPTE2), 3 }}, NULL },

#define MSR_LIST {{ S(ENTRY_MSR_LOAD_ADDRESS), BENCH_MSR_AREA }, { S(ENTRY_MSR_LOAD_COUNT), 1 }}
    { VMX_RULE_ENTRY_MSR_RSVD, BASE_64, MSR_LIST, msr_reserved },
    { VMX_RULE_ENTRY_MSR_FSGS, BASE_64, MSR_LIST, msr_fs_base },
    { VMX_RULE_ENTRY_MSR_X2APIC, BASE_64, MSR_LIST, msr_x2apic },
    { VMX_RULE_ENTRY_MSR_SMM, BASE_64, MSR_LIST, msr_smm },
    { VMX_RULE_ENTRY_MSR_MODEL, BASE_64, MSR_LIST, msr_microcode },
    { VMX_RULE_ENTRY_MSR_GP, BASE_64, MSR_LIST, msr_unknown },
    { VMX_RULE_ENTRY_MSR_COUNT, BASE_64, MSR_LIST, msr_too_many },
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static bool
resumes(enum vmx_rule rule)
{
    return rule == VMX_RULE_ENTRY_PRE_NOT_LAUNCHED || rule == VMX_RULE_ENTRY_PRE_AFTER_VMXOFF;
}

/* A fresh bench in the row's state; returns what VM entry returned. */
static enum exec_result
enter_row(const struct row *row)
{
    bench_setup_root(NULL);
    make_base(row->base);
    vmcs()->instruction_error = 99;
    for (unsigned i = 0; i < 6 && (row->set[i].slot || row->set[i].value); i++) {
        vmcs()->slot[row->set[i].slot] = row->set[i].value;
    }
    if (row->rule == VMX_RULE_ENTRY_CTL_VPID_ZERO) { /* slot 0, value 0: looks like no row */
        vmcs()->vpid = 0;
    }
    if (row->prepare) {
        row->prepare();
    }
    return bench_plain(resumes(row->rule) ? OP_VMRESUME : OP_VMLAUNCH);
}

static void
every_base_can_be_entered(void **state)
{
    (void)state;
    for (enum base base = BASE_64; base <= BASE_UG; base++) {
        bench_setup_root(NULL);
        make_base(base);
        bench_enter();
        assert_true(bench.cpu.vmx->last_failed_rule == VMX_RULE_NONE);
        bench_teardown(NULL);
    }
}

/* How the refusal looks to software. */
static void
check_outcome(const struct vmx_rule_info *info, enum exec_result result)
{
    switch (info->kind) {
    case VMX_FAIL_INVALID:
        assert_int_equal(result, EXEC_OK);
        assert_true(bench_failed_invalid());
        break;
    case VMX_FAIL_VALID:
        assert_int_equal(result, EXEC_OK);
        assert_int_equal(bench_failed_valid(), info->number);
        break;
    case VMX_FAIL_GUEST:
        assert_int_equal(result, EXEC_VMEXIT);
        assert_int_equal(vmcs()->exit_reason, 0x80000021);
        assert_int_equal(vmcs()->exit_qualification, info->number);
        break;
    case VMX_FAIL_MSR:
        assert_int_equal(result, EXEC_VMEXIT);
        assert_int_equal(vmcs()->exit_reason, 0x80000022);
        assert_int_equal(vmcs()->exit_qualification, bench.cpu.vmx->last_msr_entry);
        break;
    }
}

static void
each_row_breaks_its_rule_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        const struct vmx_rule_info *info = vmx_rule_info(rows[i].rule);
        enum exec_result result = enter_row(&rows[i]);
        const struct vmx_rule_info *found = vmx_rule_info((enum vmx_rule)bench.cpu.vmx->last_failed_rule);
        if (found != info) {
            fail_msg("%s expected, %s found", info->id, found ? found->id : "entry succeeded");
        }
        check_outcome(info, result);
        assert_false(bench.cpu.nonroot);
        bench_teardown(NULL);
    }
}

static void
every_rule_has_exactly_one_row(void **state)
{
    (void)state;
    for (unsigned rule = VMX_RULE_NONE + 1; rule < VMX_RULE_COUNT; rule++) {
        unsigned found = 0;
        for (unsigned i = 0; i < ROW_COUNT; i++) {
            found += rows[i].rule == (enum vmx_rule)rule;
        }
        if (found != 1) {
            fail_msg("%s: %u rows", vmx_rule_info((enum vmx_rule)rule)->id, found);
        }
    }
}

/* A failed entry changes neither launch state nor, for exits 33 and 34, the error field and the
 * valid bit of the event to inject. */
static void
refused_entries_leave_the_vmcs_launchable(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        const struct vmx_rule_info *info = vmx_rule_info(rows[i].rule);
        enter_row(&rows[i]);
        if (info->kind == VMX_FAIL_GUEST || info->kind == VMX_FAIL_MSR) {
            assert_int_equal(vmcs()->launch_state, VMCS_CLEAR);
            assert_int_equal(vmcs()->instruction_error, 99);
            assert_int_equal(bench.cpu.rip, BENCH_HOST_RIP);
            assert_true(vmcs()->guest_rip == BENCH_GUEST_RIP || info->kind == VMX_FAIL_GUEST);
            assert_int_equal(cpu_rflags(&bench.cpu), 2);
        }
        bench_teardown(NULL);
    }
}

/* Fields whose control is 0 are not looked at. */
static void
garbage_behind_disabled_controls_is_accepted(void **state)
{
    (void)state;
    bench_setup_root(NULL);
    struct vmcs *v = vmcs();
    v->primary_controls &= ~(uint64_t)(VMX_PRIMARY_MSR_BITMAPS | 0x80000000u);
    v->secondary_controls = 0xffffffff;
    v->msr_bitmap = UINT64_MAX;
    v->io_bitmap_a = v->io_bitmap_b = v->virtual_apic_address = v->ept_pointer = UINT64_MAX;
    v->exit_msr_store_address = v->exit_msr_load_address = v->entry_msr_load_address = UINT64_MAX;
    v->entry_interruption_info = 0x7fffffff;
    v->host_efer = v->host_pat = v->guest_efer = v->guest_pat = UINT64_MAX;
    v->guest_dr7 = v->guest_debugctl = UINT64_MAX;
    v->host_rsp = NONCANON;
    v->guest_rsp = NONCANON;
    bench_enter();
    bench_teardown(NULL);
}

/* A limit names bytes: any 0 in bits 11:0 forbids G = 1, any 1 in bits 31:20 demands it. */
static void
every_limit_bit_decides_granularity(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        if (bit >= 12 && bit < 20) {
            continue; /* free */
        }
        bench_setup_root(NULL);
        bool low = bit < 12;
        vmcs()->guest_ds_limit = low ? 0xffffffffu & ~(1u << bit) : 1u << bit | 0xfff;
        vmcs()->guest_ds_rights = low ? 0xc093 : 0x4093;
        bench_plain(OP_VMLAUNCH);
        assert_int_equal(bench.cpu.vmx->last_failed_rule, low ? VMX_RULE_GUEST_DS_G_LOW : VMX_RULE_GUEST_DS_G_HIGH);
        bench_teardown(NULL);
    }
}

/* SDM "Basic VM-Entry Checks": no current VMCS, then MOV SS, then launch state. */
static void
basic_checks_come_in_order(void **state)
{
    (void)state;
    bench_setup_root(NULL);
    launched();
    mov_ss();
    bench_plain(OP_VMLAUNCH);
    assert_int_equal(bench_failed_valid(), 26);
    bench.cpu.shadow_movss = false;
    bench.cpu.shadow_sti = true; /* STI; VMLAUNCH is legal: error 4 comes from the launch state */
    bench_plain(OP_VMLAUNCH);
    assert_int_equal(bench_failed_valid(), 4);
    bench_memory(OP_VMCLEAR, BENCH_VMCS, 0);
    mov_ss();
    bench_plain(OP_VMLAUNCH);
    assert_true(bench_failed_invalid());
    bench_teardown(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_base_can_be_entered),
        cmocka_unit_test(each_row_breaks_its_rule_first),
        cmocka_unit_test(every_rule_has_exactly_one_row),
        cmocka_unit_test(refused_entries_leave_the_vmcs_launchable),
        cmocka_unit_test(garbage_behind_disabled_controls_is_accepted),
        cmocka_unit_test(every_limit_bit_decides_granularity),
        cmocka_unit_test(basic_checks_come_in_order),
    };
    return cmocka_run_group_tests_name("vmx_entry_rules", tests, NULL, NULL);
}
