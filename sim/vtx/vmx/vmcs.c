#include "sim/vtx/vmx/vmcs.h"

#define ALWAYS EXISTS_ALWAYS, 0, 0
#define NEVER EXISTS_NEVER, 0, 0
#define PIN(n) EXISTS_PIN, (n), 0
#define PRI(n) EXISTS_PRI, (n), 0
#define SEC(n) EXISTS_SEC, (n), 0
#define TER(n) EXISTS_TER, (n), 0
#define EXIT(n) EXISTS_EXIT, (n), 0
#define EXIT2(n) EXISTS_EXIT2, (n), 0
#define ENTRY(n) EXISTS_ENTRY, (n), 0
#define ENTRY_OR_EXIT(n, m) EXISTS_ENTRY_OR_EXIT, (n), (m)
#define VMFUNC(n) EXISTS_VMFUNC, (n), 0
#define CR3_TARGET(n) EXISTS_CR3_TARGET, (n), 0

static const struct vmcs_field_info fields[VMCS_SLOT_COUNT] = {
#define FIELD(encoding, NAME, name, width, type, exists) \
    [SLOT_##NAME] = { #NAME, (encoding), VMCS_##width, VMCS_##type, exists },
#include "spec/vmx/fields.def"
#undef FIELD
};

/* Encoding (SDM "VMREAD, VMWRITE, and Encodings of VMCS Fields"): bit 0 access,
 * 9:1 index, 11:10 type, 12 zero, 14:13 width, 31:15 zero.  No index needs more
 * than six bits. */
#define LOOKUP(encoding) (((encoding) >> 13 & 3) << 8 | ((encoding) >> 10 & 3) << 6 | ((encoding) >> 1 & 0x3f))

static const uint8_t slot_plus_one[1024] = {
#define FIELD(encoding, NAME, name, width, type, exists) [LOOKUP(encoding)] = SLOT_##NAME + 1,
#include "spec/vmx/fields.def"
#undef FIELD
};
_Static_assert(VMCS_SLOT_COUNT < SLOT_NONE, "slots fit a byte");

const struct vmcs_field_info *
vmcs_field_info(enum vmcs_slot slot)
{
    return slot < VMCS_SLOT_COUNT ? &fields[slot] : NULL;
}

enum vmcs_slot
vmcs_field_find(uint64_t encoding)
{
    if (encoding & ~0x6c7full) /* index above 63, bit 12, bits 63:15 */
        return SLOT_NONE;
    uint8_t found = slot_plus_one[LOOKUP(encoding)];
    if (!found || (vmcs_field_is_high(encoding) && fields[found - 1].width != VMCS_W64))
        return SLOT_NONE;
    return (enum vmcs_slot)(found - 1);
}

uint64_t
vmcs_read(const struct vmcs *v, uint64_t encoding, enum vmcs_slot slot, bool full64)
{
    uint64_t value = v->slot[slot];
    if (vmcs_field_is_high(encoding)) {
        return value >> 32;
    }
    return full64 ? value : (uint32_t)value;
}

void
vmcs_write(struct vmcs *v, uint64_t encoding, enum vmcs_slot slot, uint64_t value, bool full64)
{
    if (!full64) {
        value = (uint32_t)value;
    }
    if (vmcs_field_is_high(encoding)) {
        v->slot[slot] = (v->slot[slot] & 0xffffffffu) | value << 32;
        return;
    }
    switch ((enum vmcs_width)fields[slot].width) {
    case VMCS_W16: value = (uint16_t)value; break;
    case VMCS_W32: value = (uint32_t)value; break;
    case VMCS_W64:
    case VMCS_WN: break;
    }
    v->slot[slot] = value;
}

void
vmcs_clear(struct vmcs *v)
{
    v->launch_state = VMCS_CLEAR;
    v->launch_cpu = 0;
    v->launch_epoch = 0;
}
