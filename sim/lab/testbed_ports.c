#include "sim/lab/testbed_ports.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/lab/schedule.h"
#include "sim/machine.h"
#include "traces/pcapng.h"

struct testbed_ports {
    struct pcapng *wire;                          /* NULL: not written */
    struct pcapng *child[SCHEDULE_CHILDREN_MAX];
    unsigned children;
};

static struct pcapng *
open_port(const char *folder, const char *port, char *error, size_t error_size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.pcapng", folder, port);
    return pcapng_open(path, port, error, error_size);
}

static bool
open_all(struct testbed_ports *p, const char *folder, char *error, size_t error_size)
{
    p->wire = open_port(folder, "wire", error, error_size);
    bool good = p->wire != NULL;
    for (unsigned k = 0; good && k < p->children; k++) {
        char name[32];
        snprintf(name, sizeof name, "child%u", k);
        p->child[k] = open_port(folder, name, error, error_size);
        good = p->child[k] != NULL;
    }
    return good;
}

struct testbed_ports *
testbed_ports_new(const char *folder, unsigned children, char *error, size_t error_size)
{
    struct testbed_ports *p = calloc(1, sizeof *p);
    char ignored[256];
    if (!p) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    p->children = children;
    if (!folder || open_all(p, folder, error, error_size))
        return p;
    testbed_ports_free(p, ignored, sizeof ignored);
    return NULL;
}

bool
testbed_ports_free(struct testbed_ports *p, char *error, size_t error_size)
{
    bool good = true;
    if (!p)
        return true;
    if (p->wire)
        good = pcapng_close(p->wire, error, error_size);
    for (unsigned k = 0; k < p->children; k++)
        if (p->child[k])
            good = pcapng_close(p->child[k], error, error_size) && good;
    free(p);
    return good;
}

void
testbed_ports_state(struct testbed_ports *p, struct state *s)
{
    pcapng_state(p->wire, s);
    for (unsigned k = 0; k < p->children; k++)
        pcapng_state(p->child[k], s);
}

void
testbed_ports_wire_frame(void *ports, bool to_card, const uint8_t *frame, size_t size, uint64_t now)
{
    struct testbed_ports *p = ports;
    if (p->wire)
        pcapng_write(p->wire, machine_cycles_to_ns(now), to_card ? PCAPNG_INBOUND : PCAPNG_OUTBOUND, frame, size);
}

void
testbed_ports_child_frame(struct testbed_ports *p, unsigned child, bool received, const uint8_t *frame, size_t size,
                          uint64_t now)
{
    if (child < p->children && p->child[child])
        pcapng_write(p->child[child], machine_cycles_to_ns(now), received ? PCAPNG_INBOUND : PCAPNG_OUTBOUND, frame, size);
}
