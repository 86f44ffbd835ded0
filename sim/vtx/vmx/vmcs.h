/* The VMCS: a 4-KiB region of guest memory, its fields, its life.
 *
 * Software sees the first 8 bytes (revision identifier, VMX-abort indicator); the
 * rest is ours (SDM Vol 3C "Format of the VMCS Region").  We keep the data in the
 * region itself, one 8-byte slot per field in the order of spec/vmx/fields.def,
 * so a VMCS moves between processors and through snapshots with memory, and
 * nothing is cached that VMCLEAR would have to write back.
 *
 *   0  revision identifier      8  launch state: 0 clear, 1 launched
 *   4  VMX-abort indicator     12  processor that launched it
 *                              16  that processor's VMXON count at the launch
 *                              32  fields, 8 bytes each
 *
 * Life of a VMCS (SDM "Software Use of Virtual-Machine Control Structures"):
 *
 *            VMCLEAR                VMPTRLD                 VMLAUNCH
 *   (garbage) ------> clear, inactive ------> clear, current ------> launched, current
 *                         ^                                              |  ^ VMPTRLD
 *                         |                VMCLEAR                       v  | (another VMCS)
 *                         +---------------------------------------- launched, active
 *
 * Invariants: a current VMCS carries our revision; its launch state is 0 or 1
 * unless software wrote into the region, which is undefined on silicon: here any
 * other value is neither clear nor launched, so both VMLAUNCH and VMRESUME fail.
 *
 * Slots hold values truncated to the field's width.  VMWRITE never judges a
 * value; VM entry does.
 */
#ifndef SIM_VTX_VMX_VMCS_H
#define SIM_VTX_VMX_VMCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/vmx/vmx.h"

/* Position of a field in the region; also names fields inside the model. */
enum vmcs_slot {
#define FIELD(encoding, NAME, name, width, type, exists) SLOT_##NAME,
#include "spec/vmx/fields.def"
#undef FIELD
    VMCS_SLOT_COUNT,
    SLOT_NONE = 0xff,
};

struct vmcs {
    uint32_t revision;
    uint32_t abort;
    uint32_t launch_state; /* [enum vmcs_launch] */
    uint32_t launch_cpu;   /* processor index; valid when launched */
    uint64_t launch_epoch; /* that processor's VMXON count; valid when launched */
    uint64_t reserved;
    union {
        uint64_t slot[VMCS_SLOT_COUNT];
        struct {
#define FIELD(encoding, NAME, name, width, type, exists) uint64_t name;
#include "spec/vmx/fields.def"
#undef FIELD
        };
    };
};
_Static_assert(offsetof(struct vmcs, slot) == 32, "fields begin at byte 32");
_Static_assert(sizeof(struct vmcs) <= 4096, "a VMCS fits its region");

enum vmcs_launch { VMCS_CLEAR, VMCS_LAUNCHED };
enum { VMCS_REGION_SIZE = 4096, VMCS_REVISION = 0x00011e57 }; /* changes when the layout does */
#define VMCS_NONE UINT64_MAX /* "no current VMCS" as VMPTRST stores it */

enum vmcs_width { VMCS_W16, VMCS_W64, VMCS_W32, VMCS_WN };      /* as encoded */
enum vmcs_type { VMCS_CONTROL, VMCS_INFO, VMCS_GUEST, VMCS_HOST };

/* When a field exists: one or two capability bits. */
enum vmcs_exists {
    EXISTS_ALWAYS, EXISTS_NEVER, EXISTS_PIN, EXISTS_PRI, EXISTS_SEC, EXISTS_TER, EXISTS_EXIT, EXISTS_EXIT2,
    EXISTS_ENTRY, EXISTS_ENTRY_OR_EXIT, EXISTS_VMFUNC, EXISTS_CR3_TARGET,
};

struct vmcs_field_info {
    const char *name; /* as in spec/vmx/fields.def */
    uint16_t encoding;
    uint8_t width;    /* [enum vmcs_width] */
    uint8_t type;     /* [enum vmcs_type] */
    uint8_t exists, bit, bit2;
};

const struct vmcs_field_info *vmcs_field_info(enum vmcs_slot);

/* The slot that 'encoding' names, full or high access, or SLOT_NONE when the
 * manual defines no such field.  Says nothing about this processor having it. */
enum vmcs_slot vmcs_field_find(uint64_t encoding);
static inline bool vmcs_field_is_high(uint64_t encoding)
{
    return encoding & 1;
}

/* Access by encoding as VMREAD and VMWRITE do it.  'full64': the instruction runs
 * in 64-bit mode; outside it a full write clears bits 63:32 of a wide field. */
uint64_t vmcs_read(const struct vmcs *, uint64_t encoding, enum vmcs_slot, bool full64);
void vmcs_write(struct vmcs *, uint64_t encoding, enum vmcs_slot, uint64_t value, bool full64);

/* VMCLEAR: makes the region a clear VMCS.  The revision identifier is left alone. */
void vmcs_clear(struct vmcs *);

/* Secondary controls as they act: all 0 while primary bit 31 is 0. */
static inline uint32_t vmcs_secondary(const struct vmcs *v)
{
    return v->primary_controls & VMX_PRIMARY_SECONDARY ? (uint32_t)v->secondary_controls : 0;
}

#endif
