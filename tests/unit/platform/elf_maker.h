/* Small ELF files for tests: one call, one image, every field adjustable. */
#ifndef TESTS_UNIT_PLATFORM_ELF_MAKER_H
#define TESTS_UNIT_PLATFORM_ELF_MAKER_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_MAKER_SIZE = 0x4000, ELF_MAKER_DATA = 0x1000 };

/* A file with two segments, a text section and two symbols:
 *   file 0x1000, 0x800 bytes -> paddr 0x100000, vaddr 0xFFFFFFFF80100000 (executable)
 *   file 0x2000, 0x100 bytes -> paddr 0x200000, 0x3000 in memory
 * ELF64's entry is the first segment's vaddr + 0x40; for ELF32 vaddr = paddr. */
struct elf_maker {
    uint8_t bytes[ELF_MAKER_SIZE];
    Elf64_Ehdr *ehdr;       /* NULL for ELF32 */
    Elf64_Phdr *phdr;
    Elf32_Ehdr *ehdr32;     /* NULL for ELF64 */
    Elf32_Phdr *phdr32;
};
void elf_make_64(struct elf_maker *);
void elf_make_32(struct elf_maker *);
/* Multiboot2 header at the start of the first segment, tags as given, end tag appended. */
void elf_put_multiboot2(struct elf_maker *, const void *tags, size_t size);
void elf_put_multiboot(struct elf_maker *, uint32_t flags);

#endif
