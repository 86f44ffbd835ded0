/* The second tier: blocks that run often, as machine code of the host.
 *
 * The interpreter's records are the definition; this tier is never noticed.  It serves functional
 * timing on x86-64 hosts that let a program make executable memory; everywhere else jit_new
 * returns NULL and all blocks stay records.
 *
 * How the tiers meet.  The code of a block has the calling convention of the handlers, (cpu,
 * record), and the same protocol: it ends by jumping on, or returns to the dispatcher with rip
 * and core->result set.  Forms the translator knows become a few host instructions working on
 * host registers that hold guest registers (jit_priv.h); any other form is left to its handler:
 * the code puts the registers back into struct cpu and jumps to the record, whose handler goes on with the
 * next record's `fn`.  There, if that record was translated, lies a stub that takes the registers
 * up again.  So a block may be translated in any part, and new forms need nothing here.
 *
 * Promotion.  A block starts with a closed gate and core_warm as its head's handler, which counts
 * its runs.  When it was run often enough it is translated; its head becomes an ordinary open
 * one, entry[1].fn the stub into the code and entry[-1].code the code itself, for those who come
 * from code.
 *
 * Links.  Code jumps straight to the code of a block in the same page once that exists (jit_follow);
 * to all other places it goes by the jump cache, as handlers do, with the same hits and misses.
 * A dropped block's code gets a jump to its (dead) head at its start, so nobody need be told.
 *
 * When the room is used up all code is forgotten and its blocks are cold again.  Nothing of this
 * decides when the records are dropped, the jump caches filled or pages walked: a machine computes
 * the same on both tiers, to the instruction.
 */
#ifndef SIM_CPU_JIT_JIT_H
#define SIM_CPU_JIT_JIT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/decode/insn.h"

struct jit;
struct machine;

enum { JIT_HEAT = 60, JIT_BYTES = 32 << 20, JIT_BYTES_MIN = 512 << 10 };

/* 'heat': runs of a block before it is translated [1-255]; 'bytes' of room.  NULL: this host cannot. */
struct jit *jit_new(unsigned heat, unsigned bytes);
void jit_free(struct jit *);

/* Calls a handler or code from C. */
void jit_call(const struct jit *, struct cpu *, struct insn *, op_fn *);

/* A new block: cold. */
void jit_block_made(const struct jit *, struct insn *entry);
/* The head is about to become core_dead. */
void jit_block_dropped(struct jit *, struct insn *entry);
/* The records are about to be forgotten. */
void jit_forget(struct jit *);

struct jit_stats { uint64_t translated, records, native, code_bytes, cold_bytes, flushes; };
struct jit_stats jit_stats(const struct jit *);
/* Has the translator a rule for this form on this host, and did it ever use it?  For tests: every rule must be tried. */
bool jit_knows_form(const struct jit *, unsigned form);
bool jit_used_form(const struct jit *, unsigned form);

/* Handler of a cold block's head. */
op_fn core_warm;

#endif
