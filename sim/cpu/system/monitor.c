/* MONITOR and MWAIT (SDM Vol 2 "MONITOR", "MWAIT"; Vol 3A "MONITOR/MWAIT Instruction").
 *
 * MONITOR keeps a copy of the line.  MWAIT halts the processor until an interrupt, or until the line differs from the
 * copy when a round of the machine begins: stores of the processors' turns and of devices are all seen, at the latest a
 * quantum afterwards; a store of what is there already is not.  That, and a store that was taken back within
 * the same turn, ends no wait.  In VMX non-root operation MWAIT does not wait at all, as the manual lets it.
 */
#include <string.h>

#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"

enum { LINE = sizeof(((struct cpu *)0)->monitor.bytes), ECX_BREAK = 1 };

/* The line as it is; NULL: not RAM. */
static const uint8_t *line_now(const struct cpu *cpu)
{
    return mem_ram(cpu->machine->mem, cpu->monitor.line);
}

static bool changed(const struct cpu *cpu)
{
    return memcmp(line_now(cpu), cpu->monitor.bytes, LINE) != 0;
}

/* #UD above ring 0; #GP for extensions in ECX that do not exist. */
static enum exec_result check(struct cpu *cpu, uint32_t extensions)
{
    if (cpu_cpl(cpu) != 0) {
        return cpu_raise(cpu, X_UD);
    }
    return (uint32_t)cpu->gpr[RCX] & ~extensions ? sys_gp(cpu) : EXEC_OK;
}

enum exec_result sys_monitor(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t linear, spa, ea = cpu->gpr[RAX];
    uint8_t *host;

    if (insn->address_size < 8) {
        ea = insn->address_size == 4 ? (uint32_t)ea : (uint16_t)ea;
    }
    TRY(check(cpu, 0));
    TRY(sys_intercept_plain(cpu, insn, VTX_MONITOR));
    TRY(cpu_linear(cpu, insn->segment, ea, 1, ACCESS_READ, &linear));
    TRY(mmu_fill(cpu, linear, 1, ACCESS_READ, &host, &spa));
    cpu->monitor.line = spa & ~(uint64_t)(LINE - 1);
    cpu->monitor.state = line_now(cpu) ? MONITOR_ARMED : MONITOR_OFF;
    if (cpu->monitor.state == MONITOR_ARMED) {
        memcpy(cpu->monitor.bytes, line_now(cpu), LINE);
    }
    return EXEC_OK;
}

enum exec_result sys_mwait(struct cpu *cpu, const struct sys_insn *insn)
{
    bool armed = cpu->monitor.state == MONITOR_ARMED;
    bool break_masked = cpu->gpr[RCX] & ECX_BREAK;

    TRY(check(cpu, ECX_BREAK));
    struct vtx_event event = { .cause = VTX_MWAIT, .value = armed };
    TRY(sys_intercept(cpu, insn, &event));
    cpu->monitor.state = MONITOR_OFF;
    if (!armed || cpu->nonroot || changed(cpu)) {
        return EXEC_OK;
    }
    cpu->monitor.state = break_masked ? MONITOR_WAITING_ANY : MONITOR_WAITING;
    cpu->activity = HALTED;
    return sys_leave_block(cpu, insn);
}

void cpu_monitor_look(struct cpu *cpu)
{
    if (cpu->monitor.state >= MONITOR_WAITING && changed(cpu)) {
        cpu->monitor.state = MONITOR_OFF;
        cpu->activity = ACTIVE;
    }
}
