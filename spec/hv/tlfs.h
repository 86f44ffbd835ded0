/* The hypervisor interface: facts of the Hypervisor Top Level Functional
 * Specification (TLFS), shared by the hypervisor, the parent partition's
 * kernel, VMBus and the guests.  No logic.
 *
 * Everything is little-endian; GPFN/SPFN are page numbers (address >> 12).
 * Where the TLFS leaves something to the implementation, or hvlab adds
 * something of its own, the comment begins with "hvlab:".
 *
 *   cpuid.h      leaves 0x40000000.., privileges, features, recommendations
 *   msrs.def     synthetic MSRs, one row each
 *   hypercalls.def, hypercall.h   calls and their input/output blocks
 *   status.h     result codes
 *   synic.h      messages, event flags, SINTs, synthetic timers, overlay pages
 *   registers.h  names for HvCallGet/SetVpRegisters
 *   intercept.h  intercept types and the records that the parent receives
 */
#ifndef SPEC_HV_TLFS_H
#define SPEC_HV_TLFS_H

#include "spec/hv/cpuid.h"
#include "spec/hv/hypercall.h"
#include "spec/hv/intercept.h"
#include "spec/hv/registers.h"
#include "spec/hv/status.h"
#include "spec/hv/synic.h"

enum hv_msr {
#define HV_MSR(index, name, access, privilege, reset) HV_MSR_##name = index,
#include "spec/hv/msrs.def"
#undef HV_MSR
};

#endif
