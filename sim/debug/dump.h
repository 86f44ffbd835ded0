/* A processor's state as text, for people: when a run ends badly, and for whoever asks. */
#ifndef SIM_DEBUG_DUMP_H
#define SIM_DEBUG_DUMP_H

#include <stdio.h>

struct cpu;

/* Registers, segments, control registers, the last branches, the code around rip and the top of the stack. Changes nothing. */
void debug_dump_cpu(FILE *, struct cpu *);

#endif
