/* The laboratory device: the machine's side of spec/lab/lab.h.
 *
 * Reports are read from memory whenever the laboratory asks; the machine is
 * not disturbed.  READY of all children fixes the replay's start:
 * LAB_START_LEAD_NS later, so that everybody has time to arm a timer.
 */
#ifndef SIM_LAB_LAB_DEVICE_H
#define SIM_LAB_LAB_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/lab/lab.h"

enum { LAB_START_LEAD_NS = 1000000 };

struct lab_device;
struct machine;
struct state;

struct lab_device_config {
    unsigned children;                                  /* whose READY is awaited */
    uint64_t start_multiple;                            /* the start is rounded up to one of these [cycles] */
    void (*start)(void *ctx, uint64_t cycle);           /* the replay's start is now known [cycle] */
    void (*console)(void *ctx, unsigned channel, char); /* a character of LAB_REG_LOG */
    void (*announced)(void *ctx, unsigned channel);     /* a report was announced by the running processor */
    void (*failed)(void *ctx, unsigned channel, uint32_t detail); /* LAB_EVENT_FAILED */
    void *ctx;
};

struct lab_device *lab_device_new(struct machine *, const struct lab_device_config *);
void lab_device_free(struct lab_device *);
void lab_device_state(struct lab_device *, struct state *);

bool lab_device_started(const struct lab_device *, uint64_t *cycle);
unsigned lab_device_sent_all(const struct lab_device *); /* children that said so */
/* Copies a channel's report. False when none was announced (or its page is no RAM). */
bool lab_device_report(const struct lab_device *, unsigned channel, struct lab_report *);

#endif
