/* From a recorded fault or an event to a handler: intercepts, double and triple faults. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/base/trace.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/pmu.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"
#include "spec/x86/system.h"

/* --- recording ------------------------------------------------------------- */

enum exec_result cpu_raise(struct cpu *cpu, unsigned vector)
{
    cpu->fault = (struct fault){ .vector = (uint8_t)vector, .int_type = INT_HARDWARE };
    return EXEC_FAULT;
}

enum exec_result cpu_raise_error(struct cpu *cpu, unsigned vector, uint32_t error)
{
    cpu->fault = (struct fault){
        .vector = (uint8_t)vector, .has_error = true, .int_type = INT_HARDWARE, .error = error,
    };
    return EXEC_FAULT;
}

enum exec_result cpu_raise_pf(struct cpu *cpu, uint64_t linear, uint32_t error)
{
    cpu_raise_error(cpu, X_PF, error);
    cpu->fault.address = linear;
    return EXEC_FAULT;
}

enum exec_result cpu_raise_software(struct cpu *cpu, unsigned vector, enum int_type type, unsigned length)
{
    cpu->fault = (struct fault){
        .vector = (uint8_t)vector, .software = true, .int_type = (uint8_t)type, .length = (uint8_t)length,
    };
    return EXEC_FAULT;
}

/* --- helpers of the three ways through a table -------------------------------- */

uint32_t cpu_event_ext(const struct fault *event, bool external)
{
    return external || !cpu_event_is_software(event) ? ERROR_EXT : 0;
}

/* SDM Vol 3B "Instruction-Breakpoint Exception Condition": RF in the image is 1 for fault-class exceptions but instruction
 * breakpoints, and for what arrives between two iterations of a string instruction. */
uint64_t cpu_event_pushed_rflags(const struct cpu *cpu, const struct fault *event, bool external)
{
    uint64_t rflags = cpu_rflags(cpu);
    bool general_detect = event->vector == X_DB && event->address & DR6_BD;
    bool fault_class = event->int_type == INT_HARDWARE && event->vector != X_DF && event->vector != X_MC &&
                       (event->vector != X_DB || general_detect);
    bool trap_class = external || (event->int_type == INT_HARDWARE && event->vector == X_DB);

    return (!external && fault_class) || (trap_class && cpu->in_string) ? rflags | RFLAGS_RF : rflags;
}

/* --- double faults ----------------------------------------------------------- */

static bool is_contributory(const struct fault *f)
{
    return f->int_type == INT_HARDWARE &&
           (f->vector == X_DE || (f->vector >= X_TS && f->vector <= X_GP));
}

/* SDM Vol 3A "Interrupt 8-Double Fault Exception (#DF)": conditions for generating a double fault. */
static bool makes_double_fault(const struct fault *first, const struct fault *second)
{
    bool first_is_pf = first->int_type == INT_HARDWARE && first->vector == X_PF;

    if (is_contributory(first)) {
        return is_contributory(second);
    }
    return first_is_pf && (second->vector == X_PF || is_contributory(second));
}

static bool is_double_fault(const struct fault *f)
{
    return f->int_type == INT_HARDWARE && f->vector == X_DF;
}

void cpu_event_dump(const struct cpu *cpu, char *text, size_t size)
{
    static const char *const gpr[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
    static const char *const seg[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
    size_t n = 0;

#define PUT(...) n += n < size ? (size_t)snprintf(text + n, size - n, __VA_ARGS__) : 0
    PUT("cpu%u rip %016" PRIx64 " rflags %08" PRIx64 " cycle %" PRIu64 " %s\n", cpu->index, cpu->rip,
        cpu_rflags(cpu), cpu->now, cpu->nonroot ? "(guest)" : "");
    for (unsigned i = 0; i < 16; i++) {
        PUT("%-3s %016" PRIx64 "%s", gpr[i], cpu->gpr[i], i % 4 == 3 ? "\n" : " ");
    }
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct segment *s = &cpu->seg[i];
        PUT("%-4s %04x base %016" PRIx64 " limit %08x rights %05x\n", seg[i], s->selector, s->base, s->limit,
            s->rights);
    }
    PUT("gdt %016" PRIx64 "/%x idt %016" PRIx64 "/%x\n", cpu->gdtr.base, cpu->gdtr.limit, cpu->idtr.base,
        cpu->idtr.limit);
    PUT("cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64 " cr4 %08" PRIx64 " efer %04" PRIx64 "\n",
        cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4, cpu->efer);
#undef PUT
}

enum exec_result cpu_event_triple_fault(struct cpu *cpu, const struct fault *last)
{
    if (cpu->nonroot) {
        struct vtx_event event = { .cause = VTX_TRIPLE_FAULT };
        enum exec_result result = cpu->machine->vtx->intercept(cpu, &event);
        if (result != EXEC_OK) {
            return result;
        }
    }
    char text[2048];

    cpu_event_dump(cpu, text, sizeof(text));
    cpu->activity = SHUTDOWN;
    machine_request_stop(cpu->machine, STOP_TRIPLE_FAULT, cpu->index,
                         "triple fault: vector %u (error %x) could not be delivered, nor the double fault\n%s",
                         last->vector, last->error, text);
    return EXEC_STOP;
}

/* --- delivery ---------------------------------------------------------------- */

/* What an event leaves in registers before its handler runs. */
static void commit_side_effects(struct cpu *cpu, const struct fault *event)
{
    if (event->int_type == INT_HARDWARE && event->vector == X_PF) {
        cpu->cr2 = event->address;
    }
    if (event->vector == X_DB && (event->int_type == INT_HARDWARE || event->int_type == INT_PRIVILEGED)) {
        if (event->address) { /* INT1 and injected events leave DR6 alone */
            cpu->dr6 = (cpu->dr6 & ~0xfull) | event->address | DR6_FIXED;
        }
        cpu->dr7 &= ~DR7_GD;
        pmu_set_debugctl(cpu, cpu->msr.debugctl & ~(DEBUGCTL_LBR | DEBUGCTL_BTF));
    }
    if (event->int_type == INT_HARDWARE || event->int_type == INT_PRIVILEGED) {
        cpu->pending_db = 0; /* what a MOV SS held back is lost to a fault; software interrupts keep it */
    } else if (cpu_event_is_software(event)) {
        cpu->pending_db &= ~DR6_BS;
    }
}

static enum exec_result through_table(struct cpu *cpu, const struct fault *event, bool external)
{
    uint64_t rip = cpu->rip + (event->software ? event->length : 0);

    if (cpu->machine->timing) {
        time_charge(cpu, CHARGE_INTERRUPT, 1);
    }
    if (!(cpu->cr0 & CR0_PE)) {
        return cpu_event_through_ivt(cpu, event, external, rip);
    }
    if (cpu->efer & EFER_LMA) {
        return cpu_event_through_idt64(cpu, event, external, rip);
    }
    return cpu_event_through_idt32(cpu, event, external, rip);
}

static void trace_event(struct cpu *cpu, const struct fault *event, bool external)
{
    if (external) {
        TRACE(cpu->machine, cpu->now, TRACE_INTERRUPT, cpu->index, event->vector, 0, 0);
    } else {
        TRACE(cpu->machine, cpu->now, TRACE_EXCEPTION, cpu->index, event->vector, event->error, event->address);
    }
}

/* May a fault be intercepted?  INT n never is by the exception bitmap. */
static enum exec_result ask_intercept(struct cpu *cpu, const struct fault *event, const struct fault *nested)
{
    if (!cpu->nonroot || event->int_type == INT_SOFTWARE) {
        return EXEC_OK;
    }
    return cpu->machine->vtx->exception(cpu, event, nested);
}

/* 'event' has passed its intercepts.  Every round is a different event: the first, at most one serial
 * fault per table access that can fail, then #DF, then shutdown. */
static enum exec_result deliver(struct cpu *cpu, struct fault event, bool external)
{
    const struct vtx_ops *vtx = cpu->machine->vtx;

    for (;;) {
        trace_event(cpu, &event, external);
        commit_side_effects(cpu, &event);
        if (cpu->nonroot) {
            vtx->vectoring(cpu, &event, external, true);
        }
        enum exec_result result = through_table(cpu, &event, external);
        if (result == EXEC_VMEXIT) {
            cpu->break_hits = 0;
            return result; /* the exit has recorded the vectoring information */
        }
        if (cpu->nonroot) {
            vtx->vectoring(cpu, &event, external, false);
        }
        if (cpu->break_hits) {
            cpu_breakpoint_settle(cpu, result);
            if (!cpu->machine->timing) {
                cpu_wait(cpu, 1); /* a #DB may hit a breakpoint by its own delivery, for ever */
            }
        }
        if (result == EXEC_JUMP) { /* the handler's first instruction has no shadow */
            cpu->in_string = false;
            cpu->shadow_sti = cpu->shadow_movss = false;
            cpu->attention &= ~(uint32_t)ATTN_SHADOW;
        }
        if (result != EXEC_FAULT) {
            return result;
        }
        struct fault second = cpu->fault;
        if (is_double_fault(&event)) {
            return cpu_event_triple_fault(cpu, &second);
        }
        if (ask_intercept(cpu, &second, &event) == EXEC_VMEXIT) {
            return EXEC_VMEXIT;
        }
        if (!external && makes_double_fault(&event, &second)) {
            cpu_raise_error(cpu, X_DF, 0);
            second = cpu->fault;
            if (ask_intercept(cpu, &second, NULL) == EXEC_VMEXIT) {
                return EXEC_VMEXIT;
            }
        }
        event = second;
        external = false;
    }
}

enum exec_result cpu_deliver(struct cpu *cpu)
{
    struct fault event = cpu->fault;

    if (ask_intercept(cpu, &event, NULL) == EXEC_VMEXIT) {
        return EXEC_VMEXIT;
    }
    return deliver(cpu, event, false);
}

enum exec_result cpu_deliver_event(struct cpu *cpu, const struct fault *event, bool external)
{
    return deliver(cpu, *event, external);
}
