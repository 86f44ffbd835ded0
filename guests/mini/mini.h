/* The child: one processor, one network device, one workload.
 *
 *   main     boot, configuration, the loop: take events, run what they call, sleep
 *   cpu      segments, interrupts, page tables, local APIC
 *   hyper    hypercalls, SynIC, time, timer
 *   netvsc   synthetic network device        vf   virtual function
 *   link     what is common to both: padding, filters, the path in use
 *   work_*   replayer and sink, echo, garbage, micro-benchmarks
 *
 * Nothing is freed.  Everything happens in the main loop, with interrupts off.
 */
#ifndef GUESTS_MINI_MINI_H
#define GUESTS_MINI_MINI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guests/mini/link.h"
#include "spec/hv/boot.h"
#include "vmbus/client.h"

struct mini;

struct work { /* a workload */
    const char *name; /* of childN.workload, up to a ':' */
    void (*start)(struct mini *, const char *argument); /* once, before READY; argument: behind the ':', or "" */
    void (*begin)(struct mini *);  /* the replay begins now */
    void (*receive)(struct mini *, struct svc_packet *batch, unsigned count); /* frames for us, valid until it returns */
    void (*run)(struct mini *);    /* a timer or room may have come: send what is due */
    bool needs_network;
    bool takes_part; /* waits for the replay's start */
};

extern const struct work work_replayer, work_sink, work_echo, work_garbage, work_bench;

struct mini {
    const struct boot_info *info;
    const char *config;
    uint64_t config_size;
    unsigned number; /* of this child */
    uint8_t *free, *free_end; /* memory not yet given out */
    struct vmbus_client client;
    struct link link;
    const struct work *work;
    const char *argument;
    bool ready;      /* told to the laboratory */
    bool begun;
    uint64_t start;  /* of the replay [100 ns]; 0 = unknown */
    uint64_t wake;   /* earliest time that somebody wants [100 ns]; 0 = none */
};

/* Page-aligned, zeroed, contiguous; stops the guest when there is none left. */
void *mini_pages(struct mini *, uint64_t count);
uint64_t mini_gpa(const void *); /* where the card and the parent find it */
/* NULL when the key is absent. Copies the value into 'value'. */
const char *mini_config(const struct mini *, const char *key, char value[64]);
uint64_t mini_config_number(const struct mini *, const char *key, uint64_t fallback);
const struct boot_module *mini_module(const struct mini *, const char *name);
/* The loop comes round at 'when' [100 ns] at the latest. */
void mini_wake_at(struct mini *, uint64_t when);
/* Handles events while it waits; for bring-up only. */
void mini_wait_a_little(struct mini *, uint64_t time);
bool mini_equal(const char *a, const char *b);

#endif
