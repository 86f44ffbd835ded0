/* Management: creates the children that the configuration asks for, and says
 * clearly what became of one that failed. */
#include "guests/root/root.h"
#include "spec/lab/lab.h"
#include "spec/x86/system.h"

enum { PAGE_SHIFT = 12, LARGE_SHIFT = 21, LARGE = 1 << LARGE_SHIFT, DEPOSIT_BATCH = 64, STACK_SIZE = 65536,
       REP_PAGES = 500, MEMORY_DEFAULT = 64 << 20, LAB_REGISTER_ALL = 0 };
enum { MAP_ALL = HV_MAP_READ | HV_MAP_WRITE | HV_MAP_KERNEL_EXECUTE | HV_MAP_USER_EXECUTE };

static const char *key(char *to, size_t size, unsigned child, const char *name)
{
    rt_format(to, size, "child%u.%s", child, name);
    return to;
}

/* --- deposits ------------------------------------------------------------------------ */

/* Pages given to the hypervisor leave our address space, so they are never used again. */
static void deposit(uint64_t partition, unsigned count)
{
    uint64_t base = rt_align_up(root.next, ROOT_PAGE);
    if (base + (uint64_t)count * ROOT_PAGE > root.end)
        root_panic("no memory left to deposit for a partition");
    root.next = base + (uint64_t)count * ROOT_PAGE;
    uint64_t *in = root.input;
    in[0] = partition;
    for (unsigned i = 0; i < count; i++)
        in[1 + i] = (base >> PAGE_SHIFT) + i;
    unsigned done = 0;
    enum hv_status status = hypercall_rep(HV_CALL_DEPOSIT_MEMORY, count, &done);
    if (status)
        root_panic("HvCallDepositMemory: status %x after %u pages", status, done);
}

static void must(unsigned child, const char *what, enum hv_status status)
{
    if (status)
        root_panic("child %u: %s failed with status %x", child, what, status);
}

/* --- memory ------------------------------------------------------------------------------ */

/* Maps 'count' pages (large: of 2 MiB) one after the other; deposits when the hypervisor runs short. */
static enum hv_status map_run(uint64_t partition, uint64_t gpfn, uint64_t source, unsigned count, uint32_t flags)
{
    struct hv_map_gpa_pages *in = root.input;
    uint64_t step = flags & HV_MAP_LARGE ? LARGE >> PAGE_SHIFT : 1;
    unsigned done = 0;
    for (;;) {
        *in = (struct hv_map_gpa_pages){ partition, gpfn, flags, 0 };
        uint64_t *list = (uint64_t *)(in + 1);
        for (unsigned i = 0; i < count; i++)
            list[i] = source + i * step;
        enum hv_status status = hypercall_rep(HV_CALL_MAP_GPA_PAGES, count, &done);
        if (status != HV_STATUS_INSUFFICIENT_MEMORY)
            return status;
        deposit(partition, DEPOSIT_BATCH);
    }
}

enum hv_status manage_map(uint64_t partition, uint64_t gpa, uint64_t source, uint64_t size, uint32_t flags)
{
    while (size) {
        bool large = !((gpa | source) & (LARGE - 1)) && size >= LARGE;
        uint64_t unit = large ? LARGE : ROOT_PAGE;
        uint64_t count = rt_min(size / unit, REP_PAGES);
        if (!large && size >= LARGE) /* up to where large pages can begin */
            count = rt_min(count, (LARGE - (gpa & (LARGE - 1))) / ROOT_PAGE);
        enum hv_status status = map_run(partition, gpa >> PAGE_SHIFT, source >> PAGE_SHIFT, (unsigned)count,
                                        flags | (large ? HV_MAP_LARGE : 0));
        if (status)
            return status;
        gpa += count * unit;
        source += count * unit;
        size -= count * unit;
    }
    return HV_STATUS_SUCCESS;
}

/* --- registers ------------------------------------------------------------------------------ */

struct register_list { struct hv_vp_registers header; struct hv_register_assoc element[32]; };

static void add(struct register_list *l, unsigned *n, uint32_t name, uint64_t value)
{
    l->element[*n] = (struct hv_register_assoc){ .name = name };
    l->element[(*n)++].value.u64[0] = value;
}

static void add_segment(struct register_list *l, unsigned *n, uint32_t name, uint16_t selector, uint16_t attributes)
{
    union hv_register_value v = { .segment = { 0, UINT32_MAX, selector, attributes } };
    add(l, n, name, v.u64[0]);
    l->element[*n - 1].value.u64[1] = v.u64[1];
}

static enum hv_status set_registers(unsigned count)
{
    unsigned done = 0;
    return hypercall_rep(HV_CALL_SET_VP_REGISTERS, count, &done);
}

/* 64-bit mode, interrupts off, identity page tables (spec/hv/boot.h). */
static enum hv_status set_start(uint64_t partition, uint64_t entry, uint64_t info, uint64_t tables, uint64_t stack)
{
    enum { CODE64 = 0xA09B, DATA = 0xC093 };
    struct register_list *l = root.input;
    unsigned n = 0;
    l->header = (struct hv_vp_registers){ .partition = partition };
    add_segment(l, &n, HV_X64_REGISTER_CS, 0x08, CODE64);
    for (uint32_t r = HV_X64_REGISTER_ES; r <= HV_X64_REGISTER_GS; r++)
        if (r != HV_X64_REGISTER_CS)
            add_segment(l, &n, r, 0x10, DATA);
    add(l, &n, HV_X64_REGISTER_CR0, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    add(l, &n, HV_X64_REGISTER_CR3, tables);
    add(l, &n, HV_X64_REGISTER_CR4, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    add(l, &n, HV_X64_REGISTER_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    add(l, &n, HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED);
    add(l, &n, HV_X64_REGISTER_RIP, entry);
    add(l, &n, HV_X64_REGISTER_RSP, stack - 8);
    add(l, &n, HV_X64_REGISTER_RDI, info);
    return set_registers(n);
}

static enum hv_status set_one(uint64_t partition, uint32_t vp, uint32_t name, uint64_t value)
{
    struct register_list *l = root.input;
    unsigned n = 0;
    l->header = (struct hv_vp_registers){ .partition = partition, .vp_index = vp };
    add(l, &n, name, value);
    return set_registers(n);
}

/* --- a child ------------------------------------------------------------------------------------ */

struct image { struct rt_elf elf; uint64_t info, tables, stack, modules; };

/* Places the image, its start block and its modules in the child's memory at 'base'. */
static void load_child(unsigned child, uint64_t base, uint64_t size, struct image *im, struct boot_info *info)
{
    const struct boot_module *image = root_module("child");
    if (!image)
        root_panic("the configuration asks for children, but there is no module \"child\"");
    const char *wrong = rt_elf_check((const void *)image->gpa, image->size, 0, size, &im->elf);
    if (wrong)
        root_panic("module \"child\" cannot be started: %s", wrong);
    rt_elf_load((const void *)image->gpa, (void *)base, 0);
    im->info = rt_align_up(im->elf.high, ROOT_PAGE);
    im->tables = im->info + ROOT_PAGE;
    im->stack = im->tables + RT_IDENTITY_PAGES * ROOT_PAGE + STACK_SIZE;
    uint32_t eax = 0x80000001, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    rt_identity_tables((void *)(base + im->tables), im->tables, edx >> 26 & 1);

    uint64_t at = im->stack;
    char frames[16];
    rt_format(frames, sizeof(frames), "frames%u", child);
    const char *names[] = { frames, "config" };
    for (unsigned i = 0; i < 2; i++) {
        const struct boot_module *m = root_module(names[i]);
        if (!m)
            continue;
        if (at + m->size > size)
            root_panic("child %u: child.memory=%lu is too small for module %s (%lu bytes)", child,
                       (unsigned long)size, names[i], (unsigned long)m->size);
        memcpy((void *)(base + at), (const void *)m->gpa, m->size);
        struct boot_module *to = &info->module[info->module_count++];
        to->gpa = at;
        to->size = m->size;
        rt_format(to->name, sizeof(to->name), "%s", names[i]);
        at = rt_align_up(at + m->size, ROOT_PAGE);
    }
}

static uint64_t create_partition(unsigned child)
{
    struct hv_create_partition *in = root.input;
    *in = (struct hv_create_partition){ .flags = 0 };
    must(child, "HvCallCreatePartition", hypercall_simple(HV_CALL_CREATE_PARTITION));
    return *(uint64_t *)root.output;
}

static void set_property(unsigned child, uint64_t partition, uint32_t code, uint64_t value)
{
    struct hv_set_property *in = root.input;
    *in = (struct hv_set_property){ partition, code, 0, value };
    must(child, "HvCallSetPartitionProperty", hypercall_simple(HV_CALL_SET_PARTITION_PROPERTY));
}

static void create_vp(unsigned child, uint64_t partition, uint32_t index)
{
    struct hv_create_vp *in = root.input;
    *in = (struct hv_create_vp){ .partition = partition, .vp_index = index };
    must(child, "HvCallCreateVp", hypercall_simple(HV_CALL_CREATE_VP));
}

/* Tells services in the hypervisor, if any live there, and takes the functions they gave the child. */
static void notify_created(unsigned child, uint64_t partition, struct boot_info *info)
{
    struct hv_notify_partition_event *in = root.input;
    const struct hv_notify_partition_output *out = root.output;
    *in = (struct hv_notify_partition_event){ partition, HV_PARTITION_EVENT_CREATED, 0, child };
    must(child, "HvCallNotifyPartitionEvent", hypercall_simple(HV_CALL_NOTIFY_PARTITION_EVENT));
    for (uint64_t i = 0; i < out->device_count && info->device_count < BOOT_DEVICES_MAX; i++)
        info->device[info->device_count++] = out->device[i];
}

/* childN.lp=L pins to one processor, absent: any. */
static uint64_t lp_mask(unsigned child)
{
    char name[32];
    uint64_t lp = rt_config_number(&root.config, key(name, sizeof(name), child, "lp"), UINT64_MAX);
    return lp < 64 ? 1ull << lp : 0;
}

static void create_child(unsigned child, uint64_t size, uint32_t vps)
{
    uint64_t partition = create_partition(child);
    uint64_t base = (uint64_t)root_alloc(size, LARGE);
    root.child[child].partition = partition;
    root.child[child].base = base;
    root.child[child].size = size;
    deposit(partition, DEPOSIT_BATCH);
    set_property(child, partition, HV_PROPERTY_LAB_CHANNEL, LAB_CHANNEL_CHILD + child);
    set_property(child, partition, HV_PROPERTY_LP_MASK, lp_mask(child));
    must(child, "HvCallInitializePartition", hypercall_fast(HV_CALL_INITIALIZE_PARTITION, partition, 0) & HV_RESULT_STATUS);
    must(child, "HvCallMapGpaPages", manage_map(partition, 0, base, size, MAP_ALL));
    for (uint32_t v = 0; v < vps; v++)
        create_vp(child, partition, v);

    struct image im;
    struct boot_info *info = root_alloc(sizeof(*info), 8);
    *info = (struct boot_info){ .magic = BOOT_INFO_MAGIC, .size = sizeof(*info), .lab_channel = LAB_CHANNEL_CHILD + child,
                                .vp_count = vps, .child_number = child, .range_count = 1, .range = { { 0, size } } };
    load_child(child, base, size, &im, info);
    root.child[child].created = true;
    notify_created(child, partition, info);
    svc_root_child_created(child, info);
    memcpy((void *)(base + im.info), info, sizeof(*info));
    must(child, "HvCallSetVpRegisters", set_start(partition, im.elf.entry, im.info, im.tables, im.stack));
    root_log("child %u: partition %lx, %lu MiB, %u VP%s", child, (unsigned long)partition, (unsigned long)(size >> 20),
             vps, vps == 1 ? "" : "s");
}

void manage_create_children(void)
{
    uint64_t count = rt_config_number(&root.config, "children", 0);
    uint64_t size = rt_config_number(&root.config, "child.memory", MEMORY_DEFAULT);
    uint64_t vps = rt_config_number(&root.config, "child.vps", 1);
    if (count > ROOT_CHILDREN_MAX)
        root_panic("children=%lu: at most %d are possible", (unsigned long)count, ROOT_CHILDREN_MAX);
    size = rt_align_up(size, LARGE);
    for (unsigned child = 0; child < count; child++)
        create_child(child, size, (uint32_t)vps);
    root.child_count = (unsigned)count;
    /* All start together: no child gains time on the others by its number. */
    for (unsigned child = 0; child < count; child++)
        for (uint32_t v = 0; v < vps; v++)
            must(child, "starting its VPs",
                 set_one(root.child[child].partition, v, HV_REGISTER_EXPLICIT_SUSPEND, 0));
    root_log("%lu child%s running", (unsigned long)count, count == 1 ? "" : "ren");
}

/* --- what a child did that nobody answers -------------------------------------------------------- */

static unsigned child_of(uint64_t partition)
{
    for (unsigned i = 0; i < ROOT_CHILDREN_MAX; i++)
        if (root.child[i].created && root.child[i].partition == partition)
            return i;
    return ROOT_CHILDREN_MAX;
}

/* No device is emulated here: the child stays suspended, and its failure is reported. */
void manage_intercept(const struct hv_message *m)
{
    struct hv_intercept_memory r;
    memcpy(&r, m->payload, sizeof(r));
    unsigned child = child_of(m->sender);
    if (m->type == HV_MESSAGE_UNMAPPED_GPA || m->type == HV_MESSAGE_GPA_INTERCEPT)
        root_log("child %u VP %u stopped: %s of GPA %lx, which is not its memory; RIP %lx", child, r.header.vp_index,
                 r.header.access == 2 ? "execution" : r.header.access == 1 ? "write" : "read", (unsigned long)r.gpa,
                 (unsigned long)r.header.rip);
    else
        root_log("child %u VP %u stopped: intercept %x at RIP %lx", child, r.header.vp_index, m->type,
                 (unsigned long)r.header.rip);
}
