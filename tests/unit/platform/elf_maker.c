/* See elf_maker.h. */
#include "elf_maker.h"

#include <string.h>

#define HIGH 0xFFFFFFFF80000000ull

static void
ident(uint8_t *e, unsigned class)
{
    memcpy(e, ELFMAG, SELFMAG);
    e[EI_CLASS] = (uint8_t)class;
    e[EI_DATA] = ELFDATA2LSB;
    e[EI_VERSION] = 1;
}

static void
fill(struct elf_maker *m)
{
    memset(m, 0, sizeof *m);
    for (unsigned i = 0; i < 0x800; i++) {
        m->bytes[0x1000 + i] = (uint8_t)(i * 7 + 1);
    }
    memset(m->bytes + 0x2000, 0xDA, 0x100);
}

void
elf_make_64(struct elf_maker *m)
{
    fill(m);
    m->ehdr = (Elf64_Ehdr *)m->bytes;
    m->phdr = (Elf64_Phdr *)(m->bytes + sizeof *m->ehdr);
    ident(m->bytes, ELFCLASS64);
    m->ehdr->e_type = ET_EXEC;
    m->ehdr->e_machine = EM_X86_64;
    m->ehdr->e_entry = HIGH + 0x100040;
    m->ehdr->e_phoff = sizeof *m->ehdr;
    m->ehdr->e_phnum = 2;
    m->ehdr->e_phentsize = sizeof *m->phdr;
    m->phdr[0] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_X, 0x1000, HIGH + 0x100000, 0x100000, 0x800, 0x800, 4096 };
    m->phdr[1] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_W, 0x2000, HIGH + 0x200000, 0x200000, 0x100, 0x3000, 4096 };
    /* Sections: null, .text, .symtab, .strtab (also the section names). */
    static const char strings[] = "\0.text\0.symtab\0.strtab\0start\0data_word\0inner";
    memcpy(m->bytes + 0x3000, strings, sizeof strings);
    Elf64_Sym *sym = (Elf64_Sym *)(m->bytes + 0x3100);
    sym[1] = (Elf64_Sym){ 23, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, HIGH + 0x100040, 0x100 };
    sym[2] = (Elf64_Sym){ 29, ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), 0, 1, HIGH + 0x200010, 8 };
    sym[3] = (Elf64_Sym){ 39, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 1, HIGH + 0x100080, 0x10 };
    Elf64_Shdr *sh = (Elf64_Shdr *)(m->bytes + 0x3200);
    sh[1] = (Elf64_Shdr){ 1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, HIGH + 0x100000, 0x1000, 0x800, 0, 0, 16, 0 };
    sh[2] = (Elf64_Shdr){ 7, SHT_SYMTAB, 0, 0, 0x3100, 4 * sizeof *sym, 3, 1, 8, sizeof *sym };
    sh[3] = (Elf64_Shdr){ 15, SHT_STRTAB, 0, 0, 0x3000, sizeof strings, 0, 0, 1, 0 };
    m->ehdr->e_shoff = 0x3200;
    m->ehdr->e_shnum = 4;
    m->ehdr->e_shentsize = sizeof *sh;
    m->ehdr->e_shstrndx = 3;
}

void
elf_make_32(struct elf_maker *m)
{
    fill(m);
    m->ehdr32 = (Elf32_Ehdr *)m->bytes;
    m->phdr32 = (Elf32_Phdr *)(m->bytes + sizeof *m->ehdr32);
    ident(m->bytes, ELFCLASS32);
    m->ehdr32->e_type = ET_EXEC;
    m->ehdr32->e_machine = EM_386;
    m->ehdr32->e_entry = 0x100040;
    m->ehdr32->e_phoff = sizeof *m->ehdr32;
    m->ehdr32->e_phnum = 2;
    m->ehdr32->e_phentsize = sizeof *m->phdr32;
    m->phdr32[0] = (Elf32_Phdr){ PT_LOAD, 0x1000, 0x100000, 0x100000, 0x800, 0x800, PF_R | PF_X, 4096 };
    m->phdr32[1] = (Elf32_Phdr){ PT_LOAD, 0x2000, 0x200000, 0x200000, 0x100, 0x3000, PF_R | PF_W, 4096 };
}

void
elf_put_multiboot2(struct elf_maker *m, const void *tags, size_t size)
{
    uint8_t *at = m->bytes + ELF_MAKER_DATA;
    uint32_t length = 16 + (uint32_t)size + 8;
    uint32_t h[4] = { 0xE85250D6, 0, length, -(0xE85250D6u + length) };
    const uint32_t end[2] = { 0, 8 };
    memcpy(at, h, sizeof h);
    if (size) {
        memcpy(at + 16, tags, size);
    }
    memcpy(at + 16 + size, end, sizeof end);
}

void
elf_put_multiboot(struct elf_maker *m, uint32_t flags)
{
    uint32_t h[3] = { 0x1BADB002, flags, -(0x1BADB002u + flags) };
    memcpy(m->bytes + ELF_MAKER_DATA, h, sizeof h);
}
