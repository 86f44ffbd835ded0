/* An NVMe controller with one namespace: a disk (disk.h) on PCI Express.
 *
 * NVM Express 1.4, the parts that every driver needs and the cheap optional ones:
 *   admin: identify, queues, features, log pages, abort, asynchronous events
 *   I/O: read, write, flush, compare, write zeroes, deallocate
 *   64 I/O queue pairs of up to 1024 entries; MSI-X with 65 vectors, or INTx
 *   data by PRP lists up to 512 KiB a command; 4 KiB pages; 512-byte sectors
 * Not offered, and refused as the specification says: SGLs, metadata, fused
 * commands, more namespaces, firmware update, formatting, sanitizing, doorbell
 * buffers, the controller memory buffer, subsystem reset.
 *
 * A doorbell leads to fetching commands a little later; a fetched command sits
 * in a slot until its medium has answered, and only then reads or writes memory:
 * a write is taken whole, so it happens entirely or not at all.  Timing is that
 * of spec/timing/fabric.tbl (disk_*): latency in parallel, bandwidth in turn.
 *
 * Errors.  What the guest gets wrong is a status, an asynchronous event, or (when
 * the queues themselves cannot be reached) CSTS.CFS.  When the host cannot read
 * or write the image the command fails with a media error and the machine stops.
 */
#ifndef SIM_PLATFORM_NVME_H
#define SIM_PLATFORM_NVME_H

#include "sim/platform/pci.h"

struct disk;
struct nvme;

/* A controller at 'bdf'; 'index' tells several apart (part name, serial number, identifiers; 0-3).
 * The disk is the caller's and outlives it.  NULL: no host memory. */
struct nvme *nvme_new(struct machine *, pci_bdf bdf, unsigned index, struct disk *);
void nvme_free(struct nvme *); /* before machine_free */

#endif
