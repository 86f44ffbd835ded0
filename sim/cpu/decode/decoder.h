/* What builders work with.  For decode/ only.
 *
 * A builder gets one instruction taken apart and emits its records in order:
 * first what can fault without changing anything, last what commits.  The
 * operand helpers emit address records where the address needs computing, and
 * leave base, index, scale and disp in `fields`, from where every emit takes them.
 */
#ifndef SIM_CPU_DECODE_DECODER_H
#define SIM_CPU_DECODE_DECODER_H

#include "sim/cpu/decode/decode.h"
#include "sim/cpu/exec/forms.h"
#include "x86/builders.h"

enum { FROM_REG, FROM_M, FROM_X };                 /* where the r/m operand is; order of SOURCES */
enum producer { ANY, AFTER_SUB, AFTER_LOGIC, AFTER_RESULT }; /* who set the flags; order of PRODUCERS */

struct decoder {
    const struct decode_request *q;
    struct decoded d;           /* the instruction at hand */
    struct insn *first, *next;  /* its first record, next free record */
    struct sys_site *sites;
    struct insn fields;         /* operands collected so far */
    unsigned offset;            /* of the instruction in its page [bytes] */
    unsigned v;                 /* operand size of the first operand [bytes] */
    unsigned from;              /* [FROM_*], after operand_memory() */
    enum producer producer;
    int64_t target;             /* of a direct jump [bytes from code_page] */
    bool ended;                 /* this instruction ends the block */
    bool long64;
};

/* Arguments of builders (opcodes.tbl: builder:argument). */
enum {
    ARG_alu_add, ARG_alu_or, ARG_alu_adc, ARG_alu_sbb, ARG_alu_and, ARG_alu_sub, ARG_alu_xor, ARG_alu_cmp, ARG_alu_test,
};
enum { ARG_unary_inc, ARG_unary_dec, ARG_unary_not, ARG_unary_neg };
enum { ARG_muldiv_mul, ARG_muldiv_imul, ARG_muldiv_div, ARG_muldiv_idiv };
enum { ARG_shift_rol, ARG_shift_ror, ARG_shift_rcl, ARG_shift_rcr, ARG_shift_shl, ARG_shift_shr, ARG_shift_sar };
enum { ARG_shift_double_shld, ARG_shift_double_shrd };
enum { ARG_bit_bt, ARG_bit_bts, ARG_bit_btr, ARG_bit_btc };
enum { ARG_scan_popcnt, ARG_scan_bsf, ARG_scan_bsr, ARG_scan_tzcnt, ARG_scan_lzcnt };
enum {
    ARG_bits_andn, ARG_bits_bextr, ARG_bits_blsi, ARG_bits_blsmsk, ARG_bits_blsr, ARG_bits_bzhi, ARG_bits_mulx,
    ARG_bits_pdep, ARG_bits_pext, ARG_bits_rorx, ARG_bits_sarx, ARG_bits_shlx, ARG_bits_shrx, ARG_bits_adcx, ARG_bits_adox,
};
enum { ARG_extend_zx, ARG_extend_sx };
enum { ARG_widen_cbw, ARG_widen_cwd };
enum { ARG_flag_sahf, ARG_flag_lahf, ARG_flag_cmc, ARG_flag_clc, ARG_flag_stc, ARG_flag_cld, ARG_flag_std, ARG_flag_salc };
enum { ARG_loop_loop, ARG_loop_loope, ARG_loop_loopne, ARG_loop_jcxz };
enum { ARG_string_movs, ARG_string_cmps, ARG_string_stos, ARG_string_lods, ARG_string_scas };
enum { ARG_decimal_daa, ARG_decimal_das, ARG_decimal_aaa, ARG_decimal_aas, ARG_decimal_aam, ARG_decimal_aad };
enum { ARG_legacy_pusha, ARG_legacy_popa, ARG_legacy_push_sreg };
enum { ARG_sse_load_4 = 4, ARG_sse_load_8 = 8, ARG_sse_load_16 = 16 };
enum { ARG_sse_store_4 = 4, ARG_sse_store_8 = 8, ARG_sse_store_16 = 16 };
enum { ARG_avx_load_d, ARG_avx_load_q, ARG_avx_load_x };
enum { ARG_avx_store_d, ARG_avx_store_q, ARG_avx_store_x };
enum { ARG_avx_zero_upper, ARG_avx_zero_all };
enum { ARG_avx_spread_1 = 1, ARG_avx_spread_2 = 2, ARG_avx_spread_4 = 4, ARG_avx_spread_8 = 8, ARG_avx_spread_16 = 16 };
enum { ARG_sse_load_half_low, ARG_sse_load_half_high };
enum { ARG_sse_merge_low4, ARG_sse_merge_low8, ARG_sse_merge_high_to_low, ARG_sse_merge_low_to_high };

/* --- decoder.c: shared by all builders ------------------------------------------- */

/* Adds a record with the collected fields. Always true, so builders can end in it. */
bool emit(struct decoder *, unsigned form);
bool emit_to(struct decoder *, unsigned form, uint8_t dst, uint8_t src);
bool emit_value(struct decoder *, uint8_t dst, int64_t value); /* slot = value */
/* A record that calls a function; sets `ended` for functions that always jump. */
bool emit_sys(struct decoder *, sys_fn *);
void emit_locked(struct decoder *); /* timing of a LOCK prefix */

static inline unsigned sized(unsigned form_8, unsigned bytes) { return form_8 + (unsigned)__builtin_ctz(bytes); }
static inline unsigned worded(unsigned form_16, unsigned bytes) { return form_16 + (unsigned)__builtin_ctz(bytes) - 1; }

uint8_t slot_of(const struct decoder *, unsigned reg, unsigned bytes); /* AH.. where there is no REX */
static inline uint8_t slot_g(const struct decoder *d, unsigned bytes) { return slot_of(d, d->d.sys.reg, bytes); }
static inline uint8_t slot_rm(const struct decoder *d, unsigned bytes) { return slot_of(d, d->d.sys.rm, bytes); }
static inline bool is_register(const struct decoder *d) { return d->d.sys.modrm >> 6 == 3; }

/* Prepares the r/m operand's address (nothing to do for a register); sets `from`. */
void operand_memory(struct decoder *);
/* The same, but always in the m form. */
void operand_memory_m(struct decoder *);
/* Always an address in cpu->addr. */
void operand_address(struct decoder *);
void operand_segment(struct decoder *);   /* makes what is in cpu->addr, an effective address, linear */
/* r/m operand as a slot, loading memory into temp. */
uint8_t operand_load(struct decoder *, unsigned bytes);
/* r/m operand that is changed in place: load before, store after. */
uint8_t operand_modify(struct decoder *, unsigned bytes);
bool operand_store(struct decoder *, unsigned bytes);

unsigned conditional(const struct decoder *, unsigned form_any_o, unsigned condition);
bool has_operand(const struct x86_row *, unsigned n, unsigned kind);

/* --- functions behind builders (exec/legacy.c, string.c) ---------------------------- */

sys_fn legacy_push, legacy_pop, legacy_call, legacy_call_indirect, legacy_jmp, legacy_jmp_indirect, legacy_ret,
    legacy_jcc, legacy_loop, legacy_enter, legacy_leave, legacy_push_sreg, legacy_pusha, legacy_popa, legacy_decimal,
    core_too_long;
sys_fn string_movs, string_cmps, string_stos, string_lods, string_scas;

#endif
