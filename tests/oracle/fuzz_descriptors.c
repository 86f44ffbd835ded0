/* Descriptor tables: gates, segments and tasks of any shape, and code that goes through them, in protected, virtual-8086
 * and IA-32e mode.  Whatever happens, it happens to the guest.
 *
 * Input: byte 0 picks the mode (bits 1:0) and privilege (2); the rest is edits of 4 bytes: offset (16 bits) into
 * 24 KiB that hold GDT, IDT, TSS, LDT, stack and code, and the two bytes that go there. */
#include <stddef.h>
#include <string.h>

#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "spec/x86/system.h"
#include "tests/oracle/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    STEPS = 60, AREA = 0x20000, AREA_SIZE = 0x6000, AT_GDT = 0, AT_IDT = 0x800, AT_TSS = 0x1000, AT_TSS2 = 0x1100,
    AT_LDT = 0x1800, AT_CODE = 0x2000, AT_STACK = 0x5000, ENTRIES = 64,
};

static const uint32_t kinds[] = { 0xc09b, 0xc093, 0xc0fb, 0xc0f3, 0x009b, 0x0093, 0x0089, 0x008b, 0x0081, 0x0082, 0x008c, 0x0084,
                                  0x0085, 0x008e, 0x008f, 0x0086, 0x40f7, 0xc09f, 0xa09b, 0xa0fb };
static const uint8_t instructions[] = { 0xcf, 0xcb, 0xcd, 0x9a, 0xea, 0x9d, 0x8e, 0x1f, 0x17, 0xcc, 0xf1, 0xf4, 0x9c, 0xfb };

static uint64_t descriptor(unsigned kind, unsigned n)
{
    uint32_t rights = kinds[kind % (sizeof kinds / sizeof kinds[0])];
    uint32_t base = rights & 0x10 ? 0 : AREA + (n & 1 ? AT_TSS : AT_TSS2);
    uint64_t d = 0xffff | (uint64_t)base << 16 | (uint64_t)rights << 40 | 0xfull << 48;
    bool gate = !(rights & 0x10) && (rights & 7) >= 4;
    return gate ? (uint64_t)(AT_CODE & 0xffff) | 8ull << 16 | (uint64_t)rights << 40 | 2ull << 48 : d;
}

static void fill(uint8_t *area)
{
    for (unsigned n = 0; n < ENTRIES; n++) {
        uint64_t d = descriptor(n ? n - 1 : 0, n), gate = descriptor(12 + n % 4, n) | 3ull << 45;
        memcpy(area + AT_GDT + n * 8, &d, 8);
        memcpy(area + AT_LDT + n * 8, &d, 8);
        memcpy(area + AT_IDT + n * 8, &gate, 8);
    }
    for (unsigned i = AT_CODE; i < AT_STACK; i++) {
        area[i] = i % 3 ? (uint8_t)(i * 7) : instructions[i / 3 % sizeof instructions];
    }
    for (unsigned i = AT_TSS; i < AT_LDT; i += 4) {
        area[i] = (uint8_t)(i * 8 % 0xa0);
    }
}

static void start(struct cpu *c, uint8_t how)
{
    bool user = how & 4;
    uint64_t rflags = 2 | ((how & 3) == 1 ? RFLAGS_VM : 0) | ((how & 3) == 2 ? RFLAGS_NT : 0);

    cpu_reset(c, false);
    c->cr0 = CR0_PE | CR0_ET;
    c->cr4 = how & 8 ? CR4_VME | CR4_PVI | CR4_DE : 0;
    c->gdtr = (struct dtable){ .base = AREA + AT_GDT, .limit = ENTRIES * 8 - 1 };
    c->idtr = (struct dtable){ .base = AREA + AT_IDT, .limit = ENTRIES * 8 - 1 };
    c->seg[TR] = (struct segment){ .base = AREA + AT_TSS, .limit = 0xff, .rights = 0x8b, .selector = 0x40 };
    c->seg[LDTR] = (struct segment){ .base = AREA + AT_LDT, .limit = ENTRIES * 8 - 1, .rights = 0x82, .selector = 0x50 };
    for (unsigned s = ES; s <= GS; s++) {
        uint32_t rights = (s == CS ? 0xc09b : 0xc093) | (user ? 3u << SEG_DPL_SHIFT : 0);
        c->seg[s] = (how & 3) == 1 ? seg_v86(AREA >> 4)
                                   : (struct segment){ .limit = 0xffffffff, .rights = rights, .selector = s == CS ? 8 : 16 };
    }
    cpu_set_rflags(c, rflags);
    c->gpr[RSP] = (how & 3) == 1 ? AT_STACK : AREA + AT_STACK;
    c->rip = (how & 3) == 1 ? AT_CODE : AREA + AT_CODE;
    c->activity = ACTIVE;
    c->attention = 0;
    cpu_update_mode(c);
    mmu_mode_changed(c);
}

static void fuzz(const uint8_t *bytes, size_t size, bool steps)
{
    struct oracle_ours *o = oracle_ours_new(false);
    struct machine *m = oracle_ours_machine(o);
    struct cpu *c = m->cpu[0];
    uint8_t area[AREA_SIZE];

    fill(area);
    for (size_t i = 1; i + 4 <= size; i += 4) {
        unsigned at = (bytes[i] | (unsigned)bytes[i + 1] << 8) % (AREA_SIZE - 1);
        memcpy(area + at, bytes + i + 2, 2);
    }
    mem_write(m->mem, AREA, area, sizeof area);
    start(c, bytes[0]);
    if (!steps) {
        cpu_run(c, c->now + STEPS);
    }
    for (unsigned i = 0; steps && i < STEPS && m->stop == STOP_NONE && c->activity == ACTIVE; i++) {
        cpu_step(c);
    }
    oracle_ours_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size) {
        fuzz(bytes, size, true);
        fuzz(bytes, size, false);
    }
    return 0;
}
