/* Any bytes as code, at privilege 3 or 0, 64 or 32 bits: whatever happens, it
 * happens to the guest.  The first byte chooses the mode, the next eight seed
 * the registers, the rest is code. */
#include <stddef.h>
#include <string.h>

#include "sim/cpu/mmu/mmu.h"
#include "sim/machine.h"
#include "tests/oracle/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { STEPS = 40, CODE_MAX = 512 };

static void become_kernel(struct cpu *c)
{
    c->seg[CS] = (struct segment){ .limit = 0xffffffff, .selector = 0x10, .rights = 0xb | SEG_S | SEG_P | SEG_L | SEG_G };
    c->seg[SS] = (struct segment){ .limit = 0xffffffff, .selector = 0x18, .rights = 0x3 | SEG_S | SEG_P | SEG_DB | SEG_G };
    cpu_update_mode(c);
    mmu_mode_changed(c);
}

/* Step by step, or as one run of machine code. */
static void fuzz(const uint8_t *bytes, size_t size, struct oracle_ours *o, bool steps)
{
    struct machine *m = oracle_ours_machine(o);
    struct oracle_case k = { .mode32 = bytes[0] & 1, .in = { .rflags = FLAG_IF | 2, .mxcsr = 0x1f80 } };
    uint64_t seed;
    memcpy(&seed, bytes + 1, 8);
    seed |= 1;
    for (unsigned i = 0; i < 16; i++) {
        k.in.gpr[i] = oracle_chance(&seed, 60) ? ORACLE_DATA + oracle_random(&seed) % ORACLE_DATA_SIZE
                                                : oracle_integer(&seed);
        if (k.mode32) {
            k.in.gpr[i] = (uint32_t)k.in.gpr[i];
        }
        k.in.xmm[i] = oracle_vector(&seed);
    }
    k.in.rip = ORACLE_CODE + 0xf80;
    unsigned code = size - 9 < CODE_MAX ? (unsigned)size - 9 : CODE_MAX;
    oracle_ours_load(o, &k, bytes + 9, code);
    if (bytes[0] & 2) {
        become_kernel(m->cpu[0]);
    }
    if (!steps && m->stop == STOP_NONE) {
        cpu_run(m->cpu[0], m->cpu[0]->now + STEPS);
    }
    for (unsigned i = 0; steps && i < STEPS && m->stop == STOP_NONE && m->cpu[0]->activity == ACTIVE; i++) {
        cpu_step(m->cpu[0]);
    }
    oracle_ours_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 10) {
        return 0;
    }
    fuzz(bytes, size, oracle_ours_new(false), true);
    fuzz(bytes, size, oracle_ours_new_compiled(), false);
    return 0;
}
