#include "sim/debug/disasm.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"

enum { WIDTHS = 3 };

struct disasm {
    csh handle[WIDTHS];
    cs_insn *insn; /* scratch, filled by every decode */
};

static const cs_mode width_mode[WIDTHS] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

static unsigned width_index(unsigned bits)
{
    return bits == 16 ? 0 : bits == 32 ? 1 : 2;
}

struct disasm *disasm_new(void)
{
    struct disasm *d = calloc(1, sizeof *d);
    if (!d) {
        return NULL;
    }
    for (unsigned i = 0; i < WIDTHS; i++) {
        if (cs_open(CS_ARCH_X86, width_mode[i], &d->handle[i]) != CS_ERR_OK) {
            disasm_free(d);
            return NULL;
        }
    }
    d->insn = cs_malloc(d->handle[WIDTHS - 1]);
    if (!d->insn) {
        disasm_free(d);
        return NULL;
    }
    return d;
}

void disasm_free(struct disasm *d)
{
    if (!d) {
        return;
    }
    if (d->insn) {
        cs_free(d->insn, 1);
    }
    for (unsigned i = 0; i < WIDTHS; i++) {
        if (d->handle[i]) {
            cs_close(&d->handle[i]);
        }
    }
    free(d);
}

unsigned disasm_decode(struct disasm *d, unsigned bits, uint64_t address, const uint8_t *bytes,
                       size_t size, struct disasm_line *line)
{
    if (size > DISASM_LENGTH_MAX) {
        size = DISASM_LENGTH_MAX;
    }
    if (!cs_disasm_iter(d->handle[width_index(bits)], &bytes, &size, &address, d->insn)) {
        *line = (struct disasm_line){ .text = "(bad)" };
        return 0;
    }
    line->length = d->insn->size;
    line->id = d->insn->id;
    snprintf(line->mnemonic, sizeof line->mnemonic, "%s", d->insn->mnemonic);
    snprintf(line->text, sizeof line->text, "%s%s%s", d->insn->mnemonic,
             d->insn->op_str[0] ? " " : "", d->insn->op_str);
    return line->length;
}

unsigned disasm_bits(uint32_t mode)
{
    return mode & MODE_LONG64 ? 64 : mode & MODE_CODE32 ? 32 : 16;
}

unsigned disasm_once(unsigned bits, uint64_t address, const uint8_t *bytes, size_t size, char *to,
                     size_t to_size)
{
    struct disasm_line line = { .text = "(no disassembler)" };
    struct disasm *d = disasm_new();
    if (d) {
        disasm_decode(d, bits, address, bytes, size, &line);
    }
    disasm_free(d);

    unsigned shown = line.length;
    if (shown == 0) {
        shown = size < DISASM_LENGTH_MAX ? (unsigned)size : DISASM_LENGTH_MAX;
    }
    char hex[3 * DISASM_LENGTH_MAX + 1] = "";
    for (unsigned i = 0; i < shown; i++) {
        snprintf(hex + 3 * i, 4, "%02x ", bytes[i]);
    }
    snprintf(to, to_size, "%s %s", hex, line.text);
    return line.length;
}
