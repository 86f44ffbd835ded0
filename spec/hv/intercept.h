/* Intercepts: what the parent can ask to see, and the records it receives
 * (TLFS "Intercepts").
 *
 * hvlab: a record comes as a message of its own type (HV_MESSAGE_*_INTERCEPT)
 * to SINT 0 of VP 0 of the parent, 'sender' = partition id of the child.  The
 * VP is suspended (HV_REGISTER_INTERCEPT_SUSPEND = 1) until the parent has
 * answered: it sets RIP and results with HvCallSetVpRegisters and clears the
 * register. */
#ifndef SPEC_HV_INTERCEPT_H
#define SPEC_HV_INTERCEPT_H

#include <stdint.h>

enum hv_intercept_type {
    HV_INTERCEPT_IO_PORT = 0x00,  /* parameter: port */
    HV_INTERCEPT_MSR = 0x01,      /* all MSRs that the hypervisor does not provide */
    HV_INTERCEPT_CPUID = 0x02,    /* parameter: leaf */
    HV_INTERCEPT_EXCEPTION = 0x03,/* parameter: vector */
    HV_INTERCEPT_IO_PORT_RANGE = 0x11, /* parameter: first port 15:0, last port 31:16 */
};
#define HV_INTERCEPT_READ 1u
#define HV_INTERCEPT_WRITE 2u
#define HV_INTERCEPT_EXECUTE 4u

struct hv_intercept_header {
    uint32_t vp_index;
    uint8_t instruction_length; /* 3:0; 7:4 CR8 */
    uint8_t access;             /* 0 read, 1 write, 2 execute */
    uint16_t execution_state;   /* 1:0 CPL, 2 CR0.PE, 3 CR0.AM, 4 EFER.LMA, 6 interruption pending, 12 shadow */
    uint64_t cs_base;
    uint32_t cs_limit;
    uint16_t cs_selector;
    uint16_t cs_attributes;
    uint64_t rip;
    uint64_t rflags;
};
_Static_assert(sizeof(struct hv_intercept_header) == 40, "intercept header");

struct hv_intercept_memory {
    struct hv_intercept_header header;
    uint32_t cache_type;
    uint8_t instruction_byte_count;
    uint8_t info; /* 0 GVA valid, 1 GVA-GPA valid */
    uint8_t tpr;
    uint8_t reserved;
    uint64_t gva;
    uint64_t gpa;
    uint8_t instruction_bytes[16];
};
_Static_assert(sizeof(struct hv_intercept_memory) == 0x50, "memory intercept");

struct hv_intercept_io {
    struct hv_intercept_header header;
    uint16_t port;
    uint8_t access_info; /* 2:0 size, 3 string, 4 rep */
    uint8_t instruction_byte_count;
    uint32_t reserved;
    uint64_t rax;
    uint8_t instruction_bytes[16];
    uint64_t ds[2], es[2];
    uint64_t rcx, rsi, rdi;
};
_Static_assert(sizeof(struct hv_intercept_io) == 0x80, "I/O intercept");

struct hv_intercept_msr {
    struct hv_intercept_header header;
    uint32_t msr;
    uint32_t reserved;
    uint64_t rdx;
    uint64_t rax;
};
_Static_assert(sizeof(struct hv_intercept_msr) == 0x40, "MSR intercept");

struct hv_intercept_cpuid {
    struct hv_intercept_header header;
    uint64_t rax, rcx, rdx, rbx;
    uint64_t default_rax, default_rcx, default_rdx, default_rbx;
};
_Static_assert(sizeof(struct hv_intercept_cpuid) == 0x68, "CPUID intercept");

#endif
