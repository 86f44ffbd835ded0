/* System-physical memory: RAM, MMIO regions and I/O ports.
 *
 * RAM is one host mapping addressed from 0 with a hole below 4 GiB (addresses
 * [MEM_HOLE_START, 4 GiB) are MMIO; RAM above continues at 4 GiB).  MMIO and
 * port handlers are called with naturally split accesses of 1, 2, 4 or 8
 * bytes; an access that hits nothing reads all ones and writes nothing, and
 * counts an "unclaimed" trace event.
 *
 * Writes that do not come from a processor's own store path (DMA, loaders,
 * debugger) go through mem_write(), which tells the code cache when a page
 * that holds decoded code changes.
 *
 * So that a state hash costs what was written and not what there is, every
 * page is noted when it is first written after a hash.  Pointers for reading
 * are const; whoever wants to write asks mem_ram_write(), which notes the page
 * until the next hash.  A pointer kept longer (a soft TLB's tags, the current
 * VMCS) has to be dropped, or its page noted again, behind every hash: the
 * visits of the processors do it, they follow the memory's.
 */
#ifndef SIM_MEM_MEM_H
#define SIM_MEM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem;   /* owned by struct machine */
struct state;

#define MEM_PAGE_SIZE 4096ull
#define MEM_HOLE_START 0xC0000000ull /* [spa] */
#define MEM_HOLE_END 0x100000000ull  /* [spa] */

/* 'offset' is relative to the region's base. 'size' is 1, 2, 4 or 8 [bytes]. */
typedef uint64_t mem_read_fn(void *ctx, uint64_t offset, unsigned size);
typedef void mem_write_fn(void *ctx, uint64_t offset, unsigned size,
                          uint64_t value);

struct mem_region {
    const char *name;    /* for traces and messages; static storage */
    mem_read_fn *read;
    mem_write_fn *write;
    void *ctx;
};

struct mem *mem_new(uint64_t ram_size); /* [bytes], page multiple; NULL: no memory */
void mem_free(struct mem *);
uint64_t mem_ram_size(const struct mem *);

/* Host pointer to the RAM byte at 'spa', or NULL when it is not RAM.  The
 * whole page around it is contiguous. */
const uint8_t *mem_ram(const struct mem *, uint64_t spa);
/* The same for writing to the page, until the next hash; decoded code on it is the caller's business. */
uint8_t *mem_ram_write(struct mem *, uint64_t spa);
/* RAM base; [0, MEM_HOLE_START) maps 1:1, [4 GiB, ..) follows the low part. */
const uint8_t *mem_ram_base(const struct mem *);
/* Was the page written, or given out for writing, since the last hash? */
bool mem_page_written(const struct mem *, uint64_t index);

/* Claims [base, base + size) for a region; returns an id >= 0 for unmapping
 * (BARs move), or -1 when it overlaps another region. */
int mem_mmio_map(struct mem *, uint64_t base, uint64_t size,
                 const struct mem_region *);
void mem_mmio_unmap(struct mem *, int id);
/* The same for I/O ports; ids of ports are their own. */
int mem_port_map(struct mem *, uint16_t base, uint16_t count,
                 const struct mem_region *);

void mem_port_unmap(struct mem *, int id);

uint64_t mem_mmio_read(struct mem *, uint64_t spa, unsigned size);
void mem_mmio_write(struct mem *, uint64_t spa, unsigned size, uint64_t value);
uint64_t mem_port_read(struct mem *, uint16_t port, unsigned size);
void mem_port_write(struct mem *, uint16_t port, unsigned size, uint64_t value);

/* Bulk access to RAM for DMA, loaders and debuggers.  False when any byte is
 * not RAM (nothing is then transferred). */
bool mem_read(const struct mem *, uint64_t spa, void *to, size_t size);
bool mem_write(struct mem *, uint64_t spa, const void *from, size_t size);

/* One byte per RAM page, nonzero while the page holds decoded code.  The code
 * cache sets and clears it; a store to such a page must call code_written. */
uint8_t *mem_code_map(struct mem *);
uint64_t mem_page_index(uint64_t spa); /* index into the code map, and of a page generally */
void mem_set_code_hook(struct mem *,
                       void (*code_written)(void *ctx, uint64_t spa,
                                            size_t size),
                       void *ctx);

/* Told of every access that no region claimed; the machine traces it. */
void mem_set_unclaimed_hook(struct mem *,
                            void (*unclaimed)(void *ctx, uint64_t address,
                                              bool is_write, bool is_port),
                            void *ctx);
uint64_t mem_unclaimed(const struct mem *); /* accesses so far [count]; a statistic, not state */

/* Saves and loads the pages that are not zero.  Hashes the sum of the pages' own hashes; only
 * pages written since the last hash are looked at, the others' hashes are remembered. */
void mem_state(struct mem *, struct state *);

#endif
