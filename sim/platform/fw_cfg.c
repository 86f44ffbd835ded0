/* The firmware configuration device; see fw_cfg.h. */
#include "sim/platform/fw_cfg.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "spec/platform/fw_cfg.h"

struct item {
    uint16_t key;
    uint8_t *bytes;  /* owned */
    uint32_t size;   /* [bytes] */
    char name[FW_CFG_FILE_NAME]; /* empty: not a file */
};

enum { ITEMS_MAX = 8 + FW_CFG_FILES_MAX };

struct fw_cfg {
    struct machine *machine;
    unsigned count;
    struct item item[ITEMS_MAX];
    unsigned files;
    uint16_t key;            /* selected */
    uint32_t offset;         /* of the next byte to read */
    uint32_t dma_high;       /* address 63:32 as written */
};

/* --- items ---------------------------------------------------------------------- */

static struct item *
item_find(struct fw_cfg *f, uint16_t key)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->item[i].key == key) {
            return &f->item[i];
        }
    }
    return NULL;
}

static bool
item_set(struct fw_cfg *f, uint16_t key, const char *name, const void *bytes, size_t size)
{
    struct item *item = item_find(f, key);
    uint8_t *copy = size > UINT32_MAX ? NULL : malloc(size ? size : 1);
    if (!copy || (!item && f->count == ITEMS_MAX)) {
        free(copy);
        return false;
    }
    if (!item) {
        item = &f->item[f->count++];
    }
    memcpy(copy, bytes, size);
    free(item->bytes);
    *item = (struct item){ .key = key, .bytes = copy, .size = (uint32_t)size };
    memcpy(item->name, name, strlen(name));
    return true;
}

static bool
number_set(struct fw_cfg *f, uint16_t key, uint64_t value, unsigned size)
{
    return item_set(f, key, "", &value, size);
}

/* Count, then a row for every file. */
static bool
directory_build(struct fw_cfg *f)
{
    uint8_t bytes[4 + FW_CFG_FILES_MAX * FW_CFG_FILE_ROW] = { 0 };
    uint32_t count = htobe32(f->files), size = 4;
    memcpy(bytes, &count, 4);
    for (unsigned i = 0; i < f->count; i++) {
        const struct item *item = &f->item[i];
        if (item->name[0]) {
            uint32_t length = htobe32(item->size);
            uint16_t key = htobe16(item->key);
            memcpy(bytes + size, &length, 4);
            memcpy(bytes + size + 4, &key, 2);
            memcpy(bytes + size + 8, item->name, FW_CFG_FILE_NAME);
            size += FW_CFG_FILE_ROW;
        }
    }
    return item_set(f, FW_CFG_FILE_DIR, "", bytes, size);
}

bool
fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *bytes, size_t size)
{
    if (f->files == FW_CFG_FILES_MAX || !name[0] || strlen(name) >= FW_CFG_FILE_NAME ||
        !item_set(f, (uint16_t)(FW_CFG_FILE_FIRST + f->files), name, bytes, size)) {
        return false;
    }
    f->files++;
    return directory_build(f);
}

/* --- the byte door -------------------------------------------------------------- */

static void
select_key(struct fw_cfg *f, uint16_t key)
{
    f->key = key;
    f->offset = 0;
}

/* The next 'size' bytes of the selected item; 'to' NULL skips them. */
static void
take(struct fw_cfg *f, uint8_t *to, uint32_t size)
{
    const struct item *item = item_find(f, f->key);
    uint32_t left = item && f->offset < item->size ? item->size - f->offset : 0;
    uint32_t n = size < left ? size : left;
    if (to) {
        memset(to, 0, size);
        if (n) {
            memcpy(to, item->bytes + f->offset, n);
        }
    }
    f->offset += n;
}

static uint64_t
port_read(void *ctx, uint64_t offset, unsigned size)
{
    struct fw_cfg *f = ctx;
    uint8_t byte = 0;
    if (offset != 1 || size != 1) {
        return 0; /* the selector cannot be read back, the data port is 8 bits wide */
    }
    take(f, &byte, 1);
    return byte;
}

static void
port_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    if (offset == 0 && size == 2) {
        select_key(ctx, (uint16_t)value);
    } /* writes to the data port do nothing, as in every recent QEMU */
}

/* --- DMA ------------------------------------------------------------------------- */

static uint32_t
get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* True: all bytes arrived in RAM. */
static bool
dma_copy(struct fw_cfg *f, uint64_t address, uint32_t length)
{
    uint8_t chunk[4096];
    while (length) {
        uint32_t n = length < sizeof chunk ? length : (uint32_t)sizeof chunk;
        take(f, chunk, n);
        if (!mem_write(f->machine->mem, address, chunk, n)) {
            return false;
        }
        address += n;
        length -= n;
    }
    return true;
}

static void
dma_run(struct fw_cfg *f, uint64_t descriptor)
{
    uint8_t bytes[FW_CFG_DMA_SIZE];
    struct mem *mem = f->machine->mem;
    if (!mem_read(mem, descriptor, bytes, sizeof bytes)) {
        return; /* nowhere to put an error */
    }
    uint32_t control = get_be32(bytes), length = get_be32(bytes + 4), status = 0;
    uint64_t address = (uint64_t)get_be32(bytes + 8) << 32 | get_be32(bytes + 12);
    if (control & FW_CFG_DMA_SELECT) {
        select_key(f, (uint16_t)(control >> 16));
    }
    if (control & FW_CFG_DMA_READ) {
        status = dma_copy(f, address, length) ? 0 : FW_CFG_DMA_ERROR;
    } else if (control & FW_CFG_DMA_WRITE) {
        status = FW_CFG_DMA_ERROR;
    } else if (control & FW_CFG_DMA_SKIP) {
        take(f, NULL, length);
    }
    status = htobe32(status);
    mem_write(mem, descriptor, &status, 4);
}

static uint64_t
dma_read(void *ctx, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    (void)ctx;
    for (unsigned i = 0; i < size; i++) {
        value |= (FW_CFG_DMA_SIGNATURE >> (56 - 8 * (offset + i)) & 0xFF) << (8 * i);
    }
    return value;
}

static void
dma_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct fw_cfg *f = ctx;
    if (size == 4 && offset == 0) {
        f->dma_high = be32toh((uint32_t)value);
    } else if (size == 4 && offset == 4) {
        uint64_t descriptor = (uint64_t)f->dma_high << 32 | be32toh((uint32_t)value);
        f->dma_high = 0;
        dma_run(f, descriptor);
    }
}

/* --- life ------------------------------------------------------------------------ */

static bool
items_build(struct fw_cfg *f)
{
    const struct machine_config *c = &f->machine->config;
    return item_set(f, FW_CFG_SIGNATURE, "", "QEMU", 4) &&
           number_set(f, FW_CFG_ID, FW_CFG_ID_TRADITIONAL | FW_CFG_ID_DMA, 4) &&
           number_set(f, FW_CFG_RAM_SIZE, c->ram_size, 8) &&
           number_set(f, FW_CFG_NB_CPUS, c->cpu_count, 2) &&
           number_set(f, FW_CFG_MAX_CPUS, c->cpu_count, 2) && directory_build(f);
}

struct fw_cfg *
fw_cfg_new(struct machine *m)
{
    struct fw_cfg *f = calloc(1, sizeof *f);
    if (!f) {
        return NULL;
    }
    f->machine = m;
    const struct mem_region port = { "fw-cfg", port_read, port_write, f };
    const struct mem_region dma = { "fw-cfg-dma", dma_read, dma_write, f };
    mem_port_map(m->mem, PORT_FW_CFG, 2, &port);
    mem_port_map(m->mem, PORT_FW_CFG_DMA, 8, &dma);
    if (!items_build(f)) {
        fw_cfg_free(f);
        return NULL;
    }
    machine_add_part(m, "fw-cfg", fw_cfg_state, f);
    return f;
}

void
fw_cfg_free(struct fw_cfg *f)
{
    if (f) {
        for (unsigned i = 0; i < f->count; i++) {
            free(f->item[i].bytes);
        }
        free(f);
    }
}

void
fw_cfg_state(void *fw_cfg, struct state *s)
{
    struct fw_cfg *f = fw_cfg;
    STATE_VISIT(s, f->key);
    STATE_VISIT(s, f->offset);
    STATE_VISIT(s, f->dma_high);
}
