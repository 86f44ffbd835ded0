/* Event delivery in IA-32e mode: SDM Vol 3A "Exception and Interrupt Handling in 64-bit Mode". */
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "spec/x86/system.h"

enum { GATE_SIZE = 16, TSS_RSP0 = 4, TSS_IST1 = 36 };

struct gate64 {
    uint64_t low, high;
};

/* Everything decided before the first change. */
struct plan {
    uint64_t target;
    uint64_t rsp;        /* before the frame is pushed, aligned */
    unsigned cpl;        /* of the handler */
    bool changes_ss;
    bool clears_if;
    struct segment cs;
};

static enum exec_result read_gate(struct cpu *cpu, const struct fault *event, uint32_t ext, struct gate64 *gate)
{
    uint32_t error = (uint32_t)event->vector << 3 | ERROR_IDT | ext;
    unsigned offset = event->vector * GATE_SIZE;

    if (offset + GATE_SIZE - 1u > cpu->idtr.limit) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    enum exec_result result = cpu_read_system(cpu, cpu->idtr.base + offset, gate, sizeof(*gate));
    if (result != EXEC_OK) {
        return result;
    }
    unsigned type = gate->low >> 40 & 0x1f;
    if ((type != TYPE_INT_GATE && type != TYPE_TRAP_GATE) || gate->high >> 40 & 0x1f) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (cpu_event_is_software(event) && (gate->low >> 45 & 3) < cpu_cpl(cpu)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    return gate->low >> 47 & 1 ? EXEC_OK : cpu_raise_error(cpu, X_NP, error);
}

static enum exec_result plan_code(struct cpu *cpu, const struct gate64 *gate, uint32_t ext, struct plan *plan)
{
    uint16_t selector = (uint16_t)(gate->low >> 16);
    unsigned cpl = cpu_cpl(cpu);
    struct descriptor d;

    if (seg_null(selector)) {
        return cpu_raise_error(cpu, X_GP, ext);
    }
    enum exec_result result = seg_read(cpu, selector, X_GP, ext, &d);
    if (result != EXEC_OK) {
        return result;
    }
    uint32_t error = (selector & ~3u) | ext;
    if (!seg_is_user_type(&d) || !(seg_type(&d) & TYPE_CODE) || seg_dpl(&d) > cpl || !seg_long(&d) ||
        seg_big(&d)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    plan->cpl = seg_type(&d) & TYPE_CONFORMING ? cpl : seg_dpl(&d);
    plan->target = (gate->low & 0xffff) | (gate->low >> 32 & 0xffff0000) | gate->high << 32;
    plan->clears_if = (gate->low >> 40 & 0xf) == TYPE_INT_GATE;
    if (!cpu_canonical(cpu, plan->target)) {
        return cpu_raise_error(cpu, X_GP, ext);
    }
    result = seg_set_accessed(cpu, &d);
    plan->cs = seg_load(&d);
    return result;
}

static enum exec_result plan_stack(struct cpu *cpu, const struct gate64 *gate, uint32_t ext, struct plan *plan)
{
    unsigned ist = gate->low >> 32 & 7;

    plan->changes_ss = plan->cpl != cpu_cpl(cpu);
    plan->rsp = cpu->gpr[RSP];
    if (ist || plan->changes_ss) {
        unsigned offset = ist ? TSS_IST1 + (ist - 1) * 8 : TSS_RSP0 + plan->cpl * 8;
        if (offset + 7 > cpu->seg[TR].limit) {
            return cpu_raise_error(cpu, X_TS, (cpu->seg[TR].selector & ~3u) | ext);
        }
        enum exec_result result = cpu_read_system(cpu, cpu->seg[TR].base + offset, &plan->rsp, 8);
        if (result != EXEC_OK) {
            return result;
        }
    }
    if (!cpu_canonical(cpu, plan->rsp)) {
        return cpu_raise_error(cpu, X_SS, ext);
    }
    plan->rsp &= ~0xfull;
    return EXEC_OK;
}

static enum exec_result push_frame(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip,
                                   uint32_t ext, struct plan *plan)
{
    uint64_t frame[6] = {
        event->error, rip, cpu->seg[CS].selector, cpu_event_pushed_rflags(cpu, event, external),
        cpu->gpr[RSP], cpu->seg[SS].selector,
    };
    unsigned first = event->has_error ? 0 : 1;
    unsigned size = (6 - first) * 8;

    plan->rsp -= size;
    if (!cpu_canonical(cpu, plan->rsp)) {
        return cpu_raise_error(cpu, X_SS, ext);
    }
    return mmu_write_as(cpu, plan->cpl, plan->rsp, &frame[first], size);
}

enum exec_result cpu_event_through_idt64(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip)
{
    uint32_t ext = cpu_event_ext(event, external);
    struct gate64 gate = { 0, 0 };
    struct plan plan = { 0 };
    enum exec_result result = read_gate(cpu, event, ext, &gate);

    if (result == EXEC_OK) {
        result = plan_code(cpu, &gate, ext, &plan);
    }
    if (result == EXEC_OK) {
        result = plan_stack(cpu, &gate, ext, &plan);
    }
    if (result == EXEC_OK) {
        result = push_frame(cpu, event, external, rip, ext, &plan);
    }
    if (result != EXEC_OK) {
        return result;
    }
    uint64_t rflags = cpu_rflags(cpu) & ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    cpu_set_rflags(cpu, plan.clears_if ? rflags & ~RFLAGS_IF : rflags);
    cpu->gpr[RSP] = plan.rsp;
    seg_commit_code(cpu, &plan.cs, plan.cpl, plan.target);
    if (plan.changes_ss) {
        cpu->seg[SS] = seg_null_ss(plan.cpl);
    }
    return EXEC_JUMP;
}
