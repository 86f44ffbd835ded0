/* Inside the local APIC.  For apic/ only. */
#ifndef SIM_CPU_APIC_APIC_PRIV_H
#define SIM_CPU_APIC_APIC_PRIV_H

#include "sim/base/event.h"
#include "sim/cpu/apic/apic.h"

/* Register numbers: offset in the page / 16 = MSR - 800H (SDM Vol 3A "Local APIC Register Address Map"). */
enum apic_register {
    REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a, REG_EOI = 0x0b,
    REG_RRD = 0x0c, REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18,
    REG_IRR = 0x20, REG_ESR = 0x28, REG_ICR = 0x30, REG_ICR_HIGH = 0x31, REG_LVT_TIMER = 0x32,
    REG_LVT_THERMAL = 0x33, REG_LVT_PERF = 0x34, REG_LVT_LINT0 = 0x35, REG_LVT_LINT1 = 0x36,
    REG_LVT_ERROR = 0x37, REG_TIMER_INITIAL = 0x38, REG_TIMER_CURRENT = 0x39, REG_TIMER_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f, REG_COUNT = 0x40,
};
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

#define LVT_MASKED (1u << 16)
#define LVT_LEVEL (1u << 15)
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_MODE(lvt) ((lvt) >> 8 & 7)
#define LVT_TIMER_MODE (3u << 17)
#define LVT_TIMER_PERIODIC (1u << 17)
#define LVT_TIMER_DEADLINE (2u << 17)
#define SVR_ENABLE (1u << 8)
#define ESR_SEND_ILLEGAL (1u << 5)
#define ESR_RECEIVE_ILLEGAL (1u << 6)
#define ESR_REGISTER_ILLEGAL (1u << 7)
#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_RESET 0xfee00000ull
#define APIC_VERSION 0x00050014u /* version 14H, six LVT entries, no EOI-broadcast suppression */

enum { IPIS_IN_FLIGHT = 256 };

/* An interprocessor interrupt on its way. */
struct apic_ipi {
    struct cpu *from;
    struct event event;
    struct apic_message message;
    int32_t except;       /* processor that shall not get it, or -1 */
};

struct apic {
    uint32_t tpr, ldr, dfr, svr;
    uint8_t id;                     /* in xAPIC mode; that of x2APIC mode is the processor's number */
    uint32_t esr, esr_pending;      /* latched by a write; collected since */
    uint32_t lvt[LVT_COUNT];
    uint32_t irr[8], isr[8], tmr[8];
    uint32_t icr, icr_high;
    uint32_t timer_initial, timer_divide;
    uint64_t timer_start;           /* when the count began [cycle] */
    struct event timer;
    struct apic_ipi ipi[IPIS_IN_FLIGHT];
    uint32_t ipi_next;              /* oldest slot: they are used in turn */
    uint8_t pins;                   /* levels of LINT0 and LINT1 */
    bool extint;                    /* an ExtINT message came and waits for its acknowledge */
    struct apic_board board;
};

static inline bool apic_is_enabled(const struct cpu *cpu)
{
    return cpu->msr.apic_base & APIC_BASE_ENABLE;
}
static inline bool apic_is_x2(const struct cpu *cpu)
{
    return cpu->msr.apic_base & APIC_BASE_X2APIC;
}

/* apic_pins.c */
bool apic_extint_pending(const struct cpu *);
void apic_pins_look(struct cpu *);                  /* an LVT entry of a pin changed */
void apic_pins_eoi(struct cpu *, uint8_t vector);

/* apic.c */
uint8_t apic_ppr(const struct cpu *);
void apic_error(struct cpu *, uint32_t esr_bits);

/* apic_ipi.c */
void apic_icr_write(struct cpu *, uint32_t low, uint32_t destination);
void apic_ipi_init(struct cpu *);
void apic_ipi_state(struct cpu *, struct state *);

/* apic_timer.c */
void apic_timer_init(struct cpu *);
void apic_timer_reset(struct cpu *);
void apic_timer_lvt_write(struct cpu *, uint32_t value);
void apic_timer_initial_write(struct cpu *, uint32_t count);
void apic_timer_divide_write(struct cpu *, uint32_t value);
uint32_t apic_timer_current(const struct cpu *);

#endif
