/* VT-d invalidation queue; see vtd.h.
 *
 * Software appends 16-byte descriptors and moves the tail; we work from head
 * to tail at once.  A descriptor that is not one stops the queue (FSTS.IQE)
 * with the head on it until software clears the error.
 */
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/vtd_priv.h"

enum { DESCRIPTOR_SIZE = 16 };

static bool
do_context(struct vtd *v, const uint64_t d[2])
{
    unsigned granule = d[0] >> 4 & 3;
    if (d[1] || d[0] & 0xFFFC00000000FFC0ull || granule == 0) {
        return false;
    }
    vtd_context_invalidate(v, granule, (uint16_t)(d[0] >> 16), (uint16_t)(d[0] >> 32),
                           d[0] >> 48 & 3);
    return true;
}

static bool
do_iotlb(struct vtd *v, const uint64_t d[2])
{
    unsigned granule = d[0] >> 4 & 3;
    if (d[0] & 0xFFFFFFFF0000FF00ull || d[1] & 0xF80 || granule == 0) {
        return false;
    }
    vtd_iotlb_invalidate(v, granule, (uint16_t)(d[0] >> 16), d[1] & ~0xFFFull, d[1] & 0x3F);
    return true;
}

static bool
do_interrupt(struct vtd *v, const uint64_t d[2])
{
    if (d[1] || d[0] & 0xFFFF000007FFFFE0ull) {
        return false;
    }
    vtd_irte_invalidate(v, !(d[0] & 1u << 4), d[0] >> 32 & 0xFFFF, d[0] >> 27 & 0x1F);
    return true;
}

static bool
do_wait(struct vtd *v, const uint64_t d[2])
{
    if (d[0] & 0xFFFFFF00 || d[1] & 3) {
        return false;
    }
    if (d[0] & VTD_QI_WAIT_SW) {
        uint32_t status = (uint32_t)(d[0] >> 32);
        mem_write(v->machine->mem, d[1], &status, sizeof status);
    }
    if (d[0] & VTD_QI_WAIT_IF && !(vtd_get(v, VTD_ICS) & VTD_ICS_IWC)) {
        v->reg[VTD_ICS / 4] |= VTD_ICS_IWC;
        vtd_event(v, VTD_IECTL);
    }
    return true;
}

static bool
do_descriptor(struct vtd *v, const uint64_t d[2])
{
    switch (d[0] & 0xF) {
    case VTD_QI_CONTEXT: return do_context(v, d);
    case VTD_QI_IOTLB: return do_iotlb(v, d);
    case VTD_QI_INTERRUPT: return do_interrupt(v, d);
    case VTD_QI_WAIT: return do_wait(v, d);
    default: return false; /* device TLBs and scalable mode are not offered */
    }
}

static void
queue_error(struct vtd *v)
{
    bool first = !(vtd_get(v, VTD_FSTS) & (VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE));
    v->reg[VTD_FSTS / 4] |= VTD_FSTS_IQE;
    if (first) {
        vtd_event(v, VTD_FECTL);
    }
}

void
vtd_queue_run(struct vtd *v)
{
    uint64_t address = vtd_get64(v, VTD_IQA);
    uint32_t size = 4096u << (address & VTD_IQA_QS);
    uint32_t tail = vtd_get(v, VTD_IQT);
    if (!(vtd_get(v, VTD_GSTS) & VTD_GCMD_QIE) || vtd_get(v, VTD_FSTS) & VTD_FSTS_IQE) {
        return;
    }
    if (tail >= size) {
        queue_error(v);
        return;
    }
    while (vtd_get(v, VTD_IQH) != tail) {
        uint32_t head = vtd_get(v, VTD_IQH);
        uint64_t descriptor[2];
        if (head >= size ||
            !mem_read(v->machine->mem, (address & ~0xFFFull) + head, descriptor, DESCRIPTOR_SIZE) ||
            !do_descriptor(v, descriptor)) {
            queue_error(v);
            return;
        }
        v->reg[VTD_IQH / 4] = (head + DESCRIPTOR_SIZE) % size;
    }
}
