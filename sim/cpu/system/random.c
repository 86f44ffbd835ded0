/* RDRAND, RDSEED, RDPID, CLZERO.
 *
 * Random numbers must repeat with the run: every processor has a generator of its own (splitmix64),
 * seeded at RESET from its number and part of its state.  It always has a number: CF = 1. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/system/sys.h"

static uint64_t next_random(struct cpu *cpu)
{
    uint64_t v = cpu->random += 0x9e3779b97f4a7c15;

    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
    v = (v ^ v >> 27) * 0x94d049bb133111eb;
    return v ^ v >> 31;
}

/* SDM Vol 2 "RDRAND": OF SF ZF AF PF are cleared. */
static enum exec_result give_random(struct cpu *cpu, const struct sys_insn *insn)
{
    sys_gpr_write(cpu, insn->rm, insn->operand_size, next_random(cpu));
    cpu_set_status_flags(cpu, FLAG_C);
    return EXEC_OK;
}

enum exec_result sys_rdrand(struct cpu *cpu, const struct sys_insn *insn)
{
    return give_random(cpu, insn);
}

enum exec_result sys_rdseed(struct cpu *cpu, const struct sys_insn *insn)
{
    return give_random(cpu, insn);
}

enum exec_result sys_rdpid(struct cpu *cpu, const struct sys_insn *insn)
{
    sys_gpr_write(cpu, insn->rm, insn->operand_size, (uint32_t)cpu->msr.tsc_aux);
    return EXEC_OK;
}

/* APM Vol 3 "CLZERO": the line around rAX. */
enum exec_result sys_clzero(struct cpu *cpu, const struct sys_insn *insn)
{
    static const uint8_t zeros[64];
    uint64_t linear, ea = cpu->gpr[RAX];

    if (insn->address_size < 8) {
        ea = insn->address_size == 4 ? (uint32_t)ea : (uint16_t)ea;
    }
    TRY(cpu_linear(cpu, insn->segment, ea & ~(uint64_t)(sizeof zeros - 1), sizeof zeros, ACCESS_WRITE, &linear));
    return cpu_write(cpu, linear, zeros, sizeof zeros);
}
