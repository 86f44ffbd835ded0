/* Tier 1: operands come from the record, "next" is the record after it. */
#ifndef NAME
#define NAME(name) op_##name
#define TIMED 0
#endif
#define OP(name) op_fn NAME(name); void NAME(name)(struct cpu *c, struct insn *r)
#define FIELD(f) (r->f)
#define NEXT_RIP (c->code_page + r->offset + r->length)
#define THIS_RIP (c->code_page + r->offset)
#define SLOW TAIL(core_slow(c, r))
#define FAULT TAIL(core_fault(c, r))
#define NEXT TAIL(r[1].fn(c, r + 1))
