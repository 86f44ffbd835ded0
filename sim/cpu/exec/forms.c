/* The table of forms: names, handlers of each tier, what they touch. */
#include "sim/cpu/exec/forms.h"

#include "sim/cpu/core.h"
#include "x86/opcodes.h"

#define X(name, memory, bits) op_fn op_##name, timed_##name;
#define SSE_FORM(id, fn, faults, quick, size, to, from) op_fn op_##id##_r, op_##id##_m, timed_##id##_r, timed_##id##_m;
#define AVX_FORM_SCALAR(id, fn, size, to, from) op_fn op_##id##_r, op_##id##_m, timed_##id##_r, timed_##id##_m;
#define AVX_FORM(id, fn) AVX_FORM_SCALAR(id, fn, , , ) op_fn op_##id##_r2, op_##id##_m2, timed_##id##_r2, timed_##id##_m2;
#define MMX_FORM(id, fn, faults, size, to, from) op_fn op_##id##_r, op_##id##_m, timed_##id##_r, timed_##id##_m;
ALL_FORMS
FUSED_OPS(ROW_FUSED)
#include "x86/sse_forms.def"
#include "x86/mmx_forms.def"
#include "x86/avx_forms.def"
#undef AVX_FORM
#undef AVX_FORM_SCALAR
#undef MMX_FORM
#undef SSE_FORM
#undef X

enum { SSE_ALIGNED_W = 1, SSE_ALIGNED_X = 0, SSE_ALIGNED_E = 0 };
#define X(name, memory, bits) [FORM_##name] = { #name, op_##name, timed_##name, memory, bits / 8 },
#define SSE_FORM(id, fn, faults, quick, size, to, from)                                          \
    [FORM_##id##_r] = { #id "_r", op_##id##_r, timed_##id##_r, NONE, size },              \
    [FORM_##id##_m] = { #id "_m", op_##id##_m, timed_##id##_m, AT_X | (size == 16 && SSE_ALIGNED_##from ? ALIGN : 0), size },
#define AVX_FORM_SCALAR(id, fn, size, to, from)                                           \
    [FORM_##id##_r] = { #id "_r", op_##id##_r, timed_##id##_r, NONE, size },              \
    [FORM_##id##_m] = { #id "_m", op_##id##_m, timed_##id##_m, AT_X, size },
#define AVX_FORM(id, fn)                                                                  \
    AVX_FORM_SCALAR(id, fn, 16, , )                                                       \
    [FORM_##id##_r2] = { #id "_r2", op_##id##_r2, timed_##id##_r2, NONE, 32 },            \
    [FORM_##id##_m2] = { #id "_m2", op_##id##_m2, timed_##id##_m2, AT_X, 32 },
#define MMX_FORM(id, fn, faults, size, to, from)                                                 \
    [FORM_##id##_r] = { #id "_r", op_##id##_r, timed_##id##_r, NONE, size },              \
    [FORM_##id##_m] = { #id "_m", op_##id##_m, timed_##id##_m, AT_X | (size == 16 ? ALIGN : 0), size },
const struct form_info form_info[FORM_COUNT] = {
    ALL_FORMS
    FUSED_OPS(ROW_FUSED)
#include "x86/sse_forms.def"
#include "x86/mmx_forms.def"
#include "x86/avx_forms.def"
    [FORM_exit] = { "exit", core_exit, core_exit, NONE, 0 },
    [FORM_stop] = { "stop", core_stop, core_stop, NONE, 0 },
};
#undef MMX_FORM
#undef SSE_FORM
#undef X

#define UNFUSED(cond, n, name, producer, d, s, mem, bits) \
    [FORM_##name##_##d##s##_##bits##_j##cond - FORM_FUSED] = FORM_##name##_##d##s##_##bits,
const uint16_t form_unfused[FORM_COUNT - FORM_FUSED] = { FUSED_OPS(UNFUSED) };

/* --- branches ------------------------------------------------------------------------ */

enum { OPCODE_INDIRECT = 0xff };

/* What is left to functions: far transfers, and near ones outside 64-bit mode. */
static enum branch_type sys_branch_type(const struct sys_insn *insn)
{
    bool indirect = insn->opcode == OPCODE_INDIRECT;

    switch (insn->op) {
    case OP_JO ... OP_JNLE: case OP_LOOPNE: case OP_LOOPE: case OP_LOOP: case OP_JCXZ: return BRANCH_CONDITIONAL_JUMP;
    case OP_CALL: return indirect ? BRANCH_INDIRECT_CALL : BRANCH_RELATIVE_CALL;
    case OP_JMP: return indirect ? BRANCH_INDIRECT_JUMP : BRANCH_RELATIVE_JUMP;
    case OP_RET: return BRANCH_NEAR_RETURN;
    case OP_CALL_FAR: case OP_JMP_FAR: case OP_RET_FAR: case OP_IRET: case OP_INT: case OP_INT1: case OP_INT3: case OP_INTO:
    case OP_SYSCALL: case OP_SYSRET: case OP_SYSENTER: case OP_SYSEXIT: return BRANCH_FAR;
    default: return BRANCH_NONE;
    }
}

enum branch_type form_branch_type(const struct insn *r)
{
    while (r->part) {
        r++;
    }
    unsigned form = form_loud(r->form);
    switch (form) {
    case FORM_sys: return sys_branch_type(&r->site->insn);
    case FORM_jcc_any_o ... FORM_jcc_logic_nle: case FORM_loop_32 ... FORM_jcxz_64: return BRANCH_CONDITIONAL_JUMP;
    case FORM_jump: case FORM_away: return BRANCH_RELATIVE_JUMP;
    case FORM_go: return BRANCH_INDIRECT_JUMP;
    case FORM_call: case FORM_call_away: return BRANCH_RELATIVE_CALL;
    case FORM_call_go: return BRANCH_INDIRECT_CALL;
    case FORM_ret: return BRANCH_NEAR_RETURN;
    default: return BRANCH_NONE;
    }
}

unsigned form_fused(unsigned form, unsigned condition)
{
#define FUSED(cond, n, name, producer, d, s, mem, bits) \
    [FORM_##name##_##d##s##_##bits][n] = FORM_##name##_##d##s##_##bits##_j##cond,
    static const uint16_t fused[FORM_quiet_add_rr_8][16] = { FUSED_OPS(FUSED) };
    return form_sets_flags(form) ? fused[form][condition] : 0;
}
