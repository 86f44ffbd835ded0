/* Rounds, stops and the state of the whole machine; see machine.h. */
#include "sim/machine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/model/model.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"
#include "sim/platform/pci.h"
#include "sim/platform/platform.h"
#include "sim/platform/vtd.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"
#include "spec/platform/memory_map.h"

/* What can take a processor out of HALTED, WAIT_SIPI or SHUTDOWN. */
enum { ATTN_WAKES = ATTN_INTR | ATTN_NMI | ATTN_INIT | ATTN_SIPI | ATTN_VTX | ATTN_DB };

struct machine_part {
    struct machine_part *next;
    const char *name;
    void (*visit)(void *ctx, struct state *);
    void *ctx;
};

/* --- life ------------------------------------------------------------------- */

static bool
config_check(const struct machine_config *c, char *error, unsigned error_size)
{
    const uint64_t ram_max = 64ull << 30;
    if (c->ram_size < 1u << 20 || c->ram_size % MEM_PAGE_SIZE || c->ram_size > ram_max) {
        snprintf(error, error_size, "memory of %llu bytes: from 1 MiB to %llu MiB, in whole pages",
                 (unsigned long long)c->ram_size, (unsigned long long)(ram_max >> 20));
    } else if (c->cpu_count < 1 || c->cpu_count > MACHINE_CPUS_MAX) {
        snprintf(error, error_size, "%u processors: from 1 to %d", c->cpu_count, MACHINE_CPUS_MAX);
    } else if (c->quantum < 1) {
        snprintf(error, error_size, "a quantum of 0 cycles: at least 1");
    } else {
        return display_check(c, error, error_size);
    }
    return false;
}

/* RAM and the window for devices behind it have addresses that the model's processors can form. */
static bool
width_check(const struct machine *m, char *error, unsigned error_size)
{
    uint64_t end = pci_window64(&m->config) + MMIO64_SIZE;
    if ((end - 1) >> m->physical_bits == 0) {
        return true;
    }
    snprintf(error, error_size, "memory of %llu MiB and the devices behind it end at %#llx, the processor addresses %u bits",
             (unsigned long long)(m->config.ram_size >> 20), (unsigned long long)end, m->physical_bits);
    return false;
}

static void
note_unclaimed(void *ctx, uint64_t address, bool is_write, bool is_port)
{
    struct machine *m = ctx;
    TRACE(m, machine_now(m), TRACE_UNCLAIMED, address, is_write, is_port, 0);
}

/* An event falls into the round being run: the running processor returns at
 * its next instruction boundary (ATTN_STOP) and goes on up to the event only. */
static void
note_armed(void *ctx, uint64_t due)
{
    struct machine *m = ctx;
    if (m->running && due < m->round_until) {
        m->round_until = due;
        cpu_attend(m->running, ATTN_STOP);
    }
}

/* Everything that needs nothing else, then what needs those. False: no memory. */
static bool
machine_build(struct machine *m)
{
    m->mem = mem_new(m->config.ram_size + display_memory(&m->config));
    m->events = event_queue_new();
    m->buckets = buckets_new();
    if (!m->mem || !m->events || !m->buckets) {
        return false;
    }
    mem_set_unclaimed_hook(m->mem, note_unclaimed, m);
    event_queue_set_watch(m->events, note_armed, m);
    if (m->config.timing_approx && !(m->timing = timing_new(m))) {
        return false;
    }
    m->vtx = m->config.vtx ? &vmx_ops : NULL;
    for (unsigned i = 0; i < m->config.cpu_count; i++) {
        m->cpu[i] = cpu_new(m, i);
        if (!m->cpu[i]) {
            return false;
        }
        m->cpu_count = i + 1;
    }
    m->vtd = vtd_new(m);
    m->pci = pci_new(m);
    m->platform = m->vtd && m->pci ? platform_new(m) : NULL;
    return m->platform != NULL;
}

struct machine *
machine_new(const struct machine_config *config, char *error, unsigned error_size)
{
    if (!config_check(config, error, error_size)) {
        return NULL;
    }
    struct machine *m = calloc(1, sizeof *m);
    if (m) {
        m->config = *config;
        m->now = config->start;
        if (!cpu_model_apply(m, config->model ? config->model : "e5", config->vtx, error, error_size)) {
            free(m);
            return NULL;
        }
        m->config.vtx = cpu_features_has(&m->features, CPU_VMX);
        if (!width_check(m, error, error_size)) {
            machine_free(m);
            return NULL;
        }
        if (machine_build(m)) {
            return m;
        }
    }
    snprintf(error, error_size, "not enough host memory for a machine of %llu MiB",
             (unsigned long long)(config->ram_size >> 20));
    machine_free(m);
    return NULL;
}

void
machine_free(struct machine *m)
{
    if (!m) {
        return;
    }
    platform_free(m->platform);
    pci_free(m->pci);
    vtd_free(m->vtd);
    for (unsigned i = m->cpu_count; i-- > 0;) {
        cpu_free(m->cpu[i]);
    }
    timing_free(m->timing);
    buckets_free(m->buckets);
    event_queue_free(m->events);
    mem_free(m->mem);
    while (m->parts) {
        struct machine_part *part = m->parts;
        m->parts = part->next;
        free(part);
    }
    free(m);
}

uint64_t
machine_now(const struct machine *m)
{
    return m->running ? m->running->now : m->now;
}

void
machine_slow_access(struct machine *m)
{
    if (m->running && !m->timing) {
        cpu_wait(m->running, time_fabric(m, FABRIC_LPC, 0));
    }
}

/* --- stopping --------------------------------------------------------------- */

/* After these the machine cannot go on. */
static bool
stop_is_final(enum machine_stop stop)
{
    return stop != STOP_NONE && stop != STOP_LIMIT && stop != STOP_REQUESTED;
}

void
machine_request_stop(struct machine *m, enum machine_stop stop, uint32_t code, const char *format,
                     ...)
{
    assert(stop != STOP_NONE);
    /* What cannot go on outranks a wish to pause: both came in one round. */
    if (m->stop != STOP_NONE && (stop_is_final(m->stop) || !stop_is_final(stop))) {
        return;
    }
    m->stop = stop;
    m->stop_code = code;
    m->stop_cpu = m->running ? (int)m->running->index : -1;
    va_list args;
    va_start(args, format);
    vsnprintf(m->stop_text, sizeof m->stop_text, format, args);
    va_end(args);
    if (stop_is_final(stop)) { /* leave the block: nothing after this counts */
        for (unsigned i = 0; i < m->cpu_count; i++) {
            cpu_attend(m->cpu[i], ATTN_STOP);
        }
    }
}

/* --- rounds ----------------------------------------------------------------- */

static bool
any_active(const struct machine *m)
{
    for (unsigned i = 0; i < m->cpu_count; i++) {
        if (m->cpu[i]->activity == ACTIVE) {
            return true;
        }
    }
    return false;
}

/* The cycle by which every processor with a pending wake-up has looked at it;
 * 0 when none has one.  A processor may be ahead of the round. */
static uint64_t
look_end(const struct machine *m)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < m->cpu_count; i++) {
        const struct cpu *cpu = m->cpu[i];
        if (cpu->attention & ATTN_WAKES) {
            uint64_t from = cpu->now > m->now ? cpu->now : m->now;
            end = from + 1 > end ? from + 1 : end;
        }
    }
    return end;
}

static void
run_processor(struct machine *m, struct cpu *cpu)
{
    bool cut = true;
    while (cut && cpu->now < m->round_until && !stop_is_final(m->stop)) {
        cpu_run(cpu, m->round_until);
        cut = cpu->attention & ATTN_STOP; /* else it came back for a reason of its own */
        if (!stop_is_final(m->stop)) {
            cpu->attention &= ~(uint32_t)ATTN_STOP;
        }
    }
}

/* Every processor's part of a round that ends at 'until'; returns its actual end. */
static uint64_t
run_processors(struct machine *m, uint64_t until)
{
    m->round_until = until;
    for (unsigned i = 0; i < m->cpu_count && !stop_is_final(m->stop); i++) {
        struct cpu *cpu = m->cpu[i];
        m->running = cpu;
        run_processor(m, cpu);
        m->running = NULL;
    }
    return m->round_until > m->now ? m->round_until : m->now + 1;
}

static void
stop_deadlock(struct machine *m)
{
    char text[512];
    size_t used = 0;
    for (unsigned i = 0; i < m->cpu_count && used < sizeof text - 80; i++) {
        const struct cpu *cpu = m->cpu[i];
        static const char *const activity[] = { "active", "halted", "shut down", "waits for SIPI" };
        used += (size_t)snprintf(text + used, sizeof text - used, "\n  cpu%u %s at rip %#llx%s", i,
                                 activity[cpu->activity & 3], (unsigned long long)cpu->rip,
                                 cpu_rflags(cpu) & 1u << 9 ? "" : ", IF = 0");
    }
    machine_request_stop(m, STOP_DEADLOCK, 0,
                         "no processor runs and no event is due: nothing will ever happen%s", text);
}

/* A processor that takes no turns with others, and whose time does not depend on where it is cut: its rounds may end
 * anywhere, so the quantum decides nothing. */
static bool
is_alone(const struct machine *m)
{
    return m->config.cpu_count == 1 && !m->config.timing_approx;
}

/* The end of a round in which some processor runs. */
static uint64_t
round_end(const struct machine *m, uint64_t limit)
{
    uint64_t quantum = m->config.quantum;
    uint64_t end = m->now - m->now % quantum + quantum;
    uint64_t due = event_queue_next_due(m->events);
    if (due < end) {
        end = due;
    }
    if (limit < end && is_alone(m)) {
        end = limit;
    }
    return end > m->now ? end : m->now + 1;
}

/* A round in which no processor runs: long enough to see whether a pending
 * event wakes one (it may be masked), then straight to the next event. */
static uint64_t
idle_round(struct machine *m, uint64_t limit)
{
    uint64_t end = m->now, look = look_end(m), due = event_queue_next_due(m->events);
    if (look) {
        end = run_processors(m, look < due ? look : due);
        if (end < look || any_active(m) || m->stop != STOP_NONE) {
            return end;
        }
    }
    due = event_queue_next_due(m->events); /* a look may arm events */
    if (due == EVENT_NEVER) {
        stop_deadlock(m);
        return end;
    }
    if (limit < due && is_alone(m)) {
        due = limit;
    }
    return due > end ? run_processors(m, due) : end;
}

static void
machine_round(struct machine *m, uint64_t limit)
{
    uint64_t end;
    for (unsigned i = 0; i < m->cpu_count; i++) {
        cpu_monitor_look(m->cpu[i]);
    }
    if (any_active(m)) {
        end = run_processors(m, round_end(m, limit));
    } else {
        end = idle_round(m, limit);
    }
    if (stop_is_final(m->stop)) {
        m->now = is_alone(m) ? m->cpu[0]->now : end;
        return;
    }
    m->now = end;
    event_queue_run(m->events, end);
}

enum machine_stop
machine_run(struct machine *m, uint64_t limit)
{
    if (stop_is_final(m->stop)) {
        return m->stop;
    }
    m->stop = STOP_NONE;
    m->stop_code = 0;
    m->stop_text[0] = '\0';
    while (m->stop == STOP_NONE) {
        if (m->now >= limit) {
            m->stop = STOP_LIMIT;
            break;
        }
        machine_round(m, limit);
    }
    return m->stop;
}

/* --- parts and state -------------------------------------------------------- */

void
machine_add_part(struct machine *m, const char *name, void (*visit)(void *ctx, struct state *),
                 void *ctx)
{
    struct machine_part **end = &m->parts;
    for (; *end; end = &(*end)->next) {
        assert(strcmp((*end)->name, name) != 0);
    }
    struct machine_part *part = calloc(1, sizeof *part);
    if (!part) {
        fputs("hvlab: out of memory for a machine part\n", stderr);
        abort();
    }
    *part = (struct machine_part){ .name = name, .visit = visit, .ctx = ctx };
    *end = part;
}

void
machine_remove_part(struct machine *m, const char *name)
{
    for (struct machine_part **p = &m->parts; *p; p = &(*p)->next) {
        if (strcmp((*p)->name, name) == 0) {
            struct machine_part *part = *p;
            *p = part->next;
            free(part);
            return;
        }
    }
}

/* What a snapshot needs its machine to share: what the guest can see of the
 * configuration, and what decides when things happen. */
static void
config_state(struct machine *m, struct state *s)
{
    uint64_t quantum = is_alone(m) && state_mode(s) == STATE_HASH ? 0 : m->config.quantum;
    uint64_t fixed[] = {
        m->config.ram_size, m->config.cpu_count, quantum, m->config.timing_approx,
        m->config.vtx,      m->config.rtc_epoch, m->config.display_width, m->config.display_height,
        m->config.display_text,
    };
    static const char *const name[] = {
        "memory size", "number of processors", "quantum", "timing model", "vtx", "RTC start time",
        "display width", "display height", "text display",
    };
    for (unsigned i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        uint64_t value = fixed[i];
        STATE_VISIT(s, value);
        if (value != fixed[i]) {
            state_fail(s, "saved with %s %llu, this machine has %llu", name[i],
                       (unsigned long long)value, (unsigned long long)fixed[i]);
        }
    }
}

static void
stop_state(struct machine *m, struct state *s)
{
    /* A pause is the caller's business, not the machine's. */
    uint32_t stop = stop_is_final(m->stop) ? m->stop : STOP_NONE;
    uint32_t code = stop_is_final(m->stop) ? m->stop_code : 0;
    STATE_VISIT(s, stop);
    STATE_VISIT(s, code);
    if (state_is_load(s)) {
        if (stop > STOP_RESET) {
            state_fail(s, "unknown reason to stop %u", stop);
            stop = STOP_NONE;
        }
        m->stop = stop;
        m->stop_code = code;
        m->stop_text[0] = '\0';
    }
}

void
machine_state(struct machine *m, struct state *s)
{
    assert(!m->running);
    state_part(s, "machine");
    config_state(m, s);
    cpu_model_state(m, s);
    STATE_VISIT(s, m->now);
    STATE_VISIT(s, m->tsc_shown);
    stop_state(m, s);
    event_queue_state(m->events, s);
    mem_state(m->mem, s);
    for (unsigned i = 0; i < m->cpu_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "cpu%u", i);
        state_part(s, name);
        cpu_state(m->cpu[i], s);
    }
    state_part(s, "pci");
    pci_state(m->pci, s);
    state_part(s, "vtd");
    vtd_state(m->vtd, s);
    state_part(s, "platform");
    platform_state(m->platform, s);
    timing_state(m, s); /* attribution in both modes */
    for (struct machine_part *part = m->parts; part; part = part->next) {
        state_part(s, part->name);
        part->visit(part->ctx, s);
    }
    state_part(s, "end");
}

bool
machine_reset(struct machine *m, struct machine *fresh, char *error, unsigned error_size)
{
    uint8_t *bytes;
    size_t size;
    assert(m->stop == STOP_RESET && fresh->now == m->now);
    struct state *s = state_new_save();
    machine_state(fresh, s);
    state_save_end(s, &bytes, &size);
    if (!bytes) {
        snprintf(error, error_size, "not enough host memory to reset the machine");
        return false;
    }
    s = state_new_reset(bytes, size);
    machine_state(m, s);
    char *complaint = state_load_end(s);
    if (complaint) {
        snprintf(error, error_size, "the machine cannot be reset: %s", complaint);
    }
    free(bytes);
    bool good = complaint == NULL;
    free(complaint);
    return good;
}

uint64_t
machine_hash(struct machine *m)
{
    struct state *s = state_new_hash();
    machine_state(m, s);
    return state_hash_end(s);
}
