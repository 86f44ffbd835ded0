/* Facts of Intel VMX as enumerators: VMCS fields, controls, exit reasons, error
 * numbers, capability MSRs, and the bits of the formats that software reads.
 *
 * The tables are the .def files beside this header (their grammar is at their
 * top); here they become constants.  No logic: the processor model and the
 * hypervisor both include this and nothing else of each other.
 */
#ifndef SPEC_VMX_VMX_H
#define SPEC_VMX_VMX_H

/* VMCS_<NAME>: encodings of the full access.  The high half of a 64-bit field is
 * at encoding + 1. */
enum {
#define FIELD(encoding, NAME, name, width, type, exists) VMCS_##NAME = (encoding),
#include "spec/vmx/fields.def"
#undef FIELD
};

/* VMX_<WORD>_<NAME>: one bit each, e.g. VMX_PRIMARY_HLT, VMX_SECONDARY_EPT, VMX_ENTRY_GUEST_64. */
enum vmx_control {
#define CONTROL(WORD, bit, NAME, text) VMX_##WORD##_##NAME = (int)(1u << (bit)),
#include "spec/vmx/controls.def"
#undef CONTROL
};

/* VMX_EXIT_REASON_<NAME>: basic exit reasons. */
enum vmx_exit_reason {
#define EXIT_REASON(number, NAME, text, qualification, information) VMX_EXIT_REASON_##NAME = (number),
#include "spec/vmx/exit_reasons.def"
#undef EXIT_REASON
    VMX_EXIT_REASON_COUNT,
};
#define VMX_EXIT_ENTRY_FAILURE 0x80000000u /* bit 31 of the exit reason */

/* VMX_ERROR_<NAME>: VM-instruction error numbers. */
enum vmx_error {
    VMX_ERROR_NONE,
#define VMX_ERROR(number, NAME, text) VMX_ERROR_##NAME = (number),
#include "spec/vmx/errors.def"
#undef VMX_ERROR
};

/* SDM Vol 3D Appendix "VMX Capability Reporting Facility". */
enum {
    MSR_IA32_FEATURE_CONTROL = 0x3a,
    MSR_VMX_BASIC = 0x480,
    MSR_VMX_PINBASED_CTLS,
    MSR_VMX_PROCBASED_CTLS,
    MSR_VMX_EXIT_CTLS,
    MSR_VMX_ENTRY_CTLS,
    MSR_VMX_MISC,
    MSR_VMX_CR0_FIXED0,
    MSR_VMX_CR0_FIXED1,
    MSR_VMX_CR4_FIXED0,
    MSR_VMX_CR4_FIXED1,
    MSR_VMX_VMCS_ENUM,
    MSR_VMX_PROCBASED_CTLS2,
    MSR_VMX_EPT_VPID_CAP,
    MSR_VMX_TRUE_PINBASED_CTLS,
    MSR_VMX_TRUE_PROCBASED_CTLS,
    MSR_VMX_TRUE_EXIT_CTLS,
    MSR_VMX_TRUE_ENTRY_CTLS,
    MSR_VMX_VMFUNC,
};

/* Controls that must be 1 when software knows nothing of the TRUE MSRs
 * (SDM "Algorithms for Determining VMX Capabilities"). */
#define VMX_DEFAULT1_PIN 0x00000016u
#define VMX_DEFAULT1_PRIMARY 0x0401e172u
#define VMX_DEFAULT1_EXIT 0x00036dffu
#define VMX_DEFAULT1_ENTRY 0x000011ffu

/* IA32_VMX_EPT_VPID_CAP. */
#define EPT_CAP_EXECUTE_ONLY (1ull << 0)
#define EPT_CAP_4_LEVELS (1ull << 6)
#define EPT_CAP_5_LEVELS (1ull << 7)
#define EPT_CAP_UC (1ull << 8)
#define EPT_CAP_WB (1ull << 14)
#define EPT_CAP_2M (1ull << 16)
#define EPT_CAP_1G (1ull << 17)
#define EPT_CAP_INVEPT (1ull << 20)
#define EPT_CAP_AD (1ull << 21)
#define EPT_CAP_INVEPT_SINGLE (1ull << 25)
#define EPT_CAP_INVEPT_ALL (1ull << 26)
#define VPID_CAP_INVVPID (1ull << 32)
#define VPID_CAP_ADDRESS (1ull << 40)
#define VPID_CAP_SINGLE (1ull << 41)
#define VPID_CAP_ALL (1ull << 42)
#define VPID_CAP_SINGLE_GLOBAL (1ull << 43)

/* Event formats: VM-entry and VM-exit interruption information, IDT-vectoring
 * information (SDM "Event Injection", "Information for VM Exits Due to Vectored Events"). */
#define VMX_EVENT_VALID 0x80000000u
#define VMX_EVENT_ERROR 0x800u        /* deliver, or holds, an error code */
#define VMX_EVENT_NMI_UNBLOCKED 0x1000u
#define VMX_EVENT_TYPE_SHIFT 8
enum vmx_event_type {
    VMX_EVENT_EXTERNAL, VMX_EVENT_RESERVED, VMX_EVENT_NMI, VMX_EVENT_HARDWARE, VMX_EVENT_SOFTWARE_INT,
    VMX_EVENT_PRIVILEGED, VMX_EVENT_SOFTWARE_EXC, VMX_EVENT_OTHER,
};

/* Guest interruptibility state (SDM "Guest Non-Register State"). */
enum {
    VMX_BLOCKED_STI = 1, VMX_BLOCKED_MOV_SS = 2, VMX_BLOCKED_SMI = 4, VMX_BLOCKED_NMI = 8, VMX_BLOCKED_ENCLAVE = 16,
};
enum { VMX_ACTIVITY_ACTIVE, VMX_ACTIVITY_HLT, VMX_ACTIVITY_SHUTDOWN, VMX_ACTIVITY_WAIT_SIPI };

/* Pending debug exceptions. */
enum { VMX_PENDING_B = 0xf, VMX_PENDING_ENABLED = 1 << 12, VMX_PENDING_BS = 1 << 14 };

/* EPT entries and the EPT pointer (SDM "EPT Translation Mechanism"). */
enum {
    EPT_READ = 1, EPT_WRITE = 2, EPT_EXECUTE = 4, EPT_TYPE_SHIFT = 3, EPT_IGNORE_PAT = 1 << 6, EPT_LARGE = 1 << 7,
    EPT_ACCESSED = 1 << 8, EPT_DIRTY = 1 << 9, EPTP_WALK_SHIFT = 3, EPTP_AD = 1 << 6,
};
enum { MEMORY_TYPE_UC = 0, MEMORY_TYPE_WC = 1, MEMORY_TYPE_WT = 4, MEMORY_TYPE_WP = 5, MEMORY_TYPE_WB = 6 };

/* Exit qualification of EPT violations. */
enum {
    EPT_QUAL_READ = 1, EPT_QUAL_WRITE = 2, EPT_QUAL_FETCH = 4, EPT_QUAL_RIGHTS_SHIFT = 3, EPT_QUAL_LINEAR = 1 << 7,
    EPT_QUAL_FINAL = 1 << 8, EPT_QUAL_NMI_UNBLOCKED = 1 << 12,
};

/* One entry of a VM-exit or VM-entry MSR area: 16 bytes (SDM "VM-Exit Controls for MSRs"). */
enum { VMX_MSR_ENTRY_SIZE = 16, VMX_MSR_ENTRY_RESERVED = 4, VMX_MSR_ENTRY_DATA = 8 };

#endif
