/* Event delivery in 32-bit protected mode (through interrupt and trap gates) and in real mode. */
#include <string.h>

#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "sim/machine.h"
#include "spec/x86/system.h"

struct plan {
    struct segment cs, ss;
    uint32_t target;
    uint32_t esp;        /* before the frame is pushed */
    unsigned cpl;        /* of the handler */
    bool changes_stack;
    bool clears_if;
    unsigned width;      /* of a pushed value: 2 or 4 [bytes] */
};

static enum exec_result read_gate(struct cpu *cpu, const struct fault *event, uint32_t ext, uint64_t *gate)
{
    uint32_t error = (uint32_t)event->vector << 3 | ERROR_IDT | ext;
    unsigned offset = event->vector * 8u;

    if (offset + 7 > cpu->idtr.limit) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    enum exec_result result = cpu_read_system(cpu, cpu->idtr.base + offset, gate, 8);
    if (result != EXEC_OK) {
        return result;
    }
    unsigned type = *gate >> 40 & 0x1f;
    if (type != TYPE_INT_GATE && type != TYPE_TRAP_GATE && type != TYPE_INT_GATE16 &&
        type != TYPE_TRAP_GATE16 && type != TYPE_TASK_GATE) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (cpu_event_is_software(event) && (*gate >> 45 & 3) < cpu_cpl(cpu)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!(*gate >> 47 & 1)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    if (type == TYPE_TASK_GATE) {
        machine_request_stop(cpu->machine, STOP_UNIMPLEMENTED, 0,
                             "cpu%u: vector %u names a task gate; hardware task switches are not implemented",
                             cpu->index, event->vector);
        return EXEC_STOP;
    }
    return EXEC_OK;
}

static enum exec_result plan_code(struct cpu *cpu, uint64_t gate, uint32_t ext, struct plan *plan)
{
    uint16_t selector = (uint16_t)(gate >> 16);
    unsigned type = gate >> 40 & 0xf;
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
    if (!seg_is_user_type(&d) || !(seg_type(&d) & TYPE_CODE) || seg_dpl(&d) > cpl) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    plan->cpl = seg_type(&d) & TYPE_CONFORMING ? cpl : seg_dpl(&d);
    plan->changes_stack = plan->cpl != cpl;
    plan->width = type & 8 ? 4 : 2;
    plan->target = (uint32_t)((gate & 0xffff) | (type & 8 ? gate >> 32 & 0xffff0000 : 0));
    plan->clears_if = (type & 7) == (TYPE_INT_GATE & 7);
    plan->cs = seg_load(&d);
    if (plan->target > plan->cs.limit) {
        return cpu_raise_error(cpu, X_GP, ext);
    }
    return seg_set_accessed(cpu, &d);
}

/* SDM Vol 3A "Task-State Segment (TSS)": where the stack of ring 'cpl' stands. */
static enum exec_result read_tss_stack(struct cpu *cpu, unsigned cpl, uint32_t ext, uint16_t *ss, uint32_t *esp)
{
    bool wide = (cpu->seg[TR].rights & SEG_TYPE) >= TYPE_TSS;
    unsigned offset = wide ? 4 + cpl * 8 : 2 + cpl * 4;
    unsigned size = wide ? 8 : 4;
    uint32_t words[2] = { 0, 0 };

    if (offset + size - (wide ? 3u : 1u) > cpu->seg[TR].limit) {
        return cpu_raise_error(cpu, X_TS, (cpu->seg[TR].selector & ~3u) | ext);
    }
    enum exec_result result = cpu_read_system(cpu, cpu->seg[TR].base + offset, words, size);
    *esp = wide ? words[0] : words[0] & 0xffff;
    *ss = (uint16_t)(wide ? words[1] : words[0] >> 16);
    return result;
}

static enum exec_result plan_stack(struct cpu *cpu, uint32_t ext, struct plan *plan)
{
    plan->ss = cpu->seg[SS];
    plan->esp = (uint32_t)cpu->gpr[RSP];
    if (!plan->changes_stack) {
        return EXEC_OK;
    }
    uint16_t selector = 0;
    struct descriptor d;
    enum exec_result result = read_tss_stack(cpu, plan->cpl, ext, &selector, &plan->esp);

    if (result == EXEC_OK && seg_null(selector)) {
        return cpu_raise_error(cpu, X_TS, ext);
    }
    if (result == EXEC_OK) {
        result = seg_read(cpu, selector, X_TS, ext, &d);
    }
    if (result == EXEC_OK) {
        result = seg_check_stack(cpu, &d, plan->cpl, X_TS, ext);
    }
    if (result == EXEC_OK) {
        result = seg_set_accessed(cpu, &d);
        plan->ss = seg_load(&d);
    }
    return result;
}

static void put(uint8_t **at, uint32_t value, unsigned width)
{
    memcpy(*at, &value, width);
    *at += width;
}

static bool stack_holds(const struct segment *ss, uint32_t low, unsigned size)
{
    uint64_t last = (uint64_t)low + size - 1;
    uint64_t top = ss->rights & SEG_DB ? 0xffffffffull : 0xffffull;

    if (ss->rights & TYPE_EXPAND_DOWN) {
        return low > ss->limit && last <= top;
    }
    return last <= ss->limit;
}

static enum exec_result push_frame(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip,
                                   uint32_t ext, struct plan *plan)
{
    uint8_t frame[24], *at = frame;
    uint32_t mask = plan->ss.rights & SEG_DB ? 0xffffffffu : 0xffffu;

    if (event->has_error) {
        put(&at, event->error, plan->width);
    }
    put(&at, (uint32_t)rip, plan->width);
    put(&at, cpu->seg[CS].selector, plan->width);
    put(&at, (uint32_t)cpu_event_pushed_rflags(cpu, event, external), plan->width);
    if (plan->changes_stack) {
        put(&at, (uint32_t)cpu->gpr[RSP], plan->width);
        put(&at, cpu->seg[SS].selector, plan->width);
    }
    unsigned size = (unsigned)(at - frame);
    uint32_t low = (plan->esp - size) & mask;

    if (!stack_holds(&plan->ss, low, size)) {
        return cpu_raise_error(cpu, X_SS, (plan->changes_stack ? plan->ss.selector & ~3u : 0) | ext);
    }
    plan->esp = (plan->esp & ~mask) | low;
    return mmu_write_as(cpu, plan->cpl, (uint32_t)(plan->ss.base + low), frame, size);
}

enum exec_result cpu_event_through_idt32(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip)
{
    uint32_t ext = cpu_event_ext(event, external);
    struct plan plan = { 0 };
    uint64_t gate = 0;
    enum exec_result result = read_gate(cpu, event, ext, &gate);

    if (result == EXEC_OK) {
        result = plan_code(cpu, gate, ext, &plan);
    }
    if (result == EXEC_OK) {
        result = plan_stack(cpu, ext, &plan);
    }
    if (result == EXEC_OK) {
        result = push_frame(cpu, event, external, rip, ext, &plan);
    }
    if (result != EXEC_OK) {
        return result;
    }
    uint64_t rflags = cpu_rflags(cpu) & ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    cpu_set_rflags(cpu, plan.clears_if ? rflags & ~RFLAGS_IF : rflags);
    cpu->gpr[RSP] = plan.esp;
    seg_commit_code(cpu, &plan.cs, plan.cpl, plan.target);
    cpu->seg[SS] = plan.ss;
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}

/* SDM Vol 3A "Interrupt and Exception Handling" (8086 emulation): three words, no error code. */
enum exec_result cpu_event_through_ivt(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip)
{
    unsigned offset = event->vector * 4u;
    uint16_t entry[2];
    uint16_t frame[3] = { (uint16_t)rip, cpu->seg[CS].selector, (uint16_t)cpu_rflags(cpu) };
    uint16_t sp = (uint16_t)(cpu->gpr[RSP] - sizeof(frame));

    (void)external;
    if (offset + 3 > cpu->idtr.limit) {
        return cpu_raise_error(cpu, X_GP, (uint32_t)event->vector << 3 | ERROR_IDT);
    }
    enum exec_result result = cpu_read_system(cpu, cpu->idtr.base + offset, entry, sizeof(entry));
    if (result != EXEC_OK) {
        return result;
    }
    if ((uint32_t)sp + sizeof(frame) - 1 > cpu->seg[SS].limit) {
        return cpu_raise_error(cpu, X_SS, 0);
    }
    result = cpu_write(cpu, (uint32_t)(cpu->seg[SS].base + sp), frame, sizeof(frame));
    if (result != EXEC_OK) {
        return result;
    }
    cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF));
    cpu->gpr[RSP] = (cpu->gpr[RSP] & ~0xffffull) | sp;
    cpu->seg[CS] = seg_real(&cpu->seg[CS], entry[1]);
    cpu->rip = entry[0];
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}
