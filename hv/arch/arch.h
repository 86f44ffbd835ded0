/* The seam between the hypervisor's logic and the processor.
 *
 * Everything privileged or machine-specific is one of the small functions
 * below.  In an image they are single instructions (arch_inline.h); in host
 * tests tests/fakes/arch_fake.c implements them with plain data.  Nothing else
 * in hv/ (outside boot/ and *.S) contains inline assembly.
 */
#ifndef HV_ARCH_ARCH_H
#define HV_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/arch/msr_index.h"

struct lp;
struct cpuid_result { uint32_t eax, ebx, ecx, edx; };

#if __STDC_HOSTED__
/* Physical memory as the hypervisor sees it. */
void *arch_spa_pointer(uint64_t spa);
uint64_t arch_pointer_spa(const void *);

uint64_t arch_rdmsr(uint32_t index);
void arch_wrmsr(uint32_t index, uint64_t value);
struct cpuid_result arch_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t arch_tsc(void);
void arch_pause(void);
uint64_t arch_mul_div(uint64_t a, uint64_t b, uint64_t c); /* a * b / c; the quotient must fit */
uint64_t arch_mul_high(uint64_t a, uint64_t b);            /* (a * b) >> 64 */

uint8_t arch_in8(uint16_t port);
uint32_t arch_in32(uint16_t port);
void arch_out8(uint16_t port, uint8_t value);
void arch_out32(uint16_t port, uint32_t value);

void arch_invalidate_page(uint64_t linear);
void arch_flush_tlb(void); /* translations of the hypervisor itself */

struct lp *arch_lp_self(void);
void arch_wait(void);      /* interrupts on, halt until one was taken, interrupts off */

/* VMX (SDM Vol 3C).  False: the instruction failed (VMfail). */
bool arch_vmxon(uint64_t spa);
bool arch_vmclear(uint64_t spa);
bool arch_vmptrld(uint64_t spa);
uint64_t arch_vmread(uint32_t field);
void arch_vmwrite(uint32_t field, uint64_t value);
void arch_invept_context(uint64_t eptp);
void arch_invvpid_context(uint16_t vpid);

void arch_fxsave(void *area);
void arch_fxrstor(const void *area);
void arch_dr_save(uint64_t dr[5]);
void arch_dr_load(const uint64_t dr[5]);
void arch_write_cr2(uint64_t);
uint64_t arch_read_cr2(void);
#else
#include "hv/arch/arch_inline.h"
#endif

static inline void arch_barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Ticket lock.  Interrupts are always off in the hypervisor, so there is no interrupt-safe variant. */
struct lock { uint32_t next, serving; };

static inline void lock_take(struct lock *l)
{
    uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
        arch_pause();
}
static inline void lock_release(struct lock *l)
{
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

#endif
