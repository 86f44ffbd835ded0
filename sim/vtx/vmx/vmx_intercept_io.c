/* I/O ports, MSRs and PAUSE loops (SDM Vol 3C "I/O-Bitmap Addresses", "MSR-Bitmap Address",
 * "Changes to Instruction Behavior in VMX Non-Root Operation"). */
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vmx/vmx_priv.h"

/* One bit of a bitmap in guest memory; what is not RAM reads as ones. */
static bool
bitmap_bit(const struct cpu *cpu, uint64_t bitmap, unsigned bit)
{
    const uint8_t *byte = mem_ram(cpu->machine->mem, bitmap + bit / 8);
    return !byte || (*byte >> (bit % 8) & 1);
}

/* --- I/O --------------------------------------------------------------------------- */

static bool
port_exits(const struct cpu *cpu, unsigned port, unsigned size)
{
    const struct vmcs *v = cpu->vmx->current;
    uint32_t primary = cpu->vmx->guest.primary;
    if (!(primary & VMX_PRIMARY_IO_BITMAPS)) {
        return primary & VMX_PRIMARY_UNCONDITIONAL_IO;
    }
    if (port + size > 0x10000) {
        return true; /* wraps around */
    }
    for (unsigned p = port; p < port + size; p++) {
        if (bitmap_bit(cpu, p < 0x8000 ? v->io_bitmap_a : v->io_bitmap_b, p & 0x7fff)) {
            return true;
        }
    }
    return false;
}

/* 2:0 size - 1, 3 IN, 4 string, 5 REP, 6 immediate port, 31:16 port. */
enum exec_result
vmx_intercept_io(struct cpu *cpu, struct vtx_event *ev)
{
    unsigned port = ev->number & 0xffff;
    if (!port_exits(cpu, port, ev->size)) {
        return EXEC_OK;
    }
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_IO,
        .qualification = (ev->size - 1u) | (ev->write ? 0 : 1u << 3) | (ev->string ? 1u << 4 : 0) |
                         (ev->rep ? 1u << 5 : 0) | (ev->immediate ? 1u << 6 : 0) | (uint64_t)port << 16,
        .length = ev->insn->length,
        .information = ev->string ? vmx_info_string(ev->insn) : 0,
        .linear = ev->string ? ev->value : 0,
    };
    return vmx_exit(cpu, &x);
}

/* --- MSRs ---------------------------------------------------------------------------- */

/* Four 1-KiB bitmaps: reads of the low and the high range, then writes. */
static bool
msr_exits(const struct cpu *cpu, uint32_t index, bool write)
{
    uint64_t bitmap = cpu->vmx->current->msr_bitmap + (write ? 0x800 : 0);
    if (!(cpu->vmx->guest.primary & VMX_PRIMARY_MSR_BITMAPS)) {
        return true;
    }
    if (index <= 0x1fff) {
        return bitmap_bit(cpu, bitmap, index);
    }
    if (index >= 0xc0000000 && index <= 0xc0001fff) {
        return bitmap_bit(cpu, bitmap + 0x400, index & 0x1fff);
    }
    return true;
}

enum exec_result
vmx_intercept_msr(struct cpu *cpu, struct vtx_event *ev)
{
    bool write = ev->cause == VTX_WRMSR;
    if (!msr_exits(cpu, ev->number, write)) {
        return EXEC_OK;
    }
    return vmx_exit_insn(cpu, write ? VMX_EXIT_REASON_WRMSR : VMX_EXIT_REASON_RDMSR, ev->insn, 0);
}

/* --- PAUSE ----------------------------------------------------------------------------- */

/* "PAUSE-loop exiting", at CPL 0 only: a gap longer than PLE_Gap starts a new loop; a loop that
 * lasts longer than PLE_Window exits. */
static bool
pause_loops(struct cpu *cpu)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    const struct vmcs *v = cpu->vmx->current;
    uint64_t now = vmx_tsc(cpu);
    if (!(g->secondary & VMX_SECONDARY_PAUSE_LOOP) || cpu_cpl(cpu) != 0) {
        return false;
    }
    bool fresh = !g->ple_seen || now - g->ple_last > v->ple_gap;
    g->ple_first = fresh ? now : g->ple_first;
    g->ple_seen = true;
    g->ple_last = now;
    return !fresh && now - g->ple_first > v->ple_window;
}

enum exec_result
vmx_intercept_pause(struct cpu *cpu, struct vtx_event *ev)
{
    bool exits = (cpu->vmx->guest.primary & VMX_PRIMARY_PAUSE) || pause_loops(cpu);
    return exits ? vmx_exit_insn(cpu, VMX_EXIT_REASON_PAUSE, ev->insn, 0) : EXEC_OK;
}
