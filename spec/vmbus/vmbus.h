/* VMBus control messages: what travels in SynIC messages of type 1.
 *
 * A child posts them with HvCallPostMessage to connection 1 (or 4 for the
 * first message of VMBus 5.0 and later); the other side answers through the
 * message slot of SINT 2 on the processor named in INITIATE_CONTACT.  Layouts
 * are those that Linux (include/linux/hyperv.h) and Hyper-V use on the wire:
 * little-endian, naturally aligned except for the page numbers of a GPADL,
 * which start at an odd multiple of four and are therefore not a member.
 */
#ifndef SPEC_VMBUS_VMBUS_H
#define SPEC_VMBUS_VMBUS_H

#include <stddef.h>
#include <stdint.h>

enum {
    VMBUS_SINT = 2,
    VMBUS_MESSAGE_TYPE = 1,          /* SynIC message type, both directions */
    VMBUS_CONNECTION_MESSAGES = 1,   /* connection of control messages */
    VMBUS_CONNECTION_MESSAGES_5 = 4, /* of INITIATE_CONTACT for 5.0 and later */
    VMBUS_MESSAGE_SIZE_MAX = 240,    /* payload of a SynIC message [bytes] */
    VMBUS_RELID_MAX = 2047,          /* 0 is invalid */
    VMBUS_PAGE_SIZE = 4096,
};

enum vmbus_version {
    VMBUS_VERSION_2_4 = 0x20004, /* dedicated interrupts per channel appear here */
    VMBUS_VERSION_3_0 = 0x30000,
    VMBUS_VERSION_4_0 = 0x40000,
    VMBUS_VERSION_4_1 = 0x40001,
    VMBUS_VERSION_5_0 = 0x50000,
    VMBUS_VERSION_5_1 = 0x50001,
    VMBUS_VERSION_5_2 = 0x50002,
    VMBUS_VERSION_5_3 = 0x50003, /* MODIFY_CHANNEL is answered from here on */
};

enum vmbus_message_type {
    VMBUS_MSG_INVALID = 0,
    VMBUS_MSG_OFFER_CHANNEL = 1,
    VMBUS_MSG_RESCIND_OFFER = 2,
    VMBUS_MSG_REQUEST_OFFERS = 3,
    VMBUS_MSG_ALL_OFFERS_DELIVERED = 4,
    VMBUS_MSG_OPEN_CHANNEL = 5,
    VMBUS_MSG_OPEN_RESULT = 6,
    VMBUS_MSG_CLOSE_CHANNEL = 7,
    VMBUS_MSG_GPADL_HEADER = 8,
    VMBUS_MSG_GPADL_BODY = 9,
    VMBUS_MSG_GPADL_CREATED = 10,
    VMBUS_MSG_GPADL_TEARDOWN = 11,
    VMBUS_MSG_GPADL_TORNDOWN = 12,
    VMBUS_MSG_RELID_RELEASED = 13,
    VMBUS_MSG_INITIATE_CONTACT = 14,
    VMBUS_MSG_VERSION_RESPONSE = 15,
    VMBUS_MSG_UNLOAD = 16,
    VMBUS_MSG_UNLOAD_RESPONSE = 17,
    VMBUS_MSG_TL_CONNECT_REQUEST = 21,
    VMBUS_MSG_MODIFY_CHANNEL = 22,
    VMBUS_MSG_TL_CONNECT_RESULT = 23,
    VMBUS_MSG_MODIFY_CHANNEL_RESPONSE = 24,
    VMBUS_MSG_COUNT = 25,
};

/* Mixed-endian: the first three fields little-endian, then eight bytes as written. */
struct vmbus_guid {
    uint8_t bytes[16];
};
#define VMBUS_GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                   \
    {{ (a) & 0xff, ((a) >> 8) & 0xff, ((a) >> 16) & 0xff, ((a) >> 24) & 0xff, (b) & 0xff,      \
       ((b) >> 8) & 0xff, (c) & 0xff, ((c) >> 8) & 0xff, d0, d1, d2, d3, d4, d5, d6, d7 }}
/* f8615163-df3e-46c5-913f-f2d2f965ed0e */
#define VMBUS_GUID_NETWORK                                                                    \
    VMBUS_GUID(0xf8615163u, 0xdf3eu, 0x46c5u, 0x91, 0x3f, 0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e)

struct vmbus_msg_header {
    uint32_t type; /* enum vmbus_message_type */
    uint32_t reserved;
};
_Static_assert(sizeof(struct vmbus_msg_header) == 8, "wire");

enum vmbus_offer_flags {
    VMBUS_OFFER_ENUMERATE = 0x1,
    VMBUS_OFFER_NAMED_PIPE = 0x10,
};

struct vmbus_msg_offer {
    struct vmbus_msg_header header;
    struct vmbus_guid interface_type;
    struct vmbus_guid interface_instance;
    uint8_t reserved0[16];
    uint16_t flags; /* enum vmbus_offer_flags */
    uint16_t mmio_megabytes;
    uint8_t user_defined[120];
    uint16_t sub_channel_index; /* 0 = primary */
    uint16_t reserved1;
    uint32_t relid; /* 1..VMBUS_RELID_MAX; also the event flag the child is signalled with */
    uint8_t monitor_id;
    uint8_t monitor_allocated; /* bit 0; 0 = the hypercall signals, not the monitor page */
    uint16_t is_dedicated;     /* bit 0: signalled with its own connection */
    uint32_t connection_id;    /* of HvCallSignalEvent */
};
_Static_assert(sizeof(struct vmbus_msg_offer) == 196, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, flags) == 56, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, user_defined) == 60, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, sub_channel_index) == 180, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, relid) == 184, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, monitor_id) == 188, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, is_dedicated) == 190, "wire");
_Static_assert(offsetof(struct vmbus_msg_offer, connection_id) == 192, "wire");

struct vmbus_msg_relid { /* RESCIND_OFFER, CLOSE_CHANNEL, RELID_RELEASED */
    struct vmbus_msg_header header;
    uint32_t relid;
};
_Static_assert(sizeof(struct vmbus_msg_relid) == 12, "wire");

struct vmbus_msg_open {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t open_id;
    uint32_t ring_gpadl;
    uint32_t target_vp;
    uint32_t downstream_page; /* first page of the ring to the child, inside the GPADL */
    uint8_t user_defined[120];
};
_Static_assert(sizeof(struct vmbus_msg_open) == 148, "wire");

struct vmbus_msg_open_result {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t open_id;
    uint32_t status; /* 0 = open */
};
_Static_assert(sizeof(struct vmbus_msg_open_result) == 20, "wire");

struct vmbus_msg_gpadl_header {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t gpadl; /* chosen by the child, not 0 */
    uint16_t range_buflen; /* of all ranges; wraps above 64 KiB: use the range's byte count */
    uint16_t range_count;
    uint32_t byte_count; /* of the first range */
    uint32_t byte_offset;
    /* uint64_t page numbers follow, unaligned */
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_header) == 28, "wire");

struct vmbus_msg_gpadl_body {
    struct vmbus_msg_header header;
    uint32_t message_number; /* Linux always writes 0 */
    uint32_t gpadl;
    /* uint64_t page numbers follow */
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_body) == 16, "wire");

enum {
    VMBUS_GPADL_HEADER_PAGES_MAX =
        (VMBUS_MESSAGE_SIZE_MAX - sizeof(struct vmbus_msg_gpadl_header)) / 8, /* 26 */
    VMBUS_GPADL_BODY_PAGES_MAX =
        (VMBUS_MESSAGE_SIZE_MAX - sizeof(struct vmbus_msg_gpadl_body)) / 8, /* 28 */
};

struct vmbus_msg_gpadl_created {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t gpadl;
    uint32_t status; /* 0 = created */
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_created) == 20, "wire");

struct vmbus_msg_gpadl_teardown {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t gpadl;
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_teardown) == 16, "wire");

struct vmbus_msg_gpadl_torndown {
    struct vmbus_msg_header header;
    uint32_t gpadl;
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_torndown) == 12, "wire");

struct vmbus_msg_initiate_contact {
    struct vmbus_msg_header header;
    uint32_t version; /* enum vmbus_version */
    uint32_t target_vp;
    union {
        uint64_t interrupt_page; /* below 5.0 */
        struct {
            uint8_t sint;
            uint8_t vtl;
            uint16_t reserved;
            uint32_t feature_flags;
        } five;
    };
    uint64_t monitor_page_to_child;
    uint64_t monitor_page_to_parent;
};
_Static_assert(sizeof(struct vmbus_msg_initiate_contact) == 40, "wire");
_Static_assert(offsetof(struct vmbus_msg_initiate_contact, interrupt_page) == 16, "wire");

struct vmbus_msg_version_response {
    struct vmbus_msg_header header;
    uint8_t supported;
    uint8_t connection_state; /* 0 = successful */
    uint16_t reserved;
    uint32_t connection_id; /* of all further messages of the child, 5.0 and later */
};
_Static_assert(sizeof(struct vmbus_msg_version_response) == 16, "wire");

struct vmbus_msg_modify_channel {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t target_vp;
};
_Static_assert(sizeof(struct vmbus_msg_modify_channel) == 16, "wire");

struct vmbus_msg_modify_channel_response {
    struct vmbus_msg_header header;
    uint32_t relid;
    uint32_t status;
};
_Static_assert(sizeof(struct vmbus_msg_modify_channel_response) == 16, "wire");

#endif
