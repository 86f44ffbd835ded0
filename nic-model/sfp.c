/* The SFP+ module's identification EEPROM on the bit-banged I2C bus (SFF-8472,
 * "I2C Interface").  An SR optic with Intel's OUI, which every driver accepts.
 *
 *   START, 0xA0, offset, START, 0xA1, byte, NACK, STOP
 *
 * Data changes while the clock is low; a change while it is high is START
 * (falling) or STOP (rising).
 */
#include "nic-model/nic_priv.h"

enum sfp_phase { PHASE_IDLE, PHASE_RECEIVE, PHASE_ACKNOWLEDGE, PHASE_SEND, PHASE_WAIT };
enum sfp_expect { EXPECT_DEVICE, EXPECT_ADDRESS, EXPECT_NOTHING };
enum { DEVICE_WRITE = 0xA0, DEVICE_READ = 0xA1, BITS_OF_BYTE = 8 };

static uint8_t
module_byte(uint8_t address)
{
    static const uint8_t identification[128] = {
        [0x00] = 0x03,                                   /* SFP */
        [0x01] = 0x04, [0x02] = 0x07,                    /* serial id, LC connector */
        [0x03] = 0x10,                                   /* 10GBASE-SR */
        [0x0C] = 103,                                    /* 10.3 Gbaud */
        [0x14] = 'H', 'V', 'L', 'A', 'B', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
        [0x25] = 0x00, [0x26] = 0x1B, [0x27] = 0x21,     /* OUI: Intel */
        [0x28] = 'S', 'R', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
    };
    return address < sizeof identification ? identification[address] : 0;
}

static void
drive_bit(struct nic_sfp *s)
{
    s->pull = !(s->shift >> (BITS_OF_BYTE - 1 - s->bits) & 1);
}

static void
send_next_byte(struct nic_sfp *s)
{
    s->phase = PHASE_SEND;
    s->bits = 0;
    s->shift = module_byte(s->address++);
    drive_bit(s);
}

/* Eight bits came in: acknowledged by pulling data low, or not ours. */
static void
byte_received(struct nic_sfp *s)
{
    bool is_ours = true;
    if (s->expect == EXPECT_DEVICE) {
        is_ours = s->shift == DEVICE_WRITE || s->shift == DEVICE_READ;
        s->is_read = s->shift == DEVICE_READ;
        s->expect = EXPECT_ADDRESS;
    } else if (s->expect == EXPECT_ADDRESS) {
        s->address = s->shift;
        s->expect = EXPECT_NOTHING;
    } else {
        is_ours = false; /* the module is read-only */
    }
    s->phase = is_ours ? PHASE_ACKNOWLEDGE : PHASE_IDLE;
    s->pull = is_ours;
}

static void
clock_fell(struct nic_sfp *s)
{
    if (s->phase == PHASE_RECEIVE && s->bits == BITS_OF_BYTE) {
        byte_received(s);
    } else if (s->phase == PHASE_ACKNOWLEDGE) {
        s->pull = s->bits = s->shift = 0;
        s->phase = PHASE_RECEIVE;
        if (s->is_read) {
            send_next_byte(s);
        }
    } else if (s->phase == PHASE_SEND && ++s->bits < BITS_OF_BYTE) {
        drive_bit(s);
    } else if (s->phase == PHASE_SEND) {
        s->phase = PHASE_WAIT;
        s->pull = 0;
    } else if (s->phase == PHASE_WAIT) {
        send_next_byte(s);
    }
}

static void
clock_rose(struct nic_sfp *s)
{
    if (s->phase == PHASE_RECEIVE) {
        s->shift = (uint8_t)(s->shift << 1 | s->data);
        s->bits++;
    } else if (s->phase == PHASE_WAIT && s->data) {
        s->phase = PHASE_IDLE; /* not acknowledged: the host has what it wants */
    }
}

void
sfp_drive(struct nic_sfp *s, bool clock, bool data)
{
    bool clock_was = s->clock, data_was = s->data;
    s->clock = clock;
    s->data = data;
    if (clock_was && clock && data_was != data) {
        s->phase = data_was ? PHASE_RECEIVE : PHASE_IDLE; /* START, STOP */
        s->expect = EXPECT_DEVICE;
        s->is_read = s->bits = s->shift = s->pull = 0;
    } else if (clock_was && !clock) {
        clock_fell(s);
    } else if (!clock_was && clock) {
        clock_rose(s);
    }
}

bool
sfp_data(const struct nic_sfp *s)
{
    return s->data && !s->pull;
}
