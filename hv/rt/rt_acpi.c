/* ACPI tables (ACPI Specification "Root System Description Pointer", "Multiple APIC
 * Description Table"; PCI Firmware Specification "MCFG"; VT-d "DMA Remapping Reporting Structure"). */
#include "hv/rt/rt_acpi.h"

enum { BIOS_AREA = 0xE0000, BIOS_AREA_END = 0x100000, RSDP_STEP = 16 };
enum { MADT_ENTRIES = 44, MADT_LOCAL_APIC = 0, MADT_X2APIC = 9, MADT_ENABLED = 1 };
enum { MCFG_ENTRIES = 44, DMAR_ENTRIES = 48, DMAR_DRHD = 0, FADT_PM_TIMER = 76 };

struct sdt { char signature[4]; uint32_t length; uint8_t revision, checksum; char oem[26]; };
_Static_assert(sizeof(struct sdt) == 36, "system description table header");

static uint32_t u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static uint64_t u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static uint16_t u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }

static bool sums_to_zero(const void *p, uint32_t size)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)p)[i]);
    return sum == 0;
}

static void read_madt(const struct sdt *t, struct acpi_facts *f)
{
    const uint8_t *bytes = (const uint8_t *)t;
    for (uint32_t at = MADT_ENTRIES; at + 2 <= t->length && bytes[at + 1] >= 2; at += bytes[at + 1]) {
        const uint8_t *e = bytes + at;
        bool local = e[0] == MADT_LOCAL_APIC && u32(e + 4) & MADT_ENABLED;
        bool x2 = e[0] == MADT_X2APIC && u32(e + 8) & MADT_ENABLED;
        if ((local || x2) && f->processor_count < ACPI_PROCESSORS_MAX)
            f->apic_id[f->processor_count++] = local ? e[3] : u32(e + 4);
    }
}

static void read_dmar(const struct sdt *t, struct acpi_facts *f)
{
    const uint8_t *bytes = (const uint8_t *)t;
    for (uint32_t at = DMAR_ENTRIES; at + 16 <= t->length && u16(bytes + at + 2) >= 4; at += u16(bytes + at + 2))
        if (u16(bytes + at) == DMAR_DRHD && !f->vtd_base)
            f->vtd_base = u64(bytes + at + 8);
}

static void read_table(const struct sdt *t, struct acpi_facts *f)
{
    if ( t->length < sizeof(*t) || !sums_to_zero(t, t->length))
        return;
    const uint8_t *bytes = (const uint8_t *)t;
    if (!memcmp(t->signature, "APIC", 4))
        read_madt(t, f);
    else if (!memcmp(t->signature, "MCFG", 4) && t->length >= MCFG_ENTRIES + 16)
        f->ecam_base = u64(bytes + MCFG_ENTRIES);
    else if (!memcmp(t->signature, "DMAR", 4))
        read_dmar(t, f);
    else if (!memcmp(t->signature, "FACP", 4) && t->length >= FADT_PM_TIMER + 4)
        f->pm_timer = (uint16_t)u32(bytes + FADT_PM_TIMER);
}

static uint64_t find_rsdp(const void *(*at)(uint64_t))
{
    for (uint64_t spa = BIOS_AREA; spa < BIOS_AREA_END; spa += RSDP_STEP) {
        const void *p = at(spa);
        if (!memcmp(p, "RSD PTR ", 8) && sums_to_zero(p, 20))
            return spa;
    }
    return 0;
}

void acpi_read(uint64_t rsdp, const void *(*at)(uint64_t spa), struct acpi_facts *f)
{
    *f = (struct acpi_facts){ 0 };
    rsdp = rsdp ? rsdp : find_rsdp(at);
    if (!rsdp)
        return;
    const uint8_t *root = at(rsdp);
    bool extended = root[15] >= 2 && u64(root + 24);
    const struct sdt *t = at(extended ? u64(root + 24) : u32(root + 16));
    if (t->length < sizeof(*t) || !sums_to_zero(t, t->length))
        return;
    unsigned width = extended ? 8 : 4;
    const uint8_t *entries = (const uint8_t *)(t + 1);
    for (uint32_t i = 0; i < (t->length - sizeof(*t)) / width; i++) {
        uint64_t spa = extended ? u64(entries + 8 * i) : u32(entries + 4 * i);
        if (spa)
            read_table(at(spa), f);
    }
}
