/* The laboratory device as this guest uses it: log, events, start of the replay, report. */
#ifndef GUESTS_MINI_LAB_H
#define GUESTS_MINI_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/lab/lab.h"

void lab_init(uint32_t channel);
void lab_count(unsigned counter, uint64_t n);
void lab_set(unsigned counter, uint64_t value);
/* Mixes a frame into the payload hash (spec/lab/lab.h). */
void lab_hash(const uint8_t *bytes, uint32_t length);
void lab_event(unsigned event, uint32_t detail);
/* Until the replay's start [ns]; LAB_START_UNKNOWN; 0 = now (also without the device). */
uint32_t lab_start_delay(void);
void lab_log(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %s %u %x %lx %lu %d */
_Noreturn void lab_fail(const char *why);

#endif
