/* The VMX instructions (SDM Vol 3C "VMX Instruction Reference"), with their checks in the
 * manual's order.  INVEPT and INVVPID are in vpid.c, VMLAUNCH and VMRESUME in vmx_entry.c. */
#include <string.h>

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/timing.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"
#include "x86/opcodes.h"

enum { FEATURE_LOCK = 1 << 0, FEATURE_VMX = 1 << 2 };

/* --- outcomes ------------------------------------------------------------------ */

enum exec_result
vmx_succeed(struct cpu *cpu)
{
    cpu_set_status_flags(cpu, 0);
    return EXEC_OK;
}

enum exec_result
vmx_fail_invalid(struct cpu *cpu)
{
    cpu_set_status_flags(cpu, RFLAGS_CF);
    return EXEC_OK;
}

enum exec_result
vmx_fail(struct cpu *cpu, enum vmx_error error)
{
    if (!cpu->vmx->current) {
        return vmx_fail_invalid(cpu);
    }
    cpu->vmx->current->instruction_error = (uint64_t)error;
    cpu_set_status_flags(cpu, RFLAGS_ZF);
    return EXEC_OK;
}

/* --- operands -------------------------------------------------------------------- */

static bool
is_register(const struct sys_insn *insn)
{
    return insn->modrm >> 6 == 3;
}

static enum exec_result
read_operand(struct cpu *cpu, const struct sys_insn *insn, void *to, unsigned size)
{
    uint64_t linear;
    enum exec_result result = cpu_linear(cpu, insn->segment, insn->ea, size, ACCESS_READ, &linear);
    return result == EXEC_OK ? cpu_read(cpu, linear, to, size) : result;
}

static enum exec_result
write_operand(struct cpu *cpu, const struct sys_insn *insn, const void *from, unsigned size)
{
    uint64_t linear;
    enum exec_result result = cpu_linear(cpu, insn->segment, insn->ea, size, ACCESS_WRITE, &linear);
    return result == EXEC_OK ? cpu_write(cpu, linear, from, size) : result;
}

static bool
address_ok(const struct cpu *cpu, uint64_t address)
{
    return (address & 0xfff) == 0 && vmx_within(&cpu->vmx->caps, address);
}

/* First dword of a region; what is not RAM reads as ones. */
static uint32_t
region_revision(const struct cpu *cpu, uint64_t address)
{
    uint32_t revision = UINT32_MAX;
    mem_read(cpu->machine->mem, address, &revision, sizeof revision);
    return revision;
}

/* A VMCS region is written behind the store path's back: code that was decoded from its
 * page has to go.  Rewriting its first bytes through mem_write() says so. */
static struct vmcs *
region(struct cpu *cpu, uint64_t address)
{
    struct mem *mem = cpu->machine->mem;
    uint8_t *host = mem_ram_write(mem, address);
    if (host && mem_code_map(mem)[mem_page_index(address)]) {
        uint32_t revision = region_revision(cpu, address);
        mem_write(mem, address, &revision, sizeof revision);
    }
    return (struct vmcs *)(void *)host;
}

/* --- checks common to all but VMXON, VMCALL and VMFUNC ------------------------------- */

static bool
wrong_mode(const struct cpu *cpu)
{
    bool compatibility = (cpu->efer & EFER_LMA) && !(cpu->seg[CS].rights & SEG_L);
    return !(cpu->cr0 & CR0_PE) || (cpu->rflags_rest & RFLAGS_VM) || compatibility;
}

/* --- VMXON and VMXOFF ----------------------------------------------------------------- */

static bool
may_vmxon(const struct cpu *cpu)
{
    const struct vmx_caps *caps = &cpu->vmx->caps;
    bool cr0 = (cpu->cr0 & caps->cr0_fixed0) == caps->cr0_fixed0 && !(cpu->cr0 & ~caps->cr0_fixed1);
    bool cr4 = (cpu->cr4 & caps->cr4_fixed0) == caps->cr4_fixed0 && !(cpu->cr4 & ~caps->cr4_fixed1);
    uint64_t need = FEATURE_LOCK | FEATURE_VMX;
    return cpu_cpl(cpu) == 0 && cr0 && cr4 && (cpu->msr.feature_control & need) == need;
}

static enum exec_result
vmxon_outside(struct cpu *cpu, const struct sys_insn *insn)
{
    struct vmx *vmx = cpu->vmx;
    uint64_t address;
    if (!may_vmxon(cpu)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    enum exec_result result = read_operand(cpu, insn, &address, sizeof address);
    if (result != EXEC_OK) {
        return result;
    }
    /* The revision word must match whole: bit 31 has to be 0. */
    if (!address_ok(cpu, address) || region_revision(cpu, address) != VMCS_REVISION) {
        return vmx_fail_invalid(cpu);
    }
    vmx->vmxon = address;
    vmx->address = VMCS_NONE;
    vmx->current = NULL;
    vmx->epoch++;
    cpu->vtx_on = true;
    return vmx_succeed(cpu);
}

static enum exec_result
vmxon(struct cpu *cpu, const struct sys_insn *insn)
{
    if (is_register(insn) || !(cpu->cr4 & CR4_VMXE) || wrong_mode(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    if (!cpu->vtx_on) {
        return vmxon_outside(cpu, insn);
    }
    if (cpu->nonroot) {
        return vmx_exit_operand(cpu, VMX_EXIT_REASON_VMXON, insn, vmx_info_memory(insn));
    }
    return cpu_cpl(cpu) ? cpu_raise_error(cpu, X_GP, 0) : vmx_fail(cpu, VMX_ERROR_VMXON_IN_ROOT);
}

static enum exec_result
vmxoff(struct cpu *cpu)
{
    struct vmx *vmx = cpu->vmx;
    vmx->vmxon = VMCS_NONE;
    vmx->address = VMCS_NONE;
    vmx->current = NULL;
    cpu->vtx_on = false;
    cpu_attend(cpu, cpu->attention & ATTN_INIT); /* an INIT held back in root operation */
    return vmx_succeed(cpu);
}

/* --- VMCS pointers ------------------------------------------------------------------------ */

/* The operand: a region that is not the VMXON region.  False: '*result' is how the instruction ends. */
static bool
read_pointer(struct cpu *cpu, const struct sys_insn *insn, enum vmx_error bad_address, enum vmx_error is_vmxon,
             uint64_t *address, enum exec_result *result)
{
    *result = read_operand(cpu, insn, address, sizeof *address);
    if (*result != EXEC_OK) {
        return false;
    }
    if (!address_ok(cpu, *address)) {
        *result = vmx_fail(cpu, bad_address);
        return false;
    }
    if (*address == cpu->vmx->vmxon) {
        *result = vmx_fail(cpu, is_vmxon);
        return false;
    }
    return true;
}

static enum exec_result
vmclear(struct cpu *cpu, const struct sys_insn *insn)
{
    struct vmx *vmx = cpu->vmx;
    uint64_t address;
    enum exec_result result;
    if (!read_pointer(cpu, insn, VMX_ERROR_VMCLEAR_ADDRESS, VMX_ERROR_VMCLEAR_VMXON, &address, &result)) {
        return result;
    }
    struct vmcs *v = region(cpu, address);
    if (v) {
        vmcs_clear(v);
    }
    if (address == vmx->address) {
        vmx->address = VMCS_NONE;
        vmx->current = NULL;
    }
    return vmx_succeed(cpu);
}

static enum exec_result
vmptrld(struct cpu *cpu, const struct sys_insn *insn)
{
    struct vmx *vmx = cpu->vmx;
    uint64_t address;
    enum exec_result result;
    if (!read_pointer(cpu, insn, VMX_ERROR_VMPTRLD_ADDRESS, VMX_ERROR_VMPTRLD_VMXON, &address, &result)) {
        return result;
    }
    if (region_revision(cpu, address) != VMCS_REVISION) { /* bit 31: no shadowing */
        return vmx_fail(cpu, VMX_ERROR_VMPTRLD_REVISION);
    }
    vmx->address = address;
    vmx->current = region(cpu, address);
    return vmx_succeed(cpu);
}

static enum exec_result
vmptrst(struct cpu *cpu, const struct sys_insn *insn)
{
    enum exec_result result = write_operand(cpu, insn, &cpu->vmx->address, sizeof cpu->vmx->address);
    return result == EXEC_OK ? vmx_succeed(cpu) : result;
}

/* --- VMREAD and VMWRITE ---------------------------------------------------------------------- */

/* The slot behind an encoding, or SLOT_NONE when this processor has no such field. */
static enum vmcs_slot
find_field(const struct cpu *cpu, uint64_t encoding)
{
    enum vmcs_slot slot = vmcs_field_find(encoding);
    return slot != SLOT_NONE && vmx_caps_field(&cpu->vmx->caps, slot) ? slot : SLOT_NONE;
}

/* The register that names the field: 32 bits of it outside 64-bit mode. */
static uint64_t
field_encoding(const struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t encoding = cpu->gpr[insn->reg];
    return vmx_in_64bit_mode(cpu) ? encoding : (uint32_t)encoding;
}

static enum exec_result
vmread(struct cpu *cpu, const struct sys_insn *insn)
{
    bool full64 = vmx_in_64bit_mode(cpu);
    if (!cpu->vmx->current) {
        return vmx_fail_invalid(cpu);
    }
    uint64_t encoding = field_encoding(cpu, insn);
    enum vmcs_slot slot = find_field(cpu, encoding);
    if (slot == SLOT_NONE) {
        return vmx_fail(cpu, VMX_ERROR_UNSUPPORTED_FIELD);
    }
    uint64_t value = vmcs_read(cpu->vmx->current, encoding, slot, full64);
    if (is_register(insn)) {
        cpu->gpr[insn->rm] = value;
    } else {
        enum exec_result result = write_operand(cpu, insn, &value, full64 ? 8 : 4);
        if (result != EXEC_OK) {
            return result;
        }
    }
    time_charge(cpu, CHARGE_VMREAD, 1);
    return vmx_succeed(cpu);
}

static enum exec_result
vmwrite(struct cpu *cpu, const struct sys_insn *insn)
{
    bool full64 = vmx_in_64bit_mode(cpu);
    uint64_t value = 0;
    if (!cpu->vmx->current) {
        return vmx_fail_invalid(cpu);
    }
    if (is_register(insn)) {
        value = cpu->gpr[insn->rm];
    } else {
        enum exec_result result = read_operand(cpu, insn, &value, full64 ? 8 : 4);
        if (result != EXEC_OK) {
            return result;
        }
    }
    uint64_t encoding = field_encoding(cpu, insn);
    enum vmcs_slot slot = find_field(cpu, encoding);
    if (slot == SLOT_NONE) {
        return vmx_fail(cpu, VMX_ERROR_UNSUPPORTED_FIELD);
    }
    if (vmcs_field_info(slot)->type == VMCS_INFO) { /* IA32_VMX_MISC[29] is 0 */
        return vmx_fail(cpu, VMX_ERROR_VMWRITE_READ_ONLY);
    }
    vmcs_write(cpu->vmx->current, encoding, slot, value, full64);
    time_charge(cpu, CHARGE_VMWRITE, 1);
    return vmx_succeed(cpu);
}

/* --- VMCALL --------------------------------------------------------------------------------- */

static enum exec_result
vmcall(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!cpu->vtx_on) {
        return cpu_raise(cpu, X_UD);
    }
    if (cpu->nonroot) { /* in every mode and at every privilege level */
        return vmx_exit_insn(cpu, VMX_EXIT_REASON_VMCALL, insn, 0);
    }
    if (wrong_mode(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    return cpu_cpl(cpu) ? cpu_raise_error(cpu, X_GP, 0) : vmx_fail(cpu, VMX_ERROR_VMCALL_IN_ROOT);
}

/* --- dispatch ----------------------------------------------------------------------------------- */

static enum exec_result
exit_of(struct cpu *cpu, const struct sys_insn *insn)
{
    switch (insn->op) {
    case OP_VMCLEAR: return vmx_exit_operand(cpu, VMX_EXIT_REASON_VMCLEAR, insn, vmx_info_memory(insn));
    case OP_VMPTRLD: return vmx_exit_operand(cpu, VMX_EXIT_REASON_VMPTRLD, insn, vmx_info_memory(insn));
    case OP_VMPTRST: return vmx_exit_operand(cpu, VMX_EXIT_REASON_VMPTRST, insn, vmx_info_memory(insn));
    case OP_VMREAD: return vmx_exit_operand(cpu, VMX_EXIT_REASON_VMREAD, insn, vmx_info_field(insn));
    case OP_VMWRITE: return vmx_exit_operand(cpu, VMX_EXIT_REASON_VMWRITE, insn, vmx_info_field(insn));
    case OP_INVEPT: return vmx_exit_operand(cpu, VMX_EXIT_REASON_INVEPT, insn, vmx_info_invalidate(insn));
    case OP_INVVPID: return vmx_exit_operand(cpu, VMX_EXIT_REASON_INVVPID, insn, vmx_info_invalidate(insn));
    case OP_VMLAUNCH: return vmx_exit_insn(cpu, VMX_EXIT_REASON_VMLAUNCH, insn, 0);
    case OP_VMRESUME: return vmx_exit_insn(cpu, VMX_EXIT_REASON_VMRESUME, insn, 0);
    case OP_VMXOFF: return vmx_exit_insn(cpu, VMX_EXIT_REASON_VMXOFF, insn, 0);
    default: return cpu_raise(cpu, X_UD);
    }
}

static bool
needs_memory(uint16_t op)
{
    return op == OP_VMCLEAR || op == OP_VMPTRLD || op == OP_VMPTRST || op == OP_INVEPT || op == OP_INVVPID;
}

static enum exec_result
act(struct cpu *cpu, const struct sys_insn *insn)
{
    switch (insn->op) {
    case OP_VMXOFF: return vmxoff(cpu);
    case OP_VMCLEAR: return vmclear(cpu, insn);
    case OP_VMPTRLD: return vmptrld(cpu, insn);
    case OP_VMPTRST: return vmptrst(cpu, insn);
    case OP_VMREAD: return vmread(cpu, insn);
    case OP_VMWRITE: return vmwrite(cpu, insn);
    case OP_VMLAUNCH: return vmx_enter(cpu, true);
    case OP_VMRESUME: return vmx_enter(cpu, false);
    case OP_INVEPT: return vmx_invept(cpu, insn);
    case OP_INVVPID: return vmx_invvpid(cpu, insn);
    default: return cpu_raise(cpu, X_UD);
    }
}

enum exec_result
vmx_execute(struct cpu *cpu, const struct sys_insn *insn)
{
    if (insn->op == OP_VMXON) {
        return vmxon(cpu, insn);
    }
    if (insn->op == OP_VMCALL) {
        return vmcall(cpu, insn);
    }
    bool unknown = insn->op == OP_VMFUNC; /* not offered: #UD everywhere */
    if (unknown || (needs_memory(insn->op) && is_register(insn)) || !cpu->vtx_on || wrong_mode(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    if (cpu->nonroot) {
        return exit_of(cpu, insn);
    }
    return cpu_cpl(cpu) ? cpu_raise_error(cpu, X_GP, 0) : act(cpu, insn);
}
