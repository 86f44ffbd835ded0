#include "sim/debug/dump.h"

#include <inttypes.h>

#include "sim/cpu/core_hooks.h"
#include "sim/cpu/cpu.h"
#include "sim/debug/disasm.h"

enum { LINES_OF_CODE = 6, BRANCHES = 16, STACK_WORDS = 8 };

static const char *mode_name(const struct cpu *c)
{
    if (c->mode & MODE_LONG64) {
        return "64-bit mode";
    }
    if (c->mode & MODE_LMA) {
        return "compatibility mode";
    }
    if (!(c->mode & MODE_PROT)) {
        return "real-address mode";
    }
    return c->mode & MODE_V86 ? "virtual-8086 mode" : c->mode & MODE_CODE32 ? "32-bit protected mode" : "16-bit protected mode";
}

static void dump_general(FILE *out, const struct cpu *c)
{
    static const char *const name[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
    for (unsigned i = 0; i < 16; i++) {
        fprintf(out, "  %-3s %016" PRIx64 "%s", name[i], c->gpr[i], i % 4 == 3 ? "\n" : "");
    }
    fprintf(out, "  rip %016" PRIx64 "  rflags %08" PRIx64 "  cr0 %08" PRIx64 "  cr2 %016" PRIx64 "\n", c->rip, cpu_rflags(c),
            c->cr0, c->cr2);
    fprintf(out, "  cr3 %016" PRIx64 "  cr4 %08" PRIx64 "  efer %04" PRIx64 "  dr6 %08" PRIx64 "  dr7 %08" PRIx64 "\n", c->cr3, c->cr4,
            c->efer, c->dr6, c->dr7);
}

static void dump_segments(FILE *out, const struct cpu *c)
{
    static const char *const name[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct segment *s = &c->seg[i];
        fprintf(out, "  %-4s %04x base %016" PRIx64 " limit %08x rights %05x\n", name[i], s->selector, s->base, s->limit, s->rights);
    }
    fprintf(out, "  gdtr base %016" PRIx64 " limit %04x   idtr base %016" PRIx64 " limit %04x\n", c->gdtr.base, c->gdtr.limit, c->idtr.base,
            c->idtr.limit);
}

/* One line of code, or that there is none; returns its length. */
static unsigned dump_line(FILE *out, struct cpu *c, uint64_t at, const char *mark)
{
    uint8_t bytes[CORE_CODE_MAX];
    unsigned have = core_peek_code(c, at, bytes), length = 0;
    char text[256] = "(not mapped)";

    if (have) {
        length = disasm_once(disasm_bits(c->mode), at, bytes, have, text, sizeof text);
    }
    fprintf(out, "  %s %016" PRIx64 "  %s\n", mark, at, text);
    return length;
}

static void dump_code(FILE *out, struct cpu *c)
{
    uint64_t at = core_fetch_linear(c);

    for (unsigned i = 0, length = 1; i < LINES_OF_CODE && length; i++, at += length) {
        length = dump_line(out, c, at, i ? " " : ">");
    }
}

/* What lies there is read in the mode and the address space of now. */
static void dump_transfers(FILE *out, struct cpu *c)
{
    unsigned known = 0;

    while (known < BRANCHES && c->transfer[(uint8_t)(c->transfer_at - 1 - known)]) {
        known++;
    }
    if (known) {
        fprintf(out, "  last branches (those within a page left out), oldest first, and what lies there:\n");
    }
    for (; known; known--) {
        dump_line(out, c, c->transfer[(uint8_t)(c->transfer_at - known)], " ");
    }
}

static void dump_stack(FILE *out, struct cpu *c)
{
    unsigned size = c->mode & MODE_LONG64 ? 8 : c->seg[SS].rights & SEG_DB ? 4 : 2;
    uint64_t mask = size == 8 ? UINT64_MAX : size == 4 ? UINT32_MAX : 0xffff;
    uint64_t base = c->mode & MODE_LONG64 ? 0 : c->seg[SS].base;

    fprintf(out, "  stack");
    for (unsigned i = 0; i < STACK_WORDS; i++) {
        uint64_t value = 0;
        if (!cpu_peek(c, base + ((c->gpr[RSP] + i * size) & mask), &value, size)) {
            fprintf(out, " (not mapped)");
            break;
        }
        fprintf(out, " %0*" PRIx64, (int)(2 * size), value);
    }
    fputc('\n', out);
}

void debug_dump_cpu(FILE *out, struct cpu *c)
{
    fprintf(out, "cpu%u after %" PRIu64 " instructions, %s, ring %u%s:\n", c->index, c->instructions, mode_name(c), cpu_cpl(c),
            c->nonroot ? ", VMX non-root operation" : "");
    dump_general(out, c);
    dump_segments(out, c);
    dump_transfers(out, c);
    dump_code(out, c);
    dump_stack(out, c);
}
