/* Task switches: finding the new task, saving the old one, the order of both. */
#include "sim/cpu/system/task.h"

#include <string.h>

#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu.h"

/* Offsets in both formats: "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)". */
enum {
    TSS32_CR3 = 0x1c, TSS32_EIP = 0x20, TSS32_EFLAGS = 0x24, TSS32_GPR = 0x28, TSS32_ES = 0x48, TSS32_LDT = 0x60,
    TSS32_T = 0x64, TSS32_SIZE = 0x68,
    TSS16_IP = 0x0e, TSS16_FLAGS = 0x10, TSS16_GPR = 0x12, TSS16_ES = 0x22, TSS16_LDT = 0x2a, TSS16_SIZE = 0x2c,
};

static bool is_tss_type(unsigned type, bool busy)
{
    return busy ? type == TYPE_TSS_BUSY || type == TYPE_TSS16_BUSY : type == TYPE_TSS || type == TYPE_TSS16;
}

static bool is_wide(unsigned type)
{
    return type >= TYPE_TSS;
}

/* --- the two images ---------------------------------------------------------- */

static uint32_t word(const uint8_t *image, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, image + offset, size);
    return value;
}

static void read_image(const uint8_t *image, bool wide, struct task_state *t)
{
    unsigned size = wide ? 4 : 2;

    *t = (struct task_state){ .wide = wide };
    t->cr3 = wide ? word(image, TSS32_CR3, 4) : 0;
    t->eip = word(image, wide ? TSS32_EIP : TSS16_IP, size);
    t->eflags = word(image, wide ? TSS32_EFLAGS : TSS16_FLAGS, size);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t upper = wide ? 0 : 0xffff0000u; /* what silicon leaves above 16 bits; the manual does not say */
        t->gpr[i] = upper | word(image, (wide ? TSS32_GPR : TSS16_GPR) + i * size, size);
    }
    for (unsigned i = ES; i <= (wide ? GS : DS); i++) {
        t->seg[i] = (uint16_t)word(image, (wide ? TSS32_ES : TSS16_ES) + i * size, 2);
    }
    t->ldt = (uint16_t)word(image, wide ? TSS32_LDT : TSS16_LDT, 2);
    t->traps = wide && image[TSS32_T] & 1;
}

static void put(uint8_t *image, unsigned offset, uint32_t value, unsigned size)
{
    memcpy(image + offset, &value, size);
}

/* The part of a TSS that a switch writes: from EIP up to the last segment.  Returns its size. */
static unsigned fill_image(const struct cpu *cpu, uint64_t rip, uint64_t rflags, bool wide, uint8_t *image)
{
    unsigned size = wide ? 4 : 2, start = wide ? TSS32_EIP : TSS16_IP;
    unsigned last = wide ? GS : DS;

    put(image, 0, (uint32_t)rip, size);
    put(image, size, (uint32_t)rflags, size);
    for (unsigned i = 0; i < 8; i++) {
        put(image, (wide ? TSS32_GPR : TSS16_GPR) + i * size - start, (uint32_t)cpu->gpr[i], size);
    }
    for (unsigned i = ES; i <= last; i++) { /* only the selector: the word above it is left alone */
        put(image, (wide ? TSS32_ES : TSS16_ES) + i * size - start, cpu->seg[i].selector, 2);
    }
    return (wide ? TSS32_ES : TSS16_ES) + last * size + 2 - start;
}

/* --- the new task's descriptor -------------------------------------------------- */

/* Errors before the commit point are #GP, but of an IRET they are #TS: "Exception Conditions Checked During a
 * Task Switch". */
static enum exec_result read_tss(struct cpu *cpu, uint16_t selector, const struct task_switch *s, struct descriptor *d)
{
    bool returns = s->source == TASK_IRET;
    unsigned vector = returns ? X_TS : X_GP;
    uint32_t error = (selector & ~3u) | s->ext;

    if (selector & 4 || seg_null(selector)) {
        return cpu_raise_error(cpu, vector, error);
    }
    TRY(seg_read(cpu, selector, vector, s->ext, d));
    if (seg_is_user_type(d) || !is_tss_type(seg_type(d), returns)) {
        return cpu_raise_error(cpu, vector, error);
    }
    if (!seg_present(d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    if (seg_load(d).limit < (is_wide(seg_type(d)) ? TSS32_SIZE : TSS16_SIZE) - 1u) {
        return cpu_raise_error(cpu, X_TS, error);
    }
    return EXEC_OK;
}

static enum exec_result probe_byte(struct cpu *cpu, uint64_t linear)
{
    return mmu_probe_write(cpu, linear, 1, true);
}

static enum exec_result set_busy(struct cpu *cpu, uint64_t descriptor, bool busy)
{
    uint8_t byte;

    TRY(cpu_read_system(cpu, descriptor + 5, &byte, 1));
    byte = (uint8_t)(busy ? byte | 2 : byte & ~2);
    return cpu_write_system(cpu, descriptor + 5, &byte, 1);
}

/* --- the switch ------------------------------------------------------------------ */

/* Everything that will be written can be. */
static enum exec_result probe(struct cpu *cpu, const struct segment *tss, const struct descriptor *d, bool links,
                              bool leaves, unsigned old_start, unsigned old_size, uint32_t ext)
{
    const struct segment *old = &cpu->seg[TR];

    if (old->limit < old_start + old_size - 1) {
        return cpu_raise_error(cpu, X_TS, (old->selector & ~3u) | ext);
    }
    TRY(mmu_probe_write(cpu, old->base + old_start, old_size, true));
    if (links) {
        TRY(mmu_probe_write(cpu, tss->base, 2, true));
    }
    TRY(probe_byte(cpu, d->address + 5));
    return leaves ? probe_byte(cpu, cpu->gdtr.base + (old->selector & ~7u) + 5) : EXEC_OK;
}

/* Memory: the old task's state, busy flags, the link back.  Cannot fail, having been probed. */
static enum exec_result commit_memory(struct cpu *cpu, const struct segment *tss, const struct descriptor *d,
                                      const struct task_switch *s, const uint8_t *image, unsigned start, unsigned size)
{
    const struct segment *old = &cpu->seg[TR];
    bool nests = s->source == TASK_CALL || s->source == TASK_GATE;

    if (!nests) {
        TRY(set_busy(cpu, cpu->gdtr.base + (old->selector & ~7u), false));
    }
    TRY(cpu_write_system(cpu, old->base + start, image, size));
    if (nests) {
        TRY(cpu_write_system(cpu, tss->base, &old->selector, 2));
    }
    return s->source == TASK_IRET ? EXEC_OK : set_busy(cpu, d->address, true);
}

/* An error code goes on the new task's stack as wide as its TSS. */
static enum exec_result push_error(struct cpu *cpu, uint32_t error, unsigned width)
{
    TRY(sys_stack_write(cpu, -(int)width, &error, width));
    sys_stack_move(cpu, -(int)width);
    return EXEC_OK;
}

static void commit_registers(struct cpu *cpu, const struct descriptor *d, const struct task_state *t)
{
    cpu->seg[TR] = seg_load(d);
    cpu->seg[TR].rights |= 2; /* busy */
    cpu->cr0 |= CR0_TS;
    cpu->dr7 &= ~DR7_LOCAL;
    cpu_breakpoints_changed(cpu);
    cpu->shadow_sti = cpu->shadow_movss = false;
    if (t->traps) {
        cpu->pending_db |= DR6_BT;
        cpu_attend(cpu, ATTN_DB);
    }
}

enum exec_result task_switch(struct cpu *cpu, uint16_t selector, const struct task_switch *s)
{
    uint8_t old_image[TSS32_SIZE], new_image[TSS32_SIZE];
    bool nests = s->source == TASK_CALL || s->source == TASK_GATE;
    bool old_wide = is_wide(cpu->seg[TR].rights & SEG_TYPE);
    unsigned start = old_wide ? TSS32_EIP : TSS16_IP;
    struct task_state t;
    struct descriptor d;

    TRY(read_tss(cpu, selector, s, &d));
    struct vtx_event event = { .cause = VTX_TASK_SWITCH, .number = selector, .value = s->source };
    TRY(sys_intercept(cpu, s->insn, &event));
    sys_charge(cpu, CHARGE_INTERRUPT);
    struct segment tss = seg_load(&d);
    bool wide = is_wide(seg_type(&d));
    uint64_t rflags = s->source == TASK_IRET ? s->rflags & ~RFLAGS_NT : s->rflags;
    unsigned size = fill_image(cpu, s->rip, rflags, old_wide, old_image);
    TRY(probe(cpu, &tss, &d, nests, !nests, start, size, s->ext));
    TRY(cpu_read_system(cpu, tss.base, new_image, wide ? TSS32_SIZE : TSS16_SIZE));
    TRY(commit_memory(cpu, &tss, &d, s, old_image, start, size));
    if (selector == cpu->seg[TR].selector) { /* a task that links to itself reads what was just saved */
        TRY(cpu_read_system(cpu, tss.base, new_image, wide ? TSS32_SIZE : TSS16_SIZE));
    }
    read_image(new_image, wide, &t);
    t.eflags |= nests ? (uint32_t)RFLAGS_NT : 0;
    commit_registers(cpu, &d, &t);
    TRY(task_load(cpu, &t, s->ext));
    if (s->has_error) {
        TRY(push_error(cpu, s->error, wide ? 4 : 2));
    }
    return t.eip > cpu->seg[CS].limit ? cpu_raise_error(cpu, X_GP, s->ext) : EXEC_JUMP;
}

/* --- instructions ------------------------------------------------------------------- */

static struct task_switch by_instruction(const struct cpu *cpu, const struct sys_insn *insn, enum task_source source)
{
    return (struct task_switch){ .source = source, .rip = insn->next_rip, .rflags = cpu_rflags(cpu), .insn = insn };
}

enum exec_result task_transfer(struct cpu *cpu, const struct sys_insn *insn, const struct descriptor *d,
                               enum task_source source)
{
    struct task_switch s = by_instruction(cpu, insn, source);
    uint32_t error = d->selector & ~3u;
    uint16_t selector = d->selector;

    if (seg_dpl(d) < cpu_cpl(cpu) || seg_dpl(d) < (d->selector & 3u)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (seg_type(d) == TYPE_TASK_GATE) {
        if (!seg_present(d)) {
            return cpu_raise_error(cpu, X_NP, error);
        }
        selector = (uint16_t)(d->bits >> 16);
    }
    return task_switch(cpu, selector, &s);
}

enum exec_result task_return(struct cpu *cpu, const struct sys_insn *insn)
{
    struct task_switch s = by_instruction(cpu, insn, TASK_IRET);
    uint16_t link;

    TRY(cpu_read_system(cpu, cpu->seg[TR].base, &link, 2));
    return task_switch(cpu, link, &s);
}
