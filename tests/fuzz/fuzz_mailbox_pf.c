/* Mailbox messages of a virtual function to the driver of the physical one. */
#include <stdlib.h>
#include <string.h>

#include "vsp/nic/mailbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nicdrv_mailbox vf = { .assigned = true, .mac = { 2, 0, 0, 0, 0, 1 }, .frame_max = 1518 };
    for (; size > 0; data += size < 16 ? size : 16, size -= size < 16 ? size : 16) {
        uint32_t message[I82599_MAILBOX_DWORDS] = { 0 };
        unsigned words;
        memcpy(message, data, size < 16 ? size : 16);
        uint32_t request = message[0];
        nicdrv_mailbox_answer(&vf, message, &words);
        if (words > I82599_MAILBOX_DWORDS || (words > 0 && (message[0] & 0xFFFF) != (request & 0xFFFF)))
            abort();
        if (words > 0 && !(message[0] & (I82599_MBX_ACK | I82599_MBX_NACK)))
            abort();
    }
    return 0;
}
