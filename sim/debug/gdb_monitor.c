/* `monitor COMMAND`: what a debugger may ask beyond registers and memory.  Everything here only looks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/cpu.h"
#include "sim/debug/dump.h"
#include "sim/debug/gdb_priv.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"

enum { PHYS_DEFAULT = 64, PHYS_MAX = 4096, PHYS_LINE = 16 };

/* --- time --------------------------------------------------------------------------------- */

static void show_time(struct gdb *g, const char *rest, FILE *out)
{
    const struct machine *m = g->machine;

    (void)rest;
    fprintf(out, "%.9f s, cycle %" PRIu64 "\n", (double)machine_cycles_to_ns(machine_now(m)) / 1e9, machine_now(m));
    for (unsigned i = 0; i < m->cpu_count; i++) {
        fprintf(out, "cpu%u at cycle %" PRIu64 " has retired %" PRIu64 " instructions\n", i, m->cpu[i]->now, m->cpu[i]->instructions);
    }
}

static void show_hash(struct gdb *g, const char *rest, FILE *out)
{
    (void)rest;
    if (g->machine->running) {
        fprintf(out, "the machine stands in the middle of a round; hashes are of rounds' ends (press Ctrl-C while it runs)\n");
    } else {
        fprintf(out, "%016" PRIx64 "\n", machine_hash(g->machine));
    }
}

/* --- memory --------------------------------------------------------------------------------- */

static void show_phys(struct gdb *g, const char *rest, FILE *out)
{
    char *end;
    uint64_t at = strtoull(rest, &end, 0), size = *end ? strtoull(end, NULL, 0) : PHYS_DEFAULT;

    if (end == rest || size == 0 || size > PHYS_MAX) {
        fprintf(out, "want: phys ADDRESS [BYTES up to %d]\n", PHYS_MAX);
        return;
    }
    for (uint64_t i = 0; i < size; i++) {
        const uint8_t *byte = mem_ram(g->machine->mem, at + i); /* devices would notice being read */
        if (i % PHYS_LINE == 0) {
            fprintf(out, "%s%016" PRIx64 ":", i ? "\n" : "", at + i);
        }
        if (byte) {
            fprintf(out, " %02x", *byte);
        } else {
            fprintf(out, " --");
        }
    }
    fprintf(out, "\n");
}

static void show_translation(struct gdb *g, const char *rest, FILE *out)
{
    char *end;
    uint64_t linear = strtoull(rest, &end, 0), spa;

    if (end == rest) {
        fprintf(out, "want: translate ADDRESS\n");
    } else if (!cpu_translate_peek(gdb_current(g), linear, &spa)) {
        fprintf(out, "%#" PRIx64 " is not mapped on cpu%u\n", linear, g->current);
    } else {
        fprintf(out, "%#" PRIx64 " is physical %#" PRIx64 "%s\n", linear, spa, mem_ram(g->machine->mem, spa) ? "" : ", not RAM");
    }
}

/* --- the processor and devices ---------------------------------------------------------------- */

static void show_cpu(struct gdb *g, const char *rest, FILE *out)
{
    (void)rest;
    debug_dump_cpu(out, gdb_current(g));
}

static void show_lapic(struct gdb *g, const char *rest, FILE *out)
{
    (void)rest;
    apic_describe(gdb_current(g), out);
}

static uint32_t ioapic_register(struct mem *mem, uint32_t index)
{
    mem_mmio_write(mem, IOAPIC_BASE, 4, index);
    return (uint32_t)mem_mmio_read(mem, IOAPIC_BASE + 0x10, 4);
}

/* Through its window, whose index is put back. */
static void show_ioapic(struct gdb *g, const char *rest, FILE *out)
{
    static const char *const mode[8] = { "fixed", "lowest priority", "SMI", "(3)", "NMI", "INIT", "(6)", "ExtINT" };
    struct mem *mem = g->machine->mem;
    uint64_t index = mem_mmio_read(mem, IOAPIC_BASE, 4);

    (void)rest;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint32_t low = ioapic_register(mem, 0x10 + 2 * pin), high = ioapic_register(mem, 0x11 + 2 * pin);
        fprintf(out, "pin %2u %s vector %02x %s %s to %s %02x%s\n", pin, low >> 16 & 1 ? "masked" : "open  ", low & 0xff,
                low >> 15 & 1 ? "level" : "edge ", mode[low >> 8 & 7], low >> 11 & 1 ? "logical" : "APIC id", high >> 24,
                low >> 14 & 1 ? ", waits for EOI" : "");
    }
    mem_mmio_write(mem, IOAPIC_BASE, 4, index);
}

static void show_pci(struct gdb *g, const char *rest, FILE *out)
{
    (void)rest;
    for (unsigned bdf = 0; bdf <= UINT16_MAX; bdf++) {
        const struct pci_function *f = g->machine->pci ? pci_find(g->machine->pci, (pci_bdf)bdf) : NULL;
        if (!f) {
            continue;
        }
        bool bridge = pci_get(f, 0x0e, 1) & 0x7f;
        fprintf(out, "%02x:%02x.%u %04x:%04x class %06x command %04x%s", bdf >> 8, bdf >> 3 & 31, bdf & 7, pci_get(f, 0, 2),
                pci_get(f, 2, 2), pci_get(f, 8, 4) >> 8, pci_get(f, 4, 2), bridge ? ", bridge\n" : " BARs");
        for (unsigned i = 0; i < 6 && !bridge; i++) {
            fprintf(out, " %08x%s", pci_get(f, 0x10 + 4 * i, 4), i == 5 ? "\n" : "");
        }
    }
}

/* --- the table ----------------------------------------------------------------------------------- */

static const struct {
    const char *name, *arguments, *help;
    void (*show)(struct gdb *, const char *rest, FILE *);
} command[] = {
    { "time", "", "virtual time, cycles and instructions of all processors", show_time },
    { "cycle", "", "the same", show_time },
    { "hash", "", "the machine's state hash", show_hash },
    { "phys", " ADDRESS [BYTES]", "physical memory (RAM only: devices would notice)", show_phys },
    { "translate", " ADDRESS", "where a linear address lies, for the chosen thread's processor", show_translation },
    { "info cpu", "", "that processor's whole state: segments, control registers, code, stack", show_cpu },
    { "info lapic", "", "its local APIC", show_lapic },
    { "info ioapic", "", "the I/O APIC's pins", show_ioapic },
    { "info pci", "", "PCI functions", show_pci },
};

void gdb_monitor(struct gdb *g, const char *text, FILE *out)
{
    for (unsigned i = 0; i < sizeof command / sizeof *command; i++) {
        size_t length = strlen(command[i].name);
        if (!strncmp(text, command[i].name, length) && (text[length] == ' ' || !text[length])) {
            command[i].show(g, text + length, out);
            return;
        }
    }
    if (strcmp(text, "help")) {
        fprintf(out, "there is no command '%s'; there are:\n", text);
    }
    for (unsigned i = 0; i < sizeof command / sizeof *command; i++) {
        fprintf(out, "monitor %s%-*s  %s\n", command[i].name, (int)(27 - strlen(command[i].name)), command[i].arguments, command[i].help);
    }
}
