/* Event trace: what happened when, for people and tools.  A pure observer.
 *
 * Events are rows of spec/trace/events.tbl (name, fields); the writer turns
 * them into CTF 1.8.  With m->trace NULL every call is a test and nothing
 * more.  Nothing here may influence the machine.
 */
#ifndef SIM_BASE_TRACE_H
#define SIM_BASE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct trace;

enum trace_event {
    TRACE_VM_EXIT,     /* cpu, reason, qualification, rip */
    TRACE_VM_ENTRY,    /* cpu, rip, vpid */
    TRACE_ENTRY_FAIL,  /* cpu, rule id, error */
    TRACE_INTERRUPT,   /* cpu, vector */
    TRACE_EXCEPTION,   /* cpu, vector, error, address */
    TRACE_MSI,         /* bdf, address, data */
    TRACE_IPI,         /* cpu, destination, vector */
    TRACE_WIRE_RX,     /* packet number, length (frame arrives at the port) */
    TRACE_WIRE_TX,     /* packet number, length (frame leaves the port) */
    TRACE_NIC_RX,      /* packet number, pool, queue, dma address */
    TRACE_NIC_TX,      /* dma address, length, queue */
    TRACE_NIC_DROP,    /* packet number, reason */
    TRACE_SERVICE,     /* cpu, function (index of the traced symbol), argument 0, argument 1 */
    TRACE_LAB,         /* channel, code, value */
    TRACE_UNCLAIMED,   /* address, is_write, is_port */
    TRACE_GUEST_ERROR, /* component code, detail 0, detail 1: software broke a rule of the manual */
    TRACE_HALT, TRACE_WAKE, /* cpu */
    TRACE_EVENT_COUNT,
};

/* Component codes of TRACE_GUEST_ERROR. */
enum trace_component {
    COMPONENT_PCI = 1, /* detail 0: bdf; detail 1: address, or configuration offset */
    COMPONENT_VTD,     /* detail 0: source id; detail 1: fault reason */
    COMPONENT_CHIPSET, /* detail 0: port or register; detail 1: value */
};

/* 'now' is the cycle; up to four arguments as the event's row lists them. */
void trace_write(struct trace *, uint64_t now, enum trace_event, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

#define TRACE(m, now, event, a, b, c, d)                                        \
    do {                                                                        \
        if ((m)->trace)                                                         \
            trace_write((m)->trace, (now), (event), (uint64_t)(a), (uint64_t)(b), \
                        (uint64_t)(c), (uint64_t)(d));                          \
    } while (0)

#endif
