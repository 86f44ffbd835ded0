/* Virtual-8086 mode: entry by IRETD, virtual interrupt flag, redirected software interrupts. */
#include "sim/cpu/system/v86.h"

#include "sim/cpu/system/segment.h"

enum { TSS_IO_MAP_BASE = 102, REDIRECTION_BYTES = 32 };

static unsigned iopl_of(uint64_t rflags)
{
    return rflags >> RFLAGS_IOPL_SHIFT & 3;
}

enum if_owner v86_if_owner(const struct cpu *cpu)
{
    if (!(cpu->cr0 & CR0_PE) || cpu_cpl(cpu) <= iopl_of(cpu->rflags_rest)) {
        return IF_OWN;
    }
    uint64_t extension = cpu_is_v86(cpu) ? CR4_VME : CR4_PVI;
    return cpu_cpl(cpu) == 3 && cpu->cr4 & extension ? IF_VIRTUAL : IF_NONE;
}

enum exec_result v86_virtual_flags(struct cpu *cpu, uint64_t image, uint64_t *rflags)
{
    uint64_t old = cpu_rflags(cpu);
    uint64_t mask = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;

    if (image & RFLAGS_TF || (image & RFLAGS_IF && old & RFLAGS_VIP)) {
        return sys_gp(cpu);
    }
    *rflags = (old & ~(mask | RFLAGS_VIF | RFLAGS_RF)) | (image & mask) | RFLAGS_FIXED |
              (image & RFLAGS_IF ? RFLAGS_VIF : 0);
    return EXEC_OK;
}

enum exec_result v86_enter(struct cpu *cpu, const struct sys_insn *insn)
{
    static const uint8_t order[] = { SS, ES, DS, FS, GS }; /* behind EIP, CS, EFLAGS, ESP */
    uint32_t frame[9];

    (void)insn;
    for (int i = 0; i < 9; i++) {
        TRY(sys_stack_read(cpu, 4 * i, &frame[i], 4));
    }
    if (frame[0] > 0xffff) {
        return sys_gp(cpu);
    }
    cpu->seg[CS] = seg_v86((uint16_t)frame[1]);
    for (unsigned i = 0; i < 5; i++) {
        cpu->seg[order[i]] = seg_v86((uint16_t)frame[4 + i]);
    }
    cpu->gpr[RSP] = frame[3];
    cpu->rip = frame[0];
    return EXEC_OK;
}

/* --- INT n ---------------------------------------------------------------------- */

/* Does the TSS leave this vector to the 8086 program?  "Software Interrupt Redirection Bit Map". */
static enum exec_result is_redirected(struct cpu *cpu, uint8_t vector, bool *redirected)
{
    const struct segment *tr = &cpu->seg[TR];
    uint16_t map;
    uint8_t bits;

    *redirected = false;
    if ((tr->rights & SEG_TYPE) < TYPE_TSS || TSS_IO_MAP_BASE + 1 > tr->limit) {
        return sys_gp(cpu);
    }
    TRY(cpu_read_system(cpu, tr->base + TSS_IO_MAP_BASE, &map, 2));
    uint32_t offset = map - (uint32_t)REDIRECTION_BYTES + vector / 8u;
    if (offset > tr->limit) {
        return sys_gp(cpu);
    }
    TRY(cpu_read_system(cpu, tr->base + offset, &bits, 1));
    *redirected = !(bits >> (vector & 7) & 1);
    return EXEC_OK;
}

/* As in real mode, with IOPL and IF as the 8086 program believes them to be. */
static enum exec_result redirect(struct cpu *cpu, const struct sys_insn *insn, uint8_t vector)
{
    bool own = v86_if_owner(cpu) == IF_OWN;
    uint64_t rflags = cpu_rflags(cpu), image = rflags;
    uint16_t entry[2];

    if (!own) {
        image = (rflags & ~RFLAGS_IF) | RFLAGS_IOPL | (rflags & RFLAGS_VIF ? RFLAGS_IF : 0);
    }
    uint16_t frame[3] = { (uint16_t)insn->next_rip, cpu->seg[CS].selector, (uint16_t)image };
    TRY(cpu_read(cpu, vector * 4u, entry, sizeof(entry)));
    TRY(sys_stack_write_words(cpu, frame, 3, 2));
    sys_stack_move(cpu, -(int)sizeof(frame));
    cpu->seg[CS] = seg_v86(entry[1]);
    cpu->rip = entry[0];
    cpu_set_rflags(cpu, rflags & ~(RFLAGS_TF | RFLAGS_RF | (own ? RFLAGS_IF : RFLAGS_VIF)));
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}

enum exec_result v86_int_n(struct cpu *cpu, const struct sys_insn *insn)
{
    uint8_t vector = (uint8_t)insn->imm;

    if (cpu->cr4 & CR4_VME) {
        bool redirected;
        TRY(is_redirected(cpu, vector, &redirected));
        if (redirected) {
            return redirect(cpu, insn, vector);
        }
    }
    return iopl_of(cpu->rflags_rest) == 3 ? EXEC_OK : sys_gp(cpu);
}
