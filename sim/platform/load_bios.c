/* Starting through the BIOS (firmware/bios): kernels that have only a real-mode entry, and images that rely on
 * what a PC's firmware leaves behind.
 *
 *   0x20000 real-mode part of the kernel (boot sector and set-up) | heap and stack | command line, 0x2FFFF
 *   0x100000 the rest of the kernel
 *   initrd at the top of RAM below the hole
 *   0xF0000 the BIOS; its boot block says what to enter (spec/platform/bios.h)
 *
 * "The Linux/x86 Boot Protocol": "The Real-Mode Kernel Header", "Running the Kernel". */
#include <string.h>

#include "sim/mem/mem.h"
#include "sim/machine.h"
#include "sim/platform/load_priv.h"
#include "spec/platform/bios.h"
#include "spec/platform/linux_boot.h"
#include "spec/platform/memory_map.h"

enum {
    REAL_BASE = 0x20000, REAL_SIZE = 0xF000, HEAP_END = 0xE000, CMDLINE_OFFSET = 0xF000, CMDLINE_SIZE = 0x1000,
    KERNEL_BASE = 0x100000, SECTOR = 512, ENTRY_PARAGRAPHS = 0x20,
};

static void
set(uint8_t *at, uint32_t offset, uint32_t value, unsigned size)
{
    memcpy(at + offset, &value, size);
}

static bool
place_bios(struct load *l, const uint8_t block[BIOS_BOOT_SIZE])
{
    const struct load_module *bios = l->request->bios;
    uint32_t magic;
    if (bios->size != BIOS_SIZE || (memcpy(&magic, bios->bytes, 4), magic != BIOS_BOOT_MAGIC_VALUE)) {
        return load_fail(l, "%s is not the BIOS that belongs to this program", bios->name);
    }
    const uint32_t behind = BIOS_SMBIOS_ENTRY + BIOS_SMBIOS_ENTRY_SIZE; /* what stands there already is for software, too */
    struct mem *mem = l->machine->mem;
    return mem_write(mem, BIOS_BASE, bios->bytes, BIOS_SMBIOS_ENTRY) &&
           mem_write(mem, BIOS_BASE + behind, bios->bytes + behind, BIOS_SIZE - behind) &&
           mem_write(mem, BIOS_BASE, block, BIOS_BOOT_SIZE);
}

/* --- kernels with a real-mode entry ------------------------------------------------------- */

static bool
place_initrd16(struct load *l, uint32_t *at)
{
    const struct load_module *initrd = l->request->initrd;
    uint64_t ram = l->machine->config.ram_size, end = ram < MEM_HOLE_START ? ram : MEM_HOLE_START;
    if (!initrd || !initrd->size) {
        return true;
    }
    if (initrd->size > end - 2 * KERNEL_BASE) {
        return load_fail(l, "the initrd %s of %zu bytes does not fit; give the machine more memory", initrd->name, initrd->size);
    }
    *at = (uint32_t)((end - initrd->size) & -MEM_PAGE_SIZE);
    return load_place(l, initrd->name, *at, initrd->bytes, initrd->size, initrd->size);
}

static bool
place_cmdline16(struct load *l)
{
    const char *text = l->request->cmdline ? l->request->cmdline : "";
    size_t size = strlen(text) + 1;
    if (size > CMDLINE_SIZE) {
        return load_fail(l, "a command line of %zu characters: at most %d through the BIOS", size - 1, CMDLINE_SIZE - 1);
    }
    return load_place(l, "command line", REAL_BASE + CMDLINE_OFFSET, text, size, size);
}

bool
bios_load_kernel(struct load *l)
{
    const struct load_request *r = l->request;
    uint8_t real[REAL_SIZE], block[BIOS_BOOT_SIZE] = { 0 };
    uint32_t initrd = 0;
    uint32_t size = ((r->bytes[LINUX_SETUP_SECTS] ? r->bytes[LINUX_SETUP_SECTS] : 4u) + 1) * SECTOR;
    if (!r->bios) {
        return load_fail(l, "its header names no 32-bit entry: it starts in real mode with a PC BIOS, and the BIOS's image was not found");
    }
    if (size > HEAP_END / 2 || size >= r->size) {
        return load_fail(l, "its real-mode part of %u bytes does not fit, or is all there is", size);
    }
    if (!place_initrd16(l, &initrd)) {
        return false;
    }
    memcpy(real, r->bytes, size);
    set(real, LINUX_TYPE_OF_LOADER, LINUX_LOADER_UNDEFINED, 1);
    real[LINUX_LOADFLAGS] |= LINUX_CAN_USE_HEAP;
    set(real, LINUX_HEAP_END_PTR, HEAP_END - 0x200, 2);
    set(real, LINUX_VID_MODE, LINUX_VID_MODE_NORMAL, 2);
    set(real, LINUX_CMD_LINE_PTR, REAL_BASE + CMDLINE_OFFSET, 4);
    set(real, LINUX_RAMDISK_IMAGE, initrd, 4);
    set(real, LINUX_RAMDISK_SIZE, initrd ? (uint32_t)r->initrd->size : 0, 4);
    set(block, BIOS_BOOT_MAGIC, BIOS_BOOT_MAGIC_VALUE, 4);
    set(block, BIOS_BOOT_KIND, BIOS_BOOT_REAL, 4);
    set(block, BIOS_BOOT_SEGMENT, REAL_BASE >> 4, 2);
    set(block, BIOS_BOOT_SP, HEAP_END, 2);
    set(block, BIOS_BOOT_CS, (REAL_BASE >> 4) + ENTRY_PARAGRAPHS, 2);
    set(block, BIOS_BOOT_CONSOLE, 1, 4);
    l->start = (struct load_start){ .reset = true };
    l->entry = REAL_BASE + ENTRY_PARAGRAPHS * 16;
    return load_place(l, "the kernel's real-mode part", REAL_BASE, real, size, size) &&
           load_place(l, "the kernel", KERNEL_BASE, r->bytes + size, r->size - size, r->size - size) && place_cmdline16(l) &&
           place_bios(l, block);
}

/* --- everything else: first the BIOS, then the entry as it would have been ------------------- */

bool
bios_start(struct load *l)
{
    uint8_t block[BIOS_BOOT_SIZE] = { 0 };
    if (l->start.long_mode || l->entry > UINT32_MAX || l->start.code != 0x08) {
        return load_fail(l, "--bios is for multiboot images and for kernels with a real-mode entry");
    }
    set(block, BIOS_BOOT_MAGIC, BIOS_BOOT_MAGIC_VALUE, 4);
    set(block, BIOS_BOOT_KIND, BIOS_BOOT_PROTECTED, 4);
    set(block, BIOS_BOOT_ENTRY, (uint32_t)l->entry, 4);
    set(block, BIOS_BOOT_EAX, l->start.rax, 4);
    set(block, BIOS_BOOT_EBX, l->start.rbx, 4);
    set(block, BIOS_BOOT_CONSOLE, 1, 4);
    l->start = (struct load_start){ .reset = true };
    return place_bios(l, block);
}
