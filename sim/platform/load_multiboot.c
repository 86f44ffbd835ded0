/* The Multiboot protocol, version 1 (Multiboot Specification 0.6.96); see load.h. */
#include <stdio.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/platform/display.h"
#include "sim/platform/load_priv.h"
#include "spec/platform/multiboot.h"

static size_t
header_find(const struct image *image)
{
    size_t limit = image->size < MULTIBOOT_SEARCH ? image->size : MULTIBOOT_SEARCH;
    for (size_t at = 0; at + 12 <= limit; at += MULTIBOOT_ALIGN) {
        uint32_t h[3]; /* magic, flags, checksum */
        memcpy(h, image->bytes + at, sizeof h);
        if (h[0] == MULTIBOOT_HEADER_MAGIC && h[0] + h[1] + h[2] == 0) {
            return at;
        }
    }
    return SIZE_MAX;
}

bool
multiboot_probe(const struct load *l)
{
    return header_find(l->image) != SIZE_MAX;
}

/* --- placing the image ---------------------------------------------------------------- */

/* The "a.out kludge": addresses in the header instead of ELF's. */
static bool
place_flat(struct load *l, size_t at)
{
    uint32_t a[5]; /* header, load, load end, bss end, entry */
    if (l->image->size - at < 12 + sizeof a) {
        return load_fail(l, "cut short inside its multiboot header");
    }
    memcpy(a, l->image->bytes + at + 12, sizeof a);
    uint32_t before = a[0] - a[1];
    if (a[0] < a[1] || before > at) {
        return load_fail(l, "its multiboot header contradicts its own place in the file");
    }
    uint64_t offset = at - before, available = l->image->size - offset;
    uint64_t size = a[2] ? (uint64_t)a[2] - a[1] : available;
    uint64_t total = a[3] ? (uint64_t)a[3] - a[1] : size;
    if ((a[2] && a[2] < a[1]) || (a[3] && a[3] < a[1]) || size > available || total < size ||
        size == 0) {
        return load_fail(l, "its multiboot header wants %llu bytes, the file has %llu",
                         (unsigned long long)size, (unsigned long long)available);
    }
    l->entry = a[4];
    l->image_first = a[1];
    l->image_end = a[1] + total;
    l->flat = true;
    return load_place(l, "the image", a[1], l->image->bytes + offset, size, total);
}

static bool
place(struct load *l, size_t at)
{
    uint32_t flags;
    memcpy(&flags, l->image->bytes + at + 4, 4);
    uint32_t demands = flags & MULTIBOOT_DEMANDS & ~(MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO);
    if (demands) {
        return load_fail(l, "its multiboot header demands features %#x, which this loader does not "
                         "have", demands);
    }
    if (flags & MULTIBOOT_ADDRESSES) {
        return place_flat(l, at);
    }
    uint64_t spa = image_spa(l->image, l->image->entry);
    l->entry = spa == IMAGE_NOWHERE ? l->image->entry : spa;
    return load_segments(l);
}

/* --- boot information ------------------------------------------------------------------- */

static void
add_cmdline(struct load *l, struct blob *b)
{
    const char *name = l->request->name, *rest = l->request->cmdline;
    uint32_t text = blob_add(b, name, (uint32_t)strnlen(name, BLOB_MAX));
    if (rest && *rest) {
        blob_add(b, " ", 1);
        blob_add(b, rest, (uint32_t)strnlen(rest, BLOB_MAX));
    }
    blob_add(b, "", 1);
    blob_pointer(b, MULTIBOOT_INFO_CMDLINE, text);
}

static void
add_modules(struct load *l, struct blob *b)
{
    unsigned count = l->request->module_count;
    if (!count) {
        return;
    }
    const uint32_t none[4] = { 0 };
    blob_align(b, 4);
    uint32_t table = b->size;
    for (unsigned i = 0; i < count; i++) {
        blob_add(b, none, sizeof none);
    }
    for (unsigned i = 0; i < count && !b->overflow; i++) {
        uint32_t row = table + 16 * i;
        blob_set32(b, row, (uint32_t)l->module_spa[i]);
        blob_set32(b, row + 4, (uint32_t)(l->module_spa[i] + l->request->modules[i].size));
        blob_pointer(b, row + 8, blob_add_string(b, load_module_cmdline(l, i)));
    }
    blob_set32(b, MULTIBOOT_INFO_MODS_COUNT, count);
    blob_pointer(b, MULTIBOOT_INFO_MODS, table);
}

static void
add_memory(struct load *l, struct blob *b)
{
    blob_set32(b, MULTIBOOT_INFO_MEM_LOWER, 640);
    blob_set32(b, MULTIBOOT_INFO_MEM_UPPER, load_memory_upper_kib(l->machine));
    struct memory_range range[MEMORY_RANGES_MAX];
    unsigned count = load_memory_map(l->machine, range);
    blob_align(b, 8);
    uint32_t table = b->size;
    for (unsigned i = 0; i < count; i++) {
        /* 'size' does not count itself, so entries of 24 bytes say 20. */
        const uint32_t entry[6] = {
            20, (uint32_t)range[i].base, (uint32_t)(range[i].base >> 32),
            (uint32_t)range[i].size, (uint32_t)(range[i].size >> 32), range[i].type,
        };
        blob_add(b, entry, sizeof entry);
    }
    blob_set32(b, MULTIBOOT_INFO_MMAP_LENGTH, b->size - table);
    blob_pointer(b, MULTIBOOT_INFO_MMAP, table);
}

/* The same fields as multiboot2's, without its reserved bytes. False: no display. */
static bool
add_display(struct load *l, struct blob *b)
{
    enum { COLOURS = 22, COLOURS_2 = 24, COLOURS_SIZE = 6 };
    uint8_t fields[30];
    if (!display_multiboot(&l->machine->config, fields)) {
        return false;
    }
    memcpy(b->bytes + MULTIBOOT_INFO_FRAMEBUFFER, fields, COLOURS);
    memcpy(b->bytes + MULTIBOOT_INFO_FRAMEBUFFER + COLOURS, fields + COLOURS_2, COLOURS_SIZE);
    return true;
}

static bool
information(struct load *l)
{
    struct blob b;
    if (!blob_new(l, &b)) {
        return false;
    }
    const uint8_t empty[MULTIBOOT_INFO_SIZE] = { 0 };
    blob_add(&b, empty, sizeof empty);
    add_cmdline(l, &b);
    add_modules(l, &b);
    add_memory(l, &b);
    bool display = add_display(l, &b);
    blob_pointer(&b, MULTIBOOT_INFO_LOADER, blob_add_string(&b, "hvlab"));
    blob_set32(&b, MULTIBOOT_INFO_FLAGS,
               MULTIBOOT_HAS_MEMORY | MULTIBOOT_HAS_CMDLINE | MULTIBOOT_HAS_MODS |
                   MULTIBOOT_HAS_MMAP | MULTIBOOT_HAS_LOADER | (display ? MULTIBOOT_HAS_FRAMEBUFFER : 0));
    return blob_place(l, &b);
}

bool
multiboot_load(struct load *l)
{
    if (!place(l, header_find(l->image)) || !load_modules(l) || !information(l)) {
        return false;
    }
    l->start.rax = MULTIBOOT_MAGIC;
    l->start.rbx = (uint32_t)l->boot_info;
    return true;
}
