/* Starting other images: ELF64 and first page tables. */
#include "hv/rt/rt.h"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t size, program_header_size, program_header_count, section_header_size, section_header_count, names;
};
struct elf_segment { uint32_t type, flags; uint64_t offset, vaddr, paddr, file_size, memory_size, align; };

enum { ELF_64 = 2, ELF_LITTLE = 1, ELF_EXECUTABLE = 2, ELF_X86_64 = 62, ELF_LOAD = 1 };

static struct elf_segment segment(const void *file, const struct elf_header *h, unsigned i)
{
    struct elf_segment s;
    memcpy(&s, (const char *)file + h->program_headers + (uint64_t)i * h->program_header_size, sizeof(s));
    return s;
}

static bool inside(uint64_t at, uint64_t size, uint64_t low, uint64_t high)
{
    return at >= low && at <= high && size <= high - at;
}

const char *rt_elf_check(const void *file, uint64_t size, uint64_t from, uint64_t to, struct rt_elf *elf)
{
    struct elf_header h;
    if (size < sizeof(h))
        return "it is shorter than an ELF header";
    memcpy(&h, file, sizeof(h));
    if (memcmp(h.ident, "\177ELF", 4) != 0)
        return "it is no ELF file";
    if (h.ident[4] != ELF_64 || h.ident[5] != ELF_LITTLE || h.machine != ELF_X86_64 || h.type != ELF_EXECUTABLE)
        return "it is no 64-bit x86 executable";
    if (h.program_header_size < sizeof(struct elf_segment)
        || !inside(h.program_headers, (uint64_t)h.program_header_size * h.program_header_count, 0, size))
        return "its program headers are cut off";
    *elf = (struct rt_elf){ h.entry, UINT64_MAX, 0 };
    for (unsigned i = 0; i < h.program_header_count; i++) {
        struct elf_segment s = segment(file, &h, i);
        if (s.type != ELF_LOAD || !s.memory_size)
            continue;
        if (s.file_size > s.memory_size || !inside(s.offset, s.file_size, 0, size))
            return "a segment is cut off";
        if (!inside(s.paddr, s.memory_size, from, to))
            return "a segment lies outside the memory meant for it";
        elf->low = rt_min(elf->low, s.paddr);
        elf->high = rt_max(elf->high, s.paddr + s.memory_size);
    }
    if (!elf->high || !inside(elf->entry, 1, elf->low, elf->high))
        return "it has nothing to load, or its entry lies outside";
    return NULL;
}

void rt_elf_load(const void *file, void *memory, uint64_t base)
{
    struct elf_header h;
    memcpy(&h, file, sizeof(h));
    for (unsigned i = 0; i < h.program_header_count; i++) {
        struct elf_segment s = segment(file, &h, i);
        if (s.type != ELF_LOAD || !s.memory_size)
            continue;
        char *to = (char *)memory + (s.paddr - base);
        memcpy(to, (const char *)file + s.offset, s.file_size);
        memset(to + s.file_size, 0, s.memory_size - s.file_size);
    }
}

unsigned rt_identity_tables(void *memory, uint64_t gpa, bool gib_pages)
{
    enum { PAGE = 4096, ENTRIES = 512, PRESENT_WRITE = 3, LARGE = 0x83, GIBS = 4 };
    uint64_t *top = memory, *second = top + ENTRIES;
    memset(memory, 0, 2 * PAGE);
    top[0] = (gpa + PAGE) | PRESENT_WRITE;
    if (gib_pages) {
        for (uint64_t i = 0; i < ENTRIES; i++)
            second[i] = i << 30 | LARGE;
        return 2;
    }
    for (uint64_t g = 0; g < GIBS; g++) {
        uint64_t *third = second + ENTRIES * (g + 1);
        second[g] = (gpa + (2 + g) * PAGE) | PRESENT_WRITE;
        for (uint64_t i = 0; i < ENTRIES; i++)
            third[i] = (g << 30) | i << 21 | LARGE;
    }
    return 2 + GIBS;
}
