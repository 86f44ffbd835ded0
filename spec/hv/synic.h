/* Synthetic interrupt controller, timers and the pages that the hypervisor
 * shares with a guest (TLFS "Virtual Interrupt Controller", "Timers"). */
#ifndef SPEC_HV_SYNIC_H
#define SPEC_HV_SYNIC_H

#include <stddef.h>
#include <stdint.h>

enum {
    HV_SINT_COUNT = 16,
    HV_STIMER_COUNT = 4,
    HV_MESSAGE_SIZE = 256,
    HV_MESSAGE_PAYLOAD = 240,
    HV_EVENT_FLAGS_PER_SINT = 2048,
};

/* MSR layouts with a page: bit 0 enable, 63:12 GPFN. */
#define HV_PAGE_MSR_ENABLE 1ull
#define HV_PAGE_MSR_GPA 0xFFFFFFFFFFFFF000ull
#define HV_HYPERCALL_MSR_LOCKED 2ull

/* SINTn */
#define HV_SINT_VECTOR 0xFFull
#define HV_SINT_MASKED (1ull << 16)
#define HV_SINT_AUTO_EOI (1ull << 17)
#define HV_SINT_POLLING (1ull << 18)

#define HV_SCONTROL_ENABLE 1ull

enum hv_message_type {
    HV_MESSAGE_NONE = 0,
    HV_MESSAGE_VMBUS = 1,
    HV_MESSAGE_UNMAPPED_GPA = 0x80000000,
    HV_MESSAGE_GPA_INTERCEPT = 0x80000001,
    HV_MESSAGE_TIMER_EXPIRED = 0x80000010,
    HV_MESSAGE_UNRECOVERABLE_EXCEPTION = 0x80000021,
    HV_MESSAGE_IO_INTERCEPT = 0x80010000,
    HV_MESSAGE_MSR_INTERCEPT = 0x80010001,
    HV_MESSAGE_CPUID_INTERCEPT = 0x80010002,
};

#define HV_MESSAGE_FLAG_PENDING 1u /* another message waits: write EOM after emptying the slot */

/* A slot of the SIMP page, one per SINT. */
struct hv_message {
    uint32_t type; /* 0 = slot empty; written last */
    uint8_t payload_size;
    uint8_t flags;
    uint16_t reserved;
    uint64_t sender; /* port id, or partition id for intercepts */
    uint8_t payload[HV_MESSAGE_PAYLOAD];
};
_Static_assert(sizeof(struct hv_message) == HV_MESSAGE_SIZE, "message slot");
_Static_assert(offsetof(struct hv_message, payload) == 16, "message payload");

struct hv_message_page { struct hv_message slot[HV_SINT_COUNT]; };
struct hv_event_flags_page { uint8_t flags[HV_SINT_COUNT][HV_EVENT_FLAGS_PER_SINT / 8]; };
_Static_assert(sizeof(struct hv_message_page) == 4096, "SIMP is a page");
_Static_assert(sizeof(struct hv_event_flags_page) == 4096, "SIEFP is a page");

struct hv_timer_message { /* payload of HV_MESSAGE_TIMER_EXPIRED */
    uint32_t timer_index;
    uint32_t reserved;
    uint64_t expiration_time; /* [100 ns] */
    uint64_t delivery_time;   /* [100 ns] */
};

/* STIMERn_CONFIG */
#define HV_STIMER_ENABLE (1ull << 0)
#define HV_STIMER_PERIODIC (1ull << 1)
#define HV_STIMER_LAZY (1ull << 2)
#define HV_STIMER_AUTO_ENABLE (1ull << 3)
#define HV_STIMER_VECTOR_SHIFT 4 /* 11:4, direct mode */
#define HV_STIMER_DIRECT (1ull << 12)
#define HV_STIMER_SINT_SHIFT 16 /* 19:16 */

/* Reference TSC page: time [100 ns] = high64(tsc * scale) + offset; sequence 0 = not valid. */
struct hv_reference_tsc_page {
    volatile uint32_t sequence;
    uint32_t reserved;
    volatile uint64_t scale;
    volatile int64_t offset;
};

/* VP assist page. */
#define HV_APIC_ASSIST_NO_EOI 1u /* bit 0 of apic_assist: clear it instead of writing EOI */
struct hv_vp_assist_page {
    volatile uint32_t apic_assist;
    uint32_t reserved;
};

/* Crash control. */
#define HV_CRASH_NOTIFY (1ull << 63)
#define HV_CRASH_MESSAGE (1ull << 62)

#endif
