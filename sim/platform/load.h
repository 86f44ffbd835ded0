/* Loading software into a new machine, as a boot loader would.
 *
 * The image is a Linux bzImage, or an ELF file (elf_image.h), placed by its physical addresses,
 * with a multiboot2 header, else a multiboot header, else refused unless the
 * request asks for LOAD_ELF.  The first processor is left at an ELF image's entry point in the state
 * both specifications describe ("Machine state"): 32-bit protected mode, flat
 * segments, paging off, interrupts off, A20 on, EAX = magic, EBX = information.
 *
 *   0x400 BIOS data area: ports, equipment, size of conventional memory (not for LOAD_ELF)
 *   conventional memory: ... stack | boot information | 0x9F000
 *   image by p_paddr, then modules, each on a page of its own
 *
 * Multiboot2 hands over: command line, loader name, modules, basic memory,
 * memory map, ACPI RSDP (old and new).  Multiboot: memory, command line
 * (preceded by the image's name, as loaders do), modules, memory map, loader name.
 * Linux: boot_params with command line, initrd, E820 map and ACPI root pointer; the 64-bit entry where the kernel
 * has one (long mode on an identity map of 4 GiB), else the 32-bit entry; RSI = boot_params.
 *
 * Only for a machine that has not run yet; its RAM is zero.  Errors are one sentence
 * for people, naming the file; the machine is then half-loaded and good for nothing.
 */
#ifndef SIM_PLATFORM_LOAD_H
#define SIM_PLATFORM_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct machine;

enum { LOAD_MODULES_MAX = 64 };

enum load_protocol {
    LOAD_AUTO,       /* by the header found: bzImage, multiboot2, multiboot */
    LOAD_MULTIBOOT2,
    LOAD_MULTIBOOT,
    LOAD_ELF,        /* no boot information: EAX = EBX = 0, entry at e_entry */
    LOAD_LINUX_64,   /* bzImage; AUTO takes 64 before 32 */
    LOAD_LINUX_32,
    LOAD_LINUX_16,   /* bzImage by its real-mode entry, behind the BIOS; AUTO takes it when there is no other */
};

struct load_module {
    const char *name;      /* for messages */
    const uint8_t *bytes;
    size_t size;           /* [bytes] */
    const char *cmdline;   /* what the image is told about it; NULL: its name */
};

/* What was done, for the caller. */
struct load_result {
    enum load_protocol protocol;
    struct image *image;                      /* caller frees with image_free; NULL for Linux */
    uint64_t entry;                           /* [spa] */
    uint64_t boot_info;                       /* [spa]; 0: none */
    uint64_t module_spa[LOAD_MODULES_MAX];
};

struct load_request {
    const char *name;      /* of the image, e.g. its path */
    const uint8_t *bytes;
    size_t size;           /* [bytes] */
    enum load_protocol protocol;
    const char *cmdline;   /* NULL: empty */
    const struct load_module *modules;
    unsigned module_count; /* up to LOAD_MODULES_MAX; Linux takes none */
    const struct load_module *initrd; /* NULL: none; Linux only */
    const struct load_module *bios;   /* image of the BIOS, for kernels that need one; NULL: there is none */
    bool bios_first;                  /* the BIOS runs before a multiboot image, too */
    struct load_result *result; /* filled on success; NULL: not wanted */
};

bool load_image(struct machine *, const struct load_request *, char *error, unsigned error_size);

/* A whole file for the above. NULL with a message; else malloc'ed for the caller. */
uint8_t *load_file(const char *path, size_t *size, char *error, unsigned error_size);

#endif
