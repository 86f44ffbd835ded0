/* VT-d interrupt remapping; see vtd.h.
 *
 *   address 31:20 FEE   19:5 handle 14:0   4 = 1 remappable   3 SHV   2 handle 15
 *   data    15:0 subhandle, when SHV
 *   index = handle (+ subhandle) --> interrupt remapping table entry --> message
 */
#include "sim/cpu/apic/apic.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/vtd_priv.h"

#define TABLE_MASK 0x000FFFFFFFFFF000ull

static bool
entry_reserved(const struct vtd *v, const struct vtd_irte *e)
{
    bool wide = v->irta & VTD_IRTA_EIME;
    uint64_t low = 0xFF000000ull | 0x7000 | VTD_IRTE_POSTED;
    if (!wide) {
        low |= 0xFFFF00FF00000000ull;
    }
    bool bad_type = (e->high >> VTD_IRTE_SVT_SHIFT & 3) == 3;
    return e->low & low || e->high & ~0xFFFFFull || bad_type;
}

/* "Source-id verification": which requesters may use the entry. */
static bool
source_allowed(const struct vtd_irte *e, uint16_t source_id)
{
    static const uint16_t ignored[4] = { 0, 4, 6, 7 };
    uint16_t sid = (uint16_t)e->high;
    switch (e->high >> VTD_IRTE_SVT_SHIFT & 3) {
    case 0:
        return true;
    case 1:
        return !((source_id ^ sid) & (uint16_t)~ignored[e->high >> VTD_IRTE_SQ_SHIFT & 3]);
    default: /* 2: a range of buses */
        return source_id >> 8 >= sid >> 8 && source_id >> 8 <= (sid & 0xFF);
    }
}

/* Present and well-formed entries are cached; 0 or a fault reason. */
static unsigned
entry_find(struct vtd *v, uint32_t index, struct vtd_irte *entry)
{
    struct vtd_irte *slot = &v->irte[index % VTD_IEC_ENTRIES];
    if (slot->valid && slot->index == index) {
        *entry = *slot;
        return 0;
    }
    v->misses++;
    uint64_t raw[2];
    if (!mem_read(v->machine->mem, (v->irta & TABLE_MASK) + index * 16ull, raw, sizeof raw)) {
        return VTD_FAULT_IR_TABLE_ACCESS;
    }
    *entry = (struct vtd_irte){ .low = raw[0], .high = raw[1], .index = index, .valid = 1 };
    if (!(entry->low & VTD_PRESENT)) {
        return VTD_FAULT_IR_NOT_PRESENT;
    }
    if (entry_reserved(v, entry)) {
        return VTD_FAULT_IR_RESERVED;
    }
    *slot = *entry;
    return 0;
}

static void
entry_deliver(struct vtd *v, const struct vtd_irte *e)
{
    bool wide = v->irta & VTD_IRTA_EIME;
    struct apic_message message = {
        .destination = (uint32_t)(wide ? e->low >> VTD_IRTE_DST_SHIFT : e->low >> 40 & 0xFF),
        .vector = (uint8_t)(e->low >> VTD_IRTE_VECTOR_SHIFT),
        .mode = e->low >> VTD_IRTE_DLM_SHIFT & 7,
        .logical = e->low & VTD_IRTE_LOGICAL,
        .level = e->low & VTD_IRTE_LEVEL,
        .wide = wide,
    };
    apic_deliver(v->machine, &message);
}

static void
remap(struct vtd *v, uint16_t source_id, uint32_t address, uint32_t data)
{
    uint32_t index = (address >> 5 & 0x7FFF) | (address >> 2 & 1) << 15;
    unsigned reason = 0;
    struct vtd_irte entry = { 0 };
    if (address & VTD_MSI_SHV) {
        index += data & 0xFFFF;
        reason = data >> 16 ? VTD_FAULT_IR_REQUEST_RESERVED : 0;
    }
    if (!reason && index >= 2u << (v->irta & VTD_IRTA_SIZE)) {
        reason = VTD_FAULT_IR_INDEX;
    }
    if (!reason) {
        reason = entry_find(v, index, &entry);
    }
    if (!reason && !source_allowed(&entry, source_id)) {
        reason = VTD_FAULT_IR_SOURCE;
    }
    if (!reason) {
        entry_deliver(v, &entry);
    } else if (!(entry.low & VTD_FPD)) {
        vtd_fault(v, source_id, reason, (uint64_t)index << 48, false);
    }
}

void
vtd_interrupt(struct vtd *v, uint16_t source_id, uint64_t address, uint32_t data)
{
    uint32_t status = vtd_get(v, VTD_GSTS);
    if (!(status & VTD_GCMD_IRE)) {
        apic_deliver_msi(v->machine, address, data);
    } else if (address & VTD_MSI_REMAPPABLE) {
        remap(v, source_id, (uint32_t)address, data);
    } else if (status & VTD_GCMD_CFI && !(v->irta & VTD_IRTA_EIME)) {
        apic_deliver_msi(v->machine, address, data);
    } else {
        vtd_fault(v, source_id, VTD_FAULT_IR_COMPATIBILITY, 0, false);
    }
}

void
vtd_irte_invalidate(struct vtd *v, bool all, uint32_t index, unsigned index_mask)
{
    uint32_t mask = ~((1u << index_mask) - 1);
    for (unsigned i = 0; i < VTD_IEC_ENTRIES; i++) {
        if (v->irte[i].valid && (all || !((v->irte[i].index ^ index) & mask))) {
            v->irte[i] = (struct vtd_irte){ 0 };
        }
    }
}
