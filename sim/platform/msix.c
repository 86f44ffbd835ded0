/* MSI-X for device models; see msix.h. */
#include "sim/platform/msix.h"

#include <assert.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/platform/pci.h"

enum { CAP_SIZE = 12, CAP_CONTROL = 2, CAP_TABLE = 4, CAP_PBA = 8 };
enum { CONTROL_MASK = 1 << 14, CONTROL_ENABLE = 1 << 15 };
enum { ENTRY_LOW, ENTRY_HIGH, ENTRY_DATA, ENTRY_CONTROL };
enum { ENTRY_MASKED = 1 };

void
msix_init(struct msix *m, struct pci *pci, struct pci_function *f, unsigned count, unsigned bar,
          uint32_t table_offset, uint32_t pba_offset)
{
    assert(count >= 1 && count <= MSIX_VECTORS_MAX && table_offset % 8 == 0 && pba_offset % 8 == 0);
    *m = (struct msix){
        .pci = pci, .function = f, .count = (uint16_t)count,
        .table_offset = table_offset, .pba_offset = pba_offset,
    };
    m->cap = (uint16_t)pci_add_capability(f, PCI_CAP_MSIX, CAP_SIZE);
    pci_set(f, m->cap + CAP_TABLE, 4, table_offset | bar);
    pci_set(f, m->cap + CAP_PBA, 4, pba_offset | bar);
    pci_set_writable(f, m->cap + CAP_CONTROL, 2, CONTROL_MASK | CONTROL_ENABLE);
    msix_reset(m);
}

void
msix_reset(struct msix *m)
{
    memset(m->table, 0, sizeof m->table);
    memset(m->pending, 0, sizeof m->pending);
    for (unsigned i = 0; i < m->count; i++) {
        m->table[i][ENTRY_CONTROL] = ENTRY_MASKED;
    }
    pci_set(m->function, m->cap + CAP_CONTROL, 2, m->count - 1u);
}

static uint32_t
control(const struct msix *m)
{
    return pci_get(m->function, m->cap + CAP_CONTROL, 2);
}

bool
msix_enabled(const struct msix *m)
{
    return control(m) & CONTROL_ENABLE;
}

/* --- delivery ---------------------------------------------------------------- */

static bool
is_masked(const struct msix *m, unsigned vector)
{
    return control(m) & CONTROL_MASK || m->table[vector][ENTRY_CONTROL] & ENTRY_MASKED;
}

static void
send(struct msix *m, unsigned vector)
{
    const uint32_t *e = m->table[vector];
    m->pending[vector / 64] &= ~(1ull << vector % 64);
    pci_msi(m->pci, m->function, (uint64_t)e[ENTRY_HIGH] << 32 | e[ENTRY_LOW], e[ENTRY_DATA]);
}

bool
msix_notify(struct msix *m, unsigned vector)
{
    if (!msix_enabled(m) || vector >= m->count) {
        return false;
    }
    if (is_masked(m, vector)) {
        m->pending[vector / 64] |= 1ull << vector % 64;
    } else {
        send(m, vector);
    }
    return true;
}

static void
release(struct msix *m, unsigned vector)
{
    if (m->pending[vector / 64] >> vector % 64 & 1 && msix_enabled(m) && !is_masked(m, vector)) {
        send(m, vector);
    }
}

void
msix_config_written(struct msix *m, unsigned offset, unsigned size)
{
    if (offset < m->cap + (unsigned)CAP_TABLE && offset + size > m->cap) {
        for (unsigned i = 0; i < m->count; i++) {
            release(m, i);
        }
    }
}

/* --- table and pending array -------------------------------------------------- */

static bool
in_table(const struct msix *m, uint64_t offset)
{
    return offset - m->table_offset < (uint64_t)m->count * MSIX_ENTRY_SIZE;
}

static bool
in_pba(const struct msix *m, uint64_t offset)
{
    return offset - m->pba_offset < (m->count + 63u) / 64 * 8;
}

bool
msix_owns(const struct msix *m, uint64_t offset)
{
    return in_table(m, offset) || in_pba(m, offset);
}

static uint32_t
read_dword(const struct msix *m, uint64_t offset)
{
    if (in_table(m, offset)) {
        uint64_t at = offset - m->table_offset;
        return m->table[at / MSIX_ENTRY_SIZE][at / 4 % 4];
    }
    if (in_pba(m, offset)) {
        uint64_t at = offset - m->pba_offset;
        return (uint32_t)(m->pending[at / 8] >> (at & 4 ? 32 : 0));
    }
    return 0;
}

/* Software uses aligned dwords and quadwords; the result of anything else is
 * undefined by the specification: reads give the bytes, writes do nothing. */
uint64_t
msix_read(const struct msix *m, uint64_t offset, unsigned size)
{
    uint64_t base = offset & ~3ull;
    uint64_t value = read_dword(m, base) | (uint64_t)read_dword(m, base + 4) << 32;
    value >>= 8 * (offset & 3);
    return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

static void
write_dword(struct msix *m, uint64_t offset, uint32_t value)
{
    if (!in_table(m, offset)) {
        return; /* the pending array is read-only */
    }
    uint64_t at = offset - m->table_offset;
    unsigned vector = (unsigned)(at / MSIX_ENTRY_SIZE), field = at / 4 % 4;
    static const uint32_t writable[4] = { ~3u, ~0u, ~0u, ENTRY_MASKED };
    m->table[vector][field] = value & writable[field];
    if (field == ENTRY_CONTROL) {
        release(m, vector);
    }
}

void
msix_write(struct msix *m, uint64_t offset, unsigned size, uint64_t value)
{
    if (offset % 4 || size < 4) {
        return;
    }
    write_dword(m, offset, (uint32_t)value);
    if (size == 8) {
        write_dword(m, offset + 4, (uint32_t)(value >> 32));
    }
}

void
msix_state(struct msix *m, struct state *s)
{
    state_bytes(s, m->table, m->count * sizeof m->table[0]);
    STATE_VISIT(s, m->pending);
    if (state_is_load(s)) { /* only bits of vectors we have */
        for (unsigned i = m->count; i < MSIX_VECTORS_MAX; i++) {
            m->pending[i / 64] &= ~(1ull << i % 64);
        }
    }
}
