/* Messages of a virtual function, answered: no registers here, only the protocol.
 *
 * A VF asks with up to 16 words; the answer is the first word again with ACK or
 * NACK (and CTS once the VF was reset), and results behind it.  Until a RESET
 * was handled every other request is refused.  The address of a VF is fixed by
 * whoever assigned it, its VLAN and filters are the switch's business.
 */
#ifndef VSP_NIC_MAILBOX_H
#define VSP_NIC_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/nic/descriptors.h"

struct nicdrv_mailbox {
    bool assigned;
    bool clear_to_send; /* RESET was handled */
    bool link;
    uint8_t mac[6];
    uint32_t api;       /* I82599_MBX_API_* */
    uint32_t frame_max; /* with FCS [bytes] */
    uint32_t filter_mode; /* UPDATE_XCAST */
};

enum nicdrv_mailbox_action { NICDRV_MAILBOX_NONE, NICDRV_MAILBOX_ENABLE /* a RESET: let its queues run */ };

/* 'message' becomes the answer; *words of it are valid (0 = no answer). */
enum nicdrv_mailbox_action nicdrv_mailbox_answer(struct nicdrv_mailbox *,
                                                 uint32_t message[I82599_MAILBOX_DWORDS], unsigned *words);

#endif
