/* Tags of access ports: inserted when a frame comes in, stripped when it goes out. */
#include "vswitch/vswitch_priv.h"

enum { ADDRESSES = 12 };

static void move_addresses(const uint8_t *from, uint8_t *to)
{
    uint64_t a, b;
    __builtin_memcpy(&a, from, 8);
    __builtin_memcpy(&b, from + 4, 8); /* overlapping words: 12 bytes */
    __builtin_memcpy(to, &a, 8);
    __builtin_memcpy(to + 4, &b, 8);
}

void vsw_tag_insert(struct svc_packet *packet, uint16_t vid)
{
    uint8_t *data = packet->data - VSW_VLAN_TAG;
    move_addresses(packet->data, data);
    data[ADDRESSES] = VSW_TPID >> 8;
    data[ADDRESSES + 1] = VSW_TPID & 0xFF;
    data[ADDRESSES + 2] = (uint8_t)(vid >> 8);
    data[ADDRESSES + 3] = (uint8_t)vid;
    packet->data = data;
    packet->dma -= VSW_VLAN_TAG;
    packet->length += VSW_VLAN_TAG;
}

void vsw_tag_strip(struct svc_packet *packet)
{
    move_addresses(packet->data, packet->data + VSW_VLAN_TAG);
    packet->data += VSW_VLAN_TAG;
    packet->dma += VSW_VLAN_TAG;
    packet->length -= VSW_VLAN_TAG;
}

bool vsw_copy_make(struct vsw *vsw, struct svc_packet *packet)
{
    struct vsw_copy *copy = vsw->copy_free;
    if (!copy || packet->length > VSW_COPY_SIZE - VSW_HEADROOM)
        return false;
    vsw->copy_free = copy->next;
    copy->original = *packet;
    svc_copy(copy->bytes + VSW_HEADROOM, packet->data, packet->length);
    packet->data = copy->bytes + VSW_HEADROOM;
    packet->dma = svc_dma_address(packet->data);
    packet->flags = (uint16_t)((packet->flags & ~(VSW_PACKET_SHARED | SVC_PACKET_CONTIGUOUS)) |
                               VSW_PACKET_COPY);
    packet->owner = copy;
    return true;
}

void vsw_copy_done(struct vsw *vsw, const struct svc_packet *packet)
{
    struct vsw_copy *copy = packet->owner;
    struct svc_packet original = copy->original;
    copy->next = vsw->copy_free;
    vsw->copy_free = copy;
    vsw_give_back(vsw, &original, 1);
}
