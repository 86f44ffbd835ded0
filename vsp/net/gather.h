/* A message of the child that may lie in pieces of its memory. */
#ifndef VSP_NET_GATHER_H
#define VSP_NET_GATHER_H

#include <stdbool.h>
#include <stdint.h>

enum { GATHER_PIECES_MAX = 32, GATHER_PAGES_MAX = 64 };

struct gather {
    struct { uint8_t *data; uint32_t size; } piece[GATHER_PIECES_MAX];
    unsigned count;
    uint32_t total; /* bytes */
    void *mapping;  /* to be unmapped; NULL = not ours */
    unsigned pages;
};

struct vmbus_packet;

/* The ranges of a GPA-direct packet, mapped. False: too many, or not the child's memory; nothing is mapped. */
bool gather_map(struct gather *, unsigned child, const struct vmbus_packet *);
void gather_unmap(struct gather *);

/* [offset, offset + size) must lie inside. Protocol headers / packet contents (counted as copying). */
void gather_read(const struct gather *, uint32_t offset, void *to, uint32_t size);
void gather_copy(const struct gather *, uint32_t offset, void *to, uint32_t size);
/* The address, if the bytes are contiguous in our address space; else NULL. */
uint8_t *gather_flat(const struct gather *, uint32_t offset, uint32_t size);

#endif
