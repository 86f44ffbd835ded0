/* A machine of one or more processors in 64-bit mode, running code that is written in the test itself.
 *
 * Guest code is assembled into this program between two labels (GUEST) and copied to
 * FIX_CODE; linear = physical for the low 4 MiB except the page FIX_HOLE, which is not mapped.
 * Every exception halts the processor at an address that tells its vector. */
#ifndef TESTS_UNIT_CPU_FIXTURE_H
#define TESTS_UNIT_CPU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"

enum {
    FIX_RAM = 8 << 20, FIX_CODE = 0x100000, FIX_STACK = 0x180000, FIX_DATA = 0x200000, FIX_HOLE = 0x300000,
    FIX_MAPPED = 4 << 20, FIX_HANDLERS = 0x8000, FIX_STEPS = 10000000,
};
#define FIX_MMIO 0xD0000000ull

/* Position-independent code between name and name##_end. */
#define GUEST(name, text)                                                         \
    extern const uint8_t name[], name##_end[];                                    \
    __asm__(".pushsection .rodata\n.global " #name ", " #name "_end\n" #name ":\n" text \
            "\nhlt\n" #name "_end:\n.popsection\n")
#define LOAD(f, name) fixture_load(f, FIX_CODE, name, (size_t)(name##_end - name))

struct fixture {
    struct machine machine;
    struct cpu *cpu;
    unsigned reads, writes, last_size; /* of the MMIO region */
    uint64_t last_value, register_value, seen_now;
};

struct fixture *fixture_new(bool timed);
struct fixture *fixture_new_tier(bool timed, enum machine_tier tier);
void fixture_free(struct fixture *);
void fixture_load(struct fixture *, uint64_t at, const uint8_t *code, size_t size);
/* Runs from FIX_CODE until HLT. */
void fixture_run(struct fixture *);
/* Goes on until HLT, in slices of so many cycles. */
void fixture_go_on(struct fixture *, uint64_t slice);
/* Vector the processor halted in, or -1 when it was the code's own HLT. */
int fixture_vector(const struct fixture *);
uint64_t fixture_pushed(const struct fixture *, unsigned n); /* n-th quadword on the stack */

#endif
