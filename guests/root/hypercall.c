/* Hypercalls of the parent partition. */
#include "guests/root/root.h"

#define GUEST_OS_ID (0x8200ull << 48 | 1) /* open source, hvlab's parent kernel, version 1 */

static uint8_t page[ROOT_PAGE] __attribute__((aligned(4096)));

void hypercall_init(void)
{
    root.input = root_alloc(ROOT_PAGE, ROOT_PAGE);
    root.output = root_alloc(ROOT_PAGE, ROOT_PAGE);
    wrmsr(HV_MSR_GUEST_OS_ID, GUEST_OS_ID);
    wrmsr(HV_MSR_HYPERCALL, (uint64_t)page | HV_PAGE_MSR_ENABLE);
    if (!(rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_MSR_ENABLE))
        root_panic("no hypercall page");
}

static uint64_t call(uint64_t control, uint64_t a, uint64_t b)
{
    uint64_t result;
    register uint64_t r8 __asm__("r8") = b;
    __asm__ volatile("call *%[page]"
                     : "=a"(result), "+c"(control), "+d"(a), "+r"(r8)
                     : [page] "r"(page)
                     : "memory", "cc", "r9", "r10", "r11");
    return result;
}

uint64_t hypercall_memory(uint64_t control) { return call(control, (uint64_t)root.input, (uint64_t)root.output); }

uint64_t hypercall_fast(uint16_t code, uint64_t a, uint64_t b) { return call(code | HV_CONTROL_FAST, a, b); }

/* The hypervisor continues rep calls by itself; a call that fails midway says how far it came. */
enum hv_status hypercall_rep(uint16_t code, unsigned reps, unsigned *done)
{
    uint64_t control = code | (uint64_t)reps << HV_CONTROL_REP_COUNT_SHIFT
        | (uint64_t)*done << HV_CONTROL_REP_START_SHIFT;
    uint64_t result = hypercall_memory(control);
    *done = result >> HV_RESULT_REPS_SHIFT & HV_CONTROL_REP_MASK;
    return result & HV_RESULT_STATUS;
}
