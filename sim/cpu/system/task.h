/* Hardware task switches: SDM Vol 3A "Task Management".
 *
 * A switch has a commit point.  What is wrong before it (descriptors, TSS limits, pages of either TSS) is a fault of
 * the old task and nothing has changed.  Behind it every register is the new task's, and what is wrong with its
 * segments is a fault at its first instruction.  So a switch that returns EXEC_FAULT may have
 * moved cpu->rip: delivery takes it from there.
 *
 * There are none in IA-32e mode: the callers have refused.
 */
#ifndef SIM_CPU_SYSTEM_TASK_H
#define SIM_CPU_SYSTEM_TASK_H

#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"

/* Numbered as the exit qualification of task switches does. */
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

struct task_switch {
    enum task_source source;
    uint32_t ext;        /* EXT bit of error codes */
    uint64_t rip;        /* to save for the old task */
    uint64_t rflags;     /* likewise */
    bool has_error;      /* a fault through a task gate: its error code goes on the new stack */
    uint32_t error;
    const struct sys_insn *insn; /* NULL: an event */
};

/* To the task whose TSS 'selector' names.  EXEC_JUMP, or a fault as told above. */
enum exec_result task_switch(struct cpu *, uint16_t selector, const struct task_switch *);
/* JMP or CALL to 'd', a TSS or a task gate. */
enum exec_result task_transfer(struct cpu *, const struct sys_insn *, const struct descriptor *d, enum task_source);
/* IRET with NT set. */
enum exec_result task_return(struct cpu *, const struct sys_insn *);

/* --- inside: task_load.c ---------------------------------------------------- */

/* A TSS image as the switch reads it, 16- or 32-bit. */
struct task_state {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t seg[6];     /* [ES..GS] */
    uint16_t ldt;
    bool wide, traps;    /* a 32-bit TSS; its T flag */
};

/* Registers become the new task's; descriptors are read and qualified last. */
enum exec_result task_load(struct cpu *, const struct task_state *, uint32_t ext);

#endif
