/* The few instructions that C does not have. */
#ifndef GUESTS_MINI_ARCH_H
#define GUESTS_MINI_ARCH_H

#include <stdint.h>

struct arch_cpuid { uint32_t eax, ebx, ecx, edx; };

static inline struct arch_cpuid arch_cpuid(uint32_t leaf)
{
    struct arch_cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}
static inline uint64_t arch_rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}
static inline void arch_wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
static inline uint32_t arch_in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void arch_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline uint64_t arch_rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
static inline void arch_interrupts_off(void) { __asm__ volatile("cli" : : : "memory"); }
/* Sleeps until an interrupt was handled; interrupts are off before and after. */
static inline void arch_sleep(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
/* Lets pending interrupts in. */
static inline void arch_interrupts_window(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }
static inline void arch_pause(void) { __asm__ volatile("pause"); }
static inline void arch_load_cr3(uint64_t value) { __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }

#endif
