/* An ELF file taken apart: segments, sections, symbols.
 *
 * Accepts ELF32 and ELF64, little-endian, for i386 and x86-64, as images for
 * the machine come.  Everything is checked once, in image_parse: afterwards
 * every offset, string and link is good.  A section's physical address follows
 * from the segment that holds it (p_paddr), which is where it is loaded and
 * what attribution and traces need; addresses without a segment have none.
 *
 * Ownership: the image copies what it keeps; 'bytes' may go after parsing.
 * Errors: a message that names the file, the part of it and the numbers.
 */
#ifndef SIM_PLATFORM_ELF_IMAGE_H
#define SIM_PLATFORM_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_NOWHERE UINT64_MAX /* physical address of what is not loaded */

struct image_segment {      /* PT_LOAD with a size */
    uint64_t paddr, vaddr;
    uint64_t file_offset, file_size, mem_size; /* [bytes] */
    bool executable, writable;
};

struct image_section {
    const char *name;
    uint64_t vaddr;
    uint64_t spa;           /* or IMAGE_NOWHERE */
    uint64_t size;          /* [bytes] */
    bool executable;
};

struct image_symbol {
    const char *name;
    uint64_t vaddr;
    uint64_t spa;           /* or IMAGE_NOWHERE */
    uint64_t size;          /* [bytes]; 0 when the file does not say */
    bool is_function;
    bool is_global;
};

struct image {
    char *name;             /* as given to image_parse */
    uint8_t *bytes;         /* the file */
    size_t size;            /* [bytes] */
    bool is_64;
    uint64_t entry;         /* virtual, as in the header */
    struct image_segment *segment;
    unsigned segment_count;
    struct image_section *section;
    unsigned section_count;
    struct image_symbol *symbol;      /* sorted by spa, then name */
    unsigned symbol_count;
};

/* NULL with a message in 'error' when the bytes are no usable ELF image. */
struct image *image_parse(const char *name, const uint8_t *bytes, size_t size, char *error,
                          unsigned error_size);
void image_free(struct image *);

uint64_t image_spa(const struct image *, uint64_t vaddr); /* or IMAGE_NOWHERE */
const struct image_symbol *image_symbol_by_name(const struct image *, const char *name);
/* The function (or, failing that, any named thing) that contains 'spa'. NULL: none. */
const struct image_symbol *image_symbol_by_spa(const struct image *, uint64_t spa);
const struct image_section *image_section_by_name(const struct image *, const char *name);
/* First and last byte + 1 of what is loaded, physical. */
void image_extent(const struct image *, uint64_t *first, uint64_t *end);

#endif
