/* Event delivery in 32-bit protected mode (through interrupt, trap and task gates) and in real mode. */
#include <string.h>

#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"
#include "sim/cpu/system/task.h"
#include "sim/machine.h"
#include "spec/x86/system.h"

enum { FRAME_MAX = 10 * 4 };

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
    bool conforming = seg_type(&d) & TYPE_CONFORMING;
    if (!seg_is_user_type(&d) || !(seg_type(&d) & TYPE_CODE) || seg_dpl(&d) > cpl ||
        (cpu_is_v86(cpu) && (conforming || seg_dpl(&d) != 0))) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    plan->cpl = conforming ? cpl : seg_dpl(&d);
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

/* From virtual-8086 mode the data segments are saved as well. */
static unsigned fill_frame(const struct cpu *cpu, const struct fault *event, uint32_t rip, uint32_t rflags,
                           const struct plan *plan, uint8_t *frame)
{
    uint8_t *at = frame;

    if (event->has_error) {
        put(&at, event->error, plan->width);
    }
    put(&at, rip, plan->width);
    put(&at, cpu->seg[CS].selector, plan->width);
    put(&at, rflags, plan->width);
    if (plan->changes_stack) {
        put(&at, (uint32_t)cpu->gpr[RSP], plan->width);
        put(&at, cpu->seg[SS].selector, plan->width);
    }
    if (cpu_is_v86(cpu)) {
        static const uint8_t order[] = { ES, DS, FS, GS };
        for (unsigned i = 0; i < 4; i++) {
            put(&at, cpu->seg[order[i]].selector, plan->width);
        }
    }
    return (unsigned)(at - frame);
}

static enum exec_result push_frame(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip,
                                   uint32_t ext, struct plan *plan)
{
    uint8_t frame[FRAME_MAX];
    uint32_t mask = plan->ss.rights & SEG_DB ? 0xffffffffu : 0xffffu;
    uint32_t rflags = (uint32_t)cpu_event_pushed_rflags(cpu, event, external);
    unsigned size = fill_frame(cpu, event, (uint32_t)rip, rflags, plan, frame);
    uint32_t low = (plan->esp - size) & mask;

    if (!stack_holds(&plan->ss, low, size)) {
        return cpu_raise_error(cpu, X_SS, (plan->changes_stack ? plan->ss.selector & ~3u : 0) | ext);
    }
    plan->esp = (plan->esp & ~mask) | low;
    return mmu_write_as(cpu, plan->cpl, (uint32_t)(plan->ss.base + low), frame, size);
}

/* The 8086 program's segments mean nothing to the handler. */
static void leave_v86(struct cpu *cpu)
{
    static const uint8_t data[] = { ES, DS, FS, GS };

    for (unsigned i = 0; i < 4; i++) {
        cpu->seg[data[i]] = (struct segment){ .rights = SEG_UNUSABLE };
    }
}

/* SDM Vol 3A "Interrupt Tasks". */
static enum exec_result through_task_gate(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip,
                                          uint16_t selector)
{
    const struct sys_insn insn = { .length = event->length };
    const struct task_switch s = {
        .source = TASK_GATE, .ext = cpu_event_ext(event, external), .rip = rip,
        .rflags = cpu_event_pushed_rflags(cpu, event, external), .has_error = event->has_error,
        .error = event->error, .insn = event->software ? &insn : NULL,
    };
    return task_switch(cpu, selector, &s);
}

enum exec_result cpu_event_through_idt32(struct cpu *cpu, const struct fault *event, bool external, uint64_t rip)
{
    uint32_t ext = cpu_event_ext(event, external);
    struct plan plan = { 0 };
    uint64_t gate = 0;
    enum exec_result result = read_gate(cpu, event, ext, &gate);

    if (result == EXEC_OK && (gate >> 40 & 0xf) == TYPE_TASK_GATE) {
        return through_task_gate(cpu, event, external, rip, (uint16_t)(gate >> 16));
    }
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
    if (cpu_is_v86(cpu)) {
        leave_v86(cpu);
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

    (void)external;
    if (offset + 3 > cpu->idtr.limit) {
        return cpu_raise_error(cpu, X_GP, (uint32_t)event->vector << 3 | ERROR_IDT);
    }
    enum exec_result result = cpu_read_system(cpu, cpu->idtr.base + offset, entry, sizeof(entry));
    if (result != EXEC_OK) {
        return result;
    }
    result = sys_stack_write_words(cpu, frame, 3, 2);
    if (result != EXEC_OK) {
        return result;
    }
    sys_stack_move(cpu, -(int)sizeof(frame));
    cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF));
    cpu->seg[CS] = seg_8086(cpu, CS, entry[1]);
    cpu->rip = entry[0];
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}
