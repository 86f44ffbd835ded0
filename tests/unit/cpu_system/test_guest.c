/* The bare-metal guest (guest/) on whole machines: it must reach its end, and the same end however the run is
 * timed, cut or carried through a snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/machine.h"
#include "sim/platform/load.h"

enum { LIMIT = 50000000 };

/* No trace is open: never called. */
void trace_write(struct trace *trace, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c,
                 uint64_t d)
{
    (void)trace, (void)now, (void)event, (void)a, (void)b, (void)c, (void)d;
}

static struct machine *boot_tier(unsigned cpus, bool timing, enum machine_tier tier)
{
    const struct machine_config config = {
        .ram_size = 64 << 20, .cpu_count = cpus, .quantum = 1000, .timing_approx = timing, .tier = tier,
    };
    char error[256] = "";
    size_t size;
    uint8_t *bytes = load_file(GUEST_IMAGE, &size, error, sizeof(error));
    assert_non_null(bytes);
    struct machine *m = machine_new(&config, error, sizeof(error));
    assert_non_null(m);
    const struct load_request request = { .name = "guest", .bytes = bytes, .size = size };
    if (!load_image(m, &request, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    free(bytes);
    return m;
}

static struct machine *boot(unsigned cpus, bool timing)
{
    return boot_tier(cpus, timing, TIER_COMPILED);
}

static uint64_t run(struct machine *m)
{
    enum machine_stop stop = machine_run(m, LIMIT);

    if (stop != STOP_DEBUG_EXIT || m->stop_code != 0) {
        fail_msg("stop %d, code %#x (a line of guest/main.c): %s", stop, m->stop_code, m->stop_text);
    }
    return machine_hash(m);
}

static void the_guest_reaches_its_end(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= 2; cpus++) {
        for (unsigned timing = 0; timing < 2; timing++) {
            struct machine *m = boot(cpus, timing);
            run(m);
            machine_free(m);
        }
    }
}

static void runs_are_reproducible_however_they_are_cut(void **state)
{
    (void)state;
    for (unsigned timing = 0; timing < 2; timing++) {
        struct machine *whole = boot(2, timing), *cut = boot(2, timing);
        uint64_t hash = run(whole);
        for (uint64_t limit = 777; machine_run(cut, limit) == STOP_LIMIT; limit += 7777) {
        }
        assert_int_equal(cut->stop, STOP_DEBUG_EXIT);
        assert_int_equal(machine_hash(cut), hash);
        machine_free(whole);
        machine_free(cut);
    }
}

static struct machine *copy_of(struct machine *from)
{
    struct machine *to = boot(from->cpu_count, from->timing != NULL);
    uint8_t *bytes;
    size_t size;
    struct state *save = state_new_save();

    machine_state(from, save);
    state_save_end(save, &bytes, &size);
    struct state *load = state_new_load(bytes, size);
    machine_state(to, load);
    char *error = state_load_end(load);
    if (error) {
        fail_msg("%s", error);
    }
    free(bytes);
    return to;
}

static struct machine *through_snapshot(struct machine *from)
{
    struct machine *to = copy_of(from);

    assert_int_equal(machine_hash(to), machine_hash(from));
    machine_free(from);
    return to;
}

static void snapshots_midway_change_nothing(void **state)
{
    (void)state;
    struct machine *whole = boot(2, false), *m = boot(2, false);
    uint64_t hash = run(whole);

    for (uint64_t limit = 1000; machine_run(m, limit) == STOP_LIMIT; limit += 20000) {
        m = through_snapshot(m);
    }
    assert_int_equal(m->stop, STOP_DEBUG_EXIT);
    assert_int_equal(machine_hash(m), hash);
    machine_free(whole);
    machine_free(m);
}

/* A hash looks at what was written since the last one; a copy's first hash at everything. */
static void hashes_on_the_way_miss_no_write(void **state)
{
    (void)state;
    for (unsigned tier = TIER_COMPILED; tier <= TIER_EAGER; tier++) {
        struct machine *m = boot_tier(2, false, tier);
        unsigned stops = 0;
        for (uint64_t limit = 700; machine_run(m, limit) == STOP_LIMIT; limit += 30011) {
            struct machine *copy = copy_of(m);
            assert_int_equal(machine_hash(m), machine_hash(copy));
            machine_free(copy);
            stops++;
        }
        assert_int_equal(m->stop, STOP_DEBUG_EXIT);
        assert_true(stops > 5);
        machine_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guest_reaches_its_end),
        cmocka_unit_test(runs_are_reproducible_however_they_are_cut),
        cmocka_unit_test(snapshots_midway_change_nothing),
        cmocka_unit_test(hashes_on_the_way_miss_no_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
