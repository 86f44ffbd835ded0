/* A hypervisor of one page: what VMX does when real code uses it, on the whole machine.  Leaves
 * through isa-debug-exit with 0, or the number of the failed line. */
#include <stdbool.h>
#include <stdint.h>

#include "spec/vmx/vmx.h"

struct frame {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
enum { RAX, RCX, RDX, RBX, RBP, RSI, RDI, REGS = 15 };

extern uint64_t gdt[], pml4[], isr_table;
extern char boot_stack_top[], guest_stack_top[];
extern volatile uint32_t guest_interrupts;
extern char g_cpuid[], g_vmcall[], g_hlt[], g_out[], g_rdmsr[], g_cr[], g_store[], g_ud[], g_int3[], g_load[], g_int[],
    g_int_next[], g_sti[], g_sti_window[], g_loop[], g_step[], g_step1[], g_step2[], g_step3[], g_rdtsc[], g_wait[],
    g_tpr[], g_tpr_next[], g_iret_nmi[], g_iret_next[], g_real[], g_real_end[];
int vm_enter(uint64_t regs[REGS], bool launch);
void vm_exit(void);
void isr(struct frame *);
void kernel_main(void);

static uint64_t idt[512] __attribute__((aligned(16))), guest_idt[512] __attribute__((aligned(4096)));
static uint8_t tss[104], region[2][4096] __attribute__((aligned(4096)));
static uint64_t ept_pml4[512] __attribute__((aligned(4096))), ept_pdpt[512] __attribute__((aligned(4096)));
static uint64_t ept_pd[512] __attribute__((aligned(4096))), ept_pt[512] __attribute__((aligned(4096)));
static uint8_t msr_bitmap[4096] __attribute__((aligned(4096))), io_bitmap[2][4096] __attribute__((aligned(4096)));
static uint32_t vapic[1024] __attribute__((aligned(4096)));
static uint8_t window[512 * 4096] __attribute__((aligned(0x200000))); /* mapped by ept_pt, 4 KiB at a time */

static uint64_t regs[REGS];
static bool launched;
static struct frame last;     /* the latest interrupt or exception */
static volatile unsigned events;

#define CHECK(condition)          \
    do {                          \
        if (!(condition)) {       \
            leave(__LINE__);      \
        }                         \
    } while (0)

static void __attribute__((noreturn))
leave(uint32_t code)
{
    for (;;) {
        __asm__ volatile("outl %0, %1" : : "a"(code), "Nd"((uint16_t)0xf4));
    }
}

static uint64_t
rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static void
wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static uint64_t
vmread(uint64_t field)
{
    uint64_t value;
    bool failed;
    __asm__ volatile("vmread %2, %0" : "=r"(value), "=@ccbe"(failed) : "r"(field));
    CHECK(!failed);
    return value;
}

static void
vmwrite(uint64_t field, uint64_t value)
{
    bool failed;
    __asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "rm"(value), "r"(field));
    CHECK(!failed);
}

/* Both worlds count here: what arrived last. */
void
isr(struct frame *f)
{
    last = *f;
    events++;
    if (f->vector >= 32) {
        guest_interrupts++;
    }
    if (f->vector == 6) {
        f->rip += 2; /* UD2 */
    }
}

static void
fill_idt(uint64_t *table)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t target = isr_table + v * 16;
        table[v * 2] = (target & 0xffff) | 8ull << 16 | 0x8eull << 40 | (target >> 16 & 0xffff) << 48;
        table[v * 2 + 1] = target >> 32;
    }
}

static void
load_tables(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { sizeof idt - 1, (uint64_t)idt };
    fill_idt(idt);
    fill_idt(guest_idt);
    uint64_t base = (uint64_t)tss;
    gdt[3] |= (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[4] = base >> 32;
    __asm__ volatile("lidt %0" : : "m"(pointer));
    __asm__ volatile("ltr %0" : : "r"((uint16_t)0x18));
}

/* --- the guest's memory ------------------------------------------------------------- */

static void
map_guest_memory(void)
{
    unsigned hole = (unsigned)((uint64_t)window >> 21);
    ept_pml4[0] = (uint64_t)ept_pdpt | 7;
    ept_pdpt[0] = (uint64_t)ept_pd | 7;
    for (unsigned i = 0; i < 512; i++) {
        ept_pd[i] = (uint64_t)i << 21 | 6 << 3 | 1 << 7 | 7;
        ept_pt[i] = 0;
    }
    ept_pd[hole] = (uint64_t)ept_pt | 7;
}

static void
map_window(unsigned page, uint64_t rights)
{
    ept_pt[page] = ((uint64_t)window + page * 4096ull) | 6 << 3 | rights;
}

static void
invept(void)
{
    struct { uint64_t eptp, zero; } descriptor = { vmread(VMCS_EPT_POINTER), 0 };
    bool failed;
    __asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(1ull) : "memory");
    CHECK(!failed);
}

/* --- the VMCS --------------------------------------------------------------------------- */

static uint32_t
adjust(uint32_t wanted, uint32_t msr)
{
    uint64_t allowed = rdmsr(msr);
    CHECK(!(wanted & ~(uint32_t)(allowed >> 32)));
    return wanted | (uint32_t)allowed;
}

enum { PIN, PRIMARY, SECONDARY, EXIT, ENTRY };

static void
set_controls(uint32_t pin, uint32_t primary, uint32_t secondary, uint32_t exit)
{
    vmwrite(VMCS_PIN_CONTROLS, adjust(pin, MSR_VMX_TRUE_PINBASED_CTLS));
    vmwrite(VMCS_PRIMARY_CONTROLS, adjust(primary | 0x80000000u | VMX_PRIMARY_MSR_BITMAPS, MSR_VMX_TRUE_PROCBASED_CTLS));
    vmwrite(VMCS_SECONDARY_CONTROLS,
            adjust(secondary | VMX_SECONDARY_EPT | VMX_SECONDARY_VPID, MSR_VMX_PROCBASED_CTLS2));
    vmwrite(VMCS_EXIT_CONTROLS, adjust(exit | VMX_EXIT_HOST_64, MSR_VMX_TRUE_EXIT_CTLS));
}

static void
set_host(void)
{
    uint64_t cr0, cr3, cr4;
    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2" : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    vmwrite(VMCS_HOST_CR0, cr0);
    vmwrite(VMCS_HOST_CR3, cr3);
    vmwrite(VMCS_HOST_CR4, cr4);
    vmwrite(VMCS_HOST_CS_SELECTOR, 8);
    vmwrite(VMCS_HOST_SS_SELECTOR, 0x10);
    vmwrite(VMCS_HOST_DS_SELECTOR, 0x10);
    vmwrite(VMCS_HOST_ES_SELECTOR, 0x10);
    vmwrite(VMCS_HOST_FS_SELECTOR, 0);
    vmwrite(VMCS_HOST_GS_SELECTOR, 0);
    vmwrite(VMCS_HOST_TR_SELECTOR, 0x18);
    vmwrite(VMCS_HOST_TR_BASE, (uint64_t)tss);
    vmwrite(VMCS_HOST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(VMCS_HOST_IDTR_BASE, (uint64_t)idt);
    vmwrite(VMCS_HOST_RIP, (uint64_t)vm_exit);
}

static void
set_guest_segment(unsigned seg, uint16_t selector, uint32_t limit, uint32_t rights, uint64_t base)
{
    vmwrite(VMCS_GUEST_ES_SELECTOR + seg * 2, selector);
    vmwrite(VMCS_GUEST_ES_LIMIT + seg * 2, limit);
    vmwrite(VMCS_GUEST_ES_RIGHTS + seg * 2, rights);
    vmwrite(VMCS_GUEST_ES_BASE + seg * 2, base);
}

static void
set_guest(const void *rip)
{
    for (unsigned seg = 0; seg < 6; seg++) {
        set_guest_segment(seg, seg == 1 ? 8 : 0x10, 0xffffffff, seg == 1 ? 0xa09b : 0xc093, 0);
    }
    set_guest_segment(6, 0, 0, 0x10000, 0);
    set_guest_segment(7, 0x18, 0x67, 0x8b, (uint64_t)tss);
    vmwrite(VMCS_GUEST_CR0, vmread(VMCS_HOST_CR0));
    vmwrite(VMCS_GUEST_CR3, (uint64_t)pml4);
    vmwrite(VMCS_GUEST_CR4, vmread(VMCS_HOST_CR4));
    vmwrite(VMCS_GUEST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(VMCS_GUEST_GDTR_LIMIT, 39);
    vmwrite(VMCS_GUEST_IDTR_BASE, (uint64_t)guest_idt);
    vmwrite(VMCS_GUEST_IDTR_LIMIT, sizeof guest_idt - 1);
    vmwrite(VMCS_GUEST_RSP, (uint64_t)guest_stack_top - 64);
    vmwrite(VMCS_GUEST_RIP, (uint64_t)rip);
    vmwrite(VMCS_GUEST_RFLAGS, 2);
    vmwrite(VMCS_GUEST_ACTIVITY, 0);
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    vmwrite(VMCS_ENTRY_CONTROLS, adjust(VMX_ENTRY_GUEST_64, MSR_VMX_TRUE_ENTRY_CTLS));
    vmwrite(VMCS_EXCEPTION_BITMAP, 0);
    vmwrite(VMCS_CR0_MASK, 0);
    vmwrite(VMCS_CR4_MASK, 0);
}

/* Runs until an exit, which must have this reason. */
#define RUN(reason)                                                             \
    do {                                                                        \
        CHECK(vm_enter(regs, !launched) == 0);                                  \
        launched = true;                                                        \
        CHECK(vmread(VMCS_EXIT_REASON) == (uint32_t)(reason));                  \
    } while (0)

static void
skip(void)
{
    vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
}

static void
begin(const void *rip, uint32_t pin, uint32_t primary, uint32_t secondary, uint32_t exit)
{
    set_guest(rip);
    set_controls(pin, primary, secondary, exit);
    events = 0;
    guest_interrupts = 0;
    for (unsigned i = 0; i < REGS; i++) {
        regs[i] = 0;
    }
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
test_launch_state_and_errors(void)
{
    begin(g_vmcall, 0, 0, 0, 0);
    CHECK(vm_enter(regs, false) == 2 && vmread(VMCS_INSTRUCTION_ERROR) == VMX_ERROR_VMRESUME_NOT_LAUNCHED);
    vmwrite(VMCS_PIN_CONTROLS, 0);
    CHECK(vm_enter(regs, true) == 2 && vmread(VMCS_INSTRUCTION_ERROR) == VMX_ERROR_ENTRY_CONTROLS);
    begin(g_vmcall, 0, 0, 0, 0);
    vmwrite(VMCS_HOST_CS_SELECTOR, 0);
    CHECK(vm_enter(regs, true) == 2 && vmread(VMCS_INSTRUCTION_ERROR) == VMX_ERROR_ENTRY_HOST_STATE);
    set_host();
    vmwrite(VMCS_GUEST_RFLAGS, 0);
    CHECK(vm_enter(regs, true) == 0); /* arrives like an exit */
    CHECK(vmread(VMCS_EXIT_REASON) == 0x80000021);
    vmwrite(VMCS_GUEST_RFLAGS, 2);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(vm_enter(regs, true) == 2 && vmread(VMCS_INSTRUCTION_ERROR) == VMX_ERROR_VMLAUNCH_NOT_CLEAR);
}

static void
test_instructions(void)
{
    begin(g_cpuid, 0, 0, 0, 0);
    RUN(VMX_EXIT_REASON_CPUID);
    CHECK(regs[RAX] == 0x40000000 && vmread(VMCS_EXIT_INSTRUCTION_LENGTH) == 2);
    skip();
    RUN(VMX_EXIT_REASON_VMCALL);

    begin(g_hlt, 0, VMX_PRIMARY_HLT, 0, 0);
    RUN(VMX_EXIT_REASON_HLT);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_hlt && vmread(VMCS_GUEST_ACTIVITY) == 0);

    begin(g_out, 0, VMX_PRIMARY_IO_BITMAPS, 0, 0);
    io_bitmap[0][0x3fd / 8] = 1 << 5;
    RUN(VMX_EXIT_REASON_IO);
    CHECK(vmread(VMCS_EXIT_QUALIFICATION) == 0x3fd0000 && (uint8_t)regs[RAX] == 0x5a);
    skip();
    RUN(VMX_EXIT_REASON_VMCALL);

    wrmsr(0x174, 0x77);
    vmwrite(VMCS_GUEST_SYSENTER_CS, 0x66);
    begin(g_rdmsr, 0, 0, 0, 0);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(regs[RAX] == 0x66); /* the guest's, passed through the bitmap */
    msr_bitmap[0x174 / 8] = 1 << 4;
    begin(g_rdmsr, 0, 0, 0, 0);
    RUN(VMX_EXIT_REASON_RDMSR);
    CHECK(regs[RCX] == 0x174);
    msr_bitmap[0x174 / 8] = 0;
}

static void
test_control_registers(void)
{
    begin(g_cr, 0, VMX_PRIMARY_CR3_LOAD, 0, 0);
    vmwrite(VMCS_CR0_MASK, 1 << 16); /* WP is the host's, the guest believes it is set */
    vmwrite(VMCS_CR0_SHADOW, 1 << 16);
    vmwrite(VMCS_CR4_MASK, 1 << 13);
    vmwrite(VMCS_CR4_SHADOW, 0);
    regs[RCX] = 0x5000;
    RUN(VMX_EXIT_REASON_CR_ACCESS);
    CHECK(vmread(VMCS_EXIT_QUALIFICATION) == (3 | 1 << 8)); /* MOV CR3, RCX */
    CHECK((regs[RSI] & 1 << 16) && (regs[RSI] & 2) && !(regs[RBX] & 1 << 13));
    CHECK((vmread(VMCS_GUEST_CR0) & (1 << 16 | 2)) == ((vmread(VMCS_HOST_CR0) & 1 << 16) | 2));
    CHECK(vmread(VMCS_GUEST_CR4) & 1 << 13);
    vmwrite(VMCS_CR0_MASK, 0);
    vmwrite(VMCS_CR4_MASK, 0);
}

static void
test_ept(void)
{
    uint64_t address = (uint64_t)window + 5 * 4096 + 8;
    begin(g_store, 0, 0, 0, 0);
    regs[RAX] = 0x1122334455667788;
    regs[RBX] = address;
    RUN(VMX_EXIT_REASON_EPT_VIOLATION);
    CHECK(vmread(VMCS_EXIT_QUALIFICATION) == 0x182);
    CHECK(vmread(VMCS_GUEST_PHYSICAL_ADDRESS) == address && vmread(VMCS_GUEST_LINEAR_ADDRESS) == address);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_store);
    map_window(5, EPT_READ);
    RUN(VMX_EXIT_REASON_EPT_VIOLATION);
    CHECK(vmread(VMCS_EXIT_QUALIFICATION) == 0x18a);
    map_window(5, EPT_READ | EPT_WRITE);
    RUN(VMX_EXIT_REASON_VMCALL); /* a violation needs no INVEPT */
    CHECK(regs[RCX] == 0x1122334455667788 && *(volatile uint64_t *)address == 0x1122334455667788);
    ept_pt[5] = EPT_WRITE;
    invept();
    vmwrite(VMCS_GUEST_RIP, (uint64_t)g_store);
    RUN(VMX_EXIT_REASON_EPT_MISCONFIGURATION);
    CHECK(vmread(VMCS_GUEST_PHYSICAL_ADDRESS) == address);
    ept_pt[5] = 0;
    invept();
}

static void
test_ept_flags(void)
{
    uint64_t eptp = vmread(VMCS_EPT_POINTER);
    map_window(6, 7);
    begin(g_load, 0, 0, 0, 0);
    vmwrite(VMCS_EPT_POINTER, eptp | EPTP_AD);
    regs[RBX] = (uint64_t)window + 6 * 4096;
    invept();
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK((ept_pt[6] & (EPT_ACCESSED | EPT_DIRTY)) == EPT_ACCESSED);
    vmwrite(VMCS_GUEST_RIP, (uint64_t)g_store);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(ept_pt[6] & EPT_DIRTY);
    vmwrite(VMCS_EPT_POINTER, eptp);
    invept();
}

static void
test_exceptions(void)
{
    begin(g_ud, 0, 0, 0, 0);
    RUN(VMX_EXIT_REASON_VMCALL); /* the guest's own handler */
    CHECK(events == 1 && last.vector == 6);
    begin(g_ud, 0, 0, 0, 0);
    vmwrite(VMCS_EXCEPTION_BITMAP, 1 << 6);
    RUN(VMX_EXIT_REASON_EXCEPTION_NMI);
    CHECK(vmread(VMCS_EXIT_INTERRUPTION_INFO) == 0x80000306 && vmread(VMCS_GUEST_RIP) == (uint64_t)g_ud);
    CHECK(vmread(VMCS_GUEST_RFLAGS) & 1 << 16);

    begin(g_int3, 0, 0, 0, 0);
    vmwrite(VMCS_EXCEPTION_BITMAP, 1 << 3);
    RUN(VMX_EXIT_REASON_EXCEPTION_NMI);
    CHECK(vmread(VMCS_EXIT_INTERRUPTION_INFO) == 0x80000603 && vmread(VMCS_EXIT_INSTRUCTION_LENGTH) == 1);

    begin(g_load, 0, 0, 0, 0);
    vmwrite(VMCS_EXCEPTION_BITMAP, 1 << 14);
    regs[RBX] = 0x4000000000;
    RUN(VMX_EXIT_REASON_EXCEPTION_NMI);
    CHECK(vmread(VMCS_EXIT_INTERRUPTION_INFO) == 0x80000b0e && vmread(VMCS_EXIT_QUALIFICATION) == 0x4000000000);

    begin(g_ud, 0, 0, 0, 0);
    vmwrite(VMCS_GUEST_IDTR_LIMIT, 0);
    RUN(VMX_EXIT_REASON_TRIPLE_FAULT);
}

static void
test_injection(void)
{
    begin(g_vmcall, 0, 0, 0, 0);
    vmwrite(VMCS_GUEST_RFLAGS, 0x202);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0x80000033);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(events == 1 && last.vector == 0x33 && last.rip == (uint64_t)g_vmcall);
    CHECK(vmread(VMCS_ENTRY_INTERRUPTION_INFO) == 0x33);

    begin(g_vmcall, 0, 0, 0, 0);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0x80000b0d);
    vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, 0x28);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(events == 1 && last.vector == 13 && last.error == 0x28);

    begin(g_int, 0, 0, 0, 0); /* as if INT 66H had been interrupted */
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0x80000466);
    vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(events == 1 && last.vector == 0x66 && last.rip == (uint64_t)g_int_next);
}

/* INT n whose IDT page is missing in the EPT: repaired and injected again from the information. */
static void
test_vectoring(void)
{
    uint64_t *copy = (uint64_t *)(window + 9 * 4096);
    fill_idt(copy);
    ept_pt[9] = 0;
    begin(g_int, 0, 0, 0, 0);
    invept();
    vmwrite(VMCS_GUEST_IDTR_BASE, (uint64_t)copy);
    RUN(VMX_EXIT_REASON_EPT_VIOLATION);
    CHECK(vmread(VMCS_IDT_VECTORING_INFO) == 0x80000466 && vmread(VMCS_EXIT_INSTRUCTION_LENGTH) == 2);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_int && events == 0);
    map_window(9, 7);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, vmread(VMCS_IDT_VECTORING_INFO));
    vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(events == 1 && last.vector == 0x66 && last.rip == (uint64_t)g_int_next);
}

static void
test_windows(void)
{
    begin(g_sti, 0, VMX_PRIMARY_INTERRUPT_WINDOW, 0, 0);
    RUN(VMX_EXIT_REASON_INTERRUPT_WINDOW);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_sti_window && regs[RAX] == 1);

    begin(g_iret_nmi, VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS, VMX_PRIMARY_NMI_WINDOW, 0, 0);
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, VMX_BLOCKED_NMI);
    RUN(VMX_EXIT_REASON_NMI_WINDOW);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_iret_next && vmread(VMCS_GUEST_INTERRUPTIBILITY) == 0);
}

static void
test_external_interrupts(void)
{
    begin(g_loop, VMX_PIN_EXTERNAL_INTERRUPT, 0, 0, VMX_EXIT_ACK_INTERRUPT);
    wrmsr(0x83f, 0x71); /* self-IPI: pends, the host runs with IF = 0 */
    RUN(VMX_EXIT_REASON_EXTERNAL_INTERRUPT);
    CHECK(vmread(VMCS_EXIT_INTERRUPTION_INFO) == 0x80000071 && events == 0);
    wrmsr(0x80b, 0);

    wrmsr(0x83f, 0x72); /* without acknowledging the host takes it itself */
    set_controls(VMX_PIN_EXTERNAL_INTERRUPT, 0, 0, 0);
    RUN(VMX_EXIT_REASON_EXTERNAL_INTERRUPT);
    CHECK(vmread(VMCS_EXIT_INTERRUPTION_INFO) == 0);
    __asm__ volatile("sti; nop; cli");
    CHECK(events == 1 && last.vector == 0x72);
    wrmsr(0x80b, 0);

    begin(g_wait, 0, 0, 0, 0); /* not exiting: the guest's */
    wrmsr(0x83f, 0x73);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(events == 1 && last.vector == 0x73);
    wrmsr(0x80b, 0);

    begin(g_loop, VMX_PIN_NMI, 0, 0, 0);
    wrmsr(0x830, 0x84400); /* NMI to all including self: arrives when the guest runs */
    RUN(VMX_EXIT_REASON_EXCEPTION_NMI);
    CHECK(vmread(VMCS_EXIT_INTERRUPTION_INFO) == 0x80000202 && events == 0);
    __asm__ volatile("int $0x80"); /* NMIs are blocked now: IRET lifts that */
}

static void
test_timer(void)
{
    uint64_t ticks = 200;
    begin(g_loop, VMX_PIN_PREEMPTION_TIMER, 0, 0, VMX_EXIT_SAVE_PREEMPTION_TIMER);
    vmwrite(VMCS_PREEMPTION_TIMER, ticks);
    RUN(VMX_EXIT_REASON_PREEMPTION_TIMER);
    CHECK(regs[RAX] > 10 && vmread(VMCS_PREEMPTION_TIMER) == 0);

    begin(g_hlt, VMX_PIN_PREEMPTION_TIMER, 0, 0, 0); /* HLT does not exit: asleep until the timer */
    vmwrite(VMCS_PREEMPTION_TIMER, 100000);
    RUN(VMX_EXIT_REASON_PREEMPTION_TIMER);
    CHECK(vmread(VMCS_GUEST_ACTIVITY) == VMX_ACTIVITY_HLT && vmread(VMCS_GUEST_RIP) == (uint64_t)g_hlt + 1);

    begin(g_vmcall, VMX_PIN_PREEMPTION_TIMER, 0, 0, 0);
    vmwrite(VMCS_PREEMPTION_TIMER, 0);
    RUN(VMX_EXIT_REASON_PREEMPTION_TIMER);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_vmcall);

    begin(g_rdtsc, 0, VMX_PRIMARY_TSC_OFFSETTING, 0, 0);
    vmwrite(VMCS_TSC_OFFSET, 1ull << 40);
    RUN(VMX_EXIT_REASON_VMCALL);
    uint64_t now = rdmsr(0x10);
    CHECK(regs[RAX] > 1ull << 40 && regs[RAX] < (1ull << 40) + now);
}

static void
test_single_steps(void)
{
    begin(g_step, 0, VMX_PRIMARY_MONITOR_TRAP_FLAG, 0, 0);
    regs[RSI] = (uint64_t)guest_idt;
    regs[RDI] = (uint64_t)guest_stack_top - 4096;
    RUN(VMX_EXIT_REASON_MONITOR_TRAP_FLAG);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_step1);
    RUN(VMX_EXIT_REASON_MONITOR_TRAP_FLAG); /* MOV */
    RUN(VMX_EXIT_REASON_MONITOR_TRAP_FLAG); /* NOP */
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_step2);
    unsigned iterations = 0;
    while (vmread(VMCS_GUEST_RIP) == (uint64_t)g_step2 && iterations < 4) {
        RUN(VMX_EXIT_REASON_MONITOR_TRAP_FLAG);
        iterations++;
    }
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_step3 && iterations <= 3);
    RUN(VMX_EXIT_REASON_VMCALL);
}

static void
test_virtual_apic(void)
{
    begin(g_tpr, 0, VMX_PRIMARY_TPR_SHADOW, 0, 0);
    vapic[0x80 / 4] = 0x50;
    vmwrite(VMCS_TPR_THRESHOLD, 5);
    RUN(VMX_EXIT_REASON_TPR_BELOW_THRESHOLD);
    CHECK(vmread(VMCS_GUEST_RIP) == (uint64_t)g_tpr_next && regs[RBX] == 7 && vapic[0x80 / 4] == 0x20);

    vapic[0x80 / 4] = 0;
    vapic[0x230 / 4] = 1 << 5; /* VIRR: vector 65H */
    begin(g_wait, VMX_PIN_EXTERNAL_INTERRUPT, VMX_PRIMARY_TPR_SHADOW,
          VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_VIRTUAL_INTERRUPTS | VMX_SECONDARY_APIC_REGISTERS, 0);
    vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0x65);
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(events == 1 && last.vector == 0x65 && vmread(VMCS_GUEST_INTERRUPT_STATUS) == 0x6500);
    CHECK(vapic[0x230 / 4] == 0 && vapic[0x130 / 4] == 1 << 5 && vapic[0xa0 / 4] == 0x60);
    vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0);
    vapic[0x130 / 4] = 0;
}

static void
test_unrestricted_guest(void)
{
    volatile char *code = (volatile char *)0x7400;
    begin((void *)0x500, 0, 0, VMX_SECONDARY_UNRESTRICTED_GUEST, 0);
    for (unsigned seg = 0; seg < 6; seg++) {
        set_guest_segment(seg, 0x6f0, 0xffff, seg == 1 ? 0x9b : 0x93, 0x6f00);
    }
    vmwrite(VMCS_GUEST_CR0, 0x20);
    vmwrite(VMCS_GUEST_CR4, 1 << 13);
    vmwrite(VMCS_GUEST_RSP, 0x1000);
    vmwrite(VMCS_ENTRY_CONTROLS, adjust(0, MSR_VMX_TRUE_ENTRY_CTLS));
    for (long i = 0; i < g_real_end - g_real; i++) {
        code[i] = g_real[i]; /* 6F00H + 500H */
    }
    RUN(VMX_EXIT_REASON_CPUID);
    CHECK(*(volatile uint16_t *)0x7000 == 0x1234 && vmread(VMCS_GUEST_CR0) == 0x30);
    skip();
    RUN(VMX_EXIT_REASON_VMCALL);
    CHECK(vmread(VMCS_GUEST_CR0) & 1);
    CHECK(!(vmread(VMCS_ENTRY_CONTROLS) & VMX_ENTRY_GUEST_64));
}

static void
vmxon(void)
{
    uint64_t cr4, pointer[2] = { (uint64_t)region[0], (uint64_t)region[1] };
    bool failed;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1 << 13));
    *(uint32_t *)(void *)region[0] = *(uint32_t *)(void *)region[1] = (uint32_t)rdmsr(MSR_VMX_BASIC);
    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(pointer[0]));
    CHECK(!failed);
    __asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(pointer[1]));
    CHECK(!failed);
    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(pointer[1]));
    CHECK(!failed);
}

static void
set_addresses(void)
{
    vmwrite(VMCS_EPT_POINTER, (uint64_t)ept_pml4 | 3 << EPTP_WALK_SHIFT | MEMORY_TYPE_WB);
    vmwrite(VMCS_VPID, 1);
    vmwrite(VMCS_MSR_BITMAP, (uint64_t)msr_bitmap);
    vmwrite(VMCS_IO_BITMAP_A, (uint64_t)io_bitmap[0]);
    vmwrite(VMCS_IO_BITMAP_B, (uint64_t)io_bitmap[1]);
    vmwrite(VMCS_VIRTUAL_APIC_ADDRESS, (uint64_t)vapic);
    vmwrite(VMCS_LINK_POINTER, ~0ull);
    vmwrite(VMCS_LINK_POINTER | 1, 0xffffffff);
}

void
kernel_main(void)
{
    load_tables();
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00); /* x2APIC */
    wrmsr(0x80f, 0x1ff);
    map_guest_memory();
    vmxon();
    set_addresses();
    set_host();
    test_launch_state_and_errors();
    test_instructions();
    test_control_registers();
    test_ept();
    test_ept_flags();
    test_exceptions();
    test_injection();
    test_vectoring();
    test_windows();
    test_external_interrupts();
    test_timer();
    test_single_steps();
    test_virtual_apic();
    test_unrestricted_guest();
    leave(0);
}
