/* Masked moves and gathers: only the elements that the mask's signs select are accessed. */
#include <string.h>

#include "sim/cpu/avx/avx_priv.h"
#include "sim/cpu/system/sys.h"

enum { MAX_BYTES = sizeof(union ymm) };

enum exec_result avx_probe_write(struct cpu *cpu, uint64_t linear, unsigned size)
{
    unsigned room = 4096 - (unsigned)(linear & 4095), first = room < size ? room : size;
    uint8_t *host;
    uint64_t spa;

    TRY(mmu_fill(cpu, linear, first, ACCESS_WRITE, &host, &spa));
    return first < size ? mmu_fill(cpu, linear + first, size - first, ACCESS_WRITE, &host, &spa) : EXEC_OK;
}

static union ymm read_register(const struct cpu *cpu, unsigned n)
{
    return (union ymm){ .lane = { cpu->xmm[n], cpu->ymm_high[n] } };
}

static void write_register(struct cpu *cpu, unsigned n, const union ymm *value)
{
    cpu->xmm[n] = value->lane[0];
    cpu->ymm_high[n] = value->lane[1];
}

static uint64_t wrap(const struct sys_insn *insn, uint64_t ea)
{
    return insn->address_size == 8 ? ea : (uint32_t)ea;
}

static bool is_selected(const union ymm *mask, unsigned element, unsigned size)
{
    return mask->u8[(element + 1) * size - 1] >> 7;
}

/* --- VMASKMOV, VPMASKMOV: VEX.vvvv is the mask ------------------------------------------------------ */

static unsigned vector_bytes(const struct sys_insn *insn)
{
    return insn->vex256 ? MAX_BYTES : MAX_BYTES / 2;
}

static enum exec_result masked_load(struct cpu *cpu, const struct sys_insn *insn, unsigned size)
{
    union ymm mask = read_register(cpu, insn->vvvv), value = { .u64 = { 0 } };

    for (unsigned i = 0; i < vector_bytes(insn) / size; i++) {
        uint64_t linear;
        if (is_selected(&mask, i, size)) {
            TRY(cpu_linear(cpu, insn->segment, insn->ea + i * size, size, ACCESS_READ, &linear));
            TRY(cpu_read(cpu, linear, value.u8 + i * size, size));
        }
    }
    write_register(cpu, insn->reg, &value);
    return EXEC_OK;
}

static enum exec_result masked_store(struct cpu *cpu, const struct sys_insn *insn, unsigned size)
{
    union ymm mask = read_register(cpu, insn->vvvv), value = read_register(cpu, insn->reg);
    uint64_t linear[8];

    for (unsigned i = 0; i < vector_bytes(insn) / size; i++) {
        if (is_selected(&mask, i, size)) {
            TRY(cpu_linear(cpu, insn->segment, insn->ea + i * size, size, ACCESS_WRITE, &linear[i]));
            TRY(avx_probe_write(cpu, linear[i], size));
        }
    }
    for (unsigned i = 0; i < vector_bytes(insn) / size; i++) {
        if (is_selected(&mask, i, size)) {
            TRY(cpu_write(cpu, linear[i], value.u8 + i * size, size));
        }
    }
    return EXEC_OK;
}

enum exec_result sys_vmaskmov_load_4(struct cpu *cpu, const struct sys_insn *insn) { return masked_load(cpu, insn, 4); }
enum exec_result sys_vmaskmov_load_8(struct cpu *cpu, const struct sys_insn *insn) { return masked_load(cpu, insn, 8); }
enum exec_result sys_vmaskmov_store_4(struct cpu *cpu, const struct sys_insn *insn) { return masked_store(cpu, insn, 4); }
enum exec_result sys_vmaskmov_store_8(struct cpu *cpu, const struct sys_insn *insn) { return masked_store(cpu, insn, 8); }

/* --- gathers ------------------------------------------------------------------------------------------- */

/* SDM Vol 2 "VPGATHERDD/VPGATHERDQ": elements are gathered in order; a fault leaves those before it done and their part
 * of the mask cleared, so that the instruction goes on where it was.  The one exception to "commit last". */
static enum exec_result gather(struct cpu *cpu, const struct sys_insn *insn, unsigned index_size, unsigned size)
{
    union ymm index = read_register(cpu, insn->index), mask = read_register(cpu, insn->vvvv);
    union ymm value = read_register(cpu, insn->reg);
    unsigned wider = index_size > size ? index_size : size, count = vector_bytes(insn) / wider;
    enum exec_result result = EXEC_OK;

    if (insn->reg == insn->index || insn->reg == insn->vvvv || insn->index == insn->vvvv) {
        return cpu_raise(cpu, X_UD);
    }
    for (unsigned i = 0; i < count && result == EXEC_OK; i++) {
        uint64_t linear, element = index_size == 4 ? (uint64_t)(int32_t)index.u32[i] : index.u64[i];
        if (!is_selected(&mask, i, size)) {
            memset(mask.u8 + i * size, 0, size);
            continue;
        }
        result = cpu_linear(cpu, insn->segment, wrap(insn, insn->ea + (element << insn->scale)), size, ACCESS_READ, &linear);
        if (result == EXEC_OK) {
            result = cpu_read(cpu, linear, value.u8 + i * size, size);
        }
        if (result == EXEC_OK) {
            memset(mask.u8 + i * size, 0, size);
        }
    }
    if (result == EXEC_OK) {
        mask = (union ymm){ .u64 = { 0 } };
        memset(value.u8 + count * size, 0, MAX_BYTES - count * size);
    }
    write_register(cpu, insn->vvvv, &mask);
    write_register(cpu, insn->reg, &value);
    return result;
}

enum exec_result sys_vgather_d4(struct cpu *cpu, const struct sys_insn *insn) { return gather(cpu, insn, 4, 4); }
enum exec_result sys_vgather_d8(struct cpu *cpu, const struct sys_insn *insn) { return gather(cpu, insn, 4, 8); }
enum exec_result sys_vgather_q4(struct cpu *cpu, const struct sys_insn *insn) { return gather(cpu, insn, 8, 4); }
enum exec_result sys_vgather_q8(struct cpu *cpu, const struct sys_insn *insn) { return gather(cpu, insn, 8, 8); }
