/* System state of a processor: life, descriptors, MSRs, CPUID, and every `sys_*` instruction.
 *
 * The files follow the manual's chapters: segment (descriptor loads), transfer (far CALL, JMP, RET,
 * IRET), task (task switches), v86, syscall, control (CR, DR), msr, cpuid, io, flags, fx (FXSAVE), misc.  Each `sys_*`
 * function executes one instruction form: it checks in the order of SDM Vol 3C "Relative Priority of
 * Faults and VM Exits", asks vtx->intercept in non-root operation, and commits last.
 */
#ifndef SIM_CPU_SYSTEM_SYSTEM_H
#define SIM_CPU_SYSTEM_SYSTEM_H

#include "sim/cpu/cpu.h"
#include "spec/x86/system.h"

/* Virtual-8086 mode; and the rules of protected mode: selectors, descriptors, privilege. */
static inline bool cpu_is_v86(const struct cpu *cpu)
{
    return cpu->rflags_rest & RFLAGS_VM;
}
static inline bool cpu_is_protected(const struct cpu *cpu)
{
    return cpu->cr0 & CR0_PE && !cpu_is_v86(cpu);
}

/* RESET or INIT values of everything but APIC, VMX and caches: SDM Vol 3A "Processor State After Reset". */
void cpu_system_reset(struct cpu *, bool init);
/* Visits the architectural state of struct cpu (general registers, flags and xmm included). */
void cpu_system_state(struct cpu *, struct state *);

/* SIPI: starts at vector:0000 in real mode. */
void cpu_system_startup(struct cpu *, uint8_t vector);

#endif
