/* Boot information of multiboot 1 and 2; see multiboot.h. */
#include "hv/boot/multiboot.h"

enum { PAGE = 4096, MEMORY_AVAILABLE = 1 };
enum { TAG_END = 0, TAG_MODULE = 3, TAG_MEMORY_MAP = 6, TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15 };
enum { MB1_HAS_MODULES = 1 << 3, MB1_HAS_MAP = 1 << 6 };

static const void *at(uint64_t spa) { return arch_spa_pointer(spa); }

static void add_ram(uint64_t base, uint64_t size)
{
    uint64_t first = rt_align_up(base, PAGE), end = (base + size) & ~(uint64_t)(PAGE - 1);
    if (end <= first || hv.ram_count == HV_RANGES_MAX)
        return;
    unsigned i = hv.ram_count++;
    for (; i > 0 && hv.ram[i - 1].base > first; i--)
        hv.ram[i] = hv.ram[i - 1];
    hv.ram[i] = (struct hv_range){ first, end - first };
    hv.ram_end = rt_max(hv.ram_end, end);
}

/* A module's name is the first word of its command line. */
static void add_module(uint64_t start, uint64_t end, const char *line)
{
    if (hv.module_count == HV_MODULES_MAX)
        hv_panic("more than %d modules", HV_MODULES_MAX);
    struct hv_module *m = &hv.module[hv.module_count++];
    m->spa = start;
    m->size = end - start;
    size_t n = 0;
    while (line[n] && line[n] != ' ' && n + 1 < sizeof(m->name)) {
        m->name[n] = line[n];
        n++;
    }
    m->name[n] = '\0';
}

/* --- multiboot 2 ----------------------------------------------------------------------- */

struct mb2_tag { uint32_t type, size; };
struct mb2_module { struct mb2_tag tag; uint32_t start, end; char line[]; };
struct mb2_map { struct mb2_tag tag; uint32_t entry_size, version; };
struct mb2_map_entry { uint64_t base, size; uint32_t type, reserved; };

static void read_map(const struct mb2_map *map)
{
    const char *end = (const char *)map + map->tag.size;
    for (const char *e = (const char *)(map + 1); map->entry_size && e + sizeof(struct mb2_map_entry) <= end;
         e += map->entry_size) {
        const struct mb2_map_entry *entry = (const void *)e;
        if (entry->type == MEMORY_AVAILABLE)
            add_ram(entry->base, entry->size);
    }
}

static void read_tag(const struct mb2_tag *tag)
{
    const struct mb2_module *module = (const void *)tag;
    switch (tag->type) {
    case TAG_MODULE: add_module(module->start, module->end, module->line); break;
    case TAG_MEMORY_MAP: read_map((const void *)tag); break;
    case TAG_ACPI_NEW: case TAG_ACPI_OLD: /* a copy of the root pointer; the newer one wins by coming from later specifications */
        if (tag->type == TAG_ACPI_NEW || !hv.acpi_rsdp)
            hv.acpi_rsdp = arch_pointer_spa(tag + 1);
        break;
    }
}

static void read_2(uint64_t information)
{
    uint64_t end = information + *(const uint32_t *)at(information);
    for (uint64_t spa = information + 8; spa + sizeof(struct mb2_tag) <= end;) {
        const struct mb2_tag *tag = at(spa);
        if (tag->type == TAG_END || tag->size < sizeof(*tag))
            break;
        read_tag(tag);
        spa += rt_align_up(tag->size, 8);
    }
}

/* --- multiboot 1 ----------------------------------------------------------------------- */

struct mb1 {
    uint32_t flags, mem_lower, mem_upper, boot_device, command_line, module_count, modules;
    uint32_t symbols[4], map_size, map;
};
struct mb1_module { uint32_t start, end, line, reserved; };
struct mb1_map_entry { uint32_t size; uint64_t base, length; uint32_t type; } __attribute__((packed));

/* A boot loader may put a path before the command line's own text; the last
 * component without arguments is what names a module there. */
static const char *last_component(const char *line)
{
    const char *name = line;
    for (const char *c = line; *c && *c != ' '; c++)
        if (*c == '/')
            name = c + 1;
    const char *space = line;
    while (*space && *space != ' ')
        space++;
    return *space && space[1] ? space + 1 : name;
}

static void read_1(uint64_t information)
{
    const struct mb1 *info = at(information);
    for (uint32_t spa = info->map; info->flags & MB1_HAS_MAP && spa < info->map + info->map_size;) {
        const struct mb1_map_entry *e = at(spa);
        if (e->type == MEMORY_AVAILABLE)
            add_ram(e->base, e->length);
        spa += e->size + 4;
    }
    const struct mb1_module *module = at(info->modules);
    for (unsigned i = 0; info->flags & MB1_HAS_MODULES && i < info->module_count; i++)
        add_module(module[i].start, module[i].end, last_component(at(module[i].line)));
}

bool multiboot_read(uint32_t magic, uint64_t information)
{
    if (magic == MULTIBOOT2_LOADED)
        read_2(information);
    else if (magic == MULTIBOOT1_LOADED)
        read_1(information);
    else
        return false;
    return hv.ram_count > 0;
}

uint64_t multiboot_end(uint32_t magic, uint64_t information)
{
    return information + (magic == MULTIBOOT2_LOADED ? *(const uint32_t *)at(information) : sizeof(struct mb1));
}
