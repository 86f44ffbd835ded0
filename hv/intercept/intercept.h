/* Intercepts: what a child does that its parent wants to see, and the messages
 * that tell it (spec/hv/intercept.h).
 *
 * What nobody asked to see has a fixed answer: I/O ports read all ones and
 * ignore writes; unknown MSRs fault.  An access outside the partition's memory is always
 * reported: nothing else can be done about it.
 */
#ifndef HV_INTERCEPT_INTERCEPT_H
#define HV_INTERCEPT_INTERCEPT_H

#include "hv/hv.h"
#include "spec/hv/intercept.h"
#include "spec/hv/status.h"

struct partition;
struct vp;

enum { INTERCEPT_RANGES = 16, INTERCEPT_CPUIDS = 8 };

struct intercepts {
    struct { uint16_t first, last; uint8_t access; } io[INTERCEPT_RANGES];
    unsigned io_count;
    uint32_t cpuid[INTERCEPT_CPUIDS];
    unsigned cpuid_count;
    uint8_t msr_access;
    uint64_t io_bitmap[2]; /* [spa] of a page each: ports below and from 0x8000 */
    uint64_t msr_bitmap; /* [spa] of a page */
};

/* Bitmaps from the partition's pool: three pages. Everything is intercepted but the MSRs that VM entry and
 * exit or vp_load switch. False: pool empty. */
bool intercepts_create(struct partition *);
void intercepts_destroy(struct partition *);
/* The root partition owns the machine's ports, but the hypervisor's laboratory channel. */
void intercepts_allow_all_ports(struct partition *);
bool intercepts_set_lab_channel(struct partition *, uint64_t channel);

enum hv_status intercept_install(struct partition *, uint32_t type, uint32_t access, uint64_t parameter);
bool intercept_wants_io(const struct partition *, uint16_t port, unsigned size, bool write);
bool intercept_wants_cpuid(const struct partition *, uint32_t leaf);

/* Each suspends the VP and posts the record to the parent; if that fails the VP dies with a message. */
void intercept_io(struct vp *, uint64_t qualification);
void intercept_msr(struct vp *, bool write);
void intercept_cpuid(struct vp *, const struct cpuid_result *defaults);
void intercept_memory(struct vp *, uint64_t gpa, uint64_t qualification);

#endif
