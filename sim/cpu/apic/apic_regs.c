/* The two ways to the APIC's registers: page and MSRs. */
#include "sim/base/trace.h"
#include "sim/cpu/apic/apic_priv.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"

enum access { NO, RO, WO, RW };

struct rule {
    uint8_t page, msr;  /* [enum access] */
    uint64_t writable;  /* by WRMSR */
};

#define APIC_REGISTER(number, count, page, msr, writable) \
    [(number) ... (number) + (count) - 1] = { page, msr, writable },
static const struct rule rules[REG_COUNT] = {
#include "spec/x86/apic.def"
};
#undef APIC_REGISTER

/* Read-only bits of LVT entries: delivery status (12), remote IRR (14). */
#define LVT_READ_ONLY (1u << 12 | 1u << 14)

static uint32_t x2_logical_id(const struct cpu *cpu)
{
    return cpu->index >> 4 << 16 | 1u << (cpu->index & 15);
}

static uint32_t read_register(const struct cpu *cpu, unsigned number)
{
    const struct apic *a = cpu->apic;

    if (number >= REG_ISR && number < REG_ESR) {
        const uint32_t *bits = number < REG_TMR ? a->isr : number < REG_IRR ? a->tmr : a->irr;
        return bits[number & 7];
    }
    if (number >= REG_LVT_TIMER && number <= REG_LVT_ERROR) {
        return a->lvt[number - REG_LVT_TIMER];
    }
    switch (number) {
    case REG_ID: return apic_is_x2(cpu) ? cpu->index : (uint32_t)a->id << 24;
    case REG_VERSION: return APIC_VERSION;
    case REG_TPR: return a->tpr;
    case REG_PPR: return apic_ppr(cpu);
    case REG_LDR: return apic_is_x2(cpu) ? x2_logical_id(cpu) : a->ldr;
    case REG_DFR: return a->dfr;
    case REG_SVR: return a->svr;
    case REG_ESR: return a->esr;
    case REG_ICR: return a->icr;
    case REG_ICR_HIGH: return a->icr_high;
    case REG_TIMER_INITIAL: return a->timer_initial;
    case REG_TIMER_CURRENT: return apic_timer_current(cpu);
    case REG_TIMER_DIVIDE: return a->timer_divide;
    default: return 0; /* arbitration priority, remote read: not on this bus */
    }
}

static void write_svr(struct cpu *cpu, uint32_t value)
{
    struct apic *a = cpu->apic;

    a->svr = value & 0x3ff;
    for (unsigned i = 0; i < LVT_COUNT && !(value & SVR_ENABLE); i++) {
        a->lvt[i] |= LVT_MASKED; /* "mask bits of all LVT entries are set" in the software-disabled state */
    }
    uint8_t vector;
    if (apic_pending(cpu, &vector)) {
        cpu_attend(cpu, ATTN_INTR);
    }
}

static void write_lvt(struct cpu *cpu, unsigned number, uint32_t value)
{
    struct apic *a = cpu->apic;
    uint32_t *lvt = &a->lvt[number - REG_LVT_TIMER];

    value &= (uint32_t)rules[number].writable & ~LVT_READ_ONLY;
    if (!(a->svr & SVR_ENABLE)) {
        value |= LVT_MASKED;
    }
    if (number == REG_LVT_TIMER) {
        apic_timer_lvt_write(cpu, value);
    } else {
        *lvt = value | (*lvt & LVT_READ_ONLY);
        apic_pins_look(cpu);
    }
    bool fixed = number == REG_LVT_TIMER || number == REG_LVT_ERROR || (value >> 8 & 7) == APIC_FIXED;
    if (fixed && !(value & LVT_MASKED) && (value & 0xff) < 16) {
        apic_error(cpu, ESR_RECEIVE_ILLEGAL);
    }
}

static void write_register(struct cpu *cpu, unsigned number, uint32_t value)
{
    struct apic *a = cpu->apic;

    if (number >= REG_LVT_TIMER && number <= REG_LVT_ERROR) {
        write_lvt(cpu, number, value);
        return;
    }
    switch (number) {
    case REG_ID:
        if (!cpu_has(cpu, CPU_X2APIC)) {
            a->id = (uint8_t)(value >> 24);
        }
        break;
    case REG_TPR: apic_set_tpr(cpu, (uint8_t)value); break;
    case REG_EOI: apic_eoi(cpu); break;
    case REG_LDR: a->ldr = value & 0xff000000u; break;
    case REG_DFR: a->dfr = value | 0x0fffffffu; break;
    case REG_SVR: write_svr(cpu, value); break;
    case REG_ESR:
        a->esr = a->esr_pending;
        a->esr_pending = 0;
        break;
    case REG_ICR:
        a->icr = value & 0xccfff;
        apic_icr_write(cpu, a->icr, apic_is_x2(cpu) ? a->icr_high : a->icr_high >> 24);
        break;
    case REG_ICR_HIGH: a->icr_high = value & 0xff000000u; break;
    case REG_TIMER_INITIAL: apic_timer_initial_write(cpu, value); break;
    case REG_TIMER_DIVIDE: apic_timer_divide_write(cpu, value); break;
    case REG_SELF_IPI: apic_icr_write(cpu, (value & 0xff) | 1u << 18, 0); break;
    default: break;
    }
}

/* --- page ------------------------------------------------------------------------------ */

/* "Accesses must be 32 bits wide and 16-byte aligned"; others do nothing and read as zero here. */
static bool page_access_ok(struct cpu *cpu, unsigned offset, unsigned size, uint8_t wanted)
{
    unsigned number = offset >> 4;

    if (size < 4 || offset & 0xf) {
        TRACE(cpu->machine, cpu->now, TRACE_GUEST_ERROR, cpu->index, offset, size, 0);
        return false;
    }
    if (number >= REG_COUNT || rules[number].page == NO) {
        apic_error(cpu, ESR_REGISTER_ILLEGAL);
        return false;
    }
    return rules[number].page & wanted;
}

uint64_t apic_mmio_read(struct cpu *cpu, unsigned offset, unsigned size)
{
    /* A narrow read inside the register's four bytes sees its part of them. */
    unsigned base = offset & ~3u, shift = (offset & 3) * 8;

    if (!page_access_ok(cpu, base, size < 4 ? 4 : size, RO)) {
        return 0;
    }
    uint64_t value = read_register(cpu, base >> 4) >> shift;
    return size >= 4 ? value : value & ((1ull << size * 8) - 1);
}

void apic_mmio_write(struct cpu *cpu, unsigned offset, unsigned size, uint64_t value)
{
    if (page_access_ok(cpu, offset, size, WO)) {
        write_register(cpu, offset >> 4, (uint32_t)value);
    }
}

/* --- MSRs -------------------------------------------------------------------------------- */

enum exec_result apic_rdmsr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    unsigned number = index - 0x800;

    if (!apic_is_x2(cpu) || number >= REG_COUNT || !(rules[number].msr & RO)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    *value = read_register(cpu, number);
    if (number == REG_ICR) {
        *value |= (uint64_t)cpu->apic->icr_high << 32;
    }
    return EXEC_OK;
}

enum exec_result apic_wrmsr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    unsigned number = index - 0x800;

    if (!apic_is_x2(cpu) || number >= REG_COUNT || !(rules[number].msr & WO)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    uint64_t writable = rules[number].writable | (number == REG_ICR ? 0xffffffffull << 32 : 0);
    if (value & ~writable) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    if (number == REG_ICR) {
        cpu->apic->icr_high = (uint32_t)(value >> 32);
    }
    write_register(cpu, number, (uint32_t)value);
    return EXEC_OK;
}
