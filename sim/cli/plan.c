#define _GNU_SOURCE
#include "sim/cli/plan.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MTU_MIN = 1500, MTU_MAX = 9710, RTC_EPOCH = 1300000000, MEMORY_STEP = 16 << 20, CHILD_OWN = 12 << 20, MACHINE_OWN = 112 << 20 };
#define MEMORY_MOST (3ull << 30) /* below the hole: what a capture may make of the memory by itself */

struct text { char *at; size_t left; };

static void
add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = vsnprintf(t->at, t->left, format, args);
    va_end(args);
    size_t step = used > 0 && (size_t)used < t->left ? (size_t)used : 0;
    t->at += step;
    t->left -= step;
}

/* Item 'index' of a comma-separated list, or its last. */
static void
item(const char *list, unsigned index, char *out, size_t out_size)
{
    const char *comma;
    while ((comma = strchr(list, ',')) && index--)
        list = comma + 1;
    snprintf(out, out_size, "%.*s", (int)(comma ? comma - list : (long)strlen(list)), list);
}

/* Children that take part in the replay: those before the first with another workload. */
static unsigned
replaying_children(const struct experiment *e)
{
    char workload[EXPERIMENT_TEXT_MAX];
    unsigned k = 0;
    do
        item(e->workloads, k, workload, sizeof workload);
    while (!strcmp(workload, "replayer") && ++k < e->children);
    return k;
}

static void
write_child(struct text *t, const struct plan *p, unsigned k)
{
    const struct experiment *e = &p->experiment;
    const uint8_t *m = p->mac[k];
    char workload[EXPERIMENT_TEXT_MAX], lp[EXPERIMENT_TEXT_MAX];
    item(e->workloads, k, workload, sizeof workload);
    item(e->child_lps, k, lp, sizeof lp);
    add(t, "child%u.mac=%02x:%02x:%02x:%02x:%02x:%02x\nchild%u.workload=%s\nchild%u.network=external\n",
        k, m[0], m[1], m[2], m[3], m[4], m[5], k, workload, k);
    add(t, "child%u.lossless=%d\n", k, e->lossless && k < replaying_children(e));
    if (strcmp(lp, "any"))
        add(t, "child%u.lp=%s\n", k, lp);
}

static void
write_config(struct plan *p, struct plan_run *run)
{
    const struct experiment *e = &p->experiment;
    struct text t = { run->config_text, sizeof run->config_text };
    add(&t, "placement=%s\nio_path=%s\nchildren=%llu\nchild.memory=%llu\nmtu=%u\nlossless=%llu\nnic.bdf=0x0100\n",
        placement_name(run->placement), io_path_name(run->io_path), (unsigned long long)e->children,
        (unsigned long long)e->child_memory, p->mtu, (unsigned long long)e->lossless);
    add(&t, "root.vps=1\nmoderation_us=%llu\nswitch.capture=%llu\n", (unsigned long long)e->moderation_us,
        (unsigned long long)e->switch_capture);
    if (e->switch_filter[0])
        add(&t, "switch.filter=%s\n", e->switch_filter);
    if (strcmp(e->root_lp, "any"))
        add(&t, "root.lp=%s\n", e->root_lp);
    for (unsigned k = 0; k < e->children; k++)
        write_child(&t, p, k);
}

static bool
find_image(char *path, const char *folder, const char *name, char *error, size_t error_size)
{
    snprintf(path, PLAN_PATH_MAX, "%s/%s.elf", folder, name);
    if (access(path, R_OK) == 0)
        return true;
    snprintf(error, error_size, "no image %s: build the project first (./dev build), or name the folder with --images", path);
    return false;
}

static bool
add_run(struct plan *p, enum placement placement, enum io_path io_path, const char *images, char *error, size_t error_size)
{
    struct plan_run *run = &p->run[p->run_count++];
    char hv[64], root[64];
    run->placement = placement;
    run->io_path = io_path;
    snprintf(run->name, sizeof run->name, "%s-%s", placement_name(placement), io_path_name(io_path));
    snprintf(hv, sizeof hv, "hv-%s", placement_name(placement));
    snprintf(root, sizeof root, "root-%s", placement_name(placement));
    write_config(p, run);
    return find_image(run->hv_image, images, hv, error, error_size)
        && find_image(run->root_image, images, root, error, error_size)
        && find_image(run->child_image, images, "mini", error, error_size);
}

static bool
choose_addresses(struct plan *p, char *error, size_t error_size)
{
    if (strcmp(p->experiment.endpoint, "auto"))
        mac_parse(p->experiment.endpoint, p->mac[0]);
    else if (!capture_endpoint(p->capture, p->mac[0])) {
        snprintf(error, error_size, "%s holds no unicast frame, so endpoint: auto finds no address; "
                 "give one with --set endpoint=02:00:00:00:00:01", p->experiment.capture);
        return false;
    }
    for (unsigned k = 1; k < p->experiment.children; k++) {
        const uint8_t local[6] = { 0x02, 0x68, 0x76, 0x6C, 0x61, (uint8_t)k };
        memcpy(p->mac[k], local, sizeof local);
    }
    return true;
}

static uint32_t
choose_mtu(const struct plan *p)
{
    uint32_t longest = p->capture->longest;
    uint32_t mtu = longest > MTU_MIN + ETHERNET_HEADER_SIZE ? longest - ETHERNET_HEADER_SIZE : MTU_MIN;
    if (p->experiment.mtu)
        return (uint32_t)p->experiment.mtu;
    return mtu < MTU_MAX ? mtu : MTU_MAX;
}

static uint64_t
at_least(uint64_t asked, uint64_t needed)
{
    return asked >= needed ? asked : (needed + MEMORY_STEP - 1) / MEMORY_STEP * MEMORY_STEP;
}

/* What a child sends lies in its memory, and once more in the parent's: a long capture needs room. */
static bool
choose_memory(struct plan *p, char *error, size_t error_size)
{
    struct experiment *e = &p->experiment;
    uint64_t modules = 0, longest = 0;
    for (unsigned k = 0; k < p->schedule->children; k++) {
        modules += p->schedule->child[k].module_size;
        longest = p->schedule->child[k].module_size > longest ? p->schedule->child[k].module_size : longest;
    }
    e->child_memory = at_least(e->child_memory, CHILD_OWN + longest);
    uint64_t needed = MACHINE_OWN + modules + e->children * e->child_memory;
    if (needed > e->memory && needed > MEMORY_MOST) {
        snprintf(error, error_size, "%s: its frames need %llu MiB of memory, more than %llu MiB; replay a part of it "
                 "(`editcap -r` cuts captures)", e->capture, (unsigned long long)(needed >> 20), MEMORY_MOST >> 20);
        return false;
    }
    e->memory = at_least(e->memory, needed);
    return true;
}

static bool
fill(struct plan *p, const char *images, char *error, size_t error_size)
{
    const struct experiment *e = &p->experiment;
    p->capture = capture_read(e->capture, e->max_gap_ns, e->speed, error, error_size);
    if (!p->capture || !choose_addresses(p, error, error_size))
        return false;
    p->mtu = choose_mtu(p);
    p->schedule = schedule_new(p->capture, p->mac, (unsigned)e->children, replaying_children(e));
    if (!p->schedule) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    if (!choose_memory(p, error, error_size))
        return false;
    for (unsigned placement = 0; placement < PLACEMENT_COUNT; placement++)
        for (unsigned path = 0; path < IO_PATH_COUNT; path++)
            if ((e->placements >> placement & 1) && (e->io_paths >> path & 1)
                && !add_run(p, placement, path, images, error, error_size))
                return false;
    return true;
}

struct plan *
plan_new(const struct experiment *e, const char *images, char *error, size_t error_size)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    p->experiment = *e;
    if (fill(p, images, error, error_size))
        return p;
    plan_free(p);
    return NULL;
}

void
plan_free(struct plan *p)
{
    if (!p)
        return;
    schedule_free(p->schedule);
    capture_free(p->capture);
    free(p);
}

struct testbed_config
plan_testbed(const struct plan *p, const struct plan_run *run)
{
    const struct experiment *e = &p->experiment;
    return (struct testbed_config){
        .machine = { .ram_size = e->memory, .cpu_count = (unsigned)e->processors, .quantum = e->quantum,
                     .timing_approx = e->timing == TIMING_APPROX, .tier = (enum machine_tier)e->tier, .vtx = e->vtx,
                     .crosscheck = e->crosscheck, .rtc_epoch = RTC_EPOCH },
        .hv_image = run->hv_image, .root_image = run->root_image, .child_image = run->child_image,
        .config_text = run->config_text, .schedule = p->schedule, .accounted = p->schedule->replaying,
        .reserved_per_child = run->io_path != IO_PATH_VMBUS, .lossless = e->lossless,
        .switch_capture = e->switch_capture,
        .patience_ns = e->patience_ms * 1000000,
    };
}
