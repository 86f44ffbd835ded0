/* arch.h for images: each function is one instruction or two. */
#ifndef HV_ARCH_ARCH_INLINE_H
#define HV_ARCH_ARCH_INLINE_H

/* The hypervisor's page tables map system-physical memory one to one. */
static inline void *arch_spa_pointer(uint64_t spa) { return (void *)spa; }
static inline uint64_t arch_pointer_spa(const void *p) { return (uint64_t)p; }

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
static inline struct cpuid_result arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}
static inline uint64_t arch_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
static inline void arch_pause(void) { __asm__ volatile("pause"); }
static inline uint64_t arch_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low, high, rest;
    __asm__("mulq %3" : "=a"(low), "=d"(high) : "0"(a), "rm"(b) : "cc");
    __asm__("divq %4" : "=a"(low), "=d"(rest) : "0"(low), "1"(high), "rm"(c) : "cc");
    return low;
}
static inline uint64_t arch_mul_high(uint64_t a, uint64_t b)
{
    uint64_t low, high;
    __asm__("mulq %3" : "=a"(low), "=d"(high) : "0"(a), "rm"(b) : "cc");
    (void)low;
    return high;
}

static inline uint8_t arch_in8(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint32_t arch_in32(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void arch_out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void arch_out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }

/* GS base points to struct lp, whose first member points to itself. */
static inline struct lp *arch_lp_self(void)
{
    struct lp *lp;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(lp));
    return lp;
}
/* STI takes effect after the next instruction, so no interrupt can slip in before HLT. */
static inline void arch_wait(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

static inline void arch_invalidate_page(uint64_t linear) { __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory"); }
static inline void arch_flush_tlb(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(cr3) : : "memory");
}

static inline bool arch_vmxon(uint64_t spa)
{
    bool ok;
    __asm__ volatile("vmxon %1" : "=@cca"(ok) : "m"(spa) : "cc", "memory");
    return ok;
}
static inline bool arch_vmclear(uint64_t spa)
{
    bool ok;
    __asm__ volatile("vmclear %1" : "=@cca"(ok) : "m"(spa) : "cc", "memory");
    return ok;
}
static inline bool arch_vmptrld(uint64_t spa)
{
    bool ok;
    __asm__ volatile("vmptrld %1" : "=@cca"(ok) : "m"(spa) : "cc", "memory");
    return ok;
}
_Noreturn void arch_vmx_failed(const char *instruction, uint64_t operand); /* prints and stops */
static inline uint64_t arch_vmread(uint32_t field)
{
    uint64_t value;
    bool ok;
    __asm__ volatile("vmread %2, %1" : "=@cca"(ok), "=r"(value) : "r"((uint64_t)field) : "cc");
    if (!ok)
        arch_vmx_failed("VMREAD", field);
    return value;
}
static inline void arch_vmwrite(uint32_t field, uint64_t value)
{
    bool ok;
    __asm__ volatile("vmwrite %1, %2" : "=@cca"(ok) : "r"(value), "r"((uint64_t)field) : "cc", "memory");
    if (!ok)
        arch_vmx_failed("VMWRITE", field);
}
static inline void arch_invept_context(uint64_t eptp)
{
    struct { uint64_t eptp, zero; } descriptor = { eptp, 0 };
    bool ok;
    __asm__ volatile("invept %1, %2" : "=@cca"(ok) : "m"(descriptor), "r"(1ull) : "cc", "memory");
    if (!ok)
        arch_vmx_failed("INVEPT", eptp);
}
static inline void arch_invvpid_context(uint16_t vpid)
{
    struct { uint64_t vpid, address; } descriptor = { vpid, 0 };
    bool ok;
    __asm__ volatile("invvpid %1, %2" : "=@cca"(ok) : "m"(descriptor), "r"(1ull) : "cc", "memory");
    if (!ok)
        arch_vmx_failed("INVVPID", vpid);
}

static inline void arch_fxsave(void *area) { __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory"); }
static inline void arch_fxrstor(const void *area) { __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory"); }

static inline void arch_dr_save(uint64_t dr[5])
{
    __asm__ volatile("movq %%db0, %0; movq %%db1, %1; movq %%db2, %2; movq %%db3, %3; movq %%db6, %4"
        : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]), "=r"(dr[4]));
}
static inline void arch_dr_load(const uint64_t dr[5])
{
    __asm__ volatile("movq %0, %%db0; movq %1, %%db1; movq %2, %%db2; movq %3, %%db3; movq %4, %%db6"
        : : "r"(dr[0]), "r"(dr[1]), "r"(dr[2]), "r"(dr[3]), "r"(dr[4]));
}
static inline uint64_t arch_read_cr2(void)
{
    uint64_t v;
    __asm__ volatile("movq %%cr2, %0" : "=r"(v));
    return v;
}
static inline void arch_write_cr2(uint64_t v) { __asm__ volatile("movq %0, %%cr2" : : "r"(v)); }

#endif
