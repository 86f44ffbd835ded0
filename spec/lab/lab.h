/* The laboratory device: experiment parameters in, markers and results out.
 *
 * Nothing may need it to be correct: where the ports are not decoded, reads
 * return all ones and writes vanish, and software carries on.
 *
 * Each image talks to a channel of its own (0 the hypervisor, 1 the parent
 * partition, 2 + n child n), sixteen ports each, so that two processors never
 * share a register.  All registers are 32 bits wide.
 *
 *   LAB_PORT_BASE + 16 * channel + LAB_REG_x
 *
 * Results are not pushed: an image keeps a `struct lab_report` in one of its
 * pages and announces its linear address once (LOW, then HIGH commits; the
 * device translates it with the announcing processor's own page tables).  The
 * laboratory then reads it whenever it likes, at no cost to the machine.
 */
#ifndef SPEC_LAB_LAB_H
#define SPEC_LAB_LAB_H

#include <stdint.h>

#define LAB_PORT_BASE 0x1E00
#define LAB_PORT_STRIDE 16
#define LAB_CHANNELS 32
#define LAB_CHANNEL_HV 0
#define LAB_CHANNEL_ROOT 1
#define LAB_CHANNEL_CHILD 2 /* + child number */

#define LAB_REG_ID 0x0          /* R: LAB_ID when the device is there */
#define LAB_REG_REPORT_LOW 0x0  /* W: linear address of the report, low half */
#define LAB_REG_REPORT_HIGH 0x4 /* W: high half; announces */
#define LAB_REG_EVENT 0x8       /* W: a marker [enum lab_event in 7:0, detail in 31:8] */
#define LAB_REG_START_DELAY 0x8 /* R: until the replay's start [ns]; LAB_START_UNKNOWN while not all are ready; 0 = it has started */
#define LAB_REG_LOG 0xC         /* W: one character for the console of this channel */

#define LAB_ID 0x4C41424Cu /* "LBAL" */
#define LAB_START_UNKNOWN 0xFFFFFFFEu

enum lab_event {
    LAB_EVENT_READY = 1,   /* a child's workload is ready for the replay */
    LAB_EVENT_SENT_ALL,    /* a child has handed all its frames to its network stack */
    LAB_EVENT_FAILED,      /* software gives up; detail: its own code */
    LAB_EVENT_MARK,        /* free use in tests and micro-benchmarks; detail as agreed */
    LAB_EVENT_BENCH_BEGIN, /* a measured interval begins / ends; detail: which */
    LAB_EVENT_BENCH_END,
};

#define LAB_REPORT_MAGIC 0x54524F5045524C48ull /* "HLREPORT" */
enum { LAB_REPORT_COUNTERS = 48 };

/* What the counters of a report count; unused ones stay 0.  DROP_* are
 * packets that go no further, each counted once, where it was decided. */
enum lab_counter {
    LAB_DELIVERED,              /* frames given to the child's workload */
    LAB_DELIVERED_BYTES,
    LAB_SENT,                   /* frames the child handed to a channel or VF ring */
    LAB_SENT_BYTES,
    LAB_DROP_RESERVED_MULTICAST,/* 01:80:C2:00:00:00..2F is never forwarded */
    LAB_DROP_SWITCH_UNKNOWN,    /* no port wants the destination */
    LAB_DROP_SWITCH_VLAN,
    LAB_DROP_SWITCH_FILTER,     /* a filter extension said no */
    LAB_DROP_SWITCH_SPOOF,      /* source address is not the port's */
    LAB_DROP_NO_RECEIVE_BUFFER, /* the child returned none in time (not in lossless mode) */
    LAB_DROP_MALFORMED,         /* protocol violation by a child */
    LAB_DROP_OVERSIZE,          /* longer than the MTU agreed */
    LAB_DROP_CHANNEL_CLOSED,
    LAB_DROP_NOT_FOR_ME,        /* reached a child that does not own the destination */
    LAB_DROP_LAST = LAB_DROP_NOT_FOR_ME,
    LAB_SIGNALS_SENT,           /* channel signals to the other side */
    LAB_SIGNALS_SAVED,          /* suppressed by interrupt mitigation */
    LAB_INTERRUPTS,             /* device or channel interrupts handled */
    LAB_ECHOED,
    LAB_BENCH_RESULT_0, LAB_BENCH_RESULT_1, LAB_BENCH_RESULT_2, LAB_BENCH_RESULT_3,
    LAB_PROTOCOL_VIOLATIONS,    /* wrong messages, rings and requests of children (no packets) */
    LAB_COUNTER_COUNT
};
#define LAB_COUNTER_NAMES                                                                   \
    { "delivered", "delivered_bytes", "sent", "sent_bytes", "reserved_multicast",           \
      "switch_unknown_destination", "switch_vlan", "switch_filter", "switch_spoof",         \
      "no_receive_buffer", "malformed", "oversize", "channel_closed", "not_for_me",         \
      "signals_sent", "signals_saved", "interrupts", "echoed", "bench_0", "bench_1", "bench_2", "bench_3", \
      "protocol_violations" }

struct lab_report { /* page-aligned, within one page */
    uint64_t magic;
    uint64_t counters[LAB_REPORT_COUNTERS];
    uint64_t payload_hash; /* over what the workload received, in order; see below */
};
_Static_assert((int)LAB_COUNTER_COUNT <= (int)LAB_REPORT_COUNTERS, "counters fit the report");
_Static_assert(sizeof(struct lab_report) <= 4096, "a report is within a page");

/* The payload hash, over frames in order: start with LAB_HASH_START; for each
 * frame mix its length, then its bytes as little-endian 64-bit words, the last
 * one filled with zeroes:  h = rotl64((h ^ word) * LAB_HASH_MULTIPLIER, 29). */
#define LAB_HASH_START 0xCBF29CE484222325ull
#define LAB_HASH_MULTIPLIER 0x9E3779B97F4A7C15ull

/* How a batch of packets lies in memory, as far as the laboratory looks at it
 * (struct svc_packet of the service runtime has this shape). */
struct lab_packet {
    uint64_t data;   /* linear address of the frame's first byte */
    uint64_t dma;
    uint32_t length; /* [bytes] */
    uint16_t port, flags;
    uint64_t owner;
};
_Static_assert(sizeof(struct lab_packet) == 32, "as in the service runtime");

/* The module "frames<n>": what child n sends. Header, then 'count' entries,
 * then the frames' bytes. */
#define LAB_FRAMES_MAGIC 0x53454D41524C48ull /* "HLRAMES" */
struct lab_frames {
    uint64_t magic;
    uint32_t count;
    uint32_t reserved;
};
struct lab_frame {
    uint64_t at_ns;  /* after the replay's start */
    uint32_t offset; /* of the bytes, from the start of the module */
    uint32_t length; /* [bytes], without FCS; below 60 it is padded when sent */
};

#endif
