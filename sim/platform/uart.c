/* 16550A UART; see uart.h. */
#include "sim/platform/uart.h"

#include <stdlib.h>

#include "sim/base/state.h"

enum { FIFO_SIZE = 16 };

enum {
    IER_RX = 1 << 0, IER_THRE = 1 << 1, IER_LINE = 1 << 2, IER_MODEM = 1 << 3,
    IIR_NONE = 0x01, IIR_MODEM = 0x00, IIR_THRE = 0x02, IIR_RX = 0x04, IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0C, IIR_FIFOS = 0xC0,
    FCR_ENABLE = 1 << 0, FCR_CLEAR_RX = 1 << 1,
    LCR_DLAB = 1 << 7,
    MCR_DTR = 1 << 0, MCR_RTS = 1 << 1, MCR_OUT1 = 1 << 2, MCR_OUT2 = 1 << 3, MCR_LOOP = 1 << 4,
    LSR_READY = 1 << 0, LSR_OVERRUN = 1 << 1, LSR_THRE = 1 << 5, LSR_TEMT = 1 << 6,
    MSR_CTS = 1 << 4, MSR_DSR = 1 << 5, MSR_RI = 1 << 6, MSR_DCD = 1 << 7,
};

struct uart {
    uint8_t ier, fcr, lcr, mcr, scr;
    uint8_t divisor[2];
    uint8_t msr_lines;      /* MSR[7:4] last seen by software's deltas */
    uint8_t msr_delta;      /* MSR[3:0] */
    bool overrun;           /* LSR.OE until read */
    bool thre_pending;      /* the "transmitter empty" interrupt waits to be read */
    bool line_high;         /* what was last told to the interrupt line */
    uint8_t fifo[FIFO_SIZE];
    uint8_t fifo_first;     /* index of the oldest byte */
    uint8_t fifo_count;
    void (*interrupt)(void *ctx, bool high);
    void *interrupt_ctx;
    void (*output)(void *ctx, uint8_t byte);
    void *output_ctx;
};

struct uart *
uart_new(void (*interrupt)(void *ctx, bool high), void *ctx)
{
    struct uart *u = calloc(1, sizeof *u);
    if (u) {
        u->interrupt = interrupt;
        u->interrupt_ctx = ctx;
        u->msr_lines = MSR_CTS | MSR_DSR | MSR_DCD; /* somebody listens */
    }
    return u;
}

void
uart_free(struct uart *u)
{
    free(u);
}

void
uart_set_output(struct uart *u, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    u->output = output;
    u->output_ctx = ctx;
}

/* --- interrupts ------------------------------------------------------------- */

static unsigned
fifo_trigger(const struct uart *u)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 };
    return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/* Highest-priority pending interrupt as IIR shows it.  Below the trigger level
 * the character time-out is immediate: the wire is idle between our bytes. */
static uint8_t
interrupt_id(const struct uart *u)
{
    if (u->ier & IER_LINE && u->overrun) {
        return IIR_LINE;
    }
    if (u->ier & IER_RX && u->fifo_count) {
        return u->fifo_count >= fifo_trigger(u) ? IIR_RX : IIR_TIMEOUT;
    }
    if (u->ier & IER_THRE && u->thre_pending) {
        return IIR_THRE;
    }
    if (u->ier & IER_MODEM && u->msr_delta) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void
interrupt_update(struct uart *u)
{
    /* On the PC the line passes a gate that OUT2 opens; loopback closes it. */
    bool gate = u->mcr & MCR_OUT2 && !(u->mcr & MCR_LOOP);
    bool high = gate && interrupt_id(u) != IIR_NONE;
    if (high != u->line_high) {
        u->line_high = high;
        u->interrupt(u->interrupt_ctx, high);
    }
}

/* --- receiving -------------------------------------------------------------- */

bool
uart_has_room(const struct uart *u)
{
    return u->fifo_count < (u->fcr & FCR_ENABLE ? FIFO_SIZE : 1);
}

bool
uart_receive(struct uart *u, uint8_t byte)
{
    bool fits = uart_has_room(u);
    if (fits) {
        u->fifo[(u->fifo_first + u->fifo_count) % FIFO_SIZE] = byte;
        u->fifo_count++;
    } else {
        u->overrun = true;
    }
    interrupt_update(u);
    return fits;
}

static uint8_t
receive_take(struct uart *u)
{
    if (!u->fifo_count) {
        return 0;
    }
    uint8_t byte = u->fifo[u->fifo_first];
    u->fifo_first = (u->fifo_first + 1) % FIFO_SIZE;
    u->fifo_count--;
    return byte;
}

/* --- registers -------------------------------------------------------------- */

static void
modem_update(struct uart *u)
{
    uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
    if (u->mcr & MCR_LOOP) {
        lines = (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    uint8_t changed = lines ^ u->msr_lines;
    changed &= ~(MSR_RI & lines); /* only RI's falling edge counts */
    u->msr_delta |= changed >> 4;
    u->msr_lines = lines;
}

static uint8_t
read_register(struct uart *u, unsigned offset)
{
    uint8_t value;
    switch (offset) {
    case 0:
        return u->lcr & LCR_DLAB ? u->divisor[0] : receive_take(u);
    case 1:
        return u->lcr & LCR_DLAB ? u->divisor[1] : u->ier;
    case 2:
        value = interrupt_id(u);
        if (value == IIR_THRE) {
            u->thre_pending = false;
        }
        return value | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
    case 3:
        return u->lcr;
    case 4:
        return u->mcr;
    case 5:
        value = LSR_THRE | LSR_TEMT | (u->fifo_count ? LSR_READY : 0) |
                (u->overrun ? LSR_OVERRUN : 0);
        u->overrun = false;
        return value;
    case 6:
        value = u->msr_lines | u->msr_delta;
        u->msr_delta = 0;
        return value;
    default:
        return u->scr;
    }
}

static void
transmit(struct uart *u, uint8_t byte)
{
    if (u->mcr & MCR_LOOP) {
        uart_receive(u, byte);
    } else if (u->output) {
        u->output(u->output_ctx, byte);
    }
    u->thre_pending = true; /* empty again */
}

static void
write_fcr(struct uart *u, uint8_t value)
{
    if ((value ^ u->fcr) & FCR_ENABLE || value & FCR_CLEAR_RX) {
        u->fifo_count = 0;
    }
    u->fcr = value & (0xC0 | FCR_ENABLE);
}

static void
write_register(struct uart *u, unsigned offset, uint8_t value)
{
    switch (offset) {
    case 0:
        if (u->lcr & LCR_DLAB) {
            u->divisor[0] = value;
        } else {
            transmit(u, value);
        }
        break;
    case 1:
        if (u->lcr & LCR_DLAB) {
            u->divisor[1] = value;
        } else {
            if (value & ~u->ier & IER_THRE) {
                u->thre_pending = true; /* enabling it while empty interrupts */
            }
            u->ier = value & 0x0F;
        }
        break;
    case 2:
        write_fcr(u, value);
        break;
    case 3:
        u->lcr = value;
        break;
    case 4:
        u->mcr = value & 0x1F;
        modem_update(u);
        break;
    case 5: /* LSR and MSR are read-only */
    case 6:
        break;
    default:
        u->scr = value;
        break;
    }
}

uint64_t
uart_read(void *uart, uint64_t offset, unsigned size)
{
    struct uart *u = uart;
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)read_register(u, (unsigned)offset + i) << (8 * i);
    }
    interrupt_update(u);
    return value;
}

void
uart_write(void *uart, uint64_t offset, unsigned size, uint64_t value)
{
    struct uart *u = uart;
    for (unsigned i = 0; i < size; i++) {
        write_register(u, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
    }
    interrupt_update(u);
}

void
uart_state(struct uart *u, struct state *s)
{
    STATE_VISIT(s, u->ier);
    STATE_VISIT(s, u->fcr);
    STATE_VISIT(s, u->lcr);
    STATE_VISIT(s, u->mcr);
    STATE_VISIT(s, u->scr);
    STATE_VISIT(s, u->divisor);
    STATE_VISIT(s, u->msr_lines);
    STATE_VISIT(s, u->msr_delta);
    STATE_VISIT(s, u->overrun);
    STATE_VISIT(s, u->thre_pending);
    STATE_VISIT(s, u->line_high);
    STATE_VISIT(s, u->fifo);
    STATE_VISIT(s, u->fifo_first);
    STATE_VISIT(s, u->fifo_count);
    if (u->fifo_first >= FIFO_SIZE || u->fifo_count > FIFO_SIZE) {
        state_fail(s, "UART receive FIFO out of range");
        u->fifo_first = u->fifo_count = 0;
    }
}
