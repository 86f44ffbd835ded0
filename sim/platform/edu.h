/* QEMU's educational PCI device (docs/specs/edu), 1234:11e8: a factorial, a DMA engine with a buffer of 4 KiB,
 * interrupts by MSI or pin.  For bare-metal tests of DMA and interrupt remapping that ask for it.  (The I/O APIC test of
 * kvm-unit-tests' intel-iommu is none of those: it wants the I/O APIC's messages to carry this device's source id.)
 *
 *   BAR 0 (1 MiB): 00H identity, 04H inverts what is written, 08H factorial (32 bits), 20H status, 24H interrupt
 *   status, 60H raise, 64H acknowledge; 80H source, 88H destination, 90H count, 98H command; buffer at 40000H
 *
 * Factorials are done at once; a transfer takes 10 microseconds.  Addresses on the bus have 28 bits, as there.
 */
#ifndef SIM_PLATFORM_EDU_H
#define SIM_PLATFORM_EDU_H

struct edu;
struct machine;

struct edu *edu_new(struct machine *); /* NULL: no host memory */
void edu_free(struct edu *);           /* before machine_free */

#endif
