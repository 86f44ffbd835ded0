/* Hardware virtualization as the core sees it: one vendor-neutral contract.
 *
 * The core calls these at fixed points and never looks at a VMCS or VMCB.
 * Implementations: vmx/ (Intel VT-x); svm/ later.  machine->vtx is NULL when
 * the machine has none; cpu->nonroot tells whether a guest runs.
 *
 * Order of checks for an intercepted instruction is the manual's ("Relative
 * Priority of Faults and VM Exits"): the caller does the checks that come
 * before the intercept (#UD, privilege, for I/O the permission bitmap), calls
 * vtx_intercept, and only then does the rest.
 */
#ifndef SIM_VTX_VTX_H
#define SIM_VTX_VTX_H

#include "sim/cpu/cpu.h"

enum vtx_cause {
    VTX_CPUID, VTX_HLT, VTX_INVD, VTX_WBINVD, VTX_INVLPG, VTX_INVPCID, VTX_RDPMC, VTX_RDTSC, VTX_RDTSCP,
    VTX_PAUSE, VTX_MONITOR, VTX_MWAIT, VTX_XSETBV, VTX_RDRAND, VTX_RDSEED, VTX_XSAVES, VTX_XRSTORS,
    VTX_GDTR_IDTR, /* SGDT, SIDT, LGDT, LIDT */
    VTX_LDTR_TR,   /* SLDT, STR, LLDT, LTR */
    VTX_CR_READ,   /* .number = CR, .gpr = destination */
    VTX_CR_WRITE,  /* .number = CR, .gpr = source, .value = what is written */
    VTX_CLTS, VTX_LMSW, /* .value = source operand */
    VTX_DR,        /* .number = DR, .gpr, .write */
    VTX_IO,        /* .number = port, .size, .write, .string, .rep, .immediate */
    VTX_RDMSR, VTX_WRMSR, /* .number = index, .value */
    VTX_TASK_SWITCH,      /* .number = selector, .value = source 0 CALL 1 IRET 2 JMP 3 gate */
    VTX_TRIPLE_FAULT, VTX_INIT, VTX_SIPI, /* .number = vector of SIPI */
    VTX_CAUSE_COUNT,
};

struct vtx_event {
    enum vtx_cause cause;
    const struct sys_insn *insn; /* NULL when no instruction is involved */
    uint32_t number;
    uint64_t value;    /* for IO: RAX-sized value or, for strings, the linear address */
    uint8_t gpr;
    uint8_t size;
    bool write, string, rep, immediate;
};

/* A second-level (EPT/NPT) translation request by the page walker. */
struct vtx_access {
    uint64_t gpa;
    uint64_t linear;        /* valid if 'has_linear' */
    bool has_linear;
    bool is_table;          /* a guest paging-structure access, not the final one */
    bool read, write, exec; /* of this access (a table access: read, plus write when A/D is set) */
    bool user, guest_writable, guest_nx; /* translation's guest bits, for advanced qualification */
};
struct vtx_page {
    uint64_t spa;           /* of the byte asked for */
    uint8_t page_shift;     /* 12, 21 or 30 */
    bool writable, executable, readable, dirty; /* what the TLB may cache */
    uint8_t memory_type;
};

struct vtx_ops {
    const char *name;
    /* Creates/destroys per-processor state; visits it. */
    bool (*cpu_new)(struct cpu *);
    void (*cpu_free)(struct cpu *);
    void (*cpu_reset)(struct cpu *, bool init);
    void (*cpu_state)(struct cpu *, struct state *);

    /* Executes VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMPTRST, VMREAD, VMWRITE,
     * VMLAUNCH, VMRESUME, VMCALL, VMFUNC, INVEPT, INVVPID (and later SVM's). */
    enum exec_result (*execute)(struct cpu *, const struct sys_insn *);

    /* Asked in non-root operation before an instruction acts.  EXEC_OK: no
     * exit, carry on (the value to use may have been changed in 'ev', e.g. CR
     * reads through shadows); EXEC_VMEXIT: taken; EXEC_JUMP: done on behalf of the instruction. */
    enum exec_result (*intercept)(struct cpu *, struct vtx_event *);
    /* A fault or trap is about to be delivered in non-root operation. 'nested':
     * the event whose delivery failed, or NULL. EXEC_VMEXIT or EXEC_OK. */
    enum exec_result (*exception)(struct cpu *, const struct fault *, const struct fault *nested);
    /* Pending external events, in non-root operation: decides exits for
     * INTR, NMI, windows, preemption timer, in the manual's priority order.
     * EXEC_OK: nothing taken; the core may deliver what is not intercepted. */
    enum exec_result (*pending)(struct cpu *, bool interrupt, bool nmi);
    /* While an event is being delivered through the IDT in non-root operation (for IDT-vectoring information). */
    void (*vectoring)(struct cpu *, const struct fault *, bool external, bool begin);

    /* Second level on? Then translate; EXEC_OK fills 'page', EXEC_VMEXIT: violation/misconfiguration exit taken. */
    bool (*second_level)(const struct cpu *);
    enum exec_result (*translate)(struct cpu *, const struct vtx_access *, struct vtx_page *page);
    /* The same for debuggers: no exit, no accessed or dirty flags.  False = not mapped. */
    bool (*translate_peek)(const struct cpu *, uint64_t gpa, uint64_t *spa);
    /* TLB tag of the current context: VPID (0 in root) and EPTP (0 without). */
    uint16_t (*vpid)(const struct cpu *);
    uint64_t (*eptp)(const struct cpu *);

    /* MSRs of the vendor's capability range; EXEC_FAULT if not one. */
    enum exec_result (*rdmsr)(struct cpu *, uint32_t index, uint64_t *value);
    /* CR0/CR4 bits fixed while in VMX operation: true if 'value' is allowed. */
    bool (*cr_allowed)(const struct cpu *, unsigned cr, uint64_t value);
    /* APIC virtualization: an access of the guest to x2APIC MSR or CR8; EXEC_JUMP = handled. */
    enum exec_result (*virtual_apic_msr)(struct cpu *, uint32_t index, bool write, uint64_t *value);
    /* Next cycle at which `pending` must be asked (preemption timer), or EVENT_NEVER. */
    uint64_t (*next_due)(const struct cpu *);
    /* Physical page is the APIC-access page of the running guest: true = handled (exit or virtualized). */
    bool (*is_apic_access)(const struct cpu *, uint64_t spa);
};

extern const struct vtx_ops vmx_ops; /* sim/vtx/vmx/vmx.c */

#endif
