/* The server: against the client, and against messages written by hand as Linux writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/lab/lab.h"
#include "tests/fakes/svc_fake.h"
#include "vmbus/channel.h"
#include "vmbus/client.h"
#include "vmbus/server.h"
#include "vsp/runtime/svc.h"

enum { MEMORY = 4 << 20 };

/* --- a provider and a raw guest --------------------------------------------------- */

static struct { unsigned opened, closed, signalled; bool refuse; } provider;
static bool provider_opened(void *ctx) { (void)ctx; provider.opened++; return !provider.refuse; }
static void provider_closed(void *ctx) { (void)ctx; provider.closed++; }
static void provider_signalled(void *ctx) { (void)ctx; provider.signalled++; }
static const struct vmbus_provider provider_ops = { provider_opened, provider_closed, provider_signalled };
static const struct vmbus_guid type = VMBUS_GUID_NETWORK;
static const struct vmbus_guid instance = {{ 1, 2, 3 }};

static struct { uint8_t bytes[64][240]; uint32_t size[64]; unsigned count; } heard;
static void hear(void *ctx, const void *payload, uint32_t size)
{
    (void)ctx;
    assert_true(heard.count < 64);
    memcpy(heard.bytes[heard.count], payload, size);
    heard.size[heard.count++] = size;
}

static struct vmbus_channel *start(void)
{
    memset(&provider, 0, sizeof provider);
    memset(&heard, 0, sizeof heard);
    svc_fake_start();
    vmbus_service.init();
    svc_fake_child(0, MEMORY, &(struct svc_fake_guest){ .message = hear });
    vmbus_service.child_created(0);
    return vmbus_offer(0, &type, &instance, &provider_ops, NULL);
}

static void say(uint32_t connection, const void *words, uint32_t size)
{
    svc_fake_guest_post(0, connection, words, size);
    svc_fake_run();
}
#define SAY(...) say(1, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }))

static uint32_t heard_word(unsigned message, unsigned byte)
{
    uint32_t value;
    memcpy(&value, heard.bytes[message] + byte, 4);
    return value;
}

static void connect_by_hand(void)
{
    const uint32_t contact[10] = { 14, 0, 0x50003, 0, 2 };
    say(4, contact, sizeof contact);
    SAY(3, 0);
}

/* --- claims ------------------------------------------------------------------------ */

static void contact_and_offers_have_the_layout_that_linux_reads(void **state)
{
    (void)state;
    start();
    connect_by_hand();
    assert_int_equal(heard.count, 3);
    assert_int_equal(heard.size[0], 16);
    assert_int_equal(heard_word(0, 0), 15);
    assert_int_equal(heard_word(0, 8) & 0xFFFF, 1); /* supported, state 0 */
    assert_int_equal(heard_word(0, 12), 1);         /* further messages on connection 1 */
    assert_int_equal(heard.size[1], 196);
    assert_int_equal(heard_word(1, 0), 1);
    static const uint8_t guid[16] = { 0x63, 0x51, 0x61, 0xf8, 0x3e, 0xdf, 0xc5, 0x46,
                                      0x91, 0x3f, 0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e };
    assert_memory_equal(heard.bytes[1] + 8, guid, 16);
    assert_int_equal(heard_word(1, 184), 1);             /* relid */
    assert_int_equal(heard.bytes[1][188], 0xFF);         /* no monitor */
    assert_int_equal(heard.bytes[1][189], 0);
    assert_int_equal(heard.bytes[1][190] & 1, 1);        /* dedicated */
    assert_int_not_equal(heard_word(1, 192), 0);
    assert_int_equal(heard_word(2, 0), 4);
}

static void every_version_of_linux_is_accepted_and_others_are_refused(void **state)
{
    (void)state;
    static const struct { uint32_t version; uint32_t accepted; } rows[] = {
        { 0x50003, 1 }, { 0x50002, 1 }, { 0x50001, 1 }, { 0x50000, 1 }, { 0x40001, 1 }, { 0x40000, 1 },
        { 0x30000, 1 }, { 0x20004, 1 }, { 0x60000, 0 }, { 0, 0 }, { 0xFFFFFFFF, 0 }, { 0x10001, 0 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        const uint32_t contact[10] = { 14, 0, rows[i].version, 0, rows[i].version >= 0x50000 ? 2 : 0x1000 };
        say(rows[i].version >= 0x50000 ? 4 : 1, contact, sizeof contact);
        assert_int_equal(heard.count, 1);
        assert_int_equal(heard.bytes[0][8], rows[i].accepted);
    }
}

/* GPADL of 4 pages in one message: 2 rings of 2 pages. */
static const uint32_t ring_gpadl[15] = { 8, 0, 1, 0xE1E10, 0x10028, 0x4000, 0, 4, 0, 5, 0, 6, 0, 7, 0 };

static void open_by_hand(void)
{
    connect_by_hand();
    say(1, ring_gpadl, sizeof ring_gpadl);
    const uint32_t open[37] = { 5, 0, 1, 1, 0xE1E10, 0, 2 };
    say(1, open, sizeof open);
}

static void open_maps_the_rings_where_the_message_says(void **state)
{
    (void)state;
    struct vmbus_channel *channel = start();
    open_by_hand();
    assert_int_equal(heard_word(3, 0), 10);
    assert_int_equal(heard_word(3, 16), 0);
    assert_int_equal(heard_word(4, 0), 6);
    assert_int_equal(heard_word(4, 16), 0);
    assert_int_equal(provider.opened, 1);
    uint8_t *memory = svc_fake_memory(0);
    memory[5 * 4096] = 77;     /* data page of the ring from the child */
    memory[7 * 4096 + 9] = 78; /* and of the ring to it */
    assert_int_equal(channel->in.data[0], 77);
    assert_int_equal(channel->out.data[9], 78);
    svc_fake_guest_signal(0, channel->connection_id);
    svc_fake_run();
    assert_int_equal(provider.signalled, 1);
}

static void close_unmaps_and_unbinds(void **state)
{
    (void)state;
    struct vmbus_channel *channel = start();
    open_by_hand();
    assert_int_equal(svc_fake_mappings(), 1);
    SAY(7, 0, 1);
    assert_int_equal(provider.closed, 1);
    assert_int_equal(svc_fake_mappings(), 0);
    svc_fake_guest_signal(0, channel->connection_id);
    svc_fake_run();
    assert_int_equal(provider.signalled, 0);
    SAY(11, 0, 1, 0xE1E10);
    assert_int_equal(heard_word(5, 0), 12);
    assert_int_equal(heard_word(5, 8), 0xE1E10);
}

static void a_gpadl_torn_down_under_an_open_channel_closes_it_first(void **state)
{
    (void)state;
    start();
    open_by_hand();
    SAY(11, 0, 1, 0xE1E10);
    assert_int_equal(provider.closed, 1);
    assert_int_equal(svc_fake_mappings(), 0);
}

static void unload_and_new_contact_forget_everything(void **state)
{
    (void)state;
    start();
    open_by_hand();
    SAY(16, 0);
    assert_int_equal(heard_word(heard.count - 1, 0), 17);
    assert_int_equal(provider.closed, 1);
    assert_int_equal(svc_fake_mappings(), 0);
    heard.count = 0;
    open_by_hand();
    assert_int_equal(provider.opened, 2);
    connect_by_hand(); /* without unload: kexec */
    assert_int_equal(provider.closed, 2);
}

static void opens_that_cannot_work_are_refused(void **state)
{
    (void)state;
    static const struct { const char *what; uint32_t relid, gpadl, downstream; } rows[] = {
        { "unknown channel", 2, 0xE1E10, 2 },   { "channel 0", 0, 0xE1E10, 2 },
        { "unknown GPADL", 1, 0xE1E11, 2 },     { "GPADL 0", 1, 0, 2 },
        { "no page for one ring", 1, 0xE1E10, 1 }, { "no page for the other", 1, 0xE1E10, 3 },
        { "beyond the GPADL", 1, 0xE1E10, 4 },  { "far beyond it", 1, 0xE1E10, 0xFFFFFFFF },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        connect_by_hand();
        say(1, ring_gpadl, sizeof ring_gpadl);
        const uint32_t open[37] = { 5, 0, rows[i].relid, 1, rows[i].gpadl, 0, rows[i].downstream };
        say(1, open, sizeof open);
        if (heard_word(heard.count - 1, 0) != 6 || heard_word(heard.count - 1, 16) == 0 ||
            svc_fake_mappings() != 0 || provider.opened != 0)
            fail_msg("%s", rows[i].what);
    }
}

static void a_gpadl_with_a_page_that_is_not_ram_cannot_be_opened(void **state)
{
    (void)state;
    start();
    connect_by_hand();
    uint32_t gpadl[15];
    memcpy(gpadl, ring_gpadl, sizeof gpadl);
    gpadl[11] = 0x80000000;
    say(1, gpadl, sizeof gpadl);
    const uint32_t open[37] = { 5, 0, 1, 1, 0xE1E10, 0, 2 };
    say(1, open, sizeof open);
    assert_int_not_equal(heard_word(heard.count - 1, 16), 0);
}

static void bad_gpadls_are_refused_with_a_status(void **state)
{
    (void)state;
    static const struct { const char *what; unsigned word; uint32_t value; } rows[] = {
        { "handle 0", 3, 0 }, { "no range", 4, 0x00000028 }, { "two ranges", 4, 0x00020028 },
        { "no bytes", 5, 0 }, { "more pages than there is room for", 5, 0xFFFFFFFF },
        { "offset beyond a page", 6, 4096 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        connect_by_hand();
        uint32_t gpadl[15];
        memcpy(gpadl, ring_gpadl, sizeof gpadl);
        gpadl[rows[i].word] = rows[i].value;
        say(1, gpadl, sizeof gpadl);
        if (heard_word(heard.count - 1, 0) != 10 || heard_word(heard.count - 1, 16) == 0)
            fail_msg("accepted: %s", rows[i].what);
    }
    start();
    connect_by_hand();
    say(1, ring_gpadl, sizeof ring_gpadl);
    say(1, ring_gpadl, sizeof ring_gpadl); /* the same handle twice */
    assert_int_not_equal(heard_word(heard.count - 1, 16), 0);
}

static void wrong_messages_are_counted_and_harm_nothing(void **state)
{
    (void)state;
    start();
    connect_by_hand();
    uint64_t before = svc_fake_counter(LAB_PROTOCOL_VIOLATIONS);
    SAY(0, 0);
    SAY(25, 0);
    SAY(0xFFFFFFFF, 0);
    SAY(5);
    SAY(5, 0, 1);
    SAY(7, 0, 99);
    SAY(15, 0, 0, 0);
    SAY(9, 0, 0, 0x55, 1, 2);
    assert_int_equal(svc_fake_counter(LAB_PROTOCOL_VIOLATIONS) - before, 8);
    open_by_hand();
    assert_int_equal(provider.opened, 1);
}

static void messages_before_contact_are_ignored(void **state)
{
    (void)state;
    start();
    SAY(3, 0);
    say(1, ring_gpadl, sizeof ring_gpadl);
    assert_int_equal(heard.count, 0);
}

static void rescind_closes_tells_and_frees_the_slot(void **state)
{
    (void)state;
    struct vmbus_channel *channel = start();
    open_by_hand();
    vmbus_rescind(channel);
    svc_fake_run();
    assert_int_equal(provider.closed, 1);
    assert_int_equal(heard_word(heard.count - 1, 0), 2);
    assert_ptr_not_equal(vmbus_offer(0, &type, &instance, &provider_ops, NULL), channel);
    SAY(13, 0, 1);
    assert_ptr_equal(vmbus_offer(0, &type, &instance, &provider_ops, NULL), channel);
}

static void modify_channel_is_answered_from_5_3_on(void **state)
{
    (void)state;
    struct vmbus_channel *channel = start();
    open_by_hand();
    SAY(22, 0, 1, 3);
    assert_int_equal(heard_word(heard.count - 1, 0), 24);
    assert_int_equal(channel->target_vp, 3);
}

/* --- with the client ------------------------------------------------------------------ */

static struct { struct vmbus_client client; struct vmbus_client_channel *channel;
                uint32_t used; bool open, refuse_five; unsigned signalled; uint32_t created; } guest;

static bool guest_post(void *ctx, uint32_t connection, const void *payload, uint32_t size)
{
    (void)ctx;
    if (guest.refuse_five && connection == 4)
        return false;
    svc_fake_guest_post(0, connection, payload, size);
    return true;
}
static void guest_signal(void *ctx, uint32_t connection) { (void)ctx; svc_fake_guest_signal(0, connection); }
static void *guest_pages(void *ctx, uint32_t count)
{
    (void)ctx;
    uint8_t *p = (uint8_t *)svc_fake_memory(0) + guest.used;
    guest.used += count * 4096;
    return p;
}
static uint64_t guest_gpa(void *ctx, const void *p)
{
    (void)ctx;
    return (uint64_t)((const uint8_t *)p - (uint8_t *)svc_fake_memory(0));
}
static const struct vmbus_client_host guest_host = { guest_post, guest_signal, guest_pages, guest_gpa };
static void guest_offered(void *ctx, struct vmbus_client_channel *channel)
{
    (void)ctx;
    guest.channel = channel;
    vmbus_client_open(channel, 16);
}
static void guest_opened(void *ctx, bool ok) { (void)ctx; guest.open = ok; }
static void guest_created(void *ctx, uint32_t gpadl, bool ok) { (void)ctx; guest.created = ok ? gpadl : 0; }
static void guest_signalled(void *ctx) { (void)ctx; guest.signalled++; }
static void guest_rescinded(void *ctx) { (void)ctx; guest.open = false; }
static const struct vmbus_client_driver guest_driver = {
    VMBUS_GUID_NETWORK, guest_offered, guest_opened, guest_created, guest_signalled, guest_rescinded,
};
static void guest_message(void *ctx, const void *payload, uint32_t size)
{
    vmbus_client_message(ctx, payload, size);
}
static void guest_flag(void *ctx, uint32_t flag) { vmbus_client_flag(ctx, flag); }

static struct vmbus_channel *start_client(bool refuse_five)
{
    memset(&provider, 0, sizeof provider);
    memset(&guest, 0, sizeof guest);
    guest.refuse_five = refuse_five;
    svc_fake_start();
    vmbus_service.init();
    svc_fake_child(0, MEMORY, &(struct svc_fake_guest){ guest_message, guest_flag, &guest.client });
    vmbus_service.child_created(0);
    struct vmbus_channel *channel = vmbus_offer(0, &type, &instance, &provider_ops, NULL);
    vmbus_client_init(&guest.client, &guest_host, NULL, &guest_driver, NULL);
    vmbus_client_connect(&guest.client, 0);
    svc_fake_run();
    return channel;
}

static void client_and_server_open_a_channel(void **state)
{
    (void)state;
    start_client(false);
    assert_true(guest.open);
    assert_int_equal(guest.client.version, 0x50003);
    start_client(true);
    assert_true(guest.open);
    assert_int_equal(guest.client.version, 0x40001);
}

static void big_buffers_pass_through_many_body_messages(void **state)
{
    (void)state;
    struct vmbus_channel *channel = start_client(false);
    uint32_t size = 3 << 20, mapped;
    uint8_t *buffer = guest_pages(NULL, size / 4096);
    uint32_t handle = vmbus_client_gpadl(guest.channel, buffer, size);
    svc_fake_run();
    assert_int_equal(guest.created, handle);
    uint8_t *seen = vmbus_channel_map(channel, handle, &mapped);
    assert_non_null(seen);
    assert_int_equal(mapped, size);
    for (uint32_t i = 0; i < size; i += 4096)
        buffer[i + 5] = (uint8_t)(i >> 12);
    for (uint32_t i = 0; i < size; i += 4096)
        assert_int_equal(seen[i + 5], (uint8_t)(i >> 12));
    assert_null(vmbus_channel_map(channel, handle, &mapped)); /* only once */
    vmbus_client_gpadl_teardown(guest.channel, handle);
    svc_fake_run();
    assert_int_equal(svc_fake_mappings(), 0);
}

static void both_directions_carry_packets_and_signal_only_sleepers(void **state)
{
    (void)state;
    struct vmbus_channel *channel = start_client(false);
    struct vmbus_send send = { .type = VMBUS_PACKET_INBAND, .transaction = 7, .payload = "abcdefg", .payload_size = 8 };
    for (unsigned i = 0; i < 3; i++) {
        assert_true(vmbus_ring_put(&guest.channel->out, &send));
        vmbus_client_publish(guest.channel);
        assert_true(vmbus_ring_put(&channel->out, &send));
        vmbus_channel_publish(channel);
    }
    svc_fake_run();
    assert_int_equal(provider.signalled, 1);
    assert_int_equal(guest.signalled, 1);
    assert_int_equal(guest.channel->signals_saved, 2);
    assert_int_equal(svc_fake_counter(LAB_SIGNALS_SAVED), 2);
    uint8_t out[64];
    uint32_t length;
    assert_int_equal(vmbus_ring_get(&channel->in, out, sizeof out, &length), VMBUS_RING_PACKET);
    assert_memory_equal(out + 16, "abcdefg", 8);
    assert_int_equal(vmbus_ring_get(&guest.channel->in, out, sizeof out, &length), VMBUS_RING_PACKET);
    assert_memory_equal(out + 16, "abcdefg", 8);
}

static void unload_is_answered(void **state)
{
    (void)state;
    start_client(false);
    vmbus_client_unload(&guest.client);
    svc_fake_run();
    assert_true(guest.client.unloaded);
    assert_int_equal(svc_fake_mappings(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contact_and_offers_have_the_layout_that_linux_reads),
        cmocka_unit_test(every_version_of_linux_is_accepted_and_others_are_refused),
        cmocka_unit_test(open_maps_the_rings_where_the_message_says),
        cmocka_unit_test(close_unmaps_and_unbinds),
        cmocka_unit_test(a_gpadl_torn_down_under_an_open_channel_closes_it_first),
        cmocka_unit_test(unload_and_new_contact_forget_everything),
        cmocka_unit_test(opens_that_cannot_work_are_refused),
        cmocka_unit_test(a_gpadl_with_a_page_that_is_not_ram_cannot_be_opened),
        cmocka_unit_test(bad_gpadls_are_refused_with_a_status),
        cmocka_unit_test(wrong_messages_are_counted_and_harm_nothing),
        cmocka_unit_test(messages_before_contact_are_ignored),
        cmocka_unit_test(rescind_closes_tells_and_frees_the_slot),
        cmocka_unit_test(modify_channel_is_answered_from_5_3_on),
        cmocka_unit_test(client_and_server_open_a_channel),
        cmocka_unit_test(big_buffers_pass_through_many_body_messages),
        cmocka_unit_test(both_directions_carry_packets_and_signal_only_sleepers),
        cmocka_unit_test(unload_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
