/* MSR areas of VM entry and VM exit (SDM Vol 3C "Loading MSRs", "Saving MSRs").
 *
 * An entry is 16 bytes: index, 32 zero bits, data.  Loads act as WRMSR at CPL 0, one
 * after the other: entries before a bad one have taken effect. */
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vmx/vmx_priv.h"

enum {
    MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101, MSR_SMM_MONITOR_CTL = 0x9b, MSR_SMBASE = 0x9e,
    MSR_BIOS_UPDT_TRIG = 0x79, MSR_BIOS_SIGN_ID = 0x8b,
};

struct msr_entry { uint32_t index, reserved; uint64_t data; };
_Static_assert(sizeof(struct msr_entry) == VMX_MSR_ENTRY_SIZE, "SDM \"VM-Exit Controls for MSRs\"");

static bool
read_entry(struct cpu *cpu, uint64_t address, struct msr_entry *e)
{
    if (mem_read(cpu->machine->mem, address, e, sizeof *e)) {
        return true;
    }
    *e = (struct msr_entry){ UINT32_MAX, UINT32_MAX, UINT64_MAX }; /* not RAM: reads as ones */
    return false;
}

static bool
is_x2apic(uint32_t index)
{
    return index >> 8 == 8;
}

static bool
only_in_smm(uint32_t index)
{
    return index == MSR_SMM_MONITOR_CTL || index == MSR_SMBASE;
}

static enum vmx_rule
load_one(struct cpu *cpu, const struct msr_entry *e)
{
    REQUIRE(ENTRY_MSR_RSVD, e->reserved == 0);
    REQUIRE(ENTRY_MSR_FSGS, e->index != (uint32_t)MSR_FS_BASE && e->index != (uint32_t)MSR_GS_BASE);
    REQUIRE(ENTRY_MSR_X2APIC, !is_x2apic(e->index));
    REQUIRE(ENTRY_MSR_SMM, !only_in_smm(e->index));
    REQUIRE(ENTRY_MSR_MODEL, e->index != MSR_BIOS_UPDT_TRIG && e->index != MSR_BIOS_SIGN_ID);
    REQUIRE(ENTRY_MSR_GP, cpu_wrmsr(cpu, e->index, e->data) != EXEC_FAULT);
    return VMX_RULE_NONE;
}

uint32_t
vmx_msr_load(struct cpu *cpu, uint64_t address, uint32_t count, enum vmx_rule *rule)
{
    for (uint32_t i = 0; i < count; i++) {
        struct msr_entry e;
        if (i >= cpu->vmx->caps.msr_list_max) {
            *rule = VMX_RULE_ENTRY_MSR_COUNT;
            return i + 1;
        }
        read_entry(cpu, address + (uint64_t)i * sizeof e, &e);
        *rule = load_one(cpu, &e);
        if (*rule) {
            return i + 1;
        }
    }
    *rule = VMX_RULE_NONE;
    return 0;
}

bool
vmx_msr_store(struct cpu *cpu, uint64_t address, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = address + (uint64_t)i * VMX_MSR_ENTRY_SIZE, value;
        struct msr_entry e;
        read_entry(cpu, at, &e);
        if (i >= cpu->vmx->caps.msr_list_max || e.reserved || is_x2apic(e.index) || only_in_smm(e.index) ||
            cpu_rdmsr(cpu, e.index, &value) != EXEC_OK) {
            return false;
        }
        mem_write(cpu->machine->mem, at + VMX_MSR_ENTRY_DATA, &value, sizeof value);
    }
    return true;
}
