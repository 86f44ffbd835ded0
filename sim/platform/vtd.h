/* VT-d: DMA and interrupt remapping hardware, one unit for the whole segment.
 *
 * Specification: Intel Virtualization Technology for Directed I/O, legacy
 * mode (root and context tables, second-level translation), queued
 * invalidation, interrupt remapping in xAPIC and x2APIC form.  What the
 * capability registers do not offer is not there: no scalable mode, no
 * first-level translation, no device TLB, no posted interrupts, no
 * register-based invalidation beyond context and IOTLB.
 *
 *   requester id --> root entry[bus] --> context entry[devfn] --> domain,
 *   second-level table --> system-physical address
 *
 * Two complications.  First, what was once read may be used until software
 * invalidates it: context entries, translations and interrupt entries are
 * cached, so a hypervisor that forgets an invalidation sees the old answer,
 * as on silicon.  Caches have fixed sizes and deterministic replacement and
 * are part of the machine's state.  Second, a blocked request never reaches
 * memory: it records a fault (or sets the overflow bit) and may raise the
 * fault event interrupt.
 */
#ifndef SIM_PLATFORM_VTD_H
#define SIM_PLATFORM_VTD_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct state;
struct vtd; /* owned by struct machine */

struct vtd *vtd_new(struct machine *); /* maps its registers; NULL: no host memory */
void vtd_free(struct vtd *);
void vtd_state(struct vtd *, struct state *);

/* Translates the byte at 'address' for requester 'source_id'.  True: '*spa',
 * and '*left' bytes from there to the end of the page belong to the same
 * translation.  False: blocked, the fault is recorded. */
bool vtd_translate(struct vtd *, uint16_t source_id, uint64_t address, bool write,
                   uint64_t *spa, uint64_t *left);

/* An interrupt message before remapping (a write of 'data' to 'address' in
 * 0xFEExxxxx).  Delivers to the local APICs, or records a fault. */
void vtd_interrupt(struct vtd *, uint16_t source_id, uint64_t address, uint32_t data);

/* Translations that missed the IOTLB since creation, for timing [count]. */
uint64_t vtd_iotlb_misses(const struct vtd *);

#endif
