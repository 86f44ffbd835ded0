/* The approximate model's fast side, inlined into the timed handlers.
 *
 * Most accesses hit a line that was touched a moment ago.  A small
 * direct-mapped filter of such lines (struct cpu_time, `recent`) answers those
 * without asking caches and TLBs; what a line must lose (written elsewhere,
 * evicted, written by a device, its translation flushed) it loses from the
 * filter too.  Every way into the model goes through the filter, so that how
 * an access got here never changes what it costs.
 */
#ifndef SIM_TIME_HOT_H
#define SIM_TIME_HOT_H

#include "sim/cpu/core.h"
#include "sim/time/model.h"

static inline void
time_touch(struct cpu *c, uint64_t linear, const void *host, unsigned size, bool write)
{
    const struct cpu_time *t = c->time;
    uint64_t at = (uint64_t)((const uint8_t *)host - t->ram), line = at >> LINE_SHIFT;
    uint64_t recent = t->recent[line % RECENT_LINES] ^ line << 1;
    /* 1 = writable, 0 = readable: reading takes either, writing only 1. */
    if (__builtin_expect(recent <= 1 && recent >= write && (at & 63) + size <= 64, 1))
        return;
    time_touch_slow(c, linear, host, size, write);
}

static inline void
time_block(struct cpu *c, const struct insn *enter)
{
    const struct cpu_time *t = c->time;
    const struct insn *last = enter + enter->records - 1;
    uint64_t page = (uint64_t)enter->page << 12;
    uint64_t first_line = (page + enter->offset) >> LINE_SHIFT;
    uint64_t last_line = (page + last->offset + last->length - 1u) >> LINE_SHIFT;
    if (__builtin_expect(t->recent_code[first_line % RECENT_CODE] == first_line
                         && t->recent_code[last_line % RECENT_CODE] == last_line, 1))
        return;
    time_code_slow(c, c->code_page + enter->offset, first_line, last_line);
}

#endif
