/* Processors for tests of the machine and its chipset: they run nothing, but
 * keep time, and remember the interrupt messages that reached their APICs. */
#ifndef TESTS_UNIT_PLATFORM_FAKE_CPU_H
#define TESTS_UNIT_PLATFORM_FAKE_CPU_H

#include "sim/cpu/apic/apic.h"
#include "sim/machine.h"

enum { FAKE_MESSAGES = 64 };

struct fake_log {
    struct apic_message message[FAKE_MESSAGES]; /* from apic_deliver */
    unsigned count;
    uint64_t msi_address[FAKE_MESSAGES];        /* from apic_deliver_msi */
    uint32_t msi_data[FAKE_MESSAGES];
    unsigned msi_count;
    struct apic_board board;
    bool pin[2];                                /* LINT0 and LINT1 of the last processor */
    /* What a processor does in its part of a round; NULL: let time pass. */
    void (*run)(struct cpu *, uint64_t until, void *ctx);
    void *run_ctx;
};
extern struct fake_log fake; /* one test at a time; fake_reset() between */

void fake_reset(void);
struct machine *fake_machine(unsigned cpus, uint64_t ram_size);

/* Physical accesses by a processor. */
uint64_t in(struct machine *, uint16_t port, unsigned size);
void out(struct machine *, uint16_t port, unsigned size, uint64_t value);
uint32_t rd32(struct machine *, uint64_t spa);
void wr32(struct machine *, uint64_t spa, uint32_t value);
uint64_t rd64(struct machine *, uint64_t spa);
void wr64(struct machine *, uint64_t spa, uint64_t value);

/* Registers behind an index. */
void ioapic_select(struct machine *, unsigned index, uint32_t value);
uint32_t ioapic_get(struct machine *, unsigned index);
void route(struct machine *, unsigned pin, uint64_t entry); /* of the I/O APIC */
uint8_t cmos(struct machine *, unsigned index);
void cmos_set(struct machine *, unsigned index, uint8_t value);

#endif
