/* The Multiboot2 protocol (Multiboot2 Specification version 2.0); see load.h. */
#include <stdio.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"
#include "sim/platform/load_priv.h"
#include "sim/platform/platform.h"
#include "spec/platform/multiboot.h"

/* Where the header is in the file; SIZE_MAX: none. */
static size_t
header_find(const struct image *image)
{
    size_t limit = image->size < MULTIBOOT2_SEARCH ? image->size : MULTIBOOT2_SEARCH;
    for (size_t at = 0; at + 16 <= limit; at += MULTIBOOT2_ALIGN) {
        uint32_t h[4]; /* magic, architecture, length, checksum */
        memcpy(h, image->bytes + at, sizeof h);
        if (h[0] == MULTIBOOT2_HEADER_MAGIC && h[0] + h[1] + h[2] + h[3] == 0) {
            return at;
        }
    }
    return SIZE_MAX;
}

bool
multiboot2_probe(const struct load *l)
{
    return header_find(l->image) != SIZE_MAX;
}

/* --- header tags ------------------------------------------------------------------ */

struct header {
    size_t at;              /* in the file */
    bool has_address, has_entry;
    struct { uint32_t header, load, load_end, bss_end; } address;
    uint32_t entry;
};

struct tag {
    uint16_t type, flags;
    uint32_t size;          /* [bytes] head included */
    const uint8_t *body;
};

static uint32_t
get32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}

static bool
has_display(const struct load *l)
{
    return l->machine->config.display_width || l->machine->config.display_text;
}

static bool
is_offered(const struct load *l, uint32_t info_type)
{
    switch (info_type) {
    case MULTIBOOT2_INFO_END: case MULTIBOOT2_INFO_CMDLINE: case MULTIBOOT2_INFO_LOADER:
    case MULTIBOOT2_INFO_MODULE: case MULTIBOOT2_INFO_MEMORY: case MULTIBOOT2_INFO_MAP:
    case MULTIBOOT2_INFO_ACPI_OLD: case MULTIBOOT2_INFO_ACPI_NEW:
        return true;
    case MULTIBOOT2_INFO_FRAMEBUFFER:
        return has_display(l);
    default:
        return false;
    }
}

static bool
request_tag(struct load *l, const struct tag *t)
{
    for (uint32_t i = 0; i + 4 <= t->size - 8; i += 4) {
        uint32_t wanted = get32(t->body + i);
        if (!is_offered(l, wanted) && !(t->flags & MULTIBOOT2_TAG_OPTIONAL)) {
            return load_fail(l, "its multiboot2 header demands information of type %u, which this "
                             "loader does not give", wanted);
        }
    }
    return true;
}

static bool
take_tag(struct load *l, struct header *h, const struct tag *t)
{
    static const uint8_t least[] = {
        [MULTIBOOT2_TAG_ADDRESS] = 24, [MULTIBOOT2_TAG_ENTRY] = 12,
    };
    if (t->type < sizeof least && t->size < least[t->type]) {
        return load_fail(l, "multiboot2 header tag %u of %u bytes is too short", t->type, t->size);
    }
    switch (t->type) {
    case MULTIBOOT2_TAG_REQUEST:
        return request_tag(l, t);
    case MULTIBOOT2_TAG_ADDRESS:
        memcpy(&h->address, t->body, sizeof h->address);
        h->has_address = true;
        return true;
    case MULTIBOOT2_TAG_ENTRY:
        h->entry = get32(t->body);
        h->has_entry = true;
        return true;
    case MULTIBOOT2_TAG_CONSOLE:     /* a serial console needs no loader */
    case MULTIBOOT2_TAG_MODULE_ALIGN:/* always so */
    case MULTIBOOT2_TAG_ENTRY_EFI32: /* for EFI firmware only */
    case MULTIBOOT2_TAG_ENTRY_EFI64:
    case MULTIBOOT2_TAG_RELOCATABLE: /* allows, does not demand, another place */
        return true;
    case MULTIBOOT2_TAG_FRAMEBUFFER: /* its preferred size is a wish; the display is the machine's */
        if (has_display(l)) {
            return true;
        } /* fall through */
    default: /* EFI boot services, what later versions add */
        return t->flags & MULTIBOOT2_TAG_OPTIONAL ||
               load_fail(l, "its multiboot2 header demands feature %u, which this loader does not "
                         "have", t->type);
    }
}

static bool
header_parse(struct load *l, struct header *h)
{
    const struct image *image = l->image;
    h->at = header_find(image);
    const uint8_t *start = image->bytes + h->at;
    uint32_t architecture = get32(start + 4), length = get32(start + 8);
    if (architecture != 0) {
        return load_fail(l, "a multiboot2 image for architecture %u; i386 (0) is needed",
                         architecture);
    }
    if (length > image->size - h->at) {
        return load_fail(l, "cut short: its multiboot2 header has %u bytes", length);
    }
    for (uint32_t at = 16; length >= 8 && at <= length - 8;) {
        struct tag t;
        memcpy(&t, start + at, 8);
        t.body = start + at + 8;
        if (t.type == MULTIBOOT2_TAG_END) {
            return true;
        }
        if (t.size < 8 || t.size > length - at) {
            return load_fail(l, "multiboot2 header tag %u has an impossible size %u", t.type, t.size);
        }
        if (!take_tag(l, h, &t)) {
            return false;
        }
        uint32_t step = (t.size + 7) & ~7u;
        if (step > length - at) {
            break;
        }
        at += step;
    }
    return load_fail(l, "its multiboot2 header has no end tag");
}

/* --- placing the image -------------------------------------------------------------- */

/* The address tag overrides the ELF headers: a flat piece of the file. */
static bool
place_flat(struct load *l, const struct header *h)
{
    uint32_t load = h->address.load, before = h->address.header - load;
    if (h->address.load == UINT32_MAX) { /* "-1: the file is loaded from its beginning" */
        load = h->address.header - (uint32_t)h->at;
        before = (uint32_t)h->at;
    }
    if (h->address.header < load || before > h->at) {
        return load_fail(l, "its multiboot2 address tag contradicts the header's place in the file");
    }
    uint64_t offset = h->at - before, available = l->image->size - offset;
    uint64_t size = h->address.load_end ? (uint64_t)h->address.load_end - load : available;
    uint64_t total = h->address.bss_end ? (uint64_t)h->address.bss_end - load : size;
    if ((h->address.load_end && h->address.load_end < load) || size > available ||
        (h->address.bss_end && h->address.bss_end < load) || total < size || size == 0) {
        return load_fail(l, "its multiboot2 address tag wants %llu bytes, the file has %llu",
                         (unsigned long long)size, (unsigned long long)available);
    }
    l->image_first = load;
    l->image_end = load + total;
    l->flat = true;
    return load_place(l, "the image", load, l->image->bytes + offset, size, total);
}

static bool
place(struct load *l, const struct header *h)
{
    if (h->has_address) {
        if (!h->has_entry) {
            return load_fail(l, "its multiboot2 header has an address tag but no entry tag");
        }
        l->entry = h->entry;
        return place_flat(l, h);
    }
    uint64_t spa = image_spa(l->image, l->image->entry);
    l->entry = h->has_entry ? h->entry : spa == IMAGE_NOWHERE ? l->image->entry : spa;
    return load_segments(l);
}

/* --- boot information ---------------------------------------------------------------- */

static uint32_t
tag_begin(struct blob *b, uint32_t type)
{
    blob_align(b, 8);
    const uint32_t head[2] = { type, 0 };
    return blob_add(b, head, sizeof head);
}

static void
tag_end(struct blob *b, uint32_t tag)
{
    blob_set32(b, tag + 4, b->size - tag);
}

static void
tag_string(struct blob *b, uint32_t type, const char *text)
{
    uint32_t tag = tag_begin(b, type);
    blob_add_string(b, text);
    tag_end(b, tag);
}

static void
tags_display(struct load *l, struct blob *b)
{
    uint8_t fields[30];
    unsigned size = display_multiboot(&l->machine->config, fields);
    if (size) {
        uint32_t tag = tag_begin(b, MULTIBOOT2_INFO_FRAMEBUFFER);
        blob_add(b, fields, size < 24 ? 24 : size); /* the reserved bytes are there in any case */
        tag_end(b, tag);
    }
}

static void
tags_modules(struct load *l, struct blob *b)
{
    for (unsigned i = 0; i < l->request->module_count; i++) {
        uint32_t tag = tag_begin(b, MULTIBOOT2_INFO_MODULE);
        const uint32_t range[2] = {
            (uint32_t)l->module_spa[i],
            (uint32_t)(l->module_spa[i] + l->request->modules[i].size),
        };
        blob_add(b, range, sizeof range);
        blob_add_string(b, load_module_cmdline(l, i));
        tag_end(b, tag);
    }
}

static void
tags_memory(struct load *l, struct blob *b)
{
    const uint32_t basic[2] = { 640, load_memory_upper_kib(l->machine) };
    uint32_t tag = tag_begin(b, MULTIBOOT2_INFO_MEMORY);
    blob_add(b, basic, sizeof basic);
    tag_end(b, tag);

    struct memory_range range[MEMORY_RANGES_MAX];
    unsigned count = load_memory_map(l->machine, range);
    const uint32_t head[2] = { 24, 0 }; /* entry size and version */
    tag = tag_begin(b, MULTIBOOT2_INFO_MAP);
    blob_add(b, head, sizeof head);
    for (unsigned i = 0; i < count; i++) {
        const uint64_t entry[3] = { range[i].base, range[i].size, range[i].type };
        blob_add(b, entry, sizeof entry);
    }
    tag_end(b, tag);
}

/* Copies of the RSDP: its first 20 bytes are the old one. */
static void
tags_acpi(struct load *l, struct blob *b)
{
    uint8_t rsdp[36];
    mem_read(l->machine->mem, platform_rsdp(l->machine->platform), rsdp, sizeof rsdp);
    uint32_t tag = tag_begin(b, MULTIBOOT2_INFO_ACPI_OLD);
    blob_add(b, rsdp, 20);
    tag_end(b, tag);
    tag = tag_begin(b, MULTIBOOT2_INFO_ACPI_NEW);
    blob_add(b, rsdp, sizeof rsdp);
    tag_end(b, tag);
}

static bool
information(struct load *l)
{
    struct blob b;
    if (!blob_new(l, &b)) {
        return false;
    }
    const uint32_t head[2] = { 0, 0 }; /* total size, reserved */
    blob_add(&b, head, sizeof head);
    tag_string(&b, MULTIBOOT2_INFO_CMDLINE, l->request->cmdline ? l->request->cmdline : "");
    tag_string(&b, MULTIBOOT2_INFO_LOADER, "hvlab");
    tags_display(l, &b);
    tags_modules(l, &b);
    tags_memory(l, &b);
    tags_acpi(l, &b);
    uint32_t tag = tag_begin(&b, MULTIBOOT2_INFO_END);
    tag_end(&b, tag);
    blob_set32(&b, 0, b.size);
    return blob_place(l, &b);
}

bool
multiboot2_load(struct load *l)
{
    struct header header = { 0 };
    if (!header_parse(l, &header) || !place(l, &header) || !load_modules(l) || !information(l)) {
        return false;
    }
    l->start.rax = MULTIBOOT2_MAGIC;
    l->start.rbx = (uint32_t)l->boot_info;
    return true;
}
