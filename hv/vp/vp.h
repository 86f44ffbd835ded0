/* A virtual processor: its registers, its VMCS, its synthetic devices.
 *
 * The VMCS holds what the processor switches by itself; 'context' what the
 * exit path saves; 'fpu', 'msr' and 'dr' what is switched only when another VP
 * has used the processor in between.  Only the LP that runs the VP touches these
 * and the VMCS.  Others talk to a VP through 'irr', 'request' and its SynIC, and wake it.
 */
#ifndef HV_VP_VP_H
#define HV_VP_VP_H

#include "hv/sched/sched.h"
#include "hv/synic/synic.h"
#include "hv/vp/apic.h"
#include "spec/hv/tlfs.h"

enum { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8, GPR_R15 = 15 };

/* Layout known to vmx_run.S. */
struct vp_context {
    uint64_t gpr[16];  /* [GPR_RSP] lives in the VMCS */
    uint64_t host_rsp; /* what the VMCS holds */
    uint64_t launched; /* VMRESUME instead of VMLAUNCH */
};

/* Bits of vp->suspend; any of them keeps the VP from running. */
enum {
    SUSPEND_EXPLICIT = 1,  /* HV_REGISTER_EXPLICIT_SUSPEND */
    SUSPEND_INTERCEPT = 2, /* the parent has not answered yet */
    SUSPEND_STARTUP = 4,   /* waits for SIPI or HvCallStartVirtualProcessor */
    SUSPEND_PARTITION = 8, /* HV_PROPERTY_SUSPEND, or the partition is going away */
    SUSPEND_DEAD = 16,     /* a fault nobody can answer */
};

/* Bits of vp->request: looked at before every entry. */
enum {
    REQUEST_EVENT = 1,     /* an interrupt was added to irr by somebody else */
    REQUEST_FLUSH = 2,     /* drop linear translations of this VP */
    REQUEST_NMI = 4,
    REQUEST_SYNIC = 8,     /* a message slot may be free, a SINT was changed */
    REQUEST_INIT = 16,
};

enum { MSR_SWITCHED_COUNT = 6 };

/* CR4 bits that a guest changes without us: TSD, DE, PSE, PAE, MCE, PGE, PCE, OSFXSR,
 * OSXMMEXCPT, FSGSBASE, PCIDE, SMEP, SMAP.  VMXE, SMXE, OSXSAVE and the rest stay with us. */
#define VP_CR4_GUEST_OWNED 0x3307FCull

struct vp {
    struct vp_context context; /* first */
    uint64_t cr2;

    struct partition *partition;
    uint32_t index;
    bool exists;

    /* scheduling: under hv.sched_lock */
    enum vp_run_state state;
    uint32_t suspend;
    struct lp *lp;        /* home: whose queue it is in, where it ran last */
    struct vp *queue_next;
    uint64_t vruntime;    /* [weighted TSC ticks] */
    uint64_t started_at;  /* [TSC] of the current stay */
    uint64_t slice_end;   /* [TSC], by the LP that runs it */
    uint64_t runtime;     /* [TSC ticks] in total */
    bool pinned;
    uint64_t lp_mask;

    /* VMX */
    uint64_t vmcs;            /* [spa] */
    struct lp *vmcs_lp;       /* where it is active, or NULL */
    uint64_t virtual_apic;    /* [spa] page for TPR virtualization */
    uint16_t vpid;
    uint64_t ept_generation;  /* of the partition's tables that vmcs_lp has flushed for */
    uint32_t primary, pin;    /* controls as written */
    bool window_open;         /* interrupt-window exiting is on */
    bool halted;              /* executed HLT and has not been woken */
    bool halt_takes_interrupts; /* RFLAGS.IF when it halted, or idle by MSR */
    bool event_staged;        /* the VMCS holds an event that no entry has delivered yet */
    bool slice_running;       /* slice_end is meant */
    uint32_t exit_reason;
    uint64_t exit_count;

    volatile uint32_t request;

    /* what is switched with the VP, not with every exit */
    struct lp *registers_lp;   /* where the live copy is; NULL: below */
    uint64_t msr[MSR_SWITCHED_COUNT];
    uint64_t dr[5];
    bool uses_dr;
    uint8_t fpu[512] __attribute__((aligned(16)));

    struct vapic apic;
    struct lock lock;
    struct synic synic;
    struct stimer { /* hv/stimer; under 'lock' */
        uint64_t config, count;
        uint64_t expiry; /* [reference time] */
        bool message_due;
        struct vp *vp;
        struct hv_timer timer;
    } stimer[HV_STIMER_COUNT];
    uint64_t assist_msr;
    uint64_t crash[5];
    bool tsc_invariant;

    /* an interruption that its delivery did not finish, to be injected again */
    uint32_t pending_event, pending_error, pending_length;
    bool nmi_pending;
    uint8_t sipi_vector;
    bool sipi_pending;
};

/* Creates a VP in 'partition' (lock held by the caller); it starts suspended. NULL: no VP left. */
struct vp *vp_create(struct partition *, uint32_t index);
void vp_delete(struct vp *);
void vp_reset_registers(struct vp *, bool cold); /* state after INIT, waiting for SIPI */

/* Makes the VP's VMCS current on this LP, so that VMREAD and VMWRITE act on it. */
void vp_load(struct vp *);
/* Takes the VP off this LP for good: VMCLEAR, registers saved. */
void vp_unload(struct vp *);
/* Runs until the VP has to leave the LP. True: it could go on (preempted, suspended) and
 * is still RUNNING; false: it has blocked and may already be elsewhere. */
bool vp_run(struct vp *);

/* A halted VP has something to take: an interrupt, an NMI, a start-up. */
bool vp_has_reason_to_run(struct vp *);

/* Sets bits of 'request' and makes the VP look at them soon. */
void vp_request(struct vp *, uint32_t bits);

/* Moves RIP past the intercepted instruction and ends an interrupt shadow. */
void vp_skip_instruction(struct vp *);
/* Queues an exception for the next entry (replaces nothing that is already queued: a double fault follows). */
void vp_inject_exception(struct vp *, unsigned vector, bool has_error, uint32_t error);
static inline void vp_inject_gp(struct vp *vp) { vp_inject_exception(vp, 13, true, 0); }
static inline void vp_inject_ud(struct vp *vp) { vp_inject_exception(vp, 6, false, 0); }

/* Stops the VP with a message: nobody can answer what it did. */
void vp_die(struct vp *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Named registers (spec/hv/registers.h); the VP must be stopped or the caller's own. */
enum hv_status vp_register_get(struct vp *, uint32_t name, union hv_register_value *);
enum hv_status vp_register_set(struct vp *, uint32_t name, const union hv_register_value *);

/* Guest memory of the VP's partition as the hypervisor sees it; NULL: not RAM that it may access so. Within a page. */
void *vp_gpa_pointer(struct vp *, uint64_t gpa, bool write);
/* Linear address to GPA by the guest's own page tables. Returns HV_TRANSLATE_*. */
unsigned vp_translate(struct vp *, uint64_t linear, bool write, bool execute, bool user, uint64_t *gpa);

#endif
