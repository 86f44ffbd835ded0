/* Power-on, dispatch, and the small services. */
#include "firmware/bios/bios.h"
#include "spec/platform/bios.h"
#include "spec/platform/memory_map.h"

extern uint8_t stubs[], timer_stub[], empty_stub[]; /* entry.S: offsets in the segment */
extern uint32_t boot_block[];

/* --- memory elsewhere -------------------------------------------------------------------- */

uint8_t far_get8(unsigned segment, unsigned offset)
{
    uint8_t value;
    __asm__ volatile("movw %w1, %%fs\n\tmovb %%fs:(%2), %0" : "=q"(value) : "r"(segment), "r"(offset & 0xffff) : "memory");
    return value;
}

void far_put8(unsigned segment, unsigned offset, uint8_t value)
{
    __asm__ volatile("movw %w1, %%fs\n\tmovb %0, %%fs:(%2)" : : "q"(value), "r"(segment), "r"(offset & 0xffff) : "memory");
}

uint16_t far_get16(unsigned segment, unsigned offset)
{
    return (uint16_t)(far_get8(segment, offset) | far_get8(segment, offset + 1) << 8);
}

uint32_t far_get32(unsigned segment, unsigned offset)
{
    return far_get16(segment, offset) | (uint32_t)far_get16(segment, offset + 2) << 16;
}

void far_put16(unsigned segment, unsigned offset, uint16_t value)
{
    far_put8(segment, offset, (uint8_t)value);
    far_put8(segment, offset + 1, (uint8_t)(value >> 8));
}

void far_put32(unsigned segment, unsigned offset, uint32_t value)
{
    far_put16(segment, offset, (uint16_t)value);
    far_put16(segment, offset + 2, (uint16_t)(value >> 16));
}

/* --- power-on -------------------------------------------------------------------------------- */

static void vectors_init(void)
{
    for (unsigned n = 0; n < 0x78; n++) {
        far_put16(0, 4 * n, (uint16_t)(uintptr_t)(stubs + 8 * n));
        far_put16(0, 4 * n + 2, BIOS_SEGMENT);
    }
    for (unsigned n = 0x60; n < 0x68; n++) { /* for programs */
        far_put32(0, 4 * n, 0);
    }
    far_put16(0, 4 * 0x08, (uint16_t)(uintptr_t)timer_stub);
    far_put16(0, 4 * 0x1c, (uint16_t)(uintptr_t)empty_stub);
}

static void data_area_init(void)
{
    for (unsigned i = 0; i < 0x100; i++) {
        far_put8(BDA, i, 0);
    }
    far_put16(BDA, BIOS_DATA_COM1, PORT_COM1);
    far_put16(BDA, BIOS_DATA_EQUIPMENT, BIOS_DATA_EQUIPMENT_VALUE);
    far_put16(BDA, BIOS_DATA_MEMORY_KIB, 639); /* the last KiB is the extended BIOS data area */
    far_put16(BDA, BIOS_DATA_EBDA, 0x9fc0);
    far_put8(0x9fc0, 0, 1);              /* its size [KiB] */
}

/* "8259A Programmable Interrupt Controller": ICW1-ICW4; tick, keyboard, cascade and clock may interrupt. */
static void interrupts_init(void)
{
    out8(0x20, 0x11); out8(0xa0, 0x11);
    out8(0x21, 0x08); out8(0xa1, 0x70);
    out8(0x21, 0x04); out8(0xa1, 0x02);
    out8(0x21, 0x01); out8(0xa1, 0x01);
    out8(0x21, 0xf8); out8(0xa1, 0xfe);
}

void bios_post(void)
{
    vectors_init();
    data_area_init();
    interrupts_init();
    serial_init();
    screen_init();
    keyboard_init();
    time_init();
}

void bios_nothing_to_boot(void)
{
    screen_write("hvlab BIOS: nothing to boot from.\r\n");
}

/* --- COM1 as a console ------------------------------------------------------------------------- */

bool console_on_serial(void)
{
    return boot_block[BIOS_BOOT_CONSOLE / 4] & 1;
}

void serial_init(void)
{
    out8(PORT_COM1 + 3, 0x80); /* 115200 8N1 */
    out8(PORT_COM1 + 0, 1);
    out8(PORT_COM1 + 1, 0);
    out8(PORT_COM1 + 3, 3);
    out8(PORT_COM1 + 2, 7);
    out8(PORT_COM1 + 4, 3);
}

void serial_put(char c)
{
    if (!console_on_serial()) {
        return;
    }
    for (unsigned tries = 0; tries < 100000 && !(in8(PORT_COM1 + 5) & 0x20); tries++) {
    }
    out8(PORT_COM1, (uint8_t)c);
}

int serial_get(void)
{
    return console_on_serial() && in8(PORT_COM1 + 5) & 1 ? in8(PORT_COM1) : -1;
}

/* --- services ------------------------------------------------------------------------------------- */

/* Drives: there are none that INT 13H could read. */
static void disk_service(struct frame *f)
{
    fail(f, AH(f) == 0 ? 0 : 1); /* 01: invalid function or parameter */
    if (AH(f) == 0) {
        succeed(f);
    }
    if (AH(f) == 8) {
        set_low(&f->edx, 0);
    }
}

static void end_of_interrupt(unsigned vector)
{
    if (vector >= 0x70) {
        out8(0xa0, 0x20);
    }
    out8(0x20, 0x20);
}

static void hardware_interrupt(unsigned vector)
{
    if (vector == 0x08) {
        time_interrupt();
    } else if (vector == 0x09) {
        keyboard_interrupt();
    } else if (vector == 0x70) {
        out8(PORT_RTC_INDEX, 0x0c);
        in8(PORT_RTC_DATA); /* or the clock would not interrupt again */
    }
    end_of_interrupt(vector);
}

/* Says so once, and waits for ever. */
static enum service_result nothing_to_boot(struct frame *f)
{
    if (f->eax != 0x18) {
        bios_nothing_to_boot();
        f->eax = 0x18;
    }
    return SERVICE_WAITS;
}

static enum service_result dispatch(struct frame *f)
{
    switch (f->vector) {
    case 0x10: screen_service(f); break;
    case 0x11: set16(&f->eax, far_get16(BDA, BIOS_DATA_EQUIPMENT)); break;
    case 0x12: set16(&f->eax, far_get16(BDA, BIOS_DATA_MEMORY_KIB)); break;
    case 0x13: disk_service(f); break;
    case 0x15: memory_service(f); break;
    case 0x16: return keyboard_service(f);
    case 0x18: case 0x19: return nothing_to_boot(f);
    case 0x1a:
        if (AH(f) == 0xb1) {
            pci_service(f);
        } else {
            time_service(f);
        }
        break;
    default:
        if ((f->vector >= 0x08 && f->vector < 0x10) || (f->vector >= 0x70 && f->vector < 0x78)) {
            hardware_interrupt(f->vector);
        }
        break;
    }
    return SERVICE_DONE;
}

enum service_result bios_service(unsigned segment, unsigned offset)
{
    struct frame f;
    uint8_t *bytes = (uint8_t *)&f;

    for (unsigned i = 0; i < FRAME_SIZE; i++) {
        bytes[i] = far_get8(segment, offset + i);
    }
    enum service_result result = dispatch(&f);
    for (unsigned i = 0; i < FRAME_SIZE; i++) {
        far_put8(segment, offset + i, bytes[i]);
    }
    return result;
}
