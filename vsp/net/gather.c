#include "vsp/net/gather.h"

#include "vmbus/bytes.h"
#include "vmbus/packet.h"
#include "vsp/runtime/svc.h"

enum { PAGE = 4096 };

bool gather_map(struct gather *g, unsigned child, const struct vmbus_packet *packet)
{
    uint64_t pages[GATHER_PAGES_MAX];
    uint32_t first[GATHER_PIECES_MAX], offset[GATHER_PIECES_MAX], count = 0;
    const uint8_t *cursor = packet->ranges;
    g->count = 0;
    g->total = 0;
    g->mapping = NULL;
    if (packet->range_count > GATHER_PIECES_MAX)
        return false;
    for (uint32_t i = 0; i < packet->range_count; i++) {
        struct vmbus_gpa_range range = vmbus_packet_gpa_range(&cursor);
        if (range.page_count > GATHER_PAGES_MAX - count)
            return false;
        first[i] = count;
        offset[i] = range.byte_offset;
        g->piece[i].size = range.byte_count;
        g->total += range.byte_count;
        for (uint32_t p = 0; p < range.page_count; p++)
            pages[count++] = vmbus_gpa_range_page(&range, p);
    }
    uint8_t *mapping = svc_map(child, pages, count);
    if (!mapping)
        return false;
    for (uint32_t i = 0; i < packet->range_count; i++)
        g->piece[i].data = mapping + (size_t)first[i] * PAGE + offset[i];
    g->count = packet->range_count;
    g->mapping = mapping;
    g->pages = count;
    return true;
}

void gather_unmap(struct gather *g)
{
    if (g->mapping)
        svc_unmap(g->mapping, g->pages);
    g->mapping = NULL;
}

/* Calls 'copy' for each contiguous part of the bytes. */
static void walk(const struct gather *g, uint32_t offset, uint8_t *to, uint32_t size,
                 void (*copy)(void *, const void *, size_t))
{
    for (unsigned i = 0; i < g->count && size > 0; i++) {
        uint32_t have = g->piece[i].size;
        if (offset >= have) {
            offset -= have;
            continue;
        }
        uint32_t part = have - offset < size ? have - offset : size;
        copy(to, g->piece[i].data + offset, part);
        to += part;
        size -= part;
        offset = 0;
    }
}

void gather_read(const struct gather *g, uint32_t offset, void *to, uint32_t size)
{
    walk(g, offset, to, size, bytes_copy);
}

void gather_copy(const struct gather *g, uint32_t offset, void *to, uint32_t size)
{
    walk(g, offset, to, size, svc_copy);
}

uint8_t *gather_flat(const struct gather *g, uint32_t offset, uint32_t size)
{
    for (unsigned i = 0; i < g->count; i++) {
        if (offset < g->piece[i].size)
            return size <= g->piece[i].size - offset ? g->piece[i].data + offset : NULL;
        offset -= g->piece[i].size;
    }
    return NULL;
}
