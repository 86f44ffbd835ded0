/* Breakpoints of the debug registers. */
#include "sim/cpu/event/breakpoint.h"

#include "sim/cpu/core_hooks.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "spec/x86/system.h"

enum { BREAKPOINTS = 4, PAGE_SHIFT = 12 };
enum condition { ON_EXECUTION, ON_WRITE, ON_PORT, ON_ACCESS }; /* R/Wn */

static enum condition condition_of(const struct cpu *cpu, unsigned n)
{
    return cpu->dr7 >> (16 + 4 * n) & 3;
}

/* LENn: 1, 2, 8, 4 bytes. */
static unsigned length_of(const struct cpu *cpu, unsigned n)
{
    static const uint8_t length[4] = { 1, 2, 8, 4 };

    return length[cpu->dr7 >> (18 + 4 * n) & 3];
}

void cpu_breakpoints_changed(struct cpu *cpu)
{
    uint8_t had_data = cpu->break_data, had_code = cpu->break_code;

    cpu->break_code = cpu->break_data = cpu->break_port = 0;
    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        uint8_t bit = (uint8_t)(1u << n);
        if (!(cpu->dr7 >> (2 * n) & 3)) {
            continue;
        }
        switch (condition_of(cpu, n)) {
        case ON_EXECUTION: cpu->break_code |= bit; break;
        case ON_PORT: cpu->break_port |= cpu->cr4 & CR4_DE ? bit : 0; break;
        case ON_WRITE: case ON_ACCESS: cpu->break_data |= bit; break;
        }
    }
    if (had_data | cpu->break_data) {
        mmu_watches_changed(cpu);
    }
    if (had_code | cpu->break_code) {
        cpu_attend(cpu, 0); /* the dispatcher must see what is entered next */
    }
}

static bool in_page(const struct cpu *cpu, unsigned breakpoints, uint64_t linear)
{
    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        if (breakpoints >> n & 1 && (cpu->dr[n] ^ linear) >> PAGE_SHIFT == 0) {
            return true;
        }
    }
    return false;
}

bool cpu_breakpoint_watches_page(const struct cpu *cpu, uint64_t linear)
{
    return in_page(cpu, cpu->break_data, linear) || (cpu->watched && core_watch_in_page(cpu, linear));
}

bool cpu_breakpoint_in_page(const struct cpu *cpu, uint64_t linear)
{
    return in_page(cpu, cpu->break_code, linear);
}

/* --- hits ------------------------------------------------------------------------ */

static void note(struct cpu *cpu, unsigned breakpoints, uint64_t first, unsigned size, bool write)
{
    uint64_t last = first + size - 1;

    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        uint64_t low = cpu->dr[n] & ~(uint64_t)(length_of(cpu, n) - 1), high = low + length_of(cpu, n) - 1;
        bool wants = breakpoints >> n & 1 && (write || condition_of(cpu, n) != ON_WRITE);
        if (wants && first <= high && low <= last) {
            cpu->break_hits |= (uint8_t)(1u << n);
        }
    }
    if (cpu->break_hits) {
        cpu_attend(cpu, 0); /* the block ends behind this instruction */
    }
}

void cpu_breakpoint_access(struct cpu *cpu, uint64_t linear, unsigned size, bool read, bool write)
{
    if (cpu->break_data && (read || write)) {
        note(cpu, cpu->break_data, linear, size, write);
    }
    if (cpu->watched) {
        core_watch_access(cpu, linear, size, read, write);
    }
}

void cpu_breakpoint_port(struct cpu *cpu, uint16_t port, unsigned size)
{
    if (cpu->break_port) {
        note(cpu, cpu->break_port, port, size, false);
    }
}

void cpu_breakpoint_settle(struct cpu *cpu, enum exec_result result)
{
    if (result == EXEC_OK || result == EXEC_JUMP || result == EXEC_REPEAT) {
        cpu->pending_db |= cpu->break_hits;
        cpu_attend(cpu, ATTN_DB);
    }
    cpu->break_hits = 0;
}

enum exec_result cpu_breakpoint_fetch(struct cpu *cpu, uint64_t linear)
{
    uint64_t hits = 0;

    /* A string instruction that goes on does not start.  RF holds an instruction breakpoint off, and so does MOV SS on
     * Intel's processors. */
    if (cpu->rflags_rest & RFLAGS_RF || cpu->in_string || (cpu->shadow_movss && !cpu_is_amd(cpu))) {
        return EXEC_OK;
    }
    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        hits |= cpu->break_code >> n & 1 && cpu->dr[n] == linear ? 1ull << n : 0;
    }
    if (!hits) {
        return EXEC_OK;
    }
    cpu_raise(cpu, X_DB);
    cpu->fault.address = hits;
    return EXEC_FAULT;
}
