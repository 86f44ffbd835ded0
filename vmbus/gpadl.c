#include "vmbus/gpadl.h"

#include "spec/vmbus/vmbus.h"
#include "vmbus/bytes.h"
#include "vsp/runtime/svc.h"

static struct vmbus_gpadl *find_any(struct vmbus_gpadl_table *table, uint32_t handle)
{
    for (unsigned i = 0; i < VMBUS_GPADLS_MAX; i++)
        if (table->gpadl[i].handle == handle)
            return &table->gpadl[i];
    return NULL;
}

/* First gap of 'count' page numbers: behind one of the others, or at the start. */
static bool find_room(const struct vmbus_gpadl_table *table, uint32_t count, uint32_t *first)
{
    for (int after = -1; after < VMBUS_GPADLS_MAX; after++) {
        const struct vmbus_gpadl *before = after < 0 ? NULL : &table->gpadl[after];
        if (before && before->handle == 0)
            continue;
        uint32_t start = before ? before->first + before->page_count : 0;
        bool fits = count <= VMBUS_GPADL_PAGES_MAX - start;
        for (unsigned i = 0; fits && i < VMBUS_GPADLS_MAX; i++) {
            const struct vmbus_gpadl *other = &table->gpadl[i];
            if (other->handle != 0 && other->first < start + count &&
                start < other->first + other->page_count)
                fits = false;
        }
        if (fits) {
            *first = start;
            return true;
        }
    }
    return false;
}

static enum vmbus_gpadl_result take_pages(struct vmbus_gpadl_table *table,
                                          struct vmbus_gpadl *gpadl, const uint8_t *pages,
                                          uint32_t size)
{
    uint32_t count = size / 8, missing = gpadl->page_count - gpadl->received;
    if (count > missing)
        count = missing; /* Linux fills the last message up with what its buffer holds */
    for (uint32_t i = 0; i < count; i++)
        table->page[gpadl->first + gpadl->received + i] = load64(pages + (size_t)i * 8);
    gpadl->received += count;
    return gpadl->received == gpadl->page_count ? VMBUS_GPADL_CREATED : VMBUS_GPADL_MORE;
}

enum vmbus_gpadl_result vmbus_gpadl_header(struct vmbus_gpadl_table *table, const void *message,
                                           uint32_t size, struct vmbus_gpadl **gpadl)
{
    struct vmbus_msg_gpadl_header header;
    *gpadl = NULL;
    if (size < sizeof header)
        return VMBUS_GPADL_REFUSED;
    bytes_copy(&header, message, sizeof header);
    if (header.gpadl == 0 || header.range_count != 1 || header.byte_count == 0 ||
        header.byte_offset >= VMBUS_PAGE_SIZE || find_any(table, header.gpadl))
        return VMBUS_GPADL_REFUSED;
    uint64_t pages = ((uint64_t)header.byte_offset + header.byte_count + VMBUS_PAGE_SIZE - 1) /
                     VMBUS_PAGE_SIZE;
    uint32_t first;
    struct vmbus_gpadl *slot = find_any(table, 0);
    if (!slot || pages > VMBUS_GPADL_PAGES_MAX || !find_room(table, (uint32_t)pages, &first))
        return VMBUS_GPADL_REFUSED;
    *slot = (struct vmbus_gpadl){
        .handle = header.gpadl, .relid = header.relid, .byte_count = header.byte_count,
        .byte_offset = header.byte_offset, .first = first, .page_count = (uint32_t)pages,
    };
    *gpadl = slot;
    return take_pages(table, slot, (const uint8_t *)message + sizeof header,
                      size - (uint32_t)sizeof header);
}

enum vmbus_gpadl_result vmbus_gpadl_body(struct vmbus_gpadl_table *table, const void *message,
                                         uint32_t size, struct vmbus_gpadl **gpadl)
{
    struct vmbus_msg_gpadl_body body;
    *gpadl = NULL;
    if (size < sizeof body)
        return VMBUS_GPADL_IGNORED;
    bytes_copy(&body, message, sizeof body);
    struct vmbus_gpadl *slot = body.gpadl ? find_any(table, body.gpadl) : NULL;
    if (!slot || slot->received == slot->page_count)
        return VMBUS_GPADL_IGNORED;
    *gpadl = slot;
    return take_pages(table, slot, (const uint8_t *)message + sizeof body,
                      size - (uint32_t)sizeof body);
}

struct vmbus_gpadl *vmbus_gpadl_find(struct vmbus_gpadl_table *table, uint32_t handle)
{
    struct vmbus_gpadl *gpadl = handle ? find_any(table, handle) : NULL;
    return gpadl && gpadl->received == gpadl->page_count ? gpadl : NULL;
}

void *vmbus_gpadl_map(struct vmbus_gpadl_table *table, struct vmbus_gpadl *gpadl)
{
    if (!gpadl->mapping)
        gpadl->mapping = svc_map(table->child, &table->page[gpadl->first], gpadl->page_count);
    return gpadl->mapping;
}

void vmbus_gpadl_unmap(struct vmbus_gpadl *gpadl)
{
    if (gpadl->mapping)
        svc_unmap(gpadl->mapping, gpadl->page_count);
    gpadl->mapping = NULL;
}

void vmbus_gpadl_remove(struct vmbus_gpadl *gpadl)
{
    vmbus_gpadl_unmap(gpadl);
    *gpadl = (struct vmbus_gpadl){ 0 };
}

void vmbus_gpadl_remove_all(struct vmbus_gpadl_table *table)
{
    for (unsigned i = 0; i < VMBUS_GPADLS_MAX; i++)
        if (table->gpadl[i].handle != 0)
            vmbus_gpadl_remove(&table->gpadl[i]);
}
