/* The local APIC: registers by both ways, priorities, commands, timer. */
#include "fixture.h"

#include <stdlib.h>

#include "spec/x86/clock.h"

enum { ID = 0x20, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180,
       IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310, TIMER = 0x320, ERROR_LVT = 0x370, INITIAL = 0x380,
       CURRENT = 0x390, DIVIDE = 0x3e0 };
#define BASE_X2 (0xfee00000ull | 1 << 10 | 1 << 11)

static uint32_t reg(struct cpu *cpu, unsigned offset)
{
    return (uint32_t)apic_mmio_read(cpu, offset, 4);
}

static void set(struct cpu *cpu, unsigned offset, uint32_t value)
{
    apic_mmio_write(cpu, offset, 4, value);
}

static struct fixture *enabled(unsigned cpus)
{
    struct fixture *f = fixture_new(cpus);

    for (unsigned i = 0; i < cpus; i++) {
        set(f->machine.cpu[i], SVR, 0x1ff);
    }
    return f;
}

static void to_x2(struct fixture *f)
{
    for (unsigned i = 0; i < f->machine.cpu_count; i++) {
        assert_int_equal(apic_base_write(f->machine.cpu[i], BASE_X2), EXEC_OK);
    }
}

static int vector_pending(struct cpu *cpu)
{
    uint8_t vector;

    return apic_pending(cpu, &vector) ? vector : -1;
}

static void pass(struct fixture *f, uint64_t cycles)
{
    f->machine.now += cycles;
    for (unsigned i = 0; i < f->machine.cpu_count; i++) {
        f->machine.cpu[i]->now = f->machine.now;
    }
    event_queue_run(f->machine.events, f->machine.now);
}

/* --- priorities --------------------------------------------------------------------- */

static void the_highest_class_goes_first_and_tpr_holds_back(void **state)
{
    struct fixture *f = enabled(1);
    struct cpu *cpu = f->cpu;

    (void)state;
    apic_raise(cpu, 0x31, false);
    apic_raise(cpu, 0x52, false);
    apic_raise(cpu, 0x5f, false);
    assert_int_equal(vector_pending(cpu), 0x5f);
    apic_set_tpr(cpu, 0x50); /* class 5 is held back by class 5 */
    assert_int_equal(vector_pending(cpu), -1);
    apic_set_tpr(cpu, 0x4f);
    assert_int_equal(apic_acknowledge(cpu), 0x5f);
    assert_int_equal(reg(cpu, PPR), 0x50);
    assert_int_equal(vector_pending(cpu), -1);
    apic_raise(cpu, 0x60, false); /* nests */
    assert_int_equal(apic_acknowledge(cpu), 0x60);
    apic_eoi(cpu);
    assert_int_equal(reg(cpu, PPR), 0x50);
    apic_eoi(cpu);
    assert_int_equal(reg(cpu, PPR), 0x4f);
    assert_int_equal(apic_acknowledge(cpu), 0x52);
    apic_eoi(cpu);
    assert_int_equal(vector_pending(cpu), -1); /* 31H: class 3 against TPR class 4 */
    apic_set_tpr(cpu, 0);
    assert_int_equal(apic_acknowledge(cpu), 0x31);
    assert_int_equal(apic_acknowledge(cpu), 0xff); /* spurious */
    assert_int_equal(cpu->cr8, 0);
    fixture_free(f);
}

static uint8_t eoi_vector;

static void note_eoi(void *ctx, uint8_t vector)
{
    (void)ctx;
    eoi_vector = vector;
}

static void eoi_of_level_interrupts_is_broadcast(void **state)
{
    struct fixture *f = enabled(1);

    (void)state;
    eoi_vector = 0;
    apic_set_board(&f->machine, &(struct apic_board){ .eoi = note_eoi });
    apic_raise(f->cpu, 0x40, true);
    assert_int_equal(reg(f->cpu, TMR + 0x20), 1);
    assert_int_equal(reg(f->cpu, IRR + 0x20), 1);
    assert_int_equal(apic_acknowledge(f->cpu), 0x40);
    assert_int_equal(reg(f->cpu, IRR + 0x20), 0);
    assert_int_equal(reg(f->cpu, ISR + 0x20), 1);
    set(f->cpu, EOI, 0);
    assert_int_equal(eoi_vector, 0x40);
    eoi_vector = 0;
    apic_raise(f->cpu, 0x40, false); /* edge now: TMR is cleared */
    apic_acknowledge(f->cpu);
    set(f->cpu, EOI, 0);
    assert_int_equal(eoi_vector, 0);
    fixture_free(f);
}

static void a_software_disabled_apic_takes_only_nmi_init_sipi(void **state)
{
    struct fixture *f = fixture_new(1);
    struct apic_message m = { .vector = 0x40 };

    (void)state;
    assert_false(apic_deliver(&f->machine, &m));
    assert_int_equal(reg(f->cpu, IRR + 0x20), 0);
    m.mode = APIC_NMI;
    assert_true(apic_deliver(&f->machine, &m));
    assert_int_equal(fake_attended[0] & ATTN_NMI, ATTN_NMI);
    set(f->cpu, TIMER, 0x40);
    assert_int_equal(reg(f->cpu, TIMER), 0x10040); /* mask cannot be cleared */
    fixture_free(f);
}

/* --- destinations -------------------------------------------------------------------- */

/* Which of four processors a message reaches, as a mask. */
static unsigned reached(struct fixture *f, const struct apic_message *m)
{
    unsigned mask = 0;

    apic_deliver(&f->machine, m);
    for (unsigned i = 0; i < 4; i++) {
        if (vector_pending(f->machine.cpu[i]) == m->vector) {
            mask |= 1u << i;
            apic_acknowledge(f->machine.cpu[i]);
            apic_eoi(f->machine.cpu[i]);
        }
    }
    return mask;
}

static void destinations_name_processors(void **state)
{
    static const struct {
        bool x2, cluster;
        struct apic_message m;
        unsigned reached;
    } cases[] = {
        { false, false, { .destination = 2, .vector = 0x40 }, 4 },
        { false, false, { .destination = 0xff, .vector = 0x40 }, 15 },
        { false, false, { .destination = 9, .vector = 0x40 }, 0 },
        { false, false, { .destination = 0x6, .vector = 0x40, .logical = true }, 6 },     /* flat: LDR = 1 << n */
        { false, false, { .destination = 0x80, .vector = 0x40, .logical = true }, 0 },
        { false, true, { .destination = 0x13, .vector = 0x40, .logical = true }, 3 },     /* clusters 1, 1, 2, 2 */
        { false, true, { .destination = 0x22, .vector = 0x40, .logical = true }, 8 },
        { false, true, { .destination = 0x33, .vector = 0x40, .logical = true }, 0 },
        { true, false, { .destination = 3, .vector = 0x40, .wide = true }, 8 },
        { true, false, { .destination = 0xffffffff, .vector = 0x40, .wide = true }, 15 },
        { true, false, { .destination = 0xff, .vector = 0x40, .wide = true }, 0 },
        { true, false, { .destination = 0x0000000a, .vector = 0x40, .wide = true, .logical = true }, 10 },
        { true, false, { .destination = 0x0001000a, .vector = 0x40, .wide = true, .logical = true }, 0 },
        { false, false, { .destination = 0xff, .vector = 0x40, .mode = APIC_LOWEST }, 2 }, /* lowest TPR */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = enabled(4);
        for (unsigned n = 0; n < 4; n++) {
            struct cpu *cpu = f->machine.cpu[n];
            set(cpu, DFR, cases[i].cluster ? 0x0fffffff : 0xffffffff);
            set(cpu, LDR, (cases[i].cluster ? (n / 2 + 1) << 4 | 1u << n % 2 : 1u << n) << 24);
            apic_set_tpr(cpu, n == 1 ? 0x10 : 0x30);
        }
        if (cases[i].x2) {
            to_x2(f);
        }
        assert_int_equal(reached(f, &cases[i].m), cases[i].reached);
        fixture_free(f);
    }
}

static void msis_are_parsed(void **state)
{
    struct fixture *f = enabled(4);

    (void)state;
    assert_true(apic_deliver_msi(&f->machine, 0xfee02000, 0x4041));
    assert_int_equal(vector_pending(f->machine.cpu[2]), 0x41);
    assert_false(apic_deliver_msi(&f->machine, 0xfed02000, 0x4041));
    assert_false(apic_deliver_msi(&f->machine, 0xfee09000, 0x4041));
    for (unsigned hint = 0; hint < 2; hint++) { /* logical with and without the redirection hint */
        to_x2(f);
        assert_true(apic_deliver_msi(&f->machine, 0xfee0d004 | hint << 3, 0x50 + hint));
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(vector_pending(f->machine.cpu[i]) == (int)(0x50 + hint), i != 1);
        }
    }
    fixture_free(f);
}

/* --- commands -------------------------------------------------------------------------- */

static void ipis_arrive_after_the_fabrics_latency(void **state)
{
    struct fixture *f = enabled(4);

    (void)state;
    set(f->cpu, ICR_HIGH, 2u << 24);
    set(f->cpu, ICR, 0x4000 | 0x77);
    assert_int_equal(vector_pending(f->machine.cpu[2]), -1);
    pass(f, FIXTURE_IPI_CYCLES - 1);
    assert_int_equal(vector_pending(f->machine.cpu[2]), -1);
    pass(f, 1);
    assert_int_equal(vector_pending(f->machine.cpu[2]), 0x77);
    fixture_free(f);
}

static void shorthands_choose_processors(void **state)
{
    static const struct {
        uint32_t shorthand;
        unsigned reached;
    } cases[] = { { 1, 1 }, { 2, 15 }, { 3, 14 } };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned x2 = 0; x2 < 2; x2++) {
            struct fixture *f = enabled(4);
            unsigned mask = 0;
            uint64_t icr = 0x4000 | 0x77 | cases[i].shorthand << 18;
            if (x2) {
                to_x2(f);
                assert_int_equal(apic_wrmsr(f->cpu, 0x830, icr), EXEC_OK);
            } else {
                set(f->cpu, ICR, (uint32_t)icr);
            }
            pass(f, FIXTURE_IPI_CYCLES);
            for (unsigned n = 0; n < 4; n++) {
                mask |= (unsigned)(vector_pending(f->machine.cpu[n]) == 0x77) << n;
            }
            assert_int_equal(mask, cases[i].reached);
            fixture_free(f);
        }
    }
}

static void init_and_startup_reach_another_processor(void **state)
{
    struct fixture *f = enabled(2);
    struct cpu *ap = f->machine.cpu[1];

    (void)state;
    set(f->cpu, ICR_HIGH, 1u << 24);
    set(f->cpu, ICR, 0xc500); /* INIT, level, assert */
    pass(f, FIXTURE_IPI_CYCLES);
    assert_int_equal(ap->attention & ATTN_INIT, ATTN_INIT);
    ap->attention = 0;
    set(f->cpu, ICR, 0x8500); /* INIT level de-assert does nothing */
    pass(f, FIXTURE_IPI_CYCLES);
    assert_int_equal(ap->attention, 0);
    set(f->cpu, ICR, 0x4698);
    pass(f, FIXTURE_IPI_CYCLES);
    assert_int_equal(ap->attention, ATTN_SIPI);
    assert_int_equal(ap->sipi_vector, 0x98);
    fixture_free(f);
}

static void more_commands_than_slots_all_arrive(void **state)
{
    struct fixture *f = enabled(2);
    unsigned count = 0;

    (void)state;
    set(f->cpu, ICR_HIGH, 1u << 24);
    for (unsigned i = 0; i < 600; i++) {
        set(f->cpu, ICR, 0x4000 | (0x20 + i % 0xc0));
    }
    pass(f, FIXTURE_IPI_CYCLES);
    while (vector_pending(f->machine.cpu[1]) >= 0) {
        apic_acknowledge(f->machine.cpu[1]);
        apic_eoi(f->machine.cpu[1]);
        count++;
    }
    assert_int_equal(count, 0xc0);
    fixture_free(f);
}

static void illegal_vectors_are_errors(void **state)
{
    struct fixture *f = enabled(1);

    (void)state;
    set(f->cpu, ERROR_LVT, 0x38);
    set(f->cpu, ICR, 0x40000 | 0x0f); /* self, vector 15 */
    assert_int_equal(vector_pending(f->cpu), 0x38);
    assert_int_equal(reg(f->cpu, ESR), 0); /* only a write latches */
    set(f->cpu, ESR, 0);
    assert_int_equal(reg(f->cpu, ESR), 1 << 5);
    set(f->cpu, ESR, 0);
    assert_int_equal(reg(f->cpu, ESR), 0);
    reg(f->cpu, 0x40); /* no such register */
    set(f->cpu, ESR, 0);
    assert_int_equal(reg(f->cpu, ESR), 1 << 7);
    apic_raise(f->cpu, 3, false);
    set(f->cpu, ESR, 0);
    assert_int_equal(reg(f->cpu, ESR), 1 << 6);
    fixture_free(f);
}

/* --- x2APIC -------------------------------------------------------------------------------- */

static void mode_transitions_follow_the_diagram(void **state)
{
    enum { OFF, X, INVALID, X2 };
    static const uint64_t bits[] = { [OFF] = 0, [X] = 1 << 11, [INVALID] = 1 << 10, [X2] = 3 << 10 };
    static const bool allowed[4][4] = {
        [OFF] = { [OFF] = true, [X] = true },
        [X] = { [OFF] = true, [X] = true, [X2] = true },
        [X2] = { [OFF] = true, [X2] = true },
    };

    (void)state;
    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; to < 4 && from != INVALID; to++) {
            struct fixture *f = fixture_new(1);
            f->cpu->msr.apic_base = 0xfee00000 | bits[from];
            enum exec_result result = apic_base_write(f->cpu, 0xfee00000 | bits[to]);
            assert_int_equal(result, allowed[from][to] ? EXEC_OK : EXEC_FAULT);
            fixture_free(f);
        }
    }
}

/* For each of the 256 MSRs: may it be read, may 0 be written, may all ones? */
static void x2apic_registers_fault_as_the_manual_says(void **state)
{
    struct fixture *f = enabled(1);
    uint64_t value;

    (void)state;
    assert_int_equal(apic_rdmsr(f->cpu, 0x802, &value), EXEC_FAULT); /* not in x2APIC mode */
    to_x2(f);
    for (uint32_t n = 0; n < 0x100; n++) {
        bool readable = n == 2 || n == 3 || n == 8 || n == 0xa || n == 0xd || n == 0xf || (n >= 0x10 && n < 0x28) ||
                        n == 0x28 || n == 0x30 || (n >= 0x32 && n <= 0x39) || n == 0x3e;
        bool writable = n == 8 || n == 0xb || n == 0xf || n == 0x28 || n == 0x30 || (n >= 0x32 && n <= 0x38) ||
                        n == 0x3e || n == 0x3f;
        assert_int_equal(apic_rdmsr(f->cpu, 0x800 + n, &value), readable ? EXEC_OK : EXEC_FAULT);
        assert_int_equal(apic_wrmsr(f->cpu, 0x800 + n, 0), writable ? EXEC_OK : EXEC_FAULT);
        assert_int_equal(apic_wrmsr(f->cpu, 0x800 + n, ~0ull), EXEC_FAULT);
    }
    assert_int_equal(apic_wrmsr(f->cpu, 0x80f, 0x1ff), EXEC_OK);
    assert_int_equal(apic_wrmsr(f->cpu, 0x83f, 0x45), EXEC_OK);
    assert_int_equal(vector_pending(f->cpu), 0x45);
    assert_int_equal(apic_wrmsr(f->cpu, 0x80b, 1), EXEC_FAULT); /* EOI takes 0 only */
    fixture_free(f);
}

static void x2apic_ids_are_32_bit_and_logical_ids_derive_from_them(void **state)
{
    struct fixture *f = enabled(20);
    uint64_t value;

    (void)state;
    assert_int_equal(reg(f->machine.cpu[18], ID), 18u << 24);
    to_x2(f);
    assert_int_equal(apic_rdmsr(f->machine.cpu[18], 0x802, &value), EXEC_OK);
    assert_int_equal(value, 18);
    assert_int_equal(apic_rdmsr(f->machine.cpu[18], 0x80d, &value), EXEC_OK);
    assert_int_equal(value, 1 << 16 | 1 << 2);
    fixture_free(f);
}

/* --- timer ----------------------------------------------------------------------------------- */

enum { CRYSTAL = CLOCK_TSC_PER_CRYSTAL };

static void one_shot_counts_down_once(void **state)
{
    struct fixture *f = enabled(1);

    (void)state;
    set(f->cpu, TIMER, 0x51);
    set(f->cpu, DIVIDE, 0xb); /* by 1 */
    set(f->cpu, INITIAL, 1000);
    pass(f, 400 * CRYSTAL);
    assert_int_equal(reg(f->cpu, CURRENT), 600);
    pass(f, 600 * CRYSTAL - 1);
    assert_int_equal(vector_pending(f->cpu), -1);
    pass(f, 1);
    assert_int_equal(vector_pending(f->cpu), 0x51);
    assert_int_equal(reg(f->cpu, CURRENT), 0);
    apic_acknowledge(f->cpu);
    apic_eoi(f->cpu);
    pass(f, 5000 * CRYSTAL);
    assert_int_equal(vector_pending(f->cpu), -1);
    fixture_free(f);
}

static void every_divide_configuration_divides(void **state)
{
    static const struct { uint32_t code; unsigned by; } cases[] = {
        { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 },
    };

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct fixture *f = enabled(1);
        set(f->cpu, DIVIDE, cases[i].code);
        set(f->cpu, INITIAL, 1000);
        pass(f, 10ull * cases[i].by * CRYSTAL);
        assert_int_equal(reg(f->cpu, CURRENT), 990);
        fixture_free(f);
    }
}

static void periodic_repeats_and_masked_is_silent(void **state)
{
    struct fixture *f = enabled(1);

    (void)state;
    set(f->cpu, TIMER, 0x20051);
    set(f->cpu, DIVIDE, 0xb);
    set(f->cpu, INITIAL, 10);
    for (unsigned i = 0; i < 3; i++) {
        pass(f, 10 * CRYSTAL);
        assert_int_equal(apic_acknowledge(f->cpu), 0x51);
        apic_eoi(f->cpu);
    }
    set(f->cpu, TIMER, 0x30051);
    pass(f, 10 * CRYSTAL);
    assert_int_equal(vector_pending(f->cpu), -1);
    set(f->cpu, INITIAL, 0);
    assert_int_equal(event_queue_next_due(f->machine.events), EVENT_NEVER);
    fixture_free(f);
}

static void tsc_deadline_fires_at_its_tsc(void **state)
{
    struct fixture *f = enabled(1);
    uint64_t value;

    (void)state;
    pass(f, 12345);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x6e0, 99999999), EXEC_OK);
    assert_int_equal(apic_deadline_read(f->cpu), 0); /* ignored in other modes */
    set(f->cpu, TIMER, 0x40052);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x10, 1000000), EXEC_OK); /* TSC */
    assert_int_equal(cpu_wrmsr(f->cpu, 0x6e0, 1000500), EXEC_OK);
    pass(f, 499);
    assert_int_equal(vector_pending(f->cpu), -1);
    assert_int_equal(cpu_rdmsr(f->cpu, 0x6e0, &value), EXEC_OK);
    assert_int_equal(value, 1000500);
    pass(f, 1);
    assert_int_equal(vector_pending(f->cpu), 0x52);
    assert_int_equal(apic_deadline_read(f->cpu), 0);
    apic_acknowledge(f->cpu);
    apic_eoi(f->cpu);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x6e0, 5), EXEC_OK); /* in the past: at once */
    assert_int_equal(vector_pending(f->cpu), 0x52);
    apic_acknowledge(f->cpu);
    apic_eoi(f->cpu);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x6e0, 2000000), EXEC_OK);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x10, 3000000), EXEC_OK); /* TSC jumps over it */
    assert_int_equal(vector_pending(f->cpu), 0x52);
    fixture_free(f);
}

static void leaving_deadline_mode_disarms(void **state)
{
    struct fixture *f = enabled(1);

    (void)state;
    set(f->cpu, TIMER, 0x40052);
    assert_int_equal(cpu_wrmsr(f->cpu, 0x6e0, 1000000), EXEC_OK);
    set(f->cpu, INITIAL, 10); /* ignored */
    assert_int_equal(reg(f->cpu, INITIAL), 0);
    set(f->cpu, TIMER, 0x52);
    assert_int_equal(event_queue_next_due(f->machine.events), EVENT_NEVER);
    fixture_free(f);
}

static void snapshots_carry_timers_and_flying_ipis(void **state)
{
    struct fixture *f = enabled(2), *g = fixture_new(2);
    uint8_t *bytes;
    size_t size;

    (void)state;
    set(f->cpu, TIMER, 0x51);
    set(f->cpu, DIVIDE, 0xb);
    set(f->cpu, INITIAL, 10);
    set(f->cpu, ICR_HIGH, 1u << 24);
    set(f->cpu, ICR, 0x4077);
    struct state *save = state_new_save();
    event_queue_state(f->machine.events, save);
    for (unsigned i = 0; i < 2; i++) {
        cpu_system_state(f->machine.cpu[i], save);
        apic_state(f->machine.cpu[i], save);
    }
    state_save_end(save, &bytes, &size);
    struct state *load = state_new_load(bytes, size);
    event_queue_state(g->machine.events, load);
    for (unsigned i = 0; i < 2; i++) {
        cpu_system_state(g->machine.cpu[i], load);
        apic_state(g->machine.cpu[i], load);
    }
    assert_null(state_load_end(load));
    pass(g, 10 * CRYSTAL + FIXTURE_IPI_CYCLES);
    assert_int_equal(vector_pending(g->cpu), 0x51);
    assert_int_equal(vector_pending(g->machine.cpu[1]), 0x77);
    free(bytes);
    fixture_free(f);
    fixture_free(g);
}

static void the_page_is_each_processors_own(void **state)
{
    struct fixture *f = enabled(3);

    (void)state;
    assert_int_equal(cpu_mmio_read(f->machine.cpu[2], 0xfee00020, 4), 2u << 24);
    assert_int_equal(cpu_mmio_read(f->machine.cpu[1], 0xfee00020, 4), 1u << 24);
    to_x2(f); /* the page is gone then */
    assert_int_not_equal(cpu_mmio_read(f->machine.cpu[2], 0xfee00020, 4), 2u << 24);
    fixture_free(f);
}

/* --- pins -------------------------------------------------------------------------------- */

enum { LINT0 = 0x350, LINT1 = 0x360, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14 };

static uint8_t controller(void *ctx)
{
    struct cpu *cpu = ctx;

    apic_set_pin(cpu, 0, false);
    return 0x28;
}

static struct fixture *wired(void)
{
    struct fixture *f = enabled(1);

    apic_set_board(&f->machine, &(struct apic_board){ .ctx = f->cpu, .acknowledge = controller });
    f->cpu->attention = 0;
    return f;
}

static void an_extint_pin_asks_the_external_controller(void **state)
{
    struct fixture *f = wired();

    (void)state;
    apic_set_pin(f->cpu, 0, true); /* masked since reset */
    assert_int_equal(vector_pending(f->cpu), -1);
    set(f->cpu, LINT0, APIC_EXTINT << 8);
    assert_true(f->cpu->attention & ATTN_INTR);
    apic_set_tpr(f->cpu, 0xf0);           /* no priority holds it back, */
    apic_raise(f->cpu, 0xf1, false);      /* and it goes before the APIC's own */
    assert_int_equal(apic_acknowledge(f->cpu), 0x28);
    assert_int_equal(vector_pending(f->cpu), -1);
    fixture_free(f);
}

static void a_disabled_apic_passes_intr_and_nmi_on(void **state)
{
    struct fixture *f = wired();

    (void)state;
    apic_set_pin(f->cpu, 0, true);
    assert_int_equal(vector_pending(f->cpu), -1);
    assert_int_equal(apic_base_write(f->cpu, 0xfee00100), EXEC_OK);
    assert_true(f->cpu->attention & ATTN_INTR);
    assert_int_equal(apic_acknowledge(f->cpu), 0x28);
    apic_set_pin(f->cpu, 1, true);
    assert_true(f->cpu->attention & ATTN_NMI);
    fixture_free(f);
}

static void an_extint_message_asks_the_external_controller_once(void **state)
{
    struct fixture *f = wired();
    const struct apic_message m = { .destination = 0, .mode = APIC_EXTINT };

    (void)state;
    assert_true(apic_deliver(&f->machine, &m));
    assert_int_equal(apic_acknowledge(f->cpu), 0x28);
    assert_int_equal(vector_pending(f->cpu), -1);
    fixture_free(f);
}

static void fixed_pins_are_edges_or_levels(void **state)
{
    struct fixture *f = wired();

    (void)state;
    set(f->cpu, LINT0, 0x45);
    apic_set_pin(f->cpu, 0, true);
    assert_int_equal(apic_acknowledge(f->cpu), 0x45);
    apic_eoi(f->cpu);
    assert_int_equal(vector_pending(f->cpu), -1); /* an edge comes once */
    apic_set_pin(f->cpu, 0, false);
    set(f->cpu, LINT0, LEVEL | 0x46);
    apic_set_pin(f->cpu, 0, true);
    assert_int_equal(apic_acknowledge(f->cpu), 0x46);
    assert_true(reg(f->cpu, LINT0) & REMOTE_IRR);
    apic_eoi(f->cpu);
    assert_int_equal(apic_acknowledge(f->cpu), 0x46); /* a level as long as it is high */
    apic_set_pin(f->cpu, 0, false);
    apic_eoi(f->cpu);
    assert_int_equal(vector_pending(f->cpu), -1);
    assert_false(reg(f->cpu, LINT0) & REMOTE_IRR);
    fixture_free(f);
}

static void lint1_delivers_nmis_when_unmasked(void **state)
{
    struct fixture *f = wired();

    (void)state;
    apic_set_pin(f->cpu, 1, true);
    assert_false(f->cpu->attention & ATTN_NMI);
    apic_set_pin(f->cpu, 1, false);
    set(f->cpu, LINT1, APIC_NMI << 8);
    apic_set_pin(f->cpu, 1, true);
    assert_true(f->cpu->attention & ATTN_NMI);
    fixture_free(f);
}

static void the_page_is_empty_while_the_apic_is_disabled_or_in_x2apic_mode(void **state)
{
    static const uint64_t base[] = { 0xfee00100, 0xfee00900, 0xfee00d00 };
    struct fixture *f = enabled(1);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(apic_base_write(f->cpu, base[i]), EXEC_OK);
        cpu_mmio_write(f->cpu, 0xfee000f0, 4, 0x1f0 + i);
        bool there = base[i] == 0xfee00900;
        assert_int_equal(cpu_mmio_read(f->cpu, 0xfee000f0, 4), there ? 0x1f1 : 0xffffffff);
    }
    fixture_free(f);
}

/* "Local APIC ID": writable before x2APIC came. */
static void the_xapic_id_can_be_changed_where_x2apic_is_not_reported(void **state)
{
    struct fixture *f = enabled(2);
    struct cpu *cpu = f->machine.cpu[1];

    (void)state;
    set(cpu, ID, 7u << 24);
    assert_int_equal(reg(cpu, ID), 1u << 24);
    fixture_model(f, "intel-v3,-X2APIC", false);
    set(cpu, ID, 7u << 24);
    assert_int_equal(reg(cpu, ID), 7u << 24);
    const struct apic_message to_7 = { .destination = 7, .vector = 0x40 }, to_1 = { .destination = 1, .vector = 0x41 };
    assert_true(apic_deliver(&f->machine, &to_7));
    assert_int_equal(vector_pending(cpu), 0x40);
    assert_false(apic_deliver(&f->machine, &to_1));
    set(f->cpu, ID, 7u << 24); /* two with one id: both are meant */
    set(f->cpu, ICR_HIGH, 7u << 24);
    set(f->cpu, ICR, 0x4042);
    pass(f, 1000000);
    assert_int_equal(vector_pending(f->cpu), 0x42);
    assert_int_equal(vector_pending(cpu), 0x42);
    apic_reset(cpu, true);
    assert_int_equal(reg(cpu, ID), 7u << 24);
    apic_reset(cpu, false);
    assert_int_equal(reg(cpu, ID), 1u << 24);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_class_goes_first_and_tpr_holds_back),
        cmocka_unit_test(eoi_of_level_interrupts_is_broadcast),
        cmocka_unit_test(a_software_disabled_apic_takes_only_nmi_init_sipi),
        cmocka_unit_test(destinations_name_processors),
        cmocka_unit_test(msis_are_parsed),
        cmocka_unit_test(ipis_arrive_after_the_fabrics_latency),
        cmocka_unit_test(shorthands_choose_processors),
        cmocka_unit_test(init_and_startup_reach_another_processor),
        cmocka_unit_test(more_commands_than_slots_all_arrive),
        cmocka_unit_test(illegal_vectors_are_errors),
        cmocka_unit_test(mode_transitions_follow_the_diagram),
        cmocka_unit_test(x2apic_registers_fault_as_the_manual_says),
        cmocka_unit_test(x2apic_ids_are_32_bit_and_logical_ids_derive_from_them),
        cmocka_unit_test(one_shot_counts_down_once),
        cmocka_unit_test(every_divide_configuration_divides),
        cmocka_unit_test(periodic_repeats_and_masked_is_silent),
        cmocka_unit_test(tsc_deadline_fires_at_its_tsc),
        cmocka_unit_test(leaving_deadline_mode_disarms),
        cmocka_unit_test(snapshots_carry_timers_and_flying_ipis),
        cmocka_unit_test(the_page_is_each_processors_own),
        cmocka_unit_test(an_extint_pin_asks_the_external_controller),
        cmocka_unit_test(a_disabled_apic_passes_intr_and_nmi_on),
        cmocka_unit_test(an_extint_message_asks_the_external_controller_once),
        cmocka_unit_test(fixed_pins_are_edges_or_levels),
        cmocka_unit_test(lint1_delivers_nmis_when_unmasked),
        cmocka_unit_test(the_xapic_id_can_be_changed_where_x2apic_is_not_reported),
        cmocka_unit_test(the_page_is_empty_while_the_apic_is_disabled_or_in_x2apic_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
