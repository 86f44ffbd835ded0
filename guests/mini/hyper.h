/* The hypervisor as this guest uses it: hypercalls, SynIC, reference time, one timer. */
#ifndef GUESTS_MINI_HYPER_H
#define GUESTS_MINI_HYPER_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/hv/tlfs.h"

/* False: no hypervisor with this interface. */
bool hyper_init(void);
uint64_t hyper_now(void); /* reference time [100 ns] */
/* CPU_VECTOR_TIMER fires at 'when' [100 ns]; replaces what was set. */
void hyper_timer_set(uint64_t when);

/* Status in 15:0. */
uint64_t hyper_call(uint64_t control, const void *input, void *output);
uint64_t hyper_call_fast(uint64_t control, uint64_t first, uint64_t second);
/* Retries while the queue is full. False: refused. */
bool hyper_post_message(uint32_t connection, const void *payload, uint32_t size);
void hyper_signal_event(uint32_t connection);
/* Routes an MSI-X entry of a device to 'vector' here; what to write into the entry. False: refused. */
bool hyper_map_interrupt(uint64_t device_id, uint32_t vector, uint64_t *msi);

/* Takes the message of SINT 2, if there is one. */
bool hyper_message_take(struct hv_message *);
/* Calls 'flag' for each event flag of SINT 2 that is set, and clears it. */
void hyper_flags_take(void (*flag)(void *ctx, uint32_t number), void *ctx);

#endif
