/* Control registers through masks, shadows and targets (SDM Vol 3C "Changes to Instruction
 * Behavior in VMX Non-Root Operation", "Exit Qualification for Control-Register Accesses"). */
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

enum access { TO_CR, FROM_CR, CLTS, LMSW };

/* 3:0 register, 5:4 access, 6 LMSW from memory, 11:8 general register, 31:16 LMSW source. */
static uint64_t
qualification(unsigned number, enum access access, unsigned gpr)
{
    return number | (uint64_t)access << 4 | (uint64_t)gpr << 8;
}

static enum exec_result
exit_cr(struct cpu *cpu, const struct vtx_event *ev, enum access access)
{
    return vmx_exit_insn(cpu, VMX_EXIT_REASON_CR_ACCESS, ev->insn, qualification(ev->number, access, ev->gpr));
}

static enum exec_result
read_cr(struct cpu *cpu, struct vtx_event *ev)
{
    const struct vmcs *v = cpu->vmx->current;
    uint32_t primary = cpu->vmx->guest.primary;
    switch (ev->number) {
    case 0: ev->value = (v->cr0_shadow & v->cr0_mask) | (cpu->cr0 & ~v->cr0_mask); break;
    case 4: ev->value = (v->cr4_shadow & v->cr4_mask) | (cpu->cr4 & ~v->cr4_mask); break;
    case 3: return primary & VMX_PRIMARY_CR3_STORE ? exit_cr(cpu, ev, FROM_CR) : EXEC_OK;
    case 8:
        if (primary & VMX_PRIMARY_CR8_STORE) {
            return exit_cr(cpu, ev, FROM_CR);
        }
        if (primary & VMX_PRIMARY_TPR_SHADOW) {
            ev->value = vmx_apic_read(cpu, 0x80) >> 4 & 0xf;
        }
        break;
    }
    return EXEC_OK;
}

/* The whole operand is compared, bit 63 (no flush) included. */
static bool
is_target(const struct vmcs *v, uint64_t value)
{
    for (unsigned i = 0; i < v->cr3_target_count; i++) {
        if (v->slot[SLOT_CR3_TARGET0 + i] == value) {
            return true;
        }
    }
    return false;
}

static enum exec_result
write_masked(struct cpu *cpu, struct vtx_event *ev, uint64_t now, uint64_t mask, uint64_t shadow)
{
    if ((ev->value ^ shadow) & mask) {
        return exit_cr(cpu, ev, TO_CR);
    }
    ev->value = (now & mask) | (ev->value & ~mask);
    return EXEC_OK;
}

/* Bits 63:4 of the source are reserved for MOV to CR8. */
static enum exec_result
write_cr8(struct cpu *cpu, struct vtx_event *ev)
{
    uint32_t primary = cpu->vmx->guest.primary;
    if (primary & VMX_PRIMARY_CR8_LOAD) {
        return exit_cr(cpu, ev, TO_CR);
    }
    if (!(primary & VMX_PRIMARY_TPR_SHADOW)) {
        return EXEC_OK;
    }
    if (ev->value >> 4) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    cpu->rip = ev->insn->next_rip;
    vmx_apic_set_tpr(cpu, (uint8_t)(ev->value << 4));
    return EXEC_JUMP;
}

static enum exec_result
write_cr(struct cpu *cpu, struct vtx_event *ev)
{
    const struct vmcs *v = cpu->vmx->current;
    switch (ev->number) {
    case 0: return write_masked(cpu, ev, cpu->cr0, v->cr0_mask, v->cr0_shadow);
    case 4: return write_masked(cpu, ev, cpu->cr4, v->cr4_mask, v->cr4_shadow);
    case 3: {
        bool exits = (cpu->vmx->guest.primary & VMX_PRIMARY_CR3_LOAD) && !is_target(v, ev->value);
        return exits ? exit_cr(cpu, ev, TO_CR) : EXEC_OK;
    }
    case 8: return write_cr8(cpu, ev);
    }
    return EXEC_OK;
}

/* Mask and shadow 1: exit.  Mask 1, shadow 0: nothing happens.  Mask 0: clears TS. */
static enum exec_result
clts(struct cpu *cpu, struct vtx_event *ev)
{
    const struct vmcs *v = cpu->vmx->current;
    if (!(v->cr0_mask & CR0_TS)) {
        return EXEC_OK;
    }
    if (v->cr0_shadow & CR0_TS) {
        return vmx_exit_insn(cpu, VMX_EXIT_REASON_CR_ACCESS, ev->insn, qualification(0, CLTS, 0));
    }
    cpu->rip = ev->insn->next_rip;
    return EXEC_JUMP;
}

static enum exec_result
exit_lmsw(struct cpu *cpu, const struct vtx_event *ev)
{
    bool memory = ev->insn->modrm >> 6 != 3;
    const struct segment *s = &cpu->seg[ev->insn->segment];
    bool flat = vmx_in_64bit_mode(cpu) && ev->insn->segment != FS && ev->insn->segment != GS;
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_CR_ACCESS,
        .qualification = qualification(0, LMSW, 0) | (memory ? 1u << 6 : 0) | (ev->value & 0xffff) << 16,
        .length = ev->insn->length,
        .linear = memory ? ev->insn->ea + (flat ? 0 : s->base) : 0,
    };
    return vmx_exit(cpu, &x);
}

/* Only the low four bits count, and PE can only be set. */
static enum exec_result
lmsw(struct cpu *cpu, struct vtx_event *ev)
{
    const struct vmcs *v = cpu->vmx->current;
    uint64_t others = CR0_MP | CR0_EM | CR0_TS;
    bool sets_pe = (ev->value & CR0_PE) && !(v->cr0_shadow & CR0_PE) && (v->cr0_mask & CR0_PE);
    if (sets_pe || ((ev->value ^ v->cr0_shadow) & v->cr0_mask & others)) {
        return exit_lmsw(cpu, ev);
    }
    uint64_t keep = v->cr0_mask & 0xf;
    ev->value = (ev->value & ~keep) | (cpu->cr0 & keep);
    return EXEC_OK;
}

enum exec_result
vmx_intercept_cr(struct cpu *cpu, struct vtx_event *ev)
{
    switch (ev->cause) {
    case VTX_CR_READ: return read_cr(cpu, ev);
    case VTX_CR_WRITE: return write_cr(cpu, ev);
    case VTX_CLTS: return clts(cpu, ev);
    default: return lmsw(cpu, ev);
    }
}
