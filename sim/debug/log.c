#include "sim/debug/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/core_hooks.h"
#include "sim/cpu/cpu.h"
#include "sim/debug/disasm.h"
#include "sim/machine.h"

enum { BRANCHES_KEPT = 32 };
#define BIT(event) (1u << TRACE_##event)

/* Not events: what the core is asked for. */
enum { WANT_EXEC = 1 << 0, WANT_BLOCK = 1 << 1, WANT_BRANCHES = 1 << 2 };

static const struct category { const char *name; uint32_t events, core; const char *help; } categories[] = {
    { "int", BIT(INTERRUPT) | BIT(EXCEPTION) | BIT(IPI) | BIT(MSI), 0, "interrupts and exceptions delivered, IPIs, MSIs" },
    { "vmx", BIT(VM_EXIT) | BIT(VM_ENTRY) | BIT(ENTRY_FAIL), 0, "VM entries and exits" },
    { "halt", BIT(HALT) | BIT(WAKE), 0, "processors that halt and wake" },
    { "nic", BIT(WIRE_RX) | BIT(WIRE_TX) | BIT(NIC_RX) | BIT(NIC_TX) | BIT(NIC_DROP), 0, "frames on the wire and in the card" },
    { "unclaimed", BIT(UNCLAIMED), 0, "accesses to ports and addresses where nothing is" },
    { "guest_errors", BIT(GUEST_ERROR), 0, "rules of a manual that software broke" },
    { "exec", 0, WANT_EXEC, "every instruction (slow)" },
    { "block", 0, WANT_BLOCK, "every block of straight code (slow)" },
    { "branches", 0, WANT_BRANCHES, "keep the last blocks, to be shown when the run ends badly" },
};
enum { CATEGORIES = sizeof categories / sizeof *categories };

struct debug_log {
    struct machine *machine;
    FILE *out;
    uint32_t events, core;
    struct disasm *disasm;
    struct { uint64_t rip[BRANCHES_KEPT]; uint64_t count; } *kept; /* per processor */
};

/* --- what the core tells ------------------------------------------------------------- */

static void print_code(struct debug_log *log, struct cpu *c)
{
    uint64_t at = core_fetch_linear(c);
    uint8_t bytes[CORE_CODE_MAX];
    unsigned have = core_peek_code(c, at, bytes);
    struct disasm_line line = { .text = "(not mapped)" };

    if (have) {
        disasm_decode(log->disasm, disasm_bits(c->mode), at, bytes, have, &line);
    }
    fprintf(log->out, "%" PRIu64 " cpu%u %016" PRIx64 "  %s\n", c->now, c->index, at, line.text);
}

static void before_instruction(void *ctx, struct cpu *c)
{
    print_code(ctx, c);
}

static void before_block(void *ctx, struct cpu *c)
{
    struct debug_log *log = ctx;

    if (log->core & WANT_BLOCK) {
        print_code(log, c);
    }
    log->kept[c->index].rip[log->kept[c->index].count++ % BRANCHES_KEPT] = core_fetch_linear(c);
}

/* --- life ------------------------------------------------------------------------------ */

void debug_log_help(FILE *out)
{
    for (unsigned i = 0; i < CATEGORIES; i++) {
        fprintf(out, "%-13s %s\n", categories[i].name, categories[i].help);
    }
}

static bool parse(struct debug_log *log, const char *text, char *error, size_t error_size)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        unsigned i = 0;
        while (i < CATEGORIES && (strlen(categories[i].name) != length || strncmp(categories[i].name, text, length))) {
            i++;
        }
        if (i == CATEGORIES) {
            snprintf(error, error_size, "-d: nothing called '%.*s'; `hvlab list debug` says what there is", (int)length, text);
            return false;
        }
        log->events |= categories[i].events;
        log->core |= categories[i].core;
        text += length + (text[length] == ',');
    }
    return true;
}

static void ask_core(struct debug_log *log, bool on)
{
    const struct core_hooks hooks = { .every = 1, .ctx = log, .before = before_block };
    const struct core_debug debug = { .ctx = log, .before = before_instruction };

    for (unsigned i = 0; i < log->machine->cpu_count; i++) {
        struct cpu *c = log->machine->cpu[i];
        if (log->core & (WANT_BLOCK | WANT_BRANCHES)) {
            core_hooks_set(c, on ? &hooks : NULL);
        }
        if (log->core & WANT_EXEC) {
            core_debug_set(c, on ? &debug : NULL);
            core_debug_step(c, on);
        }
    }
}

struct debug_log *debug_log_open(struct machine *m, const char *text, FILE *out, char *error, size_t error_size)
{
    struct debug_log *log = calloc(1, sizeof *log);

    if (log) {
        log->kept = calloc(m->cpu_count, sizeof *log->kept);
        log->disasm = disasm_new();
    }
    if (!log || !log->kept || !log->disasm) {
        snprintf(error, error_size, "-d: no memory, or no disassembler");
        debug_log_close(log);
        return NULL;
    }
    log->out = out;
    if (!parse(log, text, error, error_size)) {
        debug_log_close(log);
        return NULL;
    }
    log->machine = m;
    ask_core(log, true);
    return log;
}

bool debug_log_wants_events(const struct debug_log *log)
{
    return log->events != 0;
}

bool debug_log_wants_core(const struct debug_log *log)
{
    return log->core != 0;
}

void debug_log_event(struct debug_log *log, uint64_t cycle, enum trace_event event, const char *text)
{
    if (log->events >> event & 1) {
        fprintf(log->out, "%" PRIu64 " %s\n", cycle, text);
    }
}

void debug_log_branches(struct debug_log *log, FILE *out)
{
    if (!(log->core & WANT_BRANCHES)) {
        return;
    }
    for (unsigned i = 0; i < log->machine->cpu_count; i++) {
        uint64_t count = log->kept[i].count, first = count > BRANCHES_KEPT ? count - BRANCHES_KEPT : 0;
        fprintf(out, "cpu%u, the last blocks, oldest first:\n", i);
        for (uint64_t n = first; n < count; n++) {
            fprintf(out, "  %016" PRIx64 "%s", log->kept[i].rip[n % BRANCHES_KEPT], (n - first) % 6 == 5 || n + 1 == count ? "\n" : "");
        }
    }
}

void debug_log_close(struct debug_log *log)
{
    if (!log) {
        return;
    }
    if (log->machine) {
        ask_core(log, false);
    }
    disasm_free(log->disasm);
    free(log->kept);
    free(log);
}
