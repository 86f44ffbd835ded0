/* Copies: of packets, and what the compiler may call on its own. */
#include <stddef.h>
#include <stdint.h>

#include "vsp/runtime/svc.h"

/* The copy of packet contents, by the same name as in services: traces follow packets by it. */
void svc_copy(void *to, const void *from, size_t size)
{
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; size > 0; size--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t size)
{
    uint8_t *t = to;
    for (; size > 0; size--)
        *t++ = (uint8_t)value;
    return to;
}
