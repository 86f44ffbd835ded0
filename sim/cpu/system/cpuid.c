/* CPUID: the model's leaves, the features in them, and what depends on processor and machine. */
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/pmu.h"
#include "sim/cpu/system/sys.h"
#include "sim/cpu/system/xsave.h"
#include "sim/machine.h"
#include "spec/x86/clock.h"

enum {
    APIC_ENABLED = 1 << 11,
    CLFLUSH_LINE = 8 << 8,          /* leaf 1 EBX [quadwords] */
    LEAF1_ON_AMD_TOO = 0x0183f3ff,  /* EDX bits that 80000001H repeats */
};

_Static_assert(CLOCK_TSC_PER_CRYSTAL == 21 && CLOCK_CRYSTAL_HZ == 100000000, "leaf 15H of the models says so too");

static const struct { uint32_t leaf; uint8_t subleaf, reg, bit; } places[CPU_FEATURE_COUNT] = {
#define FEATURE(name, leaf, subleaf, reg, bit, state) [CPU_##name] = { leaf, subleaf, reg, bit },
#include "spec/x86/features.def"
#undef FEATURE
};

static const struct cpu_model *model_of(const struct cpu *cpu)
{
    return cpu->machine->model ? cpu->machine->model : cpu_model_at(0);
}

static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
}

static const struct cpu_leaf *find_leaf(const struct cpu_model *model, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < model->leaf_count; i++) {
        if (model->leaves[i].leaf == leaf && (model->leaves[i].subleaf == subleaf || !has_subleaves(leaf))) {
            return &model->leaves[i];
        }
    }
    return NULL;
}

static void add_features(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    for (unsigned f = 1; f < CPU_FEATURE_COUNT; f++) {
        if (places[f].leaf == leaf && (places[f].subleaf == subleaf || !has_subleaves(leaf)) &&
            cpu_has(cpu, (enum cpu_feature)f)) {
            out[places[f].reg] |= 1u << places[f].bit;
        }
    }
}

static void set_bit(uint32_t out[4], enum cpu_feature feature, bool on)
{
    uint32_t bit = 1u << places[feature].bit;

    out[places[feature].reg] = on ? out[places[feature].reg] | bit : out[places[feature].reg] & ~bit;
}

/* Bits that hold the number of a processor in the package. */
static unsigned id_bits(const struct cpu *cpu)
{
    unsigned bits = 0;

    while (1u << bits < cpu->machine->cpu_count) {
        bits++;
    }
    return bits;
}

/* Highest basic leaf; IA32_MISC_ENABLE[22] limits it for systems that choke on more. */
static uint32_t basic_max(const struct cpu *cpu)
{
    return cpu->msr.misc_enable >> 22 & 1 ? 2 : model_of(cpu)->basic_max;
}

/* EBX, EDX, ECX of leaf 0: 12 characters. */
static void put_vendor(const struct cpu_model *model, uint32_t out[4])
{
    const char *text = model->vendor == CPU_VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel";

    memcpy(&out[1], text, 4);
    memcpy(&out[3], text + 4, 4);
    memcpy(&out[2], text + 8, 4);
}

static void leaf_1(const struct cpu *cpu, uint32_t out[4])
{
    unsigned count = cpu->machine->cpu_count;
    unsigned ids = cpu_is_amd(cpu) ? count : 1u << id_bits(cpu);

    out[0] = model_of(cpu)->signature;
    out[1] |= CLFLUSH_LINE | (cpu->index & 0xff) << 24 | (ids & 0xff) << 16;
    set_bit(out, CPU_APIC, out[3] >> places[CPU_APIC].bit & 1 && cpu->msr.apic_base & APIC_ENABLED);
    set_bit(out, CPU_HTT, count > 1);
    set_bit(out, CPU_OSXSAVE, cpu->cr4 & CR4_OSXSAVE);
}

/* Caches: leaf 4 of Intel, 8000001DH of AMD.  The last level is shared by all, the others are a core's own. */
static void leaf_cache(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    uint32_t sharing = cpu_is_amd(cpu) ? cpu->machine->cpu_count - 1 : (1u << id_bits(cpu)) - 1;

    if (!out[0]) {
        return;
    }
    out[0] |= find_leaf(model_of(cpu), leaf, subleaf + 1) ? 0 : sharing << 14;
    out[0] |= leaf == 4 ? ((1u << id_bits(cpu)) - 1) << 26 : 0;
}

/* One thread a core: SDM Vol 2 "CPUID", leaf 0BH.  Who has no x2APIC has no such leaf. */
static void leaf_topology(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
    if (!cpu_has(cpu, CPU_X2APIC)) {
        return;
    }
    out[1] = subleaf == 0 ? 1 : subleaf == 1 ? cpu->machine->cpu_count : 0;
    out[2] = (subleaf & 0xff) | (subleaf < 2 ? (subleaf + 1) << 8 : 0);
    out[3] = cpu->index;
    if (subleaf == 1) {
        out[0] = id_bits(cpu);
    }
}

static void leaf_extended_1(const struct cpu *cpu, uint32_t out[4])
{
    uint32_t leaf1[4];

    set_bit(out, CPU_NX, cpu_offers_nx(cpu));
    if (cpu_is_amd(cpu)) {
        cpu_cpuid(cpu, 1, 0, leaf1);
        out[0] = leaf1[0];
        out[3] |= leaf1[3] & LEAF1_ON_AMD_TOO;
        set_bit(out, CPU_CMP_LEGACY, cpu->machine->cpu_count > 1);
    }
}

static void leaf_brand(const struct cpu *cpu, unsigned part, uint32_t out[4])
{
    char text[48] = { 0 };

    memcpy(text, model_of(cpu)->brand, strlen(model_of(cpu)->brand));
    memcpy(out, text + part * 16, 16);
}

static void leaf_widths(const struct cpu *cpu, uint32_t out[4])
{
    unsigned linear = cpu_has(cpu, CPU_LA57) ? 57 : model_of(cpu)->linear_bits;

    out[0] = linear << 8 | cpu_physical_bits(cpu);
    if (cpu_is_amd(cpu)) {
        out[2] = (cpu->machine->cpu_count - 1) | id_bits(cpu) << 12;
    }
}

static void leaf_extended(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    switch (leaf) {
    case 0x80000000:
        out[0] = model_of(cpu)->extended_max;
        if (cpu_is_amd(cpu)) {
            put_vendor(model_of(cpu), out);
        }
        break;
    case 0x80000001: leaf_extended_1(cpu, out); break;
    case 0x80000002: case 0x80000003: case 0x80000004: leaf_brand(cpu, leaf - 0x80000002, out); break;
    case 0x80000008: leaf_widths(cpu, out); break;
    case 0x8000001d: leaf_cache(cpu, leaf, subleaf, out); break;
    case 0x8000001e:
        out[0] = cpu->index;
        out[1] = cpu->index & 0xff; /* a core of one thread */
        break;
    default: break;
    }
}

static void leaf_basic(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[0] = basic_max(cpu);
        put_vendor(model_of(cpu), out);
        break;
    case 1: leaf_1(cpu, out); break;
    case 4: leaf_cache(cpu, leaf, subleaf, out); break;
    case 7:
        if (subleaf == 0) {
            set_bit(out, CPU_OSPKE, cpu->cr4 & CR4_PKE);
        }
        break;
    case 0xb: leaf_topology(cpu, subleaf, out); break;
    case 0xd: xsave_cpuid(cpu, subleaf, out); break;
    default: break;
    }
}

/* Beyond the highest leaf Intel shows the highest basic one ("CPUID - CPU Identification"), AMD nothing. */
void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct cpu_model *model = model_of(cpu);

    memset(out, 0, 16);
    if (leaf > (leaf >> 31 ? model->extended_max : basic_max(cpu))) {
        if (model->vendor == CPU_VENDOR_AMD) {
            return;
        }
        leaf = basic_max(cpu);
    }
    const struct cpu_leaf *row = find_leaf(model, leaf, subleaf);
    if (row) {
        memcpy(out, row->out, 16);
    }
    add_features(cpu, leaf, subleaf, out);
    if (leaf >> 31) {
        leaf_extended(cpu, leaf, subleaf, out);
    } else {
        leaf_basic(cpu, leaf, subleaf, out);
    }
}

enum exec_result sys_cpuid(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t out[4];

    TRY(sys_intercept_plain(cpu, insn, VTX_CPUID));
    sys_charge(cpu, CHARGE_CPUID);
    cpu_cpuid(cpu, (uint32_t)cpu->gpr[RAX], (uint32_t)cpu->gpr[RCX], out);
    cpu->gpr[RAX] = out[0];
    cpu->gpr[RBX] = out[1];
    cpu->gpr[RCX] = out[2];
    cpu->gpr[RDX] = out[3];
    return EXEC_OK;
}
