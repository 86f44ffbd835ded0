/* The driver of an Intel 82599's physical function, a service.
 *
 * Written against the datasheet (titles cited where a step comes from it) and
 * spec/nic.  It runs the card in one of three ways, by the configuration's io_path:
 *
 *   vmbus   no virtualization; one queue pair (0) in front of the switch
 *   vmq     VMDq, 64 pools: pool 0 is ours (queue 0, default pool), pool 1 + n is child n's;
 *           its receive descriptors point into the child's memory
 *   sriov   64 virtual functions' pools: VF n is child n's; pool NumVFs is ours, default pool
 *
 * A frame that comes in at our pool:
 *
 *   interrupt -> nicdrv_rx_poll -> nicdrv_rx(batch) -> vsw_input ... nicdrv_returned -> descriptor
 *
 * and one that leaves:  nicdrv_transmit -> descriptors (or the waiting line) -> write-back ->
 * interrupt -> vsw_output_done.  Queues of pools do the same with netvsp_pool_* at the other end.
 *
 * Sent frames are given back when there is something to do anyway (the next frame, a receive
 * interrupt): nobody is in a hurry to have a buffer back that he does not need.  Transmit queues
 * have interrupts of their own, which stay masked except while somebody waits: for a descriptor
 * (the waiting line) or for his buffers (nicdrv_transmit_awaited).
 *
 * Work is done in batches with a budget; a queue whose budget is used up goes on as
 * deferred work, its interrupt stays off until it has caught up.  Interrupts mask
 * themselves (EIAM with GPIE.EIAME) and are moderated (EITR) as the configuration says.
 *
 * Lossless: receive queues have no drop enable, so that a queue without descriptors
 * backs up into the card's packet buffer, and that sends pause frames (802.3x) above its
 * high-water mark.  Otherwise queues drop on their own (SRRCTL.DROP_EN).
 *
 * init is the one place that waits (for the card's resets): it runs before any child does.
 * Stopping a queue waits for at most QUEUE_WAIT.
 */
#ifndef VSP_NIC_NICDRV_H
#define VSP_NIC_NICDRV_H

#include "services/nicdrv.h"

#endif
