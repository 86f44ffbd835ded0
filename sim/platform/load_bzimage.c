/* The Linux/x86 boot protocol, 32-bit and 64-bit entry; see load.h and spec/platform/linux_boot.h.
 *
 *   0x10000 boot_params | GDT | page tables (64-bit entry) | 0x20000 command line | ... stack, 0x9F000
 *   kernel at its preferred address, else where its header says
 *   initrd as high as the header, RAM and the hole below 4 GiB allow
 *
 * There is no BIOS behind these entries; kernels whose header names only a real-mode entry: load_bios.c. */
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"
#include "sim/platform/load_priv.h"
#include "sim/platform/platform.h"
#include "spec/platform/linux_boot.h"
#include "spec/platform/memory_map.h"
#include "spec/x86/system.h"

enum {
    PLACE_PARAMS = (int)BOOT_INFO_BASE, PLACE_GDT = PLACE_PARAMS + LINUX_BOOT_PARAMS_SIZE,
    PLACE_TABLES = PLACE_GDT + 4096, PLACE_CMDLINE = PLACE_PARAMS + 0x10000,
};
enum { IDENTITY_GIB = 4, SECTOR = 512, PARAGRAPH = 16, HEADER_MIN = LINUX_XLOADFLAGS };

/* What the header of a good kernel says. */
struct kernel {
    uint32_t header_end;     /* offset behind the set-up header */
    uint16_t version;
    uint32_t code_offset;    /* of the protected-mode code in the file [bytes] */
    uint64_t code_size;      /* [bytes] */
    uint64_t init_size;      /* memory it wants from its load address on [bytes] */
    uint64_t load;           /* [spa] */
    uint32_t cmdline_max;    /* without the final zero [bytes] */
    uint64_t initrd_max;     /* highest byte an initrd may occupy [spa] */
    uint64_t initrd;         /* [spa]; 0: none */
    bool entry_64;
};

static uint64_t
field(const struct load *l, uint32_t offset, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, l->request->bytes + offset, size);
    return value;
}

bool
bzimage_probe(const struct load *l)
{
    return l->request->size >= LINUX_HEADER_MAGIC + 4 && field(l, LINUX_BOOT_FLAG, 2) == 0xAA55 &&
           field(l, LINUX_HEADER_MAGIC, 4) == LINUX_HEADER_MAGIC_VALUE;
}

/* --- the header ------------------------------------------------------------------------- */

static bool
check_form(struct load *l, struct kernel *k)
{
    if (l->request->size < LINUX_HEADER_END_MAX) {
        return load_fail(l, "cut short inside its Linux set-up header");
    }
    k->version = (uint16_t)field(l, LINUX_VERSION, 2);
    k->header_end = LINUX_HEADER_MAGIC + (uint32_t)field(l, LINUX_JUMP + 1, 1);
    if (k->version < 0x202) {
        return load_fail(l, "boot protocol %u.%02u: 2.02 or later is needed", k->version >> 8, k->version & 0xFF);
    }
    if (k->header_end < LINUX_INITRD_ADDR_MAX || k->header_end > LINUX_HEADER_END_MAX) {
        return load_fail(l, "its Linux set-up header ends at %#x, which no boot protocol says", k->header_end);
    }
    if (!(field(l, LINUX_LOADFLAGS, 1) & LINUX_LOADED_HIGH)) {
        return load_fail(l, "a zImage, to be loaded low: only bzImages are loaded");
    }
    return true;
}

static bool
check_size(struct load *l, struct kernel *k)
{
    uint32_t sectors = (uint32_t)field(l, LINUX_SETUP_SECTS, 1);
    uint64_t wanted = field(l, LINUX_SYSSIZE, k->version >= 0x204 ? 4 : 2) * PARAGRAPH;
    k->code_offset = ((sectors ? sectors : 4) + 1) * SECTOR;
    uint64_t have = l->request->size > k->code_offset ? l->request->size - k->code_offset : 0;
    if (have == 0 || have + PARAGRAPH <= wanted) {
        return load_fail(l, "cut short: its header announces %llu bytes of kernel behind %u bytes of set-up, the file has %llu",
                         (unsigned long long)wanted, k->code_offset, (unsigned long long)have);
    }
    k->code_size = wanted && wanted < have ? wanted : have;
    k->init_size = k->version >= 0x20A ? field(l, LINUX_INIT_SIZE, 4) : 0;
    if (k->init_size < k->code_size) {
        k->init_size = k->code_size;
    }
    return true;
}

static uint64_t
low_ram_end(const struct load *l)
{
    uint64_t ram = l->machine->config.ram_size;
    return ram < MEM_HOLE_START ? ram : MEM_HOLE_START;
}

/* "pref_address": there if it can be; a relocatable kernel also runs elsewhere, but "will move itself to this address if it
 * loaded below": that is where it needs its init_size. */
static bool
choose_place(struct load *l, struct kernel *k)
{
    uint64_t end = low_ram_end(l);
    uint64_t preferred = k->version >= 0x20A ? field(l, LINUX_PREF_ADDRESS, 8) : 0;
    uint64_t alignment = k->version >= 0x205 ? field(l, LINUX_KERNEL_ALIGNMENT, 4) : 0;
    bool relocatable = k->version >= 0x205 && field(l, LINUX_RELOCATABLE, 1);
    if (relocatable && alignment & (alignment - 1)) {
        return load_fail(l, "its header wants an alignment of %#llx, which is no power of two",
                         (unsigned long long)alignment);
    }
    k->load = field(l, LINUX_CODE32_START, 4);
    if (relocatable && preferred >= ACPI_TABLES_END && preferred < end && k->init_size <= end - preferred) {
        k->load = preferred;
    }
    uint64_t runs_at = k->load < preferred ? preferred : k->load;
    if (k->load < ACPI_TABLES_END || runs_at >= end || k->init_size > end - runs_at) {
        return load_fail(l, "the kernel wants %llu KiB from %#llx on, the machine has RAM up to %#llx; give it more memory",
                         (unsigned long long)(k->init_size >> 10), (unsigned long long)runs_at, (unsigned long long)end);
    }
    return true;
}

static bool
check_header(struct load *l, struct kernel *k)
{
    if (!check_size(l, k) || !choose_place(l, k)) {
        return false;
    }
    k->entry_64 = k->version >= 0x20C && field(l, LINUX_XLOADFLAGS, 2) & LINUX_XLF_KERNEL_64;
    k->initrd_max = k->version >= 0x203 ? field(l, LINUX_INITRD_ADDR_MAX, 4) : LINUX_OLD_INITRD_MAX;
    k->cmdline_max = k->version >= 0x206 ? (uint32_t)field(l, LINUX_CMDLINE_SIZE, 4) : LINUX_OLD_CMDLINE_SIZE;
    if (l->request->protocol == LOAD_LINUX_32) {
        k->entry_64 = false;
    } else if (l->request->protocol == LOAD_LINUX_64 && !k->entry_64) {
        return load_fail(l, "it has no 64-bit entry (boot protocol %u.%02u, xloadflags %#llx)", k->version >> 8,
                         k->version & 0xFF, (unsigned long long)field(l, LINUX_XLOADFLAGS, 2));
    }
    return true;
}

/* --- placing ------------------------------------------------------------------------------ */

static bool
place_initrd(struct load *l, struct kernel *k)
{
    const struct load_module *initrd = l->request->initrd;
    if (!initrd || !initrd->size) {
        return true;
    }
    uint64_t end = low_ram_end(l);
    end = k->initrd_max + 1 < end ? k->initrd_max + 1 : end;
    uint64_t floor = k->load + k->init_size;
    if (end < floor || initrd->size > end - floor || ((end - initrd->size) & -MEM_PAGE_SIZE) < floor) {
        return load_fail(l, "the initrd %s of %zu bytes does not fit between the kernel's %#llx and %#llx; give the machine "
                         "more memory", initrd->name, initrd->size, (unsigned long long)floor, (unsigned long long)end);
    }
    k->initrd = (end - initrd->size) & -MEM_PAGE_SIZE;
    return load_place(l, initrd->name, k->initrd, initrd->bytes, initrd->size, initrd->size);
}

static bool
place_cmdline(struct load *l, const struct kernel *k)
{
    const char *text = l->request->cmdline ? l->request->cmdline : "";
    size_t size = strlen(text) + 1;
    if (size - 1 > k->cmdline_max || size > BOOT_INFO_END - PLACE_CMDLINE - 0x10000) {
        return load_fail(l, "a command line of %zu characters: this kernel takes %u", size - 1, k->cmdline_max);
    }
    return load_place(l, "command line", PLACE_CMDLINE, text, size, size);
}

static void
set(uint8_t *params, uint32_t offset, uint64_t value, unsigned size)
{
    memcpy(params + offset, &value, size);
}

static void
put_memory_map(const struct load *l, uint8_t *params)
{
    struct memory_range range[MEMORY_RANGES_MAX];
    unsigned count = load_memory_map(l->machine, range);
    uint32_t upper = load_memory_upper_kib(l->machine);
    set(params, LINUX_ALT_MEM_K, upper, 4);
    set(params, LINUX_EXT_MEM_K, upper < 0xFC00 ? upper : 0xFC00, 2);
    set(params, LINUX_E820_ENTRIES, count, 1);
    for (unsigned i = 0; i < count; i++) {
        uint32_t at = LINUX_E820_TABLE + i * LINUX_E820_ENTRY_SIZE;
        set(params, at, range[i].base, 8);
        set(params, at + 8, range[i].size, 8);
        set(params, at + 16, range[i].type, 4);
    }
}

static bool
place_params(struct load *l, const struct kernel *k)
{
    uint8_t params[LINUX_BOOT_PARAMS_SIZE] = { 0 };
    const struct load_module *initrd = l->request->initrd;
    memcpy(params + LINUX_SETUP_SECTS, l->request->bytes + LINUX_SETUP_SECTS, k->header_end - LINUX_SETUP_SECTS);
    set(params, LINUX_VID_MODE, LINUX_VID_MODE_NORMAL, 2);
    set(params, LINUX_TYPE_OF_LOADER, LINUX_LOADER_UNDEFINED, 1);
    set(params, LINUX_CODE32_START, k->load, 4);
    set(params, LINUX_RAMDISK_IMAGE, k->initrd, 4);
    set(params, LINUX_RAMDISK_SIZE, k->initrd ? initrd->size : 0, 4);
    set(params, LINUX_CMD_LINE_PTR, PLACE_CMDLINE, 4);
    set(params, LINUX_ACPI_RSDP, platform_rsdp(l->machine->platform), 8);
    display_screen_info(&l->machine->config, params + LINUX_SCREEN_INFO);
    put_memory_map(l, params);
    return load_place(l, "boot_params", PLACE_PARAMS, params, sizeof params, sizeof params);
}

/* Flat code and data at the selectors the protocol names. */
static bool
place_gdt(struct load *l, bool entry_64)
{
    const uint64_t gdt[4] = { [LINUX_BOOT_CS / 8] = entry_64 ? 0x00AF9B000000FFFFull : 0x00CF9B000000FFFFull,
                              [LINUX_BOOT_DS / 8] = 0x00CF93000000FFFFull };
    l->machine->cpu[0]->gdtr = (struct dtable){ .base = PLACE_GDT, .limit = sizeof gdt - 1 };
    return load_place(l, "GDT", PLACE_GDT, gdt, sizeof gdt, sizeof gdt);
}

/* Identity map of the first 4 GiB in 2 MiB pages: PML4, PDPT, one page directory per GiB. */
static bool
place_page_tables(struct load *l)
{
    enum { PRESENT_WRITE = 3, LARGE = 1 << 7, ENTRIES = 512, TABLES = 2 + IDENTITY_GIB };
    uint64_t(*table)[ENTRIES] = calloc(TABLES, sizeof *table);
    if (!table) {
        return load_fail(l, "not enough host memory to load it");
    }
    table[0][0] = (PLACE_TABLES + 4096) | PRESENT_WRITE;
    for (unsigned gib = 0; gib < IDENTITY_GIB; gib++) {
        table[1][gib] = (uint64_t)(PLACE_TABLES + (2 + gib) * 4096) | PRESENT_WRITE;
        for (unsigned i = 0; i < ENTRIES; i++) {
            table[2 + gib][i] = ((uint64_t)gib << 30 | (uint64_t)i << 21) | LARGE | PRESENT_WRITE;
        }
    }
    bool ok = load_place(l, "page tables", PLACE_TABLES, table, TABLES * sizeof *table, TABLES * sizeof *table);
    free(table);
    return ok;
}

/* --- all of it ------------------------------------------------------------------------------ */

bool
bzimage_load(struct load *l, enum load_protocol *protocol)
{
    struct kernel k = { 0 };
    if (l->request->module_count) {
        return load_fail(l, "a Linux kernel takes one initrd (--initrd), no modules");
    }
    if (!check_form(l, &k)) {
        return false;
    }
    if (l->request->protocol == LOAD_LINUX_16 || !field(l, LINUX_CODE32_START, 4)) {
        *protocol = LOAD_LINUX_16;
        return bios_load_kernel(l);
    }
    if (!check_header(l, &k) ||
        !load_place(l, "the kernel", k.load, l->request->bytes + k.code_offset, k.code_size, k.init_size) ||
        !place_initrd(l, &k) || !place_cmdline(l, &k) || !place_params(l, &k) || !place_gdt(l, k.entry_64) ||
        (k.entry_64 && !place_page_tables(l))) {
        return false;
    }
    *protocol = k.entry_64 ? LOAD_LINUX_64 : LOAD_LINUX_32;
    l->boot_info = PLACE_PARAMS;
    l->entry = k.load + (k.entry_64 ? LINUX_ENTRY_64 : 0);
    l->start = (struct load_start){ .code = LINUX_BOOT_CS, .data = LINUX_BOOT_DS, .rsi = PLACE_PARAMS,
                                    .rsp = BOOT_INFO_END, .long_mode = k.entry_64, .cr3 = k.entry_64 ? PLACE_TABLES : 0 };
    return true;
}
