#include "sim/cli/results.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "traces/outfile.h"

static json_t *
hexadecimal(uint64_t value)
{
    return json_sprintf("%016" PRIx64, value);
}

static void
put_number(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *
make_drops(const struct testbed_result *r)
{
    json_t *drops = json_object();
    for (unsigned i = 0; i < r->drop_count; i++)
        put_number(drops, r->drop[i].reason, r->drop[i].count);
    return drops;
}

static json_t *
make_cycles(const struct testbed_result *r)
{
    json_t *cycles = json_object();
    for (unsigned b = 0; b < r->bucket_count; b++)
        put_number(cycles, r->bucket[b], r->cycles[b]);
    return cycles;
}

static json_t *
make_children(const struct testbed_result *r)
{
    json_t *children = json_array();
    for (unsigned k = 0; k < r->children; k++) {
        json_t *child = json_object();
        put_number(child, "delivered", r->child[k].delivered);
        put_number(child, "delivered_bytes", r->child[k].delivered_bytes);
        put_number(child, "sent", r->child[k].sent);
        json_object_set_new(child, "payload_hash", hexadecimal(r->child[k].payload_hash));
        json_array_append_new(children, child);
    }
    return children;
}

static const char *
end_name(enum recording_end end)
{
    return end == RECORDING_FINISHED ? "finished" : end == RECORDING_INTERRUPTED ? "interrupted" : "failed";
}

static json_t *
make_run(const struct plan *p, const struct results_run *run)
{
    const struct recording *rec = run->recording;
    const struct testbed_result *r = &rec->result;
    json_t *o = json_object();
    json_object_set_new(o, "placement", json_string(placement_name(rec->run->placement)));
    json_object_set_new(o, "io_path", json_string(io_path_name(rec->run->io_path)));
    json_object_set_new(o, "timing", json_string(timing_mode_name(p->experiment.timing)));
    json_object_set_new(o, "end", json_string(end_name(run->end)));
    put_number(o, "packets_offered", r->offered);
    put_number(o, "packets_from_others", r->others);
    put_number(o, "packets_delivered", r->delivered);
    json_object_set_new(o, "packets_dropped", make_drops(r));
    json_object_set_new(o, "payload_hash", hexadecimal(r->payload_hash));
    json_object_set_new(o, "wire_hash", hexadecimal(r->wire_hash));
    put_number(o, "wire_received", r->wire_received);
    json_object_set_new(o, "children", make_children(r));
    json_object_set_new(o, "cycles", make_cycles(r));
    put_number(o, "cycles_total", r->cycles_total);
    put_number(o, "virtual_ns", r->virtual_ns);
    put_number(o, "boot_ns", r->boot_ns);
    put_number(o, "paused_ns", r->paused_ns);
    put_number(o, "signals_sent", r->signals_sent);
    put_number(o, "signals_saved", r->signals_saved);
    put_number(o, "interrupts", r->interrupts);
    put_number(o, "switch_capture_lost", r->switch_capture_lost);
    json_object_set_new(o, "state_hash", hexadecimal(rec->state_hash));
    put_number(o, "state_hashes", rec->hashes);
    json_object_set_new(o, "host_seconds", json_real(rec->host_seconds));
    put_number(o, "instructions", r->instructions);
    if (run->end != RECORDING_FINISHED)
        json_object_set_new(o, "message", json_string(rec->message));
    return o;
}

/* What was equal in all runs, so that a comparison can be judged (placement.md "Fairness rules"). */
static json_t *
make_settings(const struct plan *p)
{
    const struct experiment *e = &p->experiment;
    json_t *o = json_object();
    put_number(o, "processors", e->processors);
    put_number(o, "memory", e->memory);
    put_number(o, "quantum_cycles", e->quantum);
    put_number(o, "children", e->children);
    put_number(o, "mtu", p->mtu);
    put_number(o, "moderation_us", e->moderation_us);
    put_number(o, "max_gap_ns", e->max_gap_ns);
    json_object_set_new(o, "speed", json_real(e->speed));
    json_object_set_new(o, "lossless", json_boolean(e->lossless));
    json_object_set_new(o, "capture", json_string(e->capture));
    json_object_set_new(o, "endpoint", json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0][0], p->mac[0][1],
                                                    p->mac[0][2], p->mac[0][3], p->mac[0][4], p->mac[0][5]));
    put_number(o, "tsc_hz", MACHINE_TSC_HZ);
    return o;
}

bool
results_write(const char *folder, const struct plan *p, const struct results_run *run, unsigned count,
              char *error, size_t error_size)
{
    char path[PLAN_PATH_MAX];
    struct outfile file;
    json_t *root = json_object(), *runs = json_array();
    put_number(root, "schema", RESULTS_SCHEMA);
    json_object_set_new(root, "experiment", json_string(p->experiment.name));
    json_object_set_new(root, "settings", make_settings(p));
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(runs, make_run(p, &run[i]));
    json_object_set_new(root, "runs", runs);
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    snprintf(path, sizeof path, "%s/results.json", folder);
    bool good = text && outfile_open(&file, path);
    if (good) {
        outfile_write(&file, text, strlen(text));
        outfile_write(&file, "\n", 1);
        good = outfile_commit(&file, error, error_size);
    } else
        snprintf(error, error_size, "cannot write %s", path);
    free(text);
    return good;
}

/* --- for people -------------------------------------------------------------------- */

static uint64_t
bucket(const struct testbed_result *r, const char *name)
{
    for (unsigned b = 0; b < r->bucket_count; b++)
        if (!strcmp(r->bucket[b], name))
            return r->cycles[b];
    return 0;
}

static uint64_t
services(const struct testbed_result *r)
{
    uint64_t sum = 0;
    for (unsigned b = 0; b < r->bucket_count; b++)
        if (strchr(r->bucket[b], '@'))
            sum += r->cycles[b];
    return sum;
}

static uint64_t
dropped(const struct testbed_result *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < r->drop_count; i++)
        sum += r->drop[i].count;
    return sum;
}

static void
print_run(FILE *out, const struct results_run *run)
{
    const struct recording *rec = run->recording;
    const struct testbed_result *r = &rec->result;
    uint64_t busy = r->cycles_total - bucket(r, "idle");
    double packets = r->delivered ? (double)r->delivered : 1;
    fprintf(out, "%-12s %-6s %9" PRIu64 " %9" PRIu64 " %7" PRIu64 " %10.0f %8.0f %8.0f %8.0f %8.0f %8.0f  %016" PRIx64 " %7.2f%s\n",
            placement_name(rec->run->placement), io_path_name(rec->run->io_path), r->offered, r->delivered, dropped(r),
            (double)busy / packets, (double)bucket(r, "guest") / packets, (double)services(r) / packets,
            (double)bucket(r, "copy") / packets,
            (double)(busy - bucket(r, "guest") - services(r) - bucket(r, "copy") - bucket(r, "exit_entry")) / packets,
            (double)bucket(r, "exit_entry") / packets, r->payload_hash, rec->host_seconds,
            run->end == RECORDING_FINISHED ? "" : run->end == RECORDING_INTERRUPTED ? "  interrupted" : "  FAILED");
}

static void
print_drops(FILE *out, const struct results_run *run)
{
    const struct testbed_result *r = &run->recording->result;
    if (!r->drop_count)
        return;
    fprintf(out, "  %s dropped:", run->recording->run->name);
    for (unsigned i = 0; i < r->drop_count; i++)
        fprintf(out, " %s %" PRIu64 "%s", r->drop[i].reason, r->drop[i].count, i + 1 < r->drop_count ? "," : "\n");
}

void
results_print(FILE *out, const struct plan *p, const struct results_run *run, unsigned count)
{
    fprintf(out, "\n%s: %s, endpoint %02x:%02x:%02x:%02x:%02x:%02x, %s timing, cycles per delivered packet\n\n",
            p->experiment.name, p->experiment.capture, p->mac[0][0], p->mac[0][1], p->mac[0][2], p->mac[0][3],
            p->mac[0][4], p->mac[0][5], timing_mode_name(p->experiment.timing));
    fprintf(out, "%-12s %-6s %9s %9s %7s %10s %8s %8s %8s %8s %8s  %-16s %7s\n", "placement", "path", "offered",
            "delivered", "dropped", "cycles/pkt", "guest", "services", "copy", "hv+root", "exits", "payload hash", "host s");
    for (unsigned i = 0; i < count; i++)
        print_run(out, &run[i]);
    fprintf(out, "\n");
    for (unsigned i = 0; i < count; i++)
        print_drops(out, &run[i]);
}
