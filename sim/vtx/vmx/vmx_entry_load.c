/* SDM Vol 3C "Loading Guest State".  Cannot fail: everything was checked.
 *
 * Hardware breakpoints are not modelled: a guest whose DR7 enables one stops the machine, as MOV to
 * DR7 does. */
#include <string.h>

#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/system/pmu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

/* ET, CD, NW, and bits 63:32, 28:19, 17, 15:6 keep their value. */
#define CR0_LOADED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_PG)
#define DR7_CLEARED (1ull << 15 | 1ull << 14 | 1ull << 12)

static uint64_t
guest_efer(const struct cpu *cpu, const struct vmcs *v)
{
    if (v->entry_controls & VMX_ENTRY_LOAD_EFER) {
        return v->guest_efer;
    }
    bool ia32e = v->entry_controls & VMX_ENTRY_GUEST_64;
    uint64_t efer = (cpu->efer & ~EFER_LMA) | (ia32e ? EFER_LMA : 0);
    if (v->guest_cr0 & CR0_PG) { /* else LME keeps the host's value */
        efer = (efer & ~EFER_LME) | (ia32e ? EFER_LME : 0);
    }
    return efer;
}

static unsigned
load_control_and_msrs(struct cpu *cpu, const struct vmcs *v)
{
    unsigned fields = 6;
    cpu->efer = guest_efer(cpu, v);
    cpu->cr0 = (cpu->cr0 & ~CR0_LOADED) | (v->guest_cr0 & CR0_LOADED);
    cpu->cr3 = v->guest_cr3;
    cpu->cr4 = v->guest_cr4;
    cpu->msr.sysenter_cs = v->guest_sysenter_cs;
    cpu->msr.sysenter_esp = v->guest_sysenter_esp;
    cpu->msr.sysenter_eip = v->guest_sysenter_eip;
    if (v->entry_controls & VMX_ENTRY_LOAD_DEBUG) {
        cpu->dr7 = (v->guest_dr7 & ~DR7_CLEARED) | DR7_FIXED;
        pmu_set_debugctl(cpu, v->guest_debugctl);
        cpu_breakpoints_changed(cpu);
        fields += 2;
    }
    if (v->entry_controls & VMX_ENTRY_LOAD_PAT) {
        cpu->msr.pat = v->guest_pat;
        fields++;
    }
    return fields + (v->entry_controls & VMX_ENTRY_LOAD_EFER ? 1 : 0);
}

static unsigned
load_segments(struct cpu *cpu, const struct vmcs *v)
{
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        cpu->seg[i] = (struct segment){
            .selector = (uint16_t)v->slot[SLOT_GUEST_ES_SELECTOR + i],
            .base = v->slot[SLOT_GUEST_ES_BASE + i],
            .limit = (uint32_t)v->slot[SLOT_GUEST_ES_LIMIT + i],
            .rights = (uint32_t)v->slot[SLOT_GUEST_ES_RIGHTS + i],
        };
    }
    cpu->gdtr = (struct dtable){ .base = v->guest_gdtr_base, .limit = (uint32_t)v->guest_gdtr_limit };
    cpu->idtr = (struct dtable){ .base = v->guest_idtr_base, .limit = (uint32_t)v->guest_idtr_limit };
    return SEG_COUNT * 4 + 4;
}

static bool
injects(const struct vmcs *v)
{
    return v->entry_interruption_info & VMX_EVENT_VALID;
}

/* Pending debug exceptions deliver something only with bit 14 or bit 12.  Dropped: by
 * injection of anything but a software event under MOV SS blocking, and by entry
 * into shutdown or wait-for-SIPI (SDM "Delivery of Pending Debug Exceptions after VM Entry"). */
static uint64_t
pending_debug(const struct vmcs *v)
{
    uint64_t field = v->guest_pending_debug;
    unsigned type = v->entry_interruption_info >> VMX_EVENT_TYPE_SHIFT & 7;
    bool mov_ss = v->guest_interruptibility & VMX_BLOCKED_MOV_SS;
    bool software = type == VMX_EVENT_SOFTWARE_INT || type == VMX_EVENT_SOFTWARE_EXC;
    if (!(field & (VMX_PENDING_ENABLED | VMX_PENDING_BS)) || v->guest_activity >= VMX_ACTIVITY_SHUTDOWN ||
        (injects(v) && type != VMX_EVENT_OTHER && !(software && mov_ss))) {
        return 0;
    }
    return field & (VMX_PENDING_B | VMX_PENDING_BS);
}

static unsigned
load_non_register(struct cpu *cpu, const struct vmcs *v)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    bool vectors = injects(v) && (v->entry_interruption_info >> VMX_EVENT_TYPE_SHIFT & 7) != VMX_EVENT_OTHER;
    bool nmi_blocked = v->guest_interruptibility & VMX_BLOCKED_NMI;
    cpu->pending_db = pending_debug(v);
    cpu->activity = vectors ? ACTIVE : (uint8_t)v->guest_activity;
    cpu->shadow_sti = !vectors && (v->guest_interruptibility & VMX_BLOCKED_STI);
    cpu->shadow_movss = !vectors && (v->guest_interruptibility & VMX_BLOCKED_MOV_SS);
    /* With virtual NMIs cpu->nmi_blocked is virtual-NMI blocking: IRET lifts it, and physical
     * NMIs ignore it.  With NMI exiting alone IRET must not lift blocking. */
    g->nmi_sticky = nmi_blocked && (g->pin & VMX_PIN_NMI) && !(g->pin & VMX_PIN_VIRTUAL_NMIS);
    cpu->nmi_blocked = nmi_blocked;
    g->rvi = (uint8_t)v->guest_interrupt_status;
    g->svi = (uint8_t)(v->guest_interrupt_status >> 8);
    return 4;
}

/* With EPT the PDPTEs come from the fields; without, from the memory that was checked. */
static unsigned
load_pdptes(struct cpu *cpu, const struct vmcs *v)
{
    bool pae = (v->guest_cr0 & CR0_PG) && (v->guest_cr4 & CR4_PAE) && !(v->entry_controls & VMX_ENTRY_GUEST_64);
    if (!pae) {
        return 0;
    }
    if (cpu->vmx->guest.secondary & VMX_SECONDARY_EPT) {
        memcpy(cpu->pdpte, &v->slot[SLOT_GUEST_PDPTE0], sizeof cpu->pdpte);
    } else if (!mem_read(cpu->machine->mem, v->guest_cr3 & 0xffffffe0, cpu->pdpte, sizeof cpu->pdpte)) {
        memset(cpu->pdpte, 0, sizeof cpu->pdpte);
    }
    return 4;
}

unsigned
vmx_load_guest(struct cpu *cpu, const struct vmcs *v)
{
    unsigned fields = load_control_and_msrs(cpu, v) + load_segments(cpu, v) + load_non_register(cpu, v) +
                      load_pdptes(cpu, v);
    cpu->gpr[RSP] = v->guest_rsp;
    cpu->rip = v->guest_rip;
    cpu_set_rflags(cpu, v->guest_rflags);
    cpu->attention &= ~(uint32_t)(ATTN_VTX | ATTN_DB | ATTN_SHADOW);
    return fields + 3;
}
