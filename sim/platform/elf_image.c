/* An ELF file taken apart; see elf_image.h. */
#include "sim/platform/elf_image.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 256, SECTIONS_MAX = 65535 };

/* What we need of both classes' headers, widened. */
struct header { uint64_t entry, phoff, shoff; uint32_t phnum, phentsize, shnum, shentsize, shstrndx; };
struct section { uint32_t name, type, link; uint64_t flags, addr, offset, size, entsize; };

struct parse {
    struct image *image;
    struct header header;
    struct section *section; /* raw, 'header.shnum' of them */
    char *error;
    unsigned error_size;
};

static bool __attribute__((format(printf, 2, 3)))
fail(struct parse *p, const char *format, ...)
{
    int used = snprintf(p->error, p->error_size, "%s: ", p->image->name);
    if (used >= 0 && (unsigned)used < p->error_size) {
        va_list args;
        va_start(args, format);
        vsnprintf(p->error + used, p->error_size - (unsigned)used, format, args);
        va_end(args);
    }
    return false;
}

static bool
in_file(const struct parse *p, uint64_t offset, uint64_t size)
{
    return offset <= p->image->size && size <= p->image->size - offset;
}

static bool
no_memory(struct parse *p)
{
    return fail(p, "not enough memory to read it");
}

/* --- headers ------------------------------------------------------------------- */

static bool
parse_ident(struct parse *p)
{
    const uint8_t *b = p->image->bytes;
    if (p->image->size < EI_NIDENT || memcmp(b, ELFMAG, SELFMAG) != 0) {
        return fail(p, "not an ELF file");
    }
    if (b[EI_CLASS] != ELFCLASS32 && b[EI_CLASS] != ELFCLASS64) {
        return fail(p, "unknown ELF class %u", b[EI_CLASS]);
    }
    if (b[EI_DATA] != ELFDATA2LSB) {
        return fail(p, "a big-endian ELF file; the machine is x86");
    }
    p->image->is_64 = b[EI_CLASS] == ELFCLASS64;
    return true;
}

#define COPY_HEADER(from)                                                              \
    (struct header)                                                                    \
    {                                                                                  \
        (from).e_entry, (from).e_phoff, (from).e_shoff, (from).e_phnum,                \
            (from).e_phentsize, (from).e_shnum, (from).e_shentsize, (from).e_shstrndx, \
    }

static bool
parse_header(struct parse *p)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;
    size_t size = p->image->is_64 ? sizeof wide : sizeof narrow;
    if (!in_file(p, 0, size)) {
        return fail(p, "cut short: the ELF header needs %zu bytes, the file has %zu", size,
                    p->image->size);
    }
    uint16_t machine, type;
    if (p->image->is_64) {
        memcpy(&wide, p->image->bytes, sizeof wide);
        p->header = COPY_HEADER(wide);
        machine = wide.e_machine;
        type = wide.e_type;
    } else {
        memcpy(&narrow, p->image->bytes, sizeof narrow);
        p->header = COPY_HEADER(narrow);
        machine = narrow.e_machine;
        type = narrow.e_type;
    }
    p->image->entry = p->header.entry;
    if (machine != EM_386 && machine != EM_X86_64) {
        return fail(p, "an ELF file for machine type %u; i386 or x86-64 is needed", machine);
    }
    if (type != ET_EXEC && type != ET_DYN) {
        return fail(p, "an ELF file of type %u; an executable is needed (link it)", type);
    }
    return true;
}

/* --- segments ------------------------------------------------------------------ */

static void
read_segment(const struct parse *p, unsigned i, struct image_segment *out, uint32_t *type)
{
    const uint8_t *at = p->image->bytes + p->header.phoff + (uint64_t)i * p->header.phentsize;
    Elf64_Phdr h = { 0 };
    if (p->image->is_64) {
        memcpy(&h, at, sizeof h);
    } else {
        Elf32_Phdr n;
        memcpy(&n, at, sizeof n);
        h = (Elf64_Phdr){ n.p_type, n.p_flags, n.p_offset, n.p_vaddr, n.p_paddr,
                          n.p_filesz, n.p_memsz, n.p_align };
    }
    *type = h.p_type;
    *out = (struct image_segment){
        .paddr = h.p_paddr, .vaddr = h.p_vaddr, .file_offset = h.p_offset,
        .file_size = h.p_filesz, .mem_size = h.p_memsz,
        .executable = h.p_flags & PF_X, .writable = h.p_flags & PF_W,
    };
}

static bool
check_segment(struct parse *p, unsigned i, const struct image_segment *s)
{
    if (s->file_size > s->mem_size) {
        return fail(p, "segment %u has %llu bytes in the file but %llu in memory", i,
                    (unsigned long long)s->file_size, (unsigned long long)s->mem_size);
    }
    if (!in_file(p, s->file_offset, s->file_size)) {
        return fail(p, "cut short: segment %u needs bytes %llu to %llu, the file has %zu", i,
                    (unsigned long long)s->file_offset,
                    (unsigned long long)(s->file_offset + s->file_size), p->image->size);
    }
    if (s->paddr + s->mem_size < s->paddr || s->vaddr + s->mem_size - 1 < s->vaddr) {
        return fail(p, "segment %u wraps around the address space", i);
    }
    for (unsigned j = 0; j < p->image->segment_count; j++) {
        const struct image_segment *o = &p->image->segment[j];
        if (s->paddr < o->paddr + o->mem_size && o->paddr < s->paddr + s->mem_size) {
            return fail(p, "segments at %#llx and %#llx overlap in memory",
                        (unsigned long long)o->paddr, (unsigned long long)s->paddr);
        }
    }
    return true;
}

static bool
parse_segments(struct parse *p)
{
    uint32_t size = p->image->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    const struct header *h = &p->header;
    if (h->phnum == 0) {
        return fail(p, "no program headers: nothing to load");
    }
    if (h->phnum > SEGMENTS_MAX || h->phentsize < size) {
        return fail(p, "%u program headers of %u bytes: the ELF header is damaged", h->phnum,
                    h->phentsize);
    }
    if (!in_file(p, h->phoff, (uint64_t)h->phnum * h->phentsize)) {
        return fail(p, "cut short: the program headers lie beyond the file's %zu bytes",
                    p->image->size);
    }
    p->image->segment = calloc(h->phnum, sizeof *p->image->segment);
    if (!p->image->segment) {
        return no_memory(p);
    }
    for (unsigned i = 0; i < h->phnum; i++) {
        struct image_segment s;
        uint32_t type;
        read_segment(p, i, &s, &type);
        if (type != PT_LOAD || s.mem_size == 0) {
            continue;
        }
        if (!check_segment(p, i, &s)) {
            return false;
        }
        p->image->segment[p->image->segment_count++] = s;
    }
    return p->image->segment_count || fail(p, "no loadable segment");
}

/* --- sections ------------------------------------------------------------------ */

static void
read_section(const struct parse *p, unsigned i, struct section *out)
{
    const uint8_t *at = p->image->bytes + p->header.shoff + (uint64_t)i * p->header.shentsize;
    if (p->image->is_64) {
        Elf64_Shdr h;
        memcpy(&h, at, sizeof h);
        *out = (struct section){ h.sh_name, h.sh_type, h.sh_link, h.sh_flags, h.sh_addr,
                                 h.sh_offset, h.sh_size, h.sh_entsize };
    } else {
        Elf32_Shdr h;
        memcpy(&h, at, sizeof h);
        *out = (struct section){ h.sh_name, h.sh_type, h.sh_link, h.sh_flags, h.sh_addr,
                                 h.sh_offset, h.sh_size, h.sh_entsize };
    }
}

/* String at 'offset' of a string table, or "" when it is not a terminated one. */
static const char *
string_at(const struct parse *p, const struct section *table, uint32_t offset)
{
    const char *start = (const char *)p->image->bytes + table->offset;
    if (table->type != SHT_STRTAB || offset >= table->size ||
        !memchr(start + offset, '\0', table->size - offset)) {
        return "";
    }
    return start + offset;
}

static bool
load_sections(struct parse *p)
{
    const struct header *h = &p->header;
    uint32_t size = p->image->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (h->shnum > SECTIONS_MAX || h->shentsize < size) {
        return fail(p, "%u section headers of %u bytes: the ELF header is damaged", h->shnum,
                    h->shentsize);
    }
    if (!in_file(p, h->shoff, (uint64_t)h->shnum * h->shentsize)) {
        return fail(p, "cut short: the section headers lie beyond the file's %zu bytes",
                    p->image->size);
    }
    p->section = calloc(h->shnum, sizeof *p->section);
    p->image->section = calloc(h->shnum, sizeof *p->image->section);
    if (!p->section || !p->image->section) {
        return no_memory(p);
    }
    for (unsigned i = 0; i < h->shnum; i++) {
        read_section(p, i, &p->section[i]);
        if (p->section[i].type != SHT_NOBITS && p->section[i].type != SHT_NULL &&
            !in_file(p, p->section[i].offset, p->section[i].size)) {
            return fail(p, "cut short: section %u lies beyond the file's %zu bytes", i,
                        p->image->size);
        }
    }
    return true;
}

static bool
parse_sections(struct parse *p)
{
    const struct header *h = &p->header;
    if (h->shnum == 0 || h->shoff == 0) {
        p->header.shnum = 0;
        return true; /* stripped of them: still loadable */
    }
    if (!load_sections(p)) {
        return false;
    }
    const struct section none = { 0 };
    const struct section *names = h->shstrndx < h->shnum ? &p->section[h->shstrndx] : &none;
    for (unsigned i = 0; i < h->shnum; i++) {
        const struct section *s = &p->section[i];
        p->image->section[p->image->section_count++] = (struct image_section){
            .name = string_at(p, names, s->name),
            .vaddr = s->addr,
            .spa = s->flags & SHF_ALLOC ? image_spa(p->image, s->addr) : IMAGE_NOWHERE,
            .size = s->size,
            .executable = s->flags & SHF_EXECINSTR,
        };
    }
    return true;
}

/* --- symbols ------------------------------------------------------------------- */

static void
add_symbol(struct parse *p, const struct section *strings, const Elf64_Sym *y)
{
    unsigned type = ELF64_ST_TYPE(y->st_info);
    const char *name = string_at(p, strings, y->st_name);
    if (type > STT_FUNC || !*name || y->st_shndx == SHN_UNDEF) {
        return; /* section and file symbols, references */
    }
    p->image->symbol[p->image->symbol_count++] = (struct image_symbol){
        .name = name,
        .vaddr = y->st_value,
        .spa = y->st_shndx < SHN_LORESERVE ? image_spa(p->image, y->st_value) : IMAGE_NOWHERE,
        .size = y->st_size,
        .is_function = type == STT_FUNC,
        .is_global = ELF64_ST_BIND(y->st_info) != STB_LOCAL,
    };
}

static int
compare_symbols(const void *a, const void *b)
{
    const struct image_symbol *x = a, *y = b;
    if (x->spa != y->spa) {
        return x->spa < y->spa ? -1 : 1;
    }
    if (x->is_function != y->is_function) {
        return x->is_function ? 1 : -1;
    }
    int order = strcmp(x->name, y->name);
    return order ? order : x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static bool
parse_symbols(struct parse *p)
{
    const struct section *table = NULL;
    for (unsigned i = 0; i < p->header.shnum && !table; i++) {
        if (p->section[i].type == SHT_SYMTAB) {
            table = &p->section[i];
        }
    }
    uint64_t size = p->image->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    if (!table || table->link >= p->header.shnum || table->size < size) {
        return true; /* stripped */
    }
    uint64_t count = table->size / size;
    p->image->symbol = calloc(count, sizeof *p->image->symbol);
    if (!p->image->symbol) {
        return no_memory(p);
    }
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *at = p->image->bytes + table->offset + i * size;
        Elf64_Sym y;
        if (p->image->is_64) {
            memcpy(&y, at, sizeof y);
        } else {
            Elf32_Sym n;
            memcpy(&n, at, sizeof n);
            y = (Elf64_Sym){ n.st_name, n.st_info, n.st_other, n.st_shndx, n.st_value, n.st_size };
        }
        add_symbol(p, &p->section[table->link], &y);
    }
    if (p->image->symbol_count) {
        qsort(p->image->symbol, p->image->symbol_count, sizeof *p->image->symbol, compare_symbols);
    }
    return true;
}

/* --- the whole ------------------------------------------------------------------ */

struct image *
image_parse(const char *name, const uint8_t *bytes, size_t size, char *error, unsigned error_size)
{
    struct image *image = calloc(1, sizeof *image);
    if (!image || !(image->name = strdup(name)) || !(image->bytes = malloc(size ? size : 1))) {
        snprintf(error, error_size, "%s: not enough memory to read it", name);
        image_free(image);
        return NULL;
    }
    if (size) {
        memcpy(image->bytes, bytes, size);
    }
    image->size = size;
    struct parse p = { .image = image, .error = error, .error_size = error_size };
    bool ok = parse_ident(&p) && parse_header(&p) && parse_segments(&p) && parse_sections(&p) &&
              parse_symbols(&p);
    free(p.section);
    if (!ok) {
        image_free(image);
        return NULL;
    }
    return image;
}

void
image_free(struct image *image)
{
    if (image) {
        free(image->name);
        free(image->bytes);
        free(image->segment);
        free(image->section);
        free(image->symbol);
        free(image);
    }
}

uint64_t
image_spa(const struct image *image, uint64_t vaddr)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct image_segment *s = &image->segment[i];
        if (vaddr >= s->vaddr && vaddr - s->vaddr < s->mem_size) {
            return s->paddr + (vaddr - s->vaddr);
        }
    }
    return IMAGE_NOWHERE;
}

const struct image_symbol *
image_symbol_by_name(const struct image *image, const char *name)
{
    const struct image_symbol *local = NULL;
    for (unsigned i = 0; i < image->symbol_count; i++) {
        const struct image_symbol *y = &image->symbol[i];
        if (strcmp(y->name, name) == 0) {
            if (y->is_global) {
                return y;
            }
            local = local ? local : y;
        }
    }
    return local;
}

/* Symbols are sorted by address; look backwards from the last at or below
 * 'spa' for one that reaches it.  A symbol without a size reaches the next. */
const struct image_symbol *
image_symbol_by_spa(const struct image *image, uint64_t spa)
{
    unsigned low = 0, high = image->symbol_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (image->symbol[middle].spa <= spa) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct image_symbol *other = NULL;
    for (unsigned i = low; i-- > 0 && low - i <= 64;) {
        const struct image_symbol *y = &image->symbol[i];
        bool reaches = y->size ? spa - y->spa < y->size
                               : i + 1 == low || image->symbol[low - 1].spa == y->spa;
        if (reaches && y->is_function) {
            return y;
        }
        if (reaches && !other) {
            other = y;
        }
    }
    return other;
}

const struct image_section *
image_section_by_name(const struct image *image, const char *name)
{
    for (unsigned i = 0; i < image->section_count; i++) {
        if (strcmp(image->section[i].name, name) == 0) {
            return &image->section[i];
        }
    }
    return NULL;
}

void
image_extent(const struct image *image, uint64_t *first, uint64_t *end)
{
    *first = UINT64_MAX;
    *end = 0;
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct image_segment *s = &image->segment[i];
        *first = s->paddr < *first ? s->paddr : *first;
        *end = s->paddr + s->mem_size > *end ? s->paddr + s->mem_size : *end;
    }
}
