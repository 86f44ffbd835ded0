/* Shared pieces of code: the ways between C and translated blocks. */
#include "sim/cpu/jit/jit_priv.h"

/* Guest register n and its place. */
static void all_registers(struct assembler *a, bool store)
{
    for (unsigned n = 0; n < 16; n++) {
        unsigned slot = SLOT_GPR + n * 8;
        int host = host_register(slot);
        if (host == NO_REGISTER) {
            continue;
        }
        if (store) {
            asm_store(a, 64, slot_place(slot), host);
        } else {
            asm_load(a, 64, host, slot_place(slot));
        }
    }
}

static void push(struct assembler *a, int reg) { asm_opcode(a, 0x50u | (unsigned)(reg & 7), 32, 0, 0, reg, false); }
static void pop(struct assembler *a, int reg) { asm_opcode(a, 0x58u | (unsigned)(reg & 7), 32, 0, 0, reg, false); }
static void give_back(struct assembler *a) { put8(a, 0xc3); }

static void adjust_stack(struct assembler *a, int by) { asm_alu_immediate(a, ALU_ADD, 64, HOST_SP, by); }

static void cpu_argument(struct assembler *a) { asm_lea(a, 64, RDI, at_base(CPU_REGISTER, -CPU_BIAS)); }
static void take_cpu_argument(struct assembler *a) { asm_lea(a, 64, CPU_REGISTER, at_base(RDI, CPU_BIAS)); }

static void absolute(struct assembler *a, int reg, const void *function)
{
    asm_immediate(a, reg, (int64_t)(intptr_t)function);
}

static void jump_to(struct assembler *a, int reg) { asm_rr(a, 0xff, 32, 4, reg); }
static void call_to(struct assembler *a, int reg) { asm_rr(a, 0xff, 32, 2, reg); }
static void jump_by(struct assembler *a, struct place p) { asm_rm(a, 0xff, 32, 4, p); }

static uint8_t *begin(struct jit *j, enum thunk n, struct assembler *a)
{
    a->at = (uint8_t *)(((uintptr_t)a->at + 15) & ~(uintptr_t)15);
    j->thunk[n] = a->at;
    return a->at;
}

/* Whatever runs may use all registers; C wants these back. */
static void thunk_call(struct assembler *a)
{
    static const int saved[] = { RBX, RBP, 12, 13, 14, 15 };

    for (unsigned i = 0; i < 6; i++) {
        push(a, saved[i]);
    }
    adjust_stack(a, -8);
    call_to(a, RDX);
    adjust_stack(a, 8);
    for (unsigned i = 6; i-- > 0;) {
        pop(a, saved[i]);
    }
    give_back(a);
}

static void thunk_resume(struct assembler *a)
{
    take_cpu_argument(a);
    all_registers(a, false);
    jump_to(a, SCRATCH2);
}

static void thunk_record(struct assembler *a)
{
    all_registers(a, true);
    asm_mov(a, 64, RSI, SCRATCH2);
    cpu_argument(a);
    jump_by(a, at_base(RSI, offsetof(struct insn, fn)));
}

static void thunk_closed(struct assembler *a, const uint8_t *thunk_record_at)
{
    asm_alu_store(a, ALU_ADD, 64, FIELD_OF_CPU(budget), SCRATCH);
    asm_point(asm_jump(a), thunk_record_at);
}

static void thunk_cold_code(struct assembler *a, const uint8_t *thunk_record_at)
{
    asm_alu_immediate(a, ALU_ADD, 64, SCRATCH2, sizeof(struct insn));
    asm_point(asm_jump(a), thunk_record_at);
}

/* RBX: the site, R15: the processor; both survive the C function. */
static void thunk_slow(const struct jit *j, struct assembler *a)
{
    _Static_assert(CORE_SLOW_LEFT == 0 && CORE_SLOW_RETRY == 1, "tested below");
    pop(a, SCRATCH2);
    all_registers(a, true);
    asm_mov(a, 64, RBX, SCRATCH2);
    cpu_argument(a);
    asm_load(a, 64, RSI, at_base(RBX, offsetof(struct slow_site, record)));
    absolute(a, RAX, (const void *)core_slow_access);
    adjust_stack(a, -8);
    call_to(a, RAX);
    adjust_stack(a, 8);
    asm_test(a, 32, RAX, RAX);
    uint8_t *go_on = asm_jcc_short(a, CC_NZ);
    give_back(a);
    asm_point_short(a, go_on);
    asm_load(a, 32, SCRATCH2, at_base(RBX, offsetof(struct slow_site, retry)));
    asm_alu_immediate(a, ALU_CMP, 32, RAX, CORE_SLOW_RETRY);
    uint8_t *retry = asm_jcc_short(a, CC_Z);
    asm_load(a, 32, SCRATCH2, at_base(RBX, offsetof(struct slow_site, next)));
    asm_test(a, 32, SCRATCH2, SCRATCH2);
    uint8_t *code = asm_jcc_short(a, CC_NZ);
    asm_load(a, 64, RSI, at_base(RBX, offsetof(struct slow_site, record)));
    asm_alu_immediate(a, ALU_ADD, 64, RSI, sizeof(struct insn));
    cpu_argument(a);
    jump_by(a, at_base(RSI, offsetof(struct insn, fn)));
    asm_point_short(a, retry);
    asm_point_short(a, code);
    absolute(a, SCRATCH, jit_run_address(j, j->code));
    asm_alu(a, ALU_ADD, 64, SCRATCH2, SCRATCH);
    all_registers(a, false);
    jump_to(a, SCRATCH2);
}

static void thunk_follow(struct assembler *a)
{
    pop(a, SCRATCH2);
    all_registers(a, true);
    cpu_argument(a);
    asm_mov(a, 64, RSI, SCRATCH2);
    absolute(a, RAX, (const void *)jit_follow);
    jump_to(a, RAX);
}

/* The key missed: R10 is the address under the stamp. */
static void thunk_leave(struct assembler *a)
{
    pop(a, SCRATCH2);
    all_registers(a, true);
    asm_alu_load(a, ALU_XOR, 64, SCRATCH, FIELD_OF_CPU(jump_stamp));
    asm_mov(a, 64, RDX, SCRATCH);
    cpu_argument(a);
    asm_load(a, 64, RSI, at_base(SCRATCH2, 0));
    absolute(a, RAX, (const void *)core_leave);
    jump_to(a, RAX);
}

static void run_handler(struct cpu *c, struct insn *r)
{
    return form_info[r->form].fn(c, r);
}

static void thunk_handler(struct assembler *a)
{
    all_registers(a, true);
    cpu_argument(a);
    asm_mov(a, 64, RSI, SCRATCH2);
    absolute(a, RAX, (const void *)run_handler);
    jump_to(a, RAX);
}

static void thunk_flags(struct assembler *a)
{
    static const int kept[] = { RAX, RCX, RDX, RSI, RDI, 8, 9 };

    for (unsigned i = 0; i < 7; i++) {
        push(a, kept[i]);
    }
    adjust_stack(a, -8);
    cpu_argument(a);
    absolute(a, RAX, (const void *)flags_now);
    call_to(a, RAX);
    asm_mov(a, 64, SCRATCH, RAX);
    adjust_stack(a, 8);
    for (unsigned i = 7; i-- > 0;) {
        pop(a, kept[i]);
    }
    give_back(a);
}

/* After ADD, SUB, ADC and SBB the carry is that of cc_a - cc_b - extra, extra being 1 after the latter two. */
static void thunk_carry(struct assembler *a, const uint8_t *thunk_flags_at)
{
    _Static_assert(CC_ADC > CC_MUL && CC_SBB > CC_MUL && CC_SBB < 32, "the two last");
    asm_load(a, 32, SCRATCH2, FIELD_OF_CPU(cc_kind));
    asm_mov(a, 32, SCRATCH, SCRATCH2);
    asm_shift(a, SHIFT_SHR, 32, SCRATCH, 2);
    push(a, RAX);
    asm_immediate(a, RAX, 1 << CC_ADD | 1 << CC_SUB | 1 << CC_ADC | 1 << CC_SBB);
    asm_rr(a, 0x1a3, 32, SCRATCH, RAX); /* BT */
    pop(a, RAX);
    uint8_t *others = asm_jcc_short(a, CC_NB);
    asm_alu_immediate(a, ALU_CMP, 32, SCRATCH2, CC_ADC << 2);
    put8(a, 0xf5); /* CMC */
    asm_load(a, 64, SCRATCH, FIELD_OF_CPU(cc_a));
    asm_alu_load(a, ALU_SBB, 64, SCRATCH, FIELD_OF_CPU(cc_b));
    give_back(a);
    asm_point_short(a, others);
    adjust_stack(a, -8);
    asm_point(asm_call(a), thunk_flags_at);
    adjust_stack(a, 8);
    asm_shift(a, SHIFT_SHR, 32, SCRATCH, 1);
    give_back(a);
}

void jit_make_thunks(struct jit *j)
{
    struct assembler a = { j->code + CONSTANT_BYTES };

    jit_make_constants(j);
    begin(j, THUNK_CALL, &a);
    thunk_call(&a);
    begin(j, THUNK_RESUME, &a);
    thunk_resume(&a);
    begin(j, THUNK_RECORD, &a);
    thunk_record(&a);
    begin(j, THUNK_CLOSED, &a);
    thunk_closed(&a, j->thunk[THUNK_RECORD]);
    begin(j, THUNK_COLD_CODE, &a);
    thunk_cold_code(&a, j->thunk[THUNK_RECORD]);
    begin(j, THUNK_SLOW, &a);
    thunk_slow(j, &a);
    begin(j, THUNK_FOLLOW, &a);
    thunk_follow(&a);
    begin(j, THUNK_LEAVE, &a);
    thunk_leave(&a);
    begin(j, THUNK_HANDLER, &a);
    thunk_handler(&a);
    begin(j, THUNK_FLAGS, &a);
    thunk_flags(&a);
    begin(j, THUNK_CARRY, &a);
    thunk_carry(&a, j->thunk[THUNK_FLAGS]);
    j->hot_start = a.at;
}
