/* System state of a processor: life, descriptors, MSRs, CPUID, and every `sys_*` instruction.
 *
 * The files follow the manual's chapters: segment (descriptor loads), transfer (far CALL, JMP, RET,
 * IRET), syscall, control (CR, DR), msr, cpuid, io, flags, fx (FXSAVE), misc.  Each `sys_*`
 * function executes one instruction form: it checks in the order of SDM Vol 3C "Relative Priority of
 * Faults and VM Exits", asks vtx->intercept in non-root operation, and commits last.
 */
#ifndef SIM_CPU_SYSTEM_SYSTEM_H
#define SIM_CPU_SYSTEM_SYSTEM_H

#include "sim/cpu/cpu.h"

/* RESET or INIT values of everything but APIC, VMX and caches: SDM Vol 3A "Processor State After Reset". */
void cpu_system_reset(struct cpu *, bool init);
/* Visits the architectural state of struct cpu (general registers, flags and xmm included). */
void cpu_system_state(struct cpu *, struct state *);

/* SIPI: starts at vector:0000 in real mode. */
void cpu_system_startup(struct cpu *, uint8_t vector);

#endif
