/* A comparison and the conditional jump behind it in one handler. */
#include "sim/cpu/exec/handler.h"
#include "sim/cpu/exec/conditions.h"

/* What the comparison leaves for flags and, for arithmetic, its destination. */
#define do_cmp(a, b, bits) set_flags(c, CC_SUB, bits, a, b)
#define do_test(a, b, bits) set_flags(c, CC_LOGIC, bits, (a) & (b), 0)
#define do_sub(a, b, bits) (set_flags(c, CC_SUB, bits, a, b), \
        put_r(REG(dst), (int64_t)((uint64_t)(a) - (uint64_t)(b)), bits))
#define do_and(a, b, bits) put_r(REG(dst), set_flags(c, CC_LOGIC, bits, (a) & (b), 0), bits)
#define do_add(a, b, bits) put_r(REG(dst), set_flags(c, CC_ADD, bits, \
        sign_extend((int64_t)((uint64_t)(a) + (uint64_t)(b)), bits), b), bits)

#if TIMED
#define REPORT(taken) time_branch(c, c->code_page + r[1].offset, 0, BRANCH_CONDITIONAL, taken)
#else
#define REPORT(taken) ((void)0)
#endif

#define FUSED(cond, n, name, producer, d, s, mem, bits) OP(name##_##d##s##_##bits##_j##cond) { \
        void *to = PLACE_##d(read, bits);                                      \
        int64_t b = VALUE_##s(bits), a = get(to, bits);                        \
        do_##name(a, b, bits);                                                 \
        bool taken = test_##producer(c, n);                                    \
        REPORT(taken);                                                         \
        if (taken) CONTINUE(r[1].link);                                         \
        CONTINUE(r[2].link); }
FUSED_OPS(FUSED)
