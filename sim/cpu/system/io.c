/* IN, OUT, INS, OUTS: SDM Vol 1 "Protected-Mode I/O". */
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"

enum { TSS_IO_MAP_BASE = 102 };

/* IOPL, else the permission bitmap of the TSS. */
static enum exec_result check_permission(struct cpu *cpu, uint16_t port, unsigned size)
{
    unsigned iopl = cpu->rflags_rest >> RFLAGS_IOPL_SHIFT & 3;
    const struct segment *tr = &cpu->seg[TR];
    uint16_t map, bits;

    if (!(cpu->cr0 & CR0_PE) || (!cpu_is_v86(cpu) && cpu_cpl(cpu) <= iopl)) {
        return EXEC_OK; /* in virtual-8086 mode the bitmap alone decides */
    }
    if ((tr->rights & SEG_TYPE) < TYPE_TSS || tr->rights & SEG_UNUSABLE || TSS_IO_MAP_BASE + 1 > tr->limit) {
        return sys_gp(cpu);
    }
    TRY(cpu_read_system(cpu, tr->base + TSS_IO_MAP_BASE, &map, 2));
    uint32_t offset = map + port / 8u;
    if (offset + 1 > tr->limit) {
        return sys_gp(cpu);
    }
    TRY(cpu_read_system(cpu, tr->base + offset, &bits, 2));
    return bits >> (port & 7) & ((1u << size) - 1) ? sys_gp(cpu) : EXEC_OK;
}

static bool is_immediate(const struct sys_insn *insn)
{
    return insn->opcode >= 0xe4 && insn->opcode <= 0xe7;
}

/* Operands are at most four bytes wide, REX.W or not. */
static unsigned io_size(const struct sys_insn *insn)
{
    return insn->opcode & 1 ? insn->operand_size > 4 ? 4 : insn->operand_size : 1;
}

static uint16_t io_port(const struct cpu *cpu, const struct sys_insn *insn)
{
    return is_immediate(insn) ? (uint8_t)insn->imm : (uint16_t)cpu->gpr[RDX];
}

static enum exec_result begin(struct cpu *cpu, const struct sys_insn *insn, bool write, uint64_t value)
{
    uint16_t port = io_port(cpu, insn);
    unsigned size = io_size(insn);

    TRY(check_permission(cpu, port, size));
    struct vtx_event event = {
        .cause = VTX_IO, .number = port, .size = (uint8_t)size, .write = write, .value = value,
        .immediate = is_immediate(insn),
    };
    return sys_intercept(cpu, insn, &event);
}

enum exec_result sys_in(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(begin(cpu, insn, false, cpu->gpr[RAX]));
    sys_charge(cpu, CHARGE_PORT_IN);
    cpu_breakpoint_port(cpu, io_port(cpu, insn), io_size(insn));
    uint64_t value = mem_port_read(cpu->machine->mem, io_port(cpu, insn), io_size(insn));
    sys_gpr_write(cpu, RAX, io_size(insn), value);
    return EXEC_OK;
}

enum exec_result sys_out(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned size = io_size(insn);

    TRY(begin(cpu, insn, true, cpu->gpr[RAX]));
    sys_charge(cpu, CHARGE_PORT_OUT);
    cpu_breakpoint_port(cpu, io_port(cpu, insn), size);
    mem_port_write(cpu->machine->mem, io_port(cpu, insn), size, sys_gpr_read(cpu, RAX, size));
    return cpu->attention ? sys_leave_block(cpu, insn) : EXEC_OK;
}

/* --- strings ------------------------------------------------------------------------ */

static uint64_t address_mask(const struct sys_insn *insn)
{
    return insn->address_size == 8 ? ~0ull : insn->address_size == 4 ? 0xffffffffull : 0xffffull;
}

/* RSI or RDI by DF; 32-bit registers are zero-extended, 16-bit ones merged. */
static void advance(struct cpu *cpu, const struct sys_insn *insn, unsigned gpr, int64_t by)
{
    sys_gpr_write(cpu, gpr, insn->address_size, cpu->gpr[gpr] + (uint64_t)by);
}

static enum exec_result intercept_string(struct cpu *cpu, const struct sys_insn *insn, unsigned segment,
                                         uint64_t ea, bool write)
{
    bool has_base = !sys_is_long64(cpu) || segment == FS || segment == GS;
    struct vtx_event event = {
        .cause = VTX_IO, .number = (uint16_t)cpu->gpr[RDX], .size = (uint8_t)io_size(insn), .write = write,
        .string = true, .rep = insn->rep || insn->repne, .value = (has_base ? cpu->seg[segment].base : 0) + ea,
    };
    return sys_intercept(cpu, insn, &event);
}

/* After one element: the rest of a REP string runs at the next look-up. */
static enum exec_result next_element(struct cpu *cpu, const struct sys_insn *insn, unsigned gpr)
{
    int64_t step = io_size(insn);

    advance(cpu, insn, gpr, cpu_rflags(cpu) & RFLAGS_DF ? -step : step);
    if (!insn->rep && !insn->repne) {
        return EXEC_OK;
    }
    advance(cpu, insn, RCX, -1);
    return cpu->gpr[RCX] & address_mask(insn) ? EXEC_REPEAT : EXEC_OK;
}

static bool is_done(const struct cpu *cpu, const struct sys_insn *insn)
{
    return (insn->rep || insn->repne) && !(cpu->gpr[RCX] & address_mask(insn));
}

enum exec_result sys_ins(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned size = io_size(insn);
    uint16_t port = (uint16_t)cpu->gpr[RDX];
    uint64_t ea = cpu->gpr[RDI] & address_mask(insn), linear;

    if (is_done(cpu, insn)) {
        return EXEC_OK;
    }
    TRY(check_permission(cpu, port, size));
    TRY(intercept_string(cpu, insn, ES, ea, false));
    TRY(cpu_linear(cpu, ES, ea, size, ACCESS_WRITE, &linear));
    TRY(mmu_probe_write(cpu, linear, size, false)); /* a read of the port cannot be undone */
    sys_charge(cpu, CHARGE_PORT_IN);
    cpu_breakpoint_port(cpu, port, size);
    uint64_t value = mem_port_read(cpu->machine->mem, port, size);
    TRY(cpu_write(cpu, linear, &value, size));
    return next_element(cpu, insn, RDI);
}

enum exec_result sys_outs(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned size = io_size(insn);
    uint16_t port = (uint16_t)cpu->gpr[RDX];
    uint64_t ea = cpu->gpr[RSI] & address_mask(insn), linear, value = 0;

    if (is_done(cpu, insn)) {
        return EXEC_OK;
    }
    TRY(check_permission(cpu, port, size));
    TRY(intercept_string(cpu, insn, insn->segment, ea, true));
    TRY(cpu_linear(cpu, insn->segment, ea, size, ACCESS_READ, &linear));
    TRY(cpu_read(cpu, linear, &value, size));
    sys_charge(cpu, CHARGE_PORT_OUT);
    cpu_breakpoint_port(cpu, port, size);
    mem_port_write(cpu->machine->mem, port, size, value);
    return next_element(cpu, insn, RSI);
}
