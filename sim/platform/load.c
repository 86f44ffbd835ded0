/* Loading software: the parts the boot protocols share; see load.h. */
#include "sim/platform/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"
#include "sim/platform/load_priv.h"
#include "spec/platform/bios.h"
#include "spec/platform/memory_map.h"
#include "spec/x86/system.h"

bool
load_fail(struct load *l, const char *format, ...)
{
    int used = snprintf(l->error, l->error_size, "%s: ", l->request->name);
    if (used >= 0 && (unsigned)used < l->error_size) {
        va_list args;
        va_start(args, format);
        vsnprintf(l->error + used, l->error_size - (unsigned)used, format, args);
        va_end(args);
    }
    return false;
}

/* --- placing bytes --------------------------------------------------------------- */

static bool
overlaps(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
    return a < b_end && b < a_end;
}

bool
load_place(struct load *l, const char *what, uint64_t spa, const void *bytes, uint64_t file_size,
           uint64_t mem_size)
{
    struct mem *mem = l->machine->mem;
    uint64_t end = spa + mem_size;
    if (end < spa || !mem_ram(mem, spa) || !mem_ram(mem, end - 1) ||
        overlaps(spa, end, MEM_HOLE_START, MEM_HOLE_END)) {
        return load_fail(l, "%s at %#llx-%#llx does not fit into the machine's %llu MiB of RAM",
                         what, (unsigned long long)spa, (unsigned long long)end - 1,
                         (unsigned long long)(mem_ram_size(mem) >> 20));
    }
    if (overlaps(spa, end, LOW_RAM_END, ACPI_TABLES_END)) {
        return load_fail(l, "%s at %#llx-%#llx lies on the reserved range %#llx-%#llx (ACPI tables)",
                         what, (unsigned long long)spa, (unsigned long long)end - 1, LOW_RAM_END,
                         ACPI_TABLES_END - 1);
    }
    return mem_write(mem, spa, bytes, file_size); /* the rest is zero: the machine is new */
}

bool
load_segments(struct load *l)
{
    const struct image *image = l->image;
    image_extent(image, &l->image_first, &l->image_end);
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct image_segment *s = &image->segment[i];
        char what[32];
        snprintf(what, sizeof what, "segment %u", i);
        if (!load_place(l, what, s->paddr, image->bytes + s->file_offset, s->file_size,
                        s->mem_size)) {
            return false;
        }
    }
    return true;
}

static uint64_t
page_up(uint64_t spa)
{
    return (spa + MEM_PAGE_SIZE - 1) & -MEM_PAGE_SIZE;
}

bool
load_modules(struct load *l)
{
    const struct load_request *r = l->request;
    uint64_t limit = l->machine->config.ram_size;
    limit = limit < MEM_HOLE_START ? limit : MEM_HOLE_START;
    uint64_t at = page_up(l->image_end > ACPI_TABLES_END ? l->image_end : ACPI_TABLES_END);
    for (unsigned i = 0; i < r->module_count; i++) {
        const struct load_module *m = &r->modules[i];
        if (at > limit || m->size > limit - at) {
            return load_fail(l, "module %s of %zu bytes does not fit below %#llx; give the machine "
                             "more memory", m->name, m->size, (unsigned long long)limit);
        }
        l->module_spa[i] = at;
        if (m->size && !load_place(l, m->name, at, m->bytes, m->size, m->size)) {
            return false;
        }
        at = page_up(at + m->size);
    }
    return true;
}

const char *
load_module_cmdline(const struct load *l, unsigned index)
{
    const struct load_module *m = &l->request->modules[index];
    return m->cmdline ? m->cmdline : m->name;
}

/* --- memory map ------------------------------------------------------------------- */

unsigned
load_memory_map(const struct machine *m, struct memory_range range[MEMORY_RANGES_MAX])
{
    uint64_t ram = m->config.ram_size;
    uint64_t low_end = ram < MEM_HOLE_START ? ram : MEM_HOLE_START;
    unsigned n = 0;
    range[n++] = (struct memory_range){ 0, LOW_RAM_END, MEMORY_AVAILABLE };
    range[n++] = (struct memory_range){ LOW_RAM_END, ACPI_TABLES_BASE - LOW_RAM_END, MEMORY_RESERVED };
    range[n++] = (struct memory_range){ ACPI_TABLES_BASE, ACPI_TABLES_END - ACPI_TABLES_BASE, MEMORY_ACPI };
    if (low_end > ACPI_TABLES_END) {
        range[n++] = (struct memory_range){ ACPI_TABLES_END, low_end - ACPI_TABLES_END, MEMORY_AVAILABLE };
    }
    if (m->config.display_width && ram < MEM_HOLE_START) {
        range[n++] = (struct memory_range){ ram, display_memory(&m->config), MEMORY_RESERVED };
    }
    range[n++] = (struct memory_range){ ECAM_BASE, ECAM_SIZE, MEMORY_RESERVED };
    range[n++] = (struct memory_range){ IOAPIC_BASE, MEM_HOLE_END - IOAPIC_BASE, MEMORY_RESERVED };
    if (ram > MEM_HOLE_START) {
        range[n++] = (struct memory_range){ MEM_HOLE_END, ram - MEM_HOLE_START, MEMORY_AVAILABLE };
    }
    if (m->config.display_width && ram >= MEM_HOLE_START) {
        range[n++] = (struct memory_range){ display_base(&m->config), display_memory(&m->config), MEMORY_RESERVED };
    }
    return n;
}

uint32_t
load_memory_upper_kib(const struct machine *m)
{
    uint64_t ram = m->config.ram_size;
    uint64_t low_end = ram < MEM_HOLE_START ? ram : MEM_HOLE_START;
    return (uint32_t)((low_end - ACPI_TABLES_END) / 1024);
}

/* --- boot information ------------------------------------------------------------- */

bool
blob_new(struct load *l, struct blob *b)
{
    *b = (struct blob){ .bytes = calloc(1, BLOB_MAX) };
    return b->bytes || load_fail(l, "not enough host memory to load it");
}

void
blob_align(struct blob *b, unsigned to)
{
    b->size = (b->size + to - 1) & ~(to - 1);
}

uint32_t
blob_add(struct blob *b, const void *bytes, uint32_t size)
{
    uint32_t offset = b->size;
    if (size > BLOB_MAX - 64 || offset > BLOB_MAX - 64 - size) {
        b->overflow = true;
        return 0;
    }
    if (size) {
        memcpy(b->bytes + offset, bytes, size);
    }
    b->size += size;
    return offset;
}

uint32_t
blob_add_string(struct blob *b, const char *text)
{
    size_t size = strlen(text) + 1;
    return blob_add(b, text, size > BLOB_MAX ? BLOB_MAX : (uint32_t)size);
}

void
blob_set32(struct blob *b, uint32_t offset, uint32_t value)
{
    memcpy(b->bytes + offset, &value, 4);
}

void
blob_pointer(struct blob *b, uint32_t at, uint32_t target)
{
    blob_set32(b, at, target);
    if (b->pointer_count == BLOB_POINTERS_MAX) {
        b->overflow = true;
    } else {
        b->pointer[b->pointer_count++] = at;
    }
}

static bool
image_occupies(const struct load *l, uint64_t first, uint64_t end)
{
    const struct image *image = l->image;
    bool hit = l->flat && overlaps(l->image_first, l->image_end, first, end);
    for (unsigned i = 0; image && !l->flat && i < image->segment_count; i++) {
        const struct image_segment *s = &image->segment[i];
        hit |= overlaps(s->paddr, s->paddr + s->mem_size, first, end);
    }
    return hit;
}

static bool
info_is_free(struct load *l)
{
    bool hit = image_occupies(l, l->boot_info, BOOT_INFO_END);
    return !hit || load_fail(l, "it leaves no room for the boot information at %#llx-%#llx",
                             (unsigned long long)l->boot_info, BOOT_INFO_END - 1);
}

bool
blob_place(struct load *l, struct blob *b)
{
    uint64_t space = BOOT_INFO_END - BOOT_INFO_BASE;
    bool ok = !b->overflow && b->size <= space;
    if (!ok) {
        load_fail(l, "the boot information (command lines and modules) exceeds %llu KiB",
                  (unsigned long long)(space >> 10));
    } else {
        l->boot_info = (BOOT_INFO_END - b->size) & ~0xFFFull;
        for (unsigned i = 0; i < b->pointer_count; i++) {
            uint32_t target;
            memcpy(&target, b->bytes + b->pointer[i], 4);
            blob_set32(b, b->pointer[i], target + (uint32_t)l->boot_info);
        }
        ok = info_is_free(l) && load_place(l, "boot information", l->boot_info, b->bytes, b->size, b->size);
    }
    free(b->bytes);
    b->bytes = NULL;
    return ok;
}

/* Boot loaders leave the BIOS data area alone ("Machine state": "as initialized by the BIOS"), and kernels look there
 * for the end of conventional memory: what a BIOS would have left, unless the image wants the place. */
static void
bios_data(struct load *l)
{
    if (image_occupies(l, BIOS_DATA_BASE, BIOS_DATA_BASE + BIOS_DATA_SIZE)) {
        return;
    }
    static const struct { unsigned offset; uint16_t value; } field[] = {
        { BIOS_DATA_COM1, PORT_COM1 },
        { BIOS_DATA_EQUIPMENT, BIOS_DATA_EQUIPMENT_VALUE },
        { BIOS_DATA_MEMORY_KIB, LOW_RAM_END >> 10 },
    };
    for (unsigned i = 0; i < sizeof field / sizeof field[0]; i++) {
        mem_write(l->machine->mem, BIOS_DATA_BASE + field[i].offset, &field[i].value, 2);
    }
}

/* --- entry ------------------------------------------------------------------------ */

static struct segment
flat_segment(uint16_t selector, unsigned type)
{
    return (struct segment){
        .base = 0, .limit = UINT32_MAX, .selector = selector,
        .rights = type | SEG_S | SEG_P | SEG_DB | SEG_G,
    };
}

/* Multiboot's "Machine state", or the Linux boot protocols'.  The stack is undefined there;
 * ours points at free conventional memory because real loaders' does and images push. */
static void
enter(struct load *l)
{
    enum { CODE = 0xB, DATA = 0x3 };
    struct cpu *cpu = l->machine->cpu[0];
    const struct load_start *start = &l->start;
    if (start->reset) { /* as after RESET, but with the BIOS where its shadow is */
        cpu->seg[CS].base = BIOS_BASE;
        cpu->seg[CS].selector = BIOS_SEGMENT;
        cpu->rip = 0xFFF0;
        cpu_update_mode(cpu);
        mmu_mode_changed(cpu);
        return;
    }
    cpu->cr0 = CR0_PE | CR0_ET | (start->long_mode ? CR0_PG : 0);
    cpu->cr4 = start->long_mode ? CR4_PAE : 0;
    cpu->efer = start->long_mode ? EFER_LME | EFER_LMA : 0;
    cpu->cr3 = start->cr3;
    cpu->seg[CS] = flat_segment(start->code, CODE);
    if (start->long_mode) {
        cpu->seg[CS].rights ^= SEG_DB | SEG_L;
    }
    for (unsigned i = ES; i <= GS; i++) {
        if (i != CS) {
            cpu->seg[i] = flat_segment(start->data, DATA);
        }
    }
    memset(cpu->gpr, 0, sizeof cpu->gpr);
    cpu->gpr[RAX] = start->rax;
    cpu->gpr[RBX] = start->rbx;
    cpu->gpr[RSI] = start->rsi;
    cpu->gpr[RSP] = start->rsp;
    cpu_set_rflags(cpu, 2);
    cpu->rip = l->entry;
    cpu_update_mode(cpu);
    mmu_mode_changed(cpu);
}

static bool
elf_load(struct load *l)
{
    if (!load_segments(l) || !load_modules(l)) {
        return false;
    }
    uint64_t spa = image_spa(l->image, l->image->entry);
    l->entry = spa == IMAGE_NOWHERE ? l->image->entry : spa;
    return true;
}

static bool
dispatch(struct load *l, enum load_protocol *protocol)
{
    *protocol = l->request->protocol;
    if (*protocol == LOAD_AUTO) {
        *protocol = multiboot2_probe(l) ? LOAD_MULTIBOOT2 : LOAD_MULTIBOOT;
    }
    switch (*protocol) {
    case LOAD_MULTIBOOT2:
        return multiboot2_probe(l) ? multiboot2_load(l)
                                   : load_fail(l, "no multiboot2 header in the first 32 KiB");
    case LOAD_MULTIBOOT:
        return multiboot_probe(l)
                   ? multiboot_load(l)
                   : load_fail(l, "no multiboot2 header in the first 32 KiB and no multiboot "
                                  "header in the first 8 KiB: not a bootable image");
    default:
        return elf_load(l);
    }
}

/* Everything but the processor's state. */
static bool
place_and_choose(struct load *l, enum load_protocol *protocol)
{
    const struct load_request *r = l->request;
    bool linux_asked = r->protocol == LOAD_LINUX_64 || r->protocol == LOAD_LINUX_32 || r->protocol == LOAD_LINUX_16;
    if (linux_asked || (r->protocol == LOAD_AUTO && bzimage_probe(l))) {
        return bzimage_probe(l) ? bzimage_load(l, protocol) : load_fail(l, "not a Linux bzImage");
    }
    if (r->initrd) {
        return load_fail(l, "not a Linux kernel: it takes modules, no initrd");
    }
    l->image = image_parse(r->name, r->bytes, r->size, l->error, l->error_size);
    if (!l->image || !dispatch(l, protocol)) {
        return false;
    }
    if (l->entry > UINT32_MAX) {
        return load_fail(l, "entry point %#llx is beyond 4 GiB, where 32-bit code cannot begin",
                         (unsigned long long)l->entry);
    }
    if (!mem_ram(l->machine->mem, l->entry)) {
        return load_fail(l, "entry point %#llx is not in RAM", (unsigned long long)l->entry);
    }
    l->start.rsp = l->boot_info ? l->boot_info : BOOT_INFO_END;
    return true;
}

bool
load_image(struct machine *m, const struct load_request *r, char *error, unsigned error_size)
{
    struct load l = { .machine = m, .request = r, .error = error, .error_size = error_size,
                      .start = { .code = 0x08, .data = 0x10 } };
    if (r->module_count > LOAD_MODULES_MAX) {
        return load_fail(&l, "%u modules: at most %d", r->module_count, LOAD_MODULES_MAX);
    }
    enum load_protocol protocol;
    if (!place_and_choose(&l, &protocol) || (r->bios_first && !l.start.reset && !bios_start(&l))) {
        image_free(l.image);
        return false;
    }
    if (!l.start.reset && protocol != LOAD_ELF) {
        bios_data(&l);
    }
    enter(&l);
    if (r->result) {
        *r->result = (struct load_result){
            .protocol = protocol, .image = l.image, .entry = l.entry, .boot_info = l.boot_info,
        };
        memcpy(r->result->module_spa, l.module_spa, sizeof l.module_spa);
    } else {
        image_free(l.image);
    }
    return true;
}

/* --- files ------------------------------------------------------------------------ */

uint8_t *
load_file(const char *path, size_t *size, char *error, unsigned error_size)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    uint8_t *bytes = NULL;
    if (!file || fstat(fileno(file), &info) != 0) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        snprintf(error, error_size, "%s: not a file", path);
    } else if (!(bytes = malloc(info.st_size ? (size_t)info.st_size : 1))) {
        snprintf(error, error_size, "%s: not enough memory for its %lld bytes", path,
                 (long long)info.st_size);
    } else if (fread(bytes, 1, (size_t)info.st_size, file) != (size_t)info.st_size) {
        snprintf(error, error_size, "%s: cannot be read to its end", path);
        free(bytes);
        bytes = NULL;
    } else {
        *size = (size_t)info.st_size;
    }
    if (file) {
        fclose(file);
    }
    return bytes;
}
