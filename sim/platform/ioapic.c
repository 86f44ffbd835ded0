/* I/O APIC; see ioapic.h. */
#include "sim/platform/ioapic.h"

#include <stdlib.h>

#include "sim/base/state.h"
#include "spec/platform/memory_map.h"

enum { REG_SELECT = 0x00, REG_WINDOW = 0x10, REG_EOI = 0x40 };
enum { INDEX_ID = 0, INDEX_VERSION = 1, INDEX_ARBITRATION = 2, INDEX_REDIRECTION = 0x10 };
enum { VERSION = 0x20 }; /* has the EOI register */

#define RTE_MASK (1ull << 16)
#define RTE_LEVEL (1ull << 15)
#define RTE_REMOTE_IRR (1ull << 14)
#define RTE_STATUS (1ull << 12)
#define RTE_READ_ONLY (RTE_REMOTE_IRR | RTE_STATUS)
#define RTE_RESERVED 0x0000FFFFFFFE0000ull

struct ioapic {
    uint8_t select;
    uint8_t id;
    uint32_t lines;               /* asserted inputs */
    uint64_t entry[IOAPIC_PINS];
    void (*send)(void *ctx, uint64_t address, uint32_t data);
    void *ctx;
};

struct ioapic *
ioapic_new(void (*send)(void *ctx, uint64_t address, uint32_t data), void *ctx)
{
    struct ioapic *a = calloc(1, sizeof *a);
    if (a) {
        a->send = send;
        a->ctx = ctx;
        a->id = IOAPIC_ID;
        for (unsigned i = 0; i < IOAPIC_PINS; i++) {
            a->entry[i] = RTE_MASK;
        }
    }
    return a;
}

void
ioapic_free(struct ioapic *a)
{
    free(a);
}

/* --- delivery ---------------------------------------------------------------- */

/* One rule for both formats (VT-d "Interrupt Requests From IOxAPIC"): entry
 * bits 63:48 become address bits 19:4 and bit 11 becomes address bit 2. */
static void
deliver(struct ioapic *a, unsigned pin)
{
    uint64_t e = a->entry[pin];
    uint64_t address = MSI_BASE | (e >> 48) << 4 | (e >> 11 & 1) << 2;
    uint32_t data = (uint32_t)(e & 0x7FF);
    if (e & RTE_LEVEL) {
        data |= 1u << 15 | 1u << 14; /* level, assert */
        a->entry[pin] |= RTE_REMOTE_IRR;
    }
    a->send(a->ctx, address, data);
}

static bool
is_active(const struct ioapic *a, unsigned pin)
{
    return a->lines >> pin & 1;
}

static void
level_check(struct ioapic *a, unsigned pin)
{
    uint64_t e = a->entry[pin];
    if (e & RTE_LEVEL && !(e & (RTE_MASK | RTE_REMOTE_IRR)) && is_active(a, pin)) {
        deliver(a, pin);
    }
}

void
ioapic_set_line(struct ioapic *a, unsigned pin, bool high)
{
    bool was_active = is_active(a, pin);
    a->lines = high ? a->lines | 1u << pin : a->lines & ~(1u << pin);
    bool edge = !was_active && is_active(a, pin);
    if (edge && !(a->entry[pin] & (RTE_LEVEL | RTE_MASK))) {
        deliver(a, pin);
    }
    level_check(a, pin);
}

void
ioapic_eoi(struct ioapic *a, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if (a->entry[pin] & RTE_REMOTE_IRR && (uint8_t)a->entry[pin] == vector) {
            a->entry[pin] &= ~RTE_REMOTE_IRR;
            level_check(a, pin);
        }
    }
}

/* --- registers --------------------------------------------------------------- */

static void
entry_write(struct ioapic *a, unsigned pin, uint64_t value)
{
    uint64_t e = (value & ~(RTE_READ_ONLY | RTE_RESERVED)) | (a->entry[pin] & RTE_READ_ONLY);
    if (!(e & RTE_LEVEL)) {
        e &= ~RTE_REMOTE_IRR; /* edge pins have none; Linux relies on this to clear a stuck one */
    }
    a->entry[pin] = e;
    level_check(a, pin);
}

static uint32_t
window_read(const struct ioapic *a)
{
    unsigned entry = a->select - INDEX_REDIRECTION;
    switch (a->select) {
    case INDEX_ID:
    case INDEX_ARBITRATION:
        return (uint32_t)a->id << 24;
    case INDEX_VERSION:
        return (IOAPIC_PINS - 1) << 16 | VERSION;
    default:
        if (a->select < INDEX_REDIRECTION || entry >= 2 * IOAPIC_PINS) {
            return 0;
        }
        return (uint32_t)(a->entry[entry / 2] >> (entry & 1 ? 32 : 0));
    }
}

static void
window_write(struct ioapic *a, uint32_t value)
{
    unsigned entry = a->select - INDEX_REDIRECTION;
    if (a->select == INDEX_ID) {
        a->id = value >> 24 & 0x0F;
    } else if (a->select >= INDEX_REDIRECTION && entry < 2 * IOAPIC_PINS) {
        unsigned pin = entry / 2;
        uint64_t old = a->entry[pin];
        entry_write(a, pin, entry & 1 ? (old & 0xFFFFFFFF) | (uint64_t)value << 32
                                      : (old & ~0xFFFFFFFFull) | value);
    }
}

/* Registers are dwords; the select register also takes a byte. */
uint64_t
ioapic_read(void *ioapic, uint64_t offset, unsigned size)
{
    struct ioapic *a = ioapic;
    (void)size;
    switch (offset) {
    case REG_SELECT: return a->select;
    case REG_WINDOW: return window_read(a);
    default: return 0;
    }
}

void
ioapic_write(void *ioapic, uint64_t offset, unsigned size, uint64_t value)
{
    struct ioapic *a = ioapic;
    if (offset == REG_SELECT) {
        a->select = (uint8_t)value;
    } else if (size >= 4 && offset == REG_WINDOW) {
        window_write(a, (uint32_t)value);
    } else if (size >= 4 && offset == REG_EOI) {
        ioapic_eoi(a, (uint8_t)value);
    }
}

void
ioapic_state(struct ioapic *a, struct state *s)
{
    STATE_VISIT(s, a->select);
    STATE_VISIT(s, a->id);
    STATE_VISIT(s, a->lines);
    STATE_VISIT(s, a->entry);
}
