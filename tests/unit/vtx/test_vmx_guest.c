/* A bare-metal hypervisor (guest/) on whole machines: it must reach its end, and the same end however the
 * run is timed, cut or carried through a snapshot in the middle of its guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/cpu/cpu.h"
#include "sim/debug/explain_vmx.h"
#include "sim/machine.h"
#include "sim/platform/load.h"

enum { LIMIT = 50000000 };

/* No trace is open: never called. */
void
trace_write(struct trace *trace, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    (void)trace, (void)now, (void)event, (void)a, (void)b, (void)c, (void)d;
}

static struct machine *
boot(bool timing)
{
    const struct machine_config config = {
        .ram_size = 64 << 20, .cpu_count = 1, .quantum = 1000, .timing_approx = timing, .vtx = true,
    };
    char error[256] = "";
    size_t size;
    uint8_t *bytes = load_file(GUEST_IMAGE, &size, error, sizeof error);
    assert_non_null(bytes);
    struct machine *m = machine_new(&config, error, sizeof error);
    assert_non_null(m);
    const struct load_request request = { .name = "guest", .bytes = bytes, .size = size };
    if (!load_image(m, &request, error, sizeof error)) {
        fail_msg("%s", error);
    }
    free(bytes);
    return m;
}

static void
expect_end(struct machine *m)
{
    if (m->stop != STOP_DEBUG_EXIT || m->stop_code != 0) {
        explain_entry_failure(stderr, m->cpu[0]);
        fail_msg("stop %d, code %u (a line of guest/main.c): %s", m->stop, m->stop_code, m->stop_text);
    }
}

static void
the_hypervisor_reaches_its_end(void **state)
{
    (void)state;
    for (unsigned timing = 0; timing < 2; timing++) {
        struct machine *m = boot(timing);
        machine_run(m, LIMIT);
        expect_end(m);
        machine_free(m);
    }
}

static void
runs_are_reproducible_however_they_are_cut(void **state)
{
    (void)state;
    for (unsigned timing = 0; timing < 2; timing++) {
        struct machine *whole = boot(timing), *cut = boot(timing);
        machine_run(whole, LIMIT);
        for (uint64_t limit = 777; machine_run(cut, limit) == STOP_LIMIT; limit += 777) {
        }
        expect_end(cut);
        assert_int_equal(machine_hash(cut), machine_hash(whole));
        machine_free(whole);
        machine_free(cut);
    }
}

static struct machine *
copy_of(struct machine *m)
{
    uint8_t *bytes;
    size_t size;
    struct state *s = state_new_save();
    machine_state(m, s);
    state_save_end(s, &bytes, &size);
    struct machine *copy = boot(m->config.timing_approx);
    s = state_new_load(bytes, size);
    machine_state(copy, s);
    char *message = state_load_end(s);
    if (message) {
        fail_msg("%s", message);
    }
    free(bytes);
    return copy;
}

/* Carries 'm' into a new machine, as a snapshot does. */
static struct machine *
carry(struct machine *m)
{
    struct machine *copy = copy_of(m);
    assert_int_equal(machine_hash(copy), machine_hash(m));
    machine_free(m);
    return copy;
}

static void
snapshots_inside_the_guest_change_nothing(void **state)
{
    (void)state;
    struct machine *whole = boot(false), *carried = boot(false);
    unsigned inside = 0;
    machine_run(whole, LIMIT);
    for (uint64_t limit = 5000; machine_run(carried, limit) == STOP_LIMIT; limit += 100000) {
        inside += carried->cpu[0]->nonroot;
        carried = carry(carried);
    }
    expect_end(carried);
    assert_true(inside > 0);
    assert_int_equal(machine_hash(carried), machine_hash(whole));
    machine_free(whole);
    machine_free(carried);
}

/* VM exits write to the VMCS at any time, its page is in every hash. */
static void
hashes_on_the_way_miss_no_write(void **state)
{
    (void)state;
    struct machine *m = boot(false);
    unsigned inside = 0;
    for (uint64_t limit = 5000; machine_run(m, limit) == STOP_LIMIT; limit += 20011) {
        struct machine *copy = copy_of(m);
        assert_int_equal(machine_hash(m), machine_hash(copy));
        machine_free(copy);
        inside += m->cpu[0]->nonroot;
    }
    expect_end(m);
    assert_true(inside > 0);
    machine_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hypervisor_reaches_its_end),
        cmocka_unit_test(runs_are_reproducible_however_they_are_cut),
        cmocka_unit_test(snapshots_inside_the_guest_change_nothing),
        cmocka_unit_test(hashes_on_the_way_miss_no_write),
    };
    return cmocka_run_group_tests_name("vmx_guest", tests, NULL, NULL);
}
