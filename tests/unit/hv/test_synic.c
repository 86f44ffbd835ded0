/* SynIC, synthetic timers, the virtual local APIC. */
#include "tests/unit/hv/test.h"

#include "hv/exits/exits.h"
#include "hv/stimer/stimer.h"

enum { SIMP = 0x10000, SIEFP = 0x11000, VECTOR = 0xF3, SINT = 2 };

static bool write_msr(struct vp *vp, uint32_t msr, uint64_t value)
{
    bool known;
    return guest_msr_write(vp, msr, value, &known);
}

static uint64_t read_msr(struct vp *vp, uint32_t msr)
{
    uint64_t value = 0;
    bool known;
    assert_true(guest_msr_read(vp, msr, &value, &known));
    return value;
}

static struct child with_synic(void)
{
    struct child c = new_child(1);
    fake.tsc += FAKE_TSC_HZ; /* reference time well above 0 */
    assert_true(write_msr(c.vp, HV_MSR_SIMP, SIMP | 1));
    assert_true(write_msr(c.vp, HV_MSR_SIEFP, SIEFP | 1));
    assert_true(write_msr(c.vp, HV_MSR_SINT0 + SINT, VECTOR));
    assert_true(write_msr(c.vp, HV_MSR_SCONTROL, 1));
    return c;
}

static struct hv_message *slot(struct child *c) { return &((struct hv_message_page *)world_memory(c->base + SIMP))->slot[SINT]; }
static bool requested(struct vp *vp, unsigned vector) { return vp->apic.irr[vector / 64] >> vector % 64 & 1; }
static void acknowledge(struct vp *vp, unsigned vector) { vp->apic.irr[vector / 64] &= ~(1ull << vector % 64); }

static struct hv_message message(uint32_t type, uint8_t byte)
{
    struct hv_message m = { .type = type, .payload_size = 8, .sender = 77 };
    memset(m.payload, byte, 8);
    return m;
}

static void a_message_lands_in_its_slot_and_interrupts(void **state)
{
    (void)state;
    struct child c = with_synic();
    struct hv_message m = message(1, 0xAB);
    assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_SUCCESS);
    assert_int_equal(slot(&c)->type, 1);
    assert_int_equal(slot(&c)->sender, 77);
    assert_int_equal(slot(&c)->payload[7], 0xAB);
    assert_int_equal(slot(&c)->flags, 0);
    assert_true(requested(c.vp, VECTOR));
}

static void messages_wait_in_order_until_eom(void **state)
{
    (void)state;
    struct child c = with_synic();
    for (uint8_t i = 0; i < 5; i++) {
        struct hv_message m = message(1, i);
        assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_SUCCESS);
    }
    for (uint8_t i = 0; i < 5; i++) {
        assert_int_equal(slot(&c)->type, 1);
        assert_int_equal(slot(&c)->payload[0], i);
        assert_int_equal(slot(&c)->flags & HV_MESSAGE_FLAG_PENDING, i < 4);
        assert_true(requested(c.vp, VECTOR));
        acknowledge(c.vp, VECTOR);
        slot(&c)->type = 0;
        assert_true(write_msr(c.vp, HV_MSR_EOM, 0));
    }
    assert_int_equal(slot(&c)->type, 0);
    assert_false(requested(c.vp, VECTOR));
}

static void the_queue_is_bounded_and_recovers(void **state)
{
    (void)state;
    struct child c = with_synic();
    struct hv_message m = message(1, 1);
    unsigned posted = 0;
    while (synic_post(c.vp, SINT, &m) == HV_STATUS_SUCCESS)
        posted++;
    assert_int_equal(posted, SYNIC_QUEUE + 1); /* and one in the slot */
    assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_INSUFFICIENT_BUFFERS);
    slot(&c)->type = 0;
    write_msr(c.vp, HV_MSR_EOM, 0);
    assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_SUCCESS);
}

static void without_page_or_controller_nothing_is_delivered(void **state)
{
    (void)state;
    struct hv_message m = message(1, 1);
    bool newly;
    struct child c = with_synic();
    write_msr(c.vp, HV_MSR_SCONTROL, 0);
    assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_INVALID_SYNIC_STATE);
    write_msr(c.vp, HV_MSR_SCONTROL, 1);
    write_msr(c.vp, HV_MSR_SIMP, SIMP);
    assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_INVALID_SYNIC_STATE);
    write_msr(c.vp, HV_MSR_SIEFP, 0);
    assert_int_equal(synic_signal(c.vp, SINT, 3, &newly), HV_STATUS_INVALID_SYNIC_STATE);
}

static void a_masked_sint_delivers_without_interrupt(void **state)
{
    (void)state;
    struct child c = with_synic();
    struct hv_message m = message(1, 1);
    write_msr(c.vp, HV_MSR_SINT0 + SINT, VECTOR | HV_SINT_MASKED);
    assert_int_equal(synic_post(c.vp, SINT, &m), HV_STATUS_SUCCESS);
    assert_int_equal(slot(&c)->type, 1);
    assert_false(requested(c.vp, VECTOR));
}

static void an_event_flag_interrupts_once_until_cleared(void **state)
{
    (void)state;
    struct child c = with_synic();
    bool newly;
    uint8_t *flags = (uint8_t *)world_memory(c.base + SIEFP) + SINT * 256;
    assert_int_equal(synic_signal(c.vp, SINT, 2047, &newly), HV_STATUS_SUCCESS);
    assert_true(newly);
    assert_int_equal(flags[255], 0x80);
    assert_true(requested(c.vp, VECTOR));
    acknowledge(c.vp, VECTOR);
    synic_signal(c.vp, SINT, 2047, &newly);
    assert_false(newly);
    assert_false(requested(c.vp, VECTOR));
}

static void pages_outside_memory_and_low_vectors_fault(void **state)
{
    (void)state;
    struct child c = new_child(1);
    assert_false(write_msr(c.vp, HV_MSR_SIMP, 0x9999999000 | 1));
    assert_false(write_msr(c.vp, HV_MSR_SIEFP, 0x40000 | 1)); /* the 65th page */
    assert_false(write_msr(c.vp, HV_MSR_VP_ASSIST_PAGE, 0x9999999000 | 1));
    assert_false(write_msr(c.vp, HV_MSR_SINT0, 15));
    assert_true(write_msr(c.vp, HV_MSR_SINT0, 15 | HV_SINT_MASKED));
    assert_true(write_msr(c.vp, HV_MSR_SINT0, 16));
}

/* --- MSR table ---------------------------------------------------------------------------- */

static void every_synthetic_msr_follows_its_row(void **state)
{
    enum { RW, RO, WO };
    static const struct { uint32_t index; int access; uint64_t privilege, reset; const char *name; } rows[] = {
#define HV_MSR(index, name, access, privilege, reset) { index, access, HV_PRIVILEGE_##privilege, reset, #name },
#include "spec/hv/msrs.def"
#undef HV_MSR
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct child c = new_child(1);
        uint64_t value, all = c.partition->privileges | rows[i].privilege;
        bool known;
        c.partition->privileges = all;
        vp_load(c.vp);
        bool readable = rows[i].access != WO || rows[i].index == HV_MSR_EOM;
        assert_int_equal(guest_msr_read(c.vp, rows[i].index, &value, &known), readable);
        if (rows[i].access == RO)
            assert_false(guest_msr_write(c.vp, rows[i].index, 0, &known));
        if (rows[i].privilege) {
            c.partition->privileges = all & ~rows[i].privilege;
            assert_false(guest_msr_read(c.vp, rows[i].index, &value, &known));
            assert_false(guest_msr_write(c.vp, rows[i].index, 0, &known));
        }
    }
}

static void msrs_between_the_rows_fault(void **state)
{
    static const uint32_t gaps[] = { 0x40000004, 0x4000000F, 0x40000011, 0x40000086, 0x4000008F, 0x400000A0, 0x400000B8,
                                     0x400000EF, 0x40000106, 0x40000119, 0x400001FF };
    (void)state;
    struct child c = new_child(1);
    for (unsigned i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        uint64_t value;
        bool known;
        assert_false(guest_msr_read(c.vp, gaps[i], &value, &known));
        assert_false(guest_msr_write(c.vp, gaps[i], 0, &known));
    }
}

static void the_hypercall_page_needs_an_os_id(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct child c = new_child(1);
    write_msr(c.vp, HV_MSR_HYPERCALL, 0x5000 | 1);
    assert_int_equal(read_msr(c.vp, HV_MSR_HYPERCALL) & 1, 0);
    write_msr(c.vp, HV_MSR_GUEST_OS_ID, 0x8100000000000000);
    write_msr(c.vp, HV_MSR_HYPERCALL, 0x5000 | 1);
    assert_int_equal(read_msr(c.vp, HV_MSR_HYPERCALL), 0x5001);
    assert_true(gpa_lookup(c.partition, 0x5000, &m));
    assert_int_equal(m.spa, hv.hypercall_page);
    assert_false(m.access & GPA_WRITE);
    write_msr(c.vp, HV_MSR_GUEST_OS_ID, 0);
    assert_int_equal(read_msr(c.vp, HV_MSR_HYPERCALL) & 1, 0);
    assert_true(gpa_lookup(c.partition, 0x5000, &m));
    assert_int_equal(m.spa, c.base + 0x5000);
}

static void counter_and_tsc_page_agree(void **state)
{
    (void)state;
    struct child c = new_child(1);
    write_msr(c.vp, HV_MSR_REFERENCE_TSC, 0x6000 | 1);
    const struct hv_reference_tsc_page *page = world_memory(c.base + 0x6000);
    assert_int_not_equal(page->sequence, 0);
    for (unsigned i = 0; i < 100; i++) {
        fake.tsc += 123456789;
        uint64_t counter = read_msr(c.vp, HV_MSR_TIME_REF_COUNT); /* reads the TSC once */
        uint64_t computed = (uint64_t)((unsigned __int128)fake.tsc * page->scale >> 64) + (uint64_t)page->offset;
        assert_int_equal(counter, computed);
    }
}

/* --- timers ------------------------------------------------------------------------------- */

static uint64_t now(struct child *c) { return partition_reference_time(c->partition); }

static void run_until(uint64_t tsc)
{
    fake.tsc = tsc;
    timer_expire(lp_self());
}

static void a_direct_timer_fires_once_at_its_time(void **state)
{
    (void)state;
    struct child c = with_synic();
    write_msr(c.vp, HV_MSR_STIMER0_CONFIG, HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT | 0xEDull << 4);
    assert_false(requested(c.vp, 0xED)); /* COUNT is 0: nothing is armed */
    write_msr(c.vp, HV_MSR_STIMER0_COUNT, now(&c) + 10000); /* 1 ms */
    assert_int_not_equal(lp_self()->deadline, 0);
    run_until(fake.tsc + FAKE_TSC_HZ / 1000 / 2);
    assert_false(requested(c.vp, 0xED));
    run_until(fake.tsc + FAKE_TSC_HZ / 1000);
    assert_true(requested(c.vp, 0xED));
    assert_int_equal(read_msr(c.vp, HV_MSR_STIMER0_CONFIG) & HV_STIMER_ENABLE, 0);
    assert_int_not_equal(read_msr(c.vp, HV_MSR_STIMER0_CONFIG) & HV_STIMER_AUTO_ENABLE, 0);
}

static void a_time_in_the_past_fires_at_once(void **state)
{
    (void)state;
    struct child c = with_synic();
    write_msr(c.vp, HV_MSR_STIMER0_CONFIG, HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT | 0xEDull << 4);
    write_msr(c.vp, HV_MSR_STIMER0_COUNT, 1);
    assert_true(requested(c.vp, 0xED));
}

static void a_message_timer_posts_its_times(void **state)
{
    (void)state;
    struct child c = with_synic();
    uint64_t due = now(&c) + 5000;
    write_msr(c.vp, HV_MSR_STIMER1_CONFIG, HV_STIMER_AUTO_ENABLE | (uint64_t)SINT << 16);
    write_msr(c.vp, HV_MSR_STIMER1_COUNT, due);
    run_until(fake.tsc + FAKE_TSC_HZ / 1000);
    struct hv_timer_message m;
    memcpy(&m, slot(&c)->payload, sizeof(m));
    assert_int_equal(slot(&c)->type, HV_MESSAGE_TIMER_EXPIRED);
    assert_int_equal(m.timer_index, 1);
    assert_int_equal(m.expiration_time, due);
    assert_true(m.delivery_time >= due);
}

static void a_timer_message_without_room_comes_later(void **state)
{
    (void)state;
    struct child c = with_synic();
    struct hv_message filler = message(1, 1);
    while (synic_post(c.vp, SINT, &filler) == HV_STATUS_SUCCESS) {
    }
    write_msr(c.vp, HV_MSR_STIMER1_CONFIG, HV_STIMER_AUTO_ENABLE | (uint64_t)SINT << 16);
    write_msr(c.vp, HV_MSR_STIMER1_COUNT, 1);
    assert_true(c.vp->stimer[1].message_due);
    unsigned timers = 0;
    for (unsigned i = 0; i < SYNIC_QUEUE + 2; i++) {
        timers += slot(&c)->type == HV_MESSAGE_TIMER_EXPIRED;
        slot(&c)->type = 0;
        write_msr(c.vp, HV_MSR_EOM, 0);
    }
    assert_int_equal(timers, 1);
    assert_false(c.vp->stimer[1].message_due);
    assert_int_equal(c.vp->synic.waiting, 0);
}

static void a_periodic_timer_goes_on_without_drift(void **state)
{
    (void)state;
    struct child c = with_synic();
    write_msr(c.vp, HV_MSR_STIMER0_CONFIG, HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC | HV_STIMER_DIRECT | 0xEDull << 4);
    write_msr(c.vp, HV_MSR_STIMER0_COUNT, 10000);
    uint64_t first = c.vp->stimer[0].expiry;
    for (unsigned i = 1; i <= 20; i++) {
        run_until(fake.tsc + FAKE_TSC_HZ / 1000 + 100000);
        assert_true(requested(c.vp, 0xED));
        acknowledge(c.vp, 0xED);
        assert_int_equal((c.vp->stimer[0].expiry - first) % 10000, 0);
    }
}

static void the_shortest_period_does_not_hold_the_processor(void **state)
{
    (void)state;
    struct child c = with_synic();
    write_msr(c.vp, HV_MSR_STIMER0_CONFIG, HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC | HV_STIMER_DIRECT | 0xEDull << 4);
    write_msr(c.vp, HV_MSR_STIMER0_COUNT, 1);
    run_until(fake.tsc + FAKE_TSC_HZ); /* returns */
    assert_true(c.vp->stimer[0].timer.due > fake.tsc);
}

static void absurd_times_never_fire_and_never_fault(void **state)
{
    static const uint64_t counts[] = { UINT64_MAX, UINT64_MAX - 1, 1ull << 63, UINT64_MAX / 200 };
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct child c = with_synic();
        write_msr(c.vp, HV_MSR_STIMER0_CONFIG, HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT | 0xEDull << 4);
        write_msr(c.vp, HV_MSR_STIMER0_COUNT, counts[i]);
        run_until(fake.tsc + FAKE_TSC_HZ);
        assert_false(requested(c.vp, 0xED));
        write_msr(c.vp, HV_MSR_STIMER0_CONFIG, HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC | HV_STIMER_DIRECT | 0xEDull << 4);
        write_msr(c.vp, HV_MSR_STIMER0_COUNT, counts[i]);
    }
}

/* --- local APIC ------------------------------------------------------------------------------ */

static void priorities_decide_what_is_deliverable(void **state)
{
    static const struct { uint8_t tpr; int in_service, requested, expected; } rows[] = {
        { 0, -1, 0x40, 0x40 }, { 0x40, -1, 0x40, -1 }, { 0x40, -1, 0x4F, -1 }, { 0x40, -1, 0x50, 0x50 },
        { 0, 0x50, 0x40, -1 }, { 0, 0x50, 0x5F, -1 }, { 0, 0x50, 0x60, 0x60 }, { 0xF0, -1, 0xFF, -1 },
        { 0xE0, -1, 0xFF, 0xFF }, { 0, -1, 16, 16 },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct child c = new_child(1);
        vapic_set_tpr(c.vp, rows[i].tpr);
        if (rows[i].in_service >= 0)
            c.vp->apic.isr[rows[i].in_service / 64] |= 1ull << rows[i].in_service % 64;
        vapic_raise(c.vp, (unsigned)rows[i].requested);
        assert_int_equal(vapic_deliverable(c.vp), rows[i].expected);
    }
}

static void vectors_below_sixteen_are_dropped(void **state)
{
    (void)state;
    struct child c = new_child(1);
    for (unsigned v = 0; v < 16; v++)
        vapic_raise(c.vp, v);
    assert_int_equal(vapic_highest_request(c.vp), -1);
}

static void accept_and_eoi_move_a_vector_through(void **state)
{
    (void)state;
    struct child c = new_child(1);
    vapic_raise(c.vp, 0x60);
    vapic_raise(c.vp, 0x80);
    vapic_accept(c.vp, 0x80);
    assert_int_equal(vapic_deliverable(c.vp), -1);
    vapic_eoi(c.vp);
    assert_int_equal(vapic_deliverable(c.vp), 0x60);
}

static void auto_eoi_vectors_are_never_in_service(void **state)
{
    (void)state;
    struct child c = new_child(1);
    write_msr(c.vp, HV_MSR_SINT0 + 3, 0x70 | HV_SINT_AUTO_EOI);
    vapic_raise(c.vp, 0x70);
    vapic_accept(c.vp, 0x70);
    vapic_raise(c.vp, 0x71);
    assert_int_equal(vapic_deliverable(c.vp), 0x71);
}

static void the_assist_page_saves_an_eoi_and_is_withdrawn_when_another_waits(void **state)
{
    (void)state;
    struct child c = new_child(1);
    write_msr(c.vp, HV_MSR_VP_ASSIST_PAGE, 0x7000 | 1);
    volatile uint32_t *assist = world_memory(c.base + 0x7000);
    vapic_raise(c.vp, 0x60);
    vapic_accept(c.vp, 0x60);
    assert_int_equal(*assist & 1, 1);
    *assist = 0; /* the guest's EOI */
    vapic_lazy_eoi_sync(c.vp);
    vapic_raise(c.vp, 0x50);
    assert_int_equal(vapic_deliverable(c.vp), 0x50);

    vapic_accept(c.vp, 0x50);
    assert_int_equal(*assist & 1, 1);
    vapic_raise(c.vp, 0x51);
    vapic_lazy_eoi_sync(c.vp);
    assert_int_equal(*assist & 1, 0);
    assert_int_equal(vapic_deliverable(c.vp), -1); /* 0x50 is in service until a real EOI */
    vapic_eoi(c.vp);
    assert_int_equal(vapic_deliverable(c.vp), 0x51);
}

static void the_apic_timer_counts_at_the_stated_frequency(void **state)
{
    (void)state;
    struct child c = new_child(1);
    uint64_t value;
    assert_true(vapic_write(c.vp, X2APIC_DIVIDE, 0xB)); /* by 1 */
    assert_true(vapic_write(c.vp, X2APIC_LVT_TIMER, 0x45));
    assert_true(vapic_write(c.vp, X2APIC_INITIAL_COUNT, 200000)); /* 1 ms at 200 MHz */
    run_until(fake.tsc + FAKE_TSC_HZ / 2000);
    assert_true(vapic_read(c.vp, X2APIC_CURRENT_COUNT, &value));
    assert_in_range(value, 99900, 100000);
    assert_false(requested(c.vp, 0x45));
    run_until(fake.tsc + FAKE_TSC_HZ / 2000);
    assert_true(requested(c.vp, 0x45));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_lands_in_its_slot_and_interrupts), cmocka_unit_test(messages_wait_in_order_until_eom),
        cmocka_unit_test(the_queue_is_bounded_and_recovers),
        cmocka_unit_test(without_page_or_controller_nothing_is_delivered),
        cmocka_unit_test(a_masked_sint_delivers_without_interrupt),
        cmocka_unit_test(an_event_flag_interrupts_once_until_cleared),
        cmocka_unit_test(pages_outside_memory_and_low_vectors_fault),
        cmocka_unit_test(every_synthetic_msr_follows_its_row), cmocka_unit_test(msrs_between_the_rows_fault),
        cmocka_unit_test(the_hypercall_page_needs_an_os_id), cmocka_unit_test(counter_and_tsc_page_agree),
        cmocka_unit_test(a_direct_timer_fires_once_at_its_time), cmocka_unit_test(a_time_in_the_past_fires_at_once),
        cmocka_unit_test(a_message_timer_posts_its_times), cmocka_unit_test(a_timer_message_without_room_comes_later),
        cmocka_unit_test(a_periodic_timer_goes_on_without_drift),
        cmocka_unit_test(the_shortest_period_does_not_hold_the_processor),
        cmocka_unit_test(absurd_times_never_fire_and_never_fault),
        cmocka_unit_test(priorities_decide_what_is_deliverable), cmocka_unit_test(vectors_below_sixteen_are_dropped),
        cmocka_unit_test(accept_and_eoi_move_a_vector_through), cmocka_unit_test(auto_eoi_vectors_are_never_in_service),
        cmocka_unit_test(the_assist_page_saves_an_eoi_and_is_withdrawn_when_another_waits),
        cmocka_unit_test(the_apic_timer_counts_at_the_stated_frequency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
