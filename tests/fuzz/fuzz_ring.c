/* A hostile producer: header and data of a ring are the input; the consumer takes what it can. */
#include <stdlib.h>
#include <string.h>

#include "vmbus/packet.h"
#include "vmbus/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PAGES = 2 };
    static uint8_t memory[PAGES * 4096] __attribute__((aligned(4096)));
    struct vmbus_ring in, out;
    uint8_t *packet = malloc(256);
    uint32_t length;
    memset(memory, 0, sizeof memory);
    memcpy(memory, data, size < 16 ? size : 16);
    for (size_t i = 16; i < size && i < 4096; i++)
        memory[4096 + i - 16] = data[i];
    vmbus_ring_attach(&in, memory, PAGES);
    vmbus_ring_attach(&out, memory, PAGES);
    if (size > 0)
        in.index = in.shown = out.index = out.shown = data[0] * 8u;
    for (unsigned i = 0; i < 64 && vmbus_ring_get(&in, packet, 256, &length) == VMBUS_RING_PACKET; i++) {
        struct vmbus_packet parsed;
        if (length > 256)
            abort();
        vmbus_packet_parse(packet, length, &parsed);
        vmbus_ring_release(&in);
        vmbus_ring_put(&out, &(struct vmbus_send){ .type = 6, .payload = packet, .payload_size = length });
        vmbus_ring_publish(&out);
        vmbus_ring_wait_for_room(&out, 64);
    }
    free(packet);
    return 0;
}
