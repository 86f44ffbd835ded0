/* Ports of the switch, and what other services may know about them.
 *
 * Port 0 is the uplink (the card's default queue), port 1 + n the vPort of
 * child n.  Every port belongs to one network: external (uplink and children),
 * internal (children and the parent) or private (children only); frames never
 * change networks.
 */
#ifndef VSWITCH_PORT_H
#define VSWITCH_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "vsp/runtime/svc.h"

enum {
    VSW_PORT_UPLINK = 0,
    VSW_PORT_CHILD = 1, /* + child number */
    VSW_PORTS_MAX = VSW_PORT_CHILD + SVC_CHILDREN_MAX,
};

enum vsw_network { VSW_EXTERNAL, VSW_INTERNAL, VSW_PRIVATE };

enum vsw_io { /* what carries the child's frames besides the switch */
    VSW_IO_SYNTHETIC, /* nothing */
    VSW_IO_VMQ,       /* a pool of the card's queues */
    VSW_IO_VF,        /* a virtual function in the child */
};

struct vsw_port_info {
    uint8_t mac[6];
    uint16_t vlan;      /* access VLAN; 0 = trunk, tags pass unchanged */
    uint32_t mtu;       /* [bytes], of the payload behind the Ethernet header */
    enum vsw_network network;
    enum vsw_io io;
    uint32_t vf_serial; /* VSW_IO_VF: for NVSP's VF association */
    bool lossless;      /* wait for receive buffers instead of dropping */
};

#endif
