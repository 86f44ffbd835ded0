/* Operands, privilege, intercepts and the stack for system instructions. */
#include "sim/cpu/system/sys.h"

#include <inttypes.h>
#include <string.h>

#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "sim/machine.h"

uint64_t sys_gpr_read(const struct cpu *cpu, unsigned gpr, unsigned size)
{
    uint64_t value = cpu->gpr[gpr];

    return size == 8 ? value : value & ((1ull << size * 8) - 1);
}

void sys_gpr_write(struct cpu *cpu, unsigned gpr, unsigned size, uint64_t value)
{
    if (size >= 4) {
        cpu->gpr[gpr] = size == 8 ? value : (uint32_t)value;
    } else {
        memcpy(&cpu->gpr[gpr], &value, size); /* little-endian: the low bytes */
    }
}

/* The parts of an operand (offset and selector of a pointer) wrap within the address size like the operand itself. */
static uint64_t part_at(const struct sys_insn *insn, unsigned offset)
{
    uint64_t mask = insn->address_size == 2 ? 0xffffull : insn->address_size == 4 ? 0xffffffffull : ~0ull;

    return (insn->ea + offset) & mask;
}

enum exec_result sys_memory_read(struct cpu *cpu, const struct sys_insn *insn, unsigned offset, void *to,
                                 unsigned size)
{
    uint64_t linear;

    TRY(cpu_linear(cpu, insn->segment, part_at(insn, offset), size, ACCESS_READ, &linear));
    return cpu_read(cpu, linear, to, size);
}

enum exec_result sys_memory_write(struct cpu *cpu, const struct sys_insn *insn, unsigned offset,
                                  const void *from, unsigned size)
{
    uint64_t linear;

    TRY(cpu_linear(cpu, insn->segment, part_at(insn, offset), size, ACCESS_WRITE, &linear));
    return cpu_write(cpu, linear, from, size);
}

enum exec_result sys_operand_read(struct cpu *cpu, const struct sys_insn *insn, unsigned size, uint64_t *value)
{
    *value = 0;
    if (sys_is_register(insn)) {
        *value = sys_gpr_read(cpu, insn->rm, size);
        return EXEC_OK;
    }
    return sys_memory_read(cpu, insn, 0, value, size);
}

enum exec_result sys_operand_write(struct cpu *cpu, const struct sys_insn *insn, unsigned size, uint64_t value)
{
    if (sys_is_register(insn)) {
        sys_gpr_write(cpu, insn->rm, size, value);
        return EXEC_OK;
    }
    return sys_memory_write(cpu, insn, 0, &value, size);
}

enum exec_result sys_require_cpl0(struct cpu *cpu)
{
    return cpu_cpl(cpu) == 0 ? EXEC_OK : sys_gp(cpu);
}

/* SDM Vol 3A "Control Registers", CR4.UMIP: SGDT, SIDT, SLDT, SMSW and STR are the kernel's. */
enum exec_result sys_check_umip(struct cpu *cpu)
{
    return cpu->cr4 & CR4_UMIP && cpu_cpl(cpu) != 0 ? sys_gp(cpu) : EXEC_OK;
}

enum exec_result sys_intercept(struct cpu *cpu, const struct sys_insn *insn, struct vtx_event *event)
{
    if (!cpu->nonroot) {
        return EXEC_OK;
    }
    event->insn = insn;
    enum exec_result result = cpu->machine->vtx->intercept(cpu, event);
    if (result == EXEC_JUMP) {
        cpu->rip = insn->next_rip;
    }
    return result;
}

enum exec_result sys_intercept_plain(struct cpu *cpu, const struct sys_insn *insn, enum vtx_cause cause)
{
    struct vtx_event event = { .cause = cause };

    return sys_intercept(cpu, insn, &event);
}

void sys_charge(struct cpu *cpu, enum charge_kind kind)
{
    if (cpu->machine->timing) {
        time_charge(cpu, kind, 1);
    }
}

enum exec_result sys_leave_block(struct cpu *cpu, const struct sys_insn *insn)
{
    cpu->rip = insn->next_rip;
    return EXEC_JUMP;
}

/* --- stack --------------------------------------------------------------------- */

static uint64_t stack_at(const struct cpu *cpu, int at)
{
    return (cpu->gpr[RSP] + (uint64_t)(int64_t)at) & seg_stack_mask(cpu, &cpu->seg[SS]);
}

enum exec_result sys_stack_read(struct cpu *cpu, int at, void *to, unsigned size)
{
    uint64_t linear;

    TRY(cpu_linear(cpu, SS, stack_at(cpu, at), size, ACCESS_READ, &linear));
    return cpu_read(cpu, linear, to, size);
}

enum exec_result sys_stack_write(struct cpu *cpu, int at, const void *from, unsigned size)
{
    uint64_t linear;

    TRY(cpu_linear(cpu, SS, stack_at(cpu, at), size, ACCESS_WRITE, &linear));
    return cpu_write(cpu, linear, from, size);
}

enum exec_result sys_stack_probe_words(struct cpu *cpu, unsigned count, unsigned width)
{
    int size = (int)(count * width);
    uint64_t linear;

    for (int at = size - (int)width; at >= 0; at -= (int)width) { /* in the order of pushes: so they fault */
        TRY(cpu_linear(cpu, SS, stack_at(cpu, at - size), width, ACCESS_WRITE, &linear));
        TRY(mmu_probe_write(cpu, linear, width, false));
    }
    return EXEC_OK;
}

enum exec_result sys_stack_write_words(struct cpu *cpu, const void *frame, unsigned count, unsigned width)
{
    int size = (int)(count * width);

    TRY(sys_stack_probe_words(cpu, count, width));
    for (int at = 0; at < size; at += (int)width) {
        TRY(sys_stack_write(cpu, at - size, (const uint8_t *)frame + at, width));
    }
    return EXEC_OK;
}

void sys_stack_move(struct cpu *cpu, int by)
{
    uint64_t mask = seg_stack_mask(cpu, &cpu->seg[SS]);

    cpu->gpr[RSP] = (cpu->gpr[RSP] & ~mask) | stack_at(cpu, by);
}

/* --- flags ----------------------------------------------------------------------- */

void sys_set_zf(struct cpu *cpu, bool zf)
{
    cpu_set_rflags(cpu, (cpu_rflags(cpu) & ~RFLAGS_ZF) | (zf ? RFLAGS_ZF : 0));
}

enum exec_result sys_rflags_changed(struct cpu *cpu, const struct sys_insn *insn, uint64_t old)
{
    uint64_t now = cpu->rflags_rest, changed = (old ^ now) & ~RFLAGS_STATUS;

    if (changed & RFLAGS_AC) {
        mmu_mode_changed(cpu);
    }
    if (changed & now & RFLAGS_IF) {
        cpu_event_recheck(cpu);
    }
    if (cpu->nonroot && changed & RFLAGS_IF) {
        cpu_attend(cpu, ATTN_VTX); /* interrupt windows */
    }
    bool look = changed & (RFLAGS_AC | RFLAGS_TF) || (changed & RFLAGS_IF && cpu->attention);
    return look ? sys_leave_block(cpu, insn) : EXEC_OK;
}

enum exec_result sys_unimplemented(struct cpu *cpu, const char *what)
{
    machine_request_stop(cpu->machine, STOP_UNIMPLEMENTED, 0, "cpu%u at rip %#" PRIx64 ": %s is not implemented",
                         cpu->index, cpu->rip, what);
    return EXEC_STOP;
}
