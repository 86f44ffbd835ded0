/* A hypervisor after boot, on the fake processor; see tests/fakes/arch_fake.h. */
#include <stdlib.h>
#include <string.h>

#include "hv/hypercall/hypercall.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "tests/fakes/arch_fake.h"

enum { PAGE = 4096, POOL_PAGES = 256, INPUT = 33 << 20, OUTPUT = INPUT + PAGE, CHILD_RAM = 40 << 20, DEPOSITS = 36 << 20 };

struct vp *world_root;
static uint64_t next_ram, next_deposit, child_base;
void fake_reset(void);

static void make_lps(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        hv.lp[i] = boot_alloc(sizeof(struct lp), 64);
        hv.lp[i]->self = hv.lp[i];
        hv.lp[i]->index = i;
        hv.lp[i]->apic_id = i;
    }
    hv.lp_count = count;
}

static void make_stores(void)
{
    hv.partition_store = boot_alloc(HV_PARTITIONS_MAX * sizeof(struct partition), 64);
    hv.vp_store = boot_alloc(HV_VPS_MAX * sizeof(struct vp), 64);
    for (unsigned i = 0; i < HV_VPS_MAX; i++) {
        hv.vp_store[i].vmcs = arch_pointer_spa(boot_alloc(PAGE, PAGE));
        hv.vp_store[i].virtual_apic = arch_pointer_spa(boot_alloc(PAGE, PAGE));
        hv.vp_store[i].synic.store = boot_alloc(SYNIC_QUEUE * sizeof(struct synic_message), 64);
    }
    hv.hypercall_page = arch_pointer_spa(boot_alloc(PAGE, PAGE));
}

/* Sandy Bridge-EP's words (IA32_VMX_*), which offer all that is needed. */
static void choose_vmx(void)
{
    struct vmx_facts facts = {
        .basic = 0x00DA040000000010, .pin = 0x0000007F00000016, .primary = 0xFFF9FFFE04006172,
        .secondary = 0x000004FF00000000, .exit = 0x007FFFFF00036DFB, .entry = 0x0000FFFF000011FB,
        .misc = 0x100401E5, .ept_vpid = 0x00000F0106134141, .cr0_fixed = { 0x80000021, 0xFFFFFFFF },
        .cr4_fixed = { 0x2000, 0x627FF },
    };
    if (vmx_choose(&facts, &vmx))
        abort();
}

void world_new(unsigned lps)
{
    fake_reset();
    memset(&hv, 0, sizeof(hv));
    hv.boot_next = 1 << 20;
    hv.boot_end = HV_MEMORY_END;
    hv.ram_end = FAKE_MEMORY;
    hv.ram[0] = (struct hv_range){ 0, FAKE_MEMORY };
    hv.ram_count = 1;
    hv.physical_bits = 46;
    hv.tsc_hz = FAKE_TSC_HZ;
    hv.apic_timer_hz = 200000000;
    hv.time_scale = (uint64_t)(((unsigned __int128)10000000 << 64) / FAKE_TSC_HZ);
    choose_vmx();
    make_lps(lps);
    make_stores();
    for (unsigned i = 0; i < POOL_PAGES; i++)
        page_pool_put(&hv.pool, arch_pointer_spa(boot_alloc(PAGE, PAGE)));
    struct partition *root = &hv.partition_store[0];
    partition_init_root(root);
    root->pool = hv.pool;
    root->ports = boot_alloc(sizeof(struct port_table), 64);
    root->lp_mask = 1;
    if (!gpa_create(root) || !intercepts_create(root))
        abort();
    intercepts_allow_all_ports(root);
    gpa_map_range(root, HV_MEMORY_END, HV_MEMORY_END, FAKE_MEMORY - HV_MEMORY_END, GPA_READ | GPA_WRITE | GPA_EXECUTE);
    world_root = vp_create(root, 0);
    sched_resume(world_root, SUSPEND_EXPLICIT);
    vp_load(world_root);
    world_root->state = VP_RUNNING;
    hv.lp[0]->queue = NULL;
    hv.lp[0]->queue_length = 0;
    hv.lp[0]->running = world_root;
    next_ram = CHILD_RAM;
    next_deposit = DEPOSITS;
}

void *world_memory(uint64_t spa) { return arch_spa_pointer(spa); }
void *world_output(void) { return arch_spa_pointer(OUTPUT); }

uint64_t world_call(struct vp *vp, uint64_t control, uint64_t rdx, uint64_t r8)
{
    uint64_t *gpr = vp->context.gpr;
    if (lp_self()->loaded != vp)
        vp_load(vp);
    arch_vmwrite(VMCS_EXIT_INSTRUCTION_LENGTH, 3);
    uint64_t rip = arch_vmread(VMCS_GUEST_RIP);
    gpr[GPR_RCX] = control;
    gpr[GPR_RDX] = rdx;
    gpr[GPR_R8] = r8;
    for (unsigned i = 0; i < 4096 && arch_vmread(VMCS_GUEST_RIP) == rip; i++)
        hypercall_execute(vp);
    return gpr[GPR_RAX];
}

uint64_t world_call_block(uint64_t control, const void *input, size_t size)
{
    memcpy(arch_spa_pointer(INPUT), input, size);
    return world_call(world_root, control, INPUT, OUTPUT);
}

static uint64_t deposit(uint64_t partition, unsigned count)
{
    uint64_t in[1 + 511] = { partition };
    for (unsigned i = 0; i < count; i++, next_deposit += PAGE)
        in[1 + i] = next_deposit / PAGE;
    return world_call_block(HV_CALL_DEPOSIT_MEMORY | (uint64_t)count << 32, in, 8 + 8 * count);
}

static void must(uint64_t result)
{
    if (result & HV_RESULT_STATUS)
        abort();
}

struct vp *world_child(unsigned pages, uint64_t *partition)
{
    struct hv_create_partition create = { 0 };
    must(world_call_block(HV_CALL_CREATE_PARTITION, &create, sizeof(create)));
    uint64_t id = *(uint64_t *)world_output();
    must(deposit(id, 32));
    must(world_call(world_root, HV_CALL_INITIALIZE_PARTITION | HV_CONTROL_FAST, id, 0));
    struct { struct hv_map_gpa_pages header; uint64_t gpfn[500]; } map = {
        { id, 0, HV_MAP_READ | HV_MAP_WRITE | HV_MAP_KERNEL_EXECUTE | HV_MAP_USER_EXECUTE, 0 }, { 0 } };
    for (unsigned i = 0; i < pages; i++)
        map.gpfn[i] = next_ram / PAGE + i;
    must(world_call_block(HV_CALL_MAP_GPA_PAGES | (uint64_t)pages << 32, &map, sizeof(map.header) + 8 * pages));
    child_base = next_ram;
    next_ram += (uint64_t)pages * PAGE;
    struct hv_create_vp vp = { .partition = id };
    must(world_call_block(HV_CALL_CREATE_VP, &vp, sizeof(vp)));
    *partition = id;
    return partition_find(hv.root, id)->vp[0];
}

uint64_t world_child_base(void) { return child_base; }
