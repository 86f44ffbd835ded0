/* Virtual interrupts and the virtual-APIC page (SDM Vol 3C "APIC Virtualization and Virtual
 * Interrupts").
 *
 * Offered: TPR shadow, virtualize x2APIC mode, APIC-register virtualization, virtual-interrupt
 * delivery.  RVI and SVI live in the running guest's state and go to the VMCS at the exit; the
 * registers live in the virtual-APIC page, in guest memory. */
#include "sim/base/trace.h"
#include "sim/cpu/event/event.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/timing.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

enum { APIC_TPR = 0x80, APIC_PPR = 0xa0, APIC_EOI = 0xb0, APIC_ISR = 0x100, APIC_IRR = 0x200, APIC_SELF_IPI = 0x3f0 };
enum { X2APIC_TPR = 0x808, X2APIC_EOI = 0x80b, X2APIC_SELF_IPI = 0x83f };

static bool
delivers_interrupts(const struct cpu *cpu)
{
    return cpu->vmx->guest.secondary & VMX_SECONDARY_VIRTUAL_INTERRUPTS;
}

/* --- the page ------------------------------------------------------------------ */

uint32_t
vmx_apic_read(const struct cpu *cpu, unsigned offset)
{
    uint32_t value = UINT32_MAX; /* what is not RAM reads as ones */
    mem_read(cpu->machine->mem, cpu->vmx->current->virtual_apic_address + offset, &value, sizeof value);
    return value;
}

void
vmx_apic_write(struct cpu *cpu, unsigned offset, uint32_t value)
{
    mem_write(cpu->machine->mem, cpu->vmx->current->virtual_apic_address + offset, &value, sizeof value);
}

/* 256 bits as eight dwords, 16 bytes apart. */
static void
set_bit(struct cpu *cpu, unsigned base, unsigned vector, bool value)
{
    unsigned offset = base + (vector >> 5) * 16;
    uint32_t word = vmx_apic_read(cpu, offset), bit = 1u << (vector & 31);
    vmx_apic_write(cpu, offset, value ? word | bit : word & ~bit);
}

static uint8_t
highest(const struct cpu *cpu, unsigned base)
{
    for (unsigned i = 8; i-- > 0;) {
        uint32_t word = vmx_apic_read(cpu, base + i * 16);
        if (word) {
            return (uint8_t)(i * 32 + 31 - (unsigned)__builtin_clz(word));
        }
    }
    return 0;
}

/* --- SDM "Virtual-APIC State" operations ----------------------------------------- */

static void
evaluate(struct cpu *cpu)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    bool window = g->primary & VMX_PRIMARY_INTERRUPT_WINDOW;
    g->virtual_interrupt = !window && g->rvi >> 4 > (vmx_apic_read(cpu, APIC_PPR) & 0xff) >> 4;
    if (g->virtual_interrupt) {
        vmx_attend(cpu);
    }
}

static void
virtualize_ppr(struct cpu *cpu)
{
    uint8_t tpr = (uint8_t)vmx_apic_read(cpu, APIC_TPR), svi = cpu->vmx->guest.svi;
    vmx_apic_write(cpu, APIC_PPR, tpr >> 4 >= svi >> 4 ? tpr : svi & 0xf0u);
}

/* The exit belongs to the end of the running instruction. */
static void
trap(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
    cpu->vmx->guest.trap_reason = (uint32_t)reason;
    cpu->vmx->guest.trap_qualification = qualification;
    vmx_attend(cpu);
}

void
vmx_apic_set_tpr(struct cpu *cpu, uint8_t tpr)
{
    vmx_apic_write(cpu, APIC_TPR, tpr);
    if (delivers_interrupts(cpu)) {
        virtualize_ppr(cpu);
        evaluate(cpu);
    } else if ((unsigned)tpr >> 4 < (cpu->vmx->current->tpr_threshold & 0xf)) {
        trap(cpu, VMX_EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
    }
}

static bool
eoi_exits(const struct vmcs *v, uint8_t vector)
{
    return v->slot[SLOT_EOI_EXIT_BITMAP0 + vector / 64] >> (vector % 64) & 1;
}

static void
virtualize_eoi(struct cpu *cpu)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    uint8_t vector = g->svi;
    set_bit(cpu, APIC_ISR, vector, false);
    g->svi = highest(cpu, APIC_ISR);
    virtualize_ppr(cpu);
    if (eoi_exits(cpu->vmx->current, vector)) {
        trap(cpu, VMX_EXIT_REASON_VIRTUALIZED_EOI, vector);
    } else {
        evaluate(cpu);
    }
}

static void
virtualize_self_ipi(struct cpu *cpu, uint8_t vector)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    set_bit(cpu, APIC_IRR, vector, true);
    g->rvi = vector > g->rvi ? vector : g->rvi;
    evaluate(cpu);
}

void
vmx_apic_entered(struct cpu *cpu)
{
    if (delivers_interrupts(cpu)) {
        virtualize_ppr(cpu);
        evaluate(cpu);
    }
}

/* --- SDM "Virtual-Interrupt Delivery" ------------------------------------------------ */

bool
vmx_apic_deliverable(const struct cpu *cpu)
{
    return cpu->vmx->guest.virtual_interrupt && (cpu->rflags_rest & RFLAGS_IF) && !cpu->shadow_sti &&
           !cpu->shadow_movss && cpu->activity <= HALTED;
}

enum exec_result
vmx_apic_deliver(struct cpu *cpu)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    struct fault event = { .vector = g->rvi, .int_type = INT_EXTERNAL };
    set_bit(cpu, APIC_ISR, g->rvi, true);
    g->svi = g->rvi;
    vmx_apic_write(cpu, APIC_PPR, g->svi & 0xf0u);
    set_bit(cpu, APIC_IRR, g->rvi, false);
    g->rvi = highest(cpu, APIC_IRR);
    g->virtual_interrupt = false;
    if (cpu->activity == HALTED) {
        cpu->activity = ACTIVE;
        TRACE(cpu->machine, cpu->now, TRACE_WAKE, cpu->index, 0, 0, 0);
        time_charge(cpu, CHARGE_WAKE, 1);
    }
    return cpu_deliver_event(cpu, &event, true);
}

/* --- SDM "Virtualizing MSR-Based APIC Accesses" ---------------------------------------- */

static enum exec_result
read_msr(const struct cpu *cpu, uint32_t index, uint64_t *value)
{
    unsigned offset = (index & 0xff) << 4;
    if (!(cpu->vmx->guest.secondary & VMX_SECONDARY_APIC_REGISTERS) && index != X2APIC_TPR) {
        return EXEC_OK;
    }
    *value = vmx_apic_read(cpu, offset) | (uint64_t)vmx_apic_read(cpu, offset + 4) << 32;
    return EXEC_JUMP;
}

static enum exec_result
write_msr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    bool interrupts = delivers_interrupts(cpu);
    if (index == X2APIC_TPR) {
        if (value >> 8) {
            return cpu_raise_error(cpu, X_GP, 0);
        }
        vmx_apic_set_tpr(cpu, (uint8_t)value);
        return EXEC_JUMP;
    }
    if (index == X2APIC_EOI && interrupts) {
        if (value) {
            return cpu_raise_error(cpu, X_GP, 0);
        }
        vmx_apic_write(cpu, APIC_EOI, 0);
        virtualize_eoi(cpu);
        return EXEC_JUMP;
    }
    if (index == X2APIC_SELF_IPI && interrupts) {
        if (value >> 8) {
            return cpu_raise_error(cpu, X_GP, 0);
        }
        vmx_apic_write(cpu, APIC_SELF_IPI, (uint32_t)value);
        if (value >> 4) {
            virtualize_self_ipi(cpu, (uint8_t)value);
        } else {
            trap(cpu, VMX_EXIT_REASON_APIC_WRITE, APIC_SELF_IPI);
        }
        return EXEC_JUMP;
    }
    return EXEC_OK; /* reaches the physical x2APIC */
}

enum exec_result
vmx_virtual_apic_msr(struct cpu *cpu, uint32_t index, bool write, uint64_t *value)
{
    if (!cpu->nonroot || !(cpu->vmx->guest.secondary & VMX_SECONDARY_X2APIC_MODE) || index >> 8 != 8) {
        return EXEC_OK;
    }
    return write ? write_msr(cpu, index, *value) : read_msr(cpu, index, value);
}
