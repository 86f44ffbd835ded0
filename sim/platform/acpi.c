/* ACPI tables; see acpi.h.  Offsets and names: ACPI Specification 6.x "ACPI
 * Software Programming Model"; DMAR: VT-d specification "BIOS Considerations". */
#include "sim/platform/acpi.h"

#include <assert.h>
#include <string.h>

#include "dsdt.hex" /* unsigned char dsdt_aml_code[], made by iasl from spec/platform/dsdt.asl */
#include "sim/cpu/cpu.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"

enum { HEADER_SIZE = 36, FADT_SIZE = 244, FACS_SIZE = 64, RSDP_SIZE = 36, TABLE_MAX = 2048 };

/* A table under construction. */
struct table {
    uint8_t bytes[TABLE_MAX];
    uint32_t size; /* [bytes] */
};

struct writer {
    struct machine *machine;
    uint64_t next; /* where the next table goes [spa] */
};

static void
put(struct table *t, uint32_t offset, uint64_t value, unsigned size)
{
    assert(offset + size <= TABLE_MAX);
    memcpy(t->bytes + offset, &value, size);
}

static void
append(struct table *t, uint64_t value, unsigned size)
{
    put(t, t->size, value, size);
    t->size += size;
}

static uint8_t
checksum(const uint8_t *bytes, uint32_t size)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < size; i++) {
        sum += bytes[i];
    }
    return (uint8_t)-sum;
}

static void
begin(struct table *t, const char *signature, uint8_t revision)
{
    memset(t, 0, sizeof *t);
    memcpy(t->bytes, signature, 4);
    t->bytes[8] = revision;
    memcpy(t->bytes + 10, "HVLAB HVLABPC ", 14);
    put(t, 24, 1, 4);             /* OEM revision */
    memcpy(t->bytes + 28, "HVLB", 4);
    put(t, 32, 1, 4);             /* creator revision */
    t->size = HEADER_SIZE;
}

static uint64_t
place(struct writer *w, const void *bytes, uint32_t size, uint32_t align)
{
    uint64_t at = (w->next + align - 1) & -(uint64_t)align;
    assert(at + size <= ACPI_TABLES_BASE + ACPI_TABLES_SIZE);
    bool ok = mem_write(w->machine->mem, at, bytes, size);
    assert(ok && "conventional memory is always there");
    (void)ok;
    w->next = at + size;
    return at;
}

static uint64_t
finish(struct writer *w, struct table *t)
{
    put(t, 4, t->size, 4);
    t->bytes[9] = 0;
    t->bytes[9] = checksum(t->bytes, t->size);
    return place(w, t->bytes, t->size, 16);
}

/* --- DSDT, FACS, FADT ------------------------------------------------------------- */

/* The host bridge's 64-bit window is where this machine has it, not where the source says: ACPI Specification
 * "QWord Address Space Descriptor". */
static void
put_window64(struct table *t, uint64_t base)
{
    static const uint8_t memory[] = { 0x8A, 0x2B, 0x00, 0x00 }; /* tag, length, resource type */
    enum { MINIMUM = 14, MAXIMUM = 22 };
    unsigned found = 0;
    for (uint32_t at = HEADER_SIZE; at + 46 <= t->size; at++) {
        uint64_t minimum;
        memcpy(&minimum, t->bytes + at + MINIMUM, 8);
        if (memcmp(t->bytes + at, memory, sizeof memory) == 0 && minimum == MMIO64_BASE) {
            put(t, at + MINIMUM, base, 8);
            put(t, at + MAXIMUM, base + MMIO64_SIZE - 1, 8);
            found++;
        }
    }
    assert(found == 1);
    (void)found;
}

/* The compiler's name and version are taken out: which iasl built the program
 * must not show in the machine's memory. */
static uint64_t
dsdt(struct writer *w)
{
    struct table t = { .size = sizeof dsdt_aml_code };
    _Static_assert(sizeof dsdt_aml_code <= TABLE_MAX, "DSDT fits the buffer");
    memcpy(t.bytes, dsdt_aml_code, sizeof dsdt_aml_code);
    memcpy(t.bytes + 28, "HVLB", 4);
    put(&t, 32, 1, 4);
    put_window64(&t, pci_window64(&w->machine->config));
    return finish(w, &t);
}

static uint64_t
facs(struct writer *w)
{
    struct table t = { .size = FACS_SIZE };
    memcpy(t.bytes, "FACS", 4);
    put(&t, 4, FACS_SIZE, 4);
    put(&t, 32, 1, 1); /* version */
    return place(w, t.bytes, t.size, 64);
}

/* Generic Address Structure for an I/O port; 'access' 1 byte, 2 word, 3 dword. */
static void
put_port(struct table *t, uint32_t offset, uint16_t port, unsigned bits, unsigned access)
{
    put(t, offset, 1 | bits << 8 | access << 24, 4);
    put(t, offset + 4, port, 8);
}

static uint64_t
fadt(struct writer *w, uint64_t dsdt_spa, uint64_t facs_spa)
{
    enum { WBINVD = 1 << 0, PROC_C1 = 1 << 2, NO_SLP_BUTTON = 1 << 5,
           TMR_VAL_EXT = 1 << 8, RESET_REG = 1 << 10 };
    enum { LEGACY_DEVICES = 1 << 0, KEYBOARD_8042 = 1 << 1, NO_VGA = 1 << 2 };
    struct table t;
    begin(&t, "FACP", 4);
    t.size = FADT_SIZE;
    put(&t, 36, facs_spa, 4);
    put(&t, 40, dsdt_spa, 4);
    put(&t, 45, 4, 1);                 /* profile: enterprise server */
    put(&t, 46, IRQ_SCI, 2);
    put(&t, 56, PORT_PM1A_EVT, 4);     /* no SMI port: ACPI mode is always on */
    put(&t, 64, PORT_PM1A_CNT, 4);
    put(&t, 76, PORT_PM_TIMER, 4);
    put(&t, 88, 4, 1);                 /* lengths of event, control, timer blocks */
    put(&t, 89, 2, 1);
    put(&t, 91, 4, 1);
    put(&t, 96, 0xFFFF, 2);            /* no C2, no C3 */
    put(&t, 98, 0xFFFF, 2);
    put(&t, 108, 0x32, 1);             /* CMOS century */
    put(&t, 109, LEGACY_DEVICES | KEYBOARD_8042 | (w->machine->config.display_text ? 0 : NO_VGA), 2);
    put(&t, 112, WBINVD | PROC_C1 | NO_SLP_BUTTON | TMR_VAL_EXT |
                     RESET_REG, 4);
    put_port(&t, 116, PORT_RESET, 8, 1);
    put(&t, 128, 0x06, 1);             /* value that resets */
    put(&t, 140, dsdt_spa, 8);
    put_port(&t, 148, PORT_PM1A_EVT, 32, 2);
    put_port(&t, 172, PORT_PM1A_CNT, 16, 2);
    put_port(&t, 208, PORT_PM_TIMER, 32, 3);
    return finish(w, &t);
}

/* --- MADT, HPET, MCFG, DMAR ------------------------------------------------------------- */

static uint64_t
madt(struct writer *w)
{
    enum { PCAT_COMPAT = 1, ENABLED = 1 };
    struct table t;
    begin(&t, "APIC", 3);
    append(&t, LAPIC_BASE, 4);
    append(&t, PCAT_COMPAT, 4);
    for (unsigned i = 0; i < w->machine->config.cpu_count; i++) {
        append(&t, 0 | 8 << 8 | i << 16 | i << 24, 4); /* local APIC: uid, id */
        append(&t, ENABLED, 4);
    }
    append(&t, 1 | 12 << 8 | IOAPIC_ID << 16, 4);
    append(&t, IOAPIC_BASE, 4);
    append(&t, 0, 4);                                  /* first GSI */
    append(&t, 2 | 10 << 8 | IRQ_TIMER << 24, 4);      /* override: the timer is at input 2 */
    append(&t, GSI_TIMER, 4);
    append(&t, 0, 2);
    append(&t, 2 | 10 << 8 | IRQ_SCI << 24, 4);        /* override: SCI is level, active high */
    append(&t, IRQ_SCI, 4);
    append(&t, 0x000D, 2);
    append(&t, 4 | 6 << 8 | 0xFF << 16, 3);            /* NMI: every processor's LINT1 */
    append(&t, 0, 2);
    append(&t, 1, 1);
    return finish(w, &t);
}

static uint64_t
hpet(struct writer *w)
{
    struct table t;
    begin(&t, "HPET", 1);
    append(&t, mem_mmio_read(w->machine->mem, HPET_BASE, 4), 4); /* "event timer block ID" */
    append(&t, 0 | 64 << 8, 4);                        /* memory, 64 bits */
    append(&t, HPET_BASE, 8);
    append(&t, 0, 1);                                  /* number */
    append(&t, 128, 2);                                /* smallest period that loses no interrupt [ticks] */
    append(&t, 0, 1);
    return finish(w, &t);
}

static uint64_t
mcfg(struct writer *w)
{
    struct table t;
    begin(&t, "MCFG", 1);
    append(&t, 0, 8);
    append(&t, ECAM_BASE, 8);
    append(&t, 0 | 0 << 16 | 255u << 24, 4);           /* segment, first and last bus */
    append(&t, 0, 4);
    return finish(w, &t);
}

static uint64_t
dmar(struct writer *w)
{
    enum { INTR_REMAP = 1, INCLUDE_PCI_ALL = 1, SCOPE_SIZE = 8 };
    static const struct { uint8_t type, id; uint16_t bdf; } scope[] = {
        { 3, IOAPIC_ID, VTD_IOAPIC_BDF }, { 4, 0, VTD_HPET_BDF }, /* I/O APIC, HPET */
    };
    enum { SCOPES = sizeof scope / sizeof *scope };
    struct table t;
    begin(&t, "DMAR", 1);
    append(&t, w->machine->physical_bits - 1u, 1);
    append(&t, INTR_REMAP, 1);
    t.size += 10;
    append(&t, 0, 2);                                  /* DRHD */
    append(&t, 16 + SCOPES * SCOPE_SIZE, 2);
    append(&t, INCLUDE_PCI_ALL, 1);
    append(&t, 0, 1);
    append(&t, 0, 2);
    append(&t, VTD_BASE, 8);
    for (unsigned i = 0; i < SCOPES; i++) {
        append(&t, scope[i].type | SCOPE_SIZE << 8, 2);
        append(&t, 0, 2);
        append(&t, scope[i].id, 1);
        append(&t, scope[i].bdf >> 8, 1);
        append(&t, scope[i].bdf >> 3 & 0x1F, 1);
        append(&t, scope[i].bdf & 7, 1);
    }
    return finish(w, &t);
}

/* --- roots ------------------------------------------------------------------------ */

/* XSDT with 64-bit entries; RSDT, for software of ACPI 1.0, with 32-bit ones. */
static uint64_t
root(struct writer *w, const char *signature, unsigned entry_size, const uint64_t *table, unsigned count)
{
    struct table t;
    begin(&t, signature, 1);
    for (unsigned i = 0; i < count; i++) {
        append(&t, table[i], entry_size);
    }
    return finish(w, &t);
}

struct acpi_places
acpi_tables_write(struct machine *m)
{
    struct writer w = { m, ACPI_TABLES_BASE + RSDP_SIZE };
    uint64_t dsdt_spa = dsdt(&w), facs_spa = facs(&w);
    uint64_t table[5] = { fadt(&w, dsdt_spa, facs_spa), madt(&w), hpet(&w), mcfg(&w) };
    unsigned count = 4;
    if (m->model->vendor == CPU_VENDOR_INTEL) { /* the firmware of a board for AMD has its VT-d switched off */
        table[count++] = dmar(&w);
    }
    uint64_t rsdt = root(&w, "RSDT", 4, table, count), xsdt = root(&w, "XSDT", 8, table, count);
    struct table t = { .size = RSDP_SIZE };
    memcpy(t.bytes, "RSD PTR ", 8);
    memcpy(t.bytes + 9, "HVLAB ", 6);
    t.bytes[15] = 2;
    put(&t, 16, rsdt, 4);
    put(&t, 20, RSDP_SIZE, 4);
    put(&t, 24, xsdt, 8);
    t.bytes[8] = checksum(t.bytes, 20);
    t.bytes[32] = checksum(t.bytes, RSDP_SIZE);
    bool ok = mem_write(m->mem, ACPI_TABLES_BASE, t.bytes, RSDP_SIZE);
    assert(ok);
    (void)ok;
    return (struct acpi_places){ .rsdp = ACPI_TABLES_BASE, .facs = facs_spa };
}
