/* Tier 1 with the timing model: other names; every access and branch is reported. */
#define NAME(name) timed_##name
#define TIMED 1
#include "sim/cpu/exec/tier_record.h"
