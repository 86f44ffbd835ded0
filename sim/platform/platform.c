/* The chipset put together; see platform.h. */
#include "sim/platform/platform.h"

#include <stdlib.h>

#include "sim/base/state.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/x87/x87.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/acpi.h"
#include "sim/platform/firmware.h"
#include "sim/platform/hpet.h"
#include "sim/platform/i8042.h"
#include "sim/platform/ioapic.h"
#include "sim/platform/pci_priv.h"
#include "sim/platform/pic.h"
#include "sim/platform/pit.h"
#include "sim/platform/power.h"
#include "sim/platform/rtc.h"
#include "sim/platform/smbios.h"
#include "sim/platform/uart.h"
#include "sim/platform/vtd.h"
#include "spec/platform/memory_map.h"

struct platform {
    struct machine *machine;
    struct uart *com1, *com2;
    struct rtc *rtc;
    struct pit *pit;
    struct hpet *hpet;
    struct pic *pic;
    struct ioapic *ioapic;
    struct power *power;
    struct i8042 *i8042;
    bool intr_high;          /* the 8259s' output, as told last */
    bool pit_high, rtc_high; /* what they say, whoever drives their lines */
    bool hpet_legacy;        /* the HPET does */
    struct acpi_places acpi;
};

/* --- interrupt lines ---------------------------------------------------------- */

/* The 8259s' INTR: to every processor's LINT0, and to input 0 of the I/O APIC. */
static void
intr_update(struct platform *p)
{
    bool high = pic_pending(p->pic);
    if (high == p->intr_high) {
        return;
    }
    p->intr_high = high;
    for (unsigned i = 0; i < p->machine->cpu_count; i++) {
        apic_set_pin(p->machine->cpu[i], 0, high);
    }
    ioapic_set_line(p->ioapic, 0, high);
}

void
platform_set_line(struct platform *p, unsigned line, bool high)
{
    if (line < 16) {
        pic_set_line(p->pic, line, high);
        intr_update(p);
    }
    ioapic_set_line(p->ioapic, line == IRQ_TIMER ? GSI_TIMER : line, high);
}

static uint8_t
pic_acknowledge_heard(void *ctx)
{
    struct platform *p = ctx;
    uint8_t vector = pic_acknowledge(p->pic);
    intr_update(p);
    return vector;
}

static void
com1_line(void *ctx, bool high)
{
    platform_set_line(ctx, IRQ_COM1, high);
}

static void
com2_line(void *ctx, bool high)
{
    platform_set_line(ctx, IRQ_COM2, high);
}

static void
sci_line(void *ctx, bool high)
{
    platform_set_line(ctx, IRQ_SCI, high);
}

/* ACPI S3: the processors lose everything, RAM and the board's devices nothing. */
static void
suspend(void *ctx)
{
    struct platform *p = ctx;
    for (unsigned i = 0; i < p->machine->cpu_count; i++) {
        p->machine->cpu[i]->activity = WAIT_SIPI;
        cpu_attend(p->machine->cpu[i], 0);
    }
}

static void
resume(void *ctx)
{
    struct platform *p = ctx;
    firmware_resume(p->machine, p->acpi.facs);
}

/* Lines 0 and 8 belong to PIT and RTC, or to the HPET in legacy replacement. */
static void
pit_line(void *ctx, bool high)
{
    struct platform *p = ctx;
    p->pit_high = high;
    if (!p->hpet_legacy) {
        platform_set_line(p, IRQ_TIMER, high);
    }
}

static void
rtc_line(void *ctx, bool high)
{
    struct platform *p = ctx;
    p->rtc_high = high;
    if (high) {
        power_clock(p->power);
    }
    if (!p->hpet_legacy) {
        platform_set_line(p, IRQ_RTC, high);
    }
}

static void
hpet_legacy_line(void *ctx, unsigned irq, bool high)
{
    platform_set_line(ctx, irq, high);
}

static void
hpet_legacy_changed(void *ctx, bool on)
{
    struct platform *p = ctx;
    p->hpet_legacy = on;
    platform_set_line(p, IRQ_TIMER, !on && p->pit_high);
    platform_set_line(p, IRQ_RTC, !on && p->rtc_high);
}

static void
hpet_gsi(void *ctx, unsigned gsi, bool high)
{
    platform_set_line(ctx, gsi, high);
}

static void
hpet_message(void *ctx, uint64_t address, uint32_t data)
{
    struct platform *p = ctx;
    vtd_interrupt(p->machine->vtd, VTD_HPET_BDF, address, data);
}

static void
ioapic_send(void *ctx, uint64_t address, uint32_t data)
{
    struct platform *p = ctx;
    vtd_interrupt(p->machine->vtd, VTD_IOAPIC_BDF, address, data);
}

static void
keyboard_line(void *ctx, unsigned irq, bool high)
{
    platform_set_line(ctx, irq, high);
}

static void
keyboard_reset(void *ctx, const char *by)
{
    platform_reset(ctx, by);
}

static void
keyboard_a20_off(void *ctx, const char *by)
{
    struct platform *p = ctx;
    power_a20_off(p->power, by);
}

/* FERR# of any processor.  Port F0H takes the interrupt back and has the error ignored until it is gone
 * (SDM Vol 1 "MS-DOS Compatibility Sub-mode"). */
static void
fpu_error(struct machine *m, bool high)
{
    platform_set_line(m->platform, IRQ_FPU, high);
}

static uint64_t
fpu_port_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx, (void)offset;
    return size == 1 ? 0xFF : 0xFFFF;
}

static void
fpu_port_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct platform *p = ctx;
    (void)size, (void)value;
    if (offset == 0) {
        platform_set_line(p, IRQ_FPU, false);
        for (unsigned i = 0; i < p->machine->cpu_count; i++) {
            x87_ignore_errors(p->machine->cpu[i]);
        }
    }
}

static void
pci_line(void *ctx, unsigned gsi, bool high)
{
    platform_set_line(ctx, gsi, high);
}

static void
eoi_heard(void *ctx, uint8_t vector)
{
    struct platform *p = ctx;
    ioapic_eoi(p->ioapic, vector);
}

/* --- regions ------------------------------------------------------------------ */

static uint64_t
pic_region_read(void *ctx, unsigned chip, uint64_t offset, unsigned size)
{
    struct platform *p = ctx;
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)pic_read(p->pic, chip, (unsigned)(offset + i) & 1) << (8 * i);
    }
    intr_update(p); /* a poll acknowledges */
    return value;
}

static void
pic_region_write(void *ctx, unsigned chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct platform *p = ctx;
    for (unsigned i = 0; i < size; i++) {
        pic_write(p->pic, chip, (unsigned)(offset + i) & 1, (uint8_t)(value >> (8 * i)));
    }
    intr_update(p);
}

static uint64_t
pic1_read(void *ctx, uint64_t offset, unsigned size)
{
    return pic_region_read(ctx, 0, offset, size);
}

static void
pic1_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    pic_region_write(ctx, 0, offset, size, value);
}

static uint64_t
pic2_read(void *ctx, uint64_t offset, unsigned size)
{
    return pic_region_read(ctx, 1, offset, size);
}

static void
pic2_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    pic_region_write(ctx, 1, offset, size, value);
}

static uint64_t
elcr_read(void *ctx, uint64_t offset, unsigned size)
{
    struct platform *p = ctx;
    uint64_t value = (uint64_t)pic_elcr_read(p->pic, 1) << 8 | pic_elcr_read(p->pic, 0);
    (void)size;
    return value >> (8 * offset);
}

static void
elcr_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct platform *p = ctx;
    for (unsigned i = 0; i < size; i++) {
        pic_elcr_write(p->pic, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
    }
}

static void
map_regions(struct platform *p)
{
    struct mem *mem = p->machine->mem;
    const struct { uint16_t port, count; struct mem_region region; } port[] = {
        { PORT_COM1, 8, { "com1", uart_read, uart_write, p->com1 } },
        { PORT_COM2, 8, { "com2", uart_read, uart_write, p->com2 } },
        { PORT_PIT, 4, { "pit", pit_read, pit_write, p->pit } },
        { PORT_61, 1, { "port-61", pit_port61_read, pit_port61_write, p->pit } },
        { PORT_RTC_INDEX, 2, { "rtc", rtc_read, rtc_write, p->rtc } },
        { PORT_PIC1, 2, { "pic1", pic1_read, pic1_write, p } },
        { PORT_PIC2, 2, { "pic2", pic2_read, pic2_write, p } },
        { PORT_FPU, 2, { "fpu-error", fpu_port_read, fpu_port_write, p } },
        { PORT_ELCR, 2, { "elcr", elcr_read, elcr_write, p } },
    };
    for (unsigned i = 0; i < sizeof port / sizeof *port; i++) {
        mem_port_map(mem, port[i].port, port[i].count, &port[i].region);
    }
    const struct mem_region ioapic = { "ioapic", ioapic_read, ioapic_write, p->ioapic };
    mem_mmio_map(mem, IOAPIC_BASE, IOAPIC_SIZE, &ioapic);
    const struct mem_region hpet = { "hpet", hpet_read, hpet_write, p->hpet };
    mem_mmio_map(mem, HPET_BASE, HPET_SIZE, &hpet);
}

/* --- life --------------------------------------------------------------------- */

struct platform *
platform_new(struct machine *m)
{
    struct platform *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->machine = m;
    const struct hpet_wires hpet_wires = { p, hpet_legacy_line, hpet_legacy_changed, hpet_gsi, hpet_message };
    const struct i8042_board keyboard_board = { keyboard_line, keyboard_reset, keyboard_a20_off, p };
    const struct apic_board board = { p, eoi_heard, pic_acknowledge_heard };
    p->pit_high = true;
    p->com1 = uart_new(com1_line, p);
    p->com2 = uart_new(com2_line, p);
    p->rtc = rtc_new(m, rtc_line, p);
    p->pit = pit_new(m, pit_line, p);
    p->hpet = hpet_new(m, &hpet_wires);
    p->pic = pic_new();
    p->ioapic = ioapic_new(ioapic_send, p);
    p->power = power_new(m, &(struct power_wires){ p, sci_line, suspend, resume });
    p->i8042 = i8042_new(m, &keyboard_board);
    if (!p->i8042 || !p->com1 || !p->com2 || !p->rtc || !p->pit || !p->hpet || !p->pic || !p->ioapic || !p->power) {
        platform_free(p);
        return NULL;
    }
    pci_set_power(m->pci, p->power);
    pci_set_line_hook(m->pci, pci_line, p);
    apic_set_board(m, &board);
    m->fpu_error = fpu_error;
    map_regions(p);
    p->acpi = acpi_tables_write(m);
    smbios_write(m, SMBIOS_BASE, SMBIOS_BASE + SMBIOS_SIZE);
    firmware_set_up_processors(m);
    return p;
}

void
platform_free(struct platform *p)
{
    if (p) {
        uart_free(p->com1);
        uart_free(p->com2);
        rtc_free(p->rtc);
        pit_free(p->pit);
        hpet_free(p->hpet);
        pic_free(p->pic);
        ioapic_free(p->ioapic);
        power_free(p->power);
        i8042_free(p->i8042);
        free(p);
    }
}

void
platform_set_console(struct platform *p, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    uart_set_output(p->com1, output, ctx);
}

void
platform_set_console2(struct platform *p, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    uart_set_output(p->com2, output, ctx);
}

bool
platform_console_input(struct platform *p, uint8_t byte)
{
    return uart_receive(p->com1, byte);
}

bool
platform_console_ready(const struct platform *p)
{
    return uart_has_room(p->com1);
}

void
platform_power_button(struct platform *p)
{
    power_button(p->power);
}

void
platform_reset(struct platform *p, const char *by)
{
    power_reset(p->power, by);
}

void
platform_key(struct platform *p, uint16_t key, bool down)
{
    i8042_key(p->i8042, key, down);
}

void
platform_mouse(struct platform *p, int dx, int dy, int wheel, uint8_t buttons)
{
    i8042_mouse(p->i8042, dx, dy, wheel, buttons);
}

uint64_t
platform_rsdp(const struct platform *p)
{
    return p->acpi.rsdp;
}

void
platform_state(struct platform *p, struct state *s)
{
    uart_state(p->com1, s);
    uart_state(p->com2, s);
    rtc_state(p->rtc, s);
    pit_state(p->pit, s);
    hpet_state(p->hpet, s);
    STATE_VISIT(s, p->intr_high);
    STATE_VISIT(s, p->pit_high);
    STATE_VISIT(s, p->rtc_high);
    STATE_VISIT(s, p->hpet_legacy);
    pic_state(p->pic, s);
    ioapic_state(p->ioapic, s);
    power_state(p->power, s);
    i8042_state(p->i8042, s);
}
