/* The chipset put together; see platform.h. */
#include "sim/platform/platform.h"

#include <stdlib.h>

#include "sim/base/state.h"
#include "sim/cpu/apic/apic.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/acpi.h"
#include "sim/platform/ioapic.h"
#include "sim/platform/pci_priv.h"
#include "sim/platform/pic.h"
#include "sim/platform/power.h"
#include "sim/platform/rtc.h"
#include "sim/platform/uart.h"
#include "sim/platform/vtd.h"
#include "spec/platform/memory_map.h"

struct platform {
    struct machine *machine;
    struct uart *uart;
    struct rtc *rtc;
    struct pic *pic;
    struct ioapic *ioapic;
    struct power *power;
    uint64_t rsdp; /* [spa] */
};

/* --- interrupt lines ---------------------------------------------------------- */

/* The 8259s are wired to nothing: we model no LINT0 virtual wire.  Firmware
 * leaves them masked, so software has to ask before this can matter. */
static void
pic_check(struct platform *p)
{
    if (pic_pending(p->pic)) {
        machine_request_stop(p->machine, STOP_UNIMPLEMENTED, 0,
                             "an interrupt through the 8259s: they are not wired to a processor; "
                             "mask them and use the I/O APIC");
    }
}

void
platform_set_line(struct platform *p, unsigned gsi, bool high)
{
    ioapic_set_line(p->ioapic, gsi, high);
    if (gsi < 16) {
        pic_set_line(p->pic, gsi, high);
        pic_check(p);
    }
}

void
platform_eoi(struct platform *p, uint8_t vector)
{
    ioapic_eoi(p->ioapic, vector);
}

bool
platform_pic_pending(const struct platform *p)
{
    return pic_pending(p->pic);
}

uint8_t
platform_pic_acknowledge(struct platform *p)
{
    return pic_acknowledge(p->pic);
}

static void
uart_interrupt(void *ctx, bool high)
{
    platform_set_line(ctx, IRQ_COM1, high);
}

static void
ioapic_send(void *ctx, uint64_t address, uint32_t data)
{
    struct platform *p = ctx;
    vtd_interrupt(p->machine->vtd, VTD_IOAPIC_BDF, address, data);
}

static void
pci_line(void *ctx, unsigned gsi, bool high)
{
    platform_set_line(ctx, gsi, high);
}

static void
apic_eoi_heard(void *ctx, uint8_t vector)
{
    platform_eoi(ctx, vector);
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
    return value;
}

static void
pic_region_write(void *ctx, unsigned chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct platform *p = ctx;
    for (unsigned i = 0; i < size; i++) {
        pic_write(p->pic, chip, (unsigned)(offset + i) & 1, (uint8_t)(value >> (8 * i)));
    }
    pic_check(p);
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

/* Each processor sees its own local APIC at the same address. Outside of a
 * processor's turn (a debugger looking around) it is the first one's. */
static struct cpu *
page_owner(const struct platform *p)
{
    return p->machine->running ? p->machine->running : p->machine->cpu[0];
}

static uint64_t
lapic_read(void *ctx, uint64_t offset, unsigned size)
{
    return apic_mmio_read(page_owner(ctx), (unsigned)offset, size);
}

static void
lapic_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    apic_mmio_write(page_owner(ctx), (unsigned)offset, size, value);
}

static void
map_regions(struct platform *p)
{
    struct mem *mem = p->machine->mem;
    const struct { uint16_t port, count; struct mem_region region; } port[] = {
        { PORT_COM1, 8, { "com1", uart_read, uart_write, p->uart } },
        { PORT_RTC_INDEX, 2, { "rtc", rtc_read, rtc_write, p->rtc } },
        { PORT_PIC1, 2, { "pic1", pic1_read, pic1_write, p } },
        { PORT_PIC2, 2, { "pic2", pic2_read, pic2_write, p } },
        { PORT_ELCR, 2, { "elcr", elcr_read, elcr_write, p } },
    };
    for (unsigned i = 0; i < sizeof port / sizeof *port; i++) {
        mem_port_map(mem, port[i].port, port[i].count, &port[i].region);
    }
    const struct mem_region ioapic = { "ioapic", ioapic_read, ioapic_write, p->ioapic };
    const struct mem_region lapic = { "lapic", lapic_read, lapic_write, p };
    mem_mmio_map(mem, IOAPIC_BASE, IOAPIC_SIZE, &ioapic);
    mem_mmio_map(mem, LAPIC_BASE, LAPIC_SIZE, &lapic);
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
    p->uart = uart_new(uart_interrupt, p);
    p->rtc = rtc_new(m);
    p->pic = pic_new();
    p->ioapic = ioapic_new(ioapic_send, p);
    p->power = power_new(m);
    if (!p->uart || !p->rtc || !p->pic || !p->ioapic || !p->power) {
        platform_free(p);
        return NULL;
    }
    pci_set_power(m->pci, p->power);
    pci_set_line_hook(m->pci, pci_line, p);
    apic_set_eoi_hook(m, apic_eoi_heard, p);
    map_regions(p);
    p->rsdp = acpi_tables_write(m);
    return p;
}

void
platform_free(struct platform *p)
{
    if (p) {
        uart_free(p->uart);
        rtc_free(p->rtc);
        pic_free(p->pic);
        ioapic_free(p->ioapic);
        power_free(p->power);
        free(p);
    }
}

void
platform_set_console(struct platform *p, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    uart_set_output(p->uart, output, ctx);
}

bool
platform_console_input(struct platform *p, uint8_t byte)
{
    return uart_receive(p->uart, byte);
}

uint64_t
platform_rsdp(const struct platform *p)
{
    return p->rsdp;
}

void
platform_state(struct platform *p, struct state *s)
{
    uart_state(p->uart, s);
    rtc_state(p->rtc, s);
    pic_state(p->pic, s);
    ioapic_state(p->ioapic, s);
    power_state(p->power, s);
}
