/* INT 15H: how much memory, A20, moving blocks, and what kind of machine. */
#include "firmware/bios/bios.h"
#include "spec/platform/bios.h"
#include "spec/platform/memory_map.h"

enum { FW_CFG_SELECT = 0x510, FW_CFG_DATA = 0x511, FW_CFG_RAM_SIZE = 0x03, SMAP = 0x534d4150, ROWS = 7 };
enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };

static uint64_t ram_size(void)
{
    uint64_t size = 0;

    out16(FW_CFG_SELECT, FW_CFG_RAM_SIZE);
    for (unsigned i = 0; i < 8; i++) {
        size |= (uint64_t)in8(FW_CFG_DATA) << (8 * i);
    }
    return size;
}

static uint64_t low_ram_end(void)
{
    uint64_t size = ram_size();
    return size < MMIO32_BASE ? size : MMIO32_BASE;
}

uint32_t memory_above_1m_kib(void)
{
    uint64_t end = low_ram_end();
    return end > 0x100000 ? (uint32_t)((end - 0x100000) >> 10) : 0;
}

struct e820 { uint64_t base, size; uint32_t type; };

/* Row 'n' of the map; false: behind the last. */
static bool e820_row(unsigned n, struct e820 *row)
{
    uint64_t ram = ram_size(), low = low_ram_end();
    const struct e820 map[ROWS] = {
        { 0, 0x9fc00, E820_RAM },
        { 0x9fc00, 0x400, E820_RESERVED }, /* extended BIOS data area */
        { ACPI_TABLES_BASE, BIOS_BASE - ACPI_TABLES_BASE, E820_ACPI },
        { BIOS_BASE, BIOS_SIZE, E820_RESERVED },
        { 0x100000, low - 0x100000, E820_RAM },
        { ECAM_BASE, ECAM_SIZE, E820_RESERVED },
        { 0x100000000ull, ram - low, E820_RAM },
    };
    if (n >= ROWS || (n == ROWS - 1 && ram == low)) {
        return false;
    }
    *row = map[n];
    return true;
}

/* ACPI Specification "INT 15H, E820H - Query System Address Map". */
static void query_map(struct frame *f)
{
    struct e820 row, next;
    unsigned size = f->ecx < 24 ? 20 : 24;

    if (f->edx != SMAP || f->ecx < 20 || !e820_row(f->ebx, &row)) {
        fail(f, 0x86);
        return;
    }
    const uint32_t word[6] = { (uint32_t)row.base, (uint32_t)(row.base >> 32), (uint32_t)row.size, (uint32_t)(row.size >> 32),
                               row.type, 1 };
    for (unsigned i = 0; i < size / 4; i++) {
        far_put32(f->es, (uint16_t)f->edi + 4 * i, word[i]);
    }
    f->eax = SMAP;
    f->ecx = size;
    f->ebx = e820_row(f->ebx + 1, &next) ? f->ebx + 1 : 0;
    succeed(f);
}

/* AX = E801H: KiB between 1 and 16 MiB, and 64-KiB blocks above. */
static void memory_e801(struct frame *f)
{
    uint32_t kib = memory_above_1m_kib();
    unsigned low = kib < 15 * 1024 ? kib : 15 * 1024, high = kib > 15 * 1024 ? (kib - 15 * 1024) / 64 : 0;

    set16(&f->eax, low);
    set16(&f->ecx, low);
    set16(&f->ebx, high);
    set16(&f->edx, high);
    succeed(f);
}

static uint32_t descriptor_base(unsigned segment, unsigned offset)
{
    return far_get16(segment, offset + 2) | (uint32_t)far_get8(segment, offset + 4) << 16 | (uint32_t)far_get8(segment, offset + 7) << 24;
}

/* AH = 87H: CX words between the areas that two descriptors at ES:SI name. */
static void move_block(struct frame *f)
{
    unsigned table = (uint16_t)f->esi;

    copy_far32(descriptor_base(f->es, table + 24), descriptor_base(f->es, table + 16), 2u * CX(f));
    set_high(&f->eax, 0);
    succeed(f);
}

static void a20(struct frame *f)
{
    if (AL(f) == 2) {
        set_low(&f->eax, 1); /* it is enabled, always */
    } else if (AL(f) == 3) {
        set16(&f->ebx, 3);   /* by the keyboard controller and by port 92H */
    } else if (AL(f) != 1) { /* and it cannot be disabled */
        fail(f, 0x86);
        return;
    }
    set_high(&f->eax, 0);
    succeed(f);
}

/* AH = 86H: CX:DX microseconds, counted by the refresh toggle of port 61H (15.085 us a half period). */
static void wait(struct frame *f)
{
    uint32_t toggles = ((uint32_t)CX(f) << 16 | DX(f)) / 15;
    uint8_t last = in8(0x61) & 0x10;

    while (toggles) {
        uint8_t now = in8(0x61) & 0x10;
        toggles -= now != last;
        last = now;
    }
    succeed(f);
}

/* AH = C0H. */
static const uint8_t configuration[10] = { 8, 0, 0xfc, 0, 0, 0x74, 0, 0, 0, 0 };

void memory_service(struct frame *f)
{
    if (AX(f) == 0xe820) {
        query_map(f);
    } else if (AX(f) == 0xe801) {
        memory_e801(f);
    } else if (AH(f) == 0x24) {
        a20(f);
    } else if (AH(f) == 0x86) {
        wait(f);
    } else if (AH(f) == 0x87) {
        move_block(f);
    } else if (AH(f) == 0x88) {
        uint32_t kib = memory_above_1m_kib();
        set16(&f->eax, kib < 0xfc00 ? kib : 0xfc00);
        succeed(f);
    } else if (AH(f) == 0xc0) {
        f->es = BIOS_SEGMENT;
        set16(&f->ebx, (unsigned)(uintptr_t)configuration);
        set_high(&f->eax, 0);
        succeed(f);
    } else if (AH(f) == 0xc1) {
        f->es = 0x9fc0;
        succeed(f);
    } else {
        fail(f, 0x86); /* "function not supported": APM, PS/2 mouse and the rest */
    }
}
