#include "vswitch/parse.h"

uint64_t vsw_mac(const uint8_t b[6])
{
    return (uint64_t)b[0] << 40 | (uint64_t)b[1] << 32 | (uint64_t)b[2] << 24 |
           (uint64_t)b[3] << 16 | (uint64_t)b[4] << 8 | b[5];
}

static uint16_t load_be16(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

bool vsw_parse(const uint8_t *bytes, uint32_t length, struct vsw_frame *frame)
{
    if (length < VSW_ETHER_HEADER)
        return false;
    frame->destination = vsw_mac(bytes);
    frame->source = vsw_mac(bytes + 6);
    frame->type = load_be16(bytes + 12);
    frame->vid = 0;
    frame->tagged = false;
    if (frame->type == VSW_TPID && length >= VSW_ETHER_HEADER + VSW_VLAN_TAG) {
        frame->tagged = true;
        frame->vid = load_be16(bytes + 14) & VSW_VID_MASK;
        frame->type = load_be16(bytes + 16);
    }
    return true;
}

bool vsw_mac_reserved(uint64_t mac)
{
    return mac >= 0x0180C2000000ull && mac <= 0x0180C200002Full;
}
