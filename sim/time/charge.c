/* Charges of the functional mode: instructions cost one cycle each, booked by
 * the core; nothing here costs anything.  machine_new refuses the approximate
 * mode while this is the only model. */
#include "sim/time/timing.h"

#include <stdlib.h>

#include "sim/cpu/cpu.h"
#include "sim/machine.h"

void time_charge(struct cpu *c, enum charge_kind kind, unsigned n) { (void)c, (void)kind, (void)n; }
void time_data(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size, bool write)
{
    (void)c, (void)linear, (void)spa, (void)size, (void)write;
}
void time_code(struct cpu *c, uint64_t spa, unsigned size) { (void)c, (void)spa, (void)size; }
void time_walk(struct cpu *c, uint64_t linear, const uint64_t *refs, unsigned count, bool second_level)
{
    (void)c, (void)linear, (void)refs, (void)count, (void)second_level;
}
void time_branch(struct cpu *c, uint64_t rip, uint64_t target, bool conditional, bool taken)
{
    (void)c, (void)rip, (void)target, (void)conditional, (void)taken;
}
void time_string(struct cpu *c, uint64_t bytes) { (void)c, (void)bytes; }
struct timing *timing_new(struct machine *m) { (void)m; return NULL; }
void timing_free(struct timing *t) { (void)t; }
void timing_state(struct machine *m, struct state *s) { (void)m, (void)s; }
bool timing_cpu_new(struct cpu *c)
{
    c->bucket_cycles = calloc(BUCKET_MAX, sizeof *c->bucket_cycles);
    return c->bucket_cycles != NULL;
}
void timing_cpu_free(struct cpu *c)
{
    free(c->bucket_cycles);
    c->bucket_cycles = NULL;
}
