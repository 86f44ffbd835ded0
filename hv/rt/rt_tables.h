/* Descriptor tables and interrupt entry points of a kernel in 64-bit mode.
 *
 * The hypervisor and the parent partition's kernel set themselves up alike: flat
 * code and data, one TSS a processor, and one IDT of interrupt gates to 256
 * stubs (rt_interrupts.S) that all end in rt_interrupt, which the image provides.
 * NMIs and double faults come on stacks of their own.
 */
#ifndef HV_RT_RT_TABLES_H
#define HV_RT_RT_TABLES_H

#include <stdint.h>

enum { RT_SELECTOR_CODE = 0x08, RT_SELECTOR_DATA = 0x10, RT_SELECTOR_TSS = 0x18 };
enum { RT_VECTORS = 256, RT_VECTOR_NMI = 2, RT_VECTOR_DF = 8, RT_EXCEPTIONS = 32, RT_GDT_ENTRIES = 5, RT_IST_STACK = 4096 };

struct rt_gate { uint16_t offset_low, selector, attributes, offset_middle; uint32_t offset_high, reserved; };
_Static_assert(sizeof(struct rt_gate) == 16, "64-bit gate");

struct rt_tss {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct rt_tss) == 104, "64-bit TSS");

/* Of one processor. */
struct rt_tables {
    uint64_t gdt[RT_GDT_ENTRIES];
    struct rt_tss tss;
    uint8_t nmi_stack[RT_IST_STACK] __attribute__((aligned(16)));
    uint8_t df_stack[RT_IST_STACK] __attribute__((aligned(16)));
};

/* What a stub leaves on the stack. */
struct rt_interrupt_frame { uint64_t vector, error, rip, cs, rflags, rsp, ss; };

/* The image's own; interrupts are off.  The stub returns to where the interrupt came from. */
void rt_interrupt(const struct rt_interrupt_frame *);

void rt_fill_idt(struct rt_gate idt[RT_VECTORS]);
/* On the processor itself.  FS and GS get the base 0. */
void rt_tables_load(struct rt_tables *, const struct rt_gate idt[RT_VECTORS]);

#endif
