/* Disassembly for people: one instruction to one line of text.
 *
 * The processor decodes with tables of its own; this wrapper around Capstone
 * only explains.  Traces, loud stops, the crosscheck's reports and tests use
 * it.  Text is Intel syntax, e.g. "add rax, qword ptr [rbx + 8]".
 *
 * A `struct disasm` keeps one open Capstone handle per code width, because
 * opening one costs more than decoding; it belongs to the caller and is not
 * thread-safe.  disasm_once() is for rare messages.
 */
#ifndef SIM_DEBUG_DISASM_H
#define SIM_DEBUG_DISASM_H

#include <stddef.h>
#include <stdint.h>

struct disasm;

enum { DISASM_TEXT_SIZE = 200, DISASM_LENGTH_MAX = 15 };

struct disasm_line {
    unsigned length;                  /* [bytes]; 0 = not an instruction */
    uint32_t id;                      /* Capstone's x86_insn */
    char mnemonic[32];                /* "" when not an instruction */
    char text[DISASM_TEXT_SIZE];      /* "(bad)" when not an instruction */
};

struct disasm *disasm_new(void);      /* NULL: no memory or no Capstone */
void disasm_free(struct disasm *);

/* Decodes the instruction that starts at bytes[0].  'bits' is 16, 32 or 64;
 * 'address' is where it would run (for relative targets).  Returns its length,
 * 0 when the bytes are no instruction. */
unsigned disasm_decode(struct disasm *, unsigned bits, uint64_t address, const uint8_t *bytes,
                       size_t size, struct disasm_line *);

/* Code width of a processor mode [MODE_* of sim/cpu/cpu.h]. */
unsigned disasm_bits(uint32_t mode);

/* Writes "0f 05  syscall" to 'to'; needs no handle.  Returns the length. */
unsigned disasm_once(unsigned bits, uint64_t address, const uint8_t *bytes, size_t size, char *to,
                     size_t to_size);

#endif
