/* Which features the machine's processor model reports; spec/x86/features.def has the list.
 *
 * The set belongs to the machine (all processors are alike), is fixed when the machine is made and never saved.
 */
#ifndef SIM_CPU_FEATURES_H
#define SIM_CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_feature {
    CPU_ALWAYS, /* of every model */
#define FEATURE(name, leaf, subleaf, reg, bit, state) CPU_##name,
#include "spec/x86/features.def"
#undef FEATURE
    CPU_FEATURE_COUNT
};

struct cpu_features { uint64_t bits[(CPU_FEATURE_COUNT + 63) / 64]; };

static inline bool cpu_features_has(const struct cpu_features *f, enum cpu_feature which)
{
    return which == CPU_ALWAYS || f->bits[which / 64] >> (which % 64) & 1;
}

#endif
