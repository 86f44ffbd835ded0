/* What a task switch loads: registers first, then every descriptor with its checks, in the new task's context. */
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/task.h"

static enum exec_result bad(struct cpu *cpu, unsigned vector, uint16_t selector, uint32_t ext)
{
    return cpu_raise_error(cpu, vector, (selector & ~3u) | ext);
}

static enum exec_result load_ldt(struct cpu *cpu, uint16_t selector, uint32_t ext)
{
    struct descriptor d;

    if (seg_null(selector)) {
        return EXEC_OK;
    }
    if (selector & 4) {
        return bad(cpu, X_TS, selector, ext);
    }
    TRY(seg_read(cpu, selector, X_TS, ext, &d));
    if (seg_is_user_type(&d) || seg_type(&d) != TYPE_LDT || !seg_present(&d)) {
        return bad(cpu, X_TS, selector, ext);
    }
    cpu->seg[LDTR] = seg_load(&d);
    return EXEC_OK;
}

/* The privilege of the new task is its code selector's RPL. */
static enum exec_result load_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, uint32_t ext)
{
    struct descriptor d;

    if (seg_null(selector)) {
        return bad(cpu, X_TS, selector, ext);
    }
    TRY(seg_read(cpu, selector, X_TS, ext, &d));
    TRY(seg_check_stack(cpu, &d, cpl, X_TS, ext));
    TRY(seg_set_accessed(cpu, &d));
    cpu->seg[SS] = seg_load(&d);
    return EXEC_OK;
}

static enum exec_result load_code(struct cpu *cpu, uint16_t selector, uint32_t ext)
{
    unsigned rpl = selector & 3;
    struct descriptor d;

    if (seg_null(selector)) {
        return bad(cpu, X_TS, selector, ext);
    }
    TRY(seg_read(cpu, selector, X_TS, ext, &d));
    bool conforming = seg_type(&d) & TYPE_CONFORMING;
    if (!seg_is_user_type(&d) || !(seg_type(&d) & TYPE_CODE) || (conforming ? seg_dpl(&d) > rpl : seg_dpl(&d) != rpl)) {
        return bad(cpu, X_TS, selector, ext);
    }
    if (!seg_present(&d)) {
        return bad(cpu, X_NP, selector, ext);
    }
    TRY(seg_set_accessed(cpu, &d));
    cpu->seg[CS] = seg_load(&d);
    return EXEC_OK;
}

static enum exec_result load_data(struct cpu *cpu, unsigned segment, uint16_t selector, uint32_t ext)
{
    unsigned rpl = selector & 3;
    struct descriptor d;

    if (seg_null(selector)) {
        return EXEC_OK;
    }
    TRY(seg_read(cpu, selector, X_TS, ext, &d));
    bool code = seg_type(&d) & TYPE_CODE;
    bool conforming = code && seg_type(&d) & TYPE_CONFORMING;
    if (!seg_is_user_type(&d) || (code && !(seg_type(&d) & TYPE_READABLE)) ||
        (!conforming && (rpl > seg_dpl(&d) || cpu_cpl(cpu) > seg_dpl(&d)))) {
        return bad(cpu, X_TS, selector, ext);
    }
    if (!seg_present(&d)) {
        return bad(cpu, X_NP, selector, ext);
    }
    TRY(seg_set_accessed(cpu, &d));
    cpu->seg[segment] = seg_load(&d);
    return EXEC_OK;
}

static enum exec_result load_segments(struct cpu *cpu, const struct task_state *t, uint32_t ext)
{
    static const uint8_t data[] = { DS, ES, FS, GS };

    TRY(load_ldt(cpu, t->ldt, ext));
    if (t->eflags & RFLAGS_VM) {
        return EXEC_OK; /* they are loaded already */
    }
    TRY(load_stack(cpu, t->seg[SS], t->seg[CS] & 3, ext));
    TRY(load_code(cpu, t->seg[CS], ext));
    for (unsigned i = 0; i < sizeof(data); i++) {
        TRY(load_data(cpu, data[i], t->seg[data[i]], ext));
    }
    return EXEC_OK;
}

/* Selectors without descriptors: what a fault of the rest finds. */
static void load_selectors(struct cpu *cpu, const struct task_state *t)
{
    bool v86 = t->eflags & RFLAGS_VM;
    uint32_t cpl = v86 ? 3 : t->seg[CS] & 3;

    for (unsigned i = ES; i <= GS; i++) {
        cpu->seg[i] = v86 ? seg_v86(t->seg[i]) : (struct segment){ .selector = t->seg[i], .rights = SEG_UNUSABLE };
    }
    cpu->seg[SS].rights |= cpl << SEG_DPL_SHIFT;
    cpu->seg[CS].rights |= cpl << SEG_DPL_SHIFT;
    cpu->seg[LDTR] = (struct segment){ .selector = t->ldt, .rights = SEG_UNUSABLE };
}

enum exec_result task_load(struct cpu *cpu, const struct task_state *t, uint32_t ext)
{
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i] = t->gpr[i];
    }
    cpu->rip = t->eip;
    cpu_set_rflags(cpu, (t->eflags & RFLAGS_ALL) | RFLAGS_FIXED);
    load_selectors(cpu, t);
    cpu_update_mode(cpu);
    if (cpu->cr0 & CR0_PG && t->wide) {
        TRY(cpu_write_cr3(cpu, t->cr3));
    }
    mmu_mode_changed(cpu);
    enum exec_result result = load_segments(cpu, t, ext);
    cpu_update_mode(cpu);
    return result;
}
