/* FXSAVE, FXRSTOR, MXCSR. */
#include <string.h>

#include "sim/cpu/system/sys.h"
#include "sim/cpu/x87/x87.h"

enum { FX_SIZE = 512, FX_MXCSR = 24, FX_XMM = 160, MXCSR_MASK = 0xffff };

/* FXSAVE and MXCSR accesses alike: #UD with CR0.EM, #NM with CR0.TS. */
static enum exec_result check_available(struct cpu *cpu, bool needs_osfxsr)
{
    if (cpu->cr0 & CR0_EM || (needs_osfxsr && !(cpu->cr4 & CR4_OSFXSR))) {
        return cpu_raise(cpu, X_UD);
    }
    return cpu->cr0 & CR0_TS ? cpu_raise(cpu, X_NM) : EXEC_OK;
}

static enum exec_result fx_address(struct cpu *cpu, const struct sys_insn *insn, enum access_kind kind,
                                   uint64_t *linear)
{
    TRY(check_available(cpu, false));
    TRY(cpu_linear(cpu, insn->segment, insn->ea, FX_SIZE, kind, linear));
    return *linear & 15 ? sys_gp(cpu) : EXEC_OK;
}

static unsigned xmm_count(const struct cpu *cpu)
{
    return sys_is_long64(cpu) ? 16 : 8;
}

/* FXSAVE64: 64-bit pointers of the last x87 instruction. */
static bool is_wide(const struct cpu *cpu, const struct sys_insn *insn)
{
    return sys_is_long64(cpu) && insn->rex & 8;
}

/* What a write would fault with, before anything is read. */
static enum exec_result check_writable(struct cpu *cpu, uint64_t linear)
{
    unsigned room = 4096 - (unsigned)(linear & 4095), first = room < FX_SIZE ? room : FX_SIZE;
    uint8_t *host;
    uint64_t spa;

    TRY(mmu_fill(cpu, linear, first, ACCESS_WRITE, &host, &spa));
    return first < FX_SIZE ? mmu_fill(cpu, linear + first, FX_SIZE - first, ACCESS_WRITE, &host, &spa) : EXEC_OK;
}

enum exec_result sys_fxsave(struct cpu *cpu, const struct sys_insn *insn)
{
    uint8_t image[FX_SIZE] = { 0 };
    uint32_t mask = MXCSR_MASK;
    uint64_t linear;

    TRY(fx_address(cpu, insn, ACCESS_WRITE, &linear));
    /* Reserved and software areas keep what memory holds. */
    TRY(check_writable(cpu, linear));
    TRY(cpu_read(cpu, linear, image, FX_SIZE));
    x87_image_put(cpu, image, is_wide(cpu, insn));
    memcpy(image + FX_MXCSR, &cpu->mxcsr, 4);
    memcpy(image + FX_MXCSR + 4, &mask, 4);
    memcpy(image + FX_XMM, cpu->xmm, xmm_count(cpu) * 16);
    return cpu_write(cpu, linear, image, FX_SIZE);
}

enum exec_result sys_fxrstor(struct cpu *cpu, const struct sys_insn *insn)
{
    uint8_t image[FX_SIZE];
    uint32_t mxcsr;
    uint64_t linear;

    TRY(fx_address(cpu, insn, ACCESS_READ, &linear));
    TRY(cpu_read(cpu, linear, image, FX_SIZE));
    memcpy(&mxcsr, image + FX_MXCSR, 4);
    if (mxcsr & ~(uint32_t)MXCSR_MASK) {
        return sys_gp(cpu);
    }
    cpu->mxcsr = mxcsr;
    x87_image_get(cpu, image, is_wide(cpu, insn));
    memcpy(cpu->xmm, image + FX_XMM, xmm_count(cpu) * 16);
    return EXEC_OK;
}

/* VLDMXCSR and VSTMXCSR: whether AVX is available was asked before. */
enum exec_result sys_vldmxcsr(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t value;

    TRY(sys_memory_read(cpu, insn, 0, &value, 4));
    if (value & ~(uint32_t)MXCSR_MASK) {
        return sys_gp(cpu);
    }
    cpu->mxcsr = value;
    return EXEC_OK;
}

enum exec_result sys_vstmxcsr(struct cpu *cpu, const struct sys_insn *insn)
{
    return sys_memory_write(cpu, insn, 0, &cpu->mxcsr, 4);
}

enum exec_result sys_ldmxcsr(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(check_available(cpu, true));
    return sys_vldmxcsr(cpu, insn);
}

enum exec_result sys_stmxcsr(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(check_available(cpu, true));
    return sys_vstmxcsr(cpu, insn);
}
