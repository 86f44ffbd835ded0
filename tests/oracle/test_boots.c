/* Whole programs on both tiers in lock-step, and with several quanta: the same state every million cycles.
 *
 * The images are our own guests; HVLAB_KERNEL and HVLAB_INITRD name a Linux kernel and its initial
 * RAM disk to boot as well, on one processor and on four. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/cpu/cpu.h"
#include "sim/platform/board.h"
#include "sim/platform/load.h"

enum { WAYS = 4, TURN = 1000000, OWN_TURNS = 40, LINUX_TURNS = 6000, ERROR_MAX = 1024 };
enum { QUANTUM = 1000 };
struct way { enum machine_tier tier; uint64_t quantum; };
static const struct way by_tier[] = { { TIER_INTERPRETER, QUANTUM }, { TIER_COMPILED, QUANTUM }, { TIER_EAGER, QUANTUM } };
static const struct way by_quantum[] = { { TIER_COMPILED, QUANTUM }, { TIER_COMPILED, 7 }, { TIER_INTERPRETER, 777 }, { TIER_EAGER, 1000003 } };

struct program {
    const char *image, *initrd;
    unsigned cpus, turns, every; /* turns between comparisons of all state */
    bool quanta;                 /* compare quanta, not tiers: for a processor alone they decide nothing */
    uint64_t ram;
};

struct booted { struct machine *machine; struct board *board; };

static void die(const char *what, const char *error)
{
    fprintf(stderr, "%s: %s\n", what, error);
    exit(1);
}

static struct booted boot(const struct program *p, const struct way *way)
{
    char error[ERROR_MAX];
    const struct machine_config config = { .ram_size = p->ram, .cpu_count = p->cpus, .quantum = way->quantum, .tier = way->tier, .vtx = true,
                                           .model = p->initrd ? "intel-v3" : NULL, .rtc_epoch = 1300000000 };
    const struct board_config plain = { .no_test_devices = false };
    struct booted b = { .machine = machine_new(&config, error, sizeof error) };
    if (!b.machine || !(b.board = board_new(b.machine, &plain, error, sizeof error)))
        die(p->image, error);
    size_t size = 0;
    uint8_t *bytes = load_file(p->image, &size, error, sizeof error);
    struct load_module initrd = { .name = p->initrd };
    if (p->initrd)
        initrd.bytes = load_file(p->initrd, &initrd.size, error, sizeof error);
    const struct load_request request = { .name = p->image, .bytes = bytes, .size = size,
                                          .cmdline = p->initrd ? "console=ttyS0 quiet" : "",
                                          .initrd = p->initrd ? &initrd : NULL };
    if (!bytes || (p->initrd && !initrd.bytes) || !load_image(b.machine, &request, error, sizeof error))
        die(p->image, error);
    free(bytes);
    free((void *)initrd.bytes);
    return b;
}

static uint64_t instructions(const struct machine *m)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->cpu_count; i++)
        sum += m->cpu[i]->instructions;
    return sum;
}

/* Registers of all processors: cheap enough for every turn. */
static uint64_t glance(const struct machine *m)
{
    uint64_t sum = m->now ^ instructions(m);
    for (unsigned i = 0; i < m->cpu_count; i++) {
        const struct cpu *c = m->cpu[i];
        for (unsigned r = 0; r < 16; r++)
            sum = (sum ^ c->gpr[r]) * 0x9e3779b97f4a7c15ull;
        sum = (sum ^ c->rip ^ cpu_rflags(c) << 40) * 0x9e3779b97f4a7c15ull;
    }
    return sum;
}

static bool same(struct booted *b, unsigned ways, bool whole)
{
    for (unsigned w = 1; w < ways; w++)
        if (glance(b[w].machine) != glance(b[0].machine) || b[w].machine->stop != b[0].machine->stop)
            return false;
    uint64_t hash = whole ? machine_hash(b[0].machine) : 0;
    for (unsigned w = 1; whole && w < ways; w++)
        if (machine_hash(b[w].machine) != hash)
            return false;
    return true;
}

static bool run(const struct program *p)
{
    const struct way *way = p->quanta ? by_quantum : by_tier;
    unsigned ways = p->quanta ? sizeof by_quantum / sizeof *by_quantum : sizeof by_tier / sizeof *by_tier, turn = 0;
    struct booted b[WAYS];
    bool good = true;
    for (unsigned w = 0; w < ways; w++)
        b[w] = boot(p, &way[w]);
    for (bool going = true; good && going && turn < p->turns;) {
        turn++;
        for (unsigned w = 0; w < ways; w++)
            machine_run(b[w].machine, (uint64_t)turn * TURN);
        going = b[0].machine->stop == STOP_LIMIT;
        good = same(b, ways, turn % p->every == 0 || !going);
    }
    printf("%s, %u processors: %" PRIu64 " instructions, %u million cycles, %s on all %s\n", p->image, p->cpus,
           instructions(b[0].machine), turn, good ? "the same" : "NOT THE SAME", p->quanta ? "quanta" : "tiers");
    for (unsigned w = 0; w < ways; w++) {
        if (!good)
            printf("  tier %u, quantum %" PRIu64 ": at %" PRIu64 ", rip %#" PRIx64 ", %" PRIu64 " instructions, stop %u %s\n", way[w].tier,
                   way[w].quantum, b[w].machine->now, b[w].machine->cpu[0]->rip, instructions(b[w].machine), b[w].machine->stop,
                   b[w].machine->stop_text);
        board_free(b[w].board);
        machine_free(b[w].machine);
    }
    return good;
}

int main(void)
{
    static const char *const own[] = { "bench_core", "bench_floating", "guest_vtx", "guest_cpu_system" };
    const char *kernel = getenv("HVLAB_KERNEL"), *initrd = getenv("HVLAB_INITRD");
    unsigned every = getenv("HVLAB_LONG") ? 1 : 20;
    bool good = true;
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.elf", IMAGES, own[i]);
        for (unsigned cpus = 1; cpus <= 2; cpus++)
            good &= run(&(struct program){ .image = path, .cpus = cpus, .turns = OWN_TURNS, .every = 1, .ram = 64 << 20 });
        good &= run(&(struct program){ .image = path, .cpus = 1, .turns = OWN_TURNS, .every = 1, .ram = 64 << 20, .quanta = true });
    }
    for (unsigned cpus = 1; kernel && initrd && cpus <= 4; cpus += 3)
        good &= run(&(struct program){ .image = kernel, .initrd = initrd, .cpus = cpus, .turns = LINUX_TURNS, .every = every, .ram = 256 << 20 });
    if (kernel && initrd && getenv("HVLAB_LONG"))
        good &= run(&(struct program){ .image = kernel, .initrd = initrd, .cpus = 1, .turns = LINUX_TURNS, .every = every, .ram = 256 << 20,
                                       .quanta = true });
    return !good;
}
