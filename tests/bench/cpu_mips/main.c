/* How fast the processor is: the workload natively and as a guest: functional on both tiers, and timed.
 *
 *   cpu_mips [image [rounds]]
 *
 * Prints simulated MIPS, native MIPS (the guest's instruction count over native
 * time) and their ratio, all in one run.  Exit code 1 when results differ.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "tests/bench/cpu_mips/workload.h"

enum { TABLES = 0x10000, STACK = 0x180000, SCRATCH = 4 << 20, RAM = 16 << 20, TURNS = 3 };

/* Of processor time, so that what else the host does counts less. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t load_image(struct machine *m, const char *path)
{
    static uint8_t file[4 << 20];
    FILE *in = fopen(path, "rb");
    size_t size = in ? fread(file, 1, sizeof file, in) : 0;
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)file;
    if (size < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG)) {
        fprintf(stderr, "%s: not an ELF image\n", path);
        exit(2);
    }
    for (unsigned i = 0; i < e->e_phnum; i++) {
        const Elf64_Phdr *p = (const Elf64_Phdr *)(file + e->e_phoff) + i;
        if (p->p_type == PT_LOAD && p->p_filesz) {
            mem_write(m->mem, p->p_paddr, file + p->p_offset, p->p_filesz);
        }
    }
    fclose(in);
    return e->e_entry;
}

/* 64-bit mode with 16 MiB mapped one to one in 4-KiB pages. */
static void boot(struct machine *m, uint64_t entry, unsigned rounds)
{
    struct cpu *c = m->cpu[0];
    uint64_t link[2] = { (TABLES + 0x1000) | 3, (TABLES + 0x2000) | 3 };

    mem_write(m->mem, TABLES, &link[0], 8);
    mem_write(m->mem, TABLES + 0x1000, &link[1], 8);
    for (uint64_t i = 0; i < RAM >> 21; i++) {
        uint64_t table = (TABLES + 0x3000 + i * 0x1000) | 3;
        mem_write(m->mem, TABLES + 0x2000 + i * 8, &table, 8);
        for (uint64_t k = 0; k < 512; k++) {
            uint64_t page = (i << 21 | k << 12) | 3;
            mem_write(m->mem, TABLES + 0x3000 + i * 0x1000 + k * 8, &page, 8);
        }
    }
    c->cr3 = TABLES;
    c->cr0 = 0x80050033;
    c->cr4 = 0x6a0;
    c->efer = 0xd01;
    c->seg[CS] = (struct segment){ .limit = 0xffffffff, .selector = 8, .rights = 0xb | SEG_S | SEG_P | SEG_L | SEG_G };
    for (unsigned s = 0; s <= GS; s++) {
        if (s != CS) {
            c->seg[s] = (struct segment){ .limit = 0xffffffff, .selector = 16, .rights = 3 | SEG_S | SEG_P | SEG_DB | SEG_G };
        }
    }
    c->rip = entry;
    c->gpr[RSP] = STACK;
    c->gpr[RDI] = SCRATCH;
    c->gpr[RSI] = rounds;
    cpu_update_mode(c);
    mmu_mode_changed(c);
}

struct outcome { double seconds; uint64_t value, instructions, cycles; };

static struct outcome run_guest(const char *image, unsigned rounds, bool timed, enum machine_tier tier)
{
    char error[256];
    const struct machine_config config = { .ram_size = RAM, .cpu_count = 1, .quantum = 100000, .timing_approx = timed,
                                           .tier = tier };
    struct machine *m = machine_new(&config, error, sizeof error);
    if (!m) {
        fprintf(stderr, "%s\n", error);
        exit(2);
    }
    boot(m, load_image(m, image), rounds);
    struct cpu *c = m->cpu[0];
    uint64_t begin = c->now;
    double start = seconds();
    while (c->activity == ACTIVE && m->stop == STOP_NONE) {
        machine_run(m, m->now + 100000000);
        m->stop = m->stop == STOP_LIMIT ? STOP_NONE : m->stop;
    }
    struct outcome o = { seconds() - start, c->gpr[RAX], c->instructions, c->now - begin };
    if (c->activity == ACTIVE) {
        fprintf(stderr, "stopped: %s (rip %#llx)\n", m->stop_text, (unsigned long long)c->rip);
        exit(1);
    }
    machine_free(m);
    return o;
}

static struct outcome run_native(unsigned rounds)
{
    uint8_t *scratch = calloc(1, WORKLOAD_SCRATCH);
    double start = seconds();
    uint64_t value = workload_run(scratch, rounds);
    struct outcome o = { .seconds = seconds() - start, .value = value };
    free(scratch);
    return o;
}

/* The fastest of several runs, taken in turns so that all see the same host. */
static void keep_fastest(struct outcome *best, struct outcome o)
{
    if (best->seconds == 0 || o.seconds < best->seconds) {
        *best = o;
    }
}

int main(int argc, char **argv)
{
    const char *image = argc > 1 ? argv[1] : BENCH_IMAGE;
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 10;
    bool timing = !getenv("HVLAB_NO_TIMING");
    struct outcome native = { 0 }, functional = { 0 }, interpreted = { 0 }, timed = { 0 };

    for (unsigned turn = 0; turn < TURNS; turn++) {
        keep_fastest(&native, run_native(rounds));
        keep_fastest(&functional, run_guest(image, rounds, false, TIER_COMPILED));
        keep_fastest(&interpreted, run_guest(image, rounds, false, TIER_INTERPRETER));
        if (timing) {
            keep_fastest(&timed, run_guest(image, rounds, true, TIER_INTERPRETER));
        }
    }
    double count = (double)functional.instructions, native_mips = count / native.seconds / 1e6;
    printf("%.0f instructions, native %.0f MIPS\n", count, native_mips);
    printf("functional   %6.0f MIPS  1/%.1f of native\n", count / functional.seconds / 1e6,
           functional.seconds / native.seconds);
    printf("interpreted  %6.0f MIPS  1/%.1f of native\n", count / interpreted.seconds / 1e6,
           interpreted.seconds / native.seconds);
    bool same = functional.value == native.value && interpreted.value == native.value &&
                interpreted.instructions == functional.instructions;
    if (timing) {
        printf("approximate  %6.0f MIPS  1/%.1f of native  %.2f cycles per instruction\n",
               count / timed.seconds / 1e6, timed.seconds / native.seconds, (double)timed.cycles / count);
        same = same && timed.value == native.value && timed.instructions == functional.instructions;
    }
    printf("%s\n", same ? "results agree" : "RESULTS DIFFER");
    return !same;
}
