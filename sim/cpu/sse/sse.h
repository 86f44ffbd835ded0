/* SSE to SSE4.2 semantics: what each instruction does to its operands.
 *
 * Decoding, loading, storing and alignment checks are the hot core's.  Here
 * is only the function from operands to result:
 *
 *   enum exec_result sse_addps(cpu, dst, src, imm)      may raise #XM (rows "ssef:")
 *   void             sse_paddb(cpu, dst, src, imm)      never faults  (rows "sse:")
 *
 * 'dst' is the destination and first source, 'src' the second source: an xmm
 * register, or a copy of the memory operand (only the bytes of the operand's
 * size are read).  Where the destination is a general register (MOVMSKPS,
 * CVTSS2SI, PEXTRW) 'dst' is a scratch whose u64[0] is the register's new
 * value, zero-extended from the operation's size; where the source is one
 * (CVTSI2SD, PINSRW), src->u64[0] holds it.  UCOMIS/COMIS leave dst alone and
 * set the status flags.  'imm' is the immediate byte, 0 without one.
 *
 * Complications.  First, numbers: floating point is computed by ieee.c from
 * integers, so that NaNs, denormals, rounding and MXCSR flags are the
 * manual's on every host and compiler; the common case takes a short cut
 * through the host's own double-precision unit, under conditions in which
 * IEEE 754 leaves one answer (see ieee.h).  Second, faults: an unmasked
 * exception returns EXEC_FAULT (#XM, or #UD without CR4.OSXMMEXCPT) with dst
 * unchanged and the flag bits set in MXCSR, as silicon does.  Third, dst and
 * src may be the same object.
 *
 * RCPPS and RSQRTPS approximate.  The manual bounds their relative error by
 * 1.5 * 2^-12 and leaves the bits to the processor; ours is the exact result
 * rounded to 12 significant bits, deterministic everywhere.
 */
#ifndef SIM_CPU_SSE_SSE_H
#define SIM_CPU_SSE_SSE_H

#include "sim/cpu/cpu.h"

typedef void sse_fn(struct cpu *, union xmm *dst, const union xmm *src, unsigned imm);
typedef enum exec_result ssef_fn(struct cpu *, union xmm *dst, const union xmm *src, unsigned imm);

/* The functions that take a form of every element type. */
#define SSE_FN4(name) ssef_fn sse_##name##ps, sse_##name##pd, sse_##name##ss, sse_##name##sd

/* Arithmetic (arith.c). */
SSE_FN4(add);
SSE_FN4(sub);
SSE_FN4(mul);
SSE_FN4(div);
SSE_FN4(min);
SSE_FN4(max);
SSE_FN4(sqrt);
sse_fn sse_rcpps, sse_rcpss, sse_rsqrtps, sse_rsqrtss;

/* Compares (compare.c). */
SSE_FN4(cmp);
SSE_FN4(vcmp); /* with VEX's 32 predicates */
ssef_fn sse_ucomiss, sse_ucomisd, sse_comiss, sse_comisd;

/* Conversions (convert.c).  The names are the manual's; si is 32, sq 64 bits. */
ssef_fn sse_cvtps2pd, sse_cvtpd2ps, sse_cvtss2sd, sse_cvtsd2ss;
ssef_fn sse_cvtdq2ps, sse_cvtdq2pd, sse_cvtps2dq, sse_cvttps2dq, sse_cvtpd2dq, sse_cvttpd2dq;
ssef_fn sse_cvtsi2ss, sse_cvtsi2sd, sse_cvtsq2ss, sse_cvtsq2sd;
ssef_fn sse_cvtss2si, sse_cvtss2sq, sse_cvttss2si, sse_cvttss2sq;
ssef_fn sse_cvtsd2si, sse_cvtsd2sq, sse_cvttsd2si, sse_cvttsd2sq;

/* Logic, shuffles, unpacks, masks (shuffle.c).  Forms that do the same to bits share a
 * function: ANDPS is sse_pand, UNPCKLPD sse_punpcklqdq, PUNPCKLDQ sse_unpcklps. */
sse_fn sse_pand, sse_pandn, sse_por, sse_pxor;
sse_fn sse_shufps, sse_shufpd, sse_pshufd, sse_pshufhw, sse_pshuflw;
sse_fn sse_unpcklps, sse_unpckhps;
sse_fn sse_punpcklbw, sse_punpcklwd, sse_punpcklqdq;
sse_fn sse_punpckhbw, sse_punpckhwd, sse_punpckhqdq;
sse_fn sse_packsswb, sse_packssdw, sse_packuswb;
sse_fn sse_movmskps, sse_movmskpd, sse_pmovmskb, sse_pextrw, sse_pinsrw;

/* Integer arithmetic, compares and shifts (integer.c). */
sse_fn sse_paddb, sse_paddw, sse_paddd, sse_paddq, sse_psubb, sse_psubw, sse_psubd, sse_psubq;
sse_fn sse_paddsb, sse_paddsw, sse_paddusb, sse_paddusw;
sse_fn sse_psubsb, sse_psubsw, sse_psubusb, sse_psubusw;
sse_fn sse_pmullw, sse_pmulhw, sse_pmulhuw, sse_pmuludq, sse_pmaddwd, sse_psadbw;
sse_fn sse_pavgb, sse_pavgw, sse_pminub, sse_pmaxub, sse_pminsw, sse_pmaxsw;
sse_fn sse_pcmpeqb, sse_pcmpeqw, sse_pcmpeqd, sse_pcmpgtb, sse_pcmpgtw, sse_pcmpgtd;
/* Shift counts come from src->u64[0], or from imm in the _imm forms. */
sse_fn sse_psllw, sse_pslld, sse_psllq, sse_psrlw, sse_psrld, sse_psrlq, sse_psraw, sse_psrad;
sse_fn sse_psllw_imm, sse_pslld_imm, sse_psllq_imm, sse_psrlw_imm, sse_psrld_imm, sse_psrlq_imm;
sse_fn sse_psraw_imm, sse_psrad_imm, sse_pslldq, sse_psrldq;

/* Neighbours (horizontal.c). */
ssef_fn sse_haddps, sse_haddpd, sse_hsubps, sse_hsubpd, sse_addsubps, sse_addsubpd;
sse_fn sse_movddup, sse_movsldup, sse_movshdup;
sse_fn sse_phaddw, sse_phaddd, sse_phaddsw, sse_phsubw, sse_phsubd, sse_phsubsw;

/* Later integer arithmetic and compares (integer4.c).  PTEST sets the status flags and leaves dst alone. */
sse_fn sse_pabsb, sse_pabsw, sse_pabsd, sse_psignb, sse_psignw, sse_psignd, sse_pmulhrsw, sse_pmaddubsw;
sse_fn sse_pminsb, sse_pmaxsb, sse_pminuw, sse_pmaxuw, sse_pminsd, sse_pmaxsd, sse_pminud, sse_pmaxud;
sse_fn sse_pmulld, sse_pmuldq, sse_pcmpeqq, sse_pcmpgtq, sse_mpsadbw, sse_phminposuw, sse_ptest;

/* Bytes shuffled, blended, inserted, extracted, widened (blend.c).  The variable blends choose by the top bits
 * of XMM0's elements, their _by forms by those of 'mask'. */
sse_fn sse_pshufb, sse_palignr, sse_packusdw, sse_blendps, sse_blendpd, sse_pblendw;
sse_fn sse_pblendvb, sse_blendvps, sse_blendvpd;
typedef void sse_blend_fn(union xmm *dst, const union xmm *src, const union xmm *mask);
sse_blend_fn sse_pblendvb_by, sse_blendvps_by, sse_blendvpd_by;
sse_fn sse_insertps, sse_insertps_m, sse_pinsrb, sse_pinsrd, sse_pinsrq, sse_pextrb, sse_pextrd, sse_pextrq;
sse_fn sse_pmovsxbw, sse_pmovsxbd, sse_pmovsxbq, sse_pmovsxwd, sse_pmovsxwq, sse_pmovsxdq;
sse_fn sse_pmovzxbw, sse_pmovzxbd, sse_pmovzxbq, sse_pmovzxwd, sse_pmovzxwq, sse_pmovzxdq;

/* Rounding and dot products (round.c). */
SSE_FN4(round);
ssef_fn sse_dpps, sse_dppd;

/* String compares (text.c): ECX or XMM0, and the status flags; dst stays.  _w: lengths are 64 bits wide. */
sse_fn sse_pcmpistri, sse_pcmpistrm, sse_pcmpestri, sse_pcmpestrm, sse_pcmpestri_w, sse_pcmpestrm_w;

/* Cryptography (aes.c, clmul.c, sha.c).  SHA256RNDS2 takes its third operand from XMM0. */
sse_fn sse_aesenc, sse_aesenclast, sse_aesdec, sse_aesdeclast, sse_aesimc, sse_aeskeygenassist, sse_pclmulqdq;
sse_fn sse_sha1rnds4, sse_sha1nexte, sse_sha1msg1, sse_sha1msg2, sse_sha256rnds2, sse_sha256msg1, sse_sha256msg2;

/* MASKMOVDQU (maskmov.c) is a system-shaped row: its operand is [rDI]. */
sys_fn sys_maskmovdqu;
/* The bytes of 'data' that 'mask' selects to [rDI]: for it and MASKMOVQ. */
enum exec_result sse_masked_store(struct cpu *, const struct sys_insn *, const union xmm *data, const union xmm *mask,
                                  unsigned bytes);

#endif
