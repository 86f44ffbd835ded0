/* VT-d registers, fault recording and event interrupts; see vtd.h. */
#include "sim/platform/vtd.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/cpu/apic/apic.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/vtd_priv.h"
#include "spec/platform/memory_map.h"

/* What we are.  Each bit is kept by the code, and nothing else is offered. */
static const uint64_t capability =
    6                                            /* 16-bit domain ids */
    | (1ull << 1 | 1ull << 2) << 8               /* 3- and 4-level tables */
    | (uint64_t)(VTD_GUEST_BITS - 1) << 16
    | (uint64_t)(VTD_FRO / 16) << 24
    | 3ull << 34                                 /* 2 MiB and 1 GiB pages */
    | VTD_CAP_PSI
    | (uint64_t)(VTD_FAULT_RECORDS - 1) << 40
    | 18ull << 48                                /* invalidates up to 2^18 pages at once */
    | VTD_CAP_DWD | VTD_CAP_DRD;                 /* DMA is done when it is begun */
static const uint64_t extended_capability =
    VTD_ECAP_C | VTD_ECAP_QI | VTD_ECAP_IR | VTD_ECAP_EIM | VTD_ECAP_PT | VTD_ECAP_SC
    | (uint64_t)(VTD_IRO / 16) << 8
    | 15ull << 20;                               /* any index mask */

/* --- events ------------------------------------------------------------------- */

/* The unit's own messages are never remapped ("Fault Event" registers); with
 * EIME the upper address register holds destination bits 31:8. */
static void
event_send(struct vtd *v, unsigned control_offset)
{
    uint32_t data = vtd_get(v, control_offset + 4);
    uint32_t low = vtd_get(v, control_offset + 8), high = vtd_get(v, control_offset + 12);
    struct apic_message message = {
        .destination = low >> 12 & 0xFF,
        .vector = (uint8_t)data,
        .mode = data >> 8 & 7,
        .logical = low >> 2 & 1,
    };
    if (v->irta & VTD_IRTA_EIME) {
        message.wide = true;
        message.destination |= high & 0xFFFFFF00;
    }
    apic_deliver(v->machine, &message);
}

void
vtd_event(struct vtd *v, unsigned control_offset)
{
    uint32_t *control = &v->reg[control_offset / 4];
    if (*control & VTD_EVENT_IM) {
        *control |= VTD_EVENT_IP;
    } else {
        *control &= ~VTD_EVENT_IP;
        event_send(v, control_offset);
    }
}

static bool
fault_status_clear(const struct vtd *v)
{
    return !(vtd_get(v, VTD_FSTS) & (VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE));
}

/* --- faults ------------------------------------------------------------------- */

static uint64_t *
unused_record(struct vtd *v, uint64_t record[2])
{
    unsigned offset = VTD_FRO + 16 * v->next_fault;
    record[0] = vtd_get64(v, offset);
    record[1] = vtd_get64(v, offset + 8);
    return record[1] & VTD_FRCD_F ? NULL : record;
}

void
vtd_fault(struct vtd *v, uint16_t source_id, unsigned reason, uint64_t info, bool read)
{
    TRACE(v->machine, machine_now(v->machine), TRACE_GUEST_ERROR, COMPONENT_VTD, source_id, reason,
          info);
    uint32_t *status = &v->reg[VTD_FSTS / 4];
    bool first = fault_status_clear(v);
    if (*status & VTD_FSTS_PFO) {
        return;
    }
    uint64_t record[2];
    if (!unused_record(v, record)) {
        *status |= VTD_FSTS_PFO;
    } else {
        unsigned offset = VTD_FRO + 16 * v->next_fault;
        vtd_set64(v, offset, info);
        vtd_set64(v, offset + 8, VTD_FRCD_F | (read ? VTD_FRCD_READ : 0) |
                                     (uint64_t)reason << VTD_FRCD_FR_SHIFT | source_id);
        if (!(*status & VTD_FSTS_PPF)) {
            *status = (*status & ~(0xFFu << VTD_FSTS_FRI_SHIFT)) | VTD_FSTS_PPF |
                      v->next_fault << VTD_FSTS_FRI_SHIFT;
        }
        v->next_fault = (v->next_fault + 1) % VTD_FAULT_RECORDS;
    }
    if (first) { /* further faults ride on the same interrupt */
        vtd_event(v, VTD_FECTL);
    }
}

static void
fault_status_update(struct vtd *v)
{
    uint32_t *status = &v->reg[VTD_FSTS / 4];
    *status &= ~VTD_FSTS_PPF;
    for (unsigned i = 0; i < VTD_FAULT_RECORDS; i++) {
        if (vtd_get64(v, VTD_FRO + 16 * i + 8) & VTD_FRCD_F) {
            *status |= VTD_FSTS_PPF;
        }
    }
    if (fault_status_clear(v)) {
        v->reg[VTD_FECTL / 4] &= ~VTD_EVENT_IP;
    }
}

/* --- registers ---------------------------------------------------------------- */

/* Bits that software may simply write, per dword; commands and status bits
 * that clear on writing are handled by register_written. */
static uint32_t
writable(unsigned offset)
{
    switch (offset) {
    case VTD_RTADDR: return 0xFFFFF000;
    case VTD_FECTL: case VTD_IECTL: return VTD_EVENT_IM;
    case VTD_FEADDR: case VTD_IEADDR: return 0xFFFFFFFC;
    case VTD_IQT: return 0x7FFF0;
    case VTD_IQA: return 0xFFFFF000 | VTD_IQA_QS;
    case VTD_IRTA: return 0xFFFFF000 | VTD_IRTA_EIME | VTD_IRTA_SIZE;
    case VTD_IRO: return 0xFFFFF07F;
    case VTD_FEDATA: case VTD_IEDATA: return 0xFFFF;
    case VTD_RTADDR + 4: case VTD_FEUADDR: case VTD_IEUADDR: case VTD_IQA + 4: case VTD_IRTA + 4:
    case VTD_CCMD: case VTD_IRO + 4: case VTD_IRO + 8:
        return UINT32_MAX;
    case VTD_CCMD + 4: return 0xE0000003; /* ICC, CIRG, FM */
    case VTD_IRO + 12: return 0xB003FFFF; /* IVT, IIRG, DR, DW, DID */
    default: return 0;
    }
}

static void
command_write(struct vtd *v, uint32_t value)
{
    uint32_t levels = VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_IRE | VTD_GCMD_CFI;
    uint32_t *status = &v->reg[VTD_GSTS / 4];
    uint32_t rises = value & ~*status;
    if (value & VTD_GCMD_SRTP) {
        v->root = vtd_get64(v, VTD_RTADDR);
        *status |= VTD_GCMD_SRTP;
    }
    if (value & VTD_GCMD_SIRTP) {
        v->irta = vtd_get64(v, VTD_IRTA);
        *status |= VTD_GCMD_SIRTP;
    }
    *status = (*status & ~levels) | (value & levels);
    if (rises & VTD_GCMD_QIE) {
        vtd_set64(v, VTD_IQH, 0);
        vtd_queue_run(v);
    }
}

static void
context_command(struct vtd *v)
{
    uint64_t command = vtd_get64(v, VTD_CCMD);
    if (!(command & VTD_CCMD_ICC)) {
        return;
    }
    unsigned granule = command >> VTD_CCMD_CIRG_SHIFT & 3;
    vtd_context_invalidate(v, granule, (uint16_t)command,
                           (uint16_t)(command >> VTD_CCMD_SID_SHIFT),
                           command >> VTD_CCMD_FM_SHIFT & 3);
    command &= ~(VTD_CCMD_ICC | 3ull << VTD_CCMD_CAIG_SHIFT);
    vtd_set64(v, VTD_CCMD, command | (uint64_t)granule << VTD_CCMD_CAIG_SHIFT);
}

static void
iotlb_command(struct vtd *v)
{
    uint64_t command = vtd_get64(v, VTD_IRO + 8), address = vtd_get64(v, VTD_IRO);
    if (!(command & VTD_IOTLB_IVT)) {
        return;
    }
    unsigned granule = command >> VTD_IOTLB_IIRG_SHIFT & 3;
    vtd_iotlb_invalidate(v, granule, (uint16_t)(command >> VTD_IOTLB_DID_SHIFT),
                         address & ~0xFFFull, address & 0x3F);
    command &= ~(VTD_IOTLB_IVT | 3ull << VTD_IOTLB_IAIG_SHIFT);
    vtd_set64(v, VTD_IRO + 8, command | (uint64_t)granule << VTD_IOTLB_IAIG_SHIFT);
}

static void
event_control_written(struct vtd *v, unsigned offset)
{
    uint32_t control = vtd_get(v, offset);
    if (control & VTD_EVENT_IP && !(control & VTD_EVENT_IM)) {
        vtd_event(v, offset);
    }
}

static void
register_written(struct vtd *v, unsigned offset, uint32_t value)
{
    switch (offset) {
    case VTD_GCMD:
        command_write(v, value);
        break;
    case VTD_CCMD + 4:
        context_command(v);
        break;
    case VTD_IRO + 12:
        iotlb_command(v);
        break;
    case VTD_FSTS: {
        bool stuck = vtd_get(v, VTD_FSTS) & value & VTD_FSTS_IQE;
        v->reg[VTD_FSTS / 4] &= ~(value & (VTD_FSTS_PFO | VTD_FSTS_IQE));
        fault_status_update(v);
        if (stuck) {
            vtd_queue_run(v);
        }
        break;
    }
    case VTD_ICS:
        v->reg[VTD_ICS / 4] &= ~(value & VTD_ICS_IWC);
        if (!vtd_get(v, VTD_ICS)) {
            v->reg[VTD_IECTL / 4] &= ~VTD_EVENT_IP;
        }
        break;
    case VTD_FECTL:
    case VTD_IECTL:
        event_control_written(v, offset);
        break;
    case VTD_IQT:
        vtd_queue_run(v);
        break;
    default:
        if (offset >= VTD_FRO && offset < VTD_FRO + 16 * VTD_FAULT_RECORDS && offset % 16 == 12) {
            v->reg[offset / 4] &= ~(value & (uint32_t)(VTD_FRCD_F >> 32));
            fault_status_update(v);
        }
        break;
    }
}

static void
dword_write(struct vtd *v, unsigned offset, uint32_t value)
{
    if (offset >= VTD_REGISTER_BYTES) {
        return;
    }
    uint32_t mask = writable(offset);
    v->reg[offset / 4] = (v->reg[offset / 4] & ~mask) | (value & mask);
    register_written(v, offset, value);
}

/* "Register accesses": aligned dwords and quadwords; others are not supported by hardware. */
static uint64_t
region_read(void *ctx, uint64_t offset, unsigned size)
{
    struct vtd *v = ctx;
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        uint64_t at = offset + i;
        uint64_t byte = at < VTD_REGISTER_BYTES ? v->reg[at / 4] >> (8 * (at & 3)) & 0xFF : 0;
        value |= byte << (8 * i);
    }
    return value;
}

static void
region_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct vtd *v = ctx;
    if (size < 4 || offset % 4) {
        TRACE(v->machine, machine_now(v->machine), TRACE_GUEST_ERROR, COMPONENT_VTD, offset, size,
              value);
        return;
    }
    dword_write(v, (unsigned)offset, (uint32_t)value);
    if (size == 8) {
        dword_write(v, (unsigned)offset + 4, (uint32_t)(value >> 32));
    }
}

/* --- life ---------------------------------------------------------------------- */

struct vtd *
vtd_new(struct machine *m)
{
    struct vtd *v = calloc(1, sizeof *v);
    if (!v) {
        return NULL;
    }
    v->machine = m;
    v->reg[VTD_VER / 4] = 0x10;
    vtd_set64(v, VTD_CAP, capability);
    vtd_set64(v, VTD_ECAP, extended_capability);
    v->reg[VTD_FECTL / 4] = VTD_EVENT_IM;
    v->reg[VTD_IECTL / 4] = VTD_EVENT_IM;
    const struct mem_region region = { "vtd", region_read, region_write, v };
    mem_mmio_map(m->mem, VTD_BASE, VTD_SIZE, &region);
    return v;
}

void
vtd_free(struct vtd *v)
{
    free(v);
}

uint64_t
vtd_iotlb_misses(const struct vtd *v)
{
    return v->misses;
}

void
vtd_state(struct vtd *v, struct state *s)
{
    STATE_VISIT(s, v->reg);
    STATE_VISIT(s, v->root);
    STATE_VISIT(s, v->irta);
    STATE_VISIT(s, v->next_fault);
    STATE_VISIT(s, v->context);
    STATE_VISIT(s, v->iotlb);
    STATE_VISIT(s, v->iotlb_next);
    STATE_VISIT(s, v->irte);
    STATE_VISIT(s, v->misses);
    v->next_fault %= VTD_FAULT_RECORDS;
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        v->iotlb_next[i] %= VTD_IOTLB_WAYS;
    }
}

_Static_assert(sizeof(struct vtd_context) == 16, "visited whole: no padding");
_Static_assert(sizeof(struct vtd_iotlb_entry) == 24, "visited whole: no padding");
_Static_assert(sizeof(struct vtd_irte) == 24, "visited whole: no padding");
