/* IDT, exceptions, and the SynIC of the root's VP.
 *
 * Handlers only note what has happened; the main loop works.  Interrupts come
 * with EOI by MSR (or by the assist page, which saves the exit). */
#include "guests/root/root.h"

enum { VECTORS = 256, STUB_SIZE = 16, EXCEPTIONS = 32, GATE = 0x8E00, CODE = 0x08, TSS_SELECTOR = 0x18, GDT_ENTRIES = 5 };

struct gate { uint16_t offset_low, selector, attributes, offset_middle; uint32_t offset_high, reserved; };
struct table_pointer { uint16_t limit; uint64_t base; } __attribute__((packed));
struct tss { uint32_t reserved0; uint64_t rsp[3], reserved1, ist[7], reserved2; uint16_t reserved3, io_map; } __attribute__((packed));

extern char root_interrupt_stubs[];
void root_load_tables(const struct table_pointer *gdt, const struct table_pointer *idt, uint16_t tss);
void root_interrupt(uint64_t vector, const uint64_t *frame);

static struct gate idt[VECTORS];
static struct tss tss;
static uint64_t gdt[GDT_ENTRIES];
static uint8_t emergency_stack[8192] __attribute__((aligned(16)));
static struct hv_vp_assist_page *assist;

void interrupt_init(void)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        uint64_t stub = (uint64_t)root_interrupt_stubs + v * STUB_SIZE;
        unsigned ist = v == 8 || v == 2 ? 1 : 0;
        idt[v] = (struct gate){ (uint16_t)stub, CODE, (uint16_t)(GATE | ist), (uint16_t)(stub >> 16), (uint32_t)(stub >> 32), 0 };
    }
    uint64_t base = (uint64_t)&tss;
    tss.io_map = sizeof(tss);
    tss.ist[0] = (uint64_t)(emergency_stack + sizeof(emergency_stack));
    gdt[1] = 0x00AF9B000000FFFF;
    gdt[2] = 0x00CF93000000FFFF;
    gdt[3] = (sizeof(tss) - 1) | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56;
    gdt[4] = base >> 32;
    struct table_pointer g = { sizeof(gdt) - 1, (uint64_t)gdt }, i = { sizeof(idt) - 1, (uint64_t)idt };
    root_load_tables(&g, &i, TSS_SELECTOR);
}

static void enable_sint(unsigned sint, unsigned vector) { wrmsr(HV_MSR_SINT0 + sint, vector); }

void synic_init(void)
{
    root.messages = root_alloc(ROOT_PAGE, ROOT_PAGE);
    root.flags = root_alloc(ROOT_PAGE, ROOT_PAGE);
    assist = root_alloc(ROOT_PAGE, ROOT_PAGE);
    wrmsr(HV_MSR_VP_ASSIST_PAGE, (uint64_t)assist | HV_PAGE_MSR_ENABLE);
    wrmsr(HV_MSR_SIMP, (uint64_t)root.messages | HV_PAGE_MSR_ENABLE);
    wrmsr(HV_MSR_SIEFP, (uint64_t)root.flags | HV_PAGE_MSR_ENABLE);
    enable_sint(SINT_INTERCEPT, VECTOR_INTERCEPT);
    enable_sint(SINT_MESSAGE, VECTOR_MESSAGE);
    enable_sint(SINT_EVENT, VECTOR_EVENT);
    enable_sint(SINT_TIMER, VECTOR_TIMER);
    wrmsr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
}

/* TLFS "EOI Assist": the hypervisor looks at the bit instead of seeing an EOI. */
static void end_of_interrupt(void)
{
    uint32_t one = HV_APIC_ASSIST_NO_EOI;
    if (assist && __atomic_fetch_and(&assist->apic_assist, ~one, __ATOMIC_SEQ_CST) & one)
        return;
    wrmsr(HV_MSR_EOI, 0);
}

static void die(uint64_t vector, const uint64_t *frame)
{
    uint64_t cr2;
    __asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
    root_panic("exception %lu: error %lx RIP %lx RSP %lx CR2 %lx", (unsigned long)vector, (unsigned long)frame[1],
               (unsigned long)frame[2], (unsigned long)frame[5], (unsigned long)cr2);
}

/* Frame: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
void root_interrupt(uint64_t vector, const uint64_t *frame)
{
    if (vector < EXCEPTIONS)
        die(vector, frame);
    switch (vector) {
    case VECTOR_INTERCEPT: root.intercept_pending = true; break;
    case VECTOR_MESSAGE: root.message_pending = true; break;
    case VECTOR_EVENT: root.event_pending = true; break;
    case VECTOR_TIMER: root.timer_pending = true; break;
    case VECTOR_SPURIOUS: return;
    default: root.device_pending[vector / 64] |= 1ull << vector % 64;
    }
    end_of_interrupt();
}
