/* Register names for HvCallGetVpRegisters and HvCallSetVpRegisters (TLFS
 * "Virtual Processor Register Names").  Groups are consecutive in the order of
 * the manual's register numbers. */
#ifndef SPEC_HV_REGISTERS_H
#define SPEC_HV_REGISTERS_H

#include <stdint.h>

enum hv_register {
    HV_REGISTER_EXPLICIT_SUSPEND = 0x00000000,  /* 1: the VP does not run */
    HV_REGISTER_INTERCEPT_SUSPEND = 0x00000001, /* 1: waits for the parent's answer to an intercept */
    HV_REGISTER_INTERNAL_ACTIVITY = 0x00000004, /* bit 0 startup suspend, 1 halt suspend, 2 idle suspend */
    HV_REGISTER_PENDING_INTERRUPTION = 0x00010002,
    HV_REGISTER_INTERRUPT_STATE = 0x00010003,   /* bit 0 interrupt shadow, 1 NMI masked */
    HV_X64_REGISTER_RAX = 0x00020000, /* RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15 */
    HV_X64_REGISTER_RCX, HV_X64_REGISTER_RDX, HV_X64_REGISTER_RBX, HV_X64_REGISTER_RSP,
    HV_X64_REGISTER_RBP, HV_X64_REGISTER_RSI, HV_X64_REGISTER_RDI, HV_X64_REGISTER_R8,
    HV_X64_REGISTER_R15 = 0x0002000F,
    HV_X64_REGISTER_RIP = 0x00020010,
    HV_X64_REGISTER_RFLAGS = 0x00020011,
    HV_X64_REGISTER_CR0 = 0x00040000,
    HV_X64_REGISTER_CR2, HV_X64_REGISTER_CR3, HV_X64_REGISTER_CR4, HV_X64_REGISTER_CR8,
    HV_X64_REGISTER_DR7 = 0x00050005,
    HV_X64_REGISTER_ES = 0x00060000, /* ES, CS, SS, DS, FS, GS, LDTR, TR */
    HV_X64_REGISTER_CS, HV_X64_REGISTER_SS, HV_X64_REGISTER_DS, HV_X64_REGISTER_FS,
    HV_X64_REGISTER_GS, HV_X64_REGISTER_LDTR, HV_X64_REGISTER_TR,
    HV_X64_REGISTER_IDTR = 0x00070000,
    HV_X64_REGISTER_GDTR,
    HV_X64_REGISTER_TSC = 0x00080000,
    HV_X64_REGISTER_EFER, HV_X64_REGISTER_KERNEL_GS_BASE, HV_X64_REGISTER_APIC_BASE,
    HV_X64_REGISTER_PAT, HV_X64_REGISTER_SYSENTER_CS, HV_X64_REGISTER_SYSENTER_EIP,
    HV_X64_REGISTER_SYSENTER_ESP, HV_X64_REGISTER_STAR, HV_X64_REGISTER_LSTAR,
    HV_X64_REGISTER_CSTAR, HV_X64_REGISTER_SFMASK,
    HV_X64_REGISTER_HYPERCALL = 0x00090001,
    HV_X64_REGISTER_GUEST_OS_ID = 0x00090002,
    HV_X64_REGISTER_VP_ASSIST_PAGE = 0x00090013,
    HV_X64_REGISTER_REFERENCE_TSC = 0x00090017,
    HV_X64_REGISTER_SINT0 = 0x000A0000, /* ..0x000A000F */
    HV_X64_REGISTER_SCONTROL = 0x000A0010,
    HV_X64_REGISTER_SVERSION = 0x000A0011,
    HV_X64_REGISTER_SIEFP = 0x000A0012,
    HV_X64_REGISTER_SIMP = 0x000A0013,
    HV_X64_REGISTER_EOM = 0x000A0014,
    HV_X64_REGISTER_STIMER0_CONFIG = 0x000B0000, /* config, count, config, count, ... */
};

union hv_register_value {
    uint64_t u64[2];
    struct { /* segment register */
        uint64_t base;
        uint32_t limit;
        uint16_t selector;
        uint16_t attributes; /* 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G */
    } segment;
    struct { /* IDTR, GDTR */
        uint16_t pad[3];
        uint16_t limit;
        uint64_t base;
    } table;
};
_Static_assert(sizeof(union hv_register_value) == 16, "register value");

#endif
