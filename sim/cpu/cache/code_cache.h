/* Decoded blocks of one machine, found by physical address and mode.
 *
 * All processors share them: a block holds no linear address and no
 * processor.  Blocks live in an arena that is emptied as a whole when it is
 * full (no block runs then).  Per RAM page with code there is a small table
 * of blocks and a map of the bytes, and the 64-byte lines, they were decoded from.
 *
 * Writes.  mem_code_map() is nonzero for pages with blocks, so every store to
 * them comes here (code_cache_written).  The first one drops the whole page;
 * a page that was hit once is from then on tracked by byte, because code and
 * data often share pages, and in real mode lines.  A dropped block's head becomes core_dead; whoever
 * still jumps there (links in the page, jump caches) is led to the successor.
 */
#ifndef SIM_CPU_CACHE_CODE_CACHE_H
#define SIM_CPU_CACHE_CODE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/cpu/core_hooks.h"

struct code_cache;
struct jit;
struct insn;
struct machine;

/* Creates m->code if there is none; registers the memory's code hook. */
bool code_cache_open(struct machine *);
void code_cache_free(struct machine *);

/* Block at byte 'offset' of RAM page 'page', or NULL. */
struct insn *code_cache_find(const struct code_cache *, uint32_t page, unsigned offset, uint32_t mode);
/* Decodes one; NULL: not one instruction ends within the page.  May empty the cache. */
struct insn *code_cache_make(struct machine *, struct cpu *, uint32_t page, unsigned offset, uint32_t mode);

void code_cache_written(void *machine, uint64_t spa, size_t size);
void code_cache_drop_all(struct machine *);

void code_cache_observe(struct machine *, uint64_t spa, core_observer_fn *, void *ctx);
/* Bytes from 'offset' to the next observed address in the page (or its end). */
unsigned code_cache_observer_distance(const struct code_cache *, uint32_t page, unsigned offset);
bool code_cache_call_observer(const struct code_cache *, struct cpu *, uint32_t page, unsigned offset);

/* The machine's second tier, or NULL. */
struct jit *code_cache_jit(const struct code_cache *);

struct code_cache_stats { uint64_t blocks, dropped_pages, dropped_blocks, emptied; };
struct code_cache_stats code_cache_stats(const struct code_cache *);

#endif
