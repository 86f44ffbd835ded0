/* A hostile child's control messages, GPADLs above all: the whole server takes them. */
#include <stdlib.h>
#include <string.h>

#include "spec/vmbus/vmbus.h"
#include "tests/fakes/svc_fake.h"
#include "vmbus/channel.h"
#include "vmbus/server.h"
#include "vsp/runtime/svc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool opened(void *ctx) { (void)ctx; return true; }
static void ignored(void *ctx) { (void)ctx; }
static const struct vmbus_provider provider = { opened, ignored, ignored };
static const struct vmbus_guid guid = VMBUS_GUID_NETWORK;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    svc_fake_start();
    vmbus_service.init();
    svc_fake_child(0, 1 << 20, NULL);
    vmbus_service.child_created(0);
    struct vmbus_channel *channel = vmbus_offer(0, &guid, &guid, &provider, NULL);
    const uint32_t contact[10] = { VMBUS_MSG_INITIATE_CONTACT, 0, VMBUS_VERSION_5_3, 0, VMBUS_SINT };
    svc_fake_guest_post(0, 4, contact, sizeof contact);
    svc_fake_run();
    /* Each message: a byte of length, a byte of type, the rest. */
    while (size >= 2) {
        uint8_t message[240] = { 0 };
        size_t length = data[0] % 241, have = size - 2 < length ? size - 2 : length;
        memcpy(message, data + 2, have);
        uint32_t type = data[1] % VMBUS_MSG_COUNT;
        memcpy(message, &type, 4);
        svc_fake_guest_post(0, 1, message, (uint32_t)length);
        svc_fake_run();
        for (uint32_t handle = 1; handle < 4; handle++) {
            uint32_t mapped;
            uint8_t *memory = vmbus_channel_map(channel, handle, &mapped);
            if (memory)
                memory[0] = memory[mapped - 1] = 1;
            vmbus_channel_unmap(channel, handle);
        }
        data += 2 + have;
        size -= 2 + have;
    }
    vmbus_service.child_deleted(0);
    if (svc_fake_mappings() != 0)
        abort();
    return 0;
}
