/* MSRs, CPUID, control and debug registers, ports, flags, FXSAVE, reset. */
#include "fixture.h"

#include <stdlib.h>

#define EXPECT_FAULT(f, call, number)                        \
    do {                                                     \
        assert_int_equal((call), EXEC_FAULT);                \
        assert_int_equal((f)->cpu->fault.vector, (number));  \
    } while (0)

/* --- MSRs ---------------------------------------------------------------------------- */

/* The table again, as the test reads it. */
enum access { RO = 1, WO = 2, RW = 3 };
enum rule { PLAIN, CANONICAL, IGNORED, TYPES, MTRR, SPECIAL };
enum vendor { ANY, INTEL, AMD };
static const struct {
    uint32_t index, count;
    enum access access;
    uint64_t writable;
    enum rule rule;
    enum vendor vendor;
    enum cpu_feature feature;
} rows[] = {
#define MSR(index, count, NAME, access, writable, rule, vendor, feature) \
    { index, count, access, writable, rule, vendor, CPU_##feature },
#include "spec/x86/msrs.def"
#undef MSR
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void rows_are_sorted_and_disjoint(void **state)
{
    (void)state;
    for (unsigned i = 1; i < ROWS; i++) {
        assert_true(rows[i].index >= rows[i - 1].index + rows[i - 1].count);
    }
}

/* Intel's general counters: CPUID leaf 0AH. */
static bool counts(const struct fixture *f, uint32_t n)
{
    uint32_t out[4];

    cpu_cpuid(f->cpu, 0xa, 0, out);
    return !cpu_is_amd(f->cpu) && n < (out[0] >> 8 & 0xff);
}

/* Registers that come with one of several features, or that a model counts. */
static bool exists_here(const struct fixture *f, unsigned i, uint32_t n)
{
    switch (rows[i].index + n) {
    case 0x48: return cpu_has(f->cpu, CPU_SPEC_CTRL) || cpu_has(f->cpu, CPU_AMD_IBRS);
    case 0x49: return cpu_has(f->cpu, CPU_SPEC_CTRL) || cpu_has(f->cpu, CPU_IBPB);
    case 0xc1 ... 0xc8: case 0x186 ... 0x18d: return counts(f, n);
    case 0x4c1 ... 0x4c8: return counts(f, n) && cpu_model_constant(&f->machine, 0x345, 1 << 13) & 1 << 13;
    case 0x17b: return cpu_model_constant(&f->machine, 0x179, 0) & 0x100;
    default: break;
    }
    if (rows[i].index == 0x400 && n / 4 >= (cpu_model_constant(&f->machine, 0x179, 0) & 0xff)) {
        return false;
    }
    return (rows[i].vendor == ANY || (rows[i].vendor == AMD) == cpu_is_amd(f->cpu)) && cpu_has(f->cpu, rows[i].feature);
}

static void check_types(struct fixture *f, uint32_t index, bool pat)
{
    for (unsigned type = 0; type < 256; type++) {
        bool ok = type <= 1 || (type >= 4 && type <= 6) || (type == 7 && pat);
        assert_int_equal(cpu_wrmsr(f->cpu, index, (uint64_t)type << 24), ok ? EXEC_OK : EXEC_FAULT);
    }
}

static void check_row(struct fixture *f, unsigned i, uint32_t index)
{
    uint64_t value = 0, back = 0;

    assert_int_equal(cpu_rdmsr(f->cpu, index, &value), rows[i].access & RO ? EXEC_OK : EXEC_FAULT);
    if (!(rows[i].access & WO)) {
        EXPECT_FAULT(f, cpu_wrmsr(f->cpu, index, value), X_GP);
    } else if (rows[i].access == RW && index != 0x3a && index != 0x48 && index != 0xc0000080) { /* locked; bits by feature */
        assert_int_equal(cpu_wrmsr(f->cpu, index, value & rows[i].writable), EXEC_OK);
    }
    for (unsigned bit = 0; bit < 64 && rows[i].access & WO; bit++) {
        if (!(rows[i].writable >> bit & 1)) {
            EXPECT_FAULT(f, cpu_wrmsr(f->cpu, index, 1ull << bit), X_GP);
        }
    }
    if (rows[i].rule == PLAIN || rows[i].rule == CANONICAL) {
        uint64_t pattern = 0x00005a5a5a5a5a5a & rows[i].writable;
        assert_int_equal(cpu_wrmsr(f->cpu, index, pattern), EXEC_OK);
        assert_int_equal(cpu_rdmsr(f->cpu, index, &back), EXEC_OK);
        assert_int_equal(back, pattern);
    }
    if (rows[i].rule == CANONICAL && !(rows[i].feature == CPU_SEP && cpu_is_amd(f->cpu))) {
        EXPECT_FAULT(f, cpu_wrmsr(f->cpu, index, 0x100000000000000), X_GP);
    }
    if (rows[i].rule == TYPES || rows[i].rule == MTRR) {
        check_types(f, index, rows[i].rule == TYPES);
    }
}

static void every_row_keeps_its_rules_on_every_model(void **state)
{
    (void)state;
    for (unsigned m = 0; cpu_model_at(m); m++) {
        for (unsigned i = 0; i < ROWS; i++) {
            for (uint32_t n = 0; n < rows[i].count; n++) {
                struct fixture *f = fixture_new(1);
                uint64_t value;
                fixture_model(f, cpu_model_at(m)->name, true);
                cpu_reset(f->cpu, false);
                if (exists_here(f, i, n)) {
                    check_row(f, i, rows[i].index + n);
                } else {
                    EXPECT_FAULT(f, cpu_rdmsr(f->cpu, rows[i].index + n, &value), X_GP);
                    EXPECT_FAULT(f, cpu_wrmsr(f->cpu, rows[i].index + n, 0), X_GP);
                }
                fixture_free(f);
            }
        }
    }
}

static void numbers_between_the_rows_fault(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value;
    unsigned next = 0;

    (void)state;
    for (uint32_t index = 0; index < 0x1000; index++) {
        while (next < ROWS && rows[next].index + rows[next].count <= index) {
            next++;
        }
        if (next < ROWS && index >= rows[next].index) {
            continue;
        }
        EXPECT_FAULT(f, cpu_rdmsr(f->cpu, index, &value), X_GP);
        EXPECT_FAULT(f, cpu_wrmsr(f->cpu, index, 0), X_GP);
    }
    EXPECT_FAULT(f, cpu_rdmsr(f->cpu, 0x40000000, &value), X_GP);
    EXPECT_FAULT(f, cpu_rdmsr(f->cpu, 0x3a, &value), X_GP); /* not without VT-x */
    fixture_free(f);
}

/* SDM Vol 3B "Machine-Check MSRs": CTL takes all or nothing, STATUS is only cleared, banks beyond the count fault. */
static void machine_check_banks_are_counted_and_guarded(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value;

    (void)state;
    fixture_model(f, "amd-v2", false);
    cpu_reset(f->cpu, false);
    assert_int_equal(cpu_rdmsr(f->cpu, 0x179, &value), EXEC_OK);
    uint32_t end = 0x400 + 4 * (uint32_t)(value & 0xff);
    for (uint32_t bank = 0x400; bank < end; bank += 4) {
        assert_int_equal(cpu_wrmsr(f->cpu, bank, ~0ull), EXEC_OK);
        EXPECT_FAULT(f, cpu_wrmsr(f->cpu, bank, 1), X_GP);
        EXPECT_FAULT(f, cpu_wrmsr(f->cpu, bank + 1, 1), X_GP);
        assert_int_equal(cpu_wrmsr(f->cpu, bank + 2, 0xaaaa000000000000), EXEC_OK);
        assert_int_equal(cpu_rdmsr(f->cpu, bank + 2, &value), EXEC_OK);
        assert_int_equal(value, 0xaaaa000000000000);
    }
    EXPECT_FAULT(f, cpu_rdmsr(f->cpu, end, &value), X_GP);
    assert_int_equal(cpu_wrmsr(f->cpu, 0xc0010015, 1 << 18), EXEC_OK); /* HWCR.McStatusWrEn */
    assert_int_equal(cpu_wrmsr(f->cpu, 0x401, 1), EXEC_OK);
    fixture_free(f);
}

static void misc_enable_takes_nx_and_leaves_away(void **state)
{
    struct fixture *f = fixture_new(1);
    uint32_t out[4];

    (void)state;
    assert_int_equal(cpu_wrmsr(f->cpu, 0x1a0, 0x400400801), EXEC_OK);
    cpu_cpuid(f->cpu, 0x80000001, 0, out);
    assert_false(out[3] >> 20 & 1);
    EXPECT_FAULT(f, cpu_wrmsr(f->cpu, 0xc0000080, EFER_NXE), X_GP);
    cpu_cpuid(f->cpu, 0, 0, out);
    assert_int_equal(out[0], 2);
    assert_int_equal(f->cpu->msr.misc_enable, 0x400401881);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x1a0, 0x1801), EXEC_OK);
    assert_int_equal(cpu_wrmsr(f->cpu, 0xc0000080, EFER_NXE), EXEC_OK);
    fixture_free(f);
}

static void efer_guards_long_mode(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value;

    (void)state;
    fixture_long_mode(f, 0);
    EXPECT_FAULT(f, cpu_wrmsr(f->cpu, 0xc0000080, EFER_NXE | EFER_SCE), X_GP); /* LME with paging on */
    assert_int_equal(cpu_wrmsr(f->cpu, 0xc0000080, EFER_LME), EXEC_OK);
    assert_int_equal(cpu_rdmsr(f->cpu, 0xc0000080, &value), EXEC_OK);
    assert_int_equal(value, EFER_LME | EFER_LMA); /* LMA is not written */
    fixture_free(f);
}

static void tsc_and_its_adjust_move_together(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value;

    (void)state;
    f->cpu->now = 1000;
    assert_int_equal(cpu_wrmsr(f->cpu, 0x10, 5000), EXEC_OK);
    assert_int_equal(cpu_tsc(f->cpu), 5000);
    assert_int_equal(cpu_rdmsr(f->cpu, 0x3b, &value), EXEC_OK);
    assert_int_equal(value, 4000);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x3b, 0), EXEC_OK);
    assert_int_equal(cpu_tsc(f->cpu), 1000);
    f->cpu->now += 7;
    assert_int_equal(cpu_tsc(f->cpu), 1007);
    f->cpu->nonroot = true;
    f->cpu->vtx_tsc_offset = 100;
    assert_int_equal(cpu_tsc(f->cpu), 1107);
    fixture_free(f);
}

static void no_processor_sees_a_counter_run_backwards(void **state)
{
    struct fixture *f = fixture_new(2);

    (void)state;
    f->machine.cpu[0]->now = 5000;
    f->machine.cpu[1]->now = 4500;
    assert_int_equal(cpu_tsc(f->machine.cpu[1]), 4500);
    assert_int_equal(cpu_tsc(f->machine.cpu[0]), 5000);
    assert_int_equal(cpu_tsc(f->machine.cpu[1]), 5000);
    f->machine.cpu[1]->now = 5001;
    assert_int_equal(cpu_tsc(f->machine.cpu[1]), 5001);
    fixture_free(f);
}

static void rdmsr_and_wrmsr_are_for_ring_0(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .length = 2 };

    (void)state;
    fixture_long_mode(f, 0);
    f->cpu->gpr[RCX] = 0xc0000082;
    f->cpu->gpr[RAX] = 0xffffffff12345678;
    f->cpu->gpr[RDX] = 0xffffffff00001111;
    assert_int_equal(sys_wrmsr(f->cpu, &insn), EXEC_OK);
    assert_int_equal(f->cpu->msr.lstar, 0x111112345678);
    f->cpu->gpr[RAX] = f->cpu->gpr[RDX] = ~0ull;
    assert_int_equal(sys_rdmsr(f->cpu, &insn), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RAX], 0x12345678);
    assert_int_equal(f->cpu->gpr[RDX], 0x1111);
    fixture_set_cpl(f, 3);
    EXPECT_FAULT(f, sys_rdmsr(f->cpu, &insn), X_GP);
    EXPECT_FAULT(f, sys_wrmsr(f->cpu, &insn), X_GP);
    fixture_free(f);
}

/* --- CPUID ------------------------------------------------------------------------------ */

static void cpuid_describes_this_machine(void **state)
{
    struct fixture *f = fixture_new(6);
    uint32_t out[4];

    (void)state;
    cpu_cpuid(f->cpu, 0, 0, out);
    assert_memory_equal(&out[1], "Genu", 4);
    assert_memory_equal(&out[3], "ineI", 4);
    assert_memory_equal(&out[2], "ntel", 4);
    cpu_cpuid(f->machine.cpu[5], 1, 0, out);
    assert_int_equal(out[1] >> 24, 5);
    assert_int_equal(out[1] >> 16 & 0xff, 8);
    assert_false(out[2] & 1u << 5);
    assert_true(out[3] & 1u << 9);
    fixture_model(f, "e5", true);
    cpu_cpuid(f->cpu, 1, 0, out);
    assert_true(out[2] & 1u << 5);
    f->cpu->msr.apic_base = 0;
    cpu_cpuid(f->cpu, 1, 0, out);
    assert_false(out[3] & 1u << 9);
    cpu_cpuid(f->machine.cpu[5], 0xb, 1, out);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[1], 6);
    assert_int_equal(out[2], 0x201);
    assert_int_equal(out[3], 5);
    cpu_cpuid(f->cpu, 0xb, 7, out);
    assert_int_equal(out[1], 0);
    assert_int_equal(out[2], 7);
    cpu_cpuid(f->cpu, 7, 1, out);
    assert_int_equal(out[1], 0);
    uint32_t top[4];
    cpu_cpuid(f->cpu, 0x16, 0, top);
    cpu_cpuid(f->cpu, 0x40000000, 0, out); /* no hypervisor here: the highest basic leaf */
    assert_memory_equal(out, top, 16);
    char brand[49] = "";
    for (unsigned i = 0; i < 3; i++) {
        cpu_cpuid(f->cpu, 0x80000002 + i, 0, (uint32_t *)(void *)(brand + i * 16));
    }
    assert_string_equal(brand, "hvlab reference core Xeon E5-2400 @ 2.10GHz");
    fixture_free(f);
}

/* --- CR0, CR3, CR4, CR8 ------------------------------------------------------------------- */

static void control_registers_refuse_what_the_manual_refuses(void **state)
{
    struct fixture *f = fixture_new(1);
    struct cpu *cpu = f->cpu;

    (void)state;
    EXPECT_FAULT(f, cpu_write_cr0(cpu, CR0_PG), X_GP);                    /* PG without PE */
    EXPECT_FAULT(f, cpu_write_cr0(cpu, CR0_NW), X_GP);                    /* NW without CD */
    EXPECT_FAULT(f, cpu_write_cr0(cpu, 1ull << 32), X_GP);
    assert_int_equal(cpu_write_cr0(cpu, CR0_PE | 1 << 8), EXEC_OK);       /* reserved below 32: ignored */
    assert_int_equal(cpu->cr0, CR0_PE | CR0_ET);
    assert_int_equal(cpu_wrmsr(cpu, 0xc0000080, EFER_LME), EXEC_OK);
    EXPECT_FAULT(f, cpu_write_cr0(cpu, CR0_PE | CR0_PG), X_GP);           /* LME without PAE */
    assert_int_equal(cpu_write_cr4(cpu, CR4_PAE), EXEC_OK);
    EXPECT_FAULT(f, cpu_write_cr4(cpu, CR4_PAE | CR4_PCIDE), X_GP);       /* PCIDE outside long mode */
    fixture_long_mode(f, 0);
    EXPECT_FAULT(f, cpu_write_cr0(cpu, cpu->cr0 & ~CR0_PG), X_GP);        /* from 64-bit code */
    EXPECT_FAULT(f, cpu_write_cr4(cpu, cpu->cr4 & ~CR4_PAE), X_GP);
    EXPECT_FAULT(f, cpu_write_cr4(cpu, cpu->cr4 | CR4_VMXE), X_GP);       /* no VT-x */
    fixture_model(f, "e5", true);
    EXPECT_FAULT(f, cpu_write_cr4(cpu, cpu->cr4 | CR4_OSXSAVE), X_GP);    /* no XSAVE */
    assert_int_equal(cpu_write_cr4(cpu, cpu->cr4 | CR4_VMXE), EXEC_OK);
    EXPECT_FAULT(f, cpu_write_cr3(cpu, cpu->cr3 | 1ull << CPU_PHYS_BITS), X_GP);
    EXPECT_FAULT(f, cpu_write_cr3(cpu, cpu->cr3 | CR3_KEEP), X_GP);       /* bit 63 without PCIDE */
    cpu->cr3 |= 8;
    EXPECT_FAULT(f, cpu_write_cr4(cpu, cpu->cr4 | CR4_PCIDE), X_GP);      /* CR3[11:0] must be 0 */
    fixture_free(f);
}

static void long_mode_begins_and_ends_with_paging(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_protected_mode(f, 0);
    f->cpu->cr4 = CR4_PAE;
    f->cpu->cr3 = 0x100000;
    assert_int_equal(cpu_wrmsr(f->cpu, 0xc0000080, EFER_LME), EXEC_OK);
    assert_int_equal(cpu_write_cr0(f->cpu, f->cpu->cr0 | CR0_PG), EXEC_OK);
    assert_int_equal(f->cpu->efer, EFER_LME | EFER_LMA);
    assert_int_equal(f->cpu->mode & (MODE_LMA | MODE_LONG64 | MODE_CODE32), MODE_LMA | MODE_CODE32);
    assert_int_equal(cpu_write_cr0(f->cpu, f->cpu->cr0 & ~CR0_PG), EXEC_OK);
    assert_int_equal(f->cpu->efer, EFER_LME);
    fixture_free(f);
}

static struct sys_insn mov_cr(unsigned cr, unsigned gpr)
{
    return (struct sys_insn){ .modrm = 0xc0, .reg = (uint8_t)cr, .rm = (uint8_t)gpr, .operand_size = 8, .next_rip = 7 };
}

static void mov_cr_knows_its_registers(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    for (unsigned cr = 0; cr < 16; cr++) {
        struct sys_insn insn = mov_cr(cr, RBX);
        bool exists = cr == 0 || (cr >= 2 && cr <= 4) || cr == 8;
        fixture_set_cpl(f, 0);
        assert_int_equal(sys_mov_from_cr(f->cpu, &insn), exists ? EXEC_OK : EXEC_FAULT);
        fixture_set_cpl(f, 3);
        EXPECT_FAULT(f, sys_mov_from_cr(f->cpu, &insn), exists ? X_GP : X_UD);
    }
    fixture_set_cpl(f, 0);
    struct sys_insn cr8 = mov_cr(8, RBX), cr2 = mov_cr(2, RBX);
    f->cpu->gpr[RBX] = 0x10;
    EXPECT_FAULT(f, sys_mov_to_cr(f->cpu, &cr8), X_GP);
    f->cpu->gpr[RBX] = 0x9;
    assert_int_equal(sys_mov_to_cr(f->cpu, &cr8), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, 7);
    assert_int_equal(apic_tpr(f->cpu), 0x90);
    f->cpu->gpr[RBX] = ~0ull;
    assert_int_equal(sys_mov_to_cr(f->cpu, &cr2), EXEC_OK);
    assert_int_equal(f->cpu->cr2, ~0ull);
    fixture_free(f);
}

static void lmsw_sets_but_never_clears_pe(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .modrm = 0xf0, .rm = RAX, .operand_size = 2 };

    (void)state;
    fixture_protected_mode(f, 0);
    f->cpu->gpr[RAX] = 0xfff0 | 0xe;
    assert_int_equal(sys_lmsw(f->cpu, &insn), EXEC_JUMP);
    assert_int_equal(f->cpu->cr0, CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET);
    assert_int_equal(sys_clts(f->cpu, &insn), EXEC_JUMP);
    assert_int_equal(f->cpu->cr0, CR0_PE | CR0_MP | CR0_EM | CR0_ET);
    fixture_free(f);
}

static void debug_registers_alias_and_fault(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn dr4 = mov_cr(4, RBX), dr7 = mov_cr(7, RBX), dr0 = mov_cr(0, RBX), dr8 = mov_cr(8, RBX);

    (void)state;
    fixture_long_mode(f, 0);
    f->cpu->gpr[RBX] = 0;
    assert_int_equal(sys_mov_to_dr(f->cpu, &dr4), EXEC_JUMP);
    assert_int_equal(f->cpu->dr6, DR6_FIXED);
    f->cpu->cr4 |= CR4_DE;
    EXPECT_FAULT(f, sys_mov_to_dr(f->cpu, &dr4), X_UD);
    EXPECT_FAULT(f, sys_mov_from_dr(f->cpu, &dr8), X_UD);
    f->cpu->gpr[RBX] = 1ull << 32;
    EXPECT_FAULT(f, sys_mov_to_dr(f->cpu, &dr7), X_GP);
    f->cpu->gpr[RBX] = DR7_GD;
    assert_int_equal(sys_mov_to_dr(f->cpu, &dr7), EXEC_JUMP);
    EXPECT_FAULT(f, sys_mov_from_dr(f->cpu, &dr0), X_DB);
    assert_int_equal(f->cpu->fault.address, DR6_BD);
    f->cpu->dr7 = DR7_FIXED;
    f->cpu->gpr[RBX] = 0x20010089; /* L0: writes, G1: execution, G3: a port, with CR4.DE only */
    assert_int_equal(sys_mov_to_dr(f->cpu, &dr7), EXEC_JUMP);
    assert_int_equal(f->cpu->break_data, 1);
    assert_int_equal(f->cpu->break_code, 2);
    assert_int_equal(f->cpu->break_port, 8);
    assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 & ~CR4_DE), EXEC_OK);
    assert_int_equal(f->cpu->break_port, 0);
    fixture_free(f);
}

/* --- flags ------------------------------------------------------------------------------------ */

static void popf_changes_what_privilege_allows(void **state)
{
    static const struct {
        unsigned cpl, iopl;
        uint64_t changeable; /* of IF and IOPL */
    } cases[] = {
        { 0, 0, RFLAGS_IF | RFLAGS_IOPL }, { 3, 0, 0 }, { 3, 3, RFLAGS_IF },
    };
    struct sys_insn popf = { .operand_size = 8 };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct fixture *f = fixture_new(1);
        uint64_t iopl = (uint64_t)cases[i].iopl << RFLAGS_IOPL_SHIFT;
        fixture_long_mode(f, cases[i].cpl);
        f->cpu->rflags_rest = iopl;
        f->cpu->gpr[RSP] = AT_STACK - 8;
        fixture_store(f, AT_STACK - 8, 8, ~0ull);
        assert_int_equal(sys_popf(f->cpu, &popf), EXEC_JUMP); /* TF came on */
        uint64_t expected = RFLAGS_FIXED | RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID;
        assert_int_equal(cpu_rflags(f->cpu), expected | iopl | cases[i].changeable);
        assert_int_equal(f->cpu->gpr[RSP], AT_STACK);
        fixture_free(f);
    }
}

static void sti_delays_by_one_instruction_only_when_if_was_clear(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .length = 1, .next_rip = 5 };

    (void)state;
    fixture_long_mode(f, 0);
    assert_int_equal(sys_sti(f->cpu, &insn), EXEC_JUMP);
    assert_true(f->cpu->shadow_sti);
    f->cpu->shadow_sti = false;
    assert_int_equal(sys_sti(f->cpu, &insn), EXEC_OK);
    assert_false(f->cpu->shadow_sti);
    assert_int_equal(sys_cli(f->cpu, &insn), EXEC_OK);
    assert_false(f->cpu->rflags_rest & RFLAGS_IF);
    fixture_set_cpl(f, 3);
    EXPECT_FAULT(f, sys_sti(f->cpu, &insn), X_GP);
    EXPECT_FAULT(f, sys_cli(f->cpu, &insn), X_GP);
    EXPECT_FAULT(f, sys_stac(f->cpu, &insn), X_UD);
    fixture_free(f);
}

/* --- ports ---------------------------------------------------------------------------------------- */

static struct { unsigned reads, writes, size; uint64_t offset, value; } port;

static uint64_t port_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx;
    port.reads++;
    port.offset = offset;
    port.size = size;
    return 0x1122334455667788;
}

static void port_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx;
    port.writes++;
    port.offset = offset;
    port.size = size;
    port.value = value;
}

static struct fixture *with_ports(unsigned cpl)
{
    static const struct mem_region region = { "test ports", port_read, port_write, NULL };
    struct fixture *f = fixture_new(1);

    memset(&port, 0, sizeof(port));
    fixture_long_mode(f, cpl);
    assert_true(mem_port_map(f->machine.mem, 0x60, 16, &region) >= 0);
    return f;
}

static void in_and_out_move_operand_sized_values(void **state)
{
    struct fixture *f = with_ports(0);
    struct sys_insn in8 = { .opcode = 0xe4, .operand_size = 1, .imm = 0x61 };
    struct sys_insn in32 = { .opcode = 0xed, .operand_size = 4 };
    struct sys_insn out16 = { .opcode = 0xef, .operand_size = 2 };

    (void)state;
    f->cpu->gpr[RAX] = ~0ull;
    f->cpu->gpr[RDX] = 0xffff0064;
    assert_int_equal(sys_in(f->cpu, &in8), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RAX], 0xffffffffffffff88);
    assert_int_equal(port.offset, 1);
    assert_int_equal(sys_in(f->cpu, &in32), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RAX], 0x55667788);
    assert_int_equal(port.offset, 4);
    assert_int_equal(sys_out(f->cpu, &out16), EXEC_OK);
    assert_int_equal(port.value, 0x7788);
    assert_int_equal(port.size, 2);
    fixture_free(f);
}

static void the_permission_bitmap_decides_for_users(void **state)
{
    struct fixture *f = with_ports(3);
    struct sys_insn in8 = { .opcode = 0xec, .operand_size = 1 }, in16 = { .opcode = 0xed, .operand_size = 2 };

    (void)state;
    f->cpu->gpr[RDX] = 0x67;
    fixture_store(f, AT_TSS + 102, 2, 0x68);
    EXPECT_FAULT(f, sys_in(f->cpu, &in8), X_GP); /* the map begins beyond the TSS */
    f->cpu->seg[TR].limit = 0x68 + 0x10;
    fixture_store(f, AT_TSS + 0x68 + 0xc, 2, 0xff7f); /* only port 67H */
    assert_int_equal(sys_in(f->cpu, &in8), EXEC_OK);
    EXPECT_FAULT(f, sys_in(f->cpu, &in16), X_GP); /* 68H is denied */
    f->cpu->gpr[RDX] = 0x66;
    EXPECT_FAULT(f, sys_in(f->cpu, &in8), X_GP);
    f->cpu->gpr[RDX] = 0x80; /* its second byte is beyond the limit */
    EXPECT_FAULT(f, sys_in(f->cpu, &in8), X_GP);
    f->cpu->rflags_rest = RFLAGS_IOPL;
    assert_int_equal(sys_in(f->cpu, &in8), EXEC_OK);
    assert_int_equal(port.reads, 1);
    fixture_free(f);
}

static void string_io_pauses_between_elements_and_probes_before_reading(void **state)
{
    struct fixture *f = with_ports(0);
    struct sys_insn ins = { .opcode = 0x6d, .operand_size = 4, .address_size = 8, .rep = true };
    struct sys_insn outs = { .opcode = 0x6e, .operand_size = 1, .address_size = 8, .segment = DS, .rep = true };

    (void)state;
    f->cpu->gpr[RDX] = 0x60;
    f->cpu->gpr[RDI] = AT_DATA;
    f->cpu->gpr[RCX] = 2;
    assert_int_equal(sys_ins(f->cpu, &ins), EXEC_REPEAT);
    assert_int_equal(sys_ins(f->cpu, &ins), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RDI], AT_DATA + 8);
    assert_int_equal(fixture_load(f, AT_DATA, 8), 0x5566778855667788);
    assert_int_equal(sys_ins(f->cpu, &ins), EXEC_OK); /* RCX is 0 */
    assert_int_equal(port.reads, 2);
    f->cpu->gpr[RCX] = 1;
    f->cpu->gpr[RDI] = 0x900000; /* not mapped */
    EXPECT_FAULT(f, sys_ins(f->cpu, &ins), X_PF);
    assert_int_equal(port.reads, 2);
    f->cpu->gpr[RSI] = AT_DATA + 1;
    f->cpu->rflags_rest |= RFLAGS_DF;
    assert_int_equal(sys_outs(f->cpu, &outs), EXEC_OK);
    assert_int_equal(port.value, 0x77);
    assert_int_equal(f->cpu->gpr[RSI], AT_DATA);
    fixture_free(f);
}

/* --- FXSAVE ---------------------------------------------------------------------------------------- */

static void fxsave_and_fxrstor_are_a_round_trip_with_checks(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .modrm = 0x05, .segment = DS, .ea = AT_DATA };
    struct cpu *cpu = f->cpu;

    (void)state;
    fixture_long_mode(f, 0);
    cpu->mxcsr = 0x1fa0;
    cpu->x87.cw = 0x37f;
    for (unsigned i = 0; i < 16; i++) {
        cpu->xmm[i].u64[0] = 0x1111 * i;
        cpu->xmm[i].u64[1] = ~cpu->xmm[i].u64[0];
    }
    fixture_store(f, AT_DATA + 464, 8, 0xabcdef); /* software's area stays */
    assert_int_equal(sys_fxsave(cpu, &insn), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA, 2), 0x37f);
    assert_int_equal(fixture_load(f, AT_DATA + 24, 8), 0xffff00001fa0);
    assert_int_equal(fixture_load(f, AT_DATA + 160 + 15 * 16, 8), 0xffff);
    assert_int_equal(fixture_load(f, AT_DATA + 464, 8), 0xabcdef);
    memset(cpu->xmm, 0, sizeof(cpu->xmm));
    cpu->mxcsr = 0;
    assert_int_equal(sys_fxrstor(cpu, &insn), EXEC_OK);
    assert_int_equal(cpu->xmm[15].u64[1], ~0xffffull);
    assert_int_equal(cpu->mxcsr, 0x1fa0);
    fixture_store(f, AT_DATA + 24, 4, 0x10000);
    EXPECT_FAULT(f, sys_fxrstor(cpu, &insn), X_GP); /* reserved MXCSR bit */
    insn.ea += 8;
    EXPECT_FAULT(f, sys_fxsave(cpu, &insn), X_GP); /* alignment */
    cpu->cr0 |= CR0_TS;
    EXPECT_FAULT(f, sys_fxsave(cpu, &insn), X_NM);
    cpu->cr0 |= CR0_EM;
    EXPECT_FAULT(f, sys_fxsave(cpu, &insn), X_UD);
    fixture_free(f);
}

/* --- TLB instructions, bases ------------------------------------------------------------------------- */

static void invpcid_checks_its_descriptor(void **state)
{
    static const struct {
        uint64_t type, low, high;
        bool pcide, ok;
    } cases[] = {
        { 0, 0, 0x1000, false, true }, { 0, 1, 0x1000, false, false }, { 0, 1, 0x1000, true, true },
        { 0, 0, 0x800000000000, true, false }, { 1, 1, 0x800000000000, true, true }, { 1, 1, 0, false, false },
        { 2, 1, 0, false, true }, { 3, 0, 0, false, true }, { 4, 0, 0, true, false }, { 2, 0x1000, 0, true, false },
    };
    struct sys_insn insn = { .modrm = 0x05, .segment = DS, .ea = AT_DATA, .reg = RBX };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        fixture_long_mode(f, 0);
        f->cpu->cr4 |= cases[i].pcide ? CR4_PCIDE : 0;
        fixture_store(f, AT_DATA, 8, cases[i].low);
        fixture_store(f, AT_DATA + 8, 8, cases[i].high);
        f->cpu->gpr[RBX] = cases[i].type;
        assert_int_equal(sys_invpcid(f->cpu, &insn), cases[i].ok ? EXEC_JUMP : EXEC_FAULT);
        fixture_free(f);
    }
}

static void bases_need_fsgsbase_and_canonical_values(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .modrm = 0xd0, .rm = RBX, .operand_size = 8 };

    (void)state;
    fixture_long_mode(f, 3);
    EXPECT_FAULT(f, sys_wrfsbase(f->cpu, &insn), X_UD);
    f->cpu->cr4 |= CR4_FSGSBASE;
    f->cpu->gpr[RBX] = 0x123456789abc;
    EXPECT_FAULT(f, (f->cpu->gpr[RBX] = 0x800000000000, sys_wrgsbase(f->cpu, &insn)), X_GP);
    f->cpu->gpr[RBX] = 0x123456789abc;
    assert_int_equal(sys_wrgsbase(f->cpu, &insn), EXEC_OK);
    f->cpu->gpr[RBX] = 0;
    assert_int_equal(sys_rdgsbase(f->cpu, &insn), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RBX], 0x123456789abc);
    EXPECT_FAULT(f, sys_swapgs(f->cpu, &insn), X_GP);
    fixture_set_cpl(f, 0);
    f->cpu->seg[GS].base = 1;
    f->cpu->msr.kernel_gs_base = 2;
    assert_int_equal(sys_swapgs(f->cpu, &insn), EXEC_OK);
    assert_int_equal(f->cpu->seg[GS].base, 2);
    assert_int_equal(f->cpu->msr.kernel_gs_base, 1);
    fixture_free(f);
}

/* --- intercepts ------------------------------------------------------------------------------------------ */

static struct { unsigned asked; enum vtx_cause cause; uint32_t number; enum exec_result answer; } asked;

static enum exec_result note_intercept(struct cpu *cpu, struct vtx_event *event)
{
    (void)cpu;
    asked.asked++;
    asked.cause = event->cause;
    asked.number = event->number;
    return asked.answer;
}

static enum exec_result no_virtual_apic(struct cpu *cpu, uint32_t index, bool write, uint64_t *value)
{
    (void)cpu, (void)index, (void)write, (void)value;
    return EXEC_OK;
}

static uint16_t no_vpid(const struct cpu *cpu)
{
    (void)cpu;
    return 0;
}

static uint64_t no_eptp(const struct cpu *cpu)
{
    (void)cpu;
    return 0;
}

static bool no_second_level(const struct cpu *cpu)
{
    (void)cpu;
    return false;
}

static const struct vtx_ops noting_ops = {
    .intercept = note_intercept, .virtual_apic_msr = no_virtual_apic, .vpid = no_vpid, .eptp = no_eptp,
    .second_level = no_second_level,
};

/* Every interceptable instruction asks with its cause, after privilege, before acting. */
static void guests_instructions_ask_before_they_act(void **state)
{
    static const struct {
        sys_fn *fn;
        enum vtx_cause cause;
        bool privileged;
        uint8_t reg, opcode;
    } cases[] = {
        { sys_cpuid, VTX_CPUID, false, 0, 0 },       { sys_hlt, VTX_HLT, true, 0, 0 },
        { sys_invd, VTX_INVD, true, 0, 0 },          { sys_wbinvd, VTX_WBINVD, true, 0, 0 },
        { sys_invlpg, VTX_INVLPG, true, 0, 0 },      { sys_invpcid, VTX_INVPCID, true, 0, 0 },
        { sys_rdpmc, VTX_RDPMC, true, 0, 0 },        { sys_rdtsc, VTX_RDTSC, false, 0, 0 },
        { sys_rdtscp, VTX_RDTSCP, false, 0, 0 },     { sys_pause, VTX_PAUSE, false, 0, 0 },
        { sys_sgdt, VTX_GDTR_IDTR, false, 0, 0 },    { sys_lidt, VTX_GDTR_IDTR, true, 0, 0 },
        { sys_sldt, VTX_LDTR_TR, false, 0, 0 },      { sys_ltr, VTX_LDTR_TR, true, 0, 0 },
        { sys_mov_from_cr, VTX_CR_READ, true, 3, 0 }, { sys_mov_to_cr, VTX_CR_WRITE, true, 3, 0 },
        { sys_clts, VTX_CLTS, true, 0, 0 },          { sys_lmsw, VTX_LMSW, true, 0, 0 },
        { sys_mov_to_dr, VTX_DR, true, 7, 0 },       { sys_mov_from_dr, VTX_DR, true, 7, 0 },
        { sys_in, VTX_IO, true, 0, 0xec },           { sys_out, VTX_IO, true, 0, 0xee },
        { sys_ins, VTX_IO, true, 0, 0x6c },          { sys_outs, VTX_IO, true, 0, 0x6e },
        { sys_rdmsr, VTX_RDMSR, true, 0, 0 },        { sys_wrmsr, VTX_WRMSR, true, 0, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        struct sys_insn insn = {
            .modrm = 0x05, .reg = cases[i].reg, .opcode = cases[i].opcode, .rm = RBX, .operand_size = 8,
            .address_size = 8, .segment = DS, .ea = AT_DATA, .next_rip = 9,
        };
        memset(&asked, 0, sizeof(asked));
        asked.answer = EXEC_VMEXIT;
        fixture_long_mode(f, 0);
        f->machine.vtx = &noting_ops;
        f->cpu->nonroot = true;
        mmu_vtx_switched(f->cpu);
        f->cpu->gpr[RSI] = f->cpu->gpr[RDI] = AT_DATA;
        struct cpu before = *f->cpu;
        assert_int_equal(cases[i].fn(f->cpu, &insn), EXEC_VMEXIT);
        assert_int_equal(asked.asked, 1);
        assert_int_equal(asked.cause, cases[i].cause);
        assert_memory_equal(before.gpr, f->cpu->gpr, sizeof(before.gpr));
        assert_int_equal(before.rip, f->cpu->rip);
        if (cases[i].privileged) {
            fixture_set_cpl(f, 3);
            assert_int_equal(cases[i].fn(f->cpu, &insn), EXEC_FAULT);
            assert_int_equal(asked.asked, 1);
        }
        fixture_free(f);
    }
}

/* --- reset -------------------------------------------------------------------------------------------------- */

static void reset_and_init_set_the_manuals_values(void **state)
{
    struct fixture *f = fixture_new(1);
    struct cpu *cpu = f->cpu;

    (void)state;
    assert_int_equal(cpu->rip, 0xfff0);
    assert_int_equal(cpu->seg[CS].base, 0xffff0000);
    assert_int_equal(cpu->cr0, 0x60000010);
    assert_int_equal(cpu_rflags(cpu), 2);
    assert_int_equal(cpu->msr.pat, 0x0007040600070406);
    assert_int_equal(cpu->msr.apic_base, 0xfee00900);
    cpu->msr.lstar = 5;
    cpu->xmm[3].u64[0] = 6;
    cpu->cr0 = CR0_PE | CR0_ET;
    cpu->gpr[RAX] = 7;
    cpu_reset(cpu, true);
    assert_int_equal(cpu->msr.lstar, 5); /* INIT keeps MSRs, SSE state and cache bits */
    assert_int_equal(cpu->xmm[3].u64[0], 6);
    assert_int_equal(cpu->cr0, CR0_ET);
    assert_int_equal(cpu->gpr[RAX], 0);
    assert_int_equal(cpu->activity, ACTIVE);
    cpu_reset(cpu, false);
    assert_int_equal(cpu->msr.lstar, 0);
    assert_int_equal(cpu->xmm[3].u64[0], 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_disjoint),
        cmocka_unit_test(every_row_keeps_its_rules_on_every_model),
        cmocka_unit_test(numbers_between_the_rows_fault),
        cmocka_unit_test(machine_check_banks_are_counted_and_guarded),
        cmocka_unit_test(misc_enable_takes_nx_and_leaves_away),
        cmocka_unit_test(efer_guards_long_mode),
        cmocka_unit_test(tsc_and_its_adjust_move_together),
        cmocka_unit_test(no_processor_sees_a_counter_run_backwards),
        cmocka_unit_test(rdmsr_and_wrmsr_are_for_ring_0),
        cmocka_unit_test(cpuid_describes_this_machine),
        cmocka_unit_test(control_registers_refuse_what_the_manual_refuses),
        cmocka_unit_test(long_mode_begins_and_ends_with_paging),
        cmocka_unit_test(mov_cr_knows_its_registers),
        cmocka_unit_test(lmsw_sets_but_never_clears_pe),
        cmocka_unit_test(debug_registers_alias_and_fault),
        cmocka_unit_test(popf_changes_what_privilege_allows),
        cmocka_unit_test(sti_delays_by_one_instruction_only_when_if_was_clear),
        cmocka_unit_test(in_and_out_move_operand_sized_values),
        cmocka_unit_test(the_permission_bitmap_decides_for_users),
        cmocka_unit_test(string_io_pauses_between_elements_and_probes_before_reading),
        cmocka_unit_test(fxsave_and_fxrstor_are_a_round_trip_with_checks),
        cmocka_unit_test(invpcid_checks_its_descriptor),
        cmocka_unit_test(bases_need_fsgsbase_and_canonical_values),
        cmocka_unit_test(guests_instructions_ask_before_they_act),
        cmocka_unit_test(reset_and_init_set_the_manuals_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
