/* RDMSR and WRMSR: a table of registers, and functions for those with a life of their own. */
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"
#include "spec/x86/clock.h"

enum access { RO = 1, WO = 2, RW = 3 };
enum rule { PLAIN, CANONICAL, IGNORED, TYPES, MTRR, SPECIAL };

/* Numbers of the rows, in the table's order. */
enum row_number {
#define MSR(index, count, NAME, access, writable, rule) ROW_##NAME,
#include "spec/x86/msrs.def"
#undef MSR
    ROW_COUNT,
};

struct row {
    uint32_t index, count;
    uint8_t access; /* [enum access] */
    uint8_t rule;   /* [enum rule] */
    uint64_t writable;
};

static const struct row rows[ROW_COUNT] = {
#define MSR(index, count, NAME, access, writable, rule) [ROW_##NAME] = { index, count, access, rule, writable },
#include "spec/x86/msrs.def"
#undef MSR
};

/* Where stored registers live. */
#define AT(field) { offsetof(struct cpu, field), 0, NULL, NULL }
#define CONSTANT(value) { 0, value, NULL, NULL }
#define FUNCTIONS(read, write) { 0, 0, read, write }
struct home {
    size_t offset;      /* of the first register in struct cpu, or 0 */
    uint64_t constant;  /* read when there is neither field nor function */
    uint64_t (*read)(const struct cpu *, unsigned n);
    enum exec_result (*write)(struct cpu *, unsigned n, uint64_t value); /* SPECIAL */
};

static enum exec_result gp(struct cpu *cpu)
{
    return cpu_raise_error(cpu, X_GP, 0);
}

/* --- registers with functions ------------------------------------------------------ */

uint64_t cpu_tsc(const struct cpu *cpu)
{
    return cpu->now + cpu->msr.tsc_offset + (cpu->nonroot ? cpu->vtx_tsc_offset : 0);
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

static uint64_t read_tsc_adjust(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->msr.tsc_adjust;
}

static enum exec_result write_tsc_adjust(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    move_tsc(cpu, value - cpu->msr.tsc_adjust);
    return EXEC_OK;
}

static uint64_t read_apic_base(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->msr.apic_base;
}

static enum exec_result write_apic_base(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    return apic_base_write(cpu, value);
}

static uint64_t read_feature_control(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->msr.feature_control;
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

static uint64_t read_misc_enable(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->msr.misc_enable;
}

/* Only fast strings (bit 0) can be changed; bits 11 and 12 say that BTS and PEBS are absent. */
static enum exec_result write_misc_enable(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    cpu->msr.misc_enable = (cpu->msr.misc_enable & ~1ull) | (value & 1);
    return EXEC_OK;
}

static bool is_mtrr_type(uint64_t type)
{
    return type <= 1 || (type >= 4 && type <= 6);
}

static uint64_t read_mtrr_phys(const struct cpu *cpu, unsigned n)
{
    return cpu->msr.mtrr_phys[n];
}

/* PHYSBASE: bits 11:8 reserved, type valid; PHYSMASK: bits 10:0 reserved. */
static enum exec_result write_mtrr_phys(struct cpu *cpu, unsigned n, uint64_t value)
{
    bool ok = n & 1 ? !(value & 0x7ff) : !(value & 0xf00) && is_mtrr_type(value & 0xff);

    if (!ok) {
        return gp(cpu);
    }
    cpu->msr.mtrr_phys[n] = value;
    return EXEC_OK;
}

static uint64_t read_def_type(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->msr.mtrr_def_type;
}

static enum exec_result write_def_type(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (!is_mtrr_type(value & 0xff)) {
        return gp(cpu);
    }
    cpu->msr.mtrr_def_type = value;
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

static uint64_t read_efer(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->efer;
}

static enum exec_result write_efer(struct cpu *cpu, unsigned n, uint64_t value)
{
    uint64_t changed = value ^ cpu->efer;

    (void)n;
    if (changed & EFER_LME && cpu->cr0 & CR0_PG) {
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

/* Every row has its home; the arrays must stay in step by name. */
static const struct home homes[ROW_COUNT] = {
    [ROW_TSC] = FUNCTIONS(read_tsc, write_tsc),
    [ROW_PLATFORM_ID] = CONSTANT(0),
    [ROW_APIC_BASE] = FUNCTIONS(read_apic_base, write_apic_base),
    [ROW_FEATURE_CONTROL] = FUNCTIONS(read_feature_control, write_feature_control),
    [ROW_TSC_ADJUST] = FUNCTIONS(read_tsc_adjust, write_tsc_adjust),
    [ROW_BIOS_UPDT_TRIG] = CONSTANT(0),
    [ROW_BIOS_SIGN_ID] = CONSTANT(0x71aull << 32), /* microcode revision, in the upper half */
    [ROW_PLATFORM_INFO] = CONSTANT((uint64_t)(CLOCK_BASE_MHZ / CLOCK_BUS_MHZ) << 8),
    [ROW_MTRRCAP] = CONSTANT(0x508), /* 8 variable ranges, fixed ranges, WC */
    [ROW_SYSENTER_CS] = AT(msr.sysenter_cs),
    [ROW_SYSENTER_ESP] = AT(msr.sysenter_esp),
    [ROW_SYSENTER_EIP] = AT(msr.sysenter_eip),
    [ROW_MCG_CAP] = CONSTANT(0), /* no banks */
    [ROW_MCG_STATUS] = CONSTANT(0),
    [ROW_MISC_ENABLE] = FUNCTIONS(read_misc_enable, write_misc_enable),
    [ROW_DEBUGCTL] = AT(msr.debugctl),
    [ROW_MTRR_PHYS] = FUNCTIONS(read_mtrr_phys, write_mtrr_phys),
    [ROW_MTRR_FIX64K] = AT(msr.mtrr_fixed[0]),
    [ROW_MTRR_FIX16K] = AT(msr.mtrr_fixed[1]),
    [ROW_MTRR_FIX4K] = AT(msr.mtrr_fixed[3]),
    [ROW_PAT] = AT(msr.pat),
    [ROW_MTRR_DEF_TYPE] = FUNCTIONS(read_def_type, write_def_type),
    [ROW_TSC_DEADLINE] = FUNCTIONS(read_deadline, write_deadline),
    [ROW_XSS] = AT(xss),
    [ROW_EFER] = FUNCTIONS(read_efer, write_efer),
    [ROW_STAR] = AT(msr.star),
    [ROW_LSTAR] = AT(msr.lstar),
    [ROW_CSTAR] = AT(msr.cstar),
    [ROW_FMASK] = AT(msr.fmask),
    [ROW_FS_BASE] = AT(seg[FS].base),
    [ROW_GS_BASE] = AT(seg[GS].base),
    [ROW_KERNEL_GS_BASE] = AT(msr.kernel_gs_base),
    [ROW_TSC_AUX] = AT(msr.tsc_aux),
};

/* --- the table's reader --------------------------------------------------------------- */

static const struct row *find(uint32_t index)
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

static bool is_offered(const struct cpu *cpu, const struct row *row)
{
    if (row == &rows[ROW_XSS]) {
        return cpu_has(cpu, CPU_XSAVES);
    }
    return row != &rows[ROW_FEATURE_CONTROL] || cpu->machine->config.vtx;
}

static bool is_vtx_range(uint32_t index)
{
    return index >= 0x480 && index <= 0x4ff;
}

static bool is_x2apic_range(uint32_t index)
{
    return index >= 0x800 && index <= 0x8ff;
}

enum exec_result cpu_rdmsr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    if (is_x2apic_range(index)) {
        return apic_rdmsr(cpu, index, value);
    }
    if (is_vtx_range(index)) {
        bool vtx = cpu->machine->config.vtx && cpu->machine->vtx;
        return vtx && cpu->machine->vtx->rdmsr(cpu, index, value) == EXEC_OK ? EXEC_OK : gp(cpu);
    }
    const struct row *row = find(index);
    if (!row || !(row->access & RO) || !is_offered(cpu, row)) {
        return gp(cpu);
    }
    const struct home *home = &homes[row - rows];
    unsigned n = index - row->index;
    if (home->read) {
        *value = home->read(cpu, n);
    } else if (home->offset) {
        memcpy(value, (const char *)cpu + home->offset + n * 8, 8);
    } else {
        *value = home->constant;
    }
    return EXEC_OK;
}

static bool are_types(uint64_t value, bool pat)
{
    for (unsigned i = 0; i < 8; i++, value >>= 8) {
        if (!is_mtrr_type(value & 0xff) && !(pat && (value & 0xff) == 7)) {
            return false;
        }
    }
    return true;
}

static bool value_is_valid(const struct cpu *cpu, const struct row *row, uint64_t value)
{
    if (value & ~row->writable) {
        return false;
    }
    switch (row->rule) {
    case CANONICAL: return cpu_canonical_base(cpu, value);
    case TYPES: return are_types(value, true);
    case MTRR: return are_types(value, false);
    default: return true;
    }
}

enum exec_result cpu_wrmsr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (is_x2apic_range(index)) {
        return apic_wrmsr(cpu, index, value);
    }
    const struct row *row = find(index);
    if (!row || !(row->access & WO) || !is_offered(cpu, row) || !value_is_valid(cpu, row, value)) {
        return gp(cpu);
    }
    const struct home *home = &homes[row - rows];
    unsigned n = index - row->index;
    if (row->rule == SPECIAL) {
        return home->write(cpu, n, value);
    }
    if (home->offset) {
        memcpy((char *)cpu + home->offset + n * 8, &value, 8);
    }
    return EXEC_OK;
}

/* --- instructions ------------------------------------------------------------------------ */

enum exec_result sys_rdmsr(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t index = (uint32_t)cpu->gpr[RCX];
    uint64_t value = 0;

    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = { .cause = VTX_RDMSR, .number = index };
    TRY(sys_intercept(cpu, insn, &event));
    sys_charge(cpu, CHARGE_RDMSR);
    enum exec_result result = EXEC_OK;
    if (cpu->nonroot && is_x2apic_range(index)) {
        result = cpu->machine->vtx->virtual_apic_msr(cpu, index, false, &value);
    }
    if (result == EXEC_OK) {
        result = cpu_rdmsr(cpu, index, &value);
    } else if (result == EXEC_JUMP) {
        result = EXEC_OK; /* virtualized */
    }
    TRY(result);
    cpu->gpr[RAX] = (uint32_t)value;
    cpu->gpr[RDX] = value >> 32;
    return EXEC_OK;
}

enum exec_result sys_wrmsr(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t index = (uint32_t)cpu->gpr[RCX];
    uint64_t value = (uint32_t)cpu->gpr[RAX] | cpu->gpr[RDX] << 32;

    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = { .cause = VTX_WRMSR, .number = index, .value = value };
    TRY(sys_intercept(cpu, insn, &event));
    sys_charge(cpu, CHARGE_WRMSR);
    enum exec_result result = EXEC_OK;
    if (cpu->nonroot && is_x2apic_range(index)) {
        result = cpu->machine->vtx->virtual_apic_msr(cpu, index, true, &value);
    }
    if (result == EXEC_OK) {
        result = cpu_wrmsr(cpu, index, value);
    } else if (result == EXEC_JUMP) {
        result = EXEC_OK;
    }
    TRY(result);
    return index == 0xc0000080 || cpu->attention ? sys_leave_block(cpu, insn) : EXEC_OK;
}

static enum exec_result read_tsc_checked(struct cpu *cpu, const struct sys_insn *insn, enum vtx_cause cause)
{
    if (cpu->cr4 & CR4_TSD && cpu->cr0 & CR0_PE && cpu_cpl(cpu) != 0) {
        return sys_gp(cpu);
    }
    TRY(sys_intercept_plain(cpu, insn, cause));
    uint64_t tsc = cpu_tsc(cpu);
    cpu->gpr[RAX] = (uint32_t)tsc;
    cpu->gpr[RDX] = tsc >> 32;
    return EXEC_OK;
}

enum exec_result sys_rdtsc(struct cpu *cpu, const struct sys_insn *insn)
{
    return read_tsc_checked(cpu, insn, VTX_RDTSC);
}

enum exec_result sys_rdtscp(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(read_tsc_checked(cpu, insn, VTX_RDTSCP));
    cpu->gpr[RCX] = (uint32_t)cpu->msr.tsc_aux;
    return EXEC_OK;
}

/* There are no performance counters: every number is invalid. */
enum exec_result sys_rdpmc(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!(cpu->cr4 & CR4_PCE) && cpu->cr0 & CR0_PE && cpu_cpl(cpu) != 0) {
        return sys_gp(cpu);
    }
    TRY(sys_intercept_plain(cpu, insn, VTX_RDPMC));
    return sys_gp(cpu);
}
