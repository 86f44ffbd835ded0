/* Service runtime, common to all loci; see svc_common.h. */
#include "hv/svc/svc_common.h"

enum { PAGE = 4096, TEXT_MAX = 256, BITS = 64 };

static struct {
    volatile struct lab_report *report;
    struct svc_work *first, *last;
    struct svc_timer *timers;   /* sorted by due */
    uint64_t window;            /* [linear] */
    unsigned window_pages;
    unsigned window_next;       /* where the search begins */
    uint64_t used[SVC_WINDOW_PAGES / BITS]; /* pages of the window */
} common; /* one locus per image */

void svc_common_init(uint64_t window_base, unsigned window_pages, volatile struct lab_report *report)
{
    RT_ASSERT(window_pages <= SVC_WINDOW_PAGES);
    common.window = window_base;
    common.window_pages = window_pages;
    common.report = report;
}

void *svc_alloc(size_t size, size_t align) { return locus_alloc(size, align); }

/* --- configuration and text -------------------------------------------------------------- */

const char *svc_config(const char *key)
{
    char value[TEXT_MAX];
    int n = rt_config_get(locus_config(), key, value, sizeof(value));
    if (n < 0)
        return NULL;
    char *kept = locus_alloc((size_t)n + 1, 1);
    memcpy(kept, value, (size_t)n + 1);
    return kept;
}

uint64_t svc_config_number(const char *key, uint64_t fallback) { return rt_config_number(locus_config(), key, fallback); }
bool svc_config_mac(const char *key, uint8_t mac[6]) { return rt_config_mac(locus_config(), key, mac); }

void svc_log(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    size_t n = rt_vformat(text, sizeof(text), format, args);
    va_end(args);
    while (n > 0 && text[n - 1] == '\n') /* a log entry is a line anyway */
        text[--n] = '\0';
    locus_log(text);
}

_Noreturn void svc_panic(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    rt_vformat(text, sizeof(text), format, args);
    va_end(args);
    locus_panic(text);
}

void svc_count(unsigned counter, uint64_t n)
{
    RT_ASSERT(counter < LAB_REPORT_COUNTERS);
    common.report->counters[counter] += n;
}

/* In a section of its own: the laboratory's bucket `copy`. */
__attribute__((section(".text.copy"), noinline)) void svc_copy(void *to, const void *from, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

/* --- work and time --------------------------------------------------------------------------- */

void svc_work_queue(struct svc_work *w)
{
    if (w->pending)
        return;
    w->pending = true;
    w->next = NULL;
    if (common.first)
        common.last->next = w;
    else
        common.first = w;
    common.last = w;
}

bool svc_common_run(void)
{
    bool any = common.first != NULL;
    while (common.first) {
        struct svc_work *w = common.first;
        common.first = w->next;
        w->pending = false;
        w->run(w->ctx);
    }
    return any;
}

static void set_locus_timer(void) { locus_timer_set(common.timers ? common.timers->due : UINT64_MAX); }

static void unlink_timer(struct svc_timer *t)
{
    struct svc_timer **at = &common.timers;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->armed = false;
}

void svc_timer_cancel(struct svc_timer *t)
{
    if (!t->armed)
        return;
    bool first = common.timers == t;
    unlink_timer(t);
    if (first)
        set_locus_timer();
}

void svc_timer_arm(struct svc_timer *t, uint64_t due)
{
    if (t->armed)
        unlink_timer(t);
    struct svc_timer **at = &common.timers;
    while (*at && (*at)->due <= due)
        at = &(*at)->next;
    t->due = due;
    t->next = *at;
    t->armed = true;
    *at = t;
    if (common.timers == t)
        set_locus_timer();
}

/* A handler may arm a timer that is due at once; it waits for the next round, so that this ends. */
void svc_common_timer(void)
{
    uint64_t now = svc_now();
    while (common.timers && common.timers->due <= now) {
        struct svc_timer *t = common.timers;
        unlink_timer(t);
        t->fire(t->ctx);
    }
    set_locus_timer();
}

/* --- windows ----------------------------------------------------------------------------------- */

static bool is_used(unsigned page) { return common.used[page / BITS] >> page % BITS & 1; }

static void mark(unsigned first, unsigned count, bool used)
{
    for (unsigned i = first; i < first + count; i++) {
        uint64_t bit = 1ull << i % BITS;
        common.used[i / BITS] = used ? common.used[i / BITS] | bit : common.used[i / BITS] & ~bit;
    }
}

/* First fit from where the last search ended. */
static bool find_run(unsigned count, unsigned *first)
{
    unsigned run = 0;
    for (unsigned n = 0, at = common.window_next; n < common.window_pages + count; n++, at++) {
        if (at == common.window_pages)
            at = run = 0;
        run = is_used(at) ? 0 : run + 1;
        if (run == count) {
            *first = at + 1 - count;
            common.window_next = (at + 1) % common.window_pages;
            return true;
        }
    }
    return false;
}

void *svc_common_map(const uint64_t *spa, unsigned count, void *direct)
{
    unsigned same = 1, first;
    while (same < count && spa[same] == spa[0] + (uint64_t)same * PAGE)
        same++;
    if (same == count)
        return direct;
    if (!find_run(count, &first))
        return NULL;
    mark(first, count, true);
    uint64_t linear = common.window + (uint64_t)first * PAGE;
    for (unsigned i = 0; i < count; i++)
        locus_window_map(linear + (uint64_t)i * PAGE, spa[i]);
    return (void *)linear;
}

static bool in_window(uint64_t linear)
{
    return linear - common.window < (uint64_t)common.window_pages * PAGE;
}

void svc_unmap(void *mapping, unsigned count)
{
    uint64_t linear = (uint64_t)mapping;
    if (!in_window(linear))
        return; /* mapped directly */
    for (unsigned i = 0; i < count; i++)
        locus_window_map(linear + (uint64_t)i * PAGE, 0);
    mark((unsigned)((linear - common.window) / PAGE), count, false);
}

uint64_t svc_dma_address(const void *p)
{
    uint64_t linear = (uint64_t)p;
    if (!in_window(linear))
        return locus_dma_address(p);
    return locus_window_spa(linear) + linear % PAGE;
}

/* --- PCI ------------------------------------------------------------------------------------------ */

enum { CAPABILITIES = 0x34, STATUS_COMMAND = 0x04, HAS_CAPABILITIES = 1 << 20, CAPABILITY_MSIX = 0x11, BARS = 0x10 };
enum { MSIX_ENABLE = (int)0x80000000, MSIX_MASK_ALL = 0x40000000, MSIX_ENTRY_SIZE = 16, BAR_64 = 4 };

static volatile uint32_t *config_register(uint16_t bdf, unsigned offset)
{
    RT_ASSERT(locus_ecam_base() && offset < PAGE && offset % 4 == 0);
    return svc_mmio_map(locus_ecam_base() + ((uint64_t)bdf << 12), PAGE) + offset / 4;
}

uint32_t svc_pci_read(uint16_t bdf, unsigned offset) { return *config_register(bdf, offset); }
void svc_pci_write(uint16_t bdf, unsigned offset, uint32_t value) { *config_register(bdf, offset) = value; }

static unsigned find_capability(uint16_t bdf, unsigned id)
{
    if (!(svc_pci_read(bdf, STATUS_COMMAND) & HAS_CAPABILITIES))
        return 0;
    unsigned at = svc_pci_read(bdf, CAPABILITIES) & 0xFC;
    for (unsigned n = 0; at && n < 48; n++) {
        uint32_t word = svc_pci_read(bdf, at);
        if ((word & 0xFF) == id)
            return at;
        at = word >> 8 & 0xFC;
    }
    return 0;
}

static uint64_t bar_address(uint16_t bdf, unsigned bar)
{
    uint64_t low = svc_pci_read(bdf, BARS + 4 * bar);
    uint64_t high = low & BAR_64 ? svc_pci_read(bdf, BARS + 4 * (bar + 1)) : 0;
    return high << 32 | (low & ~0xFull);
}

/* PCI Local Bus Specification 3.0 "MSI-X Capability and Table Structures". */
bool svc_common_msix(uint16_t bdf, unsigned entry, uint64_t msi)
{
    unsigned at = find_capability(bdf, CAPABILITY_MSIX);
    if (!at)
        return false;
    uint32_t control = svc_pci_read(bdf, at), table = svc_pci_read(bdf, at + 4);
    if (entry > (control >> 16 & 0x7FF))
        return false;
    uint64_t base = bar_address(bdf, table & 7) + (table & ~7u);
    volatile uint32_t *e = svc_mmio_map(base + entry * MSIX_ENTRY_SIZE, MSIX_ENTRY_SIZE);
    e[0] = (uint32_t)msi;
    e[1] = 0;
    e[2] = (uint32_t)(msi >> 32);
    e[3] = 0;
    svc_pci_write(bdf, at, (control & ~(uint32_t)MSIX_MASK_ALL) | (uint32_t)MSIX_ENABLE);
    return true;
}
