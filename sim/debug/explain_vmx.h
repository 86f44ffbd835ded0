/* Words for VM entries that were refused and for VM exits: the text behind `hvlab explain`.
 *
 * Two sources of facts.  A trace has numbers only (rule, reason, qualification): then the
 * rule's requirement, section and advice are printed.  A live processor also has the VMCS:
 * then the fields involved are printed with their values, and control words bit by bit.
 *
 * Everything goes to a FILE that the caller owns.  Unknown numbers are said to be unknown and
 * make the function return false; nothing else can fail.
 */
#ifndef SIM_DEBUG_EXPLAIN_VMX_H
#define SIM_DEBUG_EXPLAIN_VMX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cpu;
struct vmcs;

/* The rule behind an id of TRACE_ENTRY_FAIL.  'v' may be NULL: then no values are shown. */
bool explain_entry_rule(FILE *, unsigned rule, const struct vmcs *v);
/* The same by name, e.g. "HOST_CR3_WIDTH" (any case). */
bool explain_entry_name(FILE *, const char *id, const struct vmcs *v);
/* Why this processor's latest VM entry was refused, with the current VMCS. */
bool explain_entry_failure(FILE *, const struct cpu *);
/* All rules, one line each, in the order in which they are checked. */
void explain_entry_list(FILE *);

/* An exit as TRACE_VM_EXIT or the VMCS has it; 0 for what is not known. */
struct explain_exit {
    uint32_t reason;        /* with bit 31 for entry failures */
    uint64_t qualification;
    uint64_t rip;
    uint32_t event, event_error;         /* VM-exit interruption information */
    uint32_t vectoring, vectoring_error; /* IDT-vectoring information */
    uint32_t information;   /* VM-exit instruction information */
    uint32_t length;        /* [bytes] */
    uint64_t linear, physical;
};
bool explain_exit(FILE *, const struct explain_exit *);
/* The latest exit that 'v' records. */
bool explain_exit_vmcs(FILE *, const struct vmcs *v);

#endif
