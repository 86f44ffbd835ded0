#include "sim/lab/switch_capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/elf_image.h"
#include "spec/lab/capture.h"
#include "traces/pcapng.h"

struct switch_capture {
    struct machine *machine;
    struct pcapng *out;
    uint64_t pointer_spa;   /* of the variable that points to the ring; both loci map it one to one */
    uint64_t taken, lost;   /* frames */
};

struct switch_capture *
switch_capture_new(struct machine *m, const struct image *image, const char *folder, char *error, size_t error_size)
{
    char path[4096];
    const struct image_symbol *s = image_symbol_by_name(image, "vsw_capture_ring");
    if (!s || s->spa == IMAGE_NOWHERE)
        return NULL;
    struct switch_capture *c = calloc(1, sizeof *c);
    snprintf(path, sizeof path, "%s/switch.pcapng", folder);
    if (c)
        c->out = pcapng_open(path, "switch", error, error_size);
    if (!c || !c->out) {
        free(c);
        return NULL;
    }
    c->machine = m;
    c->pointer_spa = s->spa;
    return c;
}

/* False while there is no ring yet (or what is there is none). */
static bool
read_head(const struct switch_capture *c, uint64_t *ring, struct vsw_capture_ring *head)
{
    size_t size = offsetof(struct vsw_capture_ring, slot);
    return mem_read(c->machine->mem, c->pointer_spa, ring, sizeof *ring) && *ring
        && mem_read(c->machine->mem, *ring, head, size) && head->magic == VSW_CAPTURE_MAGIC
        && head->slots == VSW_CAPTURE_SLOTS && head->slot_size == sizeof(struct vsw_capture_slot);
}

static void
take(struct switch_capture *c, uint64_t ring, uint64_t number)
{
    struct vsw_capture_slot slot;
    uint64_t at = ring + offsetof(struct vsw_capture_ring, slot) + number % VSW_CAPTURE_SLOTS * sizeof slot;
    if (!mem_read(c->machine->mem, at, &slot, sizeof slot) || slot.kept > VSW_CAPTURE_SNAP)
        return;
    pcapng_write_cut(c->out, slot.time * 100, slot.port ? PCAPNG_OUTBOUND : PCAPNG_INBOUND, slot.bytes, slot.kept,
                     slot.length > slot.kept ? slot.length : slot.kept);
}

void
switch_capture_poll(struct switch_capture *c)
{
    static const uint64_t slots = VSW_CAPTURE_SLOTS;
    struct vsw_capture_ring head;
    uint64_t ring;
    if (!c || !read_head(c, &ring, &head))
        return;
    if (head.count - c->taken > slots) {
        c->lost += head.count - c->taken - slots;
        c->taken = head.count - slots;
    }
    while (c->taken < head.count)
        take(c, ring, c->taken++);
}

void
switch_capture_state(struct switch_capture *c, struct state *s)
{
    uint64_t taken = c ? c->taken : 0, lost = c ? c->lost : 0;
    state_part(s, "switch capture");
    STATE_VISIT(s, taken);
    STATE_VISIT(s, lost);
    pcapng_state(c ? c->out : NULL, s);
    if (c && state_is_load(s)) {
        c->taken = taken;
        c->lost = lost;
    }
}

uint64_t
switch_capture_lost(const struct switch_capture *c)
{
    return c ? c->lost : 0;
}

bool
switch_capture_free(struct switch_capture *c, char *error, size_t error_size)
{
    if (!c)
        return true;
    bool good = pcapng_close(c->out, error, error_size);
    free(c);
    return good;
}
