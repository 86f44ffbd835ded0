#include "sim/lab/testbed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "nic-model/nic.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/crosscheck/crosscheck.h"
#include "sim/lab/lab_device.h"
#include "sim/lab/testbed_images.h"
#include "sim/lab/testbed_ports.h"
#include "sim/lab/tracker.h"
#include "sim/lab/lab_wire.h"
#include "sim/lab/switch_capture.h"
#include "sim/lab/snapshot.h"
#include "sim/platform/platform.h"

enum { NIC_BDF = 0x0100, QUIET_SLICES = 20 };

struct testbed {
    struct testbed_config config;
    struct machine *machine;
    struct nic *nic;
    struct lab_wire *wire;
    struct lab_device *lab;
    struct testbed_images *images;
    struct testbed_ports *ports;
    struct tracker *tracker;
    struct switch_capture *switch_capture; /* or NULL */
    struct event heartbeat;              /* ends each slice, so that an idle machine is no deadlock */
    uint64_t slice;                      /* slices done */
    enum testbed_phase phase;
    uint64_t offered;                    /* (frame, addressee) pairs */
    bool measuring;                      /* the interval has begun */
    uint64_t begin_now[MACHINE_CPUS_MAX];         /* processors' time at its begin [cycle] */
    uint64_t begin_charged[BUCKET_MAX];           /* [1/16 cycle] */
    uint64_t begin_instructions;
    uint64_t last_progress_slice, last_accounted;
    uint64_t last_delivery_slice, last_delivered;
    uint64_t lost;                       /* missing when given up */
    char failure[4608];
};

/* --- accounting --------------------------------------------------------------- */

static bool
is_reserved_multicast(const uint8_t *mac)
{
    static const uint8_t prefix[5] = { 0x01, 0x80, 0xC2, 0x00, 0x00 };
    return !memcmp(mac, prefix, sizeof prefix) && mac[5] < 0x30;
}

static uint64_t
addressees_of_wire_frame(const struct testbed *t, const uint8_t *frame)
{
    if (is_reserved_multicast(frame))
        return t->config.reserved_per_child ? t->config.accounted : 1;
    return frame[0] & 1 ? t->config.accounted : 1;
}

static uint64_t
addressees_of_child_frame(const struct testbed *t, const uint8_t *frame)
{
    if (is_reserved_multicast(frame) || !(frame[0] & 1))
        return 1;
    return t->config.accounted; /* the wire and the other children */
}

static uint64_t
count_offered(const struct testbed *t)
{
    const struct schedule *s = t->config.schedule;
    uint64_t offered = 0;
    for (uint32_t i = 0; i < s->wire_count; i++)
        offered += addressees_of_wire_frame(t, s->wire[i].bytes);
    for (unsigned k = 0; k < t->config.accounted; k++) {
        const struct lab_frame *row = (const void *)(s->child[k].module + sizeof(struct lab_frames));
        for (uint32_t i = 0; i < s->child[k].count; i++)
            offered += addressees_of_child_frame(t, s->child[k].module + row[i].offset);
    }
    return offered;
}

struct tally { uint64_t delivered, dropped, counter[LAB_REPORT_COUNTERS]; };

static void
add_report(const struct testbed *t, struct tally *sum, unsigned channel)
{
    struct lab_report report;
    if (!lab_device_report(t->lab, channel, &report))
        return;
    for (unsigned i = 0; i < LAB_COUNTER_COUNT; i++)
        sum->counter[i] += report.counters[i];
}

static struct tally
take_tally(const struct testbed *t)
{
    struct tally sum = { 0 };
    add_report(t, &sum, LAB_CHANNEL_HV);
    add_report(t, &sum, LAB_CHANNEL_ROOT);
    for (unsigned k = 0; k < t->config.accounted; k++)
        add_report(t, &sum, LAB_CHANNEL_CHILD + k);
    sum.delivered = sum.counter[LAB_DELIVERED] + lab_wire_received_replay(t->wire);
    for (unsigned i = LAB_DROP_RESERVED_MULTICAST; i <= LAB_DROP_LAST; i++)
        sum.dropped += sum.counter[i];
    for (unsigned reason = NIC_DROP_NONE + 1; reason < NIC_DROP_COUNT; reason++)
        sum.dropped += nic_dropped(t->nic, reason);
    return sum;
}

static uint64_t
accounted(const struct testbed *t)
{
    struct tally sum = take_tally(t);
    return sum.delivered + sum.dropped;
}

/* --- the measured interval ------------------------------------------------------ */

static uint64_t
charged(const struct testbed *t, unsigned bucket)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < t->machine->cpu_count; i++)
        sum += bucket_charged(t->machine->cpu[i], bucket);
    return sum;
}

static uint64_t
instructions(const struct testbed *t)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < t->machine->cpu_count; i++)
        sum += t->machine->cpu[i]->instructions;
    return sum;
}

static void
begin_interval(struct testbed *t)
{
    t->measuring = true;
    for (unsigned i = 0; i < t->machine->cpu_count; i++)
        t->begin_now[i] = t->machine->cpu[i]->now;
    for (unsigned b = 0; b < bucket_count(t->machine); b++)
        t->begin_charged[b] = charged(t, b);
    t->begin_instructions = instructions(t);
}

/* The laboratory knows the start only a millisecond ahead, so this is called in time. */
static void
start(void *ctx, uint64_t cycle)
{
    struct testbed *t = ctx;
    lab_wire_start(t->wire, cycle);
}

static void
software_failed(void *ctx, unsigned channel, uint32_t detail)
{
    struct testbed *t = ctx;
    if (channel >= LAB_CHANNEL_CHILD + t->config.accounted)
        return; /* a child that takes no part may do to itself what it likes */
    machine_request_stop(t->machine, STOP_REQUESTED, detail, "software on laboratory channel %u gave up (code %u); "
                         "its last words are on the console", channel, detail);
}

/* A child's image is in memory and runs: its functions can be found. */
static void
report_announced(void *ctx, unsigned channel)
{
    struct testbed *t = ctx;
    unsigned child = channel - LAB_CHANNEL_CHILD;
    if (channel >= LAB_CHANNEL_CHILD && child < t->config.schedule->children)
        tracker_watch_child(t->tracker, child, testbed_images_child(t->images));
}

/* Everybody who wants to know what the machine does. */
static void
hear(void *ctx, const struct trace_record *r)
{
    struct testbed *t = ctx;
    if (t->tracker)
        tracker_hear(t->tracker, r);
    if (t->config.listener)
        t->config.listener(t->config.listener_ctx, r);
}

/* --- slices --------------------------------------------------------------------- */

static const char *const stop_names[] = {
    [STOP_NONE] = "running", [STOP_LIMIT] = "limit", [STOP_REQUESTED] = "asked to stop",
    [STOP_DEBUG_EXIT] = "isa-debug-exit", [STOP_POWER_OFF] = "power-off", [STOP_TRIPLE_FAULT] = "triple fault",
    [STOP_UNIMPLEMENTED] = "unimplemented instruction", [STOP_DIVERGED] = "crosscheck divergence",
    [STOP_DEADLOCK] = "deadlock",
};

static void
fail(struct testbed *t, enum machine_stop stop)
{
    t->phase = TESTBED_FAILED;
    snprintf(t->failure, sizeof t->failure, "the machine stopped (%s%s) at %.6f ms: %.4200s", stop_names[stop],
             stop == STOP_DEBUG_EXIT ? ": the software refused to go on" : "",
             (double)machine_cycles_to_ns(t->machine->now) / 1e6, t->machine->stop_text);
}

/* Children that do not replay drop and send frames of their own; while there
 * are any, the count alone does not tell the end: deliveries must have ceased, too. */
static bool
deliveries_ceased(struct testbed *t)
{
    uint64_t delivered = take_tally(t).delivered;
    if (delivered != t->last_delivered) {
        t->last_delivered = delivered;
        t->last_delivery_slice = t->slice;
    }
    return t->config.schedule->children == t->config.accounted || t->slice - t->last_delivery_slice >= QUIET_SLICES;
}

static bool
all_done(struct testbed *t, uint64_t count)
{
    return deliveries_ceased(t) && lab_wire_sent_all(t->wire) && lab_device_sent_all(t->lab) >= t->config.accounted && nic_idle(t->nic)
        && count >= t->offered;
}

static void
give_up(struct testbed *t, uint64_t count)
{
    struct tally sum = take_tally(t);
    t->phase = TESTBED_GAVE_UP;
    t->lost = t->offered > count ? t->offered - count : 0;
    snprintf(t->failure, sizeof t->failure,
             "no progress for %llu ms of virtual time: %llu of %llu frames accounted for; the wire sent %u of %u, "
             "received %llu, children delivered %llu and sent %llu; see the console output and --set trace=true",
             (unsigned long long)(t->config.patience_ns / 1000000), (unsigned long long)count,
             (unsigned long long)t->offered, lab_wire_sent(t->wire), t->config.schedule->wire_count,
             (unsigned long long)lab_wire_received(t->wire), (unsigned long long)sum.counter[LAB_DELIVERED],
             (unsigned long long)sum.counter[LAB_SENT]);
}

/* After a slice: begin measuring, notice the end, notice that nothing moves. */
static void
judge(struct testbed *t)
{
    uint64_t replay_start, now = t->machine->now;
    if (t->phase == TESTBED_BOOTING && lab_device_started(t->lab, &replay_start) && now >= replay_start) {
        t->phase = TESTBED_REPLAYING;
        begin_interval(t);
    }
    uint64_t count = t->phase == TESTBED_REPLAYING ? accounted(t) + lab_wire_sent(t->wire) : 0;
    if (t->phase == TESTBED_REPLAYING && all_done(t, count - lab_wire_sent(t->wire)))
        t->phase = TESTBED_FINISHED;
    if (count != t->last_accounted || t->phase == TESTBED_FINISHED) {
        t->last_accounted = count;
        t->last_progress_slice = t->slice;
    } else if ((t->slice - t->last_progress_slice) * TESTBED_SLICE_NS >= t->config.patience_ns)
        give_up(t, count - lab_wire_sent(t->wire));
}

static void
beat(void *ctx, uint64_t now)
{
    (void)ctx, (void)now;
}

enum testbed_phase
testbed_advance(struct testbed *t, unsigned slices)
{
    for (unsigned i = 0; i < slices && t->phase < TESTBED_FINISHED; i++) {
        uint64_t end = machine_ns_to_cycles((t->slice + 1) * TESTBED_SLICE_NS);
        event_arm(t->machine->events, &t->heartbeat, end);
        enum machine_stop stop = machine_run(t->machine, end);
        if (stop != STOP_LIMIT) {
            fail(t, stop);
            break;
        }
        t->slice++;
        switch_capture_poll(t->switch_capture);
        judge(t);
    }
    return t->phase;
}

uint64_t testbed_slices(const struct testbed *t) { return t->slice; }
enum testbed_phase testbed_phase(const struct testbed *t) { return t->phase; }
const char *testbed_failure(const struct testbed *t) { return t->failure; }
struct machine *testbed_machine(struct testbed *t) { return t->machine; }
const struct nic *testbed_nic(const struct testbed *t) { return t->nic; }

double
testbed_progress(struct testbed *t)
{
    return t->phase == TESTBED_BOOTING || !t->offered ? 0 : (double)accounted(t) / (double)t->offered;
}

/* --- results -------------------------------------------------------------------- */

static void
add_drop(struct testbed_result *r, const char *reason, uint64_t count)
{
    if (!count)
        return;
    for (unsigned i = 0; i < r->drop_count; i++) /* the card and the services share some names */
        if (!strcmp(r->drop[i].reason, reason)) {
            r->drop[i].count += count;
            return;
        }
    assert(r->drop_count < TESTBED_DROPS_MAX);
    r->drop[r->drop_count++] = (struct testbed_drop){ reason, count };
}

static void
report_drops(const struct testbed *t, const struct tally *sum, struct testbed_result *r)
{
    static const char *const names[] = LAB_COUNTER_NAMES;
    for (unsigned i = LAB_DROP_RESERVED_MULTICAST; i <= LAB_DROP_LAST; i++)
        add_drop(r, names[i], sum->counter[i]);
    for (unsigned reason = NIC_DROP_NONE + 1; reason < NIC_DROP_COUNT; reason++)
        add_drop(r, nic_drop_name(reason), nic_dropped(t->nic, reason));
    add_drop(r, "lost", t->lost);
}

/* Frames of children that do not replay: what they got delivered, and what of theirs was dropped. */
static void
report_others(const struct testbed *t, const struct tally *sum, struct testbed_result *r)
{
    uint64_t echoed = r->wire_received - lab_wire_received_replay(t->wire), planned = r->delivered + sum->dropped + t->lost;
    r->others = echoed + (planned > t->offered ? planned - t->offered : 0);
    r->offered += r->others;
    r->delivered += echoed;
}

static void
report_children(const struct testbed *t, struct testbed_result *r)
{
    uint64_t hashes[SCHEDULE_CHILDREN_MAX + 1];
    r->children = t->config.schedule->children;
    for (unsigned k = 0; k < r->children; k++) {
        struct lab_report report = { 0 };
        lab_device_report(t->lab, LAB_CHANNEL_CHILD + k, &report);
        r->child[k] = (struct testbed_child_result){ report.counters[LAB_DELIVERED], report.counters[LAB_DELIVERED_BYTES],
                                                     report.counters[LAB_SENT], report.payload_hash };
        hashes[k] = k < t->config.accounted ? report.payload_hash : 0;
    }
    r->wire_hash = hashes[r->children] = lab_wire_received_hash(t->wire);
    r->payload_hash = XXH3_64bits(hashes, (r->children + 1) * sizeof *hashes);
}

static void
report_cycles(const struct testbed *t, struct testbed_result *r)
{
    uint64_t sixteenths[BUCKET_MAX], elapsed = 0;
    r->bucket_count = bucket_count(t->machine);
    for (unsigned b = 0; b < r->bucket_count; b++) {
        r->bucket[b] = bucket_name(t->machine, b);
        sixteenths[b] = charged(t, b) - t->begin_charged[b];
    }
    for (unsigned i = 0; i < t->machine->cpu_count; i++)
        r->cycles_total += t->machine->cpu[i]->now - t->begin_now[i];
    bucket_round(sixteenths, r->cycles, r->bucket_count, r->cycles_total);
    elapsed = t->machine->cpu[0]->now - t->begin_now[0];
    r->virtual_ns = machine_cycles_to_ns(elapsed);
    r->boot_ns = machine_cycles_to_ns(t->begin_now[0]);
    r->instructions = instructions(t) - t->begin_instructions;
}

void
testbed_result(struct testbed *t, struct testbed_result *r)
{
    struct tally sum = take_tally(t);
    memset(r, 0, sizeof *r);
    r->offered = t->offered;
    r->delivered = sum.delivered;
    r->wire_received = lab_wire_received(t->wire);
    r->signals_sent = sum.counter[LAB_SIGNALS_SENT];
    r->signals_saved = sum.counter[LAB_SIGNALS_SAVED];
    r->interrupts = sum.counter[LAB_INTERRUPTS];
    r->switch_capture_lost = switch_capture_lost(t->switch_capture);
    r->paused_ns = machine_cycles_to_ns(lab_wire_paused_cycles(t->wire));
    report_drops(t, &sum, r);
    report_children(t, r);
    report_others(t, &sum, r);
    if (t->measuring)
        report_cycles(t, r);
}

void
testbed_report_crosscheck(const struct testbed *t, FILE *out)
{
    if (t->machine->crosscheck)
        crosscheck_report(t->machine->crosscheck, out);
}

/* --- state ---------------------------------------------------------------------- */

static void visit_nic(void *ctx, struct state *s) { nic_state(ctx, s); }
static void visit_wire(void *ctx, struct state *s) { lab_wire_state(ctx, s); }
static void visit_lab(void *ctx, struct state *s) { lab_device_state(ctx, s); }

/* What the testbed itself knows, beside the machine: saved, but no part of the machine's hash. */
static void
visit_testbed(void *ctx, struct state *s)
{
    struct testbed *t = ctx;
    state_part(s, "testbed");
    STATE_VISIT(s, t->slice);
    STATE_VISIT(s, t->phase);
    STATE_VISIT(s, t->measuring);
    STATE_VISIT(s, t->begin_now);
    STATE_VISIT(s, t->begin_charged);
    STATE_VISIT(s, t->begin_instructions);
    STATE_VISIT(s, t->last_progress_slice);
    STATE_VISIT(s, t->last_accounted);
    STATE_VISIT(s, t->last_delivery_slice);
    STATE_VISIT(s, t->last_delivered);
    tracker_state(t->tracker, s);
    event_state(t->machine->events, &t->heartbeat, s);
    testbed_ports_state(t->ports, s);
    switch_capture_state(t->switch_capture, s);
    trace_ctf_state(t->machine->trace, s);
}

uint64_t
testbed_hash(struct testbed *t)
{
    return machine_hash(t->machine);
}

bool
testbed_save(struct testbed *t, const char *path, char *error, size_t error_size)
{
    return snapshot_save(t->machine, visit_testbed, t, path, error, error_size);
}

bool
testbed_load(struct testbed *t, const char *path, char *error, size_t error_size)
{
    return snapshot_load(t->machine, visit_testbed, t, path, error, error_size);
}

/* --- life ------------------------------------------------------------------------ */

static void
console_byte(void *ctx, uint8_t byte)
{
    struct testbed *t = ctx;
    if (t->config.console)
        fputc(byte, t->config.console);
}

static void
lab_console(void *ctx, unsigned channel, char c)
{
    (void)channel;
    console_byte(ctx, (uint8_t)c);
}

static bool
open_trace(struct testbed *t, char *error, size_t error_size)
{
    if (!t->config.trace_folder && !t->config.listener)
        return true;
    t->machine->trace = trace_ctf_open(t->config.trace_folder, hear, t, error, error_size);
    return t->machine->trace != NULL;
}

static bool
open_crosscheck(struct testbed *t, char *error, size_t error_size)
{
    uint64_t every = t->config.machine.crosscheck;
    if (every && !(t->machine->crosscheck = crosscheck_new(t->machine, every))) {
        snprintf(error, error_size, "the second processor (Unicorn) does not start: run without crosscheck");
        return false;
    }
    return true;
}

static bool
build_machine(struct testbed *t, char *error, size_t error_size)
{
    t->machine = machine_new(&t->config.machine, error, (unsigned)error_size);
    return t->machine && open_trace(t, error, error_size) && open_crosscheck(t, error, error_size);
}

static bool
build_laboratory(struct testbed *t, char *error, size_t error_size)
{
    struct lab_device_config lab = { t->config.accounted, machine_ns_to_cycles(TESTBED_SLICE_NS), start, lab_console,
                                     report_announced, software_failed, t };
    t->ports = testbed_ports_new(t->config.pcapng_folder, t->config.schedule->children, error, error_size);
    if (!t->ports)
        return false;
    t->tracker = tracker_new(t->machine, t->config.schedule, t->ports);
    t->wire = lab_wire_new(t->machine, t->config.schedule, t->config.lossless, testbed_ports_wire_frame, t->ports);
    t->lab = lab_device_new(t->machine, &lab);
    if (t->wire) {
        struct nic_config nic = { NIC_BDF, { 0x02, 0x82, 0x59, 0x90, 0x00, 0x01 }, lab_wire_peer(t->wire) };
        t->nic = nic_new(t->machine, &nic);
    }
    if (!t->wire || !t->lab || !t->nic || !t->tracker) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    lab_wire_connect(t->wire, t->nic);
    machine_add_part(t->machine, "nic", visit_nic, t->nic);
    machine_add_part(t->machine, "wire", visit_wire, t->wire);
    machine_add_part(t->machine, "lab", visit_lab, t->lab);
    platform_set_console(t->machine->platform, console_byte, t);
    return true;
}

static bool
open_switch_capture(struct testbed *t, char *error, size_t error_size)
{
    const struct image *image = testbed_images_with(t->images, "vsw_capture_ring");
    if (!t->config.switch_capture || !t->config.pcapng_folder || !image)
        return true;
    t->switch_capture = switch_capture_new(t->machine, image, t->config.pcapng_folder, error, error_size);
    return t->switch_capture != NULL;
}

struct testbed *
testbed_new(const struct testbed_config *config, char *error, size_t error_size)
{
    struct testbed *t = calloc(1, sizeof *t);
    char ignored[256];
    if (!t) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    t->config = *config;
    event_init(&t->heartbeat, beat, t);
    if (build_machine(t, error, error_size) && build_laboratory(t, error, error_size)) {
        t->images = testbed_images_load(t->machine, config, error, error_size);
        t->offered = count_offered(t);
    }
    if (t->images) {
        testbed_images_watch(t->images, t->tracker);
        if (open_switch_capture(t, error, error_size))
            return t;
    }
    testbed_free(t, ignored, sizeof ignored);
    return NULL;
}

bool
testbed_free(struct testbed *t, char *error, size_t error_size)
{
    bool good = true;
    if (t->machine && t->machine->trace) {
        good = trace_ctf_close(t->machine->trace, error, error_size);
        t->machine->trace = NULL;
    }
    good = testbed_ports_free(t->ports, error, error_size) && good;
    good = switch_capture_free(t->switch_capture, error, error_size) && good;
    testbed_images_free(t->images);
    if (t->machine)
        event_cancel(t->machine->events, &t->heartbeat);
    lab_wire_free(t->wire);
    nic_free(t->nic);
    lab_device_free(t->lab);
    if (t->machine && t->machine->crosscheck)
        crosscheck_free(t->machine->crosscheck);
    machine_free(t->machine);
    tracker_free(t->tracker);
    free(t);
    return good;
}

uint64_t
testbed_identity(const struct testbed *t)
{
    const struct schedule *s = t->config.schedule;
    uint64_t h = testbed_images_hash(t->images);
    h = XXH3_64bits_withSeed(&t->config.machine.ram_size, sizeof t->config.machine.ram_size, h);
    uint64_t numbers[] = { t->config.machine.cpu_count, t->config.machine.quantum, t->config.machine.timing_approx,
                           t->config.machine.vtx, t->config.lossless, s->wire_count, s->offered };
    h = XXH3_64bits_withSeed(numbers, sizeof numbers, h);
    for (uint32_t i = 0; i < s->wire_count; i++) {
        h = XXH3_64bits_withSeed(&s->wire[i].at_ns, sizeof s->wire[i].at_ns, h);
        h = XXH3_64bits_withSeed(s->wire[i].bytes, s->wire[i].length, h);
    }
    return h;
}
