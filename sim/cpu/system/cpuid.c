/* CPUID, from the model's table. */
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"
#include "spec/x86/clock.h"

enum { MAX_BASIC = 0x16, APIC_ENABLED = 1 << 11 };

static const struct {
    uint32_t leaf, subleaf, out[4]; /* EAX, EBX, ECX, EDX */
} model[] = {
#define CPUID(leaf, subleaf, eax, ebx, ecx, edx) { leaf, subleaf, { eax, ebx, ecx, edx } },
#include "spec/x86/cpuid_e5.def"
#undef CPUID
};

_Static_assert(CLOCK_TSC_PER_CRYSTAL == 84 && CLOCK_CRYSTAL_HZ == 25000000, "leaf 15H says so too");

static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb;
}

static void look_up(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 16);
    for (unsigned i = 0; i < sizeof(model) / sizeof(model[0]); i++) {
        if (model[i].leaf == leaf && (model[i].subleaf == subleaf || !has_subleaves(leaf))) {
            memcpy(out, model[i].out, 16);
            return;
        }
    }
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

void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    unsigned count = cpu->machine->cpu_count;
    unsigned id_space = 1u << id_bits(cpu);

    if (leaf > MAX_BASIC && (leaf < 0x80000000u || leaf > 0x80000008u)) {
        leaf = MAX_BASIC;
    }
    look_up(leaf, subleaf, out);
    switch (leaf) {
    case 1:
        out[1] |= (cpu->index & 0xff) << 24 | (id_space & 0xff) << 16;
        out[2] |= cpu->machine->config.vtx ? 1u << 5 : 0;
        out[3] |= cpu->msr.apic_base & APIC_ENABLED ? 1u << 9 : 0;
        out[3] |= count > 1 ? 1u << 28 : 0;
        break;
    case 4:
        if (out[0]) {
            out[0] |= (id_space - 1) << 26;
            out[0] |= subleaf == 3 ? (id_space - 1) << 14 : 0; /* L3 is shared by all */
        }
        break;
    case 0xb:
        out[2] = (out[2] & ~0xffu) | (subleaf & 0xff);
        out[3] = cpu->index;
        if (subleaf == 1) {
            out[0] = id_bits(cpu);
            out[1] = count;
        }
        break;
    default:
        break;
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
