/* XSAVE, XRSTOR and their kin; XCR0. */
#include "sim/cpu/system/xsave.h"

#include <string.h>

#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/sys.h"
#include "sim/cpu/x87/x87.h"

enum {
    LEGACY_SIZE = 512, HEADER_SIZE = 64, EXTENDED = LEGACY_SIZE + HEADER_SIZE, AREA_MAX = 4096,
    X87_LOW = 24, X87_REGISTERS = 32, X87_END = 160, MXCSR_AT = 24, XMM_AT = 160, /* in the legacy image */
    MXCSR_INIT = 0x1f80, MXCSR_VALID = 0xffff,
    XSTATE_BV = 512, XCOMP_BV = 520, /* in the header; the rest of it is zero */
};

enum component_number {
#define XSTATE(name, bit, offset, size, feature) NUMBER_##name,
#include "spec/x86/xstate.def"
    COMPONENT_COUNT
};

/* Bits of the components. */
enum {
#define XSTATE(name, bit, offset, size, feature) STATE_##name = 1 << bit,
#include "spec/x86/xstate.def"
};
#define COMPACTED (1ull << 63) /* XCOMP_BV */

static const struct component { uint8_t bit; uint16_t offset, size, feature; } components[COMPONENT_COUNT] = {
#define XSTATE(name, bit, offset, size, feature) [NUMBER_##name] = { bit, offset, size, CPU_##feature },
#include "spec/x86/xstate.def"
};

uint64_t xsave_supported(const struct cpu *cpu)
{
    uint64_t supported = 0;

    for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
        if (cpu_has(cpu, CPU_XSAVE) && cpu_has(cpu, (enum cpu_feature)components[i].feature)) {
            supported |= 1ull << components[i].bit;
        }
    }
    return supported;
}

/* --- places ------------------------------------------------------------------------- */

/* Where an extended component lies; 'xcomp_bv' 0: in the standard format. */
static unsigned offset_of(enum component_number number, uint64_t xcomp_bv)
{
    unsigned offset = EXTENDED;

    if (!xcomp_bv) {
        return components[number].offset;
    }
    for (unsigned i = NUMBER_AVX; i < number; i++) {
        offset += xcomp_bv >> components[i].bit & 1 ? components[i].size : 0;
    }
    return offset;
}

/* Of an area with the components 'bitmap'. */
static unsigned area_size(uint64_t bitmap, bool compacted)
{
    unsigned end = EXTENDED;

    for (unsigned i = NUMBER_AVX; i < COMPONENT_COUNT; i++) {
        if (bitmap >> components[i].bit & 1) {
            end = offset_of((enum component_number)i, compacted ? bitmap | COMPACTED : 0) + components[i].size;
        }
    }
    return end;
}

/* --- which components ---------------------------------------------------------------- */

static unsigned vector_count(const struct cpu *cpu)
{
    return sys_is_long64(cpu) ? 16 : 8;
}

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= p[i];
    }
    return any == 0;
}

static uint64_t in_use(const struct cpu *cpu)
{
    return (x87_image_is_initial(cpu) ? 0 : STATE_X87) |
           (all_zero(cpu->xmm, sizeof(cpu->xmm)) ? 0 : STATE_SSE) |
           (all_zero(cpu->ymm_high, sizeof(cpu->ymm_high)) ? 0 : STATE_AVX) |
           (cpu->pkru ? STATE_PKRU : 0);
}

/* EDX:EAX, as far as XCR0 has enabled it. */
static uint64_t requested(const struct cpu *cpu, uint64_t enabled)
{
    return enabled & (cpu->gpr[RDX] << 32 | (uint32_t)cpu->gpr[RAX]);
}

/* --- an area in memory ----------------------------------------------------------------- */

static enum exec_result check_enabled(struct cpu *cpu)
{
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        return cpu_raise(cpu, X_UD);
    }
    return cpu->cr0 & CR0_TS ? cpu_raise(cpu, X_NM) : EXEC_OK;
}

static enum exec_result area_address(struct cpu *cpu, const struct sys_insn *insn, unsigned size, enum access_kind kind,
                                     uint64_t *linear)
{
    TRY(cpu_linear(cpu, insn->segment, insn->ea, size, kind, linear));
    return *linear & 63 ? sys_gp(cpu) : EXEC_OK;
}

/* What a write would fault with, before anything is written. */
static enum exec_result check_writable(struct cpu *cpu, uint64_t linear, unsigned size)
{
    unsigned room = 4096 - (unsigned)(linear & 4095), first = room < size ? room : size;
    uint8_t *host;
    uint64_t spa;

    TRY(mmu_fill(cpu, linear, first, ACCESS_WRITE, &host, &spa));
    return first < size ? mmu_fill(cpu, linear + first, size - first, ACCESS_WRITE, &host, &spa) : EXEC_OK;
}

static enum exec_result put(struct cpu *cpu, uint64_t area, unsigned offset, const void *from, unsigned size)
{
    return cpu_write(cpu, area + offset, from, size);
}

/* --- saving -------------------------------------------------------------------------- */

static bool is_wide(const struct cpu *cpu, const struct sys_insn *insn)
{
    return sys_is_long64(cpu) && insn->rex & 8;
}

static enum exec_result save_x87(struct cpu *cpu, const struct sys_insn *insn, uint64_t area)
{
    uint8_t image[X87_IMAGE_SIZE] = { 0 };

    x87_image_put(cpu, image, is_wide(cpu, insn));
    TRY(put(cpu, area, 0, image, X87_LOW));
    return put(cpu, area, X87_REGISTERS, image + X87_REGISTERS, X87_END - X87_REGISTERS);
}

static enum exec_result save_mxcsr(struct cpu *cpu, uint64_t area)
{
    uint32_t both[2] = { cpu->mxcsr, MXCSR_VALID };

    return put(cpu, area, MXCSR_AT, both, sizeof(both));
}

/* Writes the components of 'saved', to where 'xcomp_bv' says. */
static enum exec_result save_components(struct cpu *cpu, const struct sys_insn *insn, uint64_t area, uint64_t saved,
                                        uint64_t xcomp_bv)
{
    unsigned vectors = vector_count(cpu) * (unsigned)sizeof(union xmm);

    if (saved & STATE_X87) {
        TRY(save_x87(cpu, insn, area));
    }
    if (saved & STATE_SSE) {
        TRY(put(cpu, area, XMM_AT, cpu->xmm, vectors));
    }
    if (saved & STATE_AVX) {
        TRY(put(cpu, area, offset_of(NUMBER_AVX, xcomp_bv), cpu->ymm_high, vectors));
    }
    if (saved & STATE_PKRU) {
        uint64_t pkru = cpu->pkru;
        TRY(put(cpu, area, offset_of(NUMBER_PKRU, xcomp_bv), &pkru, sizeof(pkru)));
    }
    return EXEC_OK;
}

/* SDM Vol 1 "Operation of XSAVE", "Operation of XSAVEOPT". */
static enum exec_result save_standard(struct cpu *cpu, const struct sys_insn *insn, bool only_in_use)
{
    uint64_t area, old, used = in_use(cpu);

    TRY(check_enabled(cpu));
    uint64_t rfbm = requested(cpu, cpu->xcr0);
    unsigned size = area_size(rfbm, false);
    TRY(area_address(cpu, insn, size, ACCESS_WRITE, &area));
    TRY(check_writable(cpu, area, size));
    TRY(cpu_read(cpu, area + XSTATE_BV, &old, 8));
    TRY(save_components(cpu, insn, area, only_in_use ? rfbm & used : rfbm, 0));
    if (rfbm & (STATE_SSE | STATE_AVX)) {
        TRY(save_mxcsr(cpu, area));
    }
    uint64_t xstate_bv = (old & ~rfbm) | (used & rfbm);
    return put(cpu, area, XSTATE_BV, &xstate_bv, 8);
}

/* SDM Vol 1 "Operation of XSAVEC", "Operation of XSAVES".  MXCSR is part of the SSE component here. */
static enum exec_result save_compacted(struct cpu *cpu, const struct sys_insn *insn, uint64_t enabled)
{
    uint64_t area, rfbm = requested(cpu, enabled), saved = rfbm & in_use(cpu);
    unsigned size = area_size(rfbm, true);

    if (rfbm & STATE_SSE && cpu->mxcsr != MXCSR_INIT) {
        saved |= STATE_SSE;
    }
    uint64_t header[2] = { saved, rfbm | COMPACTED };
    TRY(area_address(cpu, insn, size, ACCESS_WRITE, &area));
    TRY(check_writable(cpu, area, size));
    TRY(save_components(cpu, insn, area, saved, header[1]));
    if (saved & STATE_SSE) {
        TRY(save_mxcsr(cpu, area));
    }
    return put(cpu, area, XSTATE_BV, header, sizeof(header));
}

enum exec_result sys_xsave(struct cpu *cpu, const struct sys_insn *insn)
{
    return save_standard(cpu, insn, false);
}

enum exec_result sys_xsaveopt(struct cpu *cpu, const struct sys_insn *insn)
{
    return save_standard(cpu, insn, true);
}

enum exec_result sys_xsavec(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(check_enabled(cpu));
    return save_compacted(cpu, insn, cpu->xcr0);
}

enum exec_result sys_xsaves(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(sys_intercept_plain(cpu, insn, VTX_XSAVES)); /* #UD without its control, before all else */
    TRY(check_enabled(cpu));
    TRY(sys_require_cpl0(cpu));
    return save_compacted(cpu, insn, cpu->xcr0 | cpu->xss);
}

/* --- restoring ------------------------------------------------------------------------ */

/* An area, read and found valid. */
struct restore {
    uint64_t rfbm;      /* what is asked for */
    uint64_t present;   /* XSTATE_BV */
    uint64_t xcomp_bv;  /* 0: standard format */
    uint32_t mxcsr;
    bool takes_mxcsr;   /* from the area; else it becomes initial or stays */
    uint8_t bytes[AREA_MAX];
};

/* SDM Vol 1 "Operation of XRSTOR", "Operation of XRSTORS": what is #GP. */
static bool header_is_valid(const struct cpu *cpu, const struct restore *r, uint64_t enabled, bool must_be_compacted)
{
    if (!(r->xcomp_bv & COMPACTED)) {
        return !must_be_compacted && !(r->present & ~enabled) && all_zero(r->bytes + XCOMP_BV, 16);
    }
    return cpu_has(cpu, CPU_XSAVEC) && !(r->xcomp_bv & ~COMPACTED & ~enabled) && !(r->present & ~r->xcomp_bv) &&
           all_zero(r->bytes + XCOMP_BV + 8, HEADER_SIZE - 16);
}

static enum exec_result read_area(struct cpu *cpu, const struct sys_insn *insn, struct restore *r, uint64_t enabled,
                                  bool must_be_compacted)
{
    uint64_t area;

    r->rfbm = requested(cpu, enabled);
    TRY(area_address(cpu, insn, EXTENDED, ACCESS_READ, &area));
    TRY(cpu_read(cpu, area, r->bytes, EXTENDED));
    memcpy(&r->present, r->bytes + XSTATE_BV, 8);
    memcpy(&r->xcomp_bv, r->bytes + XCOMP_BV, 8);
    if (!header_is_valid(cpu, r, enabled, must_be_compacted)) {
        return sys_gp(cpu);
    }
    for (unsigned i = NUMBER_AVX; i < COMPONENT_COUNT; i++) {
        if (r->rfbm & r->present & 1ull << components[i].bit) {
            unsigned offset = offset_of((enum component_number)i, r->xcomp_bv);
            TRY(cpu_linear(cpu, insn->segment, insn->ea + offset, components[i].size, ACCESS_READ, &area));
            TRY(cpu_read(cpu, area, r->bytes + offset, components[i].size));
        }
    }
    /* The standard format has MXCSR with AVX too, and whatever XSTATE_BV says. */
    r->takes_mxcsr = r->xcomp_bv ? r->rfbm & r->present & STATE_SSE : r->rfbm & (STATE_SSE | STATE_AVX);
    memcpy(&r->mxcsr, r->bytes + MXCSR_AT, 4);
    return r->takes_mxcsr && r->mxcsr & ~(uint32_t)MXCSR_VALID ? sys_gp(cpu) : EXEC_OK;
}

static void load_vectors(const struct cpu *cpu, union xmm *to, const struct restore *r, unsigned bit, unsigned offset)
{
    unsigned size = vector_count(cpu) * (unsigned)sizeof(union xmm);

    if (r->present & bit) {
        memcpy(to, r->bytes + offset, size);
    } else {
        memset(to, 0, size);
    }
}

/* The components asked for, from the area or initial. */
static void commit(struct cpu *cpu, const struct sys_insn *insn, const struct restore *r)
{
    if (r->rfbm & STATE_X87 && r->present & STATE_X87) {
        x87_image_get(cpu, r->bytes, is_wide(cpu, insn));
    } else if (r->rfbm & STATE_X87) {
        x87_image_init(cpu);
    }
    if (r->rfbm & STATE_SSE) {
        load_vectors(cpu, cpu->xmm, r, STATE_SSE, XMM_AT);
    }
    if (r->takes_mxcsr) {
        cpu->mxcsr = r->mxcsr;
    } else if (r->rfbm & STATE_SSE) {
        cpu->mxcsr = MXCSR_INIT;
    }
    if (r->rfbm & STATE_AVX) {
        load_vectors(cpu, cpu->ymm_high, r, STATE_AVX, offset_of(NUMBER_AVX, r->xcomp_bv));
    }
}

static void commit_pkru(struct cpu *cpu, const struct restore *r)
{
    uint32_t pkru = 0;

    if (!(r->rfbm & STATE_PKRU)) {
        return;
    }
    if (r->present & STATE_PKRU) {
        memcpy(&pkru, r->bytes + offset_of(NUMBER_PKRU, r->xcomp_bv), 4);
    }
    cpu->pkru = pkru;
    mmu_pkru_written(cpu);
}

static enum exec_result restore(struct cpu *cpu, const struct sys_insn *insn, uint64_t enabled, bool must_be_compacted)
{
    struct restore r;

    TRY(read_area(cpu, insn, &r, enabled, must_be_compacted));
    commit(cpu, insn, &r);
    commit_pkru(cpu, &r);
    return EXEC_OK;
}

enum exec_result sys_xrstor(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(check_enabled(cpu));
    return restore(cpu, insn, cpu->xcr0, false);
}

enum exec_result sys_xrstors(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(sys_intercept_plain(cpu, insn, VTX_XRSTORS));
    TRY(check_enabled(cpu));
    TRY(sys_require_cpl0(cpu));
    return restore(cpu, insn, cpu->xcr0 | cpu->xss, true);
}

/* --- XCR0 ------------------------------------------------------------------------------- */

enum exec_result sys_xgetbv(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t which = (uint32_t)cpu->gpr[RCX];
    uint64_t value = which ? cpu->xcr0 & in_use(cpu) : cpu->xcr0;

    (void)insn;
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        return cpu_raise(cpu, X_UD);
    }
    if (which > 1 || (which == 1 && !cpu_has(cpu, CPU_XGETBV1))) {
        return sys_gp(cpu);
    }
    cpu->gpr[RAX] = (uint32_t)value;
    cpu->gpr[RDX] = value >> 32;
    return EXEC_OK;
}

static bool xcr0_is_valid(const struct cpu *cpu, uint64_t value)
{
    return value & STATE_X87 && !(value & ~xsave_supported(cpu)) && (value & STATE_SSE || !(value & STATE_AVX));
}

enum exec_result sys_xsetbv(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t value = cpu->gpr[RDX] << 32 | (uint32_t)cpu->gpr[RAX];

    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        return cpu_raise(cpu, X_UD);
    }
    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_XSETBV));
    if ((uint32_t)cpu->gpr[RCX] != 0 || !xcr0_is_valid(cpu, value)) {
        return sys_gp(cpu);
    }
    cpu->xcr0 = value;
    cpu_update_mode(cpu);
    return sys_leave_block(cpu, insn);
}

/* --- CPUID leaf 0DH ------------------------------------------------------------------------ */

void xsave_cpuid(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
    uint64_t supported = xsave_supported(cpu);

    if (subleaf == 0 && supported) {
        out[0] = (uint32_t)supported;
        out[1] = area_size(cpu->xcr0, false);
        out[2] = area_size(supported, false);
        out[3] = (uint32_t)(supported >> 32);
    } else if (subleaf == 1 && cpu_has(cpu, CPU_XSAVEC)) {
        out[1] = area_size(cpu->xcr0 | cpu->xss, true);
    }
    for (unsigned i = NUMBER_AVX; i < COMPONENT_COUNT; i++) {
        if (components[i].bit == subleaf && supported >> subleaf & 1) {
            out[0] = components[i].size;
            out[1] = components[i].offset;
        }
    }
}
