/* The network provider of children (VSP), a service.
 *
 * One network device per child, offered over VMBus; NVSP on its channel, RNDIS
 * inside.  Towards the child, a frame travels like this:
 *
 *   synthetic: netvsp_deliver -> copied into a free section of the receive buffer ----+
 *   vmq:       the card wrote it into a section -> netvsp_pool_received --------------+
 *                                                                                      v
 *                      RNDIS header in front of it, up to NETVSP_RANGES frames per packet,
 *                      published once per batch; the child's completion frees the sections
 *
 * and from the child:
 *
 *   the packet is copied out of the ring and checked; its message lies in a section of
 *   the send buffer or in pages named by the packet
 *   synthetic: the frame is copied into a buffer of ours -> vsw_input; completed at once
 *   vmq:       the frame stays where it is -> nicdrv_pool_transmit; completed when it has left
 *
 * What complicates it.  First, nothing is dropped because of a lack of room: frames wait here
 * in the order they came (and with them the card's receive buffers, so that at last the card's
 * flow control stops the wire), and the child's packets wait in its ring.  Second, a child that
 * takes nothing for NETVSP_STALL loses what waits for it, so that it cannot stop the others.
 * Third, everything that the child can write is copied before it is checked; a violation of the
 * ring or of NVSP ends the device until the child opens the channel anew.
 *
 * Channel states:
 *   CLOSED --open--> OPEN --NVSP INIT--> SPEAKING --packet filter set--> READY
 *      ^               |                    |            filter 0 <---------+
 *      +--- close -----+------- violation --+--> BROKEN --close--> CLOSED
 */
#ifndef VSP_NET_NETVSP_H
#define VSP_NET_NETVSP_H

#include "services/netvsp.h"

#endif
