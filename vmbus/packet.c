#include "vmbus/packet.h"

#include "vmbus/bytes.h"

enum { PAGE_SIZE = 4096 };

static uint32_t gpa_page_count(uint32_t byte_offset, uint32_t byte_count)
{
    return (uint32_t)(((uint64_t)byte_offset + byte_count + PAGE_SIZE - 1) / PAGE_SIZE);
}

/* Walks the GPA ranges in [ranges, end) and says whether 'count' of them fit. */
static bool gpa_ranges_fit(const uint8_t *ranges, const uint8_t *end, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vmbus_gpa_range_header header;
        if ((size_t)(end - ranges) < sizeof header)
            return false;
        bytes_copy(&header, ranges, sizeof header);
        ranges += sizeof header;
        if (header.byte_offset >= PAGE_SIZE || header.byte_count == 0)
            return false;
        uint32_t pages = gpa_page_count(header.byte_offset, header.byte_count);
        if (pages > (size_t)(end - ranges) / 8)
            return false;
        ranges += (size_t)pages * 8;
    }
    return true;
}

static bool parse_gpa_direct(const uint8_t *bytes, uint32_t offset, struct vmbus_packet *packet)
{
    struct vmbus_gpa_direct_header direct;
    uint32_t start = sizeof(struct vmbus_packet_header) + sizeof direct;
    if (offset < start)
        return false;
    bytes_copy(&direct, bytes + sizeof(struct vmbus_packet_header), sizeof direct);
    packet->range_count = direct.range_count;
    packet->ranges = bytes + start;
    return direct.range_count > 0 && gpa_ranges_fit(packet->ranges, bytes + offset, direct.range_count);
}

static bool parse_transfer(const uint8_t *bytes, uint32_t offset, struct vmbus_packet *packet)
{
    struct vmbus_transfer_header transfer;
    uint32_t start = sizeof(struct vmbus_packet_header) + sizeof transfer;
    if (offset < start)
        return false;
    bytes_copy(&transfer, bytes + sizeof(struct vmbus_packet_header), sizeof transfer);
    packet->page_set = transfer.page_set;
    packet->range_count = transfer.range_count;
    packet->ranges = bytes + start;
    return transfer.range_count <= (offset - start) / sizeof(struct vmbus_transfer_range);
}

bool vmbus_packet_parse(const void *memory, uint32_t size, struct vmbus_packet *packet)
{
    const uint8_t *bytes = memory;
    struct vmbus_packet_header header;
    if (size < sizeof header)
        return false;
    bytes_copy(&header, bytes, sizeof header);
    uint32_t offset = (uint32_t)header.offset8 * 8, length = (uint32_t)header.length8 * 8;
    if (length > size || offset > length || offset < sizeof header)
        return false;
    *packet = (struct vmbus_packet){
        .type = header.type,
        .wants_completion = header.flags & VMBUS_PACKET_COMPLETION_REQUESTED,
        .transaction = header.transaction,
        .payload = bytes + offset,
        .payload_size = length - offset,
    };
    switch (header.type) {
    case VMBUS_PACKET_INBAND:
    case VMBUS_PACKET_COMPLETION:
        return true;
    case VMBUS_PACKET_GPA_DIRECT:
        return parse_gpa_direct(bytes, offset, packet);
    case VMBUS_PACKET_TRANSFER_PAGES:
        return parse_transfer(bytes, offset, packet);
    default:
        return false;
    }
}

struct vmbus_gpa_range vmbus_packet_gpa_range(const uint8_t **cursor)
{
    struct vmbus_gpa_range_header header;
    bytes_copy(&header, *cursor, sizeof header);
    struct vmbus_gpa_range range = {
        .byte_count = header.byte_count,
        .byte_offset = header.byte_offset,
        .page_count = gpa_page_count(header.byte_offset, header.byte_count),
        .pages = *cursor + sizeof header,
    };
    *cursor = range.pages + (size_t)range.page_count * 8;
    return range;
}

uint64_t vmbus_gpa_range_page(const struct vmbus_gpa_range *range, uint32_t i)
{
    return load64(range->pages + (size_t)i * 8);
}

struct vmbus_transfer_range vmbus_packet_transfer_range(const struct vmbus_packet *packet, uint32_t i)
{
    struct vmbus_transfer_range range;
    bytes_copy(&range, packet->ranges + (size_t)i * sizeof range, sizeof range);
    return range;
}
