/* NVSP: the network provider's own protocol, the payload of a network channel.
 *
 * It negotiates a version, hands over the two shared buffers, and then wraps
 * RNDIS: type 107 carries a data or control message in GPA-direct pages or in
 * a section of the send buffer; towards the child the message lies in a section
 * of the receive buffer and the packet is a transfer-pages packet.
 * Layouts as in Linux drivers/net/hyperv/hyperv_net.h.
 */
#ifndef SPEC_VMBUS_NVSP_H
#define SPEC_VMBUS_NVSP_H

#include <stddef.h>
#include <stdint.h>

enum nvsp_version {
    NVSP_VERSION_1 = 0x2,
    NVSP_VERSION_2 = 0x30002,
    NVSP_VERSION_4 = 0x40000,
    NVSP_VERSION_5 = 0x50000,
    NVSP_VERSION_6 = 0x60000,
    NVSP_VERSION_61 = 0x60001,
};

enum nvsp_type {
    NVSP_INIT = 1,
    NVSP_INIT_COMPLETE = 2,
    NVSP_NDIS_VERSION = 100,
    NVSP_SEND_RECEIVE_BUFFER = 101,
    NVSP_SEND_RECEIVE_BUFFER_COMPLETE = 102,
    NVSP_REVOKE_RECEIVE_BUFFER = 103,
    NVSP_SEND_SEND_BUFFER = 104,
    NVSP_SEND_SEND_BUFFER_COMPLETE = 105,
    NVSP_REVOKE_SEND_BUFFER = 106,
    NVSP_SEND_RNDIS = 107,
    NVSP_SEND_RNDIS_COMPLETE = 108,
    NVSP_NDIS_CONFIG = 125,
    NVSP_VF_ASSOCIATION = 128,
    NVSP_SWITCH_DATA_PATH = 129,
    NVSP_SUBCHANNEL = 133,
};

enum {
    NVSP_STATUS_SUCCESS = 1,
    NVSP_STATUS_FAILURE = 2,
    NVSP_RECEIVE_BUFFER_ID = 0xCAFE,
    NVSP_SEND_BUFFER_ID = 0,
    NVSP_SECTION_NONE = -1, /* 0xFFFFFFFF: not in the send buffer */
    NVSP_CHANNEL_DATA = 0,
    NVSP_CHANNEL_CONTROL = 1,
    NVSP_PATH_SYNTHETIC = 0,
    NVSP_PATH_VF = 1,
    NVSP_MESSAGE_SIZE = 40, /* of 6.1; Linux wants completions of at least 28 bytes */
};

enum nvsp_capability { /* NDIS_CONFIG capabilities */
    NVSP_CAPABILITY_VMQ = 1 << 0,
    NVSP_CAPABILITY_SRIOV = 1 << 2,
    NVSP_CAPABILITY_8021Q = 1 << 3,
};

struct nvsp_message {
    uint32_t type; /* enum nvsp_type */
    union {
        struct { uint32_t min, max; } init;
        struct { uint32_t version, max_mdl_chain, status; } init_complete;
        struct { uint32_t major, minor; } ndis_version;
        struct { uint32_t gpadl; uint16_t id, reserved; } buffer; /* 101, 104 */
        struct { uint16_t id, reserved; } revoke;                 /* 103, 106 */
        struct {
            uint32_t status, sections;
            struct { uint32_t offset, size, count, end; } section; /* one is enough */
        } receive_buffer_complete;
        struct { uint32_t status, section_size; } send_buffer_complete;
        struct { uint32_t channel, section, section_size; } rndis;
        struct { uint32_t status; } rndis_complete;
        struct { uint32_t mtu, reserved, capabilities_low, capabilities_high; } ndis_config;
        struct { uint32_t allocated, serial; } vf_association;
        struct { uint32_t path; } data_path;
        struct { uint32_t op, count; } subchannel;
        uint32_t words[9];
    };
};
_Static_assert(sizeof(struct nvsp_message) == NVSP_MESSAGE_SIZE, "wire");
_Static_assert(offsetof(struct nvsp_message, receive_buffer_complete.section) == 12, "wire");
_Static_assert(offsetof(struct nvsp_message, ndis_config.capabilities_low) == 12, "wire");

#endif
