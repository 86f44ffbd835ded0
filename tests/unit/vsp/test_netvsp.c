/* Provider, switch and consumer together, over real rings, with a fake card. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/netvsp.h"
#include "services/vmbus.h"
#include "services/vswitch.h"
#include "spec/lab/lab.h"
#include "tests/fakes/guest_fake.h"
#include "tests/fakes/nicdrv_fake.h"
#include "tests/fakes/svc_fake.h"
#include "vmbus/server.h"

enum { MEMORY = 64 << 20, BUFFERS = 64 };

static struct guest *guest[4];
static uint8_t frame[NICDRV_FAKE_FRAME_MAX];
static const uint8_t mac[4][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 3 }, { 0 } };
static const uint8_t wire[6] = { 0, 0x11, 0x22, 0x33, 0x44, 0x55 };
static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void begin(unsigned children, const char *io_path, const char *mtu, void (*configure)(void))
{
    for (unsigned i = 0; i < 4; i++)
        guest_fake_free(guest[i]);
    memset(guest, 0, sizeof guest);
    svc_fake_start();
    svc_fake_config("io_path", io_path);
    svc_fake_config("mtu", mtu);
    svc_fake_config("child0.mac", "02:00:00:00:00:01");
    svc_fake_config("child1.mac", "02:00:00:00:00:02");
    svc_fake_config("child2.mac", "02:00:00:00:00:03");
    svc_fake_config("child3.mac", "00:00:00:00:00:00");
    if (configure)
        configure();
    vmbus_service.init();
    vswitch_service.init();
    netvsp_service.init();
    nicdrv_fake_start(BUFFERS);
    for (unsigned i = 0; i < children; i++) {
        guest[i] = guest_fake_new(i, MEMORY, (uint32_t)atoi(mtu));
        vmbus_service.child_created(i);
        vswitch_service.child_created(i);
        netvsp_service.child_created(i);
    }
    for (unsigned i = 0; i < children; i++) {
        guest_fake_connect(guest[i]);
        if (!guest[i]->ready)
            fail_msg("child %u is not ready: state %d, %s", i, guest[i]->netvsc.state,
                     guest[i]->netvsc.failure ? guest[i]->netvsc.failure : "-");
    }
}

static uint32_t make_frame(const uint8_t to[6], const uint8_t from[6], uint32_t length, uint32_t seed)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    frame[12] = 0x08;
    frame[13] = 0x00;
    for (uint32_t i = 14; i < length; i++)
        frame[i] = (uint8_t)(seed * 31 + i * 7);
    return length;
}

static void expect_received(unsigned child, unsigned index, const uint8_t *bytes, uint32_t length)
{
    assert_true(guest[child]->received_count > index);
    assert_int_equal(guest[child]->received[index].length, length);
    assert_memory_equal(guest[child]->received[index].bytes, bytes, length);
}

static uint64_t drops(void)
{
    uint64_t sum = 0;
    for (unsigned i = LAB_DROP_RESERVED_MULTICAST; i <= LAB_DROP_LAST; i++)
        sum += svc_fake_counter(i);
    return sum;
}

/* --- bring-up -------------------------------------------------------------------------- */

static void a_child_comes_up_with_its_address_and_mtu(void **state)
{
    (void)state;
    begin(2, "vmbus", "1500", NULL);
    assert_memory_equal(guest[0]->netvsc.mac, mac[0], 6);
    assert_memory_equal(guest[1]->netvsc.mac, mac[1], 6);
    assert_int_equal(guest[1]->netvsc.mtu, 1500);
    assert_int_equal(svc_fake_counter(LAB_PROTOCOL_VIOLATIONS), 0);
    assert_int_equal(guest[0]->netvsc.violations, 0);
}

/* --- the synthetic path ------------------------------------------------------------------ */

static void frames_from_the_wire_reach_their_child_in_order(void **state)
{
    (void)state;
    begin(2, "vmbus", "1500", NULL);
    for (uint32_t i = 0; i < 300; i++) {
        assert_true(nicdrv_fake_inject(frame, make_frame(mac[i & 1], wire, 60 + i * 4, i)));
        if (i % 7 == 0)
            svc_fake_run();
    }
    svc_fake_run();
    for (uint32_t i = 0; i < 300; i++) {
        make_frame(mac[i & 1], wire, 60 + i * 4, i);
        expect_received(i & 1, i / 2, frame, 60 + i * 4);
    }
    assert_int_equal(nicdrv_fake_free_buffers(), BUFFERS);
    assert_int_equal(drops(), 0);
}

static void frames_of_a_child_reach_the_wire_padded_and_in_order(void **state)
{
    (void)state;
    begin(1, "vmbus", "1500", NULL);
    for (uint32_t i = 0; i < 500; i++)
        guest_fake_send(guest[0], frame, make_frame(wire, mac[0], 14 + i * 3 % 1500, i));
    svc_fake_run();
    assert_int_equal(nicdrv_fake_sent(), 500);
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t length = 14 + i * 3 % 1500;
        make_frame(wire, mac[0], length, i);
        if (length < 60)
            memset(frame + length, 0, 60 - length);
        assert_int_equal(nicdrv_fake_sent_frame(i)->length, length < 60 ? 60 : length);
        assert_memory_equal(nicdrv_fake_sent_frame(i)->bytes, frame, length < 60 ? 60 : length);
    }
}

static void children_talk_to_each_other_without_the_wire(void **state)
{
    (void)state;
    begin(3, "vmbus", "1500", NULL);
    guest_fake_send(guest[0], frame, make_frame(mac[2], mac[0], 700, 1));
    svc_fake_run();
    expect_received(2, 0, frame, 700);
    assert_int_equal(nicdrv_fake_sent(), 0);
    assert_int_equal(guest[1]->received_count, 0);
}

static void broadcast_reaches_everybody_else_once(void **state)
{
    (void)state;
    begin(3, "vmbus", "1500", NULL);
    guest_fake_send(guest[0], frame, make_frame(broadcast, mac[0], 99, 1));
    svc_fake_run();
    assert_int_equal(guest[0]->received_count, 0);
    expect_received(1, 0, frame, 99);
    expect_received(2, 0, frame, 99);
    assert_int_equal(nicdrv_fake_sent(), 1);
    nicdrv_fake_inject(frame, make_frame(broadcast, wire, 80, 2));
    svc_fake_run();
    expect_received(0, 0, frame, 80);
    assert_int_equal(guest[1]->received_count, 2);
    assert_int_equal(nicdrv_fake_sent(), 1);
    assert_int_equal(nicdrv_fake_free_buffers(), BUFFERS);
}

static void the_all_zero_address_is_an_address(void **state)
{
    (void)state;
    begin(4, "vmbus", "1500", NULL);
    nicdrv_fake_inject(frame, make_frame(mac[3], mac[3], 100, 5));
    svc_fake_run();
    expect_received(3, 0, frame, 100);
}

static void jumbo_frames_pass_both_ways(void **state)
{
    (void)state;
    begin(1, "vmbus", "9000", NULL);
    for (uint32_t length = 1000; length <= 9014; length += 501) {
        assert_true(nicdrv_fake_inject(frame, make_frame(mac[0], wire, length, length)));
        svc_fake_run();
        expect_received(0, (length - 1000) / 501, frame, length);
        guest_fake_send(guest[0], frame, make_frame(wire, mac[0], length, length));
        svc_fake_run();
        assert_memory_equal(nicdrv_fake_sent_frame((length - 1000) / 501)->bytes, frame, length);
    }
}

/* --- drops are counted by name --------------------------------------------------------------- */

static void what_nobody_wants_is_counted_by_reason(void **state)
{
    (void)state;
    static const uint8_t reserved[6] = { 1, 0x80, 0xc2, 0, 0, 0x0e }, last[6] = { 1, 0x80, 0xc2, 0, 0, 0x2f },
                         beyond[6] = { 1, 0x80, 0xc2, 0, 0, 0x30 };
    begin(1, "vmbus", "1500", NULL);
    nicdrv_fake_inject(frame, make_frame(mac[1], wire, 60, 1));
    assert_int_equal(svc_fake_counter(LAB_DROP_SWITCH_UNKNOWN), 1);
    nicdrv_fake_inject(frame, make_frame(reserved, wire, 60, 1));
    nicdrv_fake_inject(frame, make_frame(last, wire, 60, 1));
    assert_int_equal(svc_fake_counter(LAB_DROP_RESERVED_MULTICAST), 2);
    nicdrv_fake_inject(frame, make_frame(beyond, wire, 60, 1));
    svc_fake_run();
    assert_int_equal(guest[0]->received_count, 1);
    guest_fake_send(guest[0], frame, make_frame(wire, mac[1], 60, 1));
    svc_fake_run();
    assert_int_equal(svc_fake_counter(LAB_DROP_SWITCH_SPOOF), 1);
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 1519, 1));
    assert_int_equal(svc_fake_counter(LAB_DROP_OVERSIZE), 1);
    nicdrv_fake_inject(frame, 13);
    assert_int_equal(svc_fake_counter(LAB_DROP_MALFORMED), 1);
    assert_int_equal(drops(), 6);
    assert_int_equal(nicdrv_fake_free_buffers(), BUFFERS);
}

/* --- flow: nothing is lost, and nobody is stopped for ever ------------------------------------- */

static void a_sleeping_child_makes_the_card_run_out_of_buffers_and_loses_nothing(void **state)
{
    (void)state;
    begin(1, "vmbus", "1500", NULL);
    guest_fake_sleep(guest[0], true);
    uint32_t sent = 0;
    while (nicdrv_fake_inject(frame, make_frame(mac[0], wire, 1400, sent))) {
        sent++;
        svc_fake_run();
    }
    assert_true(sent > 500); /* sections and ring, then the card's buffers */
    assert_int_equal(nicdrv_fake_free_buffers(), 0);
    guest_fake_sleep(guest[0], false);
    svc_fake_run();
    assert_int_equal(guest[0]->received_count, sent);
    for (uint32_t i = 0; i < sent; i++) {
        make_frame(mac[0], wire, 1400, i);
        expect_received(0, i, frame, 1400);
    }
    assert_int_equal(nicdrv_fake_free_buffers(), BUFFERS);
    assert_int_equal(drops(), 0);
}

static void a_child_that_never_wakes_up_gives_the_buffers_back_after_a_while(void **state)
{
    (void)state;
    begin(2, "vmbus", "1500", NULL);
    guest_fake_sleep(guest[0], true);
    while (nicdrv_fake_inject(frame, make_frame(mac[0], wire, 1400, 1)))
        svc_fake_run();
    svc_fake_advance(30000000);
    assert_int_equal(nicdrv_fake_free_buffers(), BUFFERS);
    assert_int_equal(svc_fake_counter(LAB_DROP_NO_RECEIVE_BUFFER), BUFFERS);
    assert_true(nicdrv_fake_inject(frame, make_frame(mac[0], wire, 1400, 1)));
    assert_int_equal(svc_fake_counter(LAB_DROP_NO_RECEIVE_BUFFER), BUFFERS + 1);
    nicdrv_fake_inject(frame, make_frame(mac[1], wire, 100, 2));
    svc_fake_run();
    expect_received(1, 0, frame, 100);
    guest_fake_sleep(guest[0], false);
    svc_fake_run();
    unsigned before = guest[0]->received_count;
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 3));
    svc_fake_run();
    expect_received(0, before, frame, 100);
}

static void a_fast_child_waits_for_a_slow_one(void **state)
{
    (void)state;
    begin(2, "vmbus", "1500", NULL);
    guest_fake_sleep(guest[1], true);
    for (uint32_t i = 0; i < 3000; i++)
        guest_fake_send(guest[0], frame, make_frame(mac[1], mac[0], 1000, i));
    svc_fake_run();
    assert_true(guest[0]->queue_count > 0);
    guest_fake_sleep(guest[1], false);
    svc_fake_run();
    assert_int_equal(guest[1]->received_count, 3000);
    for (uint32_t i = 0; i < 3000; i += 97) {
        make_frame(mac[1], mac[0], 1000, i);
        expect_received(1, i, frame, 1000);
    }
    assert_int_equal(drops(), 0);
}

/* --- vmq ------------------------------------------------------------------------------------------ */

static void vmq_frames_are_received_where_the_card_wrote_them(void **state)
{
    (void)state;
    begin(2, "vmq", "1500", NULL);
    assert_true(nicdrv_fake_pool_running(0));
    assert_false(nicdrv_fake_wants_multicast());
    unsigned posted = nicdrv_fake_pool_posted(0);
    assert_true(posted > 100);
    for (uint32_t i = 0; i < 3 * posted; i++) {
        assert_true(nicdrv_fake_pool_inject(0, frame, make_frame(mac[0], wire, 60 + i % 1450, i)));
        svc_fake_run();
    }
    assert_int_equal(guest[0]->received_count, 3 * posted);
    for (uint32_t i = 0; i < 3 * posted; i += 13) {
        make_frame(mac[0], wire, 60 + i % 1450, i);
        expect_received(0, i, frame, 60 + i % 1450);
    }
    assert_int_equal(nicdrv_fake_pool_posted(0), posted);
}

static void vmq_frames_are_sent_from_the_childs_pages(void **state)
{
    (void)state;
    begin(1, "vmq", "9000", NULL);
    nicdrv_fake_pool_hold(true);
    for (uint32_t i = 0; i < 700; i++)
        guest_fake_send(guest[0], frame, make_frame(wire, mac[0], 60 + i * 12, i));
    svc_fake_run();
    assert_true(guest[0]->queue_count > 0); /* the card holds all that may be in flight */
    nicdrv_fake_pool_hold(false);
    nicdrv_fake_pool_release(0);
    svc_fake_run();
    assert_int_equal(nicdrv_fake_sent(), 700);
    for (uint32_t i = 0; i < 700; i++) {
        make_frame(wire, mac[0], 60 + i * 12, i);
        assert_int_equal(nicdrv_fake_sent_frame(i)->length, 60 + i * 12);
        assert_memory_equal(nicdrv_fake_sent_frame(i)->bytes, frame, 60 + i * 12);
    }
    assert_int_equal(guest[0]->netvsc.sent, 700);
}

static void vmq_jumbo_frames_are_received_in_one_piece(void **state)
{
    (void)state;
    begin(1, "vmq", "9000", NULL);
    for (uint32_t length = 60; length <= 9014; length += 333) {
        assert_true(nicdrv_fake_pool_inject(0, frame, make_frame(mac[0], wire, length, length)));
        svc_fake_run();
        expect_received(0, (length - 60) / 333, frame, length);
    }
}

static void a_child_that_unloads_takes_its_memory_away_from_the_card(void **state)
{
    (void)state;
    begin(2, "vmq", "1500", NULL);
    nicdrv_fake_pool_hold(true);
    guest_fake_send(guest[0], frame, make_frame(wire, mac[0], 100, 1));
    svc_fake_run();
    vmbus_client_unload(&guest[0]->client);
    svc_fake_run();
    assert_true(guest[0]->client.unloaded);
    assert_false(nicdrv_fake_pool_running(0));
    assert_int_equal(svc_fake_mappings(), 3); /* rings, two buffers of the other child */
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 1));
    assert_int_equal(svc_fake_counter(LAB_DROP_CHANNEL_CLOSED), 1);
}

/* --- virtual functions ------------------------------------------------------------------------------ */

static void a_virtual_function_is_announced_and_the_path_switched(void **state)
{
    (void)state;
    begin(1, "sriov", "1500", NULL);
    assert_true(guest[0]->vf);
    assert_true(nicdrv_fake_wants_multicast());
    netvsc_switch_path(&guest[0]->netvsc, true);
    svc_fake_run();
    assert_true(guest[0]->path_switched);
    assert_true(nicdrv_fake_steered(0));
    assert_false(nicdrv_fake_wants_multicast());
    netvsc_switch_path(&guest[0]->netvsc, false);
    svc_fake_run();
    assert_false(nicdrv_fake_steered(0));
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 1));
    svc_fake_run();
    expect_received(0, 0, frame, 100); /* fail-over */
}

/* --- VLANs and filters -------------------------------------------------------------------------------- */

static void configure_vlan(void)
{
    svc_fake_config("child0.vlan", "5");
    svc_fake_config("child1.vlan", "5");
}

static void access_ports_strip_and_insert_tags(void **state)
{
    (void)state;
    begin(3, "vmbus", "1500", configure_vlan);
    uint32_t length = make_frame(broadcast, wire, 104, 1);
    frame[12] = 0x81, frame[13] = 0, frame[14] = 0, frame[15] = 5, frame[16] = 8, frame[17] = 0;
    nicdrv_fake_inject(frame, length);
    svc_fake_run();
    uint8_t stripped[100];
    memcpy(stripped, frame, 12);
    memcpy(stripped + 12, frame + 16, 88);
    expect_received(0, 0, stripped, 100);
    expect_received(1, 0, stripped, 100);
    expect_received(2, 0, frame, 104); /* a trunk port sees the tag */
    make_frame(wire, mac[0], 100, 2);
    guest_fake_send(guest[0], frame, 100);
    svc_fake_run();
    const struct nicdrv_fake_frame *sent = nicdrv_fake_sent_frame(0);
    assert_int_equal(sent->length, 104);
    assert_memory_equal(sent->bytes, frame, 12);
    assert_memory_equal(sent->bytes + 12, "\x81\x00\x00\x05\x08\x00", 6);
    assert_memory_equal(sent->bytes + 18, frame + 14, 86);
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 3)); /* untagged: not a member */
    assert_int_equal(svc_fake_counter(LAB_DROP_SWITCH_VLAN), 1);
    assert_int_equal(nicdrv_fake_free_buffers(), BUFFERS);
}

static void configure_private(void)
{
    svc_fake_config("child0.network", "private");
    svc_fake_config("child1.network", "private");
}

static void private_networks_do_not_reach_the_wire(void **state)
{
    (void)state;
    begin(3, "vmbus", "1500", configure_private);
    guest_fake_send(guest[0], frame, make_frame(broadcast, mac[0], 100, 1));
    guest_fake_send(guest[0], frame, make_frame(wire, mac[0], 100, 1));
    guest_fake_send(guest[0], frame, make_frame(mac[2], mac[0], 100, 1));
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 1));
    svc_fake_run();
    assert_int_equal(guest[1]->received_count, 1);
    assert_int_equal(guest[2]->received_count, 0);
    assert_int_equal(guest[0]->received_count, 0);
    assert_int_equal(nicdrv_fake_sent(), 0);
    assert_int_equal(svc_fake_counter(LAB_DROP_SWITCH_UNKNOWN), 3);
}

static void configure_filter(void)
{
    svc_fake_config("switch.filter", "allow src=00:11:22:33:44:55 type=0x0800; drop dst=02:00:00:00:00:01");
}

static void the_filter_extension_drops_what_its_rules_say(void **state)
{
    (void)state;
    begin(1, "vmbus", "1500", configure_filter);
    nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 1));
    nicdrv_fake_inject(frame, make_frame(mac[0], mac[2], 100, 1));
    svc_fake_run();
    assert_int_equal(guest[0]->received_count, 1);
    assert_int_equal(svc_fake_counter(LAB_DROP_SWITCH_FILTER), 1);
}

/* --- hostile children ------------------------------------------------------------------------------------ */

static void a_child_that_breaks_its_ring_stops_only_itself(void **state)
{
    (void)state;
    static const uint32_t garbage[] = { 0xFFFFFFFF, 4, 0x1F000, 17 };
    for (unsigned g = 0; g < 4; g++) {
        begin(2, "vmbus", "1500", NULL);
        guest[0]->netvsc.channel->out.header->write_index = garbage[g];
        svc_fake_guest_signal(0, guest[0]->netvsc.channel->connection_id);
        svc_fake_run();
        assert_true(svc_fake_counter(LAB_PROTOCOL_VIOLATIONS) > 0);
        nicdrv_fake_inject(frame, make_frame(mac[0], wire, 100, 1));
        assert_int_equal(svc_fake_counter(LAB_DROP_CHANNEL_CLOSED), 1);
        nicdrv_fake_inject(frame, make_frame(mac[1], wire, 100, 2));
        svc_fake_run();
        expect_received(1, 0, frame, 100);
        vmbus_client_unload(&guest[0]->client);
        svc_fake_run();
        assert_true(guest[0]->client.unloaded);
    }
}

static void random_packets_in_the_ring_harm_nobody_else(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252ull;
    begin(2, "vmbus", "1500", NULL);
    for (unsigned round = 0; round < 300; round++) {
        uint8_t noise[256];
        for (unsigned i = 0; i < sizeof noise; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            noise[i] = (uint8_t)random;
        }
        struct nvsp_head { uint32_t type; } *head = (void *)(noise + 64);
        static const uint32_t types[] = { 107, 1, 101, 104, 125, 129, 103, 106, 133 };
        head->type = types[round % 9];
        struct vmbus_send send = {
            .type = (uint16_t)(round % 3 ? 6 : round % 4 ? 9 : 11), .flags = 1, .transaction = round,
            .descriptor = noise, .descriptor_size = round % 3 ? 0 : (noise[3] % 8) * 8u,
            .payload = noise + 64, .payload_size = 40,
        };
        vmbus_ring_put(&guest[0]->netvsc.channel->out, &send);
        vmbus_client_publish(guest[0]->netvsc.channel);
        svc_fake_run();
        if (round % 20 == 19) {
            guest_fake_restart(guest[0]);
            assert_int_equal(guest[0]->netvsc.state, NETVSC_READY);
        }
        nicdrv_fake_inject(frame, make_frame(mac[1], wire, 100 + round, round));
        svc_fake_run();
        expect_received(1, round, frame, 100 + round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_comes_up_with_its_address_and_mtu),
        cmocka_unit_test(frames_from_the_wire_reach_their_child_in_order),
        cmocka_unit_test(frames_of_a_child_reach_the_wire_padded_and_in_order),
        cmocka_unit_test(children_talk_to_each_other_without_the_wire),
        cmocka_unit_test(broadcast_reaches_everybody_else_once),
        cmocka_unit_test(the_all_zero_address_is_an_address),
        cmocka_unit_test(jumbo_frames_pass_both_ways),
        cmocka_unit_test(what_nobody_wants_is_counted_by_reason),
        cmocka_unit_test(a_sleeping_child_makes_the_card_run_out_of_buffers_and_loses_nothing),
        cmocka_unit_test(a_child_that_never_wakes_up_gives_the_buffers_back_after_a_while),
        cmocka_unit_test(a_fast_child_waits_for_a_slow_one),
        cmocka_unit_test(vmq_frames_are_received_where_the_card_wrote_them),
        cmocka_unit_test(vmq_frames_are_sent_from_the_childs_pages),
        cmocka_unit_test(vmq_jumbo_frames_are_received_in_one_piece),
        cmocka_unit_test(a_child_that_unloads_takes_its_memory_away_from_the_card),
        cmocka_unit_test(a_virtual_function_is_announced_and_the_path_switched),
        cmocka_unit_test(access_ports_strip_and_insert_tags),
        cmocka_unit_test(private_networks_do_not_reach_the_wire),
        cmocka_unit_test(the_filter_extension_drops_what_its_rules_say),
        cmocka_unit_test(a_child_that_breaks_its_ring_stops_only_itself),
        cmocka_unit_test(random_packets_in_the_ring_harm_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
