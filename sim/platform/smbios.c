/* SMBIOS tables; see smbios.h.  DMTF DSP0134 "System Management BIOS Reference Specification", "SMBIOS 3.0 (64-bit) Entry Point". */
#include "sim/platform/smbios.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "spec/platform/bios.h"
#include "spec/platform/memory_map.h"

enum { TABLE_MAX = 8192, STRINGS_MAX = 512, MODULES_MAX = 8, RANGES_MAX = 2 };
#define MIB (1ull << 20)
#define GIB4 (1ull << 32)
#define MODULE_SIZE (16384 * MIB) /* largest that Size of a Memory Device can tell in MiB is just below 32 GiB */

/* What the tables tell of this machine. */
struct smbios_facts {
    uint64_t ram;                /* [bytes] */
    unsigned cpus, modules, ranges;
    struct { uint64_t base, size; } range[RANGES_MAX]; /* [spa], [bytes] */
    bool amd;
    const char *vendor;
    const char *brand;
    uint32_t signature, features; /* CPUID.1: EAX, EDX */
    unsigned mhz;
};

struct writer {
    uint8_t bytes[TABLE_MAX];
    uint32_t size;               /* [bytes] */
    uint32_t begin;              /* of the structure being written */
    char strings[STRINGS_MAX];   /* its strings, each with its zero */
    uint32_t strings_size;       /* [bytes] */
    uint8_t string_count;
};

/* --- facts ------------------------------------------------------------------------ */

static uint64_t
smbios_module_size(const struct smbios_facts *f, unsigned i)
{
    uint64_t left = f->ram - i * MODULE_SIZE;
    return left < MODULE_SIZE ? left : MODULE_SIZE;
}

static struct smbios_facts
facts_of(const struct machine *m)
{
    const struct cpu *cpu = m->cpu[0];
    uint64_t ram = m->config.ram_size, low = ram < MEM_HOLE_START ? ram : MEM_HOLE_START;
    struct smbios_facts f = {
        .ram = ram, .cpus = m->config.cpu_count, .modules = (unsigned)((ram + MODULE_SIZE - 1) / MODULE_SIZE),
        .ranges = ram > low ? 2 : 1, .range = { { 0, low }, { MEM_HOLE_END, ram - low } },
        .amd = cpu_is_amd(cpu), .mhz = MACHINE_TSC_HZ / 1000000,
    };
    uint32_t out[4];
    assert(f.modules <= MODULES_MAX);
    f.vendor = m->model ? cpu_model_vendor_name(m->model) : "";
    f.brand = m->model ? m->model->brand : "";
    cpu_cpuid(cpu, 1, 0, out);
    f.signature = out[0];
    f.features = out[3];
    return f;
}

/* --- structures ------------------------------------------------------------------- */

static void
field(struct writer *w, uint64_t value, unsigned size)
{
    assert(w->size + size <= TABLE_MAX);
    memcpy(w->bytes + w->size, &value, size);
    w->size += size;
}

static void text(struct writer *, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
text(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = STRINGS_MAX - w->strings_size;
    int length = vsnprintf(w->strings + w->strings_size, room, format, args);
    va_end(args);
    assert(length >= 0 && (size_t)length < room);
    if (length == 0) {
        field(w, 0, 1);
        return;
    }
    w->strings_size += (uint32_t)length + 1;
    field(w, ++w->string_count, 1);
}

static void
begin(struct writer *w, uint8_t type, unsigned handle)
{
    w->begin = w->size;
    w->strings_size = w->string_count = 0;
    field(w, type, 1);
    field(w, 0, 1);
    field(w, handle, 2);
}

/* Behind the formatted part: the strings and one more zero; two zeros when there are none. */
static void
end(struct writer *w)
{
    w->bytes[w->begin + 1] = (uint8_t)(w->size - w->begin);
    assert(w->size + w->strings_size + 2 <= TABLE_MAX);
    memcpy(w->bytes + w->size, w->strings, w->strings_size);
    w->size += w->strings_size;
    field(w, 0, w->strings_size ? 1 : 2);
}

static void
structures(struct writer *w, const struct smbios_facts *f)
{
#define BEGIN(type, handle) EACH(type, handle, 1)
#define EACH(type, handle, count) for (unsigned i = 0; i < (count); i++) { begin(w, type, (handle) + i);
#define BYTE(v) field(w, (uint8_t)(v), 1);
#define WORD(v) field(w, (uint16_t)(v), 2);
#define DWORD(v) field(w, (uint32_t)(v), 4);
#define QWORD(v) field(w, (v), 8);
#define TEXT(v) text(w, "%s", v);
#define TEXTF(...) text(w, __VA_ARGS__);
#define END end(w); }
#include "spec/platform/smbios.def"
#undef BEGIN
#undef EACH
#undef BYTE
#undef WORD
#undef DWORD
#undef QWORD
#undef TEXT
#undef TEXTF
#undef END
}

/* --- entry point ------------------------------------------------------------------ */

static void
place(struct machine *m, uint64_t at, const void *bytes, uint32_t size)
{
    bool ok = mem_write(m->mem, at, bytes, size);
    assert(ok && "conventional memory is always there");
    (void)ok;
}

static void
entry_point(struct machine *m, uint64_t table, uint32_t size)
{
    enum { CHECKSUM = 5, MAJOR = 3, MINOR = 2, REVISION_3 = 1 };
    struct writer w = { .size = 0 };
    memcpy(w.bytes, "_SM3_", 5);
    w.size = 6;
    field(&w, BIOS_SMBIOS_ENTRY_SIZE, 1);
    field(&w, MAJOR | MINOR << 8, 3); /* and no docrev */
    field(&w, REVISION_3, 2);         /* and a reserved byte */
    field(&w, size, 4);
    field(&w, table, 8);
    for (unsigned i = 0; i < BIOS_SMBIOS_ENTRY_SIZE; i++) {
        w.bytes[CHECKSUM] = (uint8_t)(w.bytes[CHECKSUM] - (i == CHECKSUM ? 0 : w.bytes[i]));
    }
    place(m, BIOS_BASE + BIOS_SMBIOS_ENTRY, w.bytes, BIOS_SMBIOS_ENTRY_SIZE);
}

void
smbios_write(struct machine *m, uint64_t at, uint64_t end_of_space)
{
    struct smbios_facts facts = facts_of(m);
    struct writer w = { .size = 0 };
    structures(&w, &facts);
    assert(at + w.size <= end_of_space);
    place(m, at, w.bytes, w.size);
    entry_point(m, at, w.size);
}
