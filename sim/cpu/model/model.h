/* Processor models: which processor a machine pretends to have.
 *
 * A model is data (spec/x86/cpus/): name, vendor, signature, features, CPUID leaves, a few MSR values.  A machine gets
 * one when it is made and keeps it; all its processors are alike.  Whoever needs to know asks cpu_has() for a feature
 * and cpu_is_amd() for what the vendors do differently without a feature bit.
 *
 * First, what is offered is less than what a model wants: features that hvlab lacks (features.def) are masked, with all
 * that makes no sense without them.  Second, a model can be changed by who names it: "intel-v3,-PCID,+UMIP,phys-bits=36".
 * Third, a bench of the unit tests may have no model at all (machine->model is NULL): it has every feature.
 */
#ifndef SIM_CPU_MODEL_MODEL_H
#define SIM_CPU_MODEL_MODEL_H

#include "sim/cpu/cpu.h"
#include "sim/cpu/features.h"
#include "sim/machine.h"

enum cpu_vendor { CPU_VENDOR_INTEL, CPU_VENDOR_AMD };

struct cpu_leaf { uint32_t leaf, subleaf, out[4]; };              /* EAX, EBX, ECX, EDX without feature bits */
struct cpu_constant { uint32_t index; uint64_t value; };          /* an MSR's */

struct cpu_model {
    const char *name, *text, *brand;
    enum cpu_vendor vendor;
    uint32_t signature;                 /* CPUID.1:EAX */
    uint8_t physical_bits, linear_bits; /* linear: without LA57 */
    uint32_t basic_max, extended_max;   /* highest leaves */
    const uint16_t *features;           /* wanted [enum cpu_feature] */
    unsigned feature_count;
    const struct cpu_leaf *leaves;
    unsigned leaf_count;
    const struct cpu_constant *constants;
    unsigned constant_count;
};

/* The n-th model of the list, or NULL behind the last. */
const struct cpu_model *cpu_model_at(unsigned n);
/* The model whose name is the first 'length' characters of 'name', or NULL. */
const struct cpu_model *cpu_model_find(const char *name, size_t length);
const char *cpu_model_vendor_name(const struct cpu_model *); /* "Intel" */

/* Gives the machine the model that 'text' names: NAME[,+FEATURE|,-FEATURE|,phys-bits=N]...  'vtx' false takes VMX away.
 * False with a message in 'error': no such model or feature, or one that hvlab lacks. */
bool cpu_model_apply(struct machine *, const char *text, bool vtx, char *error, unsigned error_size);
/* Where its name and what the command line changed are saved and compared. */
void cpu_model_state(struct machine *, struct state *);

/* Family, model and stepping as CPUID.1:EAX and, after RESET, EDX have them. */
uint32_t cpu_model_signature(const struct cpu *);
/* Of the model, or 'otherwise' when it does not say. */
uint64_t cpu_model_constant(const struct machine *, uint32_t msr, uint64_t otherwise);

const char *cpu_feature_name(enum cpu_feature);
/* False: hvlab lacks it. */
bool cpu_feature_is_implemented(enum cpu_feature);

/* NULL: every feature. */
static inline const struct cpu_features *machine_features(const struct machine *m)
{
    return m->model ? &m->features : NULL;
}

static inline bool cpu_has(const struct cpu *cpu, enum cpu_feature feature)
{
    return !cpu->machine->model || cpu_features_has(&cpu->machine->features, feature);
}

static inline bool cpu_is_amd(const struct cpu *cpu)
{
    return cpu->machine->model && cpu->machine->model->vendor == CPU_VENDOR_AMD;
}

/* SDM Vol 1 "Canonicality Checking": bases, MSRs, INVLPG and INVPCID ask what CPUID, not what CR4 says. */
static inline unsigned cpu_linear_bits(const struct cpu *cpu)
{
    return cpu->machine->model && cpu_has(cpu, CPU_LA57) ? 57 : 48;
}

static inline bool cpu_canonical_base(const struct cpu *cpu, uint64_t linear)
{
    unsigned spare = 64 - cpu_linear_bits(cpu);
    return (uint64_t)((int64_t)(linear << spare) >> spare) == linear;
}

/* IA32_MISC_ENABLE can take NX and the higher leaves of CPUID away (SDM Vol 4); AMD's parts have no such register. */
static inline bool cpu_offers_nx(const struct cpu *cpu)
{
    return cpu_has(cpu, CPU_NX) && !(cpu->msr.misc_enable >> 34 & 1);
}

static inline unsigned cpu_physical_bits(const struct cpu *cpu)
{
    return cpu->machine->physical_bits ? cpu->machine->physical_bits : (unsigned)CPU_PHYS_BITS;
}

#endif
