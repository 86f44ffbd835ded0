/* Where the registers of spec/x86/msrs.def keep their values. */
#include "sim/cpu/system/msr_registers.h"

#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/pmu.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "spec/x86/clock.h"

/* Numbers of the rows, in the table's order. */
enum row_number {
#define MSR(index, count, NAME, access, writable, rule, vendor, feature) ROW_##NAME,
#include "spec/x86/msrs.def"
#undef MSR
    ROW_COUNT,
};

static const struct msr_row rows[ROW_COUNT] = {
#define MSR(index, count, NAME, access, writable, rule, vendor, feature) \
    [ROW_##NAME] = { index, count, MSR_##access, MSR_##rule, MSR_##vendor, CPU_##feature, writable },
#include "spec/x86/msrs.def"
#undef MSR
};

/* Bits of registers that only this file knows. */
#define APIC_BASE_X2APIC (1ull << 10)
#define MISC_ENABLE_FAST_STRINGS (1ull << 0)
#define MISC_ENABLE_MONITOR (1ull << 18)
#define MISC_ENABLE_PERFMON (1ull << 7)
#define MISC_ENABLE_NO_BTS_PEBS 0x1800ull
#define MISC_ENABLE_FIXED (MISC_ENABLE_PERFMON | MISC_ENABLE_NO_BTS_PEBS) /* read-only */
#define SPEC_CTRL_IBRS (1ull << 0)
#define SPEC_CTRL_STIBP (1ull << 1)
#define SPEC_CTRL_SSBD (1ull << 2)
#define SPEC_CTRL_BHI_DIS_S (1ull << 10)
#define MCG_CAP_COUNT 0xffull
#define MCG_CAP_CTL_P (1ull << 8)
#define PERF_CAPABILITIES_LBR_EIP_FLAGS 3ull /* records hold rip, and bit 63 of the source a misprediction */
#define PERF_CAPABILITIES_FULL_WRITE (1ull << 13)
#define HWCR_MC_STATUS_WR_EN (1ull << 18)
#define HWCR_TSC_FREQ_SEL (1ull << 24)
#define SYSCFG_MTRR_FIX_DRAM_EN (1ull << 18)
#define SYSCFG_MTRR_VAR_DRAM_EN (1ull << 20)
#define SYSCFG_TOM2_EN (1ull << 21)
#define SYSCFG_TOM2_FORCE_WB (1ull << 22)
#define VM_CR_LOCK (1ull << 3)
#define VM_CR_SVMDIS (1ull << 4)
#define DE_CFG_LFENCE_SERIALIZE (1ull << 1)

#define AT(field) { offsetof(struct cpu, field), 0, NULL, NULL, NULL }
#define CONSTANT(value) { 0, value, NULL, NULL, NULL }
#define WRITTEN_BY(field, write) { offsetof(struct cpu, field), 0, NULL, write, NULL }
#define FUNCTIONS(read, write) { 0, 0, read, write, NULL }

static enum exec_result gp(struct cpu *cpu)
{
    return cpu_raise_error(cpu, X_GP, 0);
}

/* --- registers with functions ------------------------------------------------------ */

/* Processors run a round one after the other: the second still has an earlier time when it sees what the first wrote.
 * The time it is shown is never behind what another one was shown, so nobody finds the counters out of step. */
static uint64_t shown_time(const struct cpu *cpu)
{
    struct machine *m = cpu->machine;

    if (m->cpu_count > 1 && cpu->now > m->tsc_shown) {
        m->tsc_shown = cpu->now;
    }
    return m->cpu_count > 1 ? m->tsc_shown : cpu->now;
}

uint64_t cpu_tsc(const struct cpu *cpu)
{
    return shown_time(cpu) + cpu->msr.tsc_offset + (cpu->nonroot ? cpu->vtx_tsc_offset : 0);
}

/* RDMSR of IA32_TSC returns what RDTSC does. */
static uint64_t read_tsc(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu_tsc(cpu);
}

/* SDM Vol 3B "IA32_TSC_ADJUST MSR": both registers move together. */
static void move_tsc(struct cpu *cpu, uint64_t by)
{
    cpu->msr.tsc_offset += by;
    cpu->msr.tsc_adjust += by;
    apic_tsc_changed(cpu);
}

static enum exec_result write_tsc(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    move_tsc(cpu, value - (cpu->now + cpu->msr.tsc_offset));
    return EXEC_OK;
}

static enum exec_result write_tsc_adjust(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    move_tsc(cpu, value - cpu->msr.tsc_adjust);
    return EXEC_OK;
}

static bool beyond_width(const struct cpu *cpu, uint64_t value)
{
    return value >> cpu_physical_bits(cpu);
}

static enum exec_result write_apic_base(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (beyond_width(cpu, value) || (value & APIC_BASE_X2APIC && !cpu_has(cpu, CPU_X2APIC))) {
        return gp(cpu);
    }
    return apic_base_write(cpu, value);
}

static enum exec_result write_feature_control(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (cpu->msr.feature_control & 1) {
        return gp(cpu); /* locked until the next RESET */
    }
    cpu->msr.feature_control = value;
    return EXEC_OK;
}

static enum exec_result write_misc_enable(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    cpu->msr.misc_enable = (cpu->msr.misc_enable & MISC_ENABLE_FIXED) | (value & ~MISC_ENABLE_FIXED);
    return EXEC_OK;
}

bool msr_is_mtrr_type(uint64_t type)
{
    return type <= 1 || (type >= 4 && type <= 6);
}

/* PHYSBASE: bits 11:8 reserved, type valid; PHYSMASK: bits 10:0 reserved. */
static enum exec_result write_mtrr_phys(struct cpu *cpu, unsigned n, uint64_t value)
{
    bool ok = n & 1 ? !(value & 0x7ff) : !(value & 0xf00) && msr_is_mtrr_type(value & 0xff);

    if (!ok || beyond_width(cpu, value)) {
        return gp(cpu);
    }
    cpu->msr.mtrr_phys[n] = value;
    return EXEC_OK;
}

static enum exec_result write_def_type(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (!msr_is_mtrr_type(value & 0xff)) {
        return gp(cpu);
    }
    cpu->msr.mtrr_def_type = value;
    return EXEC_OK;
}

/* Who has no performance monitoring cannot freeze it. */
static enum exec_result write_debugctl(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (value & (DEBUGCTL_FREEZE_LBRS_ON_PMI | DEBUGCTL_FREEZE_PERFMON_ON_PMI) && !pmu_has_global(cpu, 0)) {
        return gp(cpu);
    }
    pmu_set_debugctl(cpu, value);
    return EXEC_OK;
}

static uint64_t read_deadline(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return apic_deadline_read(cpu);
}

static enum exec_result write_deadline(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    apic_deadline_write(cpu, value);
    return EXEC_OK;
}

static uint64_t efer_offered(const struct cpu *cpu)
{
    return (cpu_has(cpu, CPU_SYSCALL) ? EFER_SCE : 0) | (cpu_has(cpu, CPU_LM) ? EFER_LME | EFER_LMA : 0) |
           (cpu_offers_nx(cpu) ? EFER_NXE : 0) | (cpu_has(cpu, CPU_AUTOIBRS) ? EFER_AIBRSE : 0);
}

static enum exec_result write_efer(struct cpu *cpu, unsigned n, uint64_t value)
{
    uint64_t changed = value ^ cpu->efer;

    (void)n;
    if (value & ~efer_offered(cpu) || (changed & EFER_LME && cpu->cr0 & CR0_PG)) {
        return gp(cpu);
    }
    cpu->efer = (value & ~EFER_LMA) | (cpu->efer & EFER_LMA); /* LMA is read-only */
    cpu_update_mode(cpu);
    if (changed & EFER_NXE) {
        mmu_flush_all(cpu);
    }
    mmu_mode_changed(cpu);
    return EXEC_OK;
}

/* --- speculation: SDM Vol 4 "IA32_SPEC_CTRL"; nothing here speculates, the bits are kept ------------------ */

static uint64_t spec_ctrl_offered(const struct cpu *cpu)
{
    return (cpu_has(cpu, CPU_SPEC_CTRL) || cpu_has(cpu, CPU_AMD_IBRS) ? SPEC_CTRL_IBRS : 0) |
           (cpu_has(cpu, CPU_STIBP) || cpu_has(cpu, CPU_AMD_STIBP) ? SPEC_CTRL_STIBP : 0) |
           (cpu_has(cpu, CPU_BHI_CTRL) ? SPEC_CTRL_BHI_DIS_S : 0) |
           (cpu_has(cpu, CPU_SSBD) || cpu_has(cpu, CPU_AMD_SSBD) ? SPEC_CTRL_SSBD : 0);
}

static bool has_spec_ctrl(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return spec_ctrl_offered(cpu);
}

static enum exec_result write_spec_ctrl(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (value & ~spec_ctrl_offered(cpu)) {
        return gp(cpu);
    }
    cpu->msr.spec_ctrl = value;
    return EXEC_OK;
}

static bool has_pred_cmd(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu_has(cpu, CPU_SPEC_CTRL) || cpu_has(cpu, CPU_IBPB);
}

static bool has_tsc_aux(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu_has(cpu, CPU_RDTSCP) || cpu_has(cpu, CPU_RDPID);
}

/* --- machine checks: SDM Vol 3B "Machine-Check Architecture"; none ever happens ------------------------------ */

static uint64_t mcg_cap(const struct cpu *cpu)
{
    return cpu_model_constant(cpu->machine, rows[ROW_MCG_CAP].index, 0);
}

static bool has_mcg_ctl(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return mcg_cap(cpu) & MCG_CAP_CTL_P;
}

static bool has_bank(const struct cpu *cpu, unsigned n)
{
    return n / 4 < (mcg_cap(cpu) & MCG_CAP_COUNT);
}

static enum exec_result write_mcg_ctl(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (value != 0 && value != ~0ull) {
        return gp(cpu);
    }
    cpu->msr.mcg_ctl = value;
    return EXEC_OK;
}

/* CTL: all or nothing.  STATUS: only cleared, unless AMD's McStatusWrEn lets tests write it.  ADDR and MISC: kept. */
static enum exec_result write_bank(struct cpu *cpu, unsigned n, uint64_t value)
{
    enum { CTL, STATUS };
    bool free_status = cpu_is_amd(cpu) && cpu->msr.hwcr & HWCR_MC_STATUS_WR_EN;

    if ((n % 4 == CTL && value != 0 && value != ~0ull) || (n % 4 == STATUS && value != 0 && !free_status)) {
        return gp(cpu);
    }
    cpu->msr.mc_bank[n / 4][n % 4] = value;
    return EXEC_OK;
}

static uint64_t perf_capabilities(const struct cpu *cpu)
{
    uint64_t usual = PERF_CAPABILITIES_FULL_WRITE | PERF_CAPABILITIES_LBR_EIP_FLAGS;

    return cpu_model_constant(cpu->machine, rows[ROW_PERF_CAPABILITIES].index, usual);
}

static uint64_t read_perf_capabilities(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return perf_capabilities(cpu);
}

static bool has_full_write(const struct cpu *cpu, unsigned n)
{
    return perf_capabilities(cpu) & PERF_CAPABILITIES_FULL_WRITE && pmu_has_counter(cpu, n);
}

/* --- homes ------------------------------------------------------------------------------------ */

/* Every row has its home; the arrays must stay in step by name. */
static const struct msr_home homes[ROW_COUNT] = {
    [ROW_TSC] = FUNCTIONS(read_tsc, write_tsc),
    [ROW_PLATFORM_ID] = CONSTANT(0),
    [ROW_APIC_BASE] = WRITTEN_BY(msr.apic_base, write_apic_base),
    [ROW_FEATURE_CONTROL] = WRITTEN_BY(msr.feature_control, write_feature_control),
    [ROW_SPEC_CTRL] = { offsetof(struct cpu, msr.spec_ctrl), 0, NULL, write_spec_ctrl, has_spec_ctrl },
    [ROW_PRED_CMD] = { .exists = has_pred_cmd },
    [ROW_FLUSH_CMD] = CONSTANT(0),
    [ROW_ARCH_CAPABILITIES] = CONSTANT(0),
    [ROW_TSC_ADJUST] = WRITTEN_BY(msr.tsc_adjust, write_tsc_adjust),
    [ROW_BIOS_UPDT_TRIG] = CONSTANT(0),
    [ROW_BIOS_SIGN_ID] = CONSTANT(0x71aull << 32), /* microcode revision, in the upper half */
    [ROW_PLATFORM_INFO] = CONSTANT((uint64_t)(CLOCK_BASE_MHZ / CLOCK_BUS_MHZ) << 8),
    [ROW_MTRRCAP] = CONSTANT(0x508), /* 8 variable ranges, fixed ranges, WC */
    [ROW_SYSENTER_CS] = AT(msr.sysenter_cs),
    [ROW_SYSENTER_ESP] = AT(msr.sysenter_esp),
    [ROW_SYSENTER_EIP] = AT(msr.sysenter_eip),
    [ROW_MCG_CAP] = CONSTANT(0), /* no banks */
    [ROW_MCG_STATUS] = AT(msr.mcg_status),
    [ROW_MCG_CTL] = { offsetof(struct cpu, msr.mcg_ctl), 0, NULL, write_mcg_ctl, has_mcg_ctl },
    [ROW_MC_BANKS] = { offsetof(struct cpu, msr.mc_bank), 0, NULL, write_bank, has_bank },
    [ROW_PERF_STATUS] = CONSTANT((uint64_t)(CLOCK_BASE_MHZ / CLOCK_BUS_MHZ) << 8),
    [ROW_PERF_CTL] = AT(msr.perf_ctl),
    [ROW_PKG_CST_CONFIG_CONTROL] = AT(msr.pkg_cst_config),
    [ROW_POWER_CTL] = AT(msr.power_ctl),
    [ROW_CLOCK_MODULATION] = AT(msr.clock_modulation),
    [ROW_THERM_INTERRUPT] = AT(msr.therm_interrupt),
    [ROW_THERM_STATUS] = CONSTANT(1u << 31 | 60 << 16), /* valid; 60 degrees below the target */
    [ROW_TEMPERATURE_TARGET] = CONSTANT(100 << 16),
    [ROW_MISC_ENABLE] = WRITTEN_BY(msr.misc_enable, write_misc_enable),
    [ROW_LBR_SELECT] = AT(pmu.lbr_select),
    [ROW_LBR_TOS] = AT(pmu.lbr_tos),
    [ROW_LBR_FROM] = AT(pmu.lbr_from),
    [ROW_LBR_TO] = AT(pmu.lbr_to),
    [ROW_DEBUGCTL] = WRITTEN_BY(msr.debugctl, write_debugctl),
    [ROW_MTRR_PHYS] = WRITTEN_BY(msr.mtrr_phys, write_mtrr_phys),
    [ROW_MTRR_FIX64K] = AT(msr.mtrr_fixed[0]),
    [ROW_MTRR_FIX16K] = AT(msr.mtrr_fixed[1]),
    [ROW_MTRR_FIX4K] = AT(msr.mtrr_fixed[3]),
    [ROW_PAT] = AT(msr.pat),
    [ROW_MTRR_DEF_TYPE] = WRITTEN_BY(msr.mtrr_def_type, write_def_type),
    [ROW_TSC_DEADLINE] = FUNCTIONS(read_deadline, write_deadline),
    [ROW_XSS] = AT(xss),
    [ROW_EFER] = WRITTEN_BY(efer, write_efer),
    [ROW_STAR] = AT(msr.star),
    [ROW_LSTAR] = AT(msr.lstar),
    [ROW_CSTAR] = AT(msr.cstar),
    [ROW_FMASK] = AT(msr.fmask),
    [ROW_FS_BASE] = AT(seg[FS].base),
    [ROW_GS_BASE] = AT(seg[GS].base),
    [ROW_KERNEL_GS_BASE] = AT(msr.kernel_gs_base),
    [ROW_TSC_AUX] = { .offset = offsetof(struct cpu, msr.tsc_aux), .exists = has_tsc_aux },
    [ROW_PERF_EVTSEL] = FUNCTIONS(pmu_read_select, pmu_write_select),
    [ROW_PERF_CTR] = FUNCTIONS(pmu_read_counter, pmu_write_full),
    [ROW_PERF_CORE] = FUNCTIONS(pmu_read_core, pmu_write_core),
    [ROW_PMC] = { 0, 0, pmu_read_counter, pmu_write_counter, pmu_has_counter },
    [ROW_PERFEVTSEL] = { 0, 0, pmu_read_select, pmu_write_select, pmu_has_counter },
    [ROW_FIXED_CTR] = { 0, 0, pmu_read_fixed, pmu_write_fixed, pmu_has_global },
    [ROW_PERF_CAPABILITIES] = FUNCTIONS(read_perf_capabilities, NULL),
    [ROW_FIXED_CTR_CTRL] = { offsetof(struct cpu, pmu.fixed_ctrl), 0, NULL, pmu_write_fixed_ctrl, pmu_has_global },
    [ROW_PERF_GLOBAL_STATUS] = { 0, 0, pmu_read_global_status, NULL, pmu_has_global },
    [ROW_PERF_GLOBAL_CTRL] = { offsetof(struct cpu, pmu.global_ctrl), 0, NULL, pmu_write_global_ctrl, pmu_has_global },
    [ROW_PERF_GLOBAL_OVF_CTRL] = { 0, 0, NULL, pmu_write_global_ovf_ctrl, pmu_has_global },
    [ROW_A_PMC] = { 0, 0, pmu_read_counter, pmu_write_full, has_full_write },
    [ROW_MPERF] = FUNCTIONS(pmu_read_unhalted, pmu_write_unhalted),
    [ROW_SYSCFG] = AT(msr.syscfg),
    [ROW_HWCR] = AT(msr.hwcr),
    [ROW_TOP_MEM] = AT(msr.top_mem),
    [ROW_TOP_MEM2] = AT(msr.top_mem2),
    [ROW_NB_CFG] = AT(msr.nb_cfg),
    [ROW_PATCH_LOADER] = CONSTANT(0),
    [ROW_VM_CR] = CONSTANT(VM_CR_LOCK | VM_CR_SVMDIS),
    [ROW_OSVW] = AT(msr.osvw),
    [ROW_LS_CFG] = AT(msr.ls_cfg),
    [ROW_DC_CFG] = AT(msr.dc_cfg),
    [ROW_CU_CFG] = AT(msr.cu_cfg),
    [ROW_DE_CFG] = AT(msr.de_cfg),
    [ROW_CU_CFG2] = AT(msr.cu_cfg2),
    [ROW_BP_CFG] = AT(msr.bp_cfg),
};

/* What the firmware we stand for has left there: memory's ends, clocks, errata that are fixed. */
static void reset_amd(struct cpu *cpu)
{
    enum { OSVW_IDS = 5 };
    uint64_t ram = cpu->machine->config.ram_size;
    bool split = ram > MEM_HOLE_START;

    cpu->msr.syscfg = SYSCFG_MTRR_FIX_DRAM_EN | SYSCFG_MTRR_VAR_DRAM_EN | SYSCFG_TOM2_EN | SYSCFG_TOM2_FORCE_WB;
    cpu->msr.hwcr = HWCR_TSC_FREQ_SEL;
    cpu->msr.top_mem = split ? MEM_HOLE_START : ram;
    cpu->msr.top_mem2 = split ? MEM_HOLE_END + (ram - MEM_HOLE_START) : 0;
    cpu->msr.osvw[0] = OSVW_IDS;
    cpu->msr.de_cfg = DE_CFG_LFENCE_SERIALIZE;
}

void msr_reset(struct cpu *cpu)
{
    if (cpu_is_amd(cpu)) {
        reset_amd(cpu);
    } else {
        cpu->msr.misc_enable = MISC_ENABLE_NO_BTS_PEBS | MISC_ENABLE_FAST_STRINGS |
                               (pmu_has_global(cpu, 0) ? MISC_ENABLE_PERFMON : 0) |
                               (cpu_has(cpu, CPU_MONITOR) ? MISC_ENABLE_MONITOR : 0);
    }
}

/* --- finding ------------------------------------------------------------------------------------- */

static const struct msr_row *find(uint32_t index)
{
    unsigned low = 0, high = ROW_COUNT;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (index - rows[middle].index < rows[middle].count) {
            return &rows[middle];
        }
        if (index < rows[middle].index) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct msr_row *msr_find(const struct cpu *cpu, uint32_t index, const struct msr_home **home)
{
    const struct msr_row *row = find(index);

    if (!row || (row->vendor != MSR_ANY && (row->vendor == MSR_AMD) != cpu_is_amd(cpu)) ||
        !cpu_has(cpu, (enum cpu_feature)row->feature)) {
        return NULL;
    }
    *home = &homes[row - rows];
    return !(*home)->exists || (*home)->exists(cpu, index - row->index) ? row : NULL;
}
