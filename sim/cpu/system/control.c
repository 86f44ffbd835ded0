/* Control and debug registers, and the mode that follows from them. */
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/pmu.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"

#define CR0_DEFINED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* A CR4 bit without its feature is reserved: SDM Vol 3A "Control Registers". */
static const struct { uint64_t bits; enum cpu_feature feature; } cr4_bits[] = {
    { CR4_VME | CR4_PVI, CPU_VME }, { CR4_TSD, CPU_TSC }, { CR4_DE, CPU_DE }, { CR4_PSE, CPU_PSE }, { CR4_PAE, CPU_PAE },
    { CR4_MCE, CPU_MCE }, { CR4_PGE, CPU_PGE }, { CR4_PCE, CPU_ALWAYS }, { CR4_OSFXSR, CPU_FXSR }, { CR4_OSXMMEXCPT, CPU_SSE },
    { CR4_UMIP, CPU_UMIP }, { CR4_LA57, CPU_LA57 }, { CR4_FSGSBASE, CPU_FSGSBASE }, { CR4_PCIDE, CPU_PCID },
    { CR4_OSXSAVE, CPU_XSAVE }, { CR4_SMEP, CPU_SMEP }, { CR4_SMAP, CPU_SMAP }, { CR4_PKE, CPU_PKU },
};

unsigned cpu_cpl(const struct cpu *cpu)
{
    return cpu->seg[SS].rights >> SEG_DPL_SHIFT & 3;
}

/* --- mode ------------------------------------------------------------------------ */

static bool is_flat_data(const struct segment *s)
{
    return s->base == 0 && s->limit == 0xffffffffu && !(s->rights & SEG_UNUSABLE) &&
           (s->rights & (SEG_S | TYPE_CODE | TYPE_EXPAND_DOWN | TYPE_WRITABLE)) == (SEG_S | TYPE_WRITABLE);
}

static bool is_flat(const struct cpu *cpu)
{
    const struct segment *cs = &cpu->seg[CS];

    return cs->base == 0 && cs->limit == 0xffffffffu && cs->rights & TYPE_CODE && cs->rights & TYPE_READABLE &&
           is_flat_data(&cpu->seg[DS]) && is_flat_data(&cpu->seg[ES]) && is_flat_data(&cpu->seg[SS]);
}

/* SDM Vol 2 "Exceptions Type 4" and its neighbours: what else is #UD.  That there is no VEX outside protected
 * mode, the decoder knows. */
static bool avx_enabled(const struct cpu *cpu)
{
    return cpu->cr4 & CR4_OSXSAVE && (cpu->xcr0 & XSTATE_YMM) == XSTATE_YMM;
}

void cpu_update_mode(struct cpu *cpu)
{
    uint32_t mode = 0;
    uint32_t cs = cpu->seg[CS].rights;

    mode |= cpu->cr0 & CR0_PE ? MODE_PROT : 0;
    mode |= cpu->efer & EFER_LMA ? MODE_LMA : 0;
    mode |= cpu->efer & EFER_LMA && cs & SEG_L ? MODE_LONG64 | MODE_FLAT : 0;
    mode |= cs & SEG_DB && !(mode & MODE_LONG64) ? MODE_CODE32 : 0;
    mode |= cpu->nonroot ? MODE_NONROOT : 0;
    mode |= !(mode & MODE_LONG64) && mode & MODE_PROT && is_flat(cpu) ? MODE_FLAT : 0;
    mode |= !(cpu->cr0 & (CR0_EM | CR0_TS)) && cpu->cr4 & CR4_OSFXSR ? MODE_SSE_OK : 0;
    mode |= !(cpu->cr0 & (CR0_EM | CR0_TS)) ? MODE_X87_OK : 0;
    mode |= avx_enabled(cpu) && !(cpu->cr0 & CR0_TS) ? MODE_AVX_OK : 0;
    mode |= cpu_is_v86(cpu) ? MODE_V86 : 0;
    cpu->mode = mode;
    cpu->linear_spare = cpu->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;
    if (cpu->pmu_counts) {
        pmu_look_privilege(cpu);
    }
}

/* --- CR0, CR3, CR4 ------------------------------------------------------------------ */

static bool vmx_allows(const struct cpu *cpu, unsigned cr, uint64_t value)
{
    return !cpu->vtx_on || cpu->machine->vtx->cr_allowed(cpu, cr, value);
}

static bool uses_pae(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME);
}

/* SDM Vol 2 "MOV - Move to/from Control Registers": the #GP conditions for CR0. */
static bool cr0_is_valid(const struct cpu *cpu, uint64_t value)
{
    bool paging = value & CR0_PG, was_paging = cpu->cr0 & CR0_PG;

    if (value >> 32 || (paging && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD))) {
        return false;
    }
    if (paging && !was_paging && cpu->efer & EFER_LME) {
        unsigned tr_type = cpu->seg[TR].rights & SEG_TYPE;
        if (!(cpu->cr4 & CR4_PAE) || cpu->seg[CS].rights & SEG_L || tr_type == TYPE_TSS16_BUSY) {
            return false;
        }
    }
    if (!paging && was_paging && (cpu->cr4 & CR4_PCIDE || cpu->mode & MODE_LONG64)) {
        return false;
    }
    return vmx_allows(cpu, 0, value);
}

enum exec_result cpu_write_cr0(struct cpu *cpu, uint64_t value)
{
    if (!cr0_is_valid(cpu, value)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    value = (value & CR0_DEFINED) | CR0_ET;
    uint64_t changed = value ^ cpu->cr0;
    uint64_t pdpte[4];
    bool loads_pdptes = uses_pae(value, cpu->cr4, cpu->efer) && changed & (CR0_PG | CR0_CD | CR0_NW);

    if (loads_pdptes) {
        TRY(mmu_read_pdptes(cpu, cpu->cr3, pdpte));
        for (unsigned i = 0; i < 4; i++) {
            cpu->pdpte[i] = pdpte[i];
        }
    }
    cpu->cr0 = value;
    if (changed & CR0_PG && cpu->efer & EFER_LME) {
        cpu->efer = value & CR0_PG ? cpu->efer | EFER_LMA : cpu->efer & ~EFER_LMA;
    }
    cpu_update_mode(cpu);
    if (changed & (CR0_PG | CR0_PE)) {
        mmu_flush_all(cpu);
    }
    mmu_mode_changed(cpu);
    return EXEC_OK;
}

enum exec_result cpu_write_cr3(struct cpu *cpu, uint64_t value)
{
    bool pcide = cpu->cr4 & CR4_PCIDE;
    bool keep = pcide && value & CR3_KEEP;
    uint64_t pdpte[4];

    if (pcide) {
        value &= ~CR3_KEEP;
    }
    if (!(cpu->efer & EFER_LMA)) {
        value = (uint32_t)value;
    }
    if (value >> cpu_physical_bits(cpu)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    if (uses_pae(cpu->cr0, cpu->cr4, cpu->efer)) {
        TRY(mmu_read_pdptes(cpu, value, pdpte));
        for (unsigned i = 0; i < 4; i++) {
            cpu->pdpte[i] = pdpte[i];
        }
    }
    cpu->cr3 = value;
    mmu_cr3_written(cpu, keep);
    return EXEC_OK;
}

static uint64_t cr4_offered(const struct cpu *cpu)
{
    uint64_t offered = cpu->machine->config.vtx ? CR4_VMXE : 0;

    for (unsigned i = 0; i < sizeof(cr4_bits) / sizeof(cr4_bits[0]); i++) {
        offered |= cpu_has(cpu, cr4_bits[i].feature) ? cr4_bits[i].bits : 0;
    }
    return offered;
}

static bool cr4_is_valid(const struct cpu *cpu, uint64_t value)
{
    if (value & ~cr4_offered(cpu)) {
        return false;
    }
    if (cpu->efer & EFER_LMA && (!(value & CR4_PAE) || (value ^ cpu->cr4) & CR4_LA57)) {
        return false;
    }
    if (value & CR4_PCIDE && !(cpu->cr4 & CR4_PCIDE) &&
        (!(cpu->efer & EFER_LMA) || cpu->cr3 & CR3_PCID_MASK)) {
        return false;
    }
    return vmx_allows(cpu, 4, value);
}

enum exec_result cpu_write_cr4(struct cpu *cpu, uint64_t value)
{
    if (!cr4_is_valid(cpu, value)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    uint64_t changed = value ^ cpu->cr4;
    uint64_t pdpte[4];

    if (uses_pae(cpu->cr0, value, cpu->efer) && changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) {
        TRY(mmu_read_pdptes(cpu, cpu->cr3, pdpte));
        for (unsigned i = 0; i < 4; i++) {
            cpu->pdpte[i] = pdpte[i];
        }
    }
    bool flush = changed & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_LA57) || changed & cpu->cr4 & CR4_PCIDE ||
                 changed & value & CR4_SMEP;
    if (flush) {
        mmu_flush_all(cpu);
    }
    cpu->cr4 = value;
    cpu_update_mode(cpu);
    mmu_mode_changed(cpu);
    cpu_breakpoints_changed(cpu); /* CR4.DE */
    return EXEC_OK;
}

/* --- MOV CR ---------------------------------------------------------------------------- */

static unsigned control_size(const struct cpu *cpu)
{
    return sys_is_long64(cpu) ? 8 : 4;
}

/* CR8 outside 64-bit mode has a LOCK prefix, on models that take it. */
static bool cr_exists(const struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned number = insn->reg;

    return number == 0 || number == 2 || number == 3 || number == 4 || (number == 8 && (sys_is_long64(cpu) || insn->lock));
}

static uint64_t cr_value(const struct cpu *cpu, unsigned number)
{
    switch (number) {
    case 0: return cpu->cr0;
    case 2: return cpu->cr2;
    case 3: return cpu->cr3;
    case 4: return cpu->cr4;
    default: return apic_tpr(cpu) >> 4;
    }
}

enum { X2APIC_TPR = 0x808 };

enum exec_result sys_mov_from_cr(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!cr_exists(cpu, insn)) {
        return cpu_raise(cpu, X_UD);
    }
    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = {
        .cause = VTX_CR_READ, .number = insn->reg, .gpr = insn->rm, .value = cr_value(cpu, insn->reg),
    };
    sys_charge(cpu, CHARGE_MOV_CR);
    if (insn->reg != 2) {
        TRY(sys_intercept(cpu, insn, &event));
    }
    if (insn->reg == 8 && cpu->nonroot) {
        uint64_t tpr = event.value << 4;
        enum exec_result result = cpu->machine->vtx->virtual_apic_msr(cpu, X2APIC_TPR, false, &tpr);
        if (result != EXEC_OK && result != EXEC_JUMP) {
            return result;
        }
        event.value = tpr >> 4 & 0xf;
    }
    sys_gpr_write(cpu, insn->rm, control_size(cpu), event.value);
    return EXEC_OK;
}

static enum exec_result write_cr8(struct cpu *cpu, uint64_t value)
{
    if (value >> 4) {
        return sys_gp(cpu);
    }
    if (cpu->nonroot) {
        uint64_t tpr = value << 4;
        enum exec_result result = cpu->machine->vtx->virtual_apic_msr(cpu, X2APIC_TPR, true, &tpr);
        if (result != EXEC_OK) {
            return result == EXEC_JUMP ? EXEC_OK : result;
        }
    }
    apic_set_tpr(cpu, (uint8_t)(value << 4));
    return EXEC_OK;
}

enum exec_result sys_mov_to_cr(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!cr_exists(cpu, insn)) {
        return cpu_raise(cpu, X_UD);
    }
    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = {
        .cause = VTX_CR_WRITE, .number = insn->reg, .gpr = insn->rm,
        .value = sys_gpr_read(cpu, insn->rm, control_size(cpu)),
    };
    sys_charge(cpu, CHARGE_MOV_CR);
    if (insn->reg != 2) {
        TRY(sys_intercept(cpu, insn, &event));
    }
    switch (insn->reg) {
    case 0: TRY(cpu_write_cr0(cpu, event.value)); break;
    case 2: cpu->cr2 = event.value; return EXEC_OK;
    case 3: TRY(cpu_write_cr3(cpu, event.value)); break;
    case 4: TRY(cpu_write_cr4(cpu, event.value)); break;
    default: TRY(write_cr8(cpu, event.value)); break;
    }
    return sys_leave_block(cpu, insn);
}

enum exec_result sys_clts(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_CLTS));
    cpu->cr0 &= ~CR0_TS;
    cpu_update_mode(cpu);
    return sys_leave_block(cpu, insn);
}

/* SMSW sees CR0 as MOV from CR0 does, read shadow included. */
enum exec_result sys_smsw(struct cpu *cpu, const struct sys_insn *insn)
{
    struct vtx_event event = { .cause = VTX_CR_READ, .number = 0, .value = cpu->cr0, .gpr = insn->rm };

    TRY(sys_check_umip(cpu));
    TRY(sys_intercept(cpu, insn, &event));
    return sys_operand_write(cpu, insn, sys_is_register(insn) ? insn->operand_size : 2, event.value);
}

enum exec_result sys_lmsw(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t source;

    TRY(sys_require_cpl0(cpu));
    TRY(sys_operand_read(cpu, insn, 2, &source));
    struct vtx_event event = { .cause = VTX_LMSW, .value = source };
    TRY(sys_intercept(cpu, insn, &event));
    source = event.value & 0xf;
    /* "The LMSW instruction cannot clear the PE flag". */
    TRY(cpu_write_cr0(cpu, (cpu->cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | source));
    return sys_leave_block(cpu, insn);
}

/* --- MOV DR ------------------------------------------------------------------------------ */

/* The register that 'number' names: DR4 and DR5 are DR6 and DR7 without CR4.DE. */
static enum exec_result debug_register(struct cpu *cpu, unsigned *number)
{
    if (*number >= 8 || ((*number == 4 || *number == 5) && cpu->cr4 & CR4_DE)) {
        return cpu_raise(cpu, X_UD);
    }
    if (*number == 4 || *number == 5) {
        *number += 2;
    }
    return sys_require_cpl0(cpu);
}

static enum exec_result check_general_detect(struct cpu *cpu)
{
    if (!(cpu->dr7 & DR7_GD)) {
        return EXEC_OK;
    }
    cpu_raise(cpu, X_DB);
    cpu->fault.address = DR6_BD;
    return EXEC_FAULT;
}

enum exec_result sys_mov_from_dr(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned number = insn->reg;

    TRY(debug_register(cpu, &number));
    struct vtx_event event = { .cause = VTX_DR, .number = insn->reg, .gpr = insn->rm };
    TRY(sys_intercept(cpu, insn, &event));
    TRY(check_general_detect(cpu));
    uint64_t value = number < 4 ? cpu->dr[number] : number == 6 ? cpu->dr6 : cpu->dr7;
    sys_gpr_write(cpu, insn->rm, control_size(cpu), value);
    return EXEC_OK;
}

enum exec_result sys_mov_to_dr(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned number = insn->reg;
    uint64_t value = sys_gpr_read(cpu, insn->rm, control_size(cpu));

    TRY(debug_register(cpu, &number));
    struct vtx_event event = {
        .cause = VTX_DR, .number = insn->reg, .gpr = insn->rm, .write = true, .value = value,
    };
    TRY(sys_intercept(cpu, insn, &event));
    TRY(check_general_detect(cpu));
    if (number >= 6 && value >> 32) {
        return sys_gp(cpu);
    }
    if (number < 4) {
        cpu->dr[number] = value;
    } else if (number == 6) {
        cpu->dr6 = (value & (0xf | DR6_BD | DR6_BS | DR6_BT)) | DR6_FIXED;
    } else {
        cpu->dr7 = (value & 0xffff2bff) | DR7_FIXED;
    }
    if (number != 6) {
        cpu_breakpoints_changed(cpu);
    }
    return sys_leave_block(cpu, insn);
}
