/* What an operating system does with the system side of a processor, on one or two of them.  Leaves through
 * isa-debug-exit with 0, or the number of the failed line. */
#include <stdbool.h>
#include <stdint.h>

struct frame {
    uint64_t r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern uint64_t gdt[], pml4[], pdpt[], pd[], attempt_rsp, isr_table;
extern char trampoline[], trampoline_end[], attempt_failed[], user_failed[], boot_stack_top[], gdt_pointer[];
bool attempt(void (*fn)(uint64_t), uint64_t arg);
uint64_t user(void (*fn)(uint64_t), uint64_t arg, bool by_sysret);
void syscall_entry(void);
uint64_t stepped(void);
void isr(struct frame *);
void kernel_main(void);
void ap_main(void);

static uint64_t idt[512] __attribute__((aligned(16)));
static uint8_t tss[104], interrupt_stack[8192], fault_stack[4096] __attribute__((aligned(16)));
static volatile uint64_t low_pt[512] __attribute__((aligned(4096)));
static volatile uint64_t page_a[512] __attribute__((aligned(4096))), page_b[512] __attribute__((aligned(4096)));

static volatile struct frame last;     /* the latest exception */
static volatile uint64_t last_cr2;
static volatile unsigned ticks, breakpoints, steps, ap_ticks;
static volatile bool ap_up;
static volatile uint32_t ap_id;

#define CHECK(condition)          \
    do {                          \
        if (!(condition)) {       \
            leave(__LINE__);      \
        }                         \
    } while (0)

static void __attribute__((noreturn)) leave(uint32_t code)
{
    for (;;) {
        __asm__ volatile("outl %0, %1" : : "a"(code), "Nd"((uint16_t)0xf4));
    }
}

static uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

enum { DEADLINE_VECTOR = 0x40, TICK_VECTOR = 0x41, PING_VECTOR = 0x50, PONG_VECTOR = 0x51, HELD_VECTOR = 0x5f };
static volatile unsigned deadlines, pings, pongs, held;

static void eoi(void)
{
    wrmsr(0x80b, 0);
}

static void ipi(uint32_t to, uint32_t low)
{
    wrmsr(0x830, (uint64_t)to << 32 | low);
}

void isr(struct frame *f)
{
    switch (f->vector) {
    case 1: steps++; return;
    case 3: breakpoints++; return;
    case DEADLINE_VECTOR: deadlines++; eoi(); return;
    case TICK_VECTOR: ticks++; eoi(); return;
    case PING_VECTOR: pings++; eoi(); ipi(0, PONG_VECTOR); return;
    case PONG_VECTOR: pongs++; eoi(); return;
    case HELD_VECTOR: held++; eoi(); return;
    default: break;
    }
    last = *f;
    __asm__ volatile("mov %%cr2, %0" : "=r"(last_cr2));
    if (f->cs & 3) {
        f->cs = 8;
        f->ss = 0x10;
        f->rflags = 2;
        f->rip = (uint64_t)user_failed;
        return;
    }
    if (!attempt_rsp) {
        leave(0x80000000u | (uint32_t)f->vector);
    }
    f->rip = (uint64_t)attempt_failed;
}

static void set_gate(unsigned vector, unsigned dpl, unsigned ist)
{
    uint64_t target = isr_table + vector * 16;

    idt[vector * 2] = (target & 0xffff) | 8ull << 16 | (uint64_t)ist << 32 |
                      (uint64_t)(0x8e | dpl << 5) << 40 | (target >> 16 & 0xffff) << 48;
    idt[vector * 2 + 1] = target >> 32;
}

static void load_tables(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

    for (unsigned v = 0; v < 256; v++) {
        set_gate(v, v == 3 ? 3 : 0, v == 14 ? 1 : 0);
    }
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void load_tss(void)
{
    uint64_t base = (uint64_t)tss;

    *(uint64_t *)(void *)(tss + 4) = (uint64_t)interrupt_stack + sizeof(interrupt_stack);
    *(uint64_t *)(void *)(tss + 36) = (uint64_t)fault_stack + sizeof(fault_stack);
    *(uint16_t *)(void *)(tss + 102) = sizeof(tss); /* no I/O permission bitmap */
    gdt[8] = 0x67 | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[9] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(0x40));
}

/* --- exceptions --------------------------------------------------------------------- */

static void divide(uint64_t by)
{
    __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; divl %0" : : "r"((uint32_t)by) : "eax", "edx");
}

static void undefined(uint64_t arg)
{
    (void)arg;
    __asm__ volatile("ud2");
}

static void load(uint64_t address)
{
    (void)*(volatile uint64_t *)address;
}

static void store(uint64_t address)
{
    *(volatile uint64_t *)address = 1;
}

static void jump(uint64_t address)
{
    ((void (*)(void))address)();
}

static void load_ds(uint64_t selector)
{
    __asm__ volatile("mov %w0, %%ds" : : "r"(selector));
}

static void exceptions(void)
{
    CHECK(!attempt(divide, 0) && last.vector == 0);
    CHECK(!attempt(undefined, 0) && last.vector == 6);
    CHECK(!attempt(load, 0x0000800000000000) && last.vector == 13 && last.error == 0);
    CHECK(!attempt(load, 0x0000200000000000) && last.vector == 14 && last.error == 0);
    CHECK(last_cr2 == 0x0000200000000000);
    CHECK(!attempt(store, 0x200000008) && last.vector == 14 && last.error == 2 && last_cr2 == 0x200000008);
    CHECK(!attempt(load_ds, 0x1000) && last.vector == 13 && last.error == 0x1000);
    CHECK(!attempt(load_ds, 0x40) && last.vector == 13 && last.error == 0x40); /* the TSS */
    CHECK(attempt(load_ds, 0x10));
    __asm__ volatile("int3");
    CHECK(breakpoints == 1);
    steps = 0;
    stepped();
    CHECK(steps == 4); /* nop, mov from SS, mov to SS with its nop, popf */
}

/* --- paging ---------------------------------------------------------------------------- */

static void paging(void)
{
    volatile uint64_t *window = (volatile uint64_t *)0x3000;

    /* The first 2 MiB in 4-KiB pages, so that single ones can change. */
    for (unsigned i = 0; i < 512; i++) {
        low_pt[i] = i * 4096ull | 7;
    }
    pd[0] = (uint64_t)low_pt | 7;
    __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
    page_a[0] = 1;
    page_b[0] = 2;
    low_pt[3] = (uint64_t)page_a | 7;
    CHECK(*window == 1);
    CHECK(low_pt[3] == ((uint64_t)page_a | 7 | 0x20)); /* accessed, not dirty */
    *window = 3;
    CHECK(low_pt[3] == ((uint64_t)page_a | 7 | 0x60));
    low_pt[3] = (uint64_t)page_b | 7;
    __asm__ volatile("invlpg (%0)" : : "r"(window) : "memory");
    CHECK(*window == 2 && page_a[0] == 3);
    low_pt[3] = (uint64_t)page_b | 5; /* read-only, CR0.WP is set */
    __asm__ volatile("invlpg (%0)" : : "r"(window) : "memory");
    CHECK(!attempt(store, 0x3000) && last.vector == 14 && last.error == 3);
    low_pt[3] = (uint64_t)page_b | 7 | 1ull << 63;
    __asm__ volatile("invlpg (%0)" : : "r"(window) : "memory");
    CHECK(!attempt(jump, 0x3000) && last.vector == 14 && last.error == 0x11);
    low_pt[3] = (uint64_t)page_b | 7 | 1ull << 50;
    __asm__ volatile("invlpg (%0)" : : "r"(window) : "memory");
    CHECK(!attempt(load, 0x3000) && last.vector == 14 && last.error == 9);
    low_pt[3] = 0x3007;
    __asm__ volatile("invlpg (%0)" : : "r"(window) : "memory");
}

static uint64_t read_cr4(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static void write_cr4(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/* SMEP and SMAP: everything is a user page but the one the kernel runs on, so try on single pages. */
static void supervisor_protection(void)
{
    /* Kernel code and data must be supervisor pages first. */
    for (unsigned i = 256; i < 512; i++) {
        low_pt[i] &= ~4ull;
    }
    low_pt[3] = (uint64_t)page_a | 7;
    *(volatile uint8_t *)0x3000 = 0xc3; /* RET */
    CHECK(attempt(jump, 0x3000) && attempt(load, 0x3000));
    write_cr4(read_cr4() | 1u << 20 | 1u << 21);
    __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
    CHECK(!attempt(jump, 0x3000) && last.vector == 14 && last.error == 0x11);
    CHECK(!attempt(load, 0x3000) && last.vector == 14 && last.error == 1);
    __asm__ volatile("stac" : : : "cc");
    CHECK(attempt(load, 0x3000));
    __asm__ volatile("clac" : : : "cc");
    CHECK(!attempt(load, 0x3000));
    write_cr4(read_cr4() & ~(3ull << 20));
    for (unsigned i = 256; i < 512; i++) {
        low_pt[i] |= 4;
    }
    __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}

/* --- rings ------------------------------------------------------------------------------- */

static void user_returns(uint64_t value)
{
    __asm__ volatile("syscall" : : "D"(value) : "rcx", "r11", "memory");
}

static void user_breaks_rules(uint64_t which)
{
    switch (which) {
    case 0: __asm__ volatile("cli"); break;
    case 1: __asm__ volatile("hlt"); break;
    case 2: (void)*(volatile uint64_t *)0x3000; break;
    case 3: __asm__ volatile("mov %cr3, %rax"); break;
    case 4: __asm__ volatile("inb $0x71, %%al" : : : "rax"); break;
    case 5: __asm__ volatile("int $0x40"); break;
    case 6: __asm__ volatile("int3"); break;
    default: break;
    }
    user_returns(which);
}

static void rings(void)
{
    wrmsr(0xc0000081, 0x1bull << 48 | 8ull << 32);
    wrmsr(0xc0000082, (uint64_t)syscall_entry);
    wrmsr(0xc0000084, 0x200);
    CHECK(user(user_returns, 0x1234, false) == 0x1234);
    CHECK(user(user_returns, 0x5678, true) == 0x5678);
    low_pt[3] = (uint64_t)page_a | 3;
    __asm__ volatile("invlpg 0x3000" : : : "memory");
    CHECK(user(user_breaks_rules, 0, true) == ~0ull && last.vector == 13);
    CHECK(user(user_breaks_rules, 1, false) == ~0ull && last.vector == 13);
    CHECK(user(user_breaks_rules, 2, true) == ~0ull && last.vector == 14 && last.error == 5);
    CHECK(user(user_breaks_rules, 3, true) == ~0ull && last.vector == 13);
    CHECK(user(user_breaks_rules, 4, true) == ~0ull && last.vector == 13);
    CHECK(user(user_breaks_rules, 5, true) == ~0ull && last.vector == 13 && last.error == (0x40 * 8 | 2));
    breakpoints = 0;
    CHECK(user(user_breaks_rules, 6, true) == 6 && breakpoints == 1);
    low_pt[3] = 0x3007;
}

/* --- interrupts ---------------------------------------------------------------------------- */

static void enable_apic(void)
{
    wrmsr(0x1b, rdmsr(0x1b) | 1u << 10);
    wrmsr(0x80f, 0x1ff);
}

static void timers(void)
{
    enable_apic();
    wrmsr(0x832, 2u << 17 | DEADLINE_VECTOR);
    for (unsigned i = 1; i <= 10; i++) {
        uint64_t due = rdtsc() + 20000;
        wrmsr(0x6e0, due);
        while (deadlines < i) {
            __asm__ volatile("sti; hlt; cli");
        }
        CHECK(rdtsc() >= due && rdmsr(0x6e0) == 0);
    }
    wrmsr(0x832, 1u << 17 | TICK_VECTOR);
    wrmsr(0x83e, 0xb);
    wrmsr(0x838, 500);
    while (ticks < 20) {
        __asm__ volatile("sti; hlt; cli");
    }
    wrmsr(0x838, 0);
    __asm__ volatile("mov %0, %%cr8" : : "r"(5ull)); /* class 5 and below wait */
    ipi(0, 1u << 18 | HELD_VECTOR);
    __asm__ volatile("sti; nop; nop; cli");
    CHECK(rdmsr(0x822) == 1u << 31 && held == 0);
    __asm__ volatile("sti; nop; mov %0, %%cr8; nop; cli" : : "r"(0ull));
    CHECK(rdmsr(0x822) == 0 && held == 1);
}

void ap_main(void)
{
    load_tables();
    enable_apic();
    ap_id = (uint32_t)rdmsr(0x802);
    ap_up = true;
    for (;;) {
        __asm__ volatile("sti; hlt");
    }
}

static void processors(void)
{
    uint32_t count, a = 0xb, c = 1, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(count), "+c"(c), "=d"(d));
    if (count < 2) {
        return;
    }
    for (char *from = trampoline, *to = (char *)0x8000; from < trampoline_end;) {
        *to++ = *from++;
    }
    ipi(1, 0xc500);
    ipi(1, 0x8500);
    ipi(1, 0x4608);
    ipi(1, 0x4608); /* the second is ignored */
    while (!ap_up) {
        __asm__ volatile("pause");
    }
    CHECK(ap_id == 1);
    for (unsigned i = 1; i <= 100; i++) {
        ipi(1, PING_VECTOR);
        while (pongs < i) {
            __asm__ volatile("sti; hlt; cli");
        }
    }
    CHECK(pings == 100);
}

void kernel_main(void)
{
    load_tables();
    load_tss();
    exceptions();
    paging();
    supervisor_protection();
    rings();
    timers();
    processors();
    leave(0);
}
