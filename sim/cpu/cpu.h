/* One logical processor: its architectural state and who may do what to it.
 *
 * The hot core (decode, exec, cache, run) keeps the first 256 bytes for
 * itself: records name operands by byte offset into this struct.  System code
 * (mmu, event, system, apic, vtx) works on the rest through the functions
 * below.
 *
 * Three rules keep exceptions and VM exits precise:
 *
 *   First, commit last.  A helper that can fault finds out before it changes
 *   anything, records the fault with cpu_raise() and returns EXEC_FAULT.
 *
 *   Second, one place delivers.  Only cpu_deliver() (event/) turns a recorded
 *   fault or a pending event into a VM exit or an IDT delivery, from the
 *   dispatcher, with rip naming the faulting instruction.
 *
 *   Third, who changes what code means says so.  A helper that changes mode,
 *   paging, privilege, rip or interruptibility returns EXEC_JUMP: the
 *   dispatcher leaves the block and looks again at everything.
 */
#ifndef SIM_CPU_CPU_H
#define SIM_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/cpu/system/pmu_state.h"
#include "sim/cpu/x87/state.h"

struct apic;
struct cpu;
struct insn;
struct machine;
struct state;
struct vmx;

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { ES, CS, SS, DS, FS, GS, LDTR, TR, SEG_COUNT }; /* SDM order of Sreg */

/* Vectors (SDM Vol 3A "Exception and Interrupt Reference"). */
enum {
    X_DE = 0, X_DB = 1, X_NMI = 2, X_BP = 3, X_OF = 4, X_BR = 5, X_UD = 6, X_NM = 7, X_DF = 8,
    X_TS = 10, X_NP = 11, X_SS = 12, X_GP = 13, X_PF = 14, X_MF = 16, X_AC = 17, X_MC = 18, X_XM = 19,
};

enum exec_result {
    EXEC_OK,     /* done; continue with the next instruction */
    EXEC_FAULT,  /* nothing changed; cpu->fault says what */
    EXEC_JUMP,   /* done; rip is set, leave the block and look again */
    EXEC_VMEXIT, /* a VM exit was taken: the state is the host's now */
    EXEC_REPEAT, /* a string instruction paused between iterations; rip names it */
    EXEC_STOP,   /* machine_request_stop was called; nothing changed */
};

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

/* A segment register with its hidden part.  'rights' has the layout of VMX
 * access rights: 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G,
 * 16 unusable (SDM Vol 3C "Guest Register State"). */
struct segment {
    uint64_t base;
    uint32_t limit; /* [bytes - 1], granularity applied */
    uint32_t rights;
    uint16_t selector;
    uint16_t pad[3]; /* zero */
};

enum {
    SEG_TYPE = 0xf, SEG_S = 1 << 4, SEG_DPL_SHIFT = 5, SEG_P = 1 << 7,
    SEG_AVL = 1 << 12, SEG_L = 1 << 13, SEG_DB = 1 << 14, SEG_G = 1 << 15, SEG_UNUSABLE = 1 << 16,
};

struct dtable { uint64_t base; uint32_t limit; uint32_t pad; };

union xmm { uint64_t u64[2]; uint32_t u32[4]; uint16_t u16[8]; uint8_t u8[16]; float f32[4]; double f64[2]; };

/* What went wrong, before delivery. */
struct fault {
    uint8_t vector;
    bool has_error;
    bool software;      /* INT n, INT3, INTO: rip to push is the next one */
    uint8_t int_type;   /* VMX interruption type of software events (4 sw int, 5 priv sw, 6 sw exc); 3 = hw exception */
    uint8_t length;     /* of the instruction behind a software event [bytes]: rip + length is pushed */
    uint32_t error;
    uint64_t address;   /* #PF: CR2; #DB: DR6 bits to set [value] */
};

/* Reasons to look up before the next block (cpu->attention). */
enum {
    ATTN_INTR = 1 << 0,        /* the local APIC has a deliverable interrupt */
    ATTN_NMI = 1 << 1,
    ATTN_INIT = 1 << 2,
    ATTN_SIPI = 1 << 3,
    ATTN_VTX = 1 << 4,         /* a window, timer or pending event of VMX needs a look */
    ATTN_DB = 1 << 5,          /* pending debug exceptions (TF) */
    ATTN_SHADOW = 1 << 6,      /* STI/MOV SS shadow ends after the next instruction */
    ATTN_STOP = 1 << 7,        /* the machine wants to stop */
};

/* MONITOR and MWAIT; waiting processors are HALTED.  ANY: an interrupt ends the wait even with IF = 0. */
enum monitor_state { MONITOR_OFF, MONITOR_ARMED, MONITOR_WAITING, MONITOR_WAITING_ANY };

enum activity { ACTIVE, HALTED, SHUTDOWN, WAIT_SIPI }; /* VMX activity-state numbering */

/* Key of everything that decides what decoded code and translations mean. */
enum {
    MODE_LONG64 = 1 << 0,  /* CS.L in long mode */
    MODE_CODE32 = 1 << 1,  /* CS.D */
    MODE_PROT = 1 << 2,    /* CR0.PE */
    MODE_LMA = 1 << 3,
    MODE_NONROOT = 1 << 4, /* VMX non-root (or SVM guest) operation */
    MODE_FLAT = 1 << 5,    /* DS/ES/SS/CS bases are 0 with 4 GiB limits (always set with LONG64) */
    MODE_SSE_OK = 1 << 6,  /* CR0.EM = 0, CR0.TS = 0, CR4.OSFXSR = 1: SSE forms run without a check */
    MODE_AVX_OK = 1 << 7,  /* CR0.TS = 0, CR4.OSXSAVE = 1, XCR0[2:1] = 11b, protected mode: AVX forms do */
    MODE_X87_OK = 1 << 8,  /* CR0.EM = 0, CR0.TS = 0: x87 and MMX forms do */
    MODE_V86 = 1 << 9,     /* RFLAGS.VM */
};

/* A decoded instruction as system helpers see it. */
struct sys_insn {
    uint16_t op;          /* [enum op of spec/x86/opcodes.tbl] */
    uint8_t length;       /* [bytes] */
    uint8_t operand_size; /* 1, 2, 4, 8 [bytes] */
    uint8_t address_size; /* 2, 4, 8 [bytes] */
    uint8_t modrm;        /* raw byte; (modrm >> 6) == 3 means a register operand */
    uint8_t reg, rm;      /* extended by REX.R / REX.B [0-15] */
    uint8_t rex;          /* 0 when absent */
    uint8_t opcode;       /* last opcode byte (tells E4 IN AL,Ib from EC IN AL,DX; 07 POP ES from 17) */
    uint8_t segment;      /* of the memory operand [ES..GS] */
    uint8_t base, index;  /* [0-15], or 0xff = none (for VMX instruction information) */
    uint8_t scale;        /* 0-3 */
    uint8_t vvvv;         /* register of VEX.vvvv [0-15]; 0 without VEX */
    bool vex256;          /* VEX.L */
    bool rep, repne, lock;
    int32_t disp;         /* [bytes] */
    uint64_t imm;         /* immediate, sign-extended; far pointer (Ap): selector << 32 | offset */
    uint64_t ea;          /* effective address, without segment base, truncated to address size */
    uint64_t next_rip;    /* of the following instruction */
};
typedef enum exec_result sys_fn(struct cpu *, const struct sys_insn *);
/* What an x87 form does; 'i' of ST(i), 'memory' its operand.  False: a store stores nothing. */
typedef bool x87_fn(struct cpu *, unsigned i, void *memory);

struct tlb_entry {
    uint64_t tag_read, tag_write; /* guest page [linear address], or tlb_no_tag */
    uint64_t add;                 /* host pointer minus linear address [bytes] */
    uint64_t page;                /* host pointer of the page: for who has the offset in it */
};
enum { TLB_ENTRIES = 2048 };
#define TLB_NO_TAG 1ull

/* Differs by a page or more from every address that is looked up in this entry. */
static inline uint64_t tlb_no_tag(unsigned slot) { return slot ? TLB_NO_TAG : TLB_NO_TAG | 0x1000; }

enum { CPU_TRANSFERS = 256 };

struct cpu {
    /* --- hot core: CPU core only.  Reachable by a record's one-byte offsets. */
    uint64_t code_page;   /* of the running block [linear page address] */
    uint64_t zero;        /* always 0 */
    uint64_t temp;        /* carries a value inside one instruction; not architectural */
    int64_t budget;       /* left until the next look-up [1/16 cycle in timing mode, instructions otherwise] */
    int64_t cc_a, cc_b;   /* lazy flags: result and operand, sign-extended */
    uint32_t cc_kind;     /* producer and size of the lazy flags */
    uint32_t mode;        /* [MODE_*] of the running code */
    uint64_t gpr[16];
    uint64_t rip;         /* exact whenever code outside the hot core runs */
    uint64_t addr;        /* carries a linear address inside one instruction; not architectural */
    uint64_t temp2;       /* a second temp */
    struct tlb_entry *tlb; /* soft TLB of the current context; mmu/ owns and switches it */
    struct jump *jump;     /* jump cache; owned by core */
    uint64_t jump_stamp;   /* distinguishes its entries by context and mode [high 16 bits] */
    struct insn *block;    /* head of the running block; its costs are paid */
    uint32_t linear_spare; /* bits above those of a linear address: 16, or 7 with CR4.LA57; cpu_update_mode */
    /* --- reachable, not byte-addressable */
    union xmm xmm[16] __attribute__((aligned(16)));
    union xmm ymm_high[16] __attribute__((aligned(16))); /* bits 255:128 of YMM0-15 */
    union xmm sse_from, sse_to; /* operands of the running SSE operation; not architectural */
    union xmm avx_from[2];      /* last operand of the running AVX operation; not architectural */
    bool avx_collects;          /* exception flags wait in avx_flags until all lanes are done; not architectural */
    uint32_t avx_flags;
    struct x87 x87;

    /* --- architectural */
    struct machine *machine;   /* owner; not saved */
    unsigned index;            /* processor number = initial APIC id */
    uint64_t rflags_rest;      /* RFLAGS without the six status flags; use cpu_rflags() */
    struct segment seg[SEG_COUNT];
    struct dtable gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
    uint64_t xss;              /* IA32_XSS */
    uint32_t pkru;
    uint64_t pdpte[4];         /* PAE paging: the PDPTE registers (MOV CR3, VM entry load them) */
    uint64_t efer;
    uint64_t dr[4], dr6, dr7;
    uint32_t mxcsr;
    struct {
        uint64_t star, lstar, cstar, fmask, kernel_gs_base;
        uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
        uint64_t pat, tsc_aux, misc_enable, feature_control, debugctl, mtrr_def_type;
        uint64_t mtrr_phys[16], mtrr_fixed[11];
        uint64_t tsc_offset;   /* IA32_TSC minus cpu->now, what WRMSR made of it */
        uint64_t tsc_adjust, tsc_deadline, apic_base;
        uint64_t spec_ctrl;
        uint64_t mcg_status, mcg_ctl, mc_bank[32][4]; /* CTL, STATUS, ADDR, MISC */
        uint64_t perf_ctl, clock_modulation, therm_interrupt, pkg_cst_config, power_ctl; /* Intel */
        uint64_t syscfg, hwcr, top_mem, top_mem2, nb_cfg, osvw[2]; /* AMD, and the next */
        uint64_t ls_cfg, dc_cfg, cu_cfg, de_cfg, cu_cfg2, bp_cfg;
    } msr;
    uint8_t activity;          /* [enum activity] */
    bool nmi_blocked;
    bool shadow_sti, shadow_movss; /* interrupt shadows in force for the next instruction */
    uint8_t sipi_vector;       /* valid with ATTN_SIPI */
    uint64_t pending_db;       /* pending debug exceptions [DR6 bits] */
    bool in_string;            /* rip names a repeated string instruction that has done some of its iterations */
    uint64_t random;           /* state of what RDRAND and RDSEED give */
    struct {
        uint64_t line;         /* watched [spa] */
        uint64_t state;        /* [enum monitor_state] */
        uint8_t bytes[64];     /* of the line when MONITOR armed it */
    } monitor;
    struct pmu pmu;            /* performance monitoring */

    /* --- bookkeeping */
    uint64_t now;              /* this processor's time [cycle]; exact outside the hot core */
    uint64_t instructions;     /* retired [count]; exact outside the hot core */
    uint64_t halted;           /* of 'now', not ACTIVE [cycle] */
    uint32_t attention;        /* [ATTN_*] */
    struct fault fault;        /* valid after EXEC_FAULT */
    uint64_t vtx_tsc_offset;   /* added to the TSC in non-root operation by VMX */
    bool nonroot;              /* executing in VMX non-root operation */
    bool vtx_on;               /* in VMX operation (after VMXON) */
    uint8_t break_code, break_data, break_port; /* enabled breakpoints by kind [bit n: DRn]; follow from DR7, CR4.DE */
    uint8_t break_hits;        /* breakpoints the running instruction has hit */
    bool watched;              /* somebody outside watches memory (core_hooks.h); not saved */
    bool pmu_counts;           /* some counter counts; follows from the registers of pmu */
    bool pmu_steps;            /* ... something that is only seen instruction by instruction */
    struct pmu_use pmu_use[PMU_COUNTERS];
    bool trap_decided;         /* the running instruction (SYSCALL, SYSRET) has itself seen to the single-step trap */
    bool single_step;          /* look at events after every instruction (monitor trap flag); set by vtx */

    struct apic *apic;         /* sim/cpu/apic; owned */
    struct vmx *vmx;           /* sim/vtx/vmx; owned, NULL without VT-x */
    struct mmu *mmu;           /* sim/cpu/mmu private: TLB contexts, walker caches; owned */
    struct core *core;         /* hot core private: jump cache, scratch records; owned */
    struct cpu_time *time;     /* sim/time private, NULL in functional mode; owned */
    uint64_t *bucket_cycles;   /* [1/16 cycle in timing mode] per attribution bucket; owned by sim/time */

    /* The last places [linear] that control came to from another page, by a return or an indirect jump, a function or an
     * event; the newest lies before transfer_at.  For people (sim/debug/dump.h): nothing depends on it, nothing saves it. */
    uint64_t transfer[CPU_TRANSFERS];
    uint8_t transfer_at;
};
_Static_assert(CPU_TRANSFERS == 256, "transfer_at wraps");

/* --- life (life.c, run.c) --------------------------------------------------------- */

struct cpu *cpu_new(struct machine *, unsigned index);
void cpu_free(struct cpu *);
void cpu_reset(struct cpu *, bool init); /* RESET, or INIT (SDM "Processor State After Reset") */
void cpu_state(struct cpu *, struct state *);

/* Runs until cpu->now >= 'until' or the processor stops being ACTIVE with
 * nothing pending; a halted processor's time is advanced to 'until' as idle. */
void cpu_run(struct cpu *, uint64_t until);
/* Exactly one instruction (or one event delivery). For debuggers and tests. */
void cpu_step(struct cpu *);

/* Something changed that the processor must look at soon: sets the bits and
 * makes the running block end at its next instruction boundary. */
void cpu_attend(struct cpu *, uint32_t attn);

/* The running processor waits for a device's answer: time passes, nothing is executed.  For handlers of ports and
 * MMIO, in functional mode (the approximate model charges its own). */
void cpu_wait(struct cpu *, uint64_t cycles);

/* --- flags (exec/flags.c) -------------------------------------------------- */

uint64_t cpu_rflags(const struct cpu *);       /* complete RFLAGS */
void cpu_set_rflags(struct cpu *, uint64_t);   /* no privilege filtering */
void cpu_set_status_flags(struct cpu *, uint64_t); /* OF SF ZF AF PF CF; the rest ignored */

/* --- memory for system code (mmu/) ----------------------------------------- */

/* Linear accesses with the current privilege (or as supervisor for descriptor
 * tables and the like).  'size' up to 4096; may cross one page.  EXEC_OK or EXEC_FAULT
 * (or EXEC_VMEXIT for EPT).  All or nothing for writes. */
enum exec_result cpu_read(struct cpu *, uint64_t linear, void *to, unsigned size);
enum exec_result cpu_write(struct cpu *, uint64_t linear, const void *from, unsigned size);
enum exec_result cpu_read_system(struct cpu *, uint64_t linear, void *to, unsigned size);
enum exec_result cpu_write_system(struct cpu *, uint64_t linear, const void *from, unsigned size);
/* Segment-relative: checks canonicality or limit and rights, then as above. */
enum exec_result cpu_linear(struct cpu *, unsigned segment, uint64_t ea, unsigned size,
                            enum access_kind, uint64_t *linear);

/* Debugger's view: no faults, no A/D updates. False = not mapped. */
bool cpu_peek(struct cpu *, uint64_t linear, void *to, unsigned size);
bool cpu_translate_peek(struct cpu *, uint64_t linear, uint64_t *spa);

/* The hot core's refill: translates for the current context and fills the
 * soft TLB.  EXEC_OK: '*host' is the host pointer, or NULL when '*spa' is
 * MMIO, a code page being written, or in a page that is watched (then use the slow access functions). */
enum exec_result mmu_fill(struct cpu *, uint64_t linear, unsigned size, enum access_kind,
                          uint8_t **host, uint64_t *spa);

/* Context changes.  Each keeps what silicon would keep (PCID, VPID, globals). */
void mmu_cr3_written(struct cpu *, bool keep_pcid);
void mmu_mode_changed(struct cpu *);              /* CR0/CR4/EFER/CPL/AC: picks the TLB context */
void mmu_invlpg(struct cpu *, uint64_t linear);
void mmu_flush_all(struct cpu *);                 /* including globals */
void mmu_flush_vpid(struct cpu *, uint16_t vpid, bool all); /* INVVPID, VM transitions without VPID */
void mmu_flush_ept(struct cpu *, uint64_t eptp, bool all);
void mmu_pkru_written(struct cpu *);
void mmu_vtx_switched(struct cpu *);              /* VM entry or exit: EPTP/VPID/CR3 of the new context */

/* --- events and faults (event/) -------------------------------------------- */

enum exec_result cpu_raise(struct cpu *, unsigned vector);                       /* no error code; returns EXEC_FAULT */
enum exec_result cpu_raise_error(struct cpu *, unsigned vector, uint32_t error);
enum exec_result cpu_raise_pf(struct cpu *, uint64_t linear, uint32_t error);

/* Delivers cpu->fault: VM exit if intercepted, else through the IDT, with
 * double and triple faults.  Returns EXEC_JUMP, EXEC_VMEXIT or EXEC_STOP. */
enum exec_result cpu_deliver(struct cpu *);
/* Injects at VM entry or for events; as cpu_deliver, for a given event. */
enum exec_result cpu_deliver_event(struct cpu *, const struct fault *, bool external);
/* Handles cpu->attention before an instruction; EXEC_OK when nothing happened. */
enum exec_result cpu_look(struct cpu *);

/* --- system state (system/) ------------------------------------------------- */

/* Ends MWAIT's wait when the line has changed; the machine asks before every round. */
void cpu_monitor_look(struct cpu *);

unsigned cpu_cpl(const struct cpu *);
void cpu_update_mode(struct cpu *);  /* recompute cpu->mode after CS/CR0/CR4/EFER changes */
/* MSR access with its faults, after intercepts. */
enum exec_result cpu_rdmsr(struct cpu *, uint32_t index, uint64_t *value);
enum exec_result cpu_wrmsr(struct cpu *, uint32_t index, uint64_t value);
/* CR writes with every reserved-bit and consistency check. */
enum exec_result cpu_write_cr0(struct cpu *, uint64_t);
enum exec_result cpu_write_cr3(struct cpu *, uint64_t);
enum exec_result cpu_write_cr4(struct cpu *, uint64_t);
void cpu_cpuid(const struct cpu *, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
uint64_t cpu_tsc(const struct cpu *); /* what RDTSC returns now */

enum { CPU_PHYS_BITS = 46 }; /* without a model: model.h has the machine's */

/* As the paging mode has it: 48 bits wide, 57 with CR4.LA57.  What is loaded into bases and MSRs has the width
 * that CPUID tells: cpu_canonical_base() of model.h. */
static inline bool cpu_canonical(const struct cpu *cpu, uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << cpu->linear_spare) >> cpu->linear_spare) == linear;
}

#endif
