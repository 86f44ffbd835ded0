/* Start and main loop of the parent partition's kernel. */
#include "guests/root/root.h"
#include "spec/lab/lab.h"

void root_main(const struct boot_info *info);

/* The largest stretch of RAM free of image and modules. */
static void find_memory(void)
{
    extern char root_image_end[];
    enum { CUTS = BOOT_MODULES_MAX + 1 };
    uint64_t best = 0;
    for (unsigned r = 0; r < root.info.range_count; r++) {
        uint64_t at = root.info.range[r].gpa, end = at + root.info.range[r].size;
        while (at < end) {
            uint64_t stop = end, next = end;
            for (unsigned c = 0; c < root.info.module_count + 1; c++) {
                uint64_t base = c ? root.info.module[c - 1].gpa : ROOT_IMAGE_BASE;
                uint64_t limit = c ? base + root.info.module[c - 1].size : (uint64_t)root_image_end;
                limit = rt_align_up(limit, ROOT_PAGE);
                if (at >= base && at < limit) {
                    stop = at;
                    next = limit;
                    break;
                }
                if (base >= at && base < stop) {
                    stop = base;
                    next = limit;
                }
            }
            if (stop > at && stop - at > best) {
                best = stop - at;
                root.next = rt_align_up(at, ROOT_PAGE);
                root.end = stop & ~(uint64_t)(ROOT_PAGE - 1);
            }
            at = next > at ? next : end;
        }
    }
}

/* What we were started with lies in memory that is about to be used. */
static void take_over_tables(void)
{
    static uint8_t tables[RT_IDENTITY_PAGES * ROOT_PAGE] __attribute__((aligned(4096)));
    uint32_t eax = 0x80000001, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    rt_identity_tables(tables, (uint64_t)tables, edx >> 26 & 1);
    root.page_table = (uint64_t *)tables;
    __asm__ volatile("movq %0, %%cr3" : : "r"(tables) : "memory");
}

static void handle_messages(void)
{
    struct hv_message *m = &root.messages->slot[SINT_INTERCEPT];
    while (m->type != HV_MESSAGE_NONE) {
        struct hv_message copy = *m;
        __atomic_store_n(&m->type, HV_MESSAGE_NONE, __ATOMIC_SEQ_CST);
        if (m->flags & HV_MESSAGE_FLAG_PENDING)
            wrmsr(HV_MSR_EOM, 0);
        manage_intercept(&copy);
    }
}

void root_main(const struct boot_info *info)
{
    root.info = *info; /* the page it lies in becomes free memory */
    root.lab_present = in32(LAB_PORT_BASE + LAB_PORT_STRIDE * LAB_CHANNEL_ROOT + LAB_REG_ID) == LAB_ID;
    if (root.info.magic != BOOT_INFO_MAGIC || root.info.size != sizeof(root.info))
        root_panic("boot information of another version");
    root_log("hvlab parent partition, %u VP", root.info.vp_count);
    const struct boot_module *config = root_module("config");
    if (config)
        root.config = (struct rt_config){ (const char *)config->gpa, config->size };
    find_memory();
    take_over_tables();
    interrupt_init();
    hypercall_init();
    synic_init();
    svc_root_init();
    manage_create_children();
    for (;;) {
        interrupts_off();
        bool busy = root.intercept_pending;
        root.intercept_pending = false;
        if (busy) {
            interrupts_on();
            handle_messages();
            continue;
        }
        if (svc_root_work()) {
            interrupts_on();
            continue;
        }
        __asm__ volatile("sti; hlt" : : : "memory");
    }
}
