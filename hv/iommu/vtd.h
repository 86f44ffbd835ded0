/* DMA and interrupt remapping (Intel Virtualization Technology for Directed I/O).
 *
 * The hypervisor owns the remapping unit.  A PCI function belongs to one
 * partition; its DMA uses that partition's GPA tables as second-level
 * tables.  In placement monolithic the functions of services in the
 * hypervisor belong to the hypervisor and reach all of memory.  A function that belongs
 * to nobody reaches nothing.
 *
 * Interrupts: only remappable messages pass.  An interrupt table entry names
 * the function that may use it, the LP and a vector of ours; lp_interrupt
 * finds the VP and its vector (vtd_interrupt).
 *
 * On a machine without a remapping unit everything boots, but functions cannot
 * be given to partitions and device interrupts cannot be mapped.
 *
 * Under hv.partitions_lock, except vtd_interrupt and vtd_flush.
 */
#ifndef HV_IOMMU_VTD_H
#define HV_IOMMU_VTD_H

#include "hv/hv.h"
#include "spec/hv/status.h"

struct partition;
struct vp;

enum { VTD_FUNCTIONS_MAX = 80, VTD_INTERRUPTS_MAX = 160, VTD_VECTOR_FIRST = 0x30 };

/* Boot: turns remapping on with no function attached. */
void vtd_init(void);
bool vtd_present(void);
/* Largest page that second-level tables may use [log2 bytes]. */
unsigned vtd_page_shift_max(void);

enum hv_status vtd_attach(struct partition *owner, uint16_t bdf); /* NULL: the hypervisor itself */
enum hv_status vtd_detach(uint16_t bdf);
/* NULL with '*attached' = false: nobody's. NULL with true: the hypervisor's. */
struct partition *vtd_owner(uint16_t bdf, bool *attached);
void vtd_detach_all(struct partition *);
/* Forgets the translations of a partition's domain; waits until done. */
void vtd_flush(struct partition *);

/* Routes a message of 'bdf' to a VP's vector, or to 'handler' in the hypervisor (vp NULL). */
enum hv_status vtd_map_interrupt(uint16_t bdf, struct vp *, unsigned vector, void (*handler)(void *), void *ctx,
                                 uint64_t *msi);
enum hv_status vtd_unmap_interrupt(uint16_t bdf, uint64_t msi);
/* A vector of ours has arrived on this LP. False: not a device vector in use. */
bool vtd_interrupt(unsigned vector);

#endif
