/* The 8259A pair; see pic.h. */
#include "sim/platform/pic.h"

#include <stdlib.h>

#include "sim/base/state.h"

enum { CASCADE = 2 };
enum {
    ICW1_IC4 = 1 << 0, ICW1_SINGLE = 1 << 1, ICW1_LEVEL = 1 << 3, ICW1 = 1 << 4,
    ICW4_AUTO_EOI = 1 << 1, ICW4_NESTED = 1 << 4,
    OCW3 = 1 << 3, OCW3_READ_ISR = 1 << 0, OCW3_READ = 1 << 1, OCW3_POLL = 1 << 2,
    OCW3_SMM = 1 << 5, OCW3_SMM_SET = 1 << 6,
};

struct chip {
    uint8_t irr, isr, imr;
    uint8_t lines;      /* input levels */
    uint8_t elcr;       /* 1 = level-triggered */
    uint8_t base;       /* vector of input 0 */
    uint8_t lowest;     /* input of lowest priority; 7 without rotation */
    uint8_t init_step;  /* 0 ready, else the ICW expected next (2-4) */
    bool icw4;          /* ICW1 announced an ICW4 */
    bool single;        /* ICW1: no cascade, no ICW3 */
    bool auto_eoi, rotate_auto_eoi;
    bool read_isr;      /* which register a read of A0 = 0 shows */
    bool poll;          /* the next read is a poll */
    bool special_mask;
    bool nested;        /* special fully nested mode: a slave's better request passes its own in service */
};

struct pic {
    struct chip chip[2];
};

struct pic *
pic_new(void)
{
    struct pic *p = calloc(1, sizeof *p);
    if (p) {
        for (unsigned i = 0; i < 2; i++) {
            p->chip[i] = (struct chip){ .imr = 0xFF, .lowest = 7, .base = i ? 0x70 : 0x08 };
        }
    }
    return p;
}

void
pic_free(struct pic *p)
{
    free(p);
}

/* --- priority ---------------------------------------------------------------- */

/* Highest-priority input of 'set', or 8. */
static unsigned
highest(const struct chip *c, uint8_t set)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (c->lowest + i) & 7;
        if (set >> input & 1) {
            return input;
        }
    }
    return 8;
}

static unsigned
rank(const struct chip *c, unsigned input)
{
    return (input - c->lowest - 1) & 7;
}

/* Input to be serviced now, or 8: unmasked and above everything in service. */
static unsigned
winner(const struct chip *c)
{
    unsigned input = highest(c, c->irr & ~c->imr);
    if (input == 8) {
        return 8;
    }
    uint8_t in_service = c->special_mask ? c->isr & ~c->imr : c->isr;
    unsigned busy = highest(c, in_service);
    bool passes = busy == 8 || rank(c, input) < rank(c, busy) || (c->nested && input == busy && input == CASCADE);
    return passes ? input : 8;
}

static void
chip_line(struct chip *c, unsigned input, bool high)
{
    uint8_t bit = (uint8_t)(1u << input);
    bool rises = high && !(c->lines & bit);
    c->lines = high ? c->lines | bit : c->lines & ~bit;
    if (c->elcr & bit ? high : rises) {
        c->irr |= bit;
    } else if (!high) {
        c->irr &= ~bit; /* the request goes with the line before it is acknowledged */
    }
}

static void
cascade(struct pic *p)
{
    chip_line(&p->chip[0], CASCADE, winner(&p->chip[1]) != 8);
}

void
pic_set_line(struct pic *p, unsigned irq, bool high)
{
    if (irq != CASCADE) {
        chip_line(&p->chip[irq >> 3], irq & 7, high);
        cascade(p);
    }
}

bool
pic_pending(const struct pic *p)
{
    return winner(&p->chip[0]) != 8;
}

/* --- acknowledge and EOI ------------------------------------------------------ */

static unsigned
chip_acknowledge(struct chip *c)
{
    unsigned input = winner(c);
    if (input == 8) {
        return 8;
    }
    uint8_t bit = (uint8_t)(1u << input);
    if (!(c->elcr & bit & c->lines)) {
        c->irr &= ~bit;
    }
    if (!c->auto_eoi) {
        c->isr |= bit;
    } else if (c->rotate_auto_eoi) {
        c->lowest = (uint8_t)input;
    }
    return input;
}

uint8_t
pic_acknowledge(struct pic *p)
{
    struct chip *master = &p->chip[0], *slave = &p->chip[1];
    unsigned input = chip_acknowledge(master);
    uint8_t vector;
    if (input == CASCADE) {
        unsigned second = chip_acknowledge(slave);
        vector = slave->base + (uint8_t)(second == 8 ? 7 : second);
        chip_line(master, CASCADE, false); /* the slave's output falls with the acknowledge, and may rise again */
    } else {
        vector = master->base + (uint8_t)(input == 8 ? 7 : input);
    }
    cascade(p);
    return vector;
}

static void
write_ocw2(struct chip *c, uint8_t value)
{
    unsigned command = value >> 5, level = value & 7;
    unsigned served = highest(c, c->isr);
    switch (command) {
    case 0: c->rotate_auto_eoi = false; break;
    case 4: c->rotate_auto_eoi = true; break;
    case 1: case 5: /* non-specific EOI, with rotation */
        if (served != 8) {
            c->isr &= (uint8_t)~(1u << served);
            if (command == 5) {
                c->lowest = (uint8_t)served;
            }
        }
        break;
    case 3: case 7: /* specific EOI, with rotation */
        c->isr &= (uint8_t)~(1u << level);
        if (command == 7) {
            c->lowest = (uint8_t)level;
        }
        break;
    case 6: c->lowest = (uint8_t)level; break;
    default: break; /* 2: no operation */
    }
}

/* --- registers ---------------------------------------------------------------- */

static void
write_icw1(struct chip *c, uint8_t value)
{
    uint8_t lines = c->lines, elcr = c->elcr, base = c->base;
    *c = (struct chip){ .lines = lines, .elcr = elcr, .base = base, .lowest = 7, .init_step = 2 };
    c->icw4 = value & ICW1_IC4;
    c->single = value & ICW1_SINGLE;
    c->irr = lines & elcr;
}

static void
write_icw(struct chip *c, uint8_t value)
{
    if (c->init_step == 2) {
        c->base = value & 0xF8;
        c->init_step = !c->single ? 3 : c->icw4 ? 4 : 0;
    } else if (c->init_step == 3) { /* wiring is fixed: ICW3 tells us nothing */
        c->init_step = c->icw4 ? 4 : 0;
    } else {
        c->auto_eoi = value & ICW4_AUTO_EOI;
        c->nested = value & ICW4_NESTED;
        c->init_step = 0;
    }
}

static void
write_ocw3(struct chip *c, uint8_t value)
{
    if (value & OCW3_READ) {
        c->read_isr = value & OCW3_READ_ISR;
    }
    if (value & OCW3_SMM_SET) {
        c->special_mask = value & OCW3_SMM;
    }
    c->poll = value & OCW3_POLL;
}

void
pic_write(struct pic *p, unsigned chip, unsigned a0, uint8_t value)
{
    struct chip *c = &p->chip[chip];
    if (a0 && c->init_step) {
        write_icw(c, value);
    } else if (a0) {
        c->imr = value;
    } else if (value & ICW1) {
        write_icw1(c, value);
    } else if (value & OCW3) {
        write_ocw3(c, value);
    } else {
        write_ocw2(c, value);
    }
    cascade(p);
}

uint8_t
pic_read(struct pic *p, unsigned chip, unsigned a0)
{
    struct chip *c = &p->chip[chip];
    if (c->poll) { /* a poll is an acknowledge that reports the input */
        c->poll = false;
        unsigned input = chip_acknowledge(c);
        cascade(p);
        return input == 8 ? 0 : (uint8_t)(0x80 | input);
    }
    return a0 ? c->imr : c->read_isr ? c->isr : c->irr;
}

uint8_t
pic_elcr_read(const struct pic *p, unsigned chip)
{
    return p->chip[chip].elcr;
}

void
pic_elcr_write(struct pic *p, unsigned chip, uint8_t value)
{
    /* Timer, keyboard, cascade, RTC and FPU lines are edge-triggered by wiring. */
    p->chip[chip].elcr = value & (chip ? 0xDE : 0xF8);
}

void
pic_state(struct pic *p, struct state *s)
{
    for (unsigned i = 0; i < 2; i++) {
        struct chip *c = &p->chip[i];
        STATE_VISIT(s, *c); /* bytes and bools only: no padding */
        c->lowest &= 7;
    }
}

_Static_assert(sizeof(struct chip) == 16, "struct chip is visited whole: no padding");
