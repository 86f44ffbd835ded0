/* The approximate model: what a miss costs whom, what a flush forgets, what a block needs. */
#include "tests/unit/test.h"

#include <string.h>

#include "sim/cpu/exec/forms.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/block_cost.h"
#include "sim/time/hot.h"
#include "sim/time/timing.h"
#include "spec_timing_core.h"
#include "x86/opcodes.h"

enum { UNIT = 1 << TIME_UNIT_SHIFT, FAR_LINE = 0x400000 };

static struct machine *
new_machine(unsigned cpus)
{
    char error[256];
    const struct machine_config config = {
        .ram_size = 32 << 20, .cpu_count = cpus, .quantum = 1000, .timing_approx = true,
    };
    struct machine *m = machine_new(&config, error, sizeof error);
    assert_non_null(m);
    return m;
}

/* Cycles of one access. */
static uint64_t
cost(struct machine *m, unsigned cpu, uint64_t at, bool write)
{
    struct cpu *c = m->cpu[cpu];
    int64_t before = c->budget;
    time_data(c, at, at, 8, write);
    return (uint64_t)(before - c->budget) / UNIT;
}

static void warm_translation(struct machine *m, unsigned cpu, uint64_t at)
{
    cost(m, cpu, at + 2048, false);
    m->cpu[cpu]->time->chased = 0;
    m->cpu[cpu]->instructions += 1000; /* out of the window */
}

static void a_chased_pointer_pays_the_whole_latency_and_an_independent_load_does_not(void **state)
{
    struct machine *m = new_machine(1);
    uint64_t pointer = FAR_LINE + 0x100;
    (void)state;
    mem_write(m->mem, FAR_LINE, &pointer, 8);
    warm_translation(m, 0, FAR_LINE);
    assert_int_equal(cost(m, 0, FAR_LINE, false), CORE_DRAM_LATENCY - CORE_L1D_LATENCY - CORE_WINDOW_CYCLES);
    assert_int_equal(cost(m, 0, pointer, false), CORE_DRAM_LATENCY - CORE_L1D_LATENCY);
    /* This one depends on nothing and lies in the window of the first. */
    assert_int_equal(cost(m, 0, FAR_LINE + 0x900, false), (CORE_DRAM_LATENCY - CORE_L1D_LATENCY) / CORE_LINE_FILL_BUFFERS);
    assert_int_equal(cost(m, 0, FAR_LINE, false), 0);
    machine_free(m);
}

static void a_line_dirty_in_another_cache_costs_a_transfer(void **state)
{
    struct machine *m = new_machine(2);
    (void)state;
    cost(m, 0, FAR_LINE, true);
    assert_int_equal(cost(m, 0, FAR_LINE, true), 0);
    warm_translation(m, 1, FAR_LINE);
    uint64_t transfer = CORE_L3_LATENCY + CORE_DIRTY_ELSEWHERE - CORE_L1D_LATENCY;
    assert_int_equal(cost(m, 1, FAR_LINE, false), transfer - CORE_WINDOW_CYCLES);
    assert_int_equal(cost(m, 1, FAR_LINE, false), 0);
    assert_int_equal(cost(m, 0, FAR_LINE, false), 0); /* still there, to read */
    assert_true(cost(m, 1, FAR_LINE, true) == 0);     /* takes it away */
    assert_true(cost(m, 0, FAR_LINE, false) > 0);
    machine_free(m);
}

static void a_locked_operation_waits_for_its_line(void **state)
{
    struct machine *m = new_machine(1);
    struct cpu *c = m->cpu[0];
    (void)state;
    warm_translation(m, 0, FAR_LINE);
    uint64_t store = cost(m, 0, FAR_LINE, true);
    assert_int_equal(store, (CORE_DRAM_LATENCY - CORE_L1D_LATENCY) / CORE_LINE_FILL_BUFFERS);
    int64_t before = c->budget;
    time_charge(c, CHARGE_LOCKED, 1);
    uint64_t first = (uint64_t)(before - c->budget) / UNIT;
    before = c->budget;
    time_charge(c, CHARGE_LOCKED, 1);
    uint64_t second = (uint64_t)(before - c->budget) / UNIT;
    assert_int_equal(first - second, CORE_DRAM_LATENCY - CORE_L1D_LATENCY - store);
    machine_free(m);
}

static void a_device_writes_into_the_l3(void **state)
{
    struct machine *m = new_machine(1);
    (void)state;
    warm_translation(m, 0, FAR_LINE);
    cost(m, 0, FAR_LINE, false);
    assert_int_equal(cost(m, 0, FAR_LINE, false), 0);
    time_dma_write(m, FAR_LINE, 64);
    m->cpu[0]->time->chased = 0;
    m->cpu[0]->instructions += 1000;
    assert_int_equal(cost(m, 0, FAR_LINE, false), (CORE_L3_LATENCY - CORE_L1D_LATENCY) / CORE_LINE_FILL_BUFFERS);
    machine_free(m);
}

static void what_is_flushed_is_walked_again(void **state)
{
    struct machine *m = new_machine(1);
    (void)state;
    cost(m, 0, FAR_LINE, false);
    cost(m, 0, FAR_LINE, true);
    assert_int_equal(cost(m, 0, FAR_LINE, false), 0);
    time_flush_page(m->cpu[0], FAR_LINE + 0x1000);
    cost(m, 0, FAR_LINE, false);
    time_flush_page(m->cpu[0], FAR_LINE);
    assert_true(cost(m, 0, FAR_LINE, false) > 0);
    assert_int_equal(cost(m, 0, FAR_LINE, false), 0);
    time_flush(m->cpu[0], false);
    assert_true(cost(m, 0, FAR_LINE, false) > 0);
    m->cpu[0]->cr3 = 0x5000; /* another address space: its own translation, the same line */
    time_flush(m->cpu[0], false);
    m->cpu[0]->cr3 = 0;
    assert_int_equal(tlb_data(m->cpu[0], FAR_LINE), 0);
    time_flush(m->cpu[0], true);
    assert_true(tlb_data(m->cpu[0], FAR_LINE) > 0);
    machine_free(m);
}

static void the_hot_filter_agrees_with_the_model(void **state)
{
    struct machine *m = new_machine(2);
    struct cpu *c = m->cpu[0];
    const uint8_t *ram = mem_ram_base(m->mem);
    uint64_t random = 1;
    (void)state;
    for (unsigned i = 0; i < 200000; i++) { /* what the filter lets through must be a hit for the caches, too */
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t at = (random >> 33) % 0x20000 & ~7ull;
        bool write = random >> 62 & 1;
        if (random >> 60 == 3) {
            cost(m, 1, at, write);
            continue;
        }
        uint64_t line = at >> LINE_SHIFT, recent = c->time->recent[line % RECENT_LINES] ^ line << 1;
        if (recent <= 1)
            assert_true(tags_has(&c->time->l1d, line));
        if (recent <= 1 && recent >= write)
            assert_int_equal(cost(m, 0, at, write), 0);
        time_touch(c, at, ram + at, 8, write);
    }
    machine_free(m);
}

static void every_part_of_the_models_state_is_hashed(void **state)
{
    struct machine *m = new_machine(1);
    struct cpu_time *t = m->cpu[0]->time;
    (void)state;
    cost(m, 0, FAR_LINE, false);
    uint64_t *const words[] = {
        &t->recent[3], &t->recent_code[3], &t->stream[3], &t->chased, &t->miss_at, &t->hidden, &t->hidden_at,
        &t->predictor.target[3], &t->predictor.history, &t->predictor.return_to[3], t->l1d.tag, t->l1i.tag, t->l2.tag,
        t->dtlb.tag, t->itlb.tag, t->stlb.tag, m->timing->l3.tag, &m->timing->owner[3], &m->cpu[0]->bucket_cycles[3],
    };
    uint64_t before = machine_hash(m);
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        *words[i] ^= 1;
        assert_false(machine_hash(m) == before);
        *words[i] ^= 1;
    }
    t->predictor.counter[3] ^= 1;
    assert_false(machine_hash(m) == before);
    t->predictor.counter[3] ^= 1;
    t->predictor.return_top ^= 1;
    assert_false(machine_hash(m) == before);
    t->predictor.return_top ^= 1;
    assert_true(machine_hash(m) == before);
    machine_free(m);
}

/* --- blocks ------------------------------------------------------------------------------ */

static uint8_t slot(unsigned reg) { return (uint8_t)(SLOT_GPR + reg * 8); }

static struct insn
record(unsigned form, unsigned timing, unsigned dst, unsigned src)
{
    return (struct insn){ .form = (uint16_t)form, .timing = (uint8_t)timing, .dst = slot(dst), .src = slot(src),
                          .base = SLOT_ZERO, .index = SLOT_ZERO, .scale = 1 };
}

static void a_block_costs_its_narrowest_resource(void **state)
{
    struct insn r[12], load = record(FORM_mov_rm_64, TIMING_MOV, RAX, RCX);
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        r[i] = record(FORM_add_rr_64, TIMING_ALU, RAX, RCX);
    assert_int_equal(time_block_cost(r, 12), 12 * UNIT); /* one chain: a cycle each */
    for (unsigned i = 0; i < 12; i++)
        r[i] = record(FORM_add_rr_64, TIMING_ALU, i, 15);
    assert_in_range(time_block_cost(r, 12), 12 * UNIT / 4, 12 * UNIT / 3 + 1); /* three ports */
    for (unsigned i = 0; i < 12; i++)
        r[i] = record(FORM_imul2_r_64, TIMING_MUL, i, 15);
    assert_int_equal(time_block_cost(r, 12), 12 * UNIT); /* one multiplier */
    for (unsigned i = 0; i < 12; i++)
        r[i] = record(FORM_xor_rr_64, TIMING_ALU, RAX, RAX);
    assert_in_range(time_block_cost(r, 12), 12 * UNIT / 4, 12 * UNIT / 3 + 1); /* zeroing waits for nothing */
    for (unsigned i = 0; i < 12; i++) {
        r[i] = load;
        r[i].base = slot(RAX);
    }
    assert_int_equal(time_block_cost(r, 12), 12 * CORE_L1D_LATENCY * UNIT); /* a pointer chase in L1 */
    for (unsigned i = 0; i < 12; i++)
        r[i] = record(FORM_mov_mr_64, TIMING_MOV, 0, RCX);
    assert_int_equal(time_block_cost(r, 12), 12 * UNIT); /* one store port */
}

static void carries_go_through_the_flags(void **state)
{
    struct insn r[8];
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        r[i] = record(FORM_adc_rr_64, TIMING_ADC, i, 15);
    assert_int_equal(time_block_cost(r, 8), 8 * 2 * UNIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chased_pointer_pays_the_whole_latency_and_an_independent_load_does_not),
        cmocka_unit_test(a_line_dirty_in_another_cache_costs_a_transfer),
        cmocka_unit_test(a_locked_operation_waits_for_its_line),
        cmocka_unit_test(a_device_writes_into_the_l3),
        cmocka_unit_test(what_is_flushed_is_walked_again),
        cmocka_unit_test(the_hot_filter_agrees_with_the_model),
        cmocka_unit_test(every_part_of_the_models_state_is_hashed),
        cmocka_unit_test(a_block_costs_its_narrowest_resource),
        cmocka_unit_test(carries_go_through_the_flags),
    };
    return cmocka_run_group_tests_name("time model", tests, NULL, NULL);
}
