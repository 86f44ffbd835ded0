/* SDM Vol 3A "Segment Descriptors", "Task-Management Data Structures in 64-Bit Mode", "64-Bit Mode IDT". */
#include "hv/rt/rt_tables.h"

enum { STUB_SIZE = 16, IST_NMI = 1, IST_DF = 2, GATE_INTERRUPT = 0x8E00 };
#define CODE_64 0x00AF9B000000FFFFull
#define DATA_FLAT 0x00CF93000000FFFFull
#define TSS_AVAILABLE (0x89ull << 40)

struct table_pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

/* rt_interrupts.S */
extern char rt_interrupt_stubs[];
void rt_load_registers(const struct table_pointer *gdt, const struct table_pointer *idt, uint16_t tss);

void rt_fill_idt(struct rt_gate idt[RT_VECTORS])
{
    for (unsigned v = 0; v < RT_VECTORS; v++) {
        uint64_t stub = (uint64_t)rt_interrupt_stubs + v * STUB_SIZE;
        unsigned ist = v == RT_VECTOR_NMI ? IST_NMI : v == RT_VECTOR_DF ? IST_DF : 0;
        idt[v] = (struct rt_gate){ (uint16_t)stub, RT_SELECTOR_CODE, (uint16_t)(GATE_INTERRUPT | ist), (uint16_t)(stub >> 16),
                                   (uint32_t)(stub >> 32), 0 };
    }
}

void rt_tables_load(struct rt_tables *t, const struct rt_gate idt[RT_VECTORS])
{
    uint64_t base = (uint64_t)&t->tss;
    t->tss = (struct rt_tss){ .io_map = sizeof(struct rt_tss) };
    t->tss.ist[IST_NMI - 1] = (uint64_t)(t->nmi_stack + sizeof(t->nmi_stack));
    t->tss.ist[IST_DF - 1] = (uint64_t)(t->df_stack + sizeof(t->df_stack));
    t->gdt[RT_SELECTOR_CODE / 8] = CODE_64;
    t->gdt[RT_SELECTOR_DATA / 8] = DATA_FLAT;
    t->gdt[RT_SELECTOR_TSS / 8] = (sizeof(t->tss) - 1) | (base & 0xFFFFFF) << 16 | TSS_AVAILABLE | (base >> 24 & 0xFF) << 56;
    t->gdt[RT_SELECTOR_TSS / 8 + 1] = base >> 32;
    struct table_pointer gdt_pointer = { sizeof(t->gdt) - 1, (uint64_t)t->gdt };
    struct table_pointer idt_pointer = { RT_VECTORS * sizeof(*idt) - 1, (uint64_t)idt };
    rt_load_registers(&gdt_pointer, &idt_pointer, RT_SELECTOR_TSS);
}
