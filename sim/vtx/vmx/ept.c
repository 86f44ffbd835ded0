#include "sim/vtx/vmx/ept.h"

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

#define ADDRESS_MASK 0x000ffffffffff000ull

/* --- the walk --------------------------------------------------------------------- */

static uint64_t
reserved_above(unsigned width)
{
    return ADDRESS_MASK & ~((1ull << width) - 1);
}

/* SDM "EPT Misconfigurations", for a present entry at 'shift' (39, 30, 21 or 12). */
static bool
misconfigured(uint64_t entry, unsigned shift, bool leaf, unsigned width)
{
    unsigned type = entry >> EPT_TYPE_SHIFT & 7;
    if ((entry & (EPT_READ | EPT_WRITE)) == EPT_WRITE || (entry & reserved_above(width))) {
        return true; /* writable but not readable; execute-only is offered */
    }
    if (!leaf) {
        return shift == 39 ? entry & 0xf8 : entry & 0x78; /* bit 7 of a lower table is "large" */
    }
    uint64_t low_address = ((1ull << shift) - 1) & ADDRESS_MASK;
    return type == 2 || type == 3 || type == 7 || (entry & low_address);
}

static uint64_t
read_entry(const struct mem *mem, uint64_t spa)
{
    uint64_t entry = UINT64_MAX;
    mem_read(mem, spa, &entry, sizeof entry);
    return entry;
}

struct ept_walk
ept_walk(const struct mem *mem, uint64_t eptp, uint64_t gpa, unsigned width)
{
    struct ept_walk w = { .outcome = EPT_NOT_PRESENT };
    uint64_t table = eptp & ADDRESS_MASK;
    unsigned rights = EPT_READ | EPT_WRITE | EPT_EXECUTE;
    if (gpa >> 48) { /* beyond what four levels translate */
        return w;
    }
    for (unsigned shift = 39;; shift -= 9) {
        unsigned i = w.levels++;
        w.entry_spa[i] = table + (gpa >> shift & 0x1ff) * 8;
        uint64_t entry = w.entry[i] = read_entry(mem, w.entry_spa[i]);
        if (!(entry & (EPT_READ | EPT_WRITE | EPT_EXECUTE))) {
            return w;
        }
        bool leaf = shift == 12 || (shift < 39 && (entry & EPT_LARGE));
        if (misconfigured(entry, shift, leaf, width)) {
            w.outcome = EPT_MISCONFIGURED;
            return w;
        }
        rights &= (unsigned)entry;
        if (leaf) {
            w.outcome = EPT_MAPPED;
            w.page_shift = (uint8_t)shift;
            w.rights = (uint8_t)rights;
            w.memory_type = entry >> EPT_TYPE_SHIFT & 7;
            w.spa = (entry & ADDRESS_MASK & ~((1ull << shift) - 1)) | (gpa & ((1ull << shift) - 1));
            return w;
        }
        table = entry & ADDRESS_MASK;
    }
}

void
ept_set_flags(struct mem *mem, struct ept_walk *w, bool write)
{
    for (unsigned i = 0; i < w->levels; i++) {
        bool leaf = i + 1u == w->levels;
        uint64_t flags = EPT_ACCESSED | (leaf && write ? (uint64_t)EPT_DIRTY : 0);
        if ((w->entry[i] & flags) != flags) {
            w->entry[i] |= flags;
            mem_write(mem, w->entry_spa[i], &w->entry[i], sizeof w->entry[i]);
        }
    }
}

bool
ept_is_dirty(const struct ept_walk *w)
{
    return w->levels && (w->entry[w->levels - 1] & EPT_DIRTY);
}

/* --- serving the page walker -------------------------------------------------------- */

/* With accessed and dirty flags on, every access to a guest paging structure counts as a write. */
static bool
counts_as_write(const struct vtx_access *a, bool flags)
{
    return a->write || (a->is_table && flags);
}

/* SDM "Exit Qualification for EPT Violations"; bits 5:3 are 0 when some entry was not present. */
static enum exec_result
violation(struct cpu *cpu, const struct vtx_access *a, const struct ept_walk *w, bool flags)
{
    uint64_t qualification = (a->read || a->is_table ? EPT_QUAL_READ : 0) |
                             (counts_as_write(a, flags) ? EPT_QUAL_WRITE : 0) | (a->exec ? EPT_QUAL_FETCH : 0) |
                             (uint64_t)w->rights << EPT_QUAL_RIGHTS_SHIFT;
    if (a->has_linear) {
        qualification |= EPT_QUAL_LINEAR | (a->is_table ? 0 : EPT_QUAL_FINAL);
    }
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_EPT_VIOLATION, .qualification = qualification, .physical = a->gpa,
        .linear = a->has_linear ? a->linear : 0, .vectored = true,
    };
    x.resume_flag = !cpu->vmx->guest.vectoring.info;
    return vmx_exit(cpu, &x);
}

static enum exec_result
misconfiguration(struct cpu *cpu, const struct vtx_access *a)
{
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_EPT_MISCONFIGURATION, .physical = a->gpa, .vectored = true,
    };
    x.resume_flag = !cpu->vmx->guest.vectoring.info;
    return vmx_exit(cpu, &x);
}

enum exec_result
vmx_translate(struct cpu *cpu, const struct vtx_access *a, struct vtx_page *page)
{
    uint64_t eptp = cpu->vmx->guest.eptp;
    bool flags = eptp & EPTP_AD;
    struct ept_walk w = ept_walk(cpu->machine->mem, eptp, a->gpa, cpu->vmx->caps.physical_width);
    if (w.outcome == EPT_MISCONFIGURED) {
        return misconfiguration(cpu, a);
    }
    bool write = counts_as_write(a, flags);
    unsigned need = (a->read || (a->is_table && !a->write) ? EPT_READ : 0) | (write ? EPT_WRITE : 0) |
                    (a->exec ? EPT_EXECUTE : 0);
    if (w.outcome == EPT_NOT_PRESENT || (w.rights & need) != need) {
        return violation(cpu, a, &w, flags);
    }
    if (flags) {
        ept_set_flags(cpu->machine->mem, &w, write);
    }
    *page = (struct vtx_page){
        .spa = w.spa, .page_shift = w.page_shift, .readable = w.rights & EPT_READ, .writable = w.rights & EPT_WRITE,
        .executable = w.rights & EPT_EXECUTE, .dirty = !flags || ept_is_dirty(&w), .memory_type = w.memory_type,
    };
    return EXEC_OK;
}

bool
vmx_translate_peek(const struct cpu *cpu, uint64_t gpa, uint64_t *spa)
{
    struct ept_walk w = ept_walk(cpu->machine->mem, cpu->vmx->guest.eptp, gpa, cpu->vmx->caps.physical_width);
    *spa = w.spa;
    return w.outcome == EPT_MAPPED;
}
