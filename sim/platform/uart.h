/* 16550A UART: COM1's registers, FIFOs and interrupt, with a wire of infinite speed.
 *
 * A byte written to THR has left at once, so the transmitter is always empty;
 * received bytes come from uart_receive.  Loopback (MCR bit 4) joins the two
 * and the modem lines, as drivers use it to find the chip.
 *
 * Registers (offset: read / write; DLAB is LCR bit 7):
 *   0 RBR / THR, or DLL   1 IER, or DLM   2 IIR / FCR   3 LCR
 *   4 MCR                 5 LSR           6 MSR         7 SCR
 */
#ifndef SIM_PLATFORM_UART_H
#define SIM_PLATFORM_UART_H

#include <stdbool.h>
#include <stdint.h>

struct state;
struct uart;

/* 'interrupt' is called with the level of the interrupt line when it changes. */
struct uart *uart_new(void (*interrupt)(void *ctx, bool high), void *ctx);
void uart_free(struct uart *);
void uart_state(struct uart *, struct state *);

void uart_set_output(struct uart *, void (*output)(void *ctx, uint8_t byte), void *ctx);
bool uart_has_room(const struct uart *); /* in the receiver, for one more byte */
/* False: the receive FIFO was full; the byte is lost and LSR.OE says so. */
bool uart_receive(struct uart *, uint8_t byte);

/* 'offset' 0-7; wider accesses than a byte touch consecutive registers. */
uint64_t uart_read(void *uart, uint64_t offset, unsigned size);
void uart_write(void *uart, uint64_t offset, unsigned size, uint64_t value);

#endif
