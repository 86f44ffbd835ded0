/* The small devices that bare-metal test suites of QEMU's PC expect.
 *
 *   I/O E0H-E3H, E8H-EBH   one 32-bit latch, any lanes, seen at both places
 *   I/O E4H-E7H            "flush a page": accepted, means nothing on a machine of its own
 *   I/O E9H                debug console: bytes go where COM1's go; reads as E9H
 *   I/O 2000H + n          interrupt line n (0-23): a byte other than 0 raises it, 0 lowers it
 *   MMIO FF000000H, 64 KiB memory that is reached as a device
 *   PCI 1b36:0005          pci-testdev: BAR0 memory 4 KiB, BAR1 256 ports; three tests each
 *
 * They are there unless the machine is built without (board.h).  The exit
 * port F4H is the chipset's (power.h).  QEMU hw/misc/pc-testdev.c and pci-testdev.c
 * are what is followed.
 */
#ifndef SIM_PLATFORM_TEST_DEVICES_H
#define SIM_PLATFORM_TEST_DEVICES_H

#include <stdint.h>

struct machine;
struct test_devices;

struct test_devices *test_devices_new(struct machine *); /* NULL: no host memory */
void test_devices_free(struct test_devices *);           /* before machine_free */

/* Where bytes written to E9H go; NULL drops them.  A pure observer. */
void test_devices_set_console(struct test_devices *, void (*output)(void *ctx, uint8_t byte), void *ctx);

#endif
