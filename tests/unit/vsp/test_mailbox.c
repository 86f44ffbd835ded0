/* Mailbox messages of a virtual function: what is granted, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vsp/nic/mailbox.h"

#define ACK I82599_MBX_ACK
#define NACK I82599_MBX_NACK
#define CTS I82599_MBX_CTS

static struct nicdrv_mailbox make(void)
{
    return (struct nicdrv_mailbox){ .assigned = true, .link = true, .mac = { 2, 0, 0, 0, 0, 9 }, .frame_max = 1518 };
}

static uint32_t message[16];
static unsigned words;

static enum nicdrv_mailbox_action ask(struct nicdrv_mailbox *vf, uint32_t w0, uint32_t w1, uint32_t w2)
{
    memset(message, 0, sizeof message);
    message[0] = w0;
    message[1] = w1;
    message[2] = w2;
    return nicdrv_mailbox_answer(vf, message, &words);
}

static void nothing_but_reset_is_answered_before_reset(void **state)
{
    (void)state;
    struct nicdrv_mailbox vf = make();
    for (uint32_t type = 2; type < 0x20; type++) {
        assert_int_equal(ask(&vf, type, 0, 0), NICDRV_MAILBOX_NONE);
        assert_int_equal(message[0], type | NACK);
        assert_int_equal(words, 1);
    }
    assert_int_equal(ask(&vf, I82599_MBX_RESET, 0, 0), NICDRV_MAILBOX_ENABLE);
    assert_int_equal(message[0], I82599_MBX_RESET | ACK);
    assert_int_equal(message[1], 0x00000002);
    assert_int_equal(message[2], 0x0900);
    assert_int_equal(words, 4);
}

static const struct { const char *what; uint32_t w0, w1, w2, answer, words, result; } rows[] = {
    { "its own address", 2, 0x00000002, 0x0900, ACK, 1, 0 },
    { "another address", 2, 0x00000002, 0x0A00, NACK, 1, 0 },
    { "the zero address", 2, 0, 0, NACK, 1, 0 },
    { "multicast", 3 | 1 << 16, 0x123, 0, ACK, 1, 0 },
    { "VLAN", 4 | 1 << 16, 5, 0, ACK, 1, 0 },
    { "frames as long as ours", 5, 1518, 0, ACK, 1, 0 },
    { "with a tag", 5, 1522, 0, ACK, 1, 0 },
    { "longer frames", 5, 1523, 0, NACK, 1, 0 },
    { "no further addresses", 6, 0, 0, ACK, 1, 0 },
    { "a further address", 6 | 1 << 16, 2, 1, NACK, 1, 0 },
    { "API 1.0", 8, 0, 0, ACK, 1, 0 },
    { "API 2.0", 8, 1, 0, NACK, 1, 0 },
    { "API 1.4", 8, 5, 0, ACK, 1, 0 },
    { "API 1.5", 8, 6, 0, NACK, 1, 0 },
    { "API that never was", 8, 0xFFFFFFFF, 0, NACK, 1, 0 },
    { "queues", 9, 0, 0, ACK, 5, 1 },
    { "redirection table", 0xA, 0, 0, NACK, 1, 0 },
    { "all multicast", 0xC, 2, 0, ACK, 2, 2 },
    { "promiscuous", 0xC, 3, 0, NACK, 1, 0 },
    { "link", 0x10, 0, 0, ACK, 2, 1 },
    { "IPsec", 0xD, 0, 0, NACK, 1, 0 },
    { "nonsense", 0xFFFF, 0, 0, NACK, 1, 0 },
};

static void each_request_is_granted_or_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nicdrv_mailbox vf = make();
        ask(&vf, I82599_MBX_RESET, 0, 0);
        ask(&vf, rows[i].w0, rows[i].w1, rows[i].w2);
        if (message[0] != (rows[i].w0 | rows[i].answer | CTS) || words != rows[i].words ||
            (rows[i].words > 1 && message[1] != rows[i].result))
            fail_msg("%s: %08x, %u words, %u", rows[i].what, message[0], words, message[1]);
    }
}

static void answers_and_strangers_are_not_answered(void **state)
{
    (void)state;
    struct nicdrv_mailbox vf = make();
    ask(&vf, 1 | ACK, 0, 0);
    assert_int_equal(words, 0);
    ask(&vf, 1 | NACK, 0, 0);
    assert_int_equal(words, 0);
    vf.assigned = false;
    assert_int_equal(ask(&vf, 1, 0, 0), NICDRV_MAILBOX_NONE);
    assert_int_equal(words, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_reset_is_answered_before_reset),
        cmocka_unit_test(each_request_is_granted_or_refused),
        cmocka_unit_test(answers_and_strangers_are_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
