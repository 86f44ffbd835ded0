/* SDM Vol 3C "Loading Host State". */
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/pmu.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

/* ET, CD, NW, and bits 63:32, 28:19, 17, 15:6 keep their value. */
#define CR0_LOADED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_PG)

static void
load_control(struct cpu *cpu, const struct vmcs *v)
{
    bool host64 = v->exit_controls & VMX_EXIT_HOST_64;
    cpu->cr0 = (cpu->cr0 & ~CR0_LOADED) | (v->host_cr0 & CR0_LOADED);
    cpu->cr3 = v->host_cr3;
    cpu->cr4 = host64 ? v->host_cr4 | CR4_PAE : v->host_cr4 & ~CR4_PCIDE;
    cpu->efer = (cpu->efer & ~(EFER_LMA | EFER_LME)) | (host64 ? EFER_LMA | EFER_LME : 0);
    if (v->exit_controls & VMX_EXIT_LOAD_EFER) {
        cpu->efer = v->host_efer;
    }
    if (v->exit_controls & VMX_EXIT_LOAD_PAT) {
        cpu->msr.pat = v->host_pat;
    }
    cpu->dr7 = DR7_FIXED;
    cpu_breakpoints_changed(cpu);
    pmu_set_debugctl(cpu, 0);
    cpu->msr.sysenter_cs = v->host_sysenter_cs;
    cpu->msr.sysenter_esp = v->host_sysenter_esp;
    cpu->msr.sysenter_eip = v->host_sysenter_eip;
}

static void
load_data_segment(struct cpu *cpu, unsigned seg, uint16_t selector, uint64_t base, bool host64)
{
    cpu->seg[seg] = (struct segment){ .base = base, .selector = selector, .limit = 0xffffffff };
    cpu->seg[seg].rights = 3 | SEG_S | SEG_P | SEG_DB | SEG_G;
    if (selector == 0) {
        cpu->seg[seg].rights |= SEG_UNUSABLE;
        cpu->seg[seg].base = host64 ? base : 0;
    }
}

static void
load_segments(struct cpu *cpu, const struct vmcs *v)
{
    bool host64 = v->exit_controls & VMX_EXIT_HOST_64;
    cpu->seg[CS] = (struct segment){ .selector = (uint16_t)v->host_cs_selector, .limit = 0xffffffff };
    cpu->seg[CS].rights = 11 | SEG_S | SEG_P | SEG_G | (host64 ? SEG_L : SEG_DB);
    load_data_segment(cpu, SS, (uint16_t)v->host_ss_selector, 0, host64);
    load_data_segment(cpu, DS, (uint16_t)v->host_ds_selector, 0, host64);
    load_data_segment(cpu, ES, (uint16_t)v->host_es_selector, 0, host64);
    load_data_segment(cpu, FS, (uint16_t)v->host_fs_selector, v->host_fs_base, host64);
    load_data_segment(cpu, GS, (uint16_t)v->host_gs_selector, v->host_gs_base, host64);
    cpu->seg[TR] = (struct segment){
        .selector = (uint16_t)v->host_tr_selector, .base = v->host_tr_base, .limit = 0x67, .rights = 11 | SEG_P,
    };
    cpu->seg[LDTR] = (struct segment){ .rights = SEG_UNUSABLE };
    cpu->gdtr = (struct dtable){ .base = v->host_gdtr_base, .limit = 0xffff };
    cpu->idtr = (struct dtable){ .base = v->host_idtr_base, .limit = 0xffff };
}

bool
vmx_load_host(struct cpu *cpu, const struct vmcs *v)
{
    load_control(cpu, v);
    load_segments(cpu, v);
    cpu_set_rflags(cpu, RFLAGS_FIXED);
    cpu->gpr[RSP] = v->host_rsp;
    cpu->rip = v->host_rip;
    cpu->activity = ACTIVE;
    cpu->shadow_sti = false;
    cpu->shadow_movss = false;
    cpu->pending_db = 0;
    cpu->in_string = false;
    cpu->attention &= ~(uint32_t)(ATTN_VTX | ATTN_DB | ATTN_SHADOW);
    if (!(v->exit_controls & VMX_EXIT_HOST_64) && (cpu->cr4 & CR4_PAE) && (cpu->cr0 & CR0_PG)) {
        return mmu_read_pdptes(cpu, cpu->cr3, cpu->pdpte) == EXEC_OK;
    }
    return true;
}
