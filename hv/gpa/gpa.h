/* A partition's guest-physical address space: EPT tables (SDM Vol 3C "The
 * Extended Page-Table Mechanism").
 *
 * Tables are pages of the partition's pool; the same tables serve the DMA
 * remapping unit for devices of the partition (second-level translation has the same
 * layout for what we use), so a device reaches exactly what its partition reaches.
 *
 * First, splitting: a large page becomes a table of smaller ones when part of
 * it has to change; that takes a page from the pool and may fail before
 * anything has changed.  Second, overlays: a page of the hypervisor can cover
 * a guest page (the hypercall page); the entry below comes back when it
 * goes.  Third, forgetting: who takes permissions away must call
 * gpa_flush() before relying on it; it waits until no LP and no device can use the
 * old translation.
 *
 * Changes are under partition->lock.  Look-ups by the hypervisor need the
 * lock too, except by the LP that runs a VP of the partition while its parent cannot
 * have the pages reused (gpa_flush waits for it).
 */
#ifndef HV_GPA_GPA_H
#define HV_GPA_GPA_H

#include "hv/hv.h"
#include "spec/hv/status.h"

struct partition;

enum { GPA_OVERLAYS = 4, GPA_SHIFT_4K = 12, GPA_SHIFT_2M = 21, GPA_SHIFT_1G = 30 };
enum { GPA_READ = 1, GPA_WRITE = 2, GPA_EXECUTE = 4, GPA_UNCACHED = 8 };

struct gpa_overlay { uint64_t gpa, original; bool used; };

struct gpa_space {
    uint64_t root;       /* [spa] of the top table */
    uint64_t eptp;
    uint64_t generation; /* counts what must be flushed before the next entry */
    uint64_t pages;      /* table pages in use */
    bool has_devices;    /* the DMA remapping unit uses the tables */
    struct gpa_overlay overlay[GPA_OVERLAYS];
};

struct gpa_mapping { uint64_t spa; unsigned access, shift; };

/* Takes the top table from the pool. False: pool empty. */
bool gpa_create(struct partition *);
/* Returns all tables to the pool. */
void gpa_destroy(struct partition *);

/* Maps one page of size 1 << shift; replaces what is there.
 * SUCCESS or INSUFFICIENT_MEMORY (nothing changed but perhaps empty tables). */
enum hv_status gpa_map(struct partition *, uint64_t gpa, uint64_t spa, unsigned shift, unsigned access);
enum hv_status gpa_unmap(struct partition *, uint64_t gpa, unsigned shift);
/* Any size and alignment of whole pages, with the largest pages possible. */
enum hv_status gpa_map_range(struct partition *, uint64_t gpa, uint64_t spa, uint64_t size, unsigned access);
/* False: not mapped. 'spa' is of the byte. */
bool gpa_lookup(const struct partition *, uint64_t gpa, struct gpa_mapping *);
/* RAM that the guest may read (and write); NULL otherwise. Valid to the end of the page. */
void *gpa_pointer(const struct partition *, uint64_t gpa, bool write);

enum hv_status gpa_overlay_set(struct partition *, uint64_t gpa, uint64_t spa, unsigned access);
void gpa_overlay_clear(struct partition *, uint64_t gpa);

/* After taking something away. */
void gpa_flush(struct partition *);

#endif
