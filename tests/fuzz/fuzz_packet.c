/* A packet of a child: whatever parses must be walkable inside its own bytes. */
#include <stdlib.h>
#include <string.h>

#include "vmbus/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* exact size: a sanitizer sees every step beyond it */
    uint64_t sum = 0;
    struct vmbus_packet packet;
    memcpy(copy, data, size);
    if (vmbus_packet_parse(copy, (uint32_t)size, &packet)) {
        for (uint32_t i = 0; i < packet.payload_size; i++)
            sum += packet.payload[i];
        const uint8_t *cursor = packet.ranges;
        for (uint32_t i = 0; i < packet.range_count; i++) {
            if (packet.type == VMBUS_PACKET_TRANSFER_PAGES) {
                sum += vmbus_packet_transfer_range(&packet, i).byte_count;
                continue;
            }
            struct vmbus_gpa_range range = vmbus_packet_gpa_range(&cursor);
            for (uint32_t p = 0; p < range.page_count; p++)
                sum += vmbus_gpa_range_page(&range, p);
        }
    }
    free(copy);
    __asm__ volatile("" : : "r"(sum)); /* keeps the reads */
    return 0;
}
