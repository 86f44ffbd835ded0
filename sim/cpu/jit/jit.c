/* The second tier's life: the arena, promotion, translation, links; see jit.h. */
#define _GNU_SOURCE
#include "sim/cpu/jit/jit_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CODE_ALIGNMENT 16

/* --- the arena ------------------------------------------------------------------------ */

/* Two mappings of the same memory, one to write and one to run; one that may do both where there are no such files. */
static bool map_arena(struct jit *j)
{
    int fd = memfd_create("hvlab-code", MFD_CLOEXEC);
    void *writable = MAP_FAILED, *runnable = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, j->bytes) == 0) {
        writable = mmap(NULL, j->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        runnable = mmap(NULL, j->bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (writable == MAP_FAILED || runnable == MAP_FAILED) {
        if (writable != MAP_FAILED) {
            munmap(writable, j->bytes);
        }
        if (runnable != MAP_FAILED) {
            munmap(runnable, j->bytes);
        }
        writable = runnable = mmap(NULL, j->bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (writable == MAP_FAILED) {
            return false;
        }
    }
    j->code = writable;
    j->shift = (int64_t)((intptr_t)runnable - (intptr_t)writable);
    return true;
}

uint8_t *jit_run_address(const struct jit *j, const uint8_t *at)
{
    return (uint8_t *)((intptr_t)at + j->shift);
}

static op_fn *as_function(const struct jit *j, const uint8_t *at)
{
    return (op_fn *)(intptr_t)jit_run_address(j, at);
}

static void empty_arena(struct jit *j)
{
    j->hot = j->hot_start;
    j->cold = j->cold_start;
    j->block_count = 0;
}

#if defined(__x86_64__)
static void learn_host(struct cpu_features *f)
{
#define HOST_HAS(name, text) f->bits[CPU_##name / 64] |= (uint64_t)(__builtin_cpu_supports(text) != 0) << CPU_##name % 64;
    HOST_HAS(SSE3, "sse3") HOST_HAS(SSSE3, "ssse3") HOST_HAS(SSE4_1, "sse4.1") HOST_HAS(SSE4_2, "sse4.2")
    HOST_HAS(AES, "aes") HOST_HAS(PCLMULQDQ, "pclmul")
#undef HOST_HAS
}
#endif

struct jit *jit_new(unsigned heat, unsigned bytes)
{
#if defined(__x86_64__)
    struct jit *j = calloc(1, sizeof *j);

    if (j) {
        j->heat = heat;
        j->bytes = bytes;
        j->block = malloc(JIT_BLOCKS_MAX * sizeof *j->block);
        j->work = malloc(sizeof *j->work);
    }
    if (!j || !j->block || !j->work || !map_arena(j)) {
        jit_free(j);
        return NULL;
    }
    learn_host(&j->host);
    jit_make_thunks(j);
    j->cold_start = j->code + j->bytes / 2;
    j->end = j->code + j->bytes;
    empty_arena(j);
    return j;
#else
    (void)heat;
    (void)bytes;
    return NULL;
#endif
}

void jit_free(struct jit *j)
{
    if (!j) {
        return;
    }
    if (j->code) {
        if (j->shift) {
            munmap(jit_run_address(j, j->code), j->bytes);
        }
        munmap(j->code, j->bytes);
    }
    free(j->block);
    free(j->work);
    free(j);
}

void jit_call(const struct jit *j, struct cpu *c, struct insn *r, op_fn *fn)
{
    void (*call)(struct cpu *, struct insn *, op_fn *) =
        (void (*)(struct cpu *, struct insn *, op_fn *))(intptr_t)jit_run_address(j, j->thunk[THUNK_CALL]);
    call(c, r, fn);
}

struct jit_stats jit_stats(const struct jit *j)
{
    return j->stats;
}

bool jit_knows_form(const struct jit *j, unsigned form)
{
    const struct rule *rule = jit_rule(form);
    return rule->emit && cpu_features_has(&j->host, rule->feature);
}

bool jit_used_form(const struct jit *j, unsigned form)
{
    return j->used[form];
}

/* --- blocks ---------------------------------------------------------------------------- */

static uint8_t *cold_code(const struct jit *j)
{
    return jit_run_address(j, j->thunk[THUNK_COLD_CODE]);
}

void jit_block_made(const struct jit *j, struct insn *entry)
{
    entry[-1].code = cold_code(j);
    if (entry->gate != GATE_CLOSED) {
        entry->fn = core_warm;
        entry->gate = GATE_CLOSED;
        entry->timing = (uint8_t)j->heat;
    }
}

bool jit_has_code(const struct jit *j, const struct insn *entry)
{
    return entry->form == FORM_enter && entry->gate != GATE_CLOSED && entry[-1].code && entry[-1].code != cold_code(j);
}

uint8_t *jit_head(const struct jit *j, const struct insn *entry)
{
    return (uint8_t *)((intptr_t)entry[-1].code - j->shift) - HEAD_BYTES;
}

/* Behind the head's test lies, in the cold part, the way out when the budget is too small; behind
 * its first instruction the way to the head's handler. */
enum { HEAD_FIELD = HEAD_BYTES - 4, REFUND_BYTES = 5 };

void jit_block_dropped(struct jit *j, struct insn *entry)
{
    if (!jit_has_code(j, entry)) {
        return;
    }
    uint8_t *head = jit_head(j, entry);
    int32_t distance;
    memcpy(&distance, head + HEAD_FIELD, 4);
    struct assembler a = { head };
    asm_point(asm_jump(&a), head + HEAD_BYTES + distance + REFUND_BYTES);
    entry[-1].code = cold_code(j);
}

void jit_forget(struct jit *j)
{
    empty_arena(j);
}

/* No room: the blocks are records again.  Nobody is inside code: this happens between blocks. */
static void flush(struct jit *j)
{
    for (unsigned i = 0; i < j->block_count; i++) {
        struct insn *entry = j->block[i];
        for (struct insn *r = entry + 1; r <= entry + entry->records; r++) {
            r->fn = form_info[r->form].fn;
        }
        if (jit_has_code(j, entry)) {
            jit_block_made(j, entry);
        }
    }
    empty_arena(j);
    j->stats.flushes++;
}

/* --- translating -------------------------------------------------------------------------- */

/* Forms whose rule does not hold for all operands. */
static bool applies(const struct translation *t, const struct insn *r, const struct rule *rule)
{
    if (!jit_knows_form(t->jit, r->form)) {
        return false;
    }
    if (rule->src == 'i' && rule->bits < 64 && r->imm != (int32_t)r->imm) {
        return false;
    }
    int to = host_register(r->dst);
    if (rule->emit == emit_carry_binary) {
        return to != NO_REGISTER && (rule->src == 'i' || !is_high_byte(r->src));
    }
    if (rule->emit == emit_variable_shift) {
        return to != NO_REGISTER && to != RCX && r->src == SLOT_GPR + RCX * 8;
    }
    if (rule->emit == emit_rotate) {
        return to != NO_REGISTER && flags_dead(t, r);
    }
    bool writes_after_flags = rule->emit == emit_fused && rule->dst == 'r' && rule->op != ALU_CMP && rule->op != ALU_TEST;
    return !(writes_after_flags && is_high_byte(r->dst)); /* storing those changes the host's flags */
}

static void emit_record_jump(struct translation *t, struct insn *r)
{
    asm_immediate(&t->a, SCRATCH2, (int64_t)(intptr_t)r);
    asm_point(asm_jump(&t->a), t->jit->thunk[THUNK_RECORD]);
}

static void translate_records(struct translation *t)
{
    struct insn *entry = t->entry;
    bool in_code = true;

    for (struct insn *r = entry + 1; r <= entry + entry->records; r++) {
        const struct rule *rule = jit_rule(r->form);
        t->code_of[r - entry] = NULL;
        t->jit->stats.records++;
        if (!applies(t, r, rule)) {
            if (in_code) {
                emit_record_jump(t, r);
            }
            in_code = false;
            t->kind = KIND_UNKNOWN;
            continue;
        }
        t->jit->stats.native++;
        t->jit->used[r->form] = true;
        t->start = t->code_of[r - entry] = t->a.at;
        if (!in_code || r == entry + 1) {
            pend(t, PENDING_RESUME, NULL, r);
            sse_forget(t);
        }
        in_code = true;
        rule->emit(t, r, rule);
        if (rule->ends) {
            t->code_of[r + 1 - entry] = NULL;
            return;
        }
    }
}

/* Data behind a call, aligned. */
static void call_with_data(struct translation *t, enum thunk thunk)
{
    while (((uintptr_t)t->a.at + 5) % 8) {
        put8(&t->a, 0xcc);
    }
    asm_point(asm_call(&t->a), t->jit->thunk[thunk]);
}

static uint32_t offset_in_arena(const struct translation *t, const uint8_t *at)
{
    return at ? (uint32_t)(at - t->jit->code) : 0;
}

static void finish_link(struct translation *t, const struct pending *p)
{
    struct insn *to = p->record->link;

    if (to->form == FORM_away) {
        asm_point(p->field, t->a.at);
        emit_away(t, to, NULL);
        return;
    }
    call_with_data(t, THUNK_FOLLOW);
    asm_point(p->field, t->a.at - 5);
    put64(&t->a, (uint64_t)(uintptr_t)p->record);
    put32(&t->a, offset_in_arena(t, p->field));
}

static void finish_pending(struct translation *t, const struct pending *p)
{
    struct assembler *a = &t->a;

    switch (p->kind) {
    case PENDING_SLOW:
        call_with_data(t, THUNK_SLOW);
        asm_point(p->field, a->at - 5);
        put64(a, (uint64_t)(uintptr_t)p->record);
        put32(a, offset_in_arena(t, p->retry));
        put32(a, offset_in_arena(t, t->code_of[p->record + 1 - t->entry]));
        break;
    case PENDING_LINK:
        finish_link(t, p);
        break;
    case PENDING_LEAVE:
        call_with_data(t, THUNK_LEAVE);
        asm_point(p->field, a->at - 5);
        put64(a, (uint64_t)(uintptr_t)p->record);
        break;
    case PENDING_HANDLER:
        asm_point(p->field, a->at);
        asm_immediate(a, SCRATCH2, (int64_t)(intptr_t)p->record);
        asm_point(asm_jump(a), t->jit->thunk[THUNK_HANDLER]);
        break;
    case PENDING_HEAD:
        asm_point(p->field, a->at);
        asm_alu_place_immediate(a, ALU_ADD, 64, FIELD_OF_CPU(budget), (int64_t)t->entry->cost);
        assert(a->at == p->field - HEAD_FIELD + HEAD_BYTES + (a->at - REFUND_BYTES - (p->field + 4)) + REFUND_BYTES);
        emit_record_jump(t, t->entry);
        break;
    case PENDING_RESUME:
        p->record->fn = as_function(t->jit, a->at);
        asm_opcode(a, 0x8d, 64, SCRATCH2, 0, 0, false);
        put8(a, 5 | (SCRATCH2 & 7) << 3); /* [rip + disp32] */
        put32(a, 0);
        asm_point(a->at - 4, t->code_of[p->record - t->entry]);
        asm_point(asm_jump(a), t->jit->thunk[THUNK_RESUME]);
        break;
    }
}

static bool has_room(const struct jit *j)
{
    return j->hot + BLOCK_HOT_MAX < j->cold_start && j->cold + BLOCK_COLD_MAX < j->end && j->block_count < JIT_BLOCKS_MAX;
}

bool jit_translate(struct jit *j, struct insn *entry)
{
    struct translation *t = j->work;

    if (!has_room(j)) {
        flush(j);
    }
    t->jit = j;
    t->entry = entry;
    t->pending_count = 0;
    t->start = NULL;
    t->kind = KIND_UNKNOWN;
    t->a.at = t->head = (uint8_t *)(((uintptr_t)j->hot + CODE_ALIGNMENT - 1) & ~(uintptr_t)(CODE_ALIGNMENT - 1));
    asm_alu_place_immediate(&t->a, ALU_SUB, 64, FIELD_OF_CPU(budget), (int64_t)entry->cost);
    pend(t, PENDING_HEAD, asm_jcc(&t->a, CC_S), entry);
    assert(t->a.at == t->head + HEAD_BYTES);
    translate_records(t);
    j->stats.code_bytes += (uint64_t)(t->a.at - t->head);
    assert(t->a.at < j->hot + BLOCK_HOT_MAX);
    j->hot = t->a.at;

    t->a.at = j->cold;
    for (unsigned i = 0; i < t->pending_count; i++) {
        finish_pending(t, &t->pending[i]);
    }
    assert(t->a.at < j->cold + BLOCK_COLD_MAX);
    j->stats.cold_bytes += (uint64_t)(t->a.at - j->cold);
    j->cold = t->a.at;
    j->stats.translated++;
    j->block[j->block_count++] = entry;
    entry[-1].code = jit_run_address(j, t->head + HEAD_BYTES);
    entry->gate = entry->cost;
    entry->fn = form_info[FORM_enter].fn;
    return true;
}

/* --- called by code ------------------------------------------------------------------------ */

void core_warm(struct cpu *c, struct insn *r)
{
    if (c->budget < (int64_t)r->cost) {
        return core_enter_slow(c, r);
    }
    if (--r->timing == 0) {
        jit_translate(c->core->jit, r);
    }
    c->budget -= r->cost;
    return r[1].fn(c, r + 1);
}

void jit_follow(struct cpu *c, const struct link_site *site)
{
    struct jit *j = c->core->jit;
    struct insn *to = site->record->link;

    if (jit_has_code(j, to)) {
        asm_point(j->code + site->field, jit_head(j, to));
    }
    int64_t left = c->budget - (int64_t)to->gate;
    if (left < 0) {
        return to->fn(c, to);
    }
    c->budget = left;
    return to[1].fn(c, to + 1);
}
