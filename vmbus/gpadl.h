/* GPADLs: lists of a child's pages that it lends to the parent, by handle.
 *
 * A child announces one with a header message (at most 26 page numbers) and as
 * many body messages (28 each) as it takes; it is complete when the number of
 * pages follows from the byte count of its only range.  First, the 16-bit
 * length field of the header wraps for big buffers and is not used.  Second,
 * body messages carry no usable number: they are taken in order, by handle.
 *
 * The table and its page numbers come from the pool when the child is created;
 * a child that wants more is refused.  Page numbers are not checked here: a
 * mapping fails if one of them is not the child's RAM.
 */
#ifndef VMBUS_GPADL_H
#define VMBUS_GPADL_H

#include <stdbool.h>
#include <stdint.h>

enum { VMBUS_GPADLS_MAX = 16, VMBUS_GPADL_PAGES_MAX = 16384 /* of a child, together */ };

struct vmbus_gpadl {
    uint32_t handle; /* 0 = slot unused */
    uint32_t relid;
    uint32_t byte_count;
    uint32_t byte_offset; /* in the first page */
    uint32_t first;       /* of its page numbers in the table */
    uint32_t page_count;
    uint32_t received;    /* page numbers so far; complete when page_count */
    void *mapping;        /* NULL = not mapped */
};

struct vmbus_gpadl_table {
    unsigned child;
    struct vmbus_gpadl gpadl[VMBUS_GPADLS_MAX];
    uint64_t page[VMBUS_GPADL_PAGES_MAX];
};

enum vmbus_gpadl_result {
    VMBUS_GPADL_MORE,    /* body messages are still to come */
    VMBUS_GPADL_CREATED,
    VMBUS_GPADL_REFUSED, /* malformed, double, or no room; nothing is kept */
    VMBUS_GPADL_IGNORED, /* a body for a handle that expects none */
};

/* 'message' is the whole control message of 'size' bytes; *gpadl is the one it belongs to (or NULL). */
enum vmbus_gpadl_result vmbus_gpadl_header(struct vmbus_gpadl_table *, const void *message,
                                           uint32_t size, struct vmbus_gpadl **gpadl);
enum vmbus_gpadl_result vmbus_gpadl_body(struct vmbus_gpadl_table *, const void *message,
                                         uint32_t size, struct vmbus_gpadl **gpadl);

/* A complete one, or NULL. */
struct vmbus_gpadl *vmbus_gpadl_find(struct vmbus_gpadl_table *, uint32_t handle);
/* Maps it once; the address of its first page, or NULL. */
void *vmbus_gpadl_map(struct vmbus_gpadl_table *, struct vmbus_gpadl *);
void vmbus_gpadl_unmap(struct vmbus_gpadl *);
void vmbus_gpadl_remove(struct vmbus_gpadl *); /* unmaps */
void vmbus_gpadl_remove_all(struct vmbus_gpadl_table *);

#endif
