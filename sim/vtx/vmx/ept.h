/* Extended page tables: guest-physical to system-physical (SDM Vol 3C "The Extended Page
 * Table Mechanism (EPT)").
 *
 *   EPTP -> PML4 -> PDPT (1 GiB) -> PD (2 MiB) -> PT (4 KiB)
 *
 *   63..52  51..46 0  45..12 address  11  10   9 8   7      6     5..3   2 1 0
 *   ignored reserved                      (XU) D A  large  iPAT  type    X W R
 *
 * The walk is pure: it reads entries and says what it found.  Accessed and dirty flags
 * are set afterwards, and only when the access is allowed.  Not present beats
 * everything below; a misconfiguration further down beats missing permissions further
 * up, because permissions are judged at the leaf.
 */
#ifndef SIM_VTX_VMX_EPT_H
#define SIM_VTX_VMX_EPT_H

#include <stdbool.h>
#include <stdint.h>

struct mem;

enum { EPT_LEVELS = 4 };

enum ept_outcome { EPT_MAPPED, EPT_NOT_PRESENT, EPT_MISCONFIGURED };

struct ept_walk {
    enum ept_outcome outcome;
    uint64_t spa;          /* of the byte; valid when mapped */
    uint8_t page_shift;    /* 12, 21 or 30; valid when mapped */
    uint8_t rights;        /* [EPT_READ | EPT_WRITE | EPT_EXECUTE] ANDed over the levels; 0 when not present */
    uint8_t memory_type;   /* of the leaf */
    uint8_t levels;        /* entries read [count] */
    uint64_t entry_spa[EPT_LEVELS];
    uint64_t entry[EPT_LEVELS]; /* as read */
};

/* Entries that are not in RAM read as all ones, which is a misconfiguration. */
struct ept_walk ept_walk(const struct mem *, uint64_t eptp, uint64_t gpa, unsigned physical_width);

/* Sets accessed flags in every entry used, and the leaf's dirty flag for a write. */
void ept_set_flags(struct mem *, struct ept_walk *, bool write);

/* Is the leaf's dirty flag set? */
bool ept_is_dirty(const struct ept_walk *);

#endif
