#include "sim/debug/explain_vmx.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "sim/vtx/vmx/vmx_priv.h"

/* --- controls ------------------------------------------------------------------------ */

enum word { WORD_PIN, WORD_PRIMARY, WORD_SECONDARY, WORD_EXIT, WORD_ENTRY };

static const struct { uint8_t word, bit; const char *text; } controls[] = {
#define CONTROL(WORD, bit, NAME, text) { WORD_##WORD, (bit), text },
#include "spec/vmx/controls.def"
#undef CONTROL
};

static int
control_word(unsigned slot)
{
    switch (slot) {
    case SLOT_PIN_CONTROLS: return WORD_PIN;
    case SLOT_PRIMARY_CONTROLS: return WORD_PRIMARY;
    case SLOT_SECONDARY_CONTROLS: return WORD_SECONDARY;
    case SLOT_EXIT_CONTROLS: return WORD_EXIT;
    case SLOT_ENTRY_CONTROLS: return WORD_ENTRY;
    default: return -1;
    }
}

static const char *
control_text(int word, unsigned bit)
{
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (controls[i].word == word && controls[i].bit == bit) {
            return controls[i].text;
        }
    }
    return NULL;
}

static void
print_bits(FILE *out, int word, const char *label, uint32_t bits)
{
    if (!bits) {
        return;
    }
    fprintf(out, "    %s:", label);
    for (unsigned bit = 0; bit < 32; bit++) {
        if (bits >> bit & 1) {
            const char *text = control_text(word, bit);
            fprintf(out, " [%u%s%s]", bit, text ? " " : "", text ? text : "");
        }
    }
    fputc('\n', out);
}

static const struct vmx_allowed *
allowed(const struct vmx_caps *caps, int word)
{
    switch ((enum word)word) {
    case WORD_PIN: return &caps->pin;
    case WORD_PRIMARY: return &caps->primary;
    case WORD_SECONDARY: return &caps->secondary;
    case WORD_EXIT: return &caps->exit;
    case WORD_ENTRY: return &caps->entry;
    }
    return NULL;
}

/* --- fields --------------------------------------------------------------------------- */

static void
print_field(FILE *out, unsigned slot, const struct vmcs *v, const struct vmx_caps *caps)
{
    const struct vmcs_field_info *f = vmcs_field_info((enum vmcs_slot)slot);
    if (!v) {
        fprintf(out, "  field   %s (%04XH)\n", f->name, f->encoding);
        return;
    }
    fprintf(out, "  field   %s (%04XH) = %#" PRIx64 "\n", f->name, f->encoding, v->slot[slot]);
    int word = control_word(slot);
    if (word >= 0 && caps) {
        uint32_t value = (uint32_t)v->slot[slot];
        print_bits(out, word, "must be 1 but is 0", allowed(caps, word)->must & ~value);
        print_bits(out, word, "not offered", value & ~allowed(caps, word)->may);
    } else if (word >= 0) {
        print_bits(out, word, "set", (uint32_t)v->slot[slot]);
    }
}

/* --- advice: by how a rule's id ends, then by its group ---------------------------------- */

static const struct { const char *ending, *text; } advice[] = {
    { "_MUST1", "OR in bits 31:0 of the control's capability MSR (the TRUE one when IA32_VMX_BASIC[55] is 1)" },
    { "_MUST0", "AND with bits 63:32 of the control's capability MSR: this processor does not offer the rest" },
    { "_ALIGN", "allocate the structure on the boundary that is named" },
    { "_WIDTH", "use a physical address below 2^MAXPHYADDR (CPUID.80000008H:EAX[7:0])" },
    { "_LAST", "move the area or shorten the list" },
    { "_CANON", "sign-extend bit 47 of the address" },
    { "_RPL_TI", "clear the low three bits of the selector" },
    { "_NULL", "give the register a selector of the host's GDT" },
    { "_NEEDS_TPR", "set \"use TPR shadow\" and a virtual-APIC address, or clear the control" },
    { "_NEEDS_EPT", "set \"enable EPT\" and an EPT pointer, or clear the control" },
    { "_AR_RSVD", "build access rights as bits 7:0 and 15:12 of the descriptor; bit 16 marks an unusable register" },
    { "_G_LOW", "with G = 0 the limit must be below 1 MByte; with G = 1 it ends in FFFH" },
    { "_G_HIGH", "the VMCS holds limits in bytes: a limit above FFFFFH needs G = 1" },
    { "_V86_AR", "in virtual-8086 mode every data and code segment has access rights F3H" },
    { "_V86_LIMIT", "in virtual-8086 mode every limit is FFFFH" },
    { "_V86_BASE", "in virtual-8086 mode every base is selector * 16" },
    { "_NOT_CLEAR", "use VMRESUME for a launched VMCS, or VMCLEAR it first" },
    { "_NOT_LAUNCHED", "use VMLAUNCH first; a VMCS that ran on another processor needs VMCLEAR there" },
    { "_AFTER_VMXOFF", "VMCLEAR every VMCS before VMXOFF, and launch it again" },
    { "_NO_VMCS", "VMPTRLD a VMCS first; VMCLEAR of the current one takes it away" },
    { "_MOVSS", "do not enter right behind MOV SS or POP SS" },
    { "_FIXED0", "set the bits that the FIXED0 MSR has" },
    { "_FIXED1", "clear the bits that the FIXED1 MSR lacks" },
    { "_PAT_TYPE", "use memory types 0, 1, 4, 5, 6 and 7 only" },
};
static const struct { const char *beginning, *text; } group_advice[] = {
    { "ENTRY_CTL_EVT_", "correct the VM-entry interruption information; software writes its fields anew for each injection" },
    { "ENTRY_CTL_", "correct the control fields" },
    { "ENTRY_MSR_", "correct or drop the entry of the VM-entry MSR-load area" },
    { "HOST_SIZE_", "\"host address-space size\" must match the mode of VMLAUNCH, and the guest cannot be wider than the host" },
    { "HOST_", "correct the host-state area" },
    { "GUEST_LINK_", "write FFFFFFFF_FFFFFFFFH to the VMCS link pointer unless VMCS shadowing is used" },
    { "GUEST_ACT_", "make the activity state fit the event and the blocking" },
    { "GUEST_INT_", "make the interruptibility state fit the event and RFLAGS" },
    { "GUEST_PDBG_", "make the pending debug exceptions fit RFLAGS.TF and IA32_DEBUGCTL.BTF" },
    { "GUEST_EFER_", "\"IA-32e mode guest\", EFER.LMA, EFER.LME and CR0.PG belong together" },
    { "GUEST_IA32E_", "\"IA-32e mode guest\" needs CR0.PG and CR4.PAE" },
    { "GUEST_", "correct the guest-state area" },
};

static const char *
advice_for(const char *id)
{
    size_t length = strlen(id);
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) {
        size_t n = strlen(advice[i].ending);
        if (length >= n && strcmp(id + length - n, advice[i].ending) == 0) {
            return advice[i].text;
        }
    }
    for (size_t i = 0; i < sizeof group_advice / sizeof group_advice[0]; i++) {
        if (strncmp(id, group_advice[i].beginning, strlen(group_advice[i].beginning)) == 0) {
            return group_advice[i].text;
        }
    }
    return "see the section";
}

/* --- entry ---------------------------------------------------------------------------- */

static const char *
error_text(unsigned number)
{
    switch (number) {
#define VMX_ERROR(n, NAME, text) case n: return text;
#include "spec/vmx/errors.def"
#undef VMX_ERROR
    }
    return "reserved";
}

static void
print_outcome(FILE *out, const struct vmx_rule_info *info)
{
    switch (info->kind) {
    case VMX_FAIL_INVALID:
        fprintf(out, "  seen as VMfailInvalid: CF = 1, no error number\n");
        break;
    case VMX_FAIL_VALID:
        fprintf(out, "  seen as VMfailValid: ZF = 1, VM-instruction error %u (%s)\n", info->number, error_text(info->number));
        break;
    case VMX_FAIL_GUEST:
        fprintf(out, "  seen as VM exit 80000021H (invalid guest state), qualification %u\n", info->number);
        break;
    case VMX_FAIL_MSR:
        fprintf(out, "  seen as VM exit 80000022H (MSR loading), qualification = entry of the list, from 1\n");
        break;
    }
}

static bool
explain_rule(FILE *out, unsigned rule, const struct vmcs *v, const struct vmx_caps *caps)
{
    const struct vmx_rule_info *info = vmx_rule_info((enum vmx_rule)rule);
    if (!info) {
        fprintf(out, "VM entry: there is no rule %u\n", rule);
        return false;
    }
    fprintf(out, "VM entry refused: %s\n", info->id);
    fprintf(out, "  rule    %s\n", info->text);
    for (unsigned i = 0; i < VMX_RULE_FIELDS && info->field[i] != SLOT_NONE; i++) {
        print_field(out, info->field[i], v, caps);
    }
    print_outcome(out, info);
    fprintf(out, "  manual  SDM Vol 3C, \"%s\"\n", info->title);
    fprintf(out, "  do      %s\n", advice_for(info->id));
    return true;
}

bool
explain_entry_rule(FILE *out, unsigned rule, const struct vmcs *v)
{
    return explain_rule(out, rule, v, NULL);
}

bool
explain_entry_name(FILE *out, const char *id, const struct vmcs *v)
{
    for (unsigned rule = VMX_RULE_NONE + 1; rule < VMX_RULE_COUNT; rule++) {
        if (strcasecmp(vmx_rule_info((enum vmx_rule)rule)->id, id) == 0) {
            return explain_rule(out, rule, v, NULL);
        }
    }
    fprintf(out, "VM entry: there is no rule '%s'\n", id);
    return false;
}

bool
explain_entry_failure(FILE *out, const struct cpu *cpu)
{
    if (!cpu->vmx || !cpu->vmx->last_failed_rule) {
        fprintf(out, "cpu%u: no VM entry was refused\n", cpu->index);
        return false;
    }
    fprintf(out, "cpu%u: ", cpu->index);
    bool known = explain_rule(out, cpu->vmx->last_failed_rule, cpu->vmx->current, &cpu->vmx->caps);
    if (cpu->vmx->last_msr_entry) {
        fprintf(out, "  entry   %u of the list\n", cpu->vmx->last_msr_entry);
    }
    return known;
}

void
explain_entry_list(FILE *out)
{
    for (unsigned rule = VMX_RULE_NONE + 1; rule < VMX_RULE_COUNT; rule++) {
        const struct vmx_rule_info *info = vmx_rule_info((enum vmx_rule)rule);
        fprintf(out, "%3u  %-32s %s\n", rule, info->id, info->text);
    }
}

/* --- exit ----------------------------------------------------------------------------- */

enum qualification {
    QUAL_NONE, QUAL_EXCEPTION, QUAL_VECTOR, QUAL_TASK, QUAL_CR, QUAL_DR, QUAL_IO, QUAL_LINEAR, QUAL_DISPLACEMENT,
    QUAL_APIC, QUAL_EPT, QUAL_OFFSET, QUAL_FAILURE, QUAL_MONITOR, QUAL_OTHER,
};
enum information {
    INFO_NONE, INFO_STRING, INFO_INVALIDATE, INFO_GDTR, INFO_LDTR, INFO_REGISTER, INFO_MEMORY, INFO_FIELD,
};

static const struct { const char *text; uint8_t qualification, information; } reasons[VMX_EXIT_REASON_COUNT] = {
#define EXIT_REASON(number, NAME, text, qualification, information) \
    [number] = { text, QUAL_##qualification, INFO_##information },
#include "spec/vmx/exit_reasons.def"
#undef EXIT_REASON
};

static const char *const gprs[16] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                      "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15" };

static void
print_event(FILE *out, const char *label, uint32_t info, uint32_t error)
{
    static const char *const types[8] = { "external interrupt", "reserved", "NMI", "hardware exception",
                                          "software interrupt", "INT1", "software exception", "other event" };
    if (!(info & VMX_EVENT_VALID)) {
        return;
    }
    fprintf(out, "  %s %s, vector %u", label, types[info >> 8 & 7], info & 0xff);
    if (info & VMX_EVENT_ERROR) {
        fprintf(out, ", error code %#x", error);
    }
    fputc('\n', out);
}

static void
print_cr(FILE *out, uint64_t q)
{
    static const char *const kinds[4] = { "MOV to", "MOV from", "CLTS", "LMSW" };
    unsigned kind = q >> 4 & 3, number = q & 0xf;
    fprintf(out, "%s", kinds[kind]);
    if (kind < 2) {
        fprintf(out, " CR%u, %s", number, gprs[q >> 8 & 0xf]);
    } else if (kind == 3) {
        fprintf(out, ", source %#" PRIx64 "%s", q >> 16 & 0xffff, q >> 6 & 1 ? " from memory" : "");
    }
}

static void
print_io(FILE *out, uint64_t q)
{
    fprintf(out, "%s%s%s, port %#" PRIx64 ", %" PRIu64 " byte%s%s", q >> 5 & 1 ? "REP " : "", q >> 3 & 1 ? "IN" : "OUT",
            q >> 4 & 1 ? "S" : "", q >> 16 & 0xffff, (q & 7) + 1, q & 7 ? "s" : "", q >> 6 & 1 ? ", immediate port" : "");
}

static void
print_ept(FILE *out, uint64_t q)
{
    fprintf(out, "%s%s%saccess", q & 1 ? "read " : "", q & 2 ? "write " : "", q & 4 ? "fetch " : "");
    fprintf(out, "; EPT allows %c%c%c", q >> 3 & 1 ? 'r' : '-', q >> 4 & 1 ? 'w' : '-', q >> 5 & 1 ? 'x' : '-');
    if (q >> 7 & 1) {
        fprintf(out, "; %s", q >> 8 & 1 ? "of the final address" : "of a guest paging structure");
    }
}

static void
print_failure(FILE *out, uint32_t reason, uint64_t q)
{
    if (reason == VMX_EXIT_REASON_FAIL_MSR_LOADING) {
        fprintf(out, "entry %" PRIu64 " of the VM-entry MSR-load area", q);
    } else {
        fprintf(out, "%s", q == 2 ? "PDPTEs" : q == 3 ? "NMI under blocking by STI" : q == 4 ? "VMCS link pointer" : "see the rule");
    }
}

static void
print_qualification(FILE *out, const struct explain_exit *x, uint32_t basic)
{
    uint64_t q = x->qualification;
    enum qualification kind = (enum qualification)reasons[basic].qualification;
    if (kind == QUAL_NONE || (kind == QUAL_EXCEPTION && !q)) {
        return;
    }
    fprintf(out, "  qualification %#" PRIx64 ": ", q);
    switch (kind) {
    case QUAL_EXCEPTION:
        fprintf(out, (x->event & 0xff) == 14 ? "linear address" : "debug conditions (DR6 format)");
        break;
    case QUAL_VECTOR: fprintf(out, "vector %u", (unsigned)(q & 0xff)); break;
    case QUAL_TASK: fprintf(out, "selector %#x, source %u", (unsigned)(q & 0xffff), (unsigned)(q >> 30 & 3)); break;
    case QUAL_CR: print_cr(out, q); break;
    case QUAL_DR: fprintf(out, "MOV %s DR%u, %s", q >> 4 & 1 ? "from" : "to", (unsigned)(q & 7), gprs[q >> 8 & 0xf]); break;
    case QUAL_IO: print_io(out, q); break;
    case QUAL_LINEAR: fprintf(out, "linear address"); break;
    case QUAL_DISPLACEMENT: fprintf(out, "displacement, or the address of a RIP-relative operand"); break;
    case QUAL_APIC: fprintf(out, "offset %#x, access type %u", (unsigned)(q & 0xfff), (unsigned)(q >> 12 & 0xf)); break;
    case QUAL_EPT: print_ept(out, q); break;
    case QUAL_OFFSET: fprintf(out, "offset in the APIC page"); break;
    case QUAL_FAILURE: print_failure(out, basic, q); break;
    case QUAL_MONITOR: fprintf(out, "monitor %s", q & 1 ? "armed" : "not armed"); break;
    case QUAL_OTHER: fprintf(out, "of a feature that is not modelled"); break;
    case QUAL_NONE: break;
    }
    fputc('\n', out);
}

/* Common bits of the formats with a memory operand. */
static void
print_information(FILE *out, uint32_t info, enum information format)
{
    static const char *const segments[8] = { "ES", "CS", "SS", "DS", "FS", "GS", "?", "?" };
    if (format == INFO_NONE || (format == INFO_STRING && !info)) {
        return;
    }
    fprintf(out, "  operand ");
    bool in_register = (format == INFO_FIELD || format == INFO_LDTR) && (info >> 10 & 1);
    if (in_register || format == INFO_REGISTER) {
        fprintf(out, "%s", gprs[info >> 3 & 0xf]);
    } else {
        fprintf(out, "%s:", segments[info >> 15 & 7]);
        if (format != INFO_STRING) {
            bool base = !(info >> 27 & 1), index = !(info >> 22 & 1);
            fprintf(out, "[%s%s", base ? gprs[info >> 23 & 0xf] : "", base && index ? "+" : "");
            if (index) {
                fprintf(out, "%s*%u", gprs[info >> 18 & 0xf], 1u << (info & 3));
            }
            fprintf(out, "%sdisplacement]", base || index ? "+" : "");
        }
    }
    if (format == INFO_FIELD || format == INFO_INVALIDATE) {
        fprintf(out, ", and %s", gprs[info >> 28]);
    }
    fprintf(out, ", address size %u\n", 16u << (info >> 7 & 3));
}

bool
explain_exit(FILE *out, const struct explain_exit *x)
{
    uint32_t basic = x->reason & 0xffff;
    if (basic >= VMX_EXIT_REASON_COUNT) {
        fprintf(out, "VM exit: there is no reason %u\n", basic);
        return false;
    }
    fprintf(out, "VM exit %u: %s%s\n", basic, reasons[basic].text,
            x->reason & VMX_EXIT_ENTRY_FAILURE ? " (the guest did not run)" : "");
    if (x->rip) {
        fprintf(out, "  rip     %#" PRIx64 "\n", x->rip);
    }
    print_qualification(out, x, basic);
    print_information(out, x->information, (enum information)reasons[basic].information);
    print_event(out, "event  ", x->event, x->event_error);
    print_event(out, "during ", x->vectoring, x->vectoring_error);
    if (reasons[basic].qualification == QUAL_EPT || basic == VMX_EXIT_REASON_EPT_MISCONFIGURATION) {
        fprintf(out, "  guest-physical %#" PRIx64 ", guest-linear %#" PRIx64 "\n", x->physical, x->linear);
    }
    if (x->length) {
        fprintf(out, "  length  %u bytes\n", x->length);
    }
    fprintf(out, "  manual  SDM Vol 3C, \"Basic VM-Exit Information\"; Vol 3D, \"VMX Basic Exit Reasons\"\n");
    return true;
}

bool
explain_exit_vmcs(FILE *out, const struct vmcs *v)
{
    struct explain_exit x = {
        .reason = (uint32_t)v->exit_reason, .qualification = v->exit_qualification, .rip = v->guest_rip,
        .event = (uint32_t)v->exit_interruption_info, .event_error = (uint32_t)v->exit_interruption_error,
        .vectoring = (uint32_t)v->idt_vectoring_info, .vectoring_error = (uint32_t)v->idt_vectoring_error,
        .information = (uint32_t)v->exit_instruction_info, .length = (uint32_t)v->exit_instruction_length,
        .linear = v->guest_linear_address, .physical = v->guest_physical_address,
    };
    return explain_exit(out, &x);
}
