/* The fake processor; see arch_fake.h. */
#include "tests/fakes/arch_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hv/arch/lp_arch.h"
#include "hv/vmx/vmx.h"

struct fake fake;

enum { VMCS_FIELDS = 1024, VMCS_MAX = 160, MSRS = 64, PAUSES_MAX = 1000000 };

static uint8_t memory[FAKE_MEMORY] __attribute__((aligned(4096)));
static struct { uint64_t spa; uint64_t field[VMCS_FIELDS]; } vmcs[VMCS_MAX];
static unsigned vmcs_count;
static int current[FAKE_LPS] = { -1, -1, -1, -1 };
static struct { uint32_t index; uint64_t value; } msr[MSRS];
static unsigned msr_count;
static uint64_t cr2;

static void stop(const char *why)
{
    fprintf(stderr, "fake processor: %s\n%s", why, fake.log);
    abort();
}

void *arch_spa_pointer(uint64_t spa)
{
    if (spa >= FAKE_MEMORY)
        stop("an address outside memory is used");
    return memory + spa;
}
uint64_t arch_pointer_spa(const void *p) { return (uint64_t)((const uint8_t *)p - memory); }

/* --- registers ----------------------------------------------------------------------- */

uint64_t arch_rdmsr(uint32_t index)
{
    for (unsigned i = 0; i < msr_count; i++)
        if (msr[i].index == index)
            return msr[i].value;
    return 0;
}

void arch_wrmsr(uint32_t index, uint64_t value)
{
    for (unsigned i = 0; i < msr_count; i++) {
        if (msr[i].index == index) {
            msr[i].value = value;
            return;
        }
    }
    if (msr_count == MSRS)
        stop("more MSRs than expected");
    msr[msr_count].index = index;
    msr[msr_count++].value = value;
}

struct cpuid_result arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    switch (leaf) {
    case 0: return (struct cpuid_result){ 0x16, 0, 0, 0 };
    case 1: return (struct cpuid_result){ 0x206D7, 0x00020800, 0xFFFFFFFF, 0xFFFFFFFF };
    case 7: return (struct cpuid_result){ 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF };
    case 0x80000001: return (struct cpuid_result){ 0, 0, 1, fake.edx_ext1 };
    default: return (struct cpuid_result){ 0, 0, 0, 0 };
    }
}

uint64_t arch_tsc(void) { return fake.tsc += FAKE_TSC_STEP; }

void arch_pause(void)
{
    if (fake.pause)
        fake.pause();
    if (++fake.pauses > PAUSES_MAX)
        stop("waits for ever");
}

uint64_t arch_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 q = (unsigned __int128)a * b / c;
    if (q >> 64)
        stop("division overflow: a fault in the hypervisor");
    return (uint64_t)q;
}
uint64_t arch_mul_high(uint64_t a, uint64_t b) { return (uint64_t)((unsigned __int128)a * b >> 64); }

uint8_t arch_in8(uint16_t port) { (void)port; return 0xFF; }
uint32_t arch_in32(uint16_t port) { (void)port; return UINT32_MAX; }
void arch_out8(uint16_t port, uint8_t value)
{
    if (port == 0x3F8 && fake.log_length + 1 < sizeof(fake.log))
        fake.log[fake.log_length++] = (char)value;
}
void arch_out32(uint16_t port, uint32_t value)
{
    (void)value;
    if (port != 0xF4)
        return;
    if (fake.panic)
        longjmp(*fake.panic, 1);
    stop("the hypervisor panicked");
}

void arch_invalidate_page(uint64_t linear) { (void)linear; }
void arch_flush_tlb(void) {}
struct lp *arch_lp_self(void) { return hv.lp[fake.lp]; }
void arch_wait(void) { stop("a processor would sleep"); }

void arch_fxsave(void *area) { (void)area; }
void arch_fxrstor(const void *area) { (void)area; }
void arch_dr_save(uint64_t dr[5]) { (void)dr; }
void arch_dr_load(const uint64_t dr[5]) { (void)dr; }
void arch_write_cr2(uint64_t v) { cr2 = v; }
uint64_t arch_read_cr2(void) { return cr2; }

/* --- VMX ---------------------------------------------------------------------------------- */

static int find_vmcs(uint64_t spa)
{
    for (unsigned i = 0; i < vmcs_count; i++)
        if (vmcs[i].spa == spa)
            return (int)i;
    if (vmcs_count == VMCS_MAX)
        stop("more VMCSs than expected");
    memset(&vmcs[vmcs_count], 0, sizeof(vmcs[0]));
    vmcs[vmcs_count].spa = spa;
    return (int)vmcs_count++;
}

static unsigned field_index(uint32_t field)
{
    unsigned index = field >> 1 & 0x1FF;
    if (index >= 64)
        stop("a VMCS field that does not exist");
    return index | (field >> 10 & 3) << 6 | (field >> 13 & 3) << 8;
}

bool arch_vmxon(uint64_t spa) { (void)spa; return true; }

bool arch_vmclear(uint64_t spa)
{
    int n = find_vmcs(spa);
    for (unsigned lp = 0; lp < FAKE_LPS; lp++) {
        if (current[lp] != n)
            continue;
        if (lp != fake.lp)
            stop("VMCLEAR of a VMCS that is current elsewhere");
        current[lp] = -1;
    }
    return true;
}

bool arch_vmptrld(uint64_t spa)
{
    int n = find_vmcs(spa);
    for (unsigned lp = 0; lp < FAKE_LPS; lp++)
        if (lp != fake.lp && current[lp] == n)
            stop("VMPTRLD of a VMCS that is current elsewhere");
    current[fake.lp] = n;
    return true;
}

static uint64_t *slot(uint32_t field)
{
    if (current[fake.lp] < 0)
        stop("VMREAD or VMWRITE without a current VMCS");
    return &vmcs[current[fake.lp]].field[field_index(field)];
}

uint64_t arch_vmread(uint32_t field) { return *slot(field); }
void arch_vmwrite(uint32_t field, uint64_t value) { *slot(field) = value; }
void arch_invept_context(uint64_t eptp) { (void)eptp; fake.inveptions++; }
void arch_invvpid_context(uint16_t vpid) { (void)vpid; }

char vmx_exit_entry[1];

uint64_t vmx_enter(struct vp_context *context)
{
    struct vp *vp = (struct vp *)context;
    *slot(VMCS_IDT_VECTORING_INFO) = 0;
    *slot(VMCS_EXIT_INSTRUCTION_LENGTH) = 3;
    if (!fake.guest)
        stop("a guest would run");
    fake.guest(vp);
    *slot(VMCS_ENTRY_INTERRUPTION_INFO) = 0; /* as a VM exit does with the valid bit */
    context->launched = 1;
    return 0;
}

void fake_set_exit(uint32_t reason, uint64_t qualification)
{
    arch_vmwrite(VMCS_EXIT_REASON, reason);
    arch_vmwrite(VMCS_EXIT_QUALIFICATION, qualification);
}

/* --- lp_arch ---------------------------------------------------------------------------------- */

uint64_t lp_arch_gdt(const struct lp *lp) { (void)lp; return 0; }
uint64_t lp_arch_tss(const struct lp *lp) { (void)lp; return 0; }
uint64_t lp_arch_idt(void) { return 0; }
void lp_arch_vmx_control_registers(void) {}
void lp_arch_host(struct lp_arch_host *h) { memset(h, 0, sizeof(*h)); }

/* The interrupt takes the other LP out of its guest at once. */
void lp_kick(struct lp *lp)
{
    fake.kicks[lp->index]++;
    if (lp->in_guest) {
        lp->in_guest = 0;
        lp->entries++;
    }
}

void lp_interrupt(unsigned vector) { (void)vector; }
void lp_set_deadline(struct lp *lp, uint64_t tsc) { lp->deadline = tsc; }

void fake_reset(void);
void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    vmcs_count = 0;
    if (madvise(memory, sizeof(memory), MADV_DONTNEED)) /* zeroes again, without touching what was not used */
        memset(memory, 0, sizeof(memory));
    for (unsigned i = 0; i < FAKE_LPS; i++)
        current[i] = -1;
    msr_count = 0;
    fake.tsc = 1000000;
    fake.edx_ext1 = 1u << 26 | 1u << 29 | 1u << 20;
}
