/* The hypervisor's only mutable global: everything hangs off it. */
#include "hv/hv.h"

struct hv hv;
