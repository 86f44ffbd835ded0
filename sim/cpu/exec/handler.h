/* What handlers are written with.  Included by the handlers_*.c files, which
 * are compiled once per tier (-DTIER="...").
 *
 * Every handler has three parts in this order: find the operands (which may
 * leave through SLOW or FAULT, nothing being changed yet), commit, continue.
 * It ends in a tail call, so the host stack does not grow and each handler has
 * an indirect jump of its own for the host to predict.
 *
 * These files are always built with -O2 and without sanitizers, in every build:
 * sibling calls are what keeps the host stack from growing.
 */
#include "sim/cpu/core.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/forms.h"
#include "sim/time/hot.h"
#include "sim/time/timing.h"

#if defined(__clang__)
#define TAIL(call) __attribute__((musttail)) return call
#else
#define TAIL(call) return call
#endif

#include TIER

#define unlikely(x) __builtin_expect(!!(x), 0)
#define likely(x) __builtin_expect(!!(x), 1)
#define INLINE static inline __attribute__((always_inline))
#define CPU_PAGE_MASK (~0xfffull)

/* --- operands ----------------------------------------------------------- */

#define REG(f) ((void *)((char *)c + FIELD(f)))
#define REG64(f) (*(uint64_t *)REG(f))
#define ADDRESS_m (REG64(base) + (uint64_t)(int64_t)FIELD(disp))
#define ADDRESS_x (REG64(base) + (REG64(index) << FIELD(scale)) + (uint64_t)(int64_t)FIELD(disp))

#if TIMED
#define TOUCH(va, host, size, is_write) time_touch(c, va, host, size, is_write)
/* The target of a conditional branch is not asked for: 0. */
#define BRANCH(target, kind, taken) time_branch(c, c->code_page + r->offset, target, kind, taken)
#define CALLED time_call(c, NEXT_RIP)
#else
#define TOUCH(va, host, size, is_write) ((void)0)
#define BRANCH(target, kind, taken) ((void)0)
#define CALLED ((void)0)
#endif
enum { IS_read = 0, IS_write = 1 };

/* Host pointer of a guest access.  The page of the last byte is compared with
 * the entry of the first: one test for miss, permission and page crossing. */
#define HOST(kind, address, size) ({                                              \
        uint64_t va_ = (address);                                                 \
        struct tlb_entry *e_ = &c->tlb[va_ >> 12 & (TLB_ENTRIES - 1)];            \
        if (unlikely(e_->tag_##kind != ((va_ + (size) - 1) & CPU_PAGE_MASK)))     \
            SLOW;                                                                 \
        void *host_ = (void *)(va_ + e_->add);                                    \
        TOUCH(va_, host_, size, IS_##kind);                                       \
        host_; })

/* The same for forms that must be aligned to their size. */
#define HOST_ALIGNED(kind, address, size) ({                                      \
        uint64_t at_ = (address);                                                 \
        if (unlikely(at_ & ((size) - 1)))                                         \
            SLOW;                                                                 \
        HOST(kind, at_, size); })

#define PLACE_r(kind, bits) REG(dst)
#define PLACE_m(kind, bits) HOST(kind, ADDRESS_m, bits / 8)
#define PLACE_x(kind, bits) HOST(kind, ADDRESS_x, bits / 8)
#define VALUE_r(bits) get(REG(src), bits)
#define VALUE_i(bits) FIELD(imm)
#define VALUE_m(bits) get(HOST(read, ADDRESS_m, bits / 8), bits)
#define VALUE_x(bits) get(HOST(read, ADDRESS_x, bits / 8), bits)

typedef int8_t s8 __attribute__((may_alias));
typedef int16_t s16 __attribute__((may_alias, aligned(1)));
typedef int32_t s32 __attribute__((may_alias, aligned(1)));
typedef int64_t s64 __attribute__((may_alias, aligned(1)));

/* Values travel sign-extended to 64 bits. */
INLINE int64_t get(const void *p, int bits)
{
    return bits == 8 ? *(const s8 *)p : bits == 16 ? *(const s16 *)p : bits == 32 ? *(const s32 *)p : *(const s64 *)p;
}

INLINE void put_m(void *p, int64_t value, int bits)
{
    if (bits == 8) *(s8 *)p = (int8_t)value;
    if (bits == 16) *(s16 *)p = (int16_t)value;
    if (bits == 32) *(s32 *)p = (int32_t)value;
    if (bits == 64) *(s64 *)p = value;
}

/* A 32-bit register write clears the upper half. */
INLINE void put_r(void *p, int64_t value, int bits)
{
    if (bits == 32) put_m(p, (uint32_t)value, 64);
    else put_m(p, value, bits);
}

#define put_x put_m

INLINE uint64_t zero_extend(int64_t value, int bits)
{
    return bits == 64 ? (uint64_t)value : (uint64_t)value & ((1ull << (bits & 63)) - 1);
}

INLINE int64_t set_flags(struct cpu *c, int kind, int bits, int64_t a, int64_t b)
{
    c->cc_kind = CC_KIND(kind, bits);
    c->cc_a = a;
    c->cc_b = b;
    return a;
}
