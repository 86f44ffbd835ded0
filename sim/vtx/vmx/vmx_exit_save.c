/* SDM Vol 3C "Saving Guest State". */
#include <string.h>

#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

#define RIGHTS_SAVED 0x1f0ffull /* bits 11:8 and 31:17 are saved as 0 */

static unsigned
save_control_and_msrs(struct cpu *cpu, struct vmcs *v)
{
    uint32_t exit = cpu->vmx->guest.exit;
    unsigned fields = 6;
    v->guest_cr0 = cpu->cr0;
    v->guest_cr3 = cpu->cr3;
    v->guest_cr4 = cpu->cr4;
    v->guest_sysenter_cs = (uint32_t)cpu->msr.sysenter_cs;
    v->guest_sysenter_esp = cpu->msr.sysenter_esp;
    v->guest_sysenter_eip = cpu->msr.sysenter_eip;
    if (exit & VMX_EXIT_SAVE_DEBUG) {
        v->guest_dr7 = cpu->dr7;
        v->guest_debugctl = cpu->msr.debugctl;
        fields += 2;
    }
    if (exit & VMX_EXIT_SAVE_PAT) {
        v->guest_pat = cpu->msr.pat;
        fields++;
    }
    if (exit & VMX_EXIT_SAVE_EFER) {
        v->guest_efer = cpu->efer;
        fields++;
    }
    return fields;
}

static unsigned
save_segments(const struct cpu *cpu, struct vmcs *v)
{
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        v->slot[SLOT_GUEST_ES_SELECTOR + i] = cpu->seg[i].selector;
        v->slot[SLOT_GUEST_ES_BASE + i] = cpu->seg[i].base;
        v->slot[SLOT_GUEST_ES_LIMIT + i] = cpu->seg[i].limit;
        v->slot[SLOT_GUEST_ES_RIGHTS + i] = cpu->seg[i].rights & RIGHTS_SAVED;
    }
    v->guest_gdtr_base = cpu->gdtr.base;
    v->guest_gdtr_limit = (uint16_t)cpu->gdtr.limit;
    v->guest_idtr_base = cpu->idtr.base;
    v->guest_idtr_limit = (uint16_t)cpu->idtr.limit;
    return SEG_COUNT * 4 + 4;
}

/* Pending debug exceptions as the field has them: an enabled breakpoint has bit 12. */
static uint64_t
pending_debug(const struct cpu *cpu)
{
    uint64_t pending = cpu->pending_db & (VMX_PENDING_B | VMX_PENDING_BS);
    return pending & VMX_PENDING_B ? pending | VMX_PENDING_ENABLED : pending;
}

static unsigned
save_non_register(struct cpu *cpu, struct vmcs *v, const struct vmx_exit *x)
{
    const struct vmx_guest *g = &cpu->vmx->guest;
    v->guest_activity = cpu->activity;
    v->guest_interruptibility = (cpu->shadow_sti ? VMX_BLOCKED_STI : 0) |
                                (cpu->shadow_movss ? VMX_BLOCKED_MOV_SS : 0) |
                                (cpu->nmi_blocked || g->nmi_sticky ? VMX_BLOCKED_NMI : 0);
    bool is_db = x->reason == VMX_EXIT_REASON_EXCEPTION_NMI && (x->event & 0xff) == X_DB;
    bool keep = x->keeps_pending_debug || (cpu->shadow_movss && !is_db);
    v->guest_pending_debug = keep ? pending_debug(cpu) : 0;
    unsigned fields = 3;
    if ((g->secondary & VMX_SECONDARY_EPT) && (cpu->cr0 & CR0_PG) && (cpu->cr4 & CR4_PAE) &&
        !(cpu->efer & EFER_LMA)) {
        memcpy(&v->slot[SLOT_GUEST_PDPTE0], cpu->pdpte, sizeof cpu->pdpte);
        fields += 4;
    }
    if (g->exit & VMX_EXIT_SAVE_PREEMPTION_TIMER) {
        v->preemption_timer = vmx_timer_value(cpu);
        fields++;
    }
    if (g->secondary & VMX_SECONDARY_VIRTUAL_INTERRUPTS) {
        v->guest_interrupt_status = (uint64_t)g->svi << 8 | g->rvi;
        fields++;
    }
    return fields;
}

unsigned
vmx_save_guest(struct cpu *cpu, struct vmcs *v, const struct vmx_exit *x)
{
    unsigned fields = save_control_and_msrs(cpu, v) + save_segments(cpu, v) + save_non_register(cpu, v, x);
    uint64_t rflags = cpu_rflags(cpu);
    v->guest_rsp = cpu->gpr[RSP];
    v->guest_rip = cpu->rip;
    v->guest_rflags = x->resume_flag || cpu->in_string ? rflags | RFLAGS_RF : rflags;
    return fields + 3;
}
