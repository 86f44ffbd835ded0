/* System registers and structures of the processor: bits and layouts, no logic.
 *
 * Names are the manual's (SDM Vol 3A "System Architecture Overview", "Paging", "Interrupt and
 * Exception Handling"; Vol 4 for MSRs).
 */
#ifndef SPEC_X86_SYSTEM_H
#define SPEC_X86_SYSTEM_H

/* Control registers: SDM Vol 3A "Control Registers". */
#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR3_PCID_MASK 0xfffull
#define CR3_KEEP (1ull << 63) /* MOV to CR3 with PCIDE: do not invalidate */

#define CR4_VME (1ull << 0)
#define CR4_PVI (1ull << 1)
#define CR4_TSD (1ull << 2)
#define CR4_DE (1ull << 3)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_MCE (1ull << 6)
#define CR4_PGE (1ull << 7)
#define CR4_PCE (1ull << 8)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_LA57 (1ull << 12)
#define CR4_VMXE (1ull << 13)
#define CR4_SMXE (1ull << 14)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_PCIDE (1ull << 17)
#define CR4_OSXSAVE (1ull << 18)
#define XSTATE_YMM 6ull /* XCR0: SSE and AVX state */
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define CR4_PKE (1ull << 22)

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)
#define EFER_AIBRSE (1ull << 21)

/* RFLAGS: SDM Vol 1 "EFLAGS Register". */
#define RFLAGS_CF (1ull << 0)
#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_PF (1ull << 2)
#define RFLAGS_AF (1ull << 4)
#define RFLAGS_ZF (1ull << 6)
#define RFLAGS_SF (1ull << 7)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_OF (1ull << 11)
#define RFLAGS_IOPL (3ull << 12)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT (1ull << 14)
#define RFLAGS_RF (1ull << 16)
#define RFLAGS_VM (1ull << 17)
#define RFLAGS_AC (1ull << 18)
#define RFLAGS_VIF (1ull << 19)
#define RFLAGS_VIP (1ull << 20)
#define RFLAGS_ID (1ull << 21)
#define RFLAGS_STATUS 0x8d5ull
#define RFLAGS_ALL 0x3f7fd7ull /* every defined bit and the fixed one */

/* Paging-structure entries: SDM Vol 3A "Paging". */
#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_KEY_SHIFT 59 /* protection key, four bits */
#define PTE_NX (1ull << 63)

/* Page-fault error code: SDM Vol 3A "Page-Fault Exceptions". */
#define PF_P (1u << 0)
#define PF_W (1u << 1)
#define PF_U (1u << 2)
#define PF_RSVD (1u << 3)
#define PF_I (1u << 4)
#define PF_PK (1u << 5)

/* Error codes of segment-related faults: SDM Vol 3A "Error Code". */
#define ERROR_EXT (1u << 0)
#define ERROR_IDT (1u << 1)

/* Debug registers: SDM Vol 3B "Debug Registers". */
#define DR6_FIXED 0xffff0ff0ull
#define DR6_BD (1ull << 13)
#define DR6_BS (1ull << 14)
#define DR6_BT (1ull << 15)
#define DR7_FIXED 0x400ull
#define DR7_LOCAL 0x155ull /* L0-L3, LE: cleared by a task switch */
#define DR7_GD (1ull << 13)

#define DEBUGCTL_LBR (1ull << 0)
#define DEBUGCTL_BTF (1ull << 1)
#define DEBUGCTL_FREEZE_LBRS_ON_PMI (1ull << 11)
#define DEBUGCTL_FREEZE_PERFMON_ON_PMI (1ull << 12)

/* Segment and gate descriptor types: SDM Vol 3A "System Descriptor Types". */
#define TYPE_CODE 0x8u       /* of S = 1 */
#define TYPE_CONFORMING 0x4u /* code */
#define TYPE_EXPAND_DOWN 0x4u /* data */
#define TYPE_READABLE 0x2u   /* code */
#define TYPE_WRITABLE 0x2u   /* data */
#define TYPE_ACCESSED 0x1u
#define TYPE_TSS16 0x1u
#define TYPE_LDT 0x2u
#define TYPE_TSS16_BUSY 0x3u
#define TYPE_CALL_GATE16 0x4u
#define TYPE_TASK_GATE 0x5u
#define TYPE_INT_GATE16 0x6u
#define TYPE_TRAP_GATE16 0x7u
#define TYPE_TSS 0x9u
#define TYPE_TSS_BUSY 0xbu
#define TYPE_CALL_GATE 0xcu
#define TYPE_INT_GATE 0xeu
#define TYPE_TRAP_GATE 0xfu

#endif
