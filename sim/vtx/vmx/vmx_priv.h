/* Inside the VMX model: per-processor state and what its files offer each other.
 *
 * VMX operation as a state machine (SDM Vol 3C "Virtual Machine Control
 * Structures", "Life Cycle of VMM Software"):
 *
 *             VMXON                  VM entry
 *   outside ---------> root operation --------> non-root operation
 *           <---------                <--------
 *             VMXOFF                  VM exit
 *
 *   outside   cpu->vtx_on = 0; vmxon = current = VMCS_NONE
 *   root      cpu->vtx_on = 1, cpu->nonroot = 0; CR0/CR4 fixed bits hold
 *   non-root  cpu->nonroot = 1; current names the running VMCS; 'guest' is valid
 *
 * While a guest runs, its architectural state is in struct cpu; the VMCS keeps
 * what it had at entry.  Controls are copied at entry ('guest'), so software that
 * writes a running VMCS from another processor changes nothing before the exit.
 *
 * Trap-like exits (TPR below threshold, virtualized EOI, APIC write) belong to
 * the end of an instruction that is still executing when they are noticed: they
 * are recorded in guest.trap_reason, and vmx_pending() takes them at the next
 * boundary, before anything else, with rip naming the next instruction.
 */
#ifndef SIM_VTX_VMX_VMX_PRIV_H
#define SIM_VTX_VMX_VMX_PRIV_H

#include "sim/base/event.h"
#include "sim/cpu/cpu.h"
#include "sim/vtx/vmx/vmx_entry.h"
#include "sim/vtx/vtx.h"

/* An event on its way through the IDT: what IDT-vectoring information will say. */
struct vmx_vectoring {
    uint32_t info;   /* [format of the VM-entry interruption information]; 0 = none */
    uint32_t error;
    uint32_t length; /* of the instruction behind a software event [bytes] */
};

/* The running guest; all 0 in root operation. */
struct vmx_guest {
    uint32_t pin, primary, secondary, exit, entry; /* controls as they act */
    uint32_t trap_reason;        /* trap-like exit to take at the next boundary; 0 = none */
    uint64_t trap_qualification;
    uint64_t eptp;               /* EPT pointer, 0 without EPT */
    uint16_t vpid;               /* 0 without VPIDs */
    uint64_t timer_end;          /* preemption timer: expires when the TSC reaches this [TSC] */
    uint64_t timer_tsc_offset;   /* TSC minus cpu->now at entry */
    uint64_t mtf_instructions;   /* cpu->instructions when monitor-trap watching began [count] */
    uint64_t ple_first, ple_last;/* PAUSE-loop: TSC of the first and the latest PAUSE [TSC] */
    bool mtf_pending;            /* take an MTF exit at the next boundary */
    bool mtf_watching;           /* mtf_instructions is valid: the boundary at entry has been seen */
    bool ple_seen;
    bool nmi_sticky;             /* NMI blocking that IRET does not lift ("NMI exiting" without virtual NMIs) */
    bool injecting;              /* the event being delivered was injected by VM entry */
    bool virtual_interrupt;      /* a virtual interrupt is recognized */
    uint8_t rvi, svi;            /* guest interrupt status */
    struct vmx_vectoring vectoring;
    uint64_t saved_dr7;          /* DR7 around an injected #DB, which leaves it alone */
};

struct vmx {
    struct vmx_caps caps;      /* constant */
    uint64_t vmxon;            /* VMXON pointer, or VMCS_NONE */
    uint64_t address;          /* current-VMCS pointer, or VMCS_NONE */
    uint64_t epoch;            /* how often VMXON succeeded [count] */
    uint32_t last_failed_rule; /* [enum vmx_rule] of the latest refused VM entry */
    uint32_t last_msr_entry;   /* its position, for rules of the MSR list [1-based] */
    struct vmx_guest guest;
    struct event timer;        /* due when the preemption timer expires: wakes a halted guest */
    struct vmcs *current;      /* the region behind 'address'; rebuilt, not saved */
    uint64_t exits[VMX_EXIT_REASON_COUNT]; /* statistics only: not machine state [count] */
};

/* --- helpers ----------------------------------------------------------------- */

static inline bool
vmx_in_64bit_mode(const struct cpu *cpu)
{
    return (cpu->efer & 1u << 10) && (cpu->seg[CS].rights & SEG_L);
}

static inline uint64_t
vmx_tsc(const struct cpu *cpu) /* without TSC offsetting */
{
    return cpu->now + cpu->msr.tsc_offset;
}

/* Asks that vmx_pending() be called at the next instruction boundary. */
static inline void
vmx_attend(struct cpu *cpu)
{
    cpu_attend(cpu, ATTN_VTX);
}

/* --- vmx_exit.c ---------------------------------------------------------------- */

/* What an exit reports beyond the state it saves. */
struct vmx_exit {
    uint32_t reason;          /* [enum vmx_exit_reason] */
    uint64_t qualification;
    uint32_t length;          /* of the instruction; 0 when the field says nothing [bytes] */
    uint32_t information;     /* VM-exit instruction information */
    uint32_t event, event_error; /* VM-exit interruption information */
    uint64_t linear, physical;   /* guest-linear and guest-physical address */
    bool resume_flag;         /* save RFLAGS.RF = 1 (faults and second-level exits) */
    bool keeps_pending_debug; /* saves pending debug exceptions */
    bool blocks_nmi;          /* the exit is an NMI */
    bool vectored;            /* may have hit during event delivery: record the IDT-vectoring information */
};

/* Leaves the guest.  Always EXEC_VMEXIT; a VMX abort shuts the processor down. */
enum exec_result vmx_exit(struct cpu *, const struct vmx_exit *);
/* Fault-like exit of an instruction, nothing but reason, qualification and length. */
enum exec_result vmx_exit_insn(struct cpu *, enum vmx_exit_reason, const struct sys_insn *, uint64_t qualification);
/* The same for instructions with a memory operand: displacement and instruction information. */
enum exec_result vmx_exit_operand(struct cpu *, enum vmx_exit_reason, const struct sys_insn *, uint32_t information);
/* VM-entry failure after the host-state checks passed: reasons 33 and 34. */
enum exec_result vmx_exit_entry_failure(struct cpu *, enum vmx_exit_reason, uint64_t qualification);

/* --- vmx_exit_save.c, vmx_exit_host.c ------------------------------------------- */

unsigned vmx_save_guest(struct cpu *, struct vmcs *, const struct vmx_exit *); /* returns fields written */
/* False: VMX abort 2 (host PDPTEs). */
bool vmx_load_host(struct cpu *, const struct vmcs *);

/* --- vmx_insn_info.c ------------------------------------------------------------- */

uint64_t vmx_displacement(const struct cpu *, const struct sys_insn *);
uint32_t vmx_info_memory(const struct sys_insn *);                       /* format C */
uint32_t vmx_info_invalidate(const struct sys_insn *);                   /* format I */
uint32_t vmx_info_field(const struct sys_insn *);                        /* format R */
uint32_t vmx_info_gdtr(const struct cpu *, const struct sys_insn *, unsigned which);       /* format G */
uint32_t vmx_info_ldtr(const struct sys_insn *, unsigned which);         /* format L */
uint32_t vmx_info_string(const struct sys_insn *);                       /* format S */

/* --- vmx_entry.c, vmx_entry_load.c, vmx_inject.c ----------------------------------- */

enum exec_result vmx_enter(struct cpu *, bool launch);
unsigned vmx_load_guest(struct cpu *, const struct vmcs *); /* returns fields read */
/* Delivers the event of the VM-entry interruption information, if any. */
enum exec_result vmx_inject(struct cpu *);

/* --- vmx_msr_area.c ------------------------------------------------------------------ */

/* Loads 'count' MSRs; 0 on success, else the 1-based entry that failed ('*rule' says why). */
uint32_t vmx_msr_load(struct cpu *, uint64_t address, uint32_t count, enum vmx_rule *rule);
bool vmx_msr_store(struct cpu *, uint64_t address, uint32_t count);

/* --- vmx_apic.c ----------------------------------------------------------------------- */

uint32_t vmx_apic_read(const struct cpu *, unsigned offset);
void vmx_apic_write(struct cpu *, unsigned offset, uint32_t value);
void vmx_apic_entered(struct cpu *);            /* at the end of VM entry: PPR, evaluation, TPR threshold */
void vmx_apic_set_tpr(struct cpu *, uint8_t tpr); /* TPR virtualization */
enum exec_result vmx_apic_deliver(struct cpu *);  /* the recognized virtual interrupt */
bool vmx_apic_deliverable(const struct cpu *);
enum exec_result vmx_virtual_apic_msr(struct cpu *, uint32_t index, bool write, uint64_t *value);

/* --- vmx_timer.c ------------------------------------------------------------------------ */

void vmx_timer_init(struct cpu *);
void vmx_timer_start(struct cpu *, const struct vmcs *);
void vmx_timer_stop(struct cpu *);
bool vmx_timer_expired(const struct cpu *);
uint32_t vmx_timer_value(const struct cpu *);
uint64_t vmx_next_due(const struct cpu *);

/* --- vmx_insn.c, vpid.c, vmx_intercept*.c, vmx_event.c, ept.c ------------------------------ */

enum exec_result vmx_execute(struct cpu *, const struct sys_insn *);
enum exec_result vmx_invept(struct cpu *, const struct sys_insn *);
enum exec_result vmx_invvpid(struct cpu *, const struct sys_insn *);
enum exec_result vmx_succeed(struct cpu *);              /* EXEC_OK */
enum exec_result vmx_fail(struct cpu *, enum vmx_error); /* EXEC_OK; VMfailInvalid without a current VMCS */
enum exec_result vmx_fail_invalid(struct cpu *);

enum exec_result vmx_intercept(struct cpu *, struct vtx_event *);
enum exec_result vmx_intercept_cr(struct cpu *, struct vtx_event *);
enum exec_result vmx_intercept_io(struct cpu *, struct vtx_event *);
enum exec_result vmx_intercept_msr(struct cpu *, struct vtx_event *);
enum exec_result vmx_intercept_pause(struct cpu *, struct vtx_event *);

enum exec_result vmx_exception(struct cpu *, const struct fault *, const struct fault *nested);
enum exec_result vmx_pending(struct cpu *, bool interrupt, bool nmi);
void vmx_vectoring(struct cpu *, const struct fault *, bool external, bool begin);
bool vmx_needs_attention(const struct cpu *);

bool vmx_second_level(const struct cpu *);
enum exec_result vmx_translate(struct cpu *, const struct vtx_access *, struct vtx_page *);
bool vmx_translate_peek(const struct cpu *, uint64_t gpa, uint64_t *spa);
uint16_t vmx_vpid(const struct cpu *);
uint64_t vmx_eptp(const struct cpu *);
/* Flushes what a transition must when VPIDs are off. */
void vmx_flush_transition(struct cpu *);

#endif
