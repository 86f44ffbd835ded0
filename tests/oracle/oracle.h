/* Oracles: one instruction, several processors, one answer.
 *
 * A case is an instruction made from a row of spec/x86/opcodes.tbl with a
 * complete user-mode state.  An executor runs it from that state and returns
 * the outcome: registers, memory, or the fault.  run_ours.c is our core,
 * run_host.c the host's own processor, run_unicorn.c Unicorn.  All of them
 * see the same linear addresses:
 *
 *   ORACLE_CODE   64 KiB, executable     the instruction lies anywhere inside
 *   ORACLE_DATA   two pages read/write, one page read-only, then nothing
 *
 * Memory before every case is a fixed image with the case's patches applied.
 * Everything is derived from a seed, so a failing case can be run again.
 */
#ifndef TESTS_ORACLE_ORACLE_H
#define TESTS_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/decode/row.h"

#define ORACLE_CODE 0x50000000ull /* linear; out of reach of a bit string in the data */
#define ORACLE_DATA 0x20000000ull /* linear */
enum {
    ORACLE_PAGE = 4096,
    ORACLE_CODE_SIZE = 0x10000,
    ORACLE_DATA_RW = 2 * ORACLE_PAGE,     /* writable part [bytes] */
    ORACLE_DATA_SIZE = 3 * ORACLE_PAGE,   /* with the read-only page [bytes] */
    ORACLE_GS_OFFSET = 0x400,             /* GS base of 64-bit cases, from ORACLE_DATA */
    ORACLE_CODE_MAX = 20, /* of one instruction; longer than 15 is a case too: #GP */
    ORACLE_CODE_ROOM = 160, /* of a sequence */
    ORACLE_X87_SIZE = 160,
    ORACLE_PATCHES = 24, ORACLE_PATCH_SIZE = 32,
};

/* Linux's selectors, so that the host can be asked. */
enum { SELECTOR_CODE32 = 0x23, SELECTOR_DATA = 0x2b, SELECTOR_CODE64 = 0x33 };

/* RFLAGS bits. */
enum {
    FLAG_CF = 1 << 0, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6, FLAG_SF = 1 << 7,
    FLAG_TF = 1 << 8, FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11, FLAG_RF = 1 << 16,
    FLAG_AC = 1 << 18, FLAG_ID = 1 << 21,
    FLAG_STATUS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

struct oracle_regs {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    union xmm xmm[16], ymm_high[16];
    uint32_t mxcsr;
    uint8_t x87[ORACLE_X87_SIZE]; /* as FXSAVE64 shows it; MXCSR's place is 0 */
};

struct oracle_patch { uint64_t address; uint8_t bytes[ORACLE_PATCH_SIZE]; unsigned size; };

struct oracle_case {
    const struct x86_row *row; /* NULL: none, #UD expected */
    unsigned row_index;
    bool mode32;               /* 32-bit protected mode, else 64-bit */
    bool segmented;            /* with mode32: code and data in segments of the LDT; in.rip is an offset in CS */
    uint16_t selector[6];      /* [ES..GS]; FS is not used */
    uint8_t code[ORACLE_CODE_ROOM];
    unsigned length;           /* of code [bytes] */
    unsigned opsize;           /* [bytes] */
    bool vex256;               /* VEX.L */
    uint64_t imm;              /* the (last) immediate */
    uint64_t target;           /* linear address of the memory operand, when has_target */
    bool has_target, has_lock;
    bool sequence;             /* several instructions, ended by INT3 */
    bool one_cycle;            /* a sequence that stops behind its first instruction, wherever that leads (ours only) */
    uint64_t undefined;        /* RFLAGS bits undefined after a sequence */
    uint64_t undefined_within; /* ... or anywhere in it */
    struct oracle_regs in;     /* rip = where the code lies */
    struct oracle_patch patch[ORACLE_PATCHES];
    unsigned patches;
};

enum { OUTCOME_OK = -1, OUTCOME_STOPPED = -2, OUTCOME_SKIPPED = -3 };

struct oracle_outcome {
    int vector;                /* of the fault, or OUTCOME_* */
    uint32_t error;            /* error code, 0 without one */
    uint64_t cr2;              /* of a #PF */
    struct oracle_regs out;
    uint16_t selector[6];      /* of segmented cases [ES..GS] */
    uint8_t data[ORACLE_DATA_RW];
};

/* --- values (values.c) ------------------------------------------------------ */

uint64_t oracle_random(uint64_t *seed);
static inline bool oracle_chance(uint64_t *seed, unsigned percent)
{
    return oracle_random(seed) % 100 < percent;
}
uint64_t oracle_integer(uint64_t *seed);   /* weighted to edges of every size */
union xmm oracle_vector(uint64_t *seed);   /* integers, floats, doubles, their edges */
/* Numbers of every kind, in and around the other formats' ranges. */
void oracle_f80(uint64_t *seed, uint8_t to[10]);
void oracle_x87(uint64_t *seed, uint8_t image[ORACLE_X87_SIZE]); /* a state, random */
void oracle_x87_initial(uint8_t image[ORACLE_X87_SIZE]);
void oracle_base_image(uint8_t image[ORACLE_DATA_SIZE]);
void oracle_apply_patches(const struct oracle_case *, uint8_t image[ORACLE_DATA_RW]);

/* --- cases (generate.c) ------------------------------------------------------- */

/* NULL when rows of this kind can be run in user mode, else why not. */
const char *oracle_row_exempt(const struct x86_row *, bool mode32);
void oracle_generate(struct oracle_case *, unsigned row_index, bool mode32, uint64_t *seed);
/* The same at the place 'at' of a sequence: memory operands are reached without registers, and no
 * register is set up for it. */
void oracle_generate_at(struct oracle_case *, unsigned row_index, bool mode32, uint64_t at, uint64_t *seed);

/* Changes the case's encoding (mutate.c).  False: the result is not for comparing.
 * A case without a row is an instruction that we say does not exist. */
bool oracle_mutate(struct oracle_case *, uint64_t *seed);

/* Several instructions and INT3 (sequence.c): what one leaves, the next finds. */
void oracle_generate_sequence(struct oracle_case *, bool mode32, uint64_t *seed);
/* Two of them and INT3: the first sets flags, the second looks at them.  False: these do not go together this time. */
bool oracle_generate_pair(struct oracle_case *, unsigned first_row, unsigned second_row, bool mode32, uint64_t *seed);

/* An instruction in a 16- or 32-bit code segment with data segments of every kind (segments.c). */
void oracle_generate_segmented(struct oracle_case *, uint64_t *seed);
/* The LDT of such cases, for the kernel and as the processor reads it. */
struct oracle_ldt_entry {
    uint32_t base, limit; /* limit as encoded */
    bool big, pages, read_exec_only, absent;
    uint8_t contents;     /* 0 data, 1 expand-down data, 2 code, 3 conforming code */
};
enum { ORACLE_LDT_ENTRIES = 15 };
extern const struct oracle_ldt_entry oracle_ldt[ORACLE_LDT_ENTRIES];
uint64_t oracle_ldt_descriptor(unsigned index);
/* Where the code of a case lies. */
static inline uint64_t oracle_code_at(const struct oracle_case *c)
{
    return c->segmented ? ORACLE_CODE + c->in.rip : c->in.rip;
}

/* --- comparing (compare.c) ------------------------------------------------------ */

/* RFLAGS bits that the manual leaves undefined after this case. */
uint64_t oracle_undefined_flags(const struct oracle_case *);
/* True when the manual leaves the whole result undefined. */
bool oracle_undefined_result(const struct oracle_case *);
/* True when equal as far as defined; otherwise writes what differs to 'report', if any. */
bool oracle_same(const struct oracle_case *, const struct oracle_outcome *ours,
                 const struct oracle_outcome *theirs, const char *their_name, FILE *report);
void oracle_print_case(const struct oracle_case *, FILE *);

/* --- executors -------------------------------------------------------------------- */

struct oracle_ours;
struct oracle_ours *oracle_ours_new(bool timed); /* timed: with the approximate timing model */
struct oracle_ours *oracle_ours_new_compiled(void); /* every block becomes machine code at its first run */
void oracle_ours_free(struct oracle_ours *);
void oracle_ours_run(struct oracle_ours *, const struct oracle_case *, struct oracle_outcome *);

/* For tests of the whole core: the machine, and code to run in it (from in.rip on). */
struct machine *oracle_ours_machine(struct oracle_ours *);
void oracle_ours_load(struct oracle_ours *, const struct oracle_case *state, const uint8_t *code, unsigned size);
/* Maps a page at ORACLE_MMIO whose reads and writes go to 'region'. */
#define ORACLE_MMIO (ORACLE_DATA + 0x10000)
struct mem_region;
void oracle_ours_map_mmio(struct oracle_ours *, const struct mem_region *region);
uint64_t oracle_ours_spa(uint64_t linear); /* of an address in the code or the data */

/* NULL when the host can be asked, else why not. */
const char *oracle_host_unavailable(void);
/* Runs all cases in a child process.  Cases and outcomes must lie in shared
 * memory.  Returns how many were run: fewer than 'count' when one killed it. */
unsigned oracle_host_run(const struct oracle_case *, struct oracle_outcome *, unsigned count);

struct oracle_unicorn;
struct oracle_unicorn *oracle_unicorn_new(void);
void oracle_unicorn_free(struct oracle_unicorn *);
void oracle_unicorn_run(struct oracle_unicorn *, const struct oracle_case *,
                        struct oracle_outcome *);

#endif
