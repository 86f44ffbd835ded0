/* Sizes of receive buffers that the card's queues use for a given MTU. */
#ifndef VSP_NIC_BUFFER_H
#define VSP_NIC_BUFFER_H

#include <stdint.h>

enum { NICDRV_FRAME_OVERHEAD = 18, NICDRV_BUFFER_UNIT = 1024, NICDRV_BUFFER_MIN = 2048 };

/* Bytes that one descriptor's buffer must have: the longest frame (header, tag, MTU) in
 * units of SRRCTL.BSIZEPACKET, at least two of them. */
static inline uint32_t nicdrv_buffer_size(uint32_t mtu)
{
    uint32_t size = (mtu + NICDRV_FRAME_OVERHEAD + NICDRV_BUFFER_UNIT - 1) & ~(uint32_t)(NICDRV_BUFFER_UNIT - 1);
    return size < NICDRV_BUFFER_MIN ? NICDRV_BUFFER_MIN : size;
}

#endif
