#include "sim/cpu/sse/sse.h"

enum { BYTES = sizeof(union xmm), PAGE = 4096 };

/* Bytes [from, to) of the mask that are selected; '*first' and '*last' bound them. */
static bool selected(const union xmm *mask, unsigned from, unsigned to, unsigned *first,
                     unsigned *last)
{
    bool any = false;
    for (unsigned i = from; i < to; i++) {
        if (mask->u8[i] & 0x80) {
            *first = any ? *first : i;
            *last = i;
            any = true;
        }
    }
    return any;
}

/* Finds a fault of the bytes in [from, to), which lie in one page, before any is written.
 * The fault names where the operand begins in the page, selected or not. */
static enum exec_result probe(struct cpu *cpu, uint64_t linear, const union xmm *mask,
                              unsigned from, unsigned to)
{
    unsigned first = 0, last = 0;
    uint8_t *host;
    uint64_t spa;
    if (!selected(mask, from, to, &first, &last)) {
        return EXEC_OK;
    }
    return mmu_fill(cpu, linear + from, to - from, ACCESS_WRITE, &host, &spa);
}

/* SDM Vol 2 "MASKMOVDQU": unselected bytes are neither written nor a reason
 * to fault on their page. */
enum exec_result sys_maskmovdqu(struct cpu *cpu, const struct sys_insn *insn)
{
    union xmm data = cpu->xmm[insn->reg], mask = cpu->xmm[insn->rm];
    uint64_t ea = cpu->gpr[RDI], linear;
    unsigned first = 0, last = 0;
    enum exec_result done;

    if (insn->address_size < 8) {
        ea = insn->address_size == 4 ? (uint32_t)ea : (uint16_t)ea;
    }
    if (!selected(&mask, 0, BYTES, &first, &last)) {
        return EXEC_OK;
    }
    done = cpu_linear(cpu, insn->segment, ea, BYTES, ACCESS_WRITE, &linear);
    if (done != EXEC_OK) {
        return done;
    }
    unsigned in_page = PAGE - (unsigned)(linear % PAGE);
    unsigned cut = in_page < BYTES ? in_page : BYTES;
    if ((done = probe(cpu, linear, &mask, 0, cut)) != EXEC_OK ||
        (done = probe(cpu, linear, &mask, cut, BYTES)) != EXEC_OK) {
        return done;
    }
    for (unsigned i = 0; i < BYTES && done == EXEC_OK; i++) {
        if (mask.u8[i] & 0x80) {
            done = cpu_write(cpu, linear + i, &data.u8[i], 1);
        }
    }
    return done;
}
