/* The card's driver against the card's model: both were written from the datasheet, by different
 * people, and meet here for the first time below the whole machine.  The provider, the switch
 * and the consumer of a child are the real ones, too; the child's VF driver as well. */
#include "tests/unit/nic/bench.h"

#include <stdlib.h>
#include <string.h>

#include "guests/mini/hyper.h"
#include "guests/mini/mini.h"
#include "guests/mini/vf.h"
#include "services/netvsp.h"
#include "services/nicdrv.h"
#include "services/vmbus.h"
#include "services/vswitch.h"
#include "sim/time/timing.h"
#include "tests/fakes/guest_fake.h"
#include "tests/fakes/svc_fake.h"
#include "vmbus/server.h"
#include "vsp/nic/nicdrv_priv.h"

enum { RAM = 16 << 20, ARENA_BASE = 1 << 20, CHILD_MEMORY = 5 << 20, READ_CYCLES = 700, CYCLES_PER_100NS = 210 };

static struct bench *bench;
static struct guest *guest[2];
static struct vf vf;
static unsigned messages_seen, vf_received, vf_interrupts;
static uint8_t frame[10240];
static const uint8_t mac[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };
static const uint8_t wire[6] = { 0, 0x11, 0x22, 0x33, 0x44, 0x55 }, broadcast[6] = { 255, 255, 255, 255, 255, 255 };

/* Caches are none of this test's business; weak, because the bench may bring a stand-in, too. */
__attribute__((weak)) void time_dma_write(struct machine *m, uint64_t spa, uint64_t size)
{
    (void)m, (void)spa, (void)size;
}

/* --- registers: through the model's BAR; each read takes time ------------------------------- */

uint32_t nicdrv_read(const struct nicdrv *d, uint32_t offset)
{
    (void)d;
    bench_run(bench, READ_CYCLES);
    return pf_read(bench, offset);
}
void nicdrv_write(const struct nicdrv *d, uint32_t offset, uint32_t value)
{
    (void)d;
    pf_write(bench, offset, value);
}
uint32_t vf_reg_read(const struct vf *v, uint32_t offset)
{
    (void)v;
    bench_run(bench, READ_CYCLES);
    return vf_read(bench, 0, offset);
}
void vf_reg_write(struct vf *v, uint32_t offset, uint32_t value)
{
    (void)v;
    vf_write(bench, 0, offset, value);
}
void vf_msix_write(struct vf *v, unsigned word, uint32_t value)
{
    (void)v;
    if (word % 4 == 0)
        msix_unmask(bench, 0, word / 4, 0xFEE00000, value);
}

static uint32_t pci_read(void *ctx, uint16_t bdf, unsigned offset)
{
    (void)ctx;
    return pci_config_read(bench->machine.pci, bdf, offset, 4);
}
static void pci_write(void *ctx, uint16_t bdf, unsigned offset, uint32_t value)
{
    (void)ctx;
    pci_config_write(bench->machine.pci, bdf, offset, 4, value);
}
static volatile uint32_t *mmio(void *ctx, uint64_t spa, uint64_t size)
{
    (void)ctx, (void)spa, (void)size;
    static uint32_t never_touched;
    return &never_touched;
}
static void bind(void *ctx, uint16_t bdf, unsigned entry)
{
    (void)ctx, (void)bdf;
    msix_unmask(bench, -1, entry, 0xFEE00000, entry);
}
static uint64_t now(void) { return bench->machine.now / CYCLES_PER_100NS; }

/* --- what the VF driver asks of the child's kernel -------------------------------------------- */

uint64_t hyper_now(void) { return now(); }
bool hyper_map_interrupt(uint64_t device, uint32_t vector, uint64_t *msi)
{
    (void)device;
    *msi = vector;
    return true;
}
uint64_t mini_config_number(const struct mini *m, const char *key, uint64_t fallback)
{
    (void)m, (void)key;
    return fallback;
}
void *mini_pages(struct mini *m, uint64_t count)
{
    (void)m;
    return guest[0]->client.host->pages(guest[0], (uint32_t)count);
}
uint64_t mini_gpa(const void *p) { return svc_dma_address(p); }

static void vf_receive(void *ctx, struct svc_packet *batch, unsigned count)
{
    (void)ctx;
    for (unsigned i = 0; i < count; i++) {
        assert_memory_equal(batch[i].data, mac[0], 5);
        vf_received++;
    }
}
static void vf_room(void *ctx) { (void)ctx; }
static const struct vf_handler vf_handler = { vf_receive, vf_room };

/* --- the loop: time passes, messages become interrupts ------------------------------------------ */

static bool take_messages(void)
{
    bool any = false;
    for (; messages_seen < bench->message_count; messages_seen++, any = true) {
        const struct bench_message *m = &bench->message[messages_seen];
        if (m->bdf == BDF_CARD) {
            assert_true(svc_fake_interrupt(m->data));
        } else {
            vf_interrupts++;
            vf_run(&vf, now());
        }
    }
    if (messages_seen == bench->message_count)
        messages_seen = bench->message_count = 0; /* the record is finite */
    return any;
}

static void settle(void)
{
    for (unsigned quiet = 0; quiet < 20;) {
        bool any = take_messages();
        any |= svc_fake_run() > 0;
        quiet = any ? 0 : quiet + 1;
        bench_run(bench, 100000);
    }
}

static void begin(unsigned children, const char *io_path, const char *lossless, const char *mtu)
{
    for (unsigned i = 0; i < 2; i++)
        guest_fake_free(guest[i]);
    if (bench)
        bench_free(bench);
    memset(guest, 0, sizeof guest);
    messages_seen = vf_received = vf_interrupts = 0;
    bench = bench_new();
    svc_fake_start();
    svc_fake_arena(bench_ram(bench, 0), RAM);
    svc_alloc(ARENA_BASE, 4096);
    svc_fake_clock(now);
    svc_fake_device(&(struct svc_fake_device){ .pci_read_at = pci_read, .pci_write_at = pci_write, .bind = bind, .mmio = mmio });
    svc_fake_config("nic.bdf", "0x0100");
    svc_fake_config("io_path", io_path);
    svc_fake_config("lossless", lossless);
    svc_fake_config("mtu", mtu);
    svc_fake_config("children", children == 2 ? "2" : "1");
    svc_fake_config("child0.mac", "02:00:00:00:00:01");
    svc_fake_config("child1.mac", "02:00:00:00:00:02");
    vmbus_service.init();
    nicdrv_service.init();
    assert_true(nicdrv_state->present);
    vswitch_service.init();
    netvsp_service.init();
    for (unsigned i = 0; i < children; i++) {
        guest[i] = guest_fake_new(i, CHILD_MEMORY, (uint32_t)atoi(mtu));
        vmbus_service.child_created(i);
        nicdrv_service.child_created(i);
        vswitch_service.child_created(i);
        netvsp_service.child_created(i);
        guest_fake_connect(guest[i]);
        assert_true(guest[i]->ready);
    }
    settle();
}

static void make(const uint8_t *to, const uint8_t *from, uint32_t length, uint32_t seed)
{
    frame_make(frame, to, from, 0x88B5, length);
    frame[14] = (uint8_t)seed;
    frame[15] = (uint8_t)(seed >> 8);
}

static void expect_received(unsigned child, unsigned index, uint32_t length)
{
    assert_true(guest[child]->received_count > index);
    assert_int_equal(guest[child]->received[index].length, length);
    assert_memory_equal(guest[child]->received[index].bytes, frame, length);
}

/* --- claims ------------------------------------------------------------------------------------ */

static void frames_from_the_wire_reach_the_children(void **state)
{
    (void)state;
    static const char *const paths[] = { "vmbus", "vmq" };
    for (unsigned p = 0; p < 2; p++) {
        begin(2, paths[p], "1", "1500");
        for (uint32_t i = 0; i < 200; i++) {
            make(mac[i & 1], wire, 60 + i * 7, i);
            bench_receive(bench, frame, 60 + i * 7);
            if (i % 16 == 0)
                settle();
        }
        settle();
        for (uint32_t i = 0; i < 200; i++) {
            make(mac[i & 1], wire, 60 + i * 7, i);
            expect_received(i & 1, i / 2, 60 + i * 7);
        }
        assert_int_equal(bench->errors, 0);
        assert_int_equal(nic_dropped(bench->nic, NIC_DROP_NO_BUFFER), 0);
    }
}

static void more_frames_than_descriptors_pass_in_order(void **state)
{
    (void)state;
    static const char *const paths[] = { "vmbus", "vmq" };
    for (unsigned p = 0; p < 2; p++) {
        begin(1, paths[p], "1", "1500");
        for (uint32_t i = 0; i < 3000; i++) {
            make(mac[0], wire, 200, i);
            bench_receive(bench, frame, 200);
            if (i % 100 == 99)
                settle();
        }
        assert_int_equal(guest[0]->received_count, 3000);
        for (uint32_t i = 0; i < 3000; i++) {
            make(mac[0], wire, 200, i);
            expect_received(0, i, 200);
        }
    }
}

static void frames_of_children_reach_the_wire(void **state)
{
    (void)state;
    static const char *const paths[] = { "vmbus", "vmq" };
    for (unsigned p = 0; p < 2; p++) {
        begin(1, paths[p], "1", "1500");
        for (uint32_t i = 0; i < 700; i++) {
            make(wire, mac[0], 60 + i * 2, i);
            /* the fake guest keeps each in a page of its own: send from the same few pages */
            size_t used = guest[0]->used;
            guest_fake_send(guest[0], frame, 60 + i * 2);
            settle();
            assert_int_equal(guest[0]->queue_count, 0);
            guest[0]->used = used;
        }
        assert_int_equal(bench->sent_count, 700);
        for (uint32_t i = 0; i < 700; i++) {
            make(wire, mac[0], 60 + i * 2, i);
            assert_int_equal(bench->sent[i].size, 60 + i * 2);
            assert_memory_equal(bench->sent[i].bytes, frame, 60 + i * 2);
        }
    }
}

static void groups_reach_every_child_once(void **state)
{
    (void)state;
    static const char *const paths[] = { "vmbus", "vmq" };
    static const uint8_t multicast[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    for (unsigned p = 0; p < 2; p++) {
        begin(2, paths[p], "1", "1500");
        make(broadcast, wire, 100, 1);
        bench_receive(bench, frame, 100);
        settle();
        expect_received(0, 0, 100);
        expect_received(1, 0, 100);
        make(multicast, wire, 100, 2);
        bench_receive(bench, frame, 100);
        settle();
        expect_received(0, 1, 100);
        expect_received(1, 1, 100);
        make(broadcast, mac[0], 100, 3);
        guest_fake_send(guest[0], frame, 100);
        settle();
        assert_int_equal(guest[0]->received_count, 2);
        expect_received(1, 2, 100);
        assert_int_equal(bench->sent_count, 1);
    }
}

static void children_reach_each_other_and_strangers_are_counted(void **state)
{
    (void)state;
    static const char *const paths[] = { "vmbus", "vmq" };
    static const uint8_t nobody[6] = { 2, 0, 0, 0, 0, 77 };
    for (unsigned p = 0; p < 2; p++) {
        begin(2, paths[p], "1", "1500");
        make(mac[1], mac[0], 400, 1);
        guest_fake_send(guest[0], frame, 400);
        settle();
        expect_received(1, 0, 400);
        assert_int_equal(bench->sent_count, 0);
        make(nobody, wire, 400, 1);
        bench_receive(bench, frame, 400);
        settle();
        assert_int_equal(svc_fake_counter(LAB_DROP_SWITCH_UNKNOWN), 1);
    }
}

static void a_full_card_sends_pause_frames_and_loses_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = { "vmbus", "vmq" };
    for (unsigned p = 0; p < 2; p++) {
        begin(1, paths[p], "1", "1500");
        guest_fake_sleep(guest[0], true);
        uint32_t sent = 0;
        for (; bench->pause_count == 0 && sent < 8000; sent++) {
            make(mac[0], wire, 1400, sent);
            bench_receive(bench, frame, 1400);
            bench_run(bench, 3000);
            take_messages();
            svc_fake_run();
        }
        assert_true(bench->pause_count > 0);
        assert_true(bench->pause[0].quanta > 0);
        guest_fake_sleep(guest[0], false);
        settle();
        assert_int_equal(guest[0]->received_count, sent);
        assert_int_equal(bench->pause[bench->pause_count - 1].quanta, 0);
        for (uint32_t i = 0; i < sent; i += 37) {
            make(mac[0], wire, 1400, i);
            expect_received(0, i, 1400);
        }
    }
}

static void the_virtual_function_carries_frames_both_ways_and_fails_over(void **state)
{
    (void)state;
    begin(1, "sriov", "1", "1500");
    assert_true(guest[0]->vf);
    make(mac[0], wire, 100, 1);
    bench_receive(bench, frame, 100);
    settle();
    expect_received(0, 0, 100); /* before: synthetic */

    struct boot_device device = { .device_id = 0x180 };
    vf_start(&vf, NULL, &device, mac[0], 1500, &vf_handler, NULL);
    for (unsigned i = 0; i < 1000 && vf.state != VF_RUNNING && vf.state != VF_FAILED; i++) {
        vf_run(&vf, now());
        bench_run(bench, 10000);
        take_messages();
        svc_fake_run();
    }
    if (vf.state != VF_RUNNING)
        fail_msg("state %d: %s", vf.state, vf.failure ? vf.failure : "-");
    netvsc_switch_path(&guest[0]->netvsc, true);
    settle();
    assert_true(guest[0]->path_switched);
    for (uint32_t i = 0; i < 1500; i++) {
        make(i % 10 ? mac[0] : mac[0], wire, 60 + i % 1400, i);
        bench_receive(bench, frame, 60 + i % 1400);
        if (i % 50 == 49)
            settle();
    }
    assert_int_equal(vf_received, 1500);
    assert_int_equal(guest[0]->received_count, 1);
    uint8_t *memory = mini_pages(NULL, 1);
    for (uint32_t i = 0; i < 600; i++) {
        make(wire, mac[0], 60 + i, i);
        memcpy(memory, frame, 60 + i);
        struct svc_packet packet = { .data = memory, .length = 60 + i };
        assert_int_equal(vf_send(&packet, 1, &vf), 1);
        settle();
    }
    assert_int_equal(bench->sent_count, 600);
    for (uint32_t i = 0; i < 600; i++) {
        make(wire, mac[0], 60 + i, i);
        assert_int_equal(bench->sent[i].size, 60 + i);
        assert_memory_equal(bench->sent[i].bytes, frame, 60 + i);
    }
    netvsc_switch_path(&guest[0]->netvsc, false);
    settle();
    make(mac[0], wire, 100, 9);
    bench_receive(bench, frame, 100);
    settle();
    expect_received(0, 1, 100); /* after: synthetic again */
}

/* Both events can be seen at once: then the question is newer than the reset. */
static void a_question_right_after_a_function_level_reset_is_answered(void **state)
{
    (void)state;
    begin(1, "sriov", "1", "1500");
    uint16_t bdf = (uint16_t)(BDF_CARD + pci_config_read(bench->machine.pci, BDF_CARD,
                                                         I82599_CAP_SRIOV + I82599_SRIOV_OFFSET, 2));
    pci_config_write(bench->machine.pci, bdf, I82599_CAP_PCIE + 8, 2, 1 << 15);
    bench_run(bench, 1000000);
    pci_config_write(bench->machine.pci, bdf, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    struct boot_device device = { .device_id = 0x180 };
    vf_start(&vf, NULL, &device, mac[0], 1500, &vf_handler, NULL);
    for (unsigned i = 0; i < 10 && vf.state == VF_RESETTING; i++)
        vf_run(&vf, now());
    assert_int_equal(vf.state, VF_ASKED_RESET); /* and only now the driver looks */
    bench_run(bench, 100000);
    take_messages();
    vf_run(&vf, now());
    assert_int_equal(vf.state, VF_ASKED_API);
}

static void a_virtual_function_cannot_send_with_another_address(void **state)
{
    (void)state;
    the_virtual_function_carries_frames_both_ways_and_fails_over(state);
    netvsc_switch_path(&guest[0]->netvsc, true);
    settle();
    unsigned before = bench->sent_count;
    uint8_t *memory = mini_pages(NULL, 1);
    make(wire, mac[1], 100, 1);
    memcpy(memory, frame, 100);
    struct svc_packet packet = { .data = memory, .length = 100 };
    vf_send(&packet, 1, &vf);
    settle();
    assert_int_equal(bench->sent_count, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_from_the_wire_reach_the_children),
        cmocka_unit_test(more_frames_than_descriptors_pass_in_order),
        cmocka_unit_test(frames_of_children_reach_the_wire),
        cmocka_unit_test(groups_reach_every_child_once),
        cmocka_unit_test(children_reach_each_other_and_strangers_are_counted),
        cmocka_unit_test(a_full_card_sends_pause_frames_and_loses_nothing),
        cmocka_unit_test(the_virtual_function_carries_frames_both_ways_and_fails_over),
        cmocka_unit_test(a_question_right_after_a_function_level_reset_is_answered),
        cmocka_unit_test(a_virtual_function_cannot_send_with_another_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
