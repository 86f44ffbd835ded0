/* The half of the service runtime that is the same in every locus:
 * configuration, counters, deferred work, timers, windows, PCI.
 *
 * svc_common.c implements it for vsp/runtime/svc.h on top of the few locus_*
 * functions below, which svc_hv.c and guests/root/svc_root.c provide.  All of it runs under
 * the locus' own serialization.
 */
#ifndef HV_SVC_SVC_COMMON_H
#define HV_SVC_SVC_COMMON_H

#include "hv/rt/rt.h"
#include "spec/lab/lab.h"
#include "vsp/runtime/svc.h"

/* --- provided by the locus ------------------------------------------------------------ */

void *locus_alloc(size_t size, size_t align); /* zeroed; stops with a message when used up */
const struct rt_config *locus_config(void);
void locus_log(const char *text);
_Noreturn void locus_panic(const char *text);
void locus_timer_set(uint64_t due);          /* [100 ns]; calls svc_common_timer soon after; UINT64_MAX: none */
uint64_t locus_ecam_base(void);              /* 0: no PCI Express */
uint64_t locus_dma_address(const void *);    /* of memory outside the window */
void locus_window_map(uint64_t linear, uint64_t spa); /* one page of the window, read-write; spa 0: none */
uint64_t locus_window_spa(uint64_t linear);

/* --- offered to the locus ---------------------------------------------------------------- */

extern const struct svc_class *const svc_placed[]; /* generated from the placement; ends with NULL */

/* Window: 'pages' pages of address space at 'base' whose page tables exist. */
void svc_common_init(uint64_t window_base, unsigned window_pages, volatile struct lab_report *report);
/* Runs what was queued until nothing is left; true if there was anything. */
bool svc_common_run(void);
void svc_common_timer(void); /* the time given to locus_timer_set has come, perhaps */
/* Maps pages given by their addresses: directly if they are contiguous and 'direct' names the
 * first, else through the window. NULL: window full. */
void *svc_common_map(const uint64_t *spa, unsigned count, void *direct);
/* Writes an MSI-X table entry and lets it through. False: the function has no such entry. */
bool svc_common_msix(uint16_t bdf, unsigned entry, uint64_t msi);

enum { SVC_WINDOW_PAGES = 16384 };

#endif
