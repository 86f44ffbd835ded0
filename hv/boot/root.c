/* The root partition: all of RAM but the hypervisor's, all devices but those
 * that the hypervisor keeps, and the image of module "root".
 *
 * What its first VP finds after the image: boot information (one page), page
 * tables, a stack (spec/hv/boot.h). */
#include "hv/boot/boot.h"

#include "hv/iommu/vtd.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"
#include "spec/lab/lab.h"
#include "spec/platform/memory_map.h"
#include "spec/x86/system.h"

enum { PAGE = 4096, STACK_PAGES = 4, INFO_PAGES = 1, START_PAGES = INFO_PAGES + RT_IDENTITY_PAGES + STACK_PAGES };
enum { SCAN_BUSES = 8, DEVICES = 32, FUNCTIONS = 8, MULTI_FUNCTION = 1 << 23, NO_DEVICE = 0xFFFF };
#define DEVICE_AREA_END 0x100000000ull

static struct rt_elf root_elf;

uint64_t root_image_end(void)
{
    const struct hv_module *m = boot_module("root");
    if (!m)
        hv_panic("no module \"root\": the parent partition's image is missing");
    const char *wrong = rt_elf_check(arch_spa_pointer(m->spa), m->size, ROOT_IMAGE_BASE, DEVICE_AREA_END, &root_elf);
    if (wrong)
        hv_panic("module \"root\" cannot be started: %s", wrong);
    return rt_align_up(root_elf.high, PAGE) + START_PAGES * PAGE;
}

/* --- address space ----------------------------------------------------------------------- */

static void map(struct partition *p, uint64_t from, uint64_t to, unsigned access)
{
    if (from < to && gpa_map_range(p, from, from, to - from, access))
        hv_panic("no memory for the root partition's address space");
}

static void map_ram(struct partition *p)
{
    for (unsigned i = 0; i < hv.ram_count; i++) {
        uint64_t from = hv.ram[i].base, to = from + hv.ram[i].size;
        /* [1 MiB, 32 MiB) is the hypervisor's */
        map(p, from, rt_min(to, HV_IMAGE_BASE), GPA_READ | GPA_WRITE | GPA_EXECUTE);
        map(p, rt_max(from, HV_MEMORY_END), to, GPA_READ | GPA_WRITE | GPA_EXECUTE);
    }
}

/* Everything below 4 GiB that is not RAM is devices, or nothing: the root may look for them.
 * Local APICs, the I/O APIC and the remapping unit stay with the hypervisor. */
static void map_device_hole(struct partition *p, uint64_t from, uint64_t to)
{
    struct hv_range kept[] = { { IOAPIC_BASE, IOAPIC_SIZE }, { hv.vtd_base, hv.vtd_base ? VTD_SIZE : 0 },
                               { LAPIC_BASE, MSI_SIZE } };
    while (from < to) {
        uint64_t end = to, next = to;
        for (unsigned i = 0; i < 3; i++) {
            uint64_t base = kept[i].base, stop = base + kept[i].size;
            if (kept[i].size && from >= base && from < stop) {
                end = from;
                next = stop;
                break;
            }
            if (kept[i].size && base >= from && base < end)
                end = next = base;
        }
        map(p, from, end, GPA_READ | GPA_WRITE | GPA_UNCACHED);
        from = next;
    }
}

static void map_devices(struct partition *p)
{
    uint64_t at = 0;
    /* Below 1 MiB: firmware tables can be read as memory. */
    for (unsigned i = 0; i <= hv.ram_count; i++) {
        uint64_t base = i < hv.ram_count ? hv.ram[i].base : DEVICE_AREA_END;
        if (base > DEVICE_AREA_END)
            base = DEVICE_AREA_END;
        if (at < HV_IMAGE_BASE && base > at) {
            map(p, at, rt_min(base, HV_IMAGE_BASE), GPA_READ | GPA_WRITE);
            at = rt_min(base, HV_IMAGE_BASE);
        }
        if (base > at)
            map_device_hole(p, rt_max(at, HV_MEMORY_END), base);
        if (i < hv.ram_count)
            at = rt_max(at, hv.ram[i].base + hv.ram[i].size);
    }
    map(p, MMIO64_BASE, MMIO64_BASE + MMIO64_SIZE, GPA_READ | GPA_WRITE | GPA_UNCACHED);
}

/* --- devices --------------------------------------------------------------------------------- */

static uint32_t pci_id(unsigned bus, unsigned device, unsigned function)
{
    uint64_t spa = hv.ecam_base + ((uint64_t)bus << 20 | device << 15 | function << 12);
    return *(volatile uint32_t *)arch_spa_pointer(spa);
}

static uint32_t pci_header(unsigned bus, unsigned device)
{
    uint64_t spa = hv.ecam_base + ((uint64_t)bus << 20 | device << 15) + 0xC;
    return *(volatile uint32_t *)arch_spa_pointer(spa);
}

/* Every function that is there at boot is the root's; virtual functions appear later
 * and belong to nobody until they are attached. */
static void attach_devices(struct partition *p)
{
    for (unsigned bus = 0; hv.ecam_base && bus < SCAN_BUSES; bus++) {
        for (unsigned device = 0; device < DEVICES; device++) {
            unsigned functions = 1;
            for (unsigned f = 0; f < functions; f++) {
                if ((pci_id(bus, device, f) & NO_DEVICE) == NO_DEVICE)
                    continue;
                if (f == 0 && pci_header(bus, device) & MULTI_FUNCTION)
                    functions = FUNCTIONS;
                uint16_t bdf = (uint16_t)(bus << 8 | device << 3 | f);
                bool attached;
                vtd_owner(bdf, &attached); /* services in the hypervisor may have taken it */
                if (!attached)
                    vtd_attach(p, bdf);
            }
        }
    }
}

/* --- start -------------------------------------------------------------------------------------- */

static void fill_info(struct boot_info *info, unsigned vp_count)
{
    *info = (struct boot_info){ .magic = BOOT_INFO_MAGIC, .size = sizeof(*info), .lab_channel = LAB_CHANNEL_ROOT,
                                .vp_count = vp_count, .child_number = UINT32_MAX, .acpi_rsdp_gpa = hv.acpi_rsdp };
    for (unsigned i = 0; i < hv.ram_count && info->range_count + 2 < BOOT_RANGES_MAX; i++) {
        uint64_t from = hv.ram[i].base, to = from + hv.ram[i].size;
        if (from < HV_IMAGE_BASE)
            info->range[info->range_count++] = (struct boot_range){ from, rt_min(to, HV_IMAGE_BASE) - from };
        from = rt_max(from, HV_MEMORY_END);
        if (from < to)
            info->range[info->range_count++] = (struct boot_range){ from, to - from };
    }
    for (unsigned i = 0; i < hv.module_count; i++) {
        struct boot_module *m = &info->module[info->module_count];
        if (rt_string_equal(hv.module[i].name, "root"))
            continue;
        m->gpa = hv.module[i].spa;
        m->size = hv.module[i].size;
        rt_format(m->name, sizeof(m->name), "%s", hv.module[i].name);
        info->module_count++;
    }
}

static void set(struct vp *vp, uint32_t name, uint64_t value)
{
    union hv_register_value v = { { value, 0 } };
    if (vp_register_set(vp, name, &v))
        hv_panic("root VP: register %x refused", name);
}

static void set_segment(struct vp *vp, uint32_t name, uint16_t attributes)
{
    union hv_register_value v = { .segment = { 0, UINT32_MAX, 0x10, attributes } };
    if (name == HV_X64_REGISTER_CS)
        v.segment.selector = 0x08;
    vp_register_set(vp, name, &v);
}

/* 64-bit mode, interrupts off, identity page tables. */
static void set_start(struct vp *vp, uint64_t info, uint64_t tables, uint64_t stack)
{
    enum { CODE64 = 0xA09B, DATA = 0xC093 };
    set_segment(vp, HV_X64_REGISTER_CS, CODE64);
    for (uint32_t r = HV_X64_REGISTER_ES; r <= HV_X64_REGISTER_GS; r++)
        if (r != HV_X64_REGISTER_CS)
            set_segment(vp, r, DATA);
    set(vp, HV_X64_REGISTER_CR0, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    set(vp, HV_X64_REGISTER_CR3, tables);
    set(vp, HV_X64_REGISTER_CR4, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    set(vp, HV_X64_REGISTER_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    set(vp, HV_X64_REGISTER_RIP, root_elf.entry);
    set(vp, HV_X64_REGISTER_RSP, stack - 8);
    set(vp, HV_X64_REGISTER_RDI, info);
}

/* root.lp=N pins; several VPs of the root follow each other from there. */
static uint64_t root_lp_mask(unsigned vps)
{
    uint64_t lp = rt_config_number(&hv.config, "root.lp", UINT64_MAX), mask = 0;
    if (lp == UINT64_MAX)
        return 0;
    if (lp >= hv.lp_count)
        hv_panic("root.lp=%lu: there are %u logical processors", (unsigned long)lp, hv.lp_count);
    for (unsigned i = 0; i < vps; i++)
        mask |= 1ull << (lp + i) % hv.lp_count;
    return mask;
}

void root_create(void)
{
    struct partition *p = &hv.partition_store[0];
    partition_init_root(p);
    p->pool = hv.pool;
    p->ports = boot_alloc(sizeof(struct port_table), 64);
    if (!gpa_create(p) || !intercepts_create(p))
        hv_panic("no memory for the root partition");
    intercepts_allow_all_ports(p);
    map_ram(p);
    map_devices(p);
    if (vtd_present())
        attach_devices(p);

    const struct hv_module *image = boot_module("root");
    rt_elf_load(arch_spa_pointer(image->spa), arch_spa_pointer(root_elf.low), root_elf.low);
    uint64_t info = rt_align_up(root_elf.high, PAGE), tables = info + INFO_PAGES * PAGE;
    uint64_t stack = tables + (RT_IDENTITY_PAGES + STACK_PAGES) * PAGE;
    uint64_t vps = rt_config_number(&hv.config, "root.vps", 1);
    if (vps == 0 || vps > HV_VPS_PER_PARTITION)
        hv_panic("root.vps=%lu: 1 to %d are possible", (unsigned long)vps, HV_VPS_PER_PARTITION);
    _Static_assert(sizeof(struct boot_info) <= PAGE, "boot information fits its page");
    fill_info(arch_spa_pointer(info), (unsigned)vps);
    rt_identity_tables(arch_spa_pointer(tables), tables, arch_cpuid(0x80000001, 0).edx >> 26 & 1);

    p->lp_mask = root_lp_mask((unsigned)vps);
    for (unsigned i = 0; i < vps; i++)
        if (!vp_create(p, i))
            hv_panic("no memory for the root partition's VPs");
    set_start(p->vp[0], info, tables, stack);
    hv_log("starting the root partition: %lu VP%s, entry %lx", (unsigned long)vps, vps == 1 ? "" : "s",
           (unsigned long)root_elf.entry);
    for (unsigned i = 0; i < vps; i++)
        sched_resume(p->vp[i], SUSPEND_EXPLICIT); /* all but the first still wait to be started */
}
