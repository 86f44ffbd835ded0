/* IDT, exceptions, and the SynIC of the root's VP.
 *
 * Handlers only note what has happened; the main loop works.  Interrupts come
 * with EOI by MSR (or by the assist page, which saves the exit). */
#include "guests/root/root.h"
#include "hv/rt/rt_tables.h"

static struct rt_gate idt[RT_VECTORS];
static struct rt_tables tables;
static struct hv_vp_assist_page *assist;

void interrupt_init(void)
{
    rt_fill_idt(idt);
    rt_tables_load(&tables, idt);
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

static void die(const struct rt_interrupt_frame *frame)
{
    uint64_t cr2;
    __asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
    root_panic("exception %lu: error %lx RIP %lx RSP %lx CR2 %lx", (unsigned long)frame->vector, (unsigned long)frame->error,
               (unsigned long)frame->rip, (unsigned long)frame->rsp, (unsigned long)cr2);
}

void rt_interrupt(const struct rt_interrupt_frame *frame)
{
    uint64_t vector = frame->vector;
    if (vector < RT_EXCEPTIONS)
        die(frame);
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
