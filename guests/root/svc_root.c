/* Service runtime for locus root-kernel (vsp/runtime/svc.h): memory, time,
 * devices.  Handlers run in the main loop, one after the other. */
#include "guests/root/svc_root.h"

#include "hv/rt/rt_acpi.h"

#define WINDOW_BASE 0x8000000000ull /* entry 1 of the top table */
enum { TABLE_ENTRIES = 512, PRESENT_WRITE = 3, LAB_ROOT = LAB_PORT_BASE + LAB_PORT_STRIDE * LAB_CHANNEL_ROOT };
enum { STIMER = HV_MSR_STIMER0_CONFIG };

static struct {
    uint64_t *window_entries;   /* one per page of the window, consecutive tables */
    uint64_t ecam_base;
    struct hv_reference_tsc_page *time;
    struct { void (*run)(void *ctx); void *ctx; } device[VECTOR_DEVICE_END - VECTOR_DEVICE];
    unsigned device_count;
} svc;

static struct lab_report report __attribute__((aligned(4096)));

bool svc_root_present(void) { return true; }

/* --- locus_* ---------------------------------------------------------------------------- */

void *locus_alloc(size_t size, size_t align) { return root_alloc(size, align); }
const struct rt_config *locus_config(void) { return &root.config; }
void locus_log(const char *text) { root_log("%s", text); }
_Noreturn void locus_panic(const char *text) { root_panic("%s", text); }
uint64_t locus_ecam_base(void) { return svc.ecam_base; }
uint64_t locus_dma_address(const void *p) { return (uint64_t)p; } /* GPA = SPA, and DMA goes through our GPA space */

void locus_window_map(uint64_t linear, uint64_t spa)
{
    svc.window_entries[(linear - WINDOW_BASE) / ROOT_PAGE] = spa ? spa | PRESENT_WRITE : 0;
    __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

uint64_t locus_window_spa(uint64_t linear)
{
    return svc.window_entries[(linear - WINDOW_BASE) / ROOT_PAGE] & ~(uint64_t)PRESENT_WRITE;
}

void locus_timer_set(uint64_t due) { wrmsr(STIMER + 1, due == UINT64_MAX ? 0 : rt_max(due, 1)); }

/* --- time and devices ---------------------------------------------------------------------- */

/* TLFS "Reference TSC Page": again if the hypervisor was writing it. */
uint64_t svc_now(void)
{
    for (;;) {
        uint32_t sequence = svc.time->sequence, low, high;
        uint64_t scale = svc.time->scale, ignored, scaled;
        int64_t offset = svc.time->offset;
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        __asm__("mulq %3" : "=a"(ignored), "=d"(scaled) : "0"((uint64_t)high << 32 | low), "rm"(scale) : "cc");
        (void)ignored;
        if (sequence && sequence == svc.time->sequence)
            return scaled + (uint64_t)offset;
        if (!sequence)
            return rdmsr(HV_MSR_TIME_REF_COUNT);
    }
}

volatile uint32_t *svc_mmio_map(uint64_t spa, uint64_t size)
{
    const uint64_t *second = root.page_table + TABLE_ENTRIES;
    uint64_t last = spa + size - 1;
    if (last >> 39 || !(second[last >> 30] & 1))
        root_panic("device memory at %lx cannot be mapped: this processor has no 1 GiB pages", (unsigned long)spa);
    return (volatile uint32_t *)spa;
}

bool svc_interrupt_bind(uint16_t bdf, unsigned entry, void (*handler)(void *ctx), void *ctx)
{
    unsigned n = svc.device_count;
    if (n == sizeof(svc.device) / sizeof(svc.device[0]))
        return false;
    struct hv_map_device_interrupt *in = root.input;
    const struct hv_interrupt_entry *out = root.output;
    *in = (struct hv_map_device_interrupt){ .partition = HV_PARTITION_SELF, .device_id = bdf, .vector_count = 1,
                                            .vector = VECTOR_DEVICE + n, .vp_mask = 1 };
    enum hv_status status = hypercall_simple(HV_CALL_MAP_DEVICE_INTERRUPT);
    if (status) {
        root_log("HvCallMapDeviceInterrupt for %04x failed with status %x", bdf, status);
        return false;
    }
    svc.device[n].run = handler;
    svc.device[n].ctx = ctx;
    svc.device_count++;
    return svc_common_msix(bdf, entry, out->msi);
}

/* --- start and work -------------------------------------------------------------------------- */

static void make_window(void)
{
    unsigned tables = SVC_WINDOW_PAGES / TABLE_ENTRIES;
    uint64_t *second = root_alloc(ROOT_PAGE, ROOT_PAGE), *third = root_alloc(ROOT_PAGE, ROOT_PAGE);
    svc.window_entries = root_alloc((uint64_t)tables * ROOT_PAGE, ROOT_PAGE);
    root.page_table[1] = (uint64_t)second | PRESENT_WRITE;
    second[0] = (uint64_t)third | PRESENT_WRITE;
    for (unsigned i = 0; i < tables; i++)
        third[i] = (uint64_t)(svc.window_entries + i * TABLE_ENTRIES) | PRESENT_WRITE;
}

static const void *at(uint64_t spa) { return (const void *)spa; }

static void announce_report(void)
{
    report.magic = LAB_REPORT_MAGIC;
    if (!root.lab_present)
        return;
    out32(LAB_ROOT + LAB_REG_REPORT_LOW, (uint32_t)(uint64_t)&report);
    out32(LAB_ROOT + LAB_REG_REPORT_HIGH, (uint32_t)((uint64_t)&report >> 32));
}

void svc_root_init(void)
{
    struct acpi_facts acpi;
    acpi_read(root.info.acpi_rsdp_gpa, at, &acpi);
    svc.ecam_base = acpi.ecam_base;
    svc.time = root_alloc(ROOT_PAGE, ROOT_PAGE);
    wrmsr(HV_MSR_REFERENCE_TSC, (uint64_t)svc.time | HV_PAGE_MSR_ENABLE);
    make_window();
    announce_report();
    svc_common_init(WINDOW_BASE, SVC_WINDOW_PAGES, &report);
    svc_root_child_init();
    wrmsr(STIMER, HV_STIMER_DIRECT | HV_STIMER_AUTO_ENABLE | (uint64_t)VECTOR_TIMER << HV_STIMER_VECTOR_SHIFT);
    for (unsigned i = 0; svc_placed[i]; i++)
        svc_placed[i]->init();
    svc_common_run();
}

/* Which of our device vectors have fired since the last look. */
static bool run_devices(void)
{
    bool any = false;
    for (unsigned word = 0; word < 4; word++) {
        uint64_t fired = __atomic_exchange_n(&root.device_pending[word], 0, __ATOMIC_SEQ_CST);
        for (; fired; fired &= fired - 1) {
            unsigned n = word * 64 + (unsigned)__builtin_ctzll(fired) - VECTOR_DEVICE;
            if (n < svc.device_count) {
                svc.device[n].run(svc.device[n].ctx);
                svc_common_run();
                any = true;
            }
        }
    }
    return any;
}

/* Called with interrupts off; they are on while handlers run, so that nothing waits for them. */
bool svc_root_work(void)
{
    bool device = root.device_pending[0] | root.device_pending[1] | root.device_pending[2] | root.device_pending[3];
    bool any = device || root.message_pending || root.event_pending || root.timer_pending;
    if (!any)
        return false;
    interrupts_on();
    if (__atomic_exchange_n(&root.message_pending, false, __ATOMIC_SEQ_CST))
        svc_root_messages();
    if (__atomic_exchange_n(&root.event_pending, false, __ATOMIC_SEQ_CST))
        svc_root_events();
    if (device)
        run_devices();
    if (__atomic_exchange_n(&root.timer_pending, false, __ATOMIC_SEQ_CST))
        svc_common_timer();
    svc_common_run();
    return true;
}
