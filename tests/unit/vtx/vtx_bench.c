#include "vtx_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/trace.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/pmu.h"
#include "sim/time/timing.h"

struct bench bench;

/* --- fakes of the core ------------------------------------------------------------- */

static uint64_t status_flags;

uint64_t
cpu_rflags(const struct cpu *cpu)
{
    return cpu->rflags_rest | status_flags;
}

void
cpu_set_rflags(struct cpu *cpu, uint64_t value)
{
    status_flags = value & RFLAGS_STATUS;
    cpu->rflags_rest = value & ~RFLAGS_STATUS;
}

void
cpu_set_status_flags(struct cpu *cpu, uint64_t value)
{
    (void)cpu;
    status_flags = value & RFLAGS_STATUS;
}

unsigned
cpu_cpl(const struct cpu *cpu)
{
    return cpu->seg[SS].rights >> SEG_DPL_SHIFT & 3;
}

void
cpu_attend(struct cpu *cpu, uint32_t attention)
{
    cpu->attention |= attention;
}

void
cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)cpu, (void)subleaf;
    memset(out, 0, 4 * sizeof *out);
    if (leaf == 1) {
        out[2] = 1u << 5 | 1u << 17;                        /* VMX, PCID */
        out[3] = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 7 | 1u << 13 | 1u << 24 | 1u << 25;
    }
    if (leaf == 7) {
        out[1] = 1u << 0 | 1u << 7 | 1u << 20;              /* FSGSBASE, SMEP, SMAP */
    }
}

enum exec_result
cpu_raise(struct cpu *cpu, unsigned vector)
{
    cpu->fault = (struct fault){ .vector = (uint8_t)vector, .int_type = INT_HARDWARE };
    return EXEC_FAULT;
}

enum exec_result
cpu_raise_error(struct cpu *cpu, unsigned vector, uint32_t error)
{
    cpu_raise(cpu, vector);
    cpu->fault.has_error = true;
    cpu->fault.error = error;
    return EXEC_FAULT;
}

enum exec_result
cpu_linear(struct cpu *cpu, unsigned segment, uint64_t ea, unsigned size, enum access_kind kind, uint64_t *linear)
{
    (void)segment, (void)size, (void)kind;
    *linear = ea;
    return bench.operand_faults ? cpu_raise_error(cpu, X_GP, 0) : EXEC_OK;
}

enum exec_result
cpu_read(struct cpu *cpu, uint64_t linear, void *to, unsigned size)
{
    return mem_read(cpu->machine->mem, linear, to, size) ? EXEC_OK : cpu_raise(cpu, X_PF);
}

enum exec_result
cpu_write(struct cpu *cpu, uint64_t linear, const void *from, unsigned size)
{
    return mem_write(cpu->machine->mem, linear, from, size) ? EXEC_OK : cpu_raise(cpu, X_PF);
}

enum { BENCH_MSR_COUNT = 4 };
static struct { uint32_t index; uint64_t value; } msrs[BENCH_MSR_COUNT] = {
    { 0x174, 1 }, { 0xc0000082, 2 }, { 0xc0000081, 3 }, { 0x10, 4 },
};

enum exec_result
cpu_rdmsr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    for (unsigned i = 0; i < BENCH_MSR_COUNT; i++) {
        if (msrs[i].index == index) {
            *value = msrs[i].value + (index == 0x10 && cpu->nonroot ? cpu->vtx_tsc_offset : 0);
            return EXEC_OK;
        }
    }
    return cpu_raise_error(cpu, X_GP, 0);
}

enum exec_result
cpu_wrmsr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    uint64_t old;
    if (cpu_rdmsr(cpu, index, &old) != EXEC_OK) {
        return EXEC_FAULT;
    }
    assert_true(bench.written_count < sizeof bench.written / sizeof bench.written[0]);
    bench.written[bench.written_count].index = index;
    bench.written[bench.written_count++].value = value;
    return EXEC_OK;
}

enum exec_result
cpu_deliver_event(struct cpu *cpu, const struct fault *event, bool external)
{
    bench.delivered++;
    bench.last_event = *event;
    bench.last_external = external;
    vmx_ops.vectoring(cpu, event, external, true);
    if (bench.deliver_result == EXEC_JUMP) {
        vmx_ops.vectoring(cpu, event, external, false);
    }
    return bench.deliver_result;
}

void cpu_update_mode(struct cpu *cpu) { cpu->mode = cpu->nonroot ? MODE_NONROOT : 0; }
void cpu_event_recheck(struct cpu *cpu) { (void)cpu, bench.rechecks++; }
uint8_t apic_acknowledge(struct cpu *cpu) { return (void)cpu, bench.vector; }
void cpu_breakpoints_changed(struct cpu *cpu) { (void)cpu; }
void pmu_set_debugctl(struct cpu *cpu, uint64_t value) { cpu->msr.debugctl = value; }
void mmu_vtx_switched(struct cpu *cpu) { (void)cpu, bench.switched++; }

void
mmu_flush_vpid(struct cpu *cpu, uint16_t vpid, bool all)
{
    (void)cpu;
    bench.flush_vpid++;
    bench.flushed_vpid = vpid;
    bench.flush_all = all;
}

void
mmu_flush_ept(struct cpu *cpu, uint64_t eptp, bool all)
{
    (void)cpu;
    bench.flush_ept++;
    bench.flushed_eptp = eptp;
    bench.flush_all = all;
}

enum exec_result
mmu_read_pdptes(struct cpu *cpu, uint64_t cr3, uint64_t pdpte[4])
{
    (void)cr3, (void)pdpte;
    return bench.pdptes_bad ? cpu_raise_error(cpu, X_GP, 0) : EXEC_OK;
}

void time_charge(struct cpu *cpu, enum charge_kind kind, unsigned n) { (void)cpu, (void)kind, (void)n; }

void
trace_write(struct trace *trace, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    (void)trace, (void)now, (void)event, (void)a, (void)b, (void)c, (void)d;
}

void
machine_request_stop(struct machine *m, enum machine_stop stop, uint32_t code, const char *format, ...)
{
    va_list arguments;
    m->stop = stop;
    m->stop_code = code;
    va_start(arguments, format);
    vsnprintf(m->stop_text, sizeof m->stop_text, format, arguments);
    va_end(arguments);
}

/* --- the bench ------------------------------------------------------------------------ */

static void
segment(unsigned seg, uint16_t selector, uint32_t rights)
{
    bench.cpu.seg[seg] = (struct segment){ .selector = selector, .limit = 0xffffffff, .rights = rights };
}

int
bench_setup(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    status_flags = RFLAGS_STATUS; /* whatever an instruction leaves alone shows */
    bench.deliver_result = EXEC_JUMP;
    bench.vector = 0x51;
    bench.machine.mem = mem_new(BENCH_RAM);
    bench.machine.events = event_queue_new();
    bench.machine.cpu[0] = &bench.cpu;
    bench.machine.cpu_count = 1;
    bench.machine.vtx = &vmx_ops;
    bench.machine.config.vtx = true;
    struct cpu *c = &bench.cpu;
    c->machine = &bench.machine;
    c->cr0 = 0x80010031;
    c->cr3 = 0x1000;
    c->cr4 = CR4_PAE | CR4_VMXE;
    c->efer = EFER_LME | EFER_LMA;
    c->rflags_rest = RFLAGS_FIXED;
    c->msr.feature_control = 5;
    c->dr7 = 0x400;
    c->rip = 0xffff800000000000ull;
    segment(CS, 8, 0xa09b);
    for (unsigned seg = 0; seg < LDTR; seg++) {
        if (seg != CS) {
            segment(seg, 0x10, 0xc093);
        }
    }
    segment(LDTR, 0, SEG_UNUSABLE);
    segment(TR, 0x18, 0x8b);
    uint32_t revision = VMCS_REVISION;
    static const uint64_t regions[] = { BENCH_VMXON, BENCH_VMCS, BENCH_VMCS2 };
    for (unsigned i = 0; i < 3; i++) {
        mem_write(bench.machine.mem, regions[i], &revision, sizeof revision);
    }
    return vmx_ops.cpu_new(c) ? 0 : -1;
}

int
bench_setup_root(void **state)
{
    if (bench_setup(state) || bench_memory(OP_VMXON, BENCH_VMXON, 0) != EXEC_OK || !bench_succeeded()) {
        return -1;
    }
    bench_memory(OP_VMCLEAR, BENCH_VMCS, 0);
    bench_memory(OP_VMPTRLD, BENCH_VMCS, 0);
    bench_valid_vmcs(bench.cpu.vmx->current);
    return bench_succeeded() ? 0 : -1;
}

int
bench_teardown(void **state)
{
    (void)state;
    vmx_ops.cpu_free(&bench.cpu);
    event_queue_free(bench.machine.events);
    mem_free(bench.machine.mem);
    return 0;
}

struct vmcs *
bench_region(uint64_t address)
{
    return (struct vmcs *)(void *)mem_ram_write(bench.machine.mem, address);
}

static void
valid_guest_segments(struct vmcs *v)
{
    for (unsigned seg = 0; seg < LDTR; seg++) {
        v->slot[SLOT_GUEST_ES_SELECTOR + seg] = seg == CS ? 8 : 0x10;
        v->slot[SLOT_GUEST_ES_LIMIT + seg] = 0xffffffff;
        v->slot[SLOT_GUEST_ES_RIGHTS + seg] = seg == CS ? 0xa09b : 0xc093;
    }
    v->guest_ldtr_rights = 0x82;
    v->guest_ldtr_limit = 0xfff;
    v->guest_tr_selector = 0x18;
    v->guest_tr_rights = 0x8b;
    v->guest_tr_limit = 0x67;
    v->guest_gdtr_limit = 0xff;
    v->guest_idtr_limit = 0xfff;
}

static void
valid_host(struct vmcs *v)
{
    v->host_cr0 = 0x80010031;
    v->host_cr3 = 0x1000;
    v->host_cr4 = CR4_PAE | CR4_VMXE;
    v->host_cs_selector = 8;
    v->host_tr_selector = 0x18;
    v->host_rip = BENCH_HOST_RIP;
    v->host_rsp = 0xffff800000009000ull;
    v->host_fs_base = 0x1111;
    v->host_gs_base = 0x2222;
}

void
bench_valid_vmcs(struct vmcs *v)
{
    memset(v->slot, 0, sizeof v->slot);
    v->pin_controls = 0x16;
    v->primary_controls = 0x04006172u | (uint32_t)VMX_PRIMARY_SECONDARY | VMX_PRIMARY_MSR_BITMAPS;
    v->secondary_controls = VMX_SECONDARY_EPT | VMX_SECONDARY_VPID;
    v->exit_controls = 0x36dfbu | VMX_EXIT_HOST_64;
    v->entry_controls = 0x11fbu | VMX_ENTRY_GUEST_64;
    v->vpid = 1;
    v->ept_pointer = BENCH_EPT | 3 << EPTP_WALK_SHIFT | MEMORY_TYPE_WB;
    v->msr_bitmap = BENCH_MSR_BITMAP;
    v->virtual_apic_address = BENCH_VAPIC;
    v->io_bitmap_a = BENCH_IO_A;
    v->io_bitmap_b = BENCH_IO_B;
    v->link_pointer = UINT64_MAX;
    valid_host(v);
    v->guest_cr0 = 0x80010031;
    v->guest_cr3 = 0x2000;
    v->guest_cr4 = CR4_PAE | CR4_VMXE;
    v->guest_rip = BENCH_GUEST_RIP;
    v->guest_rsp = 0x7000;
    v->guest_rflags = RFLAGS_FIXED;
    v->guest_dr7 = 0x400;
    valid_guest_segments(v);
}

struct sys_insn
bench_insn(uint16_t op)
{
    return (struct sys_insn){
        .op = op, .length = 3, .operand_size = 8, .address_size = 8, .segment = DS, .base = 0xff, .index = 0xff,
        .next_rip = bench.cpu.rip + 3,
    };
}

enum exec_result
bench_memory(uint16_t op, uint64_t low, uint64_t high)
{
    struct sys_insn insn = bench_insn(op);
    uint64_t operand[2] = { low, high };
    mem_write(bench.machine.mem, BENCH_OPERAND, operand, sizeof operand);
    insn.ea = BENCH_OPERAND;
    insn.reg = RAX;
    return vmx_ops.execute(&bench.cpu, &insn);
}

enum exec_result
bench_plain(uint16_t op)
{
    struct sys_insn insn = bench_insn(op);
    insn.modrm = 0xc0;
    return vmx_ops.execute(&bench.cpu, &insn);
}

static enum exec_result
field_access(uint16_t op, uint64_t encoding)
{
    struct sys_insn insn = bench_insn(op);
    insn.modrm = 0xc0;
    insn.reg = RCX;
    insn.rm = RBX;
    bench.cpu.gpr[RCX] = encoding;
    return vmx_ops.execute(&bench.cpu, &insn);
}

enum exec_result
bench_vmread(uint64_t encoding, uint64_t *value)
{
    enum exec_result result = field_access(OP_VMREAD, encoding);
    *value = bench.cpu.gpr[RBX];
    return result;
}

enum exec_result
bench_vmwrite(uint64_t encoding, uint64_t value)
{
    bench.cpu.gpr[RBX] = value;
    return field_access(OP_VMWRITE, encoding);
}

void
bench_enter(void)
{
    enum exec_result result = bench_plain(OP_VMLAUNCH);
    if (result != EXEC_JUMP || !bench.cpu.nonroot) {
        const struct vmx_rule_info *rule = vmx_rule_info((enum vmx_rule)bench.cpu.vmx->last_failed_rule);
        fail_msg("VM entry refused: %s", rule ? rule->id : "no rule");
    }
}

bool
bench_succeeded(void)
{
    return !(cpu_rflags(&bench.cpu) & RFLAGS_STATUS);
}

bool
bench_failed_invalid(void)
{
    return (cpu_rflags(&bench.cpu) & RFLAGS_STATUS) == RFLAGS_CF;
}

unsigned
bench_failed_valid(void)
{
    bool zf = (cpu_rflags(&bench.cpu) & RFLAGS_STATUS) == RFLAGS_ZF;
    return zf ? (unsigned)bench.cpu.vmx->current->instruction_error : 0;
}

enum exec_result
bench_intercept(struct vtx_event ev)
{
    static struct sys_insn insn;
    if (!ev.insn) {
        insn = bench_insn(0);
        ev.insn = &insn;
    }
    return vmx_ops.intercept(&bench.cpu, &ev);
}
