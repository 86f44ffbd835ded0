#include "sim/cpu/sse/sse.h"

enum { PAGE = 4096 };

/* Finds a fault of [linear, linear + size), which lies in one page, before anything is written. */
static enum exec_result probe(struct cpu *cpu, uint64_t linear, unsigned size)
{
    uint8_t *host;
    uint64_t spa;
    return size ? mmu_fill(cpu, linear, size, ACCESS_WRITE, &host, &spa) : EXEC_OK;
}

/* SDM Vol 2 "MASKMOVDQU", "MASKMOVQ".  Whether unselected bytes may fault is left to the
 * implementation: ours is AMD's, all must be writable whatever is selected. */
enum exec_result sse_masked_store(struct cpu *cpu, const struct sys_insn *insn, const union xmm *data,
                                  const union xmm *mask, unsigned bytes)
{
    uint64_t ea = cpu->gpr[RDI], linear;
    enum exec_result done;

    if (insn->address_size < 8) {
        ea = insn->address_size == 4 ? (uint32_t)ea : (uint16_t)ea;
    }
    done = cpu_linear(cpu, insn->segment, ea, bytes, ACCESS_WRITE, &linear);
    if (done != EXEC_OK) {
        return done;
    }
    unsigned in_page = PAGE - (unsigned)(linear % PAGE);
    unsigned cut = in_page < bytes ? in_page : bytes;
    if ((done = probe(cpu, linear, cut)) != EXEC_OK ||
        (done = probe(cpu, linear + cut, bytes - cut)) != EXEC_OK) {
        return done;
    }
    for (unsigned i = 0; i < bytes && done == EXEC_OK; i++) {
        if (mask->u8[i] & 0x80) {
            done = cpu_write(cpu, linear + i, &data->u8[i], 1);
        }
    }
    return done;
}

enum exec_result sys_maskmovdqu(struct cpu *cpu, const struct sys_insn *insn)
{
    union xmm data = cpu->xmm[insn->reg], mask = cpu->xmm[insn->rm];

    return sse_masked_store(cpu, insn, &data, &mask, sizeof data);
}
