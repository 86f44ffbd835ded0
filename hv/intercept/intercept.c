/* Bitmaps, installed intercepts, and the records that go to the parent. */
#include "hv/intercept/intercept.h"

#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"
#include "spec/lab/lab.h"
#include "spec/x86/system.h"

enum { PORTS_PER_PAGE = 0x8000, MSR_WRITES = 2048, MSR_HIGH = 1024, INTERCEPT_SINT = 0, PAGE = 4096 };

/* --- bitmaps ------------------------------------------------------------------------- */

static void allow_port(struct intercepts *in, unsigned port)
{
    uint8_t *bytes = arch_spa_pointer(in->io_bitmap[port / PORTS_PER_PAGE]);
    bytes[port % PORTS_PER_PAGE / 8] &= (uint8_t)~(1u << port % 8);
}

static void allow_msr(struct intercepts *in, uint32_t msr, bool read, bool write)
{
    uint8_t *bytes = arch_spa_pointer(in->msr_bitmap);
    unsigned at = (msr & 0x1FFF) / 8 + (msr >> 31 ? MSR_HIGH : 0);
    uint8_t bit = (uint8_t)(1u << msr % 8);
    if (read)
        bytes[at] &= (uint8_t)~bit;
    if (write)
        bytes[at + MSR_WRITES] &= (uint8_t)~bit;
}

static void allow_msrs(struct intercepts *in)
{
    static const uint32_t both[] = {
        MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, (uint32_t)MSR_EFER, (uint32_t)MSR_STAR,
        (uint32_t)MSR_LSTAR, (uint32_t)MSR_CSTAR, (uint32_t)MSR_FMASK, (uint32_t)MSR_FS_BASE,
        (uint32_t)MSR_GS_BASE, (uint32_t)MSR_KERNEL_GS_BASE,
    };
    for (unsigned i = 0; i < sizeof(both) / sizeof(both[0]); i++)
        allow_msr(in, both[i], true, true);
    allow_msr(in, MSR_TSC, true, false);
    if (vmx.secondary & VMX_SECONDARY_RDTSCP)
        allow_msr(in, (uint32_t)MSR_TSC_AUX, true, true);
    if (vmx.has_x2apic_mode) /* the processor reads and writes VTPR */
        allow_msr(in, MSR_X2APIC_FIRST + X2APIC_TPR, true, true);
}

bool intercepts_create(struct partition *p)
{
    struct intercepts *in = &p->intercepts;
    in->io_bitmap[0] = page_pool_take(&p->pool);
    in->io_bitmap[1] = page_pool_take(&p->pool);
    in->msr_bitmap = page_pool_take(&p->pool);
    if (!in->io_bitmap[0] || !in->io_bitmap[1] || !in->msr_bitmap)
        return false;
    memset(arch_spa_pointer(in->io_bitmap[0]), 0xFF, PAGE);
    memset(arch_spa_pointer(in->io_bitmap[1]), 0xFF, PAGE);
    memset(arch_spa_pointer(in->msr_bitmap), 0xFF, PAGE);
    allow_msrs(in);
    if (p->lab_channel != PARTITION_NO_CHANNEL)
        intercepts_set_lab_channel(p, p->lab_channel);
    return true;
}

void intercepts_destroy(struct partition *p)
{
    struct intercepts *in = &p->intercepts;
    if (in->io_bitmap[0])
        page_pool_put(&p->pool, in->io_bitmap[0]);
    if (in->io_bitmap[1])
        page_pool_put(&p->pool, in->io_bitmap[1]);
    if (in->msr_bitmap)
        page_pool_put(&p->pool, in->msr_bitmap);
    *in = (struct intercepts){ 0 };
}

void intercepts_allow_all_ports(struct partition *p)
{
    struct intercepts *in = &p->intercepts;
    hv_zero_page(in->io_bitmap[0]);
    hv_zero_page(in->io_bitmap[1]);
    uint8_t *bytes = arch_spa_pointer(in->io_bitmap[0]);
    for (unsigned i = 0; i < LAB_PORT_STRIDE; i++) {
        unsigned port = LAB_PORT_BASE + LAB_PORT_STRIDE * LAB_CHANNEL_HV + i;
        bytes[port / 8] |= (uint8_t)(1u << port % 8);
    }
}

bool intercepts_set_lab_channel(struct partition *p, uint64_t channel)
{
    if (channel < LAB_CHANNEL_CHILD || channel >= LAB_CHANNELS)
        return false;
    p->lab_channel = (uint32_t)channel;
    for (unsigned i = 0; p->intercepts.io_bitmap[0] && i < LAB_PORT_STRIDE; i++)
        allow_port(&p->intercepts, LAB_PORT_BASE + LAB_PORT_STRIDE * (unsigned)channel + i);
    return true;
}

/* --- what the parent asked for ---------------------------------------------------------- */

static enum hv_status install_io(struct intercepts *in, uint16_t first, uint16_t last, uint32_t access)
{
    if (last < first || access & ~(HV_INTERCEPT_READ | HV_INTERCEPT_WRITE))
        return HV_STATUS_INVALID_PARAMETER;
    for (unsigned i = 0; i < in->io_count; i++) {
        if (in->io[i].first == first && in->io[i].last == last) {
            in->io[i].access = (uint8_t)access;
            return HV_STATUS_SUCCESS;
        }
    }
    if (in->io_count == INTERCEPT_RANGES)
        return HV_STATUS_NO_RESOURCES;
    in->io[in->io_count].first = first;
    in->io[in->io_count].last = last;
    in->io[in->io_count++].access = (uint8_t)access;
    return HV_STATUS_SUCCESS;
}

static enum hv_status install_cpuid(struct intercepts *in, uint32_t leaf, uint32_t access)
{
    if (access & ~HV_INTERCEPT_EXECUTE)
        return HV_STATUS_INVALID_PARAMETER;
    for (unsigned i = 0; i < in->cpuid_count; i++) {
        if (in->cpuid[i] == leaf) {
            if (!access)
                in->cpuid[i] = in->cpuid[--in->cpuid_count];
            return HV_STATUS_SUCCESS;
        }
    }
    if (!access)
        return HV_STATUS_SUCCESS;
    if (in->cpuid_count == INTERCEPT_CPUIDS)
        return HV_STATUS_NO_RESOURCES;
    in->cpuid[in->cpuid_count++] = leaf;
    return HV_STATUS_SUCCESS;
}

enum hv_status intercept_install(struct partition *p, uint32_t type, uint32_t access, uint64_t parameter)
{
    struct intercepts *in = &p->intercepts;
    switch (type) {
    case HV_INTERCEPT_IO_PORT:
        if (parameter > 0xFFFF)
            return HV_STATUS_INVALID_PARAMETER;
        return install_io(in, (uint16_t)parameter, (uint16_t)parameter, access);
    case HV_INTERCEPT_IO_PORT_RANGE:
        if (parameter >> 32)
            return HV_STATUS_INVALID_PARAMETER;
        return install_io(in, (uint16_t)parameter, (uint16_t)(parameter >> 16), access);
    case HV_INTERCEPT_MSR:
        if (access & ~(HV_INTERCEPT_READ | HV_INTERCEPT_WRITE))
            return HV_STATUS_INVALID_PARAMETER;
        in->msr_access = (uint8_t)access;
        return HV_STATUS_SUCCESS;
    case HV_INTERCEPT_CPUID:
        return install_cpuid(in, (uint32_t)parameter, access);
    default:
        return HV_STATUS_INVALID_PARAMETER;
    }
}

bool intercept_wants_io(const struct partition *p, uint16_t port, unsigned size, bool write)
{
    const struct intercepts *in = &p->intercepts;
    unsigned wanted = write ? HV_INTERCEPT_WRITE : HV_INTERCEPT_READ;
    for (unsigned i = 0; i < in->io_count; i++)
        if (in->io[i].access & wanted && port <= in->io[i].last && port + size > in->io[i].first)
            return true;
    return false;
}

bool intercept_wants_cpuid(const struct partition *p, uint32_t leaf)
{
    for (unsigned i = 0; i < p->intercepts.cpuid_count; i++)
        if (p->intercepts.cpuid[i] == leaf)
            return true;
    return false;
}

/* --- records ---------------------------------------------------------------------------------- */

static uint16_t execution_state(struct vp *vp)
{
    uint64_t cr0 = arch_vmread(VMCS_GUEST_CR0), efer = arch_vmread(VMCS_GUEST_EFER);
    uint64_t blocked = arch_vmread(VMCS_GUEST_INTERRUPTIBILITY);
    unsigned cpl = (unsigned)arch_vmread(VMCS_GUEST_SS_RIGHTS) >> 5 & 3;
    return (uint16_t)(cpl | (cr0 & CR0_PE ? 1u << 2 : 0) | (cr0 & CR0_AM ? 1u << 3 : 0) | (efer & EFER_LMA ? 1u << 4 : 0)
                      | (vp->pending_event ? 1u << 6 : 0)
                      | (blocked & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS) ? 1u << 12 : 0));
}

static struct hv_intercept_header header(struct vp *vp, uint8_t access)
{
    return (struct hv_intercept_header){
        .vp_index = vp->index,
        .instruction_length = (uint8_t)((arch_vmread(VMCS_EXIT_INSTRUCTION_LENGTH) & 15) | (vapic_tpr(vp) & 0xF0)),
        .access = access,
        .execution_state = execution_state(vp),
        .cs_base = arch_vmread(VMCS_GUEST_CS_BASE),
        .cs_limit = (uint32_t)arch_vmread(VMCS_GUEST_CS_LIMIT),
        .cs_selector = (uint16_t)arch_vmread(VMCS_GUEST_CS_SELECTOR),
        .cs_attributes = (uint16_t)arch_vmread(VMCS_GUEST_CS_RIGHTS),
        .rip = arch_vmread(VMCS_GUEST_RIP),
        .rflags = arch_vmread(VMCS_GUEST_RFLAGS),
    };
}

/* Suspends first: the parent's answer must find the VP waiting. */
static void report(struct vp *vp, uint32_t type, const void *record, size_t size)
{
    struct partition *parent = vp->partition->parent;
    struct vp *receiver = parent ? parent->vp[0] : NULL;
    struct hv_message message = { .type = type, .payload_size = (uint8_t)size, .sender = vp->partition->id };
    memcpy(message.payload, record, size);
    sched_suspend(vp, SUSPEND_INTERCEPT);
    if (!receiver || synic_post(receiver, INTERCEPT_SINT, &message) != HV_STATUS_SUCCESS)
        vp_die(vp, "an intercept (%x) that its parent does not take", type);
}

void intercept_io(struct vp *vp, uint64_t qualification)
{
    enum { IN = 1 << 3, STRING = 1 << 4, REP = 1 << 5 };
    const uint64_t *gpr = vp->context.gpr;
    struct hv_intercept_io r = {
        .header = header(vp, qualification & IN ? 0 : 1),
        .port = (uint16_t)(qualification >> 16),
        .access_info = (uint8_t)(((qualification & 7) + 1) | (qualification & STRING ? 8 : 0) | (qualification & REP ? 16 : 0)),
        .rax = gpr[GPR_RAX], .rcx = gpr[GPR_RCX], .rsi = gpr[GPR_RSI], .rdi = gpr[GPR_RDI],
    };
    report(vp, HV_MESSAGE_IO_INTERCEPT, &r, sizeof(r));
}

void intercept_msr(struct vp *vp, bool write)
{
    const uint64_t *gpr = vp->context.gpr;
    struct hv_intercept_msr r = {
        .header = header(vp, write), .msr = (uint32_t)gpr[GPR_RCX], .rdx = gpr[GPR_RDX], .rax = gpr[GPR_RAX],
    };
    report(vp, HV_MESSAGE_MSR_INTERCEPT, &r, sizeof(r));
}

void intercept_cpuid(struct vp *vp, const struct cpuid_result *d)
{
    const uint64_t *gpr = vp->context.gpr;
    struct hv_intercept_cpuid r = {
        .header = header(vp, 2), .rax = gpr[GPR_RAX], .rcx = gpr[GPR_RCX], .rdx = gpr[GPR_RDX], .rbx = gpr[GPR_RBX],
        .default_rax = d->eax, .default_rcx = d->ecx, .default_rdx = d->edx, .default_rbx = d->ebx,
    };
    report(vp, HV_MESSAGE_CPUID_INTERCEPT, &r, sizeof(r));
}

void intercept_memory(struct vp *vp, uint64_t gpa, uint64_t qualification)
{
    uint8_t access = qualification & EPT_QUAL_FETCH ? 2 : qualification & EPT_QUAL_WRITE ? 1 : 0;
    bool has_gva = qualification & EPT_QUAL_LINEAR;
    struct hv_intercept_memory r = {
        .header = header(vp, access),
        .info = has_gva ? 1 | (qualification & EPT_QUAL_FINAL ? 2 : 0) : 0,
        .tpr = vapic_tpr(vp),
        .gva = has_gva ? arch_vmread(VMCS_GUEST_LINEAR_ADDRESS) : 0,
        .gpa = gpa,
    };
    struct gpa_mapping m;
    bool mapped = gpa_lookup(vp->partition, gpa, &m);
    report(vp, mapped ? HV_MESSAGE_GPA_INTERCEPT : HV_MESSAGE_UNMAPPED_GPA, &r, sizeof(r));
}
