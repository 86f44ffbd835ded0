/* The processor as this guest sets it up: segments, interrupts, page tables, local APIC.
 *
 * All work is done in the main loop with interrupts off; a handler only notes
 * that its vector fired and acknowledges it, so that nothing here is reentrant.
 */
#ifndef GUESTS_MINI_CPU_H
#define GUESTS_MINI_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct boot_info;

enum {
    CPU_VECTOR_VF = 0x50,     /* + MSI-X entry */
    CPU_VECTOR_IPI = 0x60,    /* to ourselves, in a micro-benchmark */
    CPU_VECTOR_TIMER = 0xED,
    CPU_VECTOR_SYNIC = 0xF3,
};

/* Identity map of the low 4 GiB and of the boot information's devices (uncached). */
void cpu_init(const struct boot_info *);
/* True once per firing. */
bool cpu_fired(unsigned vector);
bool cpu_any_fired(void);
/* Whether the vector acknowledges itself (AutoEOI), so that the handler must not. */
void cpu_auto_eoi(unsigned vector);
void cpu_eoi_by_hypervisor(void); /* use the synthetic EOI MSR */
void cpu_send_self(unsigned vector);

#endif
