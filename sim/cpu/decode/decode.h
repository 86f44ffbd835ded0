/* Machine code to records, driven by the rows of spec/x86/opcodes.tbl.
 *
 * Two readers.  decode_insn_with() finds out what an instruction is: prefixes, row,
 * operands, length; it makes nothing and is what tests and tools use.
 * decode_block() makes the records of a straight run of instructions by
 * calling each row's builder.
 */
#ifndef SIM_CPU_DECODE_DECODE_H
#define SIM_CPU_DECODE_DECODE_H

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/decode/row.h"

enum decode_status {
    DECODE_OK,
    DECODE_UD,    /* no such instruction (or LOCK where it may not be): #UD */
    DECODE_MORE,  /* the bytes end within the instruction */
    DECODE_LONG,  /* more than 15 bytes: #GP(0) */
};

/* An instruction taken apart.  'sys' is what a system function would get, without ea and next_rip. */
struct decoded {
    const struct x86_row *row;
    struct sys_insn sys;
    bool has_sib, rip_relative;
    uint8_t prefix;             /* mandatory prefix in force [enum row_prefix] */
    bool segment_override;
    uint64_t imm2;              /* second immediate (ENTER) */
};
/* On a processor with these features (NULL: all); decode_insn is for who has no processor. */
enum decode_status decode_insn_with(const struct cpu_features *, uint32_t mode, const uint8_t *bytes, unsigned size, struct decoded *);
enum decode_status decode_insn(uint32_t mode, const uint8_t *bytes, unsigned size, struct decoded *);

struct decode_request {
    const uint8_t *bytes;       /* first byte */
    unsigned size;              /* bytes available */
    unsigned offset;            /* of the first byte in its page */
    const struct cpu_features *features; /* of the processor; NULL: all */
    uint32_t mode;              /* [MODE_*] */
    uint32_t page;              /* RAM page index */
    unsigned limit;             /* instructions at most */
    unsigned stop_before;       /* decode nothing that starts this many bytes on [bytes]; 0 = no limit */
    bool alone;                 /* an instruction across pages: its exits are not links */
    bool timed;
    struct sys_site *sites;     /* end of the room for sites: they are taken downwards */
    struct insn *entry;         /* first record; room for BLOCK_RECORDS or, alone, CROSSING_RECORDS */
};
struct decode_result {
    struct insn *end;           /* first free record; NULL: not one instruction ends within the bytes */
    struct sys_site *sites;     /* lowest site taken */
    unsigned bytes;             /* decoded [bytes] */
    unsigned count;             /* instructions */
};
struct decode_result decode_block(const struct decode_request *);

#endif
