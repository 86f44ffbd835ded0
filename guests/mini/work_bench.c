/* Workload bench:<name>: micro-benchmarks of what a virtual machine costs.
 *
 * Each runs its operation many times between BENCH_BEGIN and BENCH_END; the report's
 * bench results hold TSC cycles per operation (times 16), the number of operations,
 * and the elapsed reference time [100 ns].
 */
#include "guests/mini/arch.h"
#include "guests/mini/cpu.h"
#include "guests/mini/hyper.h"
#include "guests/mini/lab.h"
#include "guests/mini/mini.h"

enum { ROUNDS = 2000, CHASE_STEPS = 200000, LINE = 64, EVENT_CONNECTION_NONE = 0x7FFFFF };

static struct { const char *name; bool done; } bench;

static void do_hypercall(void) { hyper_call_fast(HV_CALL_NOTIFY_LONG_SPIN_WAIT, 0, 0); }
static void do_cpuid(void) { (void)arch_cpuid(HV_CPUID_FEATURES); }
static void do_signal(void) { hyper_signal_event(EVENT_CONNECTION_NONE); }
static void do_msr(void) { (void)arch_rdmsr(HV_MSR_TIME_REF_COUNT); }
static void do_time(void) { (void)hyper_now(); }

static void do_ipi(void)
{
    cpu_send_self(CPU_VECTOR_IPI);
    while (!cpu_fired(CPU_VECTOR_IPI))
        arch_interrupts_window();
}

static const struct { const char *name; void (*once)(void); } operations[] = {
    { "hypercall", do_hypercall }, { "cpuid", do_cpuid }, { "signal", do_signal },
    { "msr", do_msr }, { "time", do_time }, { "ipi", do_ipi },
};

static void report(uint64_t cycles, uint64_t count, uint64_t time)
{
    lab_set(LAB_BENCH_RESULT_0, cycles * 16 / count);
    lab_set(LAB_BENCH_RESULT_1, count);
    lab_set(LAB_BENCH_RESULT_2, time);
    lab_log("mini: bench %s: %lu cycles each\n", bench.name, (unsigned long)(cycles / count));
}

static void run_operation(void (*once)(void), unsigned index)
{
    for (unsigned i = 0; i < ROUNDS / 10; i++)
        once(); /* warm */
    lab_event(LAB_EVENT_BENCH_BEGIN, index);
    uint64_t time = hyper_now(), cycles = arch_rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        once();
    cycles = arch_rdtsc() - cycles;
    lab_event(LAB_EVENT_BENCH_END, index);
    report(cycles, ROUNDS, hyper_now() - time);
}

/* A chain of pointers through 'size' bytes in a scattered order: one load depends on the one before. */
static void run_memory(struct mini *m, uint64_t size)
{
    uint8_t *memory = mini_pages(m, size / 4096);
    uint64_t lines = size / LINE, at = 0;
    for (uint64_t i = 0; i < lines; i++) {
        uint64_t next = (at + 4097) % lines; /* 4097 is odd: with a power of two of lines this visits all */
        *(void **)(memory + at * LINE) = memory + next * LINE;
        at = next;
    }
    void **p = (void **)memory;
    lab_event(LAB_EVENT_BENCH_BEGIN, 100);
    uint64_t time = hyper_now(), cycles = arch_rdtsc();
    for (unsigned i = 0; i < CHASE_STEPS; i++)
        p = *p;
    cycles = arch_rdtsc() - cycles;
    lab_event(LAB_EVENT_BENCH_END, 100);
    lab_set(LAB_BENCH_RESULT_3, (uint64_t)(uintptr_t)p); /* keeps the loop */
    report(cycles, CHASE_STEPS, hyper_now() - time);
}

static void bench_start(struct mini *m, const char *argument)
{
    (void)m;
    bench.name = argument;
}

static void bench_begin(struct mini *m) { (void)m; }

static void bench_receive(struct mini *m, struct svc_packet *batch, unsigned count)
{
    (void)m;
    (void)batch;
    (void)count;
}

static void bench_run(struct mini *m)
{
    if (bench.done)
        return;
    bench.done = true;
    if (mini_equal(bench.name, "memory")) {
        run_memory(m, mini_config_number(m, "bench.size", 1 << 20));
        lab_event(LAB_EVENT_SENT_ALL, 0);
        return;
    }
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (mini_equal(operations[i].name, bench.name)) {
            run_operation(operations[i].once, i);
            lab_event(LAB_EVENT_SENT_ALL, 0);
            return;
        }
    lab_log("mini: bench:%s: there are hypercall, cpuid, signal, msr, time, ipi, memory\n", bench.name);
    lab_fail("unknown benchmark");
}

const struct work work_bench = {
    .name = "bench", .start = bench_start, .begin = bench_begin, .receive = bench_receive, .run = bench_run,
    .needs_network = false, .takes_part = false,
};
