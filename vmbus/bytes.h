/* Small copies of protocol headers, and unaligned loads.
 *
 * Packet contents are copied with svc_copy, never with these: what is copied
 * here is at most a message of a few words, and is counted to the code that
 * needs it.
 */
#ifndef VMBUS_BYTES_H
#define VMBUS_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t load64(const void *p)
{
    uint64_t value;
    __builtin_memcpy(&value, p, sizeof value);
    return value;
}

static inline uint32_t load32(const void *p)
{
    uint32_t value;
    __builtin_memcpy(&value, p, sizeof value);
    return value;
}

static inline void store64(void *p, uint64_t value)
{
    __builtin_memcpy(p, &value, sizeof value);
}

static inline void bytes_copy(void *to, const void *from, size_t size)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; size >= 8; size -= 8, t += 8, f += 8)
        store64(t, load64(f));
    for (; size > 0; size--)
        *t++ = *f++;
}

static inline void bytes_zero(void *to, size_t size)
{
    uint8_t *t = to;
    for (; size >= 8; size -= 8, t += 8)
        store64(t, 0);
    for (; size > 0; size--)
        *t++ = 0;
}

#endif
