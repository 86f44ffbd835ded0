/* What happens between instructions: INIT, SIPI, debug traps, NMIs, interrupts, in the order of
 * SDM Vol 3A "Priority Among Concurrent Events". */
#include "sim/base/trace.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/system/system.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"
#include "spec/x86/system.h"

enum { TOKEN_TF = 1, TOKEN_STI = 2, TOKEN_MOVSS = 4, TOKEN_RF = 8, TOKEN_GUEST = 16 };

/* --- single instructions -------------------------------------------------------- */

bool cpu_event_must_step(const struct cpu *cpu)
{
    return cpu->shadow_sti || cpu->shadow_movss || cpu->rflags_rest & (RFLAGS_TF | RFLAGS_RF) || cpu->single_step;
}

/* RF holds for one instruction and is 0 while it runs: what faults or jumps sets it anew. */
unsigned cpu_event_step_begin(struct cpu *cpu)
{
    bool rf = cpu->rflags_rest & RFLAGS_RF;

    cpu->rflags_rest &= ~RFLAGS_RF;
    return (cpu->rflags_rest & RFLAGS_TF ? TOKEN_TF : 0) | (cpu->shadow_sti ? TOKEN_STI : 0) |
           (cpu->shadow_movss ? TOKEN_MOVSS : 0) | (rf ? TOKEN_RF : 0) |
           (cpu->nonroot ? TOKEN_GUEST : 0);
}

/* Does the instruction that ends make a single-step trap?  SDM Vol 3B "Single-Step Exception Condition", "Single-Stepping
 * on Branches"; a VM entry or exit takes the trap's place. */
static bool makes_step_trap(const struct cpu *cpu, unsigned token, bool branched)
{
    if (!(token & TOKEN_TF) || cpu->trap_decided || cpu->nonroot != ((token & TOKEN_GUEST) != 0)) {
        return false;
    }
    return branched || !(cpu->msr.debugctl & DEBUGCTL_BTF);
}

void cpu_event_step_end(struct cpu *cpu, unsigned token, enum exec_result result, bool branched)
{
    bool step_trap = makes_step_trap(cpu, token, branched);

    cpu->trap_decided = false;
    if (token & TOKEN_RF && (result == EXEC_REPEAT || result == EXEC_STOP)) {
        cpu->rflags_rest |= RFLAGS_RF; /* not done yet */
    }
    if (result != EXEC_OK && result != EXEC_JUMP && result != EXEC_REPEAT) {
        return; /* not completed: a fault or exit dealt with the shadows */
    }
    if (token & TOKEN_STI) {
        cpu->shadow_sti = false;
    }
    if (token & TOKEN_MOVSS) {
        cpu->shadow_movss = false;
    }
    if (!cpu->shadow_sti && !cpu->shadow_movss) {
        cpu->attention &= ~(uint32_t)ATTN_SHADOW;
        cpu_event_recheck(cpu);
    }
    if (step_trap) {
        cpu->pending_db |= DR6_BS;
        cpu_attend(cpu, ATTN_DB);
    }
}

void cpu_event_recheck(struct cpu *cpu)
{
    uint8_t vector;

    if (apic_pending(cpu, &vector)) {
        cpu_attend(cpu, ATTN_INTR);
    }
}

/* --- what may be waiting ---------------------------------------------------------- */

static void wake(struct cpu *cpu)
{
    cpu->monitor.state = MONITOR_OFF;
    if (cpu->activity == HALTED) {
        cpu->activity = ACTIVE;
        TRACE(cpu->machine, cpu->now, TRACE_WAKE, cpu->index, 0, 0, 0);
        if (cpu->machine->timing) {
            time_charge(cpu, CHARGE_WAKE, 1);
        }
    }
}

/* INIT is held back in VMX root operation (SDM Vol 3C "Restrictions on VMX Operation"). */
static enum exec_result look_init(struct cpu *cpu)
{
    if (cpu->vtx_on && !cpu->nonroot) {
        return EXEC_OK;
    }
    cpu->attention &= ~(uint32_t)ATTN_INIT;
    if (cpu->nonroot) {
        if (cpu->activity == WAIT_SIPI) {
            return EXEC_OK;
        }
        struct vtx_event event = { .cause = VTX_INIT };
        return cpu->machine->vtx->intercept(cpu, &event);
    }
    cpu_reset(cpu, true);
    return EXEC_JUMP;
}

static enum exec_result look_sipi(struct cpu *cpu)
{
    cpu->attention &= ~(uint32_t)ATTN_SIPI;
    if (cpu->activity != WAIT_SIPI) {
        return EXEC_OK; /* "SIPIs are ignored outside the wait-for-SIPI state" */
    }
    if (cpu->nonroot) {
        struct vtx_event event = { .cause = VTX_SIPI, .number = cpu->sipi_vector };
        return cpu->machine->vtx->intercept(cpu, &event);
    }
    cpu_system_startup(cpu, cpu->sipi_vector);
    return EXEC_JUMP;
}

static enum exec_result look_debug(struct cpu *cpu)
{
    if (!cpu->pending_db) {
        cpu->attention &= ~(uint32_t)ATTN_DB;
        return EXEC_OK;
    }
    if (cpu->shadow_movss) {
        return EXEC_OK; /* held until after the next instruction */
    }
    cpu->attention &= ~(uint32_t)ATTN_DB;
    cpu_raise(cpu, X_DB);
    cpu->fault.address = cpu->pending_db & (DR6_BS | DR6_BT | 0xf);
    cpu->pending_db = 0;
    wake(cpu);
    return cpu_deliver(cpu);
}

static enum exec_result take_nmi(struct cpu *cpu)
{
    struct fault event = { .vector = X_NMI, .int_type = INT_NMI };

    cpu->attention &= ~(uint32_t)ATTN_NMI;
    wake(cpu);
    cpu->nmi_blocked = true;
    cpu->shadow_sti = false;
    return cpu_deliver_event(cpu, &event, true);
}

static enum exec_result take_interrupt(struct cpu *cpu)
{
    struct fault event = { .vector = apic_acknowledge(cpu), .int_type = INT_EXTERNAL };

    wake(cpu);
    return cpu_deliver_event(cpu, &event, true);
}

/* What the virtualization layer makes of this boundary, in non-root operation. */
static enum exec_result look_guest(struct cpu *cpu, bool interrupt)
{
    if (!cpu->nonroot) {
        return EXEC_OK;
    }
    cpu->attention &= ~(uint32_t)ATTN_VTX;
    return cpu->machine->vtx->pending(cpu, interrupt, cpu->attention & ATTN_NMI);
}

static enum exec_result look_external(struct cpu *cpu)
{
    uint8_t vector;
    bool interrupt = apic_pending(cpu, &vector);
    bool nmi = cpu->attention & ATTN_NMI;
    enum exec_result result = look_guest(cpu, interrupt);

    if (result != EXEC_OK) {
        return result;
    }
    if (nmi && !cpu->nmi_blocked && !cpu->shadow_movss && !cpu->shadow_sti) {
        return take_nmi(cpu);
    }
    if (interrupt && cpu->monitor.state == MONITOR_WAITING_ANY) {
        wake(cpu);
    }
    if (!interrupt || !(cpu->rflags_rest & RFLAGS_IF)) {
        cpu->attention &= ~(uint32_t)ATTN_INTR; /* until cpu_event_recheck */
        return EXEC_OK;
    }
    if (cpu->shadow_sti || cpu->shadow_movss) {
        return EXEC_OK;
    }
    return take_interrupt(cpu);
}

enum exec_result cpu_look(struct cpu *cpu)
{
    enum exec_result result = EXEC_OK;

    if (cpu->attention & ATTN_INIT) {
        result = look_init(cpu);
    }
    if (result == EXEC_OK && cpu->attention & ATTN_SIPI) {
        result = look_sipi(cpu);
    }
    if (result != EXEC_OK || cpu->activity == WAIT_SIPI) {
        return result;
    }
    if (cpu->activity == SHUTDOWN && !cpu->nonroot) {
        return EXEC_OK; /* only INIT and RESET leave it here; the machine has stopped */
    }
    if (cpu->attention & ATTN_DB && cpu->pending_db) {
        uint8_t vector;
        result = look_guest(cpu, apic_pending(cpu, &vector)); /* the monitor trap flag comes before debug traps */
    }
    if (result == EXEC_OK && cpu->attention & ATTN_DB) {
        result = look_debug(cpu);
    }
    if (result == EXEC_OK && cpu->attention & (ATTN_INTR | ATTN_NMI | ATTN_VTX)) {
        result = look_external(cpu);
    }
    return result;
}
