/* A hostile child on its network channel: packets with chosen framing and random NVSP and RNDIS.
 * The other child must receive a frame afterwards. */
#include <stdlib.h>
#include <string.h>

#include "services/netvsp.h"
#include "services/vmbus.h"
#include "services/vswitch.h"
#include "spec/vmbus/nvsp.h"
#include "tests/fakes/guest_fake.h"
#include "tests/fakes/nicdrv_fake.h"
#include "tests/fakes/svc_fake.h"
#include "vmbus/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 16 << 20 };

static void begin(struct guest *guest[2], bool pools)
{
    svc_fake_start();
    svc_fake_config("io_path", pools ? "vmq" : "vmbus");
    svc_fake_config("child0.mac", "02:00:00:00:00:01");
    svc_fake_config("child1.mac", "02:00:00:00:00:02");
    vmbus_service.init();
    vswitch_service.init();
    netvsp_service.init();
    nicdrv_fake_start(8);
    for (unsigned i = 0; i < 2; i++) {
        guest[i] = guest_fake_new(i, MEMORY, 1500);
        vmbus_service.child_created(i);
        vswitch_service.child_created(i);
        netvsp_service.child_created(i);
        guest_fake_connect(guest[i]);
    }
}

/* One packet from up to 96 bytes of input: kind, section, then message bytes. */
static void misbehave(struct guest *guest, const uint8_t *data, size_t size)
{
    struct netvsc *n = &guest->netvsc;
    uint8_t bytes[96] = { 0 };
    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    struct nvsp_message message;
    memcpy(&message, bytes + 56, sizeof message);
    static const uint32_t types[] = { 107, 107, 107, 1, 101, 104, 103, 106, 125, 129, 133, 108 };
    message.type = types[bytes[0] % 12];
    if (bytes[0] & 0x10) { /* a plausible data message in the send buffer */
        message.rndis.section = bytes[1] % 4;
        message.rndis.section_size = bytes[2] * 8u;
        message.rndis.channel = bytes[3] & 1;
        memcpy(n->send + message.rndis.section * 6144u, bytes + 8, 48);
    }
    struct vmbus_send send = {
        .type = (uint16_t)(bytes[0] & 0x20 ? 9 : bytes[0] & 0x40 ? 11 : 6), .flags = bytes[4] & 1,
        .transaction = bytes[5], .descriptor = bytes + 8, .descriptor_size = bytes[0] & 0x20 ? (bytes[6] % 7) * 8u : 0,
        .payload = &message, .payload_size = sizeof message,
    };
    vmbus_ring_put(&n->channel->out, &send);
    vmbus_client_publish(n->channel);
    svc_fake_run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TURN = 500 }; /* inputs on one path, then on the other */
    static struct guest *guest[2];
    static unsigned inputs;
    if (inputs % TURN == 0) {
        guest_fake_free(guest[0]);
        guest_fake_free(guest[1]);
        begin(guest, inputs / TURN % 2);
    }
    inputs++;
    for (size_t at = 0; at < size; at += 96)
        misbehave(guest[0], data + at, size - at);
    static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 2, 9 };
    if (nicdrv_fake_pool_running(1) ? !nicdrv_fake_pool_inject(1, frame, sizeof frame)
                                    : !nicdrv_fake_inject(frame, sizeof frame))
        abort();
    svc_fake_run();
    if (guest[1]->received_count != 1)
        abort();
    guest_fake_forget(guest[1]);
    guest_fake_restart(guest[0]);
    if (guest[0]->netvsc.state != NETVSC_READY)
        abort();
    guest_fake_forget(guest[0]);
    return 0;
}
