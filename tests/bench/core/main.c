/* Micro-benchmarks of the core as one bare-metal guest, after the manner of
 * lmbench and InstLatx64: each line it prints is "name centicycles-per-operation".
 * What is printed is what software could measure: TSC differences. */
#include <stdbool.h>
#include <stdint.h>

#include "spec/platform/memory_map.h"
#include "spec/vmx/vmx.h"

extern uint64_t gdt[], pml4[], lean_reason;
extern volatile uint64_t arrived;
extern char trampoline[], trampoline_end[], stack_top[], guest_vmcall[], guest_cpuid[];
void on_int(void);
void on_ipi(void);
void syscall_entry(void);
void syscall_loop(uint64_t count);
int vmx_loop_bare(uint64_t count);
int vmx_loop_lean(uint64_t count);
void bench_main(void);
void second_main(void);

enum { VECTOR_INT = 0x80, VECTOR_IPI = 0x81, LINE = 64, PAGE = 4096 };
#define ARENA ((uint8_t *)(64 << 20)) /* [64, 192) MiB, for the chases */

static uint64_t idt[512] __attribute__((aligned(16)));
static uint8_t tss[104], region[2][PAGE] __attribute__((aligned(4096)));
static uint64_t ept_pml4[512] __attribute__((aligned(4096))), ept_pdpt[512] __attribute__((aligned(4096)));
static uint8_t copy_from[PAGE] __attribute__((aligned(4096))), copy_to[PAGE] __attribute__((aligned(4096)));
static volatile uint32_t second_is_up, second_halts;
static uint64_t locked_word;

/* --- instructions and output ------------------------------------------------------------ */

static inline uint64_t
tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
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

static void
put(char c)
{
    __asm__ volatile("outb %0, %1" : : "a"(c), "Nd"((uint16_t)0x3f8));
}

static void
put_text(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

static void
put_number(uint64_t value)
{
    char digits[20];
    unsigned n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
    } while (value /= 10);
    while (n) {
        put(digits[--n]);
    }
}

static void
report(const char *name, uint64_t cycles, uint64_t operations)
{
    put_text(name);
    put(' ');
    put_number((cycles * 100 + operations / 2) / operations);
    put('\n');
}

static void __attribute__((noreturn))
leave(uint32_t code)
{
    for (;;) {
        __asm__ volatile("outl %0, %1" : : "a"(code), "Nd"((uint16_t)0xf4));
    }
}

/* 'turns' times a body of 'copies' copies of 'code'. */
#define MEASURE(name, turns, copies, code, ...)                                         \
    do {                                                                                \
        uint64_t count_ = (turns), begin_ = tsc();                                      \
        __asm__ volatile("1:\n\t.rept " #copies "\n\t" code "\n\t.endr\n\t"             \
                         "dec %[count]\n\tjnz 1b"                                       \
                         : [count] "+r"(count_) : __VA_ARGS__);                         \
        report(name, tsc() - begin_, (uint64_t)(turns) * (copies));                     \
    } while (0)
#define NOTHING "i"(0) : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc"

/* --- arithmetic ---------------------------------------------------------------------------- */

static void
measure_arithmetic(void)
{
    MEASURE("add_dependent", 2000, 40, "add %%rbx, %%rax", NOTHING);
    MEASURE("add_independent", 2000, 13, "add %%rbx, %%rax; add %%rbx, %%rcx; add %%rbx, %%rdx", NOTHING);
    MEASURE("lea_dependent", 2000, 40, "lea (%%rax, %%rbx), %%rax", NOTHING);
    MEASURE("adc_dependent", 2000, 40, "adc %%rbx, %%rax", NOTHING);
    MEASURE("imul_dependent", 2000, 40, "imul %%rbx, %%rax", NOTHING);
    MEASURE("imul_independent", 2000, 13, "imul %%rbx, %%rax; imul %%rbx, %%rcx; imul %%rbx, %%rdx", NOTHING);
    MEASURE("mul_dependent", 2000, 40, "mul %%rbx", NOTHING);
    MEASURE("div_32", 2000, 12, "mov $1000000, %%eax; xor %%edx, %%edx; mov $7, %%ebx; div %%ebx", NOTHING);
    MEASURE("xor_zero", 2000, 40, "xor %%eax, %%eax", NOTHING);
    MEASURE("addsd_dependent", 2000, 40, "addsd %%xmm1, %%xmm0", NOTHING);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* A ring through 'count' (power of two) cells 'stride' apart, in an order no prefetcher expects;
 * 'skew' spreads cells of different pages over all sets of the caches. */
static uint8_t *
cell(uint64_t i, uint64_t stride, bool skew)
{
    return ARENA + i * stride + (skew ? i / 8 * LINE % PAGE : 0);
}

static void
build_ring(uint64_t count, uint64_t stride, bool skew)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t next = (i * 1664525 + 1013904223) & (count - 1);
        *(uint8_t **)cell(i, stride, skew) = cell(next, stride, skew);
    }
}

static void
measure_ring(const char *name, uint64_t count, uint64_t stride, bool skew)
{
    uint64_t steps = count < 20000 ? 200000 / count * count : count;
    build_ring(count, stride, skew);
    for (unsigned pass = 0; pass < 2; pass++) {
        uint8_t *p = ARENA;
        uint64_t begin = tsc();
        for (uint64_t i = 0; i < steps; i += 8) {
            __asm__ volatile(".rept 8; mov (%0), %0; .endr" : "+r"(p) : : "memory");
        }
        if (pass) {
            report(name, tsc() - begin, steps);
        }
    }
}

static void
measure_memory(void)
{
    measure_ring("load_l1", 256, LINE, false);
    measure_ring("load_l2", 2048, LINE, false);
    measure_ring("load_l3_1m", 16384, LINE, false);
    measure_ring("load_l3_8m", 131072, LINE, false);
    measure_ring("load_dram_64m", 1048576, LINE, false);
    measure_ring("tlb_32_pages", 32, PAGE, true);
    measure_ring("tlb_256_pages", 256, PAGE, true);
    measure_ring("tlb_2048_pages", 2048, PAGE, true);
    MEASURE("store_l1", 2000, 40, "mov %%rax, (%[at])", [at] "r"(ARENA) : "memory", "cc");
    uint8_t *at = ARENA;
    uint64_t begin = tsc();
    for (uint64_t i = 0; i < 1048576; i++) {
        *(volatile uint64_t *)(at + i * LINE) = i;
    }
    report("store_stream_dram_line", tsc() - begin, 1048576);
    uint64_t sum = 0;
    begin = tsc();
    for (uint64_t i = 0; i < 1048576; i++) {
        sum += *(volatile uint64_t *)(at + i * LINE);
    }
    report("load_stream_dram_line", tsc() - begin, 1048576);
    MEASURE("lock_add", 2000, 20, "lock addq $1, %[word]", [word] "m"(locked_word) : "memory", "cc");
    MEASURE("mfence", 2000, 20, "mfence", NOTHING);
    MEASURE("rep_movsb_4096", 500, 1, "mov %[from], %%rsi; mov %[to], %%rdi; mov $4096, %%ecx; rep movsb",
            [from] "r"(copy_from), [to] "r"(copy_to) : "rsi", "rdi", "rcx", "memory", "cc");
    MEASURE("rep_movsb_64", 500, 8, "mov %[from], %%rsi; mov %[to], %%rdi; mov $64, %%ecx; rep movsb",
            [from] "r"(copy_from), [to] "r"(copy_to) : "rsi", "rdi", "rcx", "memory", "cc");
}

/* --- branches --------------------------------------------------------------------------------- */

/* Cycles of 100000 turns with one branch on a bit of 'x', which stays or is stirred anew. */
static uint64_t
branch_turns(bool stirred)
{
    uint64_t x = 88172645463325252u, mask = stirred ? 1 : 0, begin = tsc();
    for (unsigned i = 0; i < 100000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __asm__ volatile("test %0, %1; jz 1f; nop; 1:" : : "r"(x), "r"(mask) : "cc");
    }
    return tsc() - begin;
}

static void
measure_branches(void)
{
    MEASURE("branch_taken", 2000, 20, "jmp 2f; 2:", NOTHING);
    branch_turns(false);
    uint64_t steady = branch_turns(false), random = branch_turns(true);
    report("branch_mispredicted", (random - steady) * 2, 100000); /* half of the random ones are */
    MEASURE("call_ret", 2000, 1, "call 3f; jmp 4f; 3: ret; 4:", NOTHING);
}

/* --- system -------------------------------------------------------------------------------------- */

static void
set_gate(unsigned vector, void (*handler)(void))
{
    uint64_t target = (uint64_t)handler;
    idt[vector * 2] = (target & 0xffff) | 8ull << 16 | 0x8eull << 40 | (target >> 16 & 0xffff) << 48;
    idt[vector * 2 + 1] = target >> 32;
}

static void
load_tables(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { sizeof idt - 1, (uint64_t)idt };
    set_gate(VECTOR_INT, on_int);
    set_gate(VECTOR_IPI, on_ipi);
    __asm__ volatile("lidt %0" : : "m"(pointer));
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00); /* x2APIC */
    wrmsr(0x80f, 0x1ff);
}

static void
load_task(void)
{
    uint64_t base = (uint64_t)tss;
    *(uint64_t *)(tss + 4) = (uint64_t)stack_top; /* RSP0 */
    gdt[6] |= (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[7] = base >> 32;
    __asm__ volatile("ltr %0" : : "r"((uint16_t)0x30));
}

static void
measure_system(void)
{
    uint64_t cr3 = (uint64_t)pml4, begin;

    MEASURE("rdtsc", 500, 20, "rdtsc", NOTHING);
    MEASURE("cpuid_0", 500, 8, "xor %%eax, %%eax; cpuid", NOTHING);
    MEASURE("mov_cr3", 500, 8, "mov %[cr3], %%cr3", [cr3] "r"(cr3) : "memory", "cc");
    MEASURE("invlpg", 500, 8, "invlpg (%[at])", [at] "r"(ARENA) : "memory", "cc");
    MEASURE("wrmsr", 500, 8, "wrmsr", "c"(0xc0000103), "a"(0), "d"(0) : "memory", "cc");
    MEASURE("rdmsr", 500, 8, "rdmsr", "c"(0xc0000103) : "rax", "rdx", "memory", "cc");
    MEASURE("int_iret", 500, 8, "int $0x80", NOTHING);
    wrmsr(0xc0000081, 0x18ull << 48 | 8ull << 32 | 3ull << 48);
    wrmsr(0xc0000082, (uint64_t)syscall_entry);
    wrmsr(0xc0000084, 0x200);
    begin = tsc();
    syscall_loop(2000);
    report("syscall_sysret", tsc() - begin, 2000);
    MEASURE("mmio_read", 200, 4, "mov (%[at]), %%eax", [at] "r"(ECAM_BASE) : "rax", "memory", "cc");
    MEASURE("mmio_write", 200, 4, "mov %%eax, (%[at])", [at] "r"(ECAM_BASE), "a"(0) : "memory", "cc");
    MEASURE("port_in", 200, 4, "in %%dx, %%al", "d"(0x3fd) : "rax", "memory", "cc");
    MEASURE("port_out", 200, 4, "out %%al, %%dx", "d"(0x3ff), "a"(0) : "memory", "cc");
}

/* --- interprocessor interrupts --------------------------------------------------------------- */

void
second_main(void)
{
    load_tables();
    second_is_up = 1;
    for (;;) {
        if (second_halts) {
            __asm__ volatile("sti; hlt; cli" : : : "memory");
        } else {
            __asm__ volatile("sti; pause; cli" : : : "memory");
        }
    }
}

static void
wait_cycles(uint64_t cycles)
{
    for (uint64_t begin = tsc(); tsc() - begin < cycles;) {
        __asm__ volatile("pause");
    }
}

static void
measure_ipis(const char *name, bool halted)
{
    uint64_t sum = 0;
    second_halts = halted;
    for (unsigned i = 0; i < 40; i++) {
        wait_cycles(20000);
        arrived = 0;
        uint64_t begin = tsc();
        wrmsr(0x830, 1ull << 32 | 0x4000 | VECTOR_IPI);
        while (!arrived) {
            __asm__ volatile("pause" : : : "memory");
        }
        sum += i < 8 ? 0 : arrived - begin;
    }
    report(name, sum, 32);
}

static void
start_second(void)
{
    for (char *from = trampoline, *to = (char *)0x8000; from < trampoline_end;) {
        *to++ = *from++;
    }
    wrmsr(0x830, 1ull << 32 | 0x4500);
    wait_cycles(100000);
    wrmsr(0x830, 1ull << 32 | 0x4600 | 8);
    while (!second_is_up) {
        __asm__ volatile("pause");
    }
}

/* --- VMX -------------------------------------------------------------------------------------- */

static void
vmwrite(uint64_t field, uint64_t value)
{
    bool failed;
    __asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "rm"(value), "r"(field));
    if (failed) {
        put_text("vmwrite failed\n");
        leave(2);
    }
}

static uint64_t
adjust(uint32_t wanted, uint32_t msr)
{
    return wanted | (uint32_t)rdmsr(msr);
}

static void
set_host(void)
{
    uint64_t cr0, cr3, cr4;
    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2" : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    vmwrite(VMCS_HOST_CR0, cr0);
    vmwrite(VMCS_HOST_CR3, cr3);
    vmwrite(VMCS_HOST_CR4, cr4);
    vmwrite(VMCS_GUEST_CR0, cr0);
    vmwrite(VMCS_GUEST_CR3, cr3);
    vmwrite(VMCS_GUEST_CR4, cr4);
    vmwrite(VMCS_HOST_CS_SELECTOR, 8);
    vmwrite(VMCS_HOST_SS_SELECTOR, 0x10);
    vmwrite(VMCS_HOST_DS_SELECTOR, 0x10);
    vmwrite(VMCS_HOST_ES_SELECTOR, 0x10);
    vmwrite(VMCS_HOST_TR_SELECTOR, 0x30);
    vmwrite(VMCS_HOST_TR_BASE, (uint64_t)tss);
    vmwrite(VMCS_HOST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(VMCS_HOST_IDTR_BASE, (uint64_t)idt);
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
    set_guest_segment(7, 0x30, 0x67, 0x8b, (uint64_t)tss);
    vmwrite(VMCS_GUEST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(VMCS_GUEST_GDTR_LIMIT, 71);
    vmwrite(VMCS_GUEST_RIP, (uint64_t)rip);
    vmwrite(VMCS_GUEST_RFLAGS, 2);
}

static void
enter_vmx(void)
{
    uint32_t revision = (uint32_t)rdmsr(0x480);
    uint64_t where[2] = { (uint64_t)region[0], (uint64_t)region[1] };
    if (!(rdmsr(0x3a) & 1)) {
        wrmsr(0x3a, 5);
    }
    *(uint32_t *)region[0] = *(uint32_t *)region[1] = revision;
    __asm__ volatile("mov %%cr4, %%rax; bts $13, %%rax; mov %%rax, %%cr4" : : : "rax");
    __asm__ volatile("vmxon %0" : : "m"(where[0]) : "memory", "cc");
    __asm__ volatile("vmclear %0; vmptrld %0" : : "m"(where[1]) : "memory", "cc");
    ept_pml4[0] = (uint64_t)ept_pdpt | 7;
    for (uint64_t i = 0; i < 512; i++) {
        ept_pdpt[i] = i << 30 | 6 << 3 | 1 << 7 | 7;
    }
    vmwrite(VMCS_PIN_CONTROLS, adjust(0, MSR_VMX_TRUE_PINBASED_CTLS));
    vmwrite(VMCS_PRIMARY_CONTROLS, adjust(0x80000000u, MSR_VMX_TRUE_PROCBASED_CTLS));
    vmwrite(VMCS_SECONDARY_CONTROLS, adjust(VMX_SECONDARY_EPT | VMX_SECONDARY_VPID, MSR_VMX_PROCBASED_CTLS2));
    vmwrite(VMCS_EXIT_CONTROLS, adjust(VMX_EXIT_HOST_64, MSR_VMX_TRUE_EXIT_CTLS));
    vmwrite(VMCS_ENTRY_CONTROLS, adjust(VMX_ENTRY_GUEST_64, MSR_VMX_TRUE_ENTRY_CTLS));
    vmwrite(VMCS_EPT_POINTER, (uint64_t)ept_pml4 | 3 << 3 | 6);
    vmwrite(VMCS_VPID, 1);
    vmwrite(VMCS_LINK_POINTER, ~0ull);
    set_host();
}

static void
measure_exits(const char *name, const void *guest, uint64_t reason, int (*loop)(uint64_t))
{
    set_guest(guest);
    lean_reason = reason;
    int failed = loop(100);
    uint64_t begin = tsc();
    failed |= loop(2000);
    uint64_t cycles = tsc() - begin;
    if (failed) {
        put_text("VM entry failed\n");
        leave(3);
    }
    report(name, cycles, 2000);
}

static void
measure_vmx(void)
{
    enter_vmx();
    measure_exits("vm_round_trip", guest_vmcall, VMX_EXIT_REASON_VMCALL, vmx_loop_bare);
    measure_exits("vm_hypercall_lean", guest_vmcall, VMX_EXIT_REASON_VMCALL, vmx_loop_lean);
    measure_exits("vm_cpuid_lean", guest_cpuid, VMX_EXIT_REASON_CPUID, vmx_loop_lean);
    MEASURE("vmread", 500, 8, "vmread %%rax, %%rbx", "a"(VMCS_GUEST_RIP) : "rbx", "memory", "cc");
    MEASURE("vmwrite", 500, 8, "vmwrite %%rbx, %%rax", "a"(VMCS_GUEST_RIP) : "rbx", "memory", "cc");
}

void
bench_main(void)
{
    load_tables();
    load_task();
    measure_arithmetic();
    measure_branches();
    measure_memory();
    measure_system();
    measure_vmx();
    start_second();
    measure_ipis("ipi_spinning", false);
    measure_ipis("ipi_halted", true);
    put_text("done\n");
    leave(0);
}
