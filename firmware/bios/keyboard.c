/* INT 16H and IRQ 1: scan code set 1 from the keyboard controller, into the ring at 0040:001E; and bytes from COM1. */
#include "firmware/bios/bios.h"

enum { BDA_FLAGS = 0x17, BDA_HEAD = 0x1a, BDA_TAIL = 0x1c, BDA_RING = 0x1e, BDA_RING_END = 0x3e, BDA_START = 0x80, BDA_END = 0x82 };
enum { SHIFT_RIGHT = 1 << 0, SHIFT_LEFT = 1 << 1, CONTROL = 1 << 2, ALT = 1 << 3, CAPS_LOCK = 1 << 6 };
enum { STATUS = 0x64, DATA = 0x60, OUTPUT_FULL = 1, INPUT_FULL = 2 };

/* Characters by scan code, without and with shift. */
static const char plain[58] = "\0\0331234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[58] = "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static void ring_put(unsigned key)
{
    uint16_t tail = far_get16(BDA, BDA_TAIL), next = (uint16_t)(tail + 2 == BDA_RING_END ? BDA_RING : tail + 2);

    if (next != far_get16(BDA, BDA_HEAD)) { /* full: the key is lost */
        far_put16(BDA, tail, (uint16_t)key);
        far_put16(BDA, BDA_TAIL, next);
    }
}

static bool ring_get(unsigned *key, bool remove)
{
    uint16_t head = far_get16(BDA, BDA_HEAD);

    if (head == far_get16(BDA, BDA_TAIL)) {
        return false;
    }
    *key = far_get16(BDA, head);
    if (remove) {
        far_put16(BDA, BDA_HEAD, (uint16_t)(head + 2 == BDA_RING_END ? BDA_RING : head + 2));
    }
    return true;
}

static void command(uint8_t byte)
{
    for (unsigned tries = 0; tries < 10000 && in8(STATUS) & INPUT_FULL; tries++) {
    }
    out8(STATUS, byte);
}

void keyboard_init(void)
{
    far_put16(BDA, BDA_HEAD, BDA_RING);
    far_put16(BDA, BDA_TAIL, BDA_RING);
    far_put16(BDA, BDA_START, BDA_RING);
    far_put16(BDA, BDA_END, BDA_RING_END);
    if (in8(STATUS) == 0xff) {
        return; /* no controller */
    }
    for (unsigned tries = 0; tries < 16 && in8(STATUS) & OUTPUT_FULL; tries++) {
        in8(DATA);
    }
    command(0x60); /* command byte: interrupt of the keyboard, translation to set 1, mouse off */
    for (unsigned tries = 0; tries < 10000 && in8(STATUS) & INPUT_FULL; tries++) {
    }
    out8(DATA, 0x61);
    command(0xae);
}

static unsigned shift_bit(unsigned code)
{
    switch (code) {
    case 0x36: return SHIFT_RIGHT;
    case 0x2a: return SHIFT_LEFT;
    case 0x1d: return CONTROL;
    case 0x38: return ALT;
    default: return 0;
    }
}

static void key_down(unsigned code, unsigned flags)
{
    unsigned c = code < sizeof plain ? (uint8_t)(flags & (SHIFT_LEFT | SHIFT_RIGHT) ? shifted[code] : plain[code]) : 0;

    if (flags & CAPS_LOCK && ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
        c ^= 0x20;
    }
    if (flags & CONTROL && (c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
        c &= 0x1f;
    }
    if (flags & ALT) {
        c = 0;
    }
    if (c || code >= 0x3b) {
        ring_put(code << 8 | c);
    }
}

void keyboard_interrupt(void)
{
    if (!(in8(STATUS) & OUTPUT_FULL)) {
        return;
    }
    unsigned code = in8(DATA), flags = far_get8(BDA, BDA_FLAGS), bit = shift_bit(code & 0x7f);

    if (code == 0xe0 || code == 0xe1) {
        return; /* the code behind it says enough */
    }
    if (bit) {
        flags = code & 0x80 ? flags & ~bit : flags | bit;
    } else if (code == 0x3a) {
        flags ^= CAPS_LOCK;
    } else if (!(code & 0x80)) {
        key_down(code, flags);
    }
    far_put8(BDA, BDA_FLAGS, (uint8_t)flags);
}

/* Bytes of the serial console look like keys without a scan code. */
static void take_serial(void)
{
    int c = serial_get();

    if (c >= 0) {
        ring_put((unsigned)c);
    }
}

enum service_result keyboard_service(struct frame *f)
{
    unsigned key = 0;

    take_serial();
    switch (AH(f) & 0xf) {
    case 0:
        if (!ring_get(&key, true)) {
            return SERVICE_WAITS;
        }
        set16(&f->eax, key);
        break;
    case 1:
        if (ring_get(&key, false)) {
            set16(&f->eax, key);
            f->flags &= (uint16_t)~FLAG_ZF;
        } else {
            f->flags |= FLAG_ZF;
        }
        break;
    case 2: set_low(&f->eax, far_get8(BDA, BDA_FLAGS)); break;
    default: break;
    }
    return SERVICE_DONE;
}
