/* Linear to physical: page walks, cached translations, and memory for system code.
 *
 * Three layers, from the architecture to the fast path:
 *
 *   walk.c     one page walk as the manual writes it: guest structures, then the second level,
 *              permissions, reserved bits, accessed and dirty flags, error codes.
 *   context.c  the TLB.  A context holds the translations of one address space (VPID, PCID, EPTP)
 *              under one permission regime (privilege, SMAP/AC, CR0.WP, CR4 bits, EFER.NXE).
 *              Several contexts live at once, so changing privilege, PCID or world forgets nothing.
 *   mmu.c      mmu_fill: the hot core's refill.  Each context carries the soft TLB array
 *              (cpu->tlb) that the hot core compares against.
 *
 * Complications.  First, a context has two arrays in step: `page` is the architectural TLB (what
 * silicon would remember, MMIO and code pages included), `tlb` holds host pointers for those
 * pages that the hot core may touch directly.  A store to a page with decoded code finds no
 * write tag, but its translation is still cached, so whether code was decoded never decides
 * whether a walk happens.  Second, because stale translations are visible to software that
 * forgets to flush (and accessed flags to software that clears them), the `page` array is
 * saved and restored.  It is not hashed: instruction fetch fills it only when the hot core's jump
 * cache has no answer, and that cache starts empty behind a snapshot.  Third, a VM exit may happen
 * inside any access; EXEC_VMEXIT must be passed up at once, the processor's state is the host's then.
 *
 * Units: addresses in bytes; `linear` is what segmentation produced, `gpa` what guest paging
 * produced, `spa` what memory sees.  Outside VMX non-root operation gpa = spa.
 */
#ifndef SIM_CPU_MMU_MMU_H
#define SIM_CPU_MMU_MMU_H

#include "sim/cpu/cpu.h"

/* --- life ------------------------------------------------------------------ */

bool mmu_new(struct cpu *); /* sets cpu->mmu and cpu->tlb; false: no memory */
void mmu_free(struct cpu *);
void mmu_reset(struct cpu *); /* forgets every translation, picks the context again */
void mmu_state(struct cpu *, struct state *);

/* --- for the hot core ------------------------------------------------------ */

/* Where an instruction byte lies.  Faults (#PF, #GP for a non-canonical address) are recorded.
 * CS limits are not checked here: cpu_linear(cpu, CS, ...). */
enum exec_result mmu_fetch(struct cpu *, uint64_t linear, uint64_t *spa);

/* A number that names the current set of code translations: it differs between contexts and changes
 * whenever a translation of the context was dropped.  A cache from linear addresses to blocks
 * (jump cache) is valid while the number is the one it was filled under; never zero. */
uint64_t mmu_code_epoch(const struct cpu *);

/* The page at 'spa_page' (any address in it) now holds decoded code: no processor may write it
 * through a tag any more.  The code cache sets mem_code_map() first. */
void mmu_protect_code(struct machine *, uint64_t spa_page);

/* The set of pages that are watched is another: their tags go, the others' come back. */
void mmu_watches_changed(struct cpu *);

/* Accesses to what is not RAM, as this processor sees it: its own xAPIC page, else the machine's
 * MMIO regions.  'size' is 1, 2, 4 or 8 [bytes], naturally aligned or not: split as needed. */
uint64_t cpu_mmio_read(struct cpu *, uint64_t spa, unsigned size);
void cpu_mmio_write(struct cpu *, uint64_t spa, unsigned size, uint64_t value);

/* --- for system code ------------------------------------------------------- */

enum mmu_invpcid_type { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL };
void mmu_invpcid(struct cpu *, enum mmu_invpcid_type, uint16_t pcid, uint64_t linear);

/* PAE paging: reads the four PDPTEs that 'cr3' names into 'pdpte' and checks their reserved bits.
 * EXEC_FAULT (#GP(0)) if one is bad; nothing is changed in the processor. */
enum exec_result mmu_read_pdptes(struct cpu *, uint64_t cr3, uint64_t pdpte[4]);

/* Checks that a write of 'size' bytes would succeed (sets accessed and dirty flags, writes nothing).
 * 'system': as an implicit supervisor access. */
enum exec_result mmu_probe_write(struct cpu *, uint64_t linear, unsigned size, bool system);

/* Writes a stack frame with the privilege of ring 'cpl', which may not be the current one. */
enum exec_result mmu_write_as(struct cpu *, unsigned cpl, uint64_t linear, const void *, unsigned size);
enum exec_result mmu_read_as(struct cpu *, unsigned cpl, uint64_t linear, void *, unsigned size);

/* Physical memory, RAM or MMIO, without translation (8 bytes at most, naturally aligned). */
uint64_t mmu_phys_read(struct cpu *, uint64_t spa, unsigned size);
void mmu_phys_write(struct cpu *, uint64_t spa, unsigned size, uint64_t value);

#endif
