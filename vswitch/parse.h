/* The head of an Ethernet frame: addresses, VLAN tag, type. */
#ifndef VSWITCH_PARSE_H
#define VSWITCH_PARSE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VSW_ETHER_HEADER = 14,
    VSW_VLAN_TAG = 4,
    VSW_TPID = 0x8100,
    VSW_VID_MASK = 0xFFF,
};

struct vsw_frame {
    uint64_t destination; /* byte 0 of the address in bits 47:40 */
    uint64_t source;
    uint16_t type;        /* behind the tag */
    uint16_t vid;         /* 0 = untagged or priority-tagged */
    bool tagged;
};

#define VSW_MAC_GROUP (1ull << 40) /* multicast or broadcast */
#define VSW_MAC_BROADCAST 0xFFFFFFFFFFFFull

/* False: shorter than a header (then nothing is set). */
bool vsw_parse(const uint8_t *bytes, uint32_t length, struct vsw_frame *);
uint64_t vsw_mac(const uint8_t bytes[6]);
/* 01:80:C2:00:00:00..2F: IEEE 802.1D "Reserved addresses", never forwarded. */
bool vsw_mac_reserved(uint64_t mac);

#endif
