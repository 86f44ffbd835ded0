/* VM-exit instruction information and displacement qualification (SDM Vol 3C "Information
 * for VM Exits Due to Instruction Execution"). */
#include "sim/vtx/vmx/vmx_priv.h"

enum { NONE = 0xff }; /* sys_insn: no base or index register */

static bool
is_register(const struct sys_insn *insn)
{
    return insn->modrm >> 6 == 3;
}

static uint32_t
address_size_code(const struct sys_insn *insn)
{
    return insn->address_size == 8 ? 2 : insn->address_size == 4 ? 1 : 0;
}

/* 1:0 scale, 9:7 address size, 17:15 segment, 21:18 index, 22 none, 26:23 base, 27 none. */
uint32_t
vmx_info_memory(const struct sys_insn *insn)
{
    uint32_t info = address_size_code(insn) << 7 | (uint32_t)insn->segment << 15;
    if (insn->index == NONE) {
        info |= 1u << 22;
    } else {
        info |= insn->scale | (uint32_t)insn->index << 18;
    }
    return info | (insn->base == NONE ? 1u << 27 : (uint32_t)insn->base << 23);
}

uint32_t
vmx_info_invalidate(const struct sys_insn *insn)
{
    return vmx_info_memory(insn) | (uint32_t)insn->reg << 28;
}

uint32_t
vmx_info_field(const struct sys_insn *insn)
{
    uint32_t operand = is_register(insn) ? 1u << 10 | (uint32_t)insn->rm << 3 : vmx_info_memory(insn);
    return operand | (uint32_t)insn->reg << 28;
}

uint32_t
vmx_info_gdtr(const struct cpu *cpu, const struct sys_insn *insn, unsigned which)
{
    uint32_t wide = !vmx_in_64bit_mode(cpu) && insn->operand_size != 2 ? 1u << 11 : 0;
    return vmx_info_memory(insn) | wide | which << 28;
}

uint32_t
vmx_info_ldtr(const struct sys_insn *insn, unsigned which)
{
    uint32_t operand = is_register(insn) ? 1u << 10 | (uint32_t)insn->rm << 3 : vmx_info_memory(insn);
    return operand | which << 28;
}

uint32_t
vmx_info_string(const struct sys_insn *insn)
{
    return address_size_code(insn) << 7 | (uint32_t)insn->segment << 15;
}

/* "Displacement"; for RIP-relative operands the address itself. */
uint64_t
vmx_displacement(const struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t displacement = (uint64_t)(int64_t)insn->disp;
    if (is_register(insn)) {
        return 0;
    }
    if (vmx_in_64bit_mode(cpu) && (insn->modrm & 0xc7) == 0x05) {
        return displacement + insn->next_rip;
    }
    return displacement;
}
