#include "vsp/nic/mailbox.h"

#include "vmbus/bytes.h"

enum { XCAST_PROMISCUOUS = 3, VLAN_OVERHEAD = 4, API_NEWEST = I82599_MBX_API_14 };

static bool answer_reset(struct nicdrv_mailbox *vf, uint32_t *message, unsigned *words)
{
    uint32_t mac[2] = { 0, 0 };
    vf->clear_to_send = true;
    vf->api = I82599_MBX_API_10;
    vf->filter_mode = 0;
    bytes_copy(mac, vf->mac, sizeof vf->mac);
    message[1] = mac[0];
    message[2] = mac[1];
    message[3] = 0; /* multicast filter type: MCSTCTRL.MO */
    *words = 4;
    return true;
}

static bool same_mac(const struct nicdrv_mailbox *vf, const uint32_t *message)
{
    uint8_t mac[8];
    uint8_t difference = 0;
    bytes_copy(mac, message + 1, sizeof mac);
    for (unsigned i = 0; i < sizeof vf->mac; i++)
        difference |= mac[i] ^ vf->mac[i];
    return difference == 0;
}

static bool answer_queues(uint32_t *message, unsigned *words)
{
    message[1] = 1; /* transmit */
    message[2] = 1; /* receive */
    message[3] = 0; /* no transparent VLAN */
    message[4] = 0; /* default queue */
    *words = 5;
    return true;
}

static bool answer(struct nicdrv_mailbox *vf, uint32_t *message, unsigned *words)
{
    uint32_t info = message[0] >> I82599_MBX_INFO_SHIFT & 0xFF;
    switch (message[0] & 0xFFFF) {
    case I82599_MBX_SET_MAC:
        return same_mac(vf, message);
    case I82599_MBX_SET_MULTICAST: /* all multicast is accepted */
    case I82599_MBX_SET_VLAN:      /* all tags pass */
        return true;
    case I82599_MBX_SET_LPE:
        return message[1] <= vf->frame_max + VLAN_OVERHEAD;
    case I82599_MBX_SET_MACVLAN: /* no further addresses; clearing them succeeds */
        return info == 0;
    case I82599_MBX_API_NEGOTIATE:
        if (message[1] > API_NEWEST || message[1] == I82599_MBX_API_20)
            return false;
        vf->api = message[1];
        return true;
    case I82599_MBX_GET_QUEUES:
        return answer_queues(message, words);
    case I82599_MBX_UPDATE_XCAST:
        if (message[1] >= XCAST_PROMISCUOUS)
            return false;
        vf->filter_mode = message[1];
        *words = 2;
        return true;
    case I82599_MBX_GET_LINK_STATE:
        message[1] = vf->link;
        *words = 2;
        return true;
    default:
        return false;
    }
}

enum nicdrv_mailbox_action nicdrv_mailbox_answer(struct nicdrv_mailbox *vf,
                                                 uint32_t message[I82599_MAILBOX_DWORDS], unsigned *words)
{
    uint32_t request = message[0];
    *words = 0;
    if (!vf->assigned || (request & (I82599_MBX_ACK | I82599_MBX_NACK)))
        return NICDRV_MAILBOX_NONE;
    *words = 1;
    if ((request & 0xFFFF) == I82599_MBX_RESET) {
        answer_reset(vf, message, words);
        message[0] = request | I82599_MBX_ACK;
        return NICDRV_MAILBOX_ENABLE;
    }
    if (!vf->clear_to_send) {
        message[0] = request | I82599_MBX_NACK;
        return NICDRV_MAILBOX_NONE;
    }
    bool ok = answer(vf, message, words);
    message[0] = request | (ok ? I82599_MBX_ACK : I82599_MBX_NACK) | I82599_MBX_CTS;
    return NICDRV_MAILBOX_NONE;
}
