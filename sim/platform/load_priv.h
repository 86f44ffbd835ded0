/* Inside of the loaders: what load.c and the protocols share. */
#ifndef SIM_PLATFORM_LOAD_PRIV_H
#define SIM_PLATFORM_LOAD_PRIV_H

#include "sim/platform/elf_image.h"
#include "sim/platform/load.h"

/* The first processor's state at the entry, apart from rip. */
struct load_start {
    uint16_t code, data;          /* selectors */
    uint32_t rax, rbx, rsi;
    uint64_t rsp;
    bool long_mode;               /* paging on, 64-bit code; else 32-bit with paging off */
    uint64_t cr3;
    bool reset;                   /* through the BIOS: real-address mode at F000:FFF0; the rest is not used */
};

struct load {
    struct machine *machine;
    const struct load_request *request;
    struct image *image;
    uint64_t image_first, image_end;  /* [spa] what the image occupies */
    bool flat;                        /* by addresses in its boot header, not by segments */
    uint64_t module_spa[LOAD_MODULES_MAX];
    uint64_t entry;                   /* [spa] */
    struct load_start start;
    uint64_t boot_info;               /* [spa] where the information begins; the stack ends below */
    char *error;
    unsigned error_size;
};

/* Writes the message, returns false. */
bool load_fail(struct load *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Copies to RAM; 'what' for the message. */
bool load_place(struct load *, const char *what, uint64_t spa, const void *bytes, uint64_t file_size,
                uint64_t mem_size);
bool load_segments(struct load *); /* the image by p_paddr */
bool load_modules(struct load *);  /* behind the image; fills module_spa */
const char *load_module_cmdline(const struct load *, unsigned index);

/* Memory map for the guest, in address order. */
enum { MEMORY_AVAILABLE = 1, MEMORY_RESERVED = 2, MEMORY_ACPI = 3 };
struct memory_range {
    uint64_t base, size; /* [spa], [bytes] */
    uint32_t type;
};
enum { MEMORY_RANGES_MAX = 9 };
unsigned load_memory_map(const struct machine *, struct memory_range range[MEMORY_RANGES_MAX]);
uint32_t load_memory_upper_kib(const struct machine *); /* available from 1 MiB up, without a gap */

/* Boot information under construction. Positions noted by blob_pointer are made
 * absolute once its place is known. */
enum { BLOB_MAX = 0x40000, BLOB_POINTERS_MAX = 256 };
struct blob {
    uint8_t *bytes;      /* BLOB_MAX of them */
    uint32_t size;       /* [bytes] */
    bool overflow;
    uint32_t pointer[BLOB_POINTERS_MAX];
    unsigned pointer_count;
};
bool blob_new(struct load *, struct blob *);
void blob_align(struct blob *, unsigned to);
uint32_t blob_add(struct blob *, const void *, uint32_t size); /* returns its offset */
uint32_t blob_add_string(struct blob *, const char *);
void blob_set32(struct blob *, uint32_t offset, uint32_t value);
void blob_pointer(struct blob *, uint32_t at, uint32_t target); /* both offsets */
/* Places it at the top of conventional memory, sets load->boot_info; frees the bytes. */
bool blob_place(struct load *, struct blob *);

/* Does the file have the protocol's header?  Then 'load' does the rest. */
bool multiboot2_probe(const struct load *);
bool multiboot2_load(struct load *);
bool multiboot_probe(const struct load *);
bool multiboot_load(struct load *);
bool bzimage_probe(const struct load *);
bool bzimage_load(struct load *, enum load_protocol *); /* tells which entry */
/* load_bios.c: a bzImage by its real-mode entry; anything else, behind the BIOS instead of at once. */
bool bios_load_kernel(struct load *);
bool bios_start(struct load *);

#endif
