/* The card's registers: 32-bit, little-endian, uncached. */
#include "vsp/nic/nicdrv_priv.h"

uint32_t nicdrv_read(const struct nicdrv *d, uint32_t offset)
{
    return d->regs[offset / 4];
}

void nicdrv_write(const struct nicdrv *d, uint32_t offset, uint32_t value)
{
    d->regs[offset / 4] = value;
}
