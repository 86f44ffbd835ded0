/* From the loader's hand to the first VP: one processor does all of this, then
 * every processor enters its scheduler loop and stays there. */
#include "hv/arch/lp_arch.h"
#include "hv/boot/boot.h"
#include "hv/boot/multiboot.h"
#include "hv/boot/require.h"
#include "hv/iommu/vtd.h"
#include "hv/partition/partition.h"
#include "hv/rt/rt_acpi.h"
#include "hv/svc/svc_hv.h"
#include "hv/vmx/vmx.h"
#include "spec/lab/lab.h"

enum { PAGE = 4096, LP_STACK = 32768, GIB_SHIFT = 30, MAP_GIBS = 64, HV_POOL_PAGES = 512, US_PER_SECOND = 1000000 };
enum { VIRTUAL_APIC_HZ = 200000000, PM_TIMER_HZ = 3579545, PM_TIMER_TICKS = PM_TIMER_HZ / 100, PM_TIMER_MASK = 0xFFFFFF };
enum { AP_BASE = 0x8000 };

extern char hv_image_end[], ap_start[], ap_start_end[];
extern uint64_t boot_pdpt[512], ap_stack, ap_lp;
void hv_main(uint32_t magic, uint64_t information);
void hv_ap_main(struct lp *);

/* --- memory --------------------------------------------------------------------------- */

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) { return a < b + b_size && b < a + a_size; }

static bool in_ram(uint64_t spa, uint64_t size)
{
    for (unsigned i = 0; i < hv.ram_count; i++)
        if (spa >= hv.ram[i].base && spa + size <= hv.ram[i].base + hv.ram[i].size)
            return true;
    return false;
}

/* May the bytes be used for something new during boot? 'except': a module that may be overwritten. */
static bool is_free(uint64_t spa, uint64_t size, const struct hv_module *except)
{
    if (!in_ram(spa, size))
        return false;
    for (unsigned i = 0; i < hv.module_count; i++)
        if (&hv.module[i] != except && overlaps(spa, size, hv.module[i].spa, hv.module[i].size))
            return false;
    return true;
}

/* Modules that lie in the hypervisor's memory or where the root image goes
 * move to the top of RAM below 4 GiB. */
static void settle_modules(uint64_t root_end)
{
    for (unsigned i = 0; i < hv.module_count; i++) {
        struct hv_module *m = &hv.module[i];
        bool in_way = overlaps(m->spa, m->size, 0, HV_MEMORY_END)
            || overlaps(m->spa, m->size, ROOT_IMAGE_BASE, root_end - ROOT_IMAGE_BASE);
        if (!in_way || !m->size)
            continue;
        uint64_t size = rt_align_up(m->size, PAGE), to = rt_min(hv.ram_end, 1ull << 32) - size;
        to &= ~(uint64_t)(PAGE - 1);
        while (to >= root_end && !is_free(to, size, NULL))
            to -= PAGE;
        if (to < root_end)
            hv_panic("no room for module %s (%lu bytes): more RAM is needed", m->name, (unsigned long)m->size);
        memcpy(arch_spa_pointer(to), arch_spa_pointer(m->spa), m->size);
        m->spa = to;
    }
}

/* The hypervisor's heap: what its image leaves of [1 MiB, 32 MiB), after the modules have moved out. */
static void init_heap(void)
{
    hv.boot_next = (uint64_t)hv_image_end;
    hv.boot_end = HV_MEMORY_END;
    if (!in_ram(HV_IMAGE_BASE, HV_MEMORY_END - HV_IMAGE_BASE))
        hv_panic("RAM from 1 MiB to 32 MiB is needed for the hypervisor");
}

/* The first 4 GiB are mapped since entry.S; the rest of RAM and the 64-bit device window follow. */
static void map_high(bool gib_pages)
{
    enum { PRESENT_WRITE = 3, LARGE = 0x83, ENTRIES = 512 };
    uint64_t gibs = rt_max(MAP_GIBS, rt_align_up(hv.ram_end, 1ull << GIB_SHIFT) >> GIB_SHIFT);
    for (uint64_t g = 4; g < gibs && g < ENTRIES; g++) {
        if (gib_pages) {
            boot_pdpt[g] = g << GIB_SHIFT | LARGE;
            continue;
        }
        uint64_t *pd = boot_alloc(PAGE, PAGE);
        for (uint64_t i = 0; i < ENTRIES; i++)
            pd[i] = g << GIB_SHIFT | i << 21 | LARGE;
        boot_pdpt[g] = arch_pointer_spa(pd) | PRESENT_WRITE;
    }
}

struct hv_module *boot_module(const char *name)
{
    for (unsigned i = 0; i < hv.module_count; i++)
        if (rt_string_equal(hv.module[i].name, name))
            return &hv.module[i];
    return NULL;
}

/* --- time ------------------------------------------------------------------------------ */

/* CPUID.15H names the frequency; else the ACPI timer measures it over 10 ms. */
static uint64_t find_tsc_hz(uint16_t pm_timer)
{
    if (arch_cpuid(0, 0).eax >= 0x15) {
        struct cpuid_result r = arch_cpuid(0x15, 0);
        if (r.eax && r.ebx && r.ecx)
            return (uint64_t)r.ecx * r.ebx / r.eax;
    }
    if (!pm_timer)
        hv_panic("the TSC's frequency is unknown: neither CPUID.15H nor an ACPI timer");
    uint32_t start = arch_in32(pm_timer) & PM_TIMER_MASK, ticks = 0;
    uint64_t tsc = arch_tsc();
    while (ticks < PM_TIMER_TICKS)
        ticks = (arch_in32(pm_timer) - start) & PM_TIMER_MASK;
    return arch_mul_div(arch_tsc() - tsc, PM_TIMER_HZ, ticks);
}

static void init_time(uint16_t pm_timer)
{
    hv.tsc_hz = find_tsc_hz(pm_timer);
    hv.apic_timer_hz = VIRTUAL_APIC_HZ;
    /* 10^7 * 2^64 / hz, in two steps of 32 bits. */
    uint64_t whole = arch_mul_div(10000000, 1ull << 32, hv.tsc_hz);
    uint64_t rest = (10000000ull << 32) - whole * hv.tsc_hz;
    hv.time_scale = whole << 32 | arch_mul_div(rest, 1ull << 32, hv.tsc_hz);
}

static void delay_us(uint64_t us)
{
    uint64_t end = arch_tsc() + hv.tsc_hz / US_PER_SECOND * us;
    while (arch_tsc() < end)
        arch_pause();
}

/* --- processors -------------------------------------------------------------------------- */

static struct lp *new_lp(unsigned index, uint32_t apic_id)
{
    struct lp *lp = boot_alloc(sizeof(*lp), 64);
    lp->self = lp;
    lp->index = index;
    lp->apic_id = apic_id;
    lp->arch = boot_alloc(lp_arch_size(), 64);
    lp->vmxon_region = arch_pointer_spa(boot_alloc(PAGE, PAGE));
    hv.lp[index] = lp;
    return lp;
}

void hv_ap_main(struct lp *lp)
{
    lp_arch_init(lp);
    vmx_enable(lp);
    __atomic_store_n(&lp->started, true, __ATOMIC_RELEASE);
    sched_loop(lp);
}

/* SDM Vol 3A "MP Initialization Protocol Algorithm". */
static bool start_ap(struct lp *lp)
{
    uint64_t destination = (uint64_t)lp->apic_id << 32;
    ap_lp = (uint64_t)lp;
    ap_stack = (uint64_t)boot_alloc(LP_STACK, 64) + LP_STACK;
    arch_barrier();
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_ICR, destination | ICR_LEVEL_ASSERT | ICR_MODE_INIT);
    delay_us(200);
    for (unsigned i = 0; i < 2 && !lp->started; i++) {
        arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_ICR, destination | ICR_LEVEL_ASSERT | ICR_MODE_SIPI | AP_BASE >> 12);
        for (unsigned wait = 0; wait < 500 && !__atomic_load_n(&lp->started, __ATOMIC_ACQUIRE); wait++)
            delay_us(i ? 200 : 1);
    }
    return __atomic_load_n(&lp->started, __ATOMIC_ACQUIRE);
}

static void start_aps(const struct acpi_facts *facts)
{
    memcpy(arch_spa_pointer(AP_BASE), ap_start, (size_t)(ap_start_end - ap_start));
    for (unsigned i = 0; i < facts->processor_count; i++) {
        if (facts->apic_id[i] == hv.lp[0]->apic_id)
            continue;
        struct lp *lp = new_lp(hv.lp_count, facts->apic_id[i]);
        if (start_ap(lp))
            hv.lp_count++;
        else
            hv_log("processor with APIC id %u does not start; going on without it", lp->apic_id);
    }
}

/* --- stores --------------------------------------------------------------------------------- */

static void init_stores(void)
{
    hv.partition_store = boot_alloc(HV_PARTITIONS_MAX * sizeof(struct partition), 64);
    hv.vp_store = boot_alloc(HV_VPS_MAX * sizeof(struct vp), 64);
    for (unsigned i = 0; i < HV_VPS_MAX; i++) {
        hv.vp_store[i].vmcs = arch_pointer_spa(boot_alloc(PAGE, PAGE));
        hv.vp_store[i].virtual_apic = arch_pointer_spa(boot_alloc(PAGE, PAGE));
        hv.vp_store[i].synic.store = boot_alloc(SYNIC_QUEUE * sizeof(struct synic_message), 64);
    }
    static const uint8_t hypercall_code[] = { 0x0F, 0x01, 0xC1, 0xC3 }; /* VMCALL; RET */
    uint8_t *page = boot_alloc(PAGE, PAGE);
    memset(page, 0xCC, PAGE);
    memcpy(page, hypercall_code, sizeof(hypercall_code));
    hv.hypercall_page = arch_pointer_spa(page);
}

/* Legacy interrupt controllers stay silent: everything comes as messages. */
static void mask_legacy_interrupts(void)
{
    enum { PIC1_MASK = 0x21, PIC2_MASK = 0xA1 };
    arch_out8(PIC1_MASK, 0xFF);
    arch_out8(PIC2_MASK, 0xFF);
}

static void refuse(const char *what)
{
    hv_panic("cannot start: this machine lacks %s", what);
}

static void check_processor(void)
{
    struct require_facts facts;
    struct vmx_facts vmx_facts;
    require_read(&facts);
    const char *missing = require_missing(&facts);
    if (missing)
        refuse(missing);
    vmx_read_facts(&vmx_facts);
    missing = vmx_choose(&vmx_facts, &vmx);
    if (missing)
        refuse(missing);
}

static void read_config(void)
{
    const struct hv_module *config = boot_module("config");
    if (config)
        hv.config = (struct rt_config){ arch_spa_pointer(config->spa), config->size };
    char placement[32];
    if (rt_config_get(&hv.config, "placement", placement, sizeof(placement)) < 0)
        return;
    bool wants_here = rt_string_equal(placement, "monolithic");
    if (wants_here != svc_hv_present())
        hv_panic("the configuration says placement=%s, but this image has %s services", placement,
                 svc_hv_present() ? "the" : "no");
}

/* Loaders hand over a copy of the ACPI root pointer, perhaps in memory that is ours and that
 * the root partition cannot read: it moves behind the start-up code of the processors. */
static void settle_rsdp(void)
{
    enum { RSDP_SIZE = 36, PLACE = AP_BASE + 0xE00 };
    if (hv.acpi_rsdp < HV_IMAGE_BASE || hv.acpi_rsdp >= HV_MEMORY_END)
        return;
    memmove(arch_spa_pointer(PLACE), arch_spa_pointer(hv.acpi_rsdp), RSDP_SIZE);
    hv.acpi_rsdp = PLACE;
}

static const void *at(uint64_t spa) { return arch_spa_pointer(spa); }

void hv_main(uint32_t magic, uint64_t information)
{
    struct acpi_facts acpi;
    hv_log_init();
    hv.lab_present = arch_in32(LAB_PORT_BASE + LAB_REG_ID) == LAB_ID;
    hv_log("hvlab hypervisor");
    check_processor();
    if (!multiboot_read(magic, information))
        hv_panic("not started by a multiboot loader with a memory map (magic %x)", magic);
    hv.physical_bits = arch_cpuid(0x80000008, 0).eax & 0xFF;
    settle_rsdp();
    acpi_read(hv.acpi_rsdp, at, &acpi);
    hv.ecam_base = acpi.ecam_base;
    hv.vtd_base = acpi.vtd_base;
    uint64_t root_end = root_image_end();
    settle_modules(root_end);
    init_heap();
    map_high(arch_cpuid(0x80000001, 0).edx >> 26 & 1);
    init_time(acpi.pm_timer);

    mask_legacy_interrupts();
    struct lp *lp = new_lp(0, 0);
    hv.lp_count = 1;
    lp_arch_init(lp);
    vmx_enable(lp);
    lp->started = true;
    init_stores();
    start_aps(&acpi);
    hv_log("%u logical processor%s, %lu MiB of RAM, TSC %lu kHz", hv.lp_count, hv.lp_count == 1 ? "" : "s",
           (unsigned long)(hv.ram_end >> 20), (unsigned long)(hv.tsc_hz / 1000));
    read_config();
    vtd_init();
    for (unsigned i = 0; i < HV_POOL_PAGES; i++)
        page_pool_put(&hv.pool, arch_pointer_spa(boot_alloc(PAGE, PAGE)));
    svc_hv_init();
    root_create();
    sched_loop(lp);
}
