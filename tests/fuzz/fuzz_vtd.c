/* VT-d: tables, queue and registers full of anything; no request may crash the
 * unit, and what it lets through must lie where the tables could say.
 *
 * Input: byte 0 picks flags; then 8-byte words that alternate between table
 * contents (three of four) and operations. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/vtd.h"
#include "spec/platform/memory_map.h"
#include "spec/platform/vtd.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pages 1-7 hold root, context, three table levels, queue and interrupt table. */
enum { PAGE = 4096, ROOT = 1 * PAGE, CONTEXT = 2 * PAGE, L3 = 3 * PAGE, L2 = 4 * PAGE, L1 = 5 * PAGE,
       QUEUE = 6 * PAGE, IRT = 7 * PAGE };

static void
poke(struct machine *m, uint64_t spa, uint64_t value)
{
    mem_write(m->mem, spa, &value, 8);
}

static void
set_up(struct machine *m, uint8_t flags)
{
    for (unsigned i = 0; i < 256; i++) {
        poke(m, ROOT + 16 * i, CONTEXT | 1);
        poke(m, CONTEXT + 16 * i, L3 | 1);
        poke(m, CONTEXT + 16 * i + 8, i << 8 | (flags & 1 ? 2 : 1));
    }
    for (unsigned i = 0; i < 512; i++) {
        poke(m, L3 + 8 * i, (i & 1 ? L2 | 3 : (uint64_t)i << 30 | 0x83));
        poke(m, L2 + 8 * i, (i & 1 ? L1 | 3 : (uint64_t)i << 21 | 0x83));
        poke(m, L1 + 8 * i, (uint64_t)i << 12 | 3);
    }
    wr64(m, VTD_BASE + VTD_RTADDR, ROOT);
    wr64(m, VTD_BASE + VTD_IRTA, IRT | 7 | (flags & 2 ? VTD_IRTA_EIME : 0));
    wr64(m, VTD_BASE + VTD_IQA, QUEUE);
    uint32_t on = VTD_GCMD_TE | VTD_GCMD_IRE | VTD_GCMD_QIE | (flags & 4 ? VTD_GCMD_CFI : 0);
    wr32(m, VTD_BASE + VTD_GCMD, VTD_GCMD_SRTP);
    wr32(m, VTD_BASE + VTD_GCMD, VTD_GCMD_SIRTP);
    wr32(m, VTD_BASE + VTD_GCMD, on);
}

static void
operation(struct machine *m, uint64_t word)
{
    uint16_t sid = (uint16_t)(word >> 8);
    uint64_t spa, left, address = word >> 16;
    switch (word & 7) {
    case 0: case 1: case 2:
        if (vtd_translate(m->vtd, sid, address, word & 8, &spa, &left) &&
            (left == 0 || left > 1ull << 30 || spa >> 48)) { /* pass-through reaches 48 bits */
            abort();
        }
        break;
    case 3:
        vtd_interrupt(m->vtd, sid, 0xFEE00000 | (address & 0xFFFFC), (uint32_t)(word >> 36));
        break;
    case 4:
        wr32(m, VTD_BASE + (word >> 3 & 0x3FC), (uint32_t)(word >> 32));
        break;
    case 5:
        wr64(m, VTD_BASE + (word >> 3 & 0x3F8), word * 0x9E3779B97F4A7C15u);
        break;
    case 6:
        wr64(m, VTD_BASE + VTD_IQT, word >> 8 & 0xFF0);
        break;
    default:
        wr32(m, VTD_BASE + VTD_FSTS, UINT32_MAX);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct machine *m = fake_machine(1, 1u << 20);
    set_up(m, data[0]);
    data++;
    size--;
    for (unsigned i = 0; size >= 8; data += 8, size -= 8, i++) {
        uint64_t word;
        memcpy(&word, data, 8);
        if (i % 4 == 3) {
            operation(m, word);
        } else { /* low bits choose the place, so that small edits matter */
            poke(m, ROOT + 8 * (word * 0x9E3779B97F4A7C15u >> 32) % (7 * PAGE) / 8 * 8, word);
        }
    }
    machine_free(m);
    return 0;
}
