/* A machine small enough to call system functions on directly: memory, event queue, processors with MMU and
 * APIC.  The hot core, the timing model and the trace are fakes that record what they are told. */
#ifndef TESTS_UNIT_CPU_SYSTEM_FIXTURE_H
#define TESTS_UNIT_CPU_SYSTEM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vtx.h"
#include "spec/x86/system.h"

enum { FIXTURE_RAM = 16 << 20, FIXTURE_IPI_CYCLES = 500 };

struct fixture {
    struct machine machine;
    struct cpu *cpu;          /* processor 0 */
    uint64_t tables_end;      /* page tables are taken from here downwards [spa] */
};

struct fixture *fixture_new(unsigned cpu_count);
void fixture_free(struct fixture *);
/* Another processor model than "e5" without VT-x. */
void fixture_model(struct fixture *, const char *model, bool vtx);

/* Flat 64-bit mode at 'cpl', paging on with an empty hierarchy; GDT, IDT and TSS at fixed places below. */
void fixture_long_mode(struct fixture *, unsigned cpl);
/* Flat 32-bit protected mode without paging. */
void fixture_protected_mode(struct fixture *, unsigned cpl);
void fixture_set_cpl(struct fixture *, unsigned cpl);

/* Maps a 4-KiB page; every upper entry gets P, W, U.  Returns the leaf entry's address. */
uint64_t fixture_map(struct fixture *, uint64_t linear, uint64_t spa, uint64_t flags);

uint64_t fixture_load(struct fixture *, uint64_t spa, unsigned size);
void fixture_store(struct fixture *, uint64_t spa, unsigned size, uint64_t value);

/* Linear = physical places of tables (mapped by fixture_long_mode). */
enum {
    AT_GDT = 0x10000, AT_IDT = 0x11000, AT_TSS = 0x12000, AT_LDT = 0x13000, AT_STACK = 0x20000, /* top of 64 KiB */
    AT_RSP0 = 0x28000, AT_IST1 = 0x2c000, AT_CODE = 0x30000, AT_DATA = 0x40000,
};
/* Selectors the fixture's GDT offers. */
enum {
    SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE32_3 = 0x18, SEL_DATA3 = 0x20, SEL_CODE3 = 0x28, SEL_TSS = 0x40,
    SEL_LDT = 0x50, SEL_FREE = 0x60, /* the tests' own, up to 0xf8 */
};

uint64_t fixture_descriptor(uint32_t base, uint32_t limit, uint32_t rights);
void fixture_gdt(struct fixture *, uint16_t selector, uint64_t descriptor);
/* A 64-bit gate. */
void fixture_gate(struct fixture *, uint8_t vector, unsigned type, unsigned dpl, bool present, uint16_t selector,
                  uint64_t target, unsigned ist);

/* What the fake hot core was told. */
extern uint32_t fake_attended[MACHINE_CPUS_MAX];

#endif
