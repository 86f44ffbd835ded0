/* RESET, INIT, SIPI, and the visit of a processor's architectural state. */
#include <string.h>

#include "sim/base/state.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/msr_registers.h"
#include "sim/cpu/system/pmu.h"
#include "sim/cpu/system/sys.h"
#include "sim/cpu/x87/x87.h"
#include "sim/machine.h"

enum { MXCSR_RESET = 0x1f80 };
#define PAT_RESET 0x0007040600070406ull

static struct segment reset_segment(uint32_t rights)
{
    return (struct segment){ .limit = 0xffff, .rights = rights };
}

/* What RESET and INIT both set: SDM Vol 3A "IA-32 and Intel 64 Processor States Following Power-up, Reset, or
 * INIT". */
static void reset_common(struct cpu *cpu, bool init)
{
    uint64_t cache_bits = init ? cpu->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[RDX] = cpu_model_signature(cpu);
    cpu_set_rflags(cpu, RFLAGS_FIXED);
    cpu->rip = 0xfff0;
    for (unsigned i = ES; i <= GS; i++) {
        cpu->seg[i] = reset_segment(SEG_P | SEG_S | TYPE_WRITABLE | TYPE_ACCESSED);
    }
    cpu->seg[CS] = reset_segment(SEG_P | SEG_S | TYPE_CODE | TYPE_READABLE | TYPE_ACCESSED);
    cpu->seg[CS].selector = 0xf000;
    cpu->seg[CS].base = 0xffff0000;
    cpu->seg[LDTR] = reset_segment(SEG_P | TYPE_LDT);
    cpu->seg[TR] = reset_segment(SEG_P | TYPE_TSS_BUSY);
    cpu->gdtr = cpu->idtr = (struct dtable){ .limit = 0xffff };
    cpu->cr0 = CR0_ET | cache_bits;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = 0;
    memset(cpu->pdpte, 0, sizeof(cpu->pdpte));
    cpu->efer = 0;
    memset(cpu->dr, 0, sizeof(cpu->dr));
    cpu->dr6 = DR6_FIXED;
    cpu->dr7 = DR7_FIXED;
    cpu->nmi_blocked = cpu->shadow_sti = cpu->shadow_movss = false;
    cpu->pending_db = 0;
    cpu->monitor.state = MONITOR_OFF;
    cpu->in_string = false;
    cpu->activity = cpu->index == 0 ? ACTIVE : WAIT_SIPI;
}

/* What only RESET sets. */
static void reset_cold(struct cpu *cpu)
{
    uint64_t apic_base = cpu->msr.apic_base;

    memset(cpu->xmm, 0, sizeof(cpu->xmm));
    memset(cpu->ymm_high, 0, sizeof(cpu->ymm_high));
    x87_reset(cpu);
    cpu->mxcsr = MXCSR_RESET;
    cpu->xcr0 = 1;
    cpu->xss = 0;
    cpu->pkru = 0;
    memset(&cpu->msr, 0, sizeof(cpu->msr));
    cpu->msr.apic_base = apic_base; /* apic_reset's */
    cpu->msr.pat = PAT_RESET;
    msr_reset(cpu);
    /* The firmware we stand for has enabled VMX outside SMX and locked the register. */
    cpu->msr.feature_control = cpu->machine->config.vtx ? 0x5 : 0;
    cpu->msr.tsc_offset = 0 - cpu->now;
    cpu->attention = 0;
    cpu->sipi_vector = 0;
    cpu->random = cpu->index;
    pmu_reset(cpu);
}

void cpu_system_reset(struct cpu *cpu, bool init)
{
    reset_common(cpu, init);
    if (!init) {
        reset_cold(cpu);
    }
    cpu->nonroot = false;
    cpu->vtx_on = false;
    cpu_breakpoints_changed(cpu);
    cpu_update_mode(cpu);
}

void cpu_system_startup(struct cpu *cpu, uint8_t vector)
{
    cpu->seg[CS].selector = (uint16_t)(vector << 8);
    cpu->seg[CS].base = (uint64_t)vector << 12;
    cpu->rip = 0;
    cpu->activity = ACTIVE;
    cpu_update_mode(cpu);
}

/* --- visit ---------------------------------------------------------------------------- */

static void visit_msrs(struct cpu *cpu, struct state *s)
{
    /* All members are 64 bits wide: no padding. */
    _Static_assert(sizeof(cpu->msr) % 8 == 0, "MSRs are quadwords");
    STATE_VISIT(s, cpu->msr);
}

static void visit_bookkeeping(struct cpu *cpu, struct state *s)
{
    uint64_t instructions = cpu->instructions, random = cpu->random;
    STATE_VISIT(s, cpu->activity);
    STATE_VISIT(s, cpu->nmi_blocked);
    STATE_VISIT(s, cpu->shadow_sti);
    STATE_VISIT(s, cpu->shadow_movss);
    STATE_VISIT(s, cpu->sipi_vector);
    STATE_VISIT(s, cpu->pending_db);
    STATE_VISIT(s, cpu->in_string);
    STATE_VISIT(s, cpu->random);
    STATE_VISIT(s, cpu->monitor);
    STATE_VISIT(s, cpu->pmu);
    STATE_VISIT(s, cpu->now);
    STATE_VISIT(s, cpu->instructions);
    STATE_VISIT(s, cpu->halted);
    STATE_VISIT(s, cpu->attention);
    STATE_VISIT(s, cpu->vtx_tsc_offset);
    STATE_VISIT(s, cpu->nonroot);
    STATE_VISIT(s, cpu->vtx_on);
    if (state_is_reset(s)) { /* counted since the run began, and no number comes twice */
        cpu->instructions = instructions;
        cpu->random = random;
    }
}

void cpu_system_state(struct cpu *cpu, struct state *s)
{
    uint64_t rflags = cpu_rflags(cpu); /* lazy flags are not state, their value is */

    STATE_VISIT(s, cpu->gpr);
    STATE_VISIT(s, cpu->rip);
    STATE_VISIT(s, rflags);
    STATE_VISIT(s, cpu->xmm);
    STATE_VISIT(s, cpu->ymm_high);
    STATE_VISIT(s, cpu->mxcsr);
    _Static_assert(sizeof(cpu->x87) == 128 + 16 + 16, "no padding but what is named");
    STATE_VISIT(s, cpu->x87);
    STATE_VISIT(s, cpu->seg);
    STATE_VISIT(s, cpu->gdtr);
    STATE_VISIT(s, cpu->idtr);
    STATE_VISIT(s, cpu->cr0);
    STATE_VISIT(s, cpu->cr2);
    STATE_VISIT(s, cpu->cr3);
    STATE_VISIT(s, cpu->cr4);
    STATE_VISIT(s, cpu->cr8);
    STATE_VISIT(s, cpu->xcr0);
    STATE_VISIT(s, cpu->xss);
    STATE_VISIT(s, cpu->pkru);
    STATE_VISIT(s, cpu->pdpte);
    STATE_VISIT(s, cpu->efer);
    STATE_VISIT(s, cpu->dr);
    STATE_VISIT(s, cpu->dr6);
    STATE_VISIT(s, cpu->dr7);
    visit_msrs(cpu, s);
    visit_bookkeeping(cpu, s);
    if (state_is_load(s)) {
        cpu_set_rflags(cpu, rflags);
        cpu_update_mode(cpu);
        cpu_breakpoints_changed(cpu);
        pmu_follow(cpu);
    }
}
