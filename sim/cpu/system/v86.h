/* Virtual-8086 mode and the virtual interrupt flag: SDM Vol 3B "8086 Emulation".  For system/ only.
 *
 * Who owns the interrupt flag decides most of it.  Code at or inside IOPL owns IF itself; above it, VIF stands in
 * for IF when the mode has it (CR4.VME in virtual-8086 mode, CR4.PVI at CPL 3 elsewhere); else the
 * instruction is #GP(0).
 */
#ifndef SIM_CPU_SYSTEM_V86_H
#define SIM_CPU_SYSTEM_V86_H

#include "sim/cpu/system/sys.h"

enum if_owner { IF_OWN, IF_VIRTUAL, IF_NONE };
enum if_owner v86_if_owner(const struct cpu *);

/* RFLAGS as IRET and POPF make it of a 16-bit 'image' while VIF stands in for IF.
 * EXEC_FAULT: the image asks for TF, or for IF while VIP is set. */
enum exec_result v86_virtual_flags(struct cpu *, uint64_t image, uint64_t *rflags);

/* IRETD at CPL 0 with VM set in 'rflags', the third word on the stack: into virtual-8086 mode.
 * Registers are changed, RFLAGS is the caller's to set. */
enum exec_result v86_enter(struct cpu *, const struct sys_insn *);

/* INT n in virtual-8086 mode.  EXEC_OK: through the IDT; EXEC_JUMP: redirected to the 8086 program's own
 * handler (CR4.VME, TSS interrupt redirection bitmap). */
enum exec_result v86_int_n(struct cpu *, const struct sys_insn *);

#endif
