/* SDM Vol 3C "Checks on Guest Segment Registers". */
#include "sim/vtx/vmx/vmx_entry.h"

#include "sim/cpu/cpu.h"
#include "spec/x86/system.h"

enum { CODE_AND_DATA = 6 }; /* ES CS SS DS FS GS */
#define RIGHTS_RESERVED 0xfffe0f00ull /* 31:17, 11:8 */

/* What the rules ask about, gathered once. */
struct view {
    const struct vmx_caps *caps;
    const struct vmcs *v;
    bool unrestricted, ia32e, v86;
};

static uint64_t
selector(const struct vmcs *v, unsigned seg)
{
    return v->slot[SLOT_GUEST_ES_SELECTOR + seg];
}

static uint64_t
base(const struct vmcs *v, unsigned seg)
{
    return v->slot[SLOT_GUEST_ES_BASE + seg];
}

static uint64_t
limit(const struct vmcs *v, unsigned seg)
{
    return v->slot[SLOT_GUEST_ES_LIMIT + seg];
}

static uint64_t
rights(const struct vmcs *v, unsigned seg)
{
    return v->slot[SLOT_GUEST_ES_RIGHTS + seg];
}

static unsigned
type(const struct vmcs *v, unsigned seg)
{
    return rights(v, seg) & SEG_TYPE;
}

static unsigned
dpl(const struct vmcs *v, unsigned seg)
{
    return rights(v, seg) >> SEG_DPL_SHIFT & 3;
}

static unsigned
rpl(const struct vmcs *v, unsigned seg)
{
    return selector(v, seg) & 3;
}

static bool
usable(const struct vmcs *v, unsigned seg)
{
    return !(rights(v, seg) & SEG_UNUSABLE);
}

static bool
g_low_ok(const struct vmcs *v, unsigned seg)
{
    return (limit(v, seg) & 0xfff) == 0xfff || !(rights(v, seg) & SEG_G);
}

static bool
g_high_ok(const struct vmcs *v, unsigned seg)
{
    return !(limit(v, seg) & 0xfff00000) || (rights(v, seg) & SEG_G);
}

static enum vmx_rule
check_selectors(const struct view *w)
{
    const struct vmcs *v = w->v;
    REQUIRE(GUEST_TR_TI, !(selector(v, TR) & 4));
    REQUIRE(GUEST_LDTR_TI, !usable(v, LDTR) || !(selector(v, LDTR) & 4));
    REQUIRE(GUEST_SS_CS_RPL, w->v86 || w->unrestricted || rpl(v, SS) == rpl(v, CS));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_bases(const struct view *w)
{
    const struct vmcs *v = w->v;
    for (unsigned seg = 0; w->v86 && seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_V86_BASE + seg, base(v, seg) == selector(v, seg) << 4);
    }
    REQUIRE(GUEST_TR_BASE_CANON, vmx_canonical(w->caps, v->guest_tr_base));
    REQUIRE(GUEST_FS_BASE_CANON, vmx_canonical(w->caps, v->guest_fs_base));
    REQUIRE(GUEST_GS_BASE_CANON, vmx_canonical(w->caps, v->guest_gs_base));
    REQUIRE(GUEST_LDTR_BASE_CANON, !usable(v, LDTR) || vmx_canonical(w->caps, v->guest_ldtr_base));
    REQUIRE(GUEST_CS_BASE_HIGH, v->guest_cs_base >> 32 == 0);
    REQUIRE(GUEST_SS_BASE_HIGH, !usable(v, SS) || v->guest_ss_base >> 32 == 0);
    REQUIRE(GUEST_DS_BASE_HIGH, !usable(v, DS) || v->guest_ds_base >> 32 == 0);
    REQUIRE(GUEST_ES_BASE_HIGH, !usable(v, ES) || v->guest_es_base >> 32 == 0);
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_v86(const struct vmcs *v)
{
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_V86_LIMIT + seg, limit(v, seg) == 0xffff);
    }
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_V86_AR + seg, rights(v, seg) == 0xf3);
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_types(const struct view *w)
{
    const struct vmcs *v = w->v;
    unsigned cs = type(v, CS);
    bool code = (cs & (TYPE_CODE | TYPE_ACCESSED)) == (TYPE_CODE | TYPE_ACCESSED);
    REQUIRE(GUEST_CS_TYPE, code || (w->unrestricted && cs == 3));
    REQUIRE(GUEST_SS_TYPE, !usable(v, SS) || type(v, SS) == 3 || type(v, SS) == 7);
    static const struct { uint8_t seg; uint16_t accessed, readable; } data[] = {
        { DS, VMX_RULE_GUEST_DS_TYPE_ACCESSED, VMX_RULE_GUEST_DS_TYPE_READABLE },
        { ES, VMX_RULE_GUEST_ES_TYPE_ACCESSED, VMX_RULE_GUEST_ES_TYPE_READABLE },
        { FS, VMX_RULE_GUEST_FS_TYPE_ACCESSED, VMX_RULE_GUEST_FS_TYPE_READABLE },
        { GS, VMX_RULE_GUEST_GS_TYPE_ACCESSED, VMX_RULE_GUEST_GS_TYPE_READABLE },
    };
    for (unsigned i = 0; i < sizeof data / sizeof data[0]; i++) {
        unsigned t = type(v, data[i].seg);
        if (usable(v, data[i].seg)) {
            REQUIRE_RULE(data[i].accessed, t & TYPE_ACCESSED);
            REQUIRE_RULE(data[i].readable, !(t & TYPE_CODE) || (t & TYPE_READABLE));
        }
    }
    return VMX_RULE_NONE;
}

/* CS always counts; the others only while usable. */
static bool
counts(const struct vmcs *v, unsigned seg)
{
    return seg == CS || usable(v, seg);
}

static enum vmx_rule
check_cs_ss_privilege(const struct view *w)
{
    const struct vmcs *v = w->v;
    unsigned cs = type(v, CS);
    bool conforming = (cs & (TYPE_CODE | TYPE_CONFORMING)) == (TYPE_CODE | TYPE_CONFORMING);
    if (cs == 3) {
        REQUIRE(GUEST_CS_DPL_TYPE3, dpl(v, CS) == 0);
    } else if (conforming) {
        REQUIRE(GUEST_CS_DPL_CONF, dpl(v, CS) <= dpl(v, SS));
    } else {
        REQUIRE(GUEST_CS_DPL_NONCONF, dpl(v, CS) == dpl(v, SS));
    }
    REQUIRE(GUEST_SS_DPL_RPL, w->unrestricted || dpl(v, SS) == rpl(v, SS));
    REQUIRE(GUEST_SS_DPL_ZERO, (cs != 3 && (v->guest_cr0 & CR0_PE)) || dpl(v, SS) == 0);
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_privilege(const struct view *w)
{
    const struct vmcs *v = w->v;
    REQUIRE_ALL(check_cs_ss_privilege(w));
    static const struct { uint8_t seg; uint16_t rule; } data[] = {
        { DS, VMX_RULE_GUEST_DS_DPL_RPL }, { ES, VMX_RULE_GUEST_ES_DPL_RPL },
        { FS, VMX_RULE_GUEST_FS_DPL_RPL }, { GS, VMX_RULE_GUEST_GS_DPL_RPL },
    };
    for (unsigned i = 0; i < sizeof data / sizeof data[0]; i++) {
        unsigned seg = data[i].seg;
        if (!w->unrestricted && usable(v, seg) && type(v, seg) <= 11) {
            REQUIRE_RULE(data[i].rule, dpl(v, seg) >= rpl(v, seg));
        }
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_code_and_data(const struct view *w)
{
    const struct vmcs *v = w->v;
    REQUIRE_ALL(check_types(w));
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_S + seg, !counts(v, seg) || (rights(v, seg) & SEG_S));
    }
    REQUIRE_ALL(check_privilege(w));
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_P + seg, !counts(v, seg) || (rights(v, seg) & SEG_P));
    }
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_AR_RSVD + seg, !counts(v, seg) || !(rights(v, seg) & RIGHTS_RESERVED));
    }
    REQUIRE(GUEST_CS_D_L, !w->ia32e || (rights(v, CS) & (SEG_L | SEG_DB)) != (SEG_L | SEG_DB));
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_G_LOW + seg, !counts(v, seg) || g_low_ok(v, seg));
    }
    for (unsigned seg = 0; seg < CODE_AND_DATA; seg++) {
        REQUIRE_RULE(VMX_RULE_GUEST_ES_G_HIGH + seg, !counts(v, seg) || g_high_ok(v, seg));
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_tr(const struct view *w)
{
    const struct vmcs *v = w->v;
    uint64_t ar = rights(v, TR);
    REQUIRE(GUEST_TR_TYPE, type(v, TR) == TYPE_TSS_BUSY || (!w->ia32e && type(v, TR) == TYPE_TSS16_BUSY));
    REQUIRE(GUEST_TR_S, !(ar & SEG_S));
    REQUIRE(GUEST_TR_P, ar & SEG_P);
    REQUIRE(GUEST_TR_AR_RSVD, !(ar & RIGHTS_RESERVED));
    REQUIRE(GUEST_TR_G_LOW, g_low_ok(v, TR));
    REQUIRE(GUEST_TR_G_HIGH, g_high_ok(v, TR));
    REQUIRE(GUEST_TR_UNUSABLE, !(ar & SEG_UNUSABLE));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_ldtr(const struct view *w)
{
    const struct vmcs *v = w->v;
    uint64_t ar = rights(v, LDTR);
    if (!usable(v, LDTR)) {
        return VMX_RULE_NONE;
    }
    REQUIRE(GUEST_LDTR_TYPE, type(v, LDTR) == TYPE_LDT);
    REQUIRE(GUEST_LDTR_S, !(ar & SEG_S));
    REQUIRE(GUEST_LDTR_P, ar & SEG_P);
    REQUIRE(GUEST_LDTR_AR_RSVD, !(ar & RIGHTS_RESERVED));
    REQUIRE(GUEST_LDTR_G_LOW, g_low_ok(v, LDTR));
    REQUIRE(GUEST_LDTR_G_HIGH, g_high_ok(v, LDTR));
    return VMX_RULE_NONE;
}

enum vmx_rule
vmx_check_guest_segments(const struct vmx_entry_context *c)
{
    struct view w = {
        .caps = c->caps,
        .v = c->vmcs,
        .unrestricted = vmcs_secondary(c->vmcs) & VMX_SECONDARY_UNRESTRICTED_GUEST,
        .ia32e = c->vmcs->entry_controls & VMX_ENTRY_GUEST_64,
        .v86 = c->vmcs->guest_rflags & RFLAGS_VM,
    };
    REQUIRE_ALL(check_selectors(&w));
    REQUIRE_ALL(check_bases(&w));
    REQUIRE_ALL(w.v86 ? check_v86(c->vmcs) : check_code_and_data(&w));
    REQUIRE_ALL(check_tr(&w));
    return check_ldtr(&w);
}
