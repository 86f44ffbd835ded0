#include "sim/lab/lab_device.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"

enum { NS_PER_FAR_START = 0x7fffffff };

struct channel {
    uint32_t report_low;     /* latched until HIGH commits */
    uint64_t report_spa;     /* 0 = not announced */
    bool ready, sent_all;
};

struct lab_device {
    struct machine *machine;
    struct lab_device_config config;
    bool started;
    uint64_t start;          /* [cycle] */
    struct channel channel[LAB_CHANNELS];
};

static void
announce_report(struct lab_device *d, struct channel *c, uint32_t high)
{
    uint64_t linear = (uint64_t)high << 32 | c->report_low, spa;
    struct cpu *cpu = d->machine->running;
    if (cpu && linear % 4096 == 0 && cpu_translate_peek(cpu, linear, &spa) && mem_ram(d->machine->mem, spa)) {
        c->report_spa = spa;
        if (d->config.announced)
            d->config.announced(d->config.ctx, (unsigned)(c - d->channel));
    } else
        TRACE(d->machine, machine_now(d->machine), TRACE_GUEST_ERROR, c - d->channel, linear, 0, 0);
}

static void
child_ready(struct lab_device *d, struct channel *c)
{
    unsigned ready = 0;
    c->ready = true;
    for (unsigned i = 0; i < d->config.children; i++)
        ready += d->channel[LAB_CHANNEL_CHILD + i].ready;
    if (d->started || ready < d->config.children)
        return;
    d->started = true;
    uint64_t multiple = d->config.start_multiple;
    d->start = (machine_now(d->machine) + machine_ns_to_cycles(LAB_START_LEAD_NS) + multiple - 1) / multiple * multiple;
    if (d->config.start)
        d->config.start(d->config.ctx, d->start);
}

static void
take_event(struct lab_device *d, unsigned channel, uint32_t value)
{
    struct channel *c = &d->channel[channel];
    uint32_t detail = value >> 8;

    TRACE(d->machine, machine_now(d->machine), TRACE_LAB, channel, value & 0xff, detail, 0);
    switch (value & 0xff) {
    case LAB_EVENT_READY:
        child_ready(d, c);
        break;
    case LAB_EVENT_SENT_ALL:
        c->sent_all = true;
        break;
    case LAB_EVENT_FAILED:
        if (d->config.failed)
            d->config.failed(d->config.ctx, channel, detail);
        break;
    default:
        break; /* marks, intervals of benchmarks and unknown codes are in the trace */
    }
}

static uint32_t
start_delay(const struct lab_device *d)
{
    uint64_t now = machine_now(d->machine);
    if (!d->started)
        return LAB_START_UNKNOWN;
    if (now >= d->start)
        return 0;
    uint64_t ns = machine_cycles_to_ns(d->start - now);
    return ns > NS_PER_FAR_START ? NS_PER_FAR_START : ns == 0 ? 1 : (uint32_t)ns;
}

static uint64_t
read_register(void *ctx, uint64_t offset, unsigned size)
{
    struct lab_device *d = ctx;
    if (size != 4)
        return UINT64_MAX;
    switch (offset % LAB_PORT_STRIDE) {
    case LAB_REG_ID: return LAB_ID;
    case LAB_REG_START_DELAY: return start_delay(d);
    default: return 0xffffffff;
    }
}

static void
write_register(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct lab_device *d = ctx;
    unsigned channel = (unsigned)(offset / LAB_PORT_STRIDE);
    struct channel *c = &d->channel[channel];
    (void)size; /* a console character may come as a byte */
    switch (offset % LAB_PORT_STRIDE) {
    case LAB_REG_REPORT_LOW: c->report_low = (uint32_t)value; break;
    case LAB_REG_REPORT_HIGH: announce_report(d, c, (uint32_t)value); break;
    case LAB_REG_EVENT: take_event(d, channel, (uint32_t)value); break;
    case LAB_REG_LOG:
        if (d->config.console)
            d->config.console(d->config.ctx, channel, (char)value);
        break;
    default: break;
    }
}

struct lab_device *
lab_device_new(struct machine *m, const struct lab_device_config *config)
{
    struct lab_device *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->machine = m;
    d->config = *config;
    struct mem_region region = { "lab", read_register, write_register, d };
    if (mem_port_map(m->mem, LAB_PORT_BASE, LAB_PORT_STRIDE * LAB_CHANNELS, &region) < 0) {
        free(d);
        return NULL;
    }
    return d;
}

void
lab_device_free(struct lab_device *d)
{
    free(d);
}

void
lab_device_state(struct lab_device *d, struct state *s)
{
    state_part(s, "lab");
    STATE_VISIT(s, d->started);
    STATE_VISIT(s, d->start);
    for (unsigned i = 0; i < LAB_CHANNELS; i++) {
        struct channel *c = &d->channel[i];
        STATE_VISIT(s, c->report_low);
        STATE_VISIT(s, c->report_spa);
        STATE_VISIT(s, c->ready);
        STATE_VISIT(s, c->sent_all);
    }
}

bool
lab_device_started(const struct lab_device *d, uint64_t *cycle)
{
    *cycle = d->start;
    return d->started;
}

unsigned
lab_device_sent_all(const struct lab_device *d)
{
    unsigned count = 0;
    for (unsigned i = 0; i < d->config.children; i++)
        count += d->channel[LAB_CHANNEL_CHILD + i].sent_all;
    return count;
}

bool
lab_device_report(const struct lab_device *d, unsigned channel, struct lab_report *report)
{
    uint64_t spa = channel < LAB_CHANNELS ? d->channel[channel].report_spa : 0;
    return spa && mem_read(d->machine->mem, spa, report, sizeof *report) && report->magic == LAB_REPORT_MAGIC;
}
