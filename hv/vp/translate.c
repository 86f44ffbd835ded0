/* A guest's own page tables, walked by us (SDM Vol 3A "4-Level Paging").
 * Accessed and dirty bits are not set: this is a question, not an access. */
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"
#include "spec/x86/system.h"

#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
enum { TOP_SHIFT = 39 };

static bool canonical(uint64_t linear) { return (uint64_t)((int64_t)(linear << 16) >> 16) == linear; }

unsigned vp_translate(struct vp *vp, uint64_t linear, bool write, bool execute, bool user, uint64_t *gpa)
{
    uint64_t cr0 = arch_vmread(VMCS_GUEST_CR0), efer = arch_vmread(VMCS_GUEST_EFER);
    if (!(cr0 & CR0_PG)) {
        *gpa = linear & UINT32_MAX;
        return HV_TRANSLATE_SUCCESS;
    }
    if (!(efer & EFER_LMA) || !canonical(linear))
        return HV_TRANSLATE_INVALID_FLAGS; /* 32-bit paging is not walked here */
    uint64_t table = arch_vmread(VMCS_GUEST_CR3) & PTE_ADDRESS;
    bool may_write = true, may_user = true, may_execute = true;
    for (unsigned shift = TOP_SHIFT;; shift -= 9) {
        const uint64_t *entries = vp_gpa_pointer(vp, table, false);
        if (!entries)
            return HV_TRANSLATE_GPA_UNMAPPED;
        uint64_t entry = entries[linear >> shift & 511];
        if (!(entry & PTE_P))
            return HV_TRANSLATE_NOT_PRESENT;
        may_write &= (entry & PTE_W) != 0;
        may_user &= (entry & PTE_U) != 0;
        may_execute &= !(entry & PTE_NX) || !(efer & EFER_NXE);
        if (shift == GPA_SHIFT_4K || (entry & PTE_PS && shift <= GPA_SHIFT_1G)) {
            uint64_t mask = (1ull << shift) - 1;
            *gpa = (entry & PTE_ADDRESS & ~mask) | (linear & mask);
            break;
        }
        table = entry & PTE_ADDRESS;
    }
    bool refused = (user && !may_user) || (execute && !may_execute)
        || (write && !may_write && (user || cr0 & CR0_WP));
    return refused ? HV_TRANSLATE_PRIVILEGE : HV_TRANSLATE_SUCCESS;
}
