/* Frames from the wire: any bytes, any length; every one is delivered, sent or counted. */
#include <stdlib.h>
#include <string.h>

#include "services/netvsp.h"
#include "services/vmbus.h"
#include "services/vswitch.h"
#include "spec/lab/lab.h"
#include "tests/fakes/guest_fake.h"
#include "tests/fakes/nicdrv_fake.h"
#include "tests/fakes/svc_fake.h"
#include "vmbus/server.h"
#include "vswitch/extension.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t drops(void)
{
    uint64_t sum = 0;
    for (unsigned i = LAB_DROP_RESERVED_MULTICAST; i <= LAB_DROP_LAST; i++)
        sum += svc_fake_counter(i);
    return sum;
}

static struct guest *begin(struct guest *old, bool access_port)
{
    guest_fake_free(old);
    svc_fake_start();
    svc_fake_config("child0.mac", "02:00:00:00:00:01");
    svc_fake_config("child0.vlan", access_port ? "5" : "0");
    svc_fake_config("switch.capture", "1");
    vmbus_service.init();
    vswitch_service.init();
    netvsp_service.init();
    nicdrv_fake_start(8);
    struct guest *guest = guest_fake_new(0, 16 << 20, 1500);
    vmbus_service.child_created(0);
    vswitch_service.child_created(0);
    netvsp_service.child_created(0);
    guest_fake_connect(guest);
    return guest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TURN = 500 }; /* inputs with a trunk port, then with an access port */
    static uint64_t filter[VSW_FILTER_SIZE / 8];
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    vsw_filter_parse(text, filter);
    free(text);

    static struct guest *guest;
    static unsigned inputs;
    if (inputs++ % TURN == 0)
        guest = begin(guest, inputs / TURN % 2);
    for (size_t at = 0, frames = 0; at + 1 < size; frames++) {
        uint8_t frame[1600] = { 0 };
        size_t length = data[at] * 7u, have = size - at - 1 < length ? size - at - 1 : length;
        static const uint8_t ours[6] = { 2, 0, 0, 0, 0, 1 };
        if (length > 1599)
            length = 1599;
        if (have > length)
            have = length;
        memcpy(frame, data + at + 1, have);
        if (data[at] & 1)
            memcpy(frame, ours, 6);
        uint64_t before = drops() + guest->received_count + nicdrv_fake_sent();
        if (!nicdrv_fake_inject(frame, (uint32_t)length))
            abort();
        svc_fake_run();
        if (drops() + guest->received_count + nicdrv_fake_sent() != before + 1)
            abort();
        at += 1 + (have ? have : 1);
    }
    if (nicdrv_fake_free_buffers() != 8)
        abort();
    guest_fake_forget(guest);
    return 0;
}
