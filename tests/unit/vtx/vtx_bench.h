/* A processor on a bench: struct cpu built by hand, the core's functions as small fakes.
 *
 * What VMX calls in the core and the MMU (faults, flags, operands, event delivery, MSRs,
 * flushes) is defined in vtx_bench.c by link: recorded, and scripted where a test needs
 * it to fail.  Memory is real (sim_mem), linear addresses are physical ones.
 */
#ifndef TESTS_UNIT_VTX_VTX_BENCH_H
#define TESTS_UNIT_VTX_VTX_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"
#include "x86/opcodes.h"

enum {
    BENCH_VMXON = 0x10000, BENCH_VMCS = 0x20000, BENCH_VMCS2 = 0x21000, BENCH_VAPIC = 0x30000,
    BENCH_MSR_BITMAP = 0x31000, BENCH_IO_A = 0x32000, BENCH_IO_B = 0x33000, BENCH_EPT = 0x40000,
    BENCH_MSR_AREA = 0x50000, BENCH_OPERAND = 0x60000, BENCH_RAM = 0x400000,
};
#define BENCH_HOST_RIP 0xffff800000001000ull
#define BENCH_GUEST_RIP 0x0000000000401000ull

struct bench {
    struct machine machine;
    struct cpu cpu;
    /* what the fakes saw */
    unsigned delivered, flush_vpid, flush_ept, switched, rechecks;
    bool flush_all;
    uint16_t flushed_vpid;
    uint64_t flushed_eptp;
    struct fault last_event;
    bool last_external;
    /* what the fakes do */
    enum exec_result deliver_result; /* of cpu_deliver_event; EXEC_JUMP by default */
    bool operand_faults;             /* cpu_linear raises #GP(0) */
    bool pdptes_bad;
    uint8_t vector;                  /* apic_acknowledge */
    struct { uint32_t index; uint64_t value; } written[8];
    unsigned written_count;
};

extern struct bench bench; /* one per test program, made new by bench_setup */

int bench_setup(void **);    /* 64-bit root mode, CR4.VMXE = 1, outside VMX operation */
int bench_setup_root(void **); /* the same after VMXON, with a valid current VMCS */
int bench_teardown(void **);

/* A VMCS whose entry succeeds: a 64-bit guest with EPT, VPID and MSR bitmaps. */
void bench_valid_vmcs(struct vmcs *);
struct vmcs *bench_region(uint64_t address);

/* Runs one VMX instruction with a memory operand at BENCH_OPERAND, or in registers. */
enum exec_result bench_memory(uint16_t op, uint64_t low, uint64_t high);
enum exec_result bench_plain(uint16_t op);
enum exec_result bench_vmread(uint64_t encoding, uint64_t *value);
enum exec_result bench_vmwrite(uint64_t encoding, uint64_t value);

/* Enters the guest and expects success. */
void bench_enter(void);

/* Flags after a VMX instruction. */
bool bench_succeeded(void);
bool bench_failed_invalid(void);
unsigned bench_failed_valid(void); /* error number, or 0 */

/* Asks vmx_ops.intercept with an instruction three bytes long. */
enum exec_result bench_intercept(struct vtx_event);
struct sys_insn bench_insn(uint16_t op);

#endif
