#include "sim/cpu/crosscheck/second.h"

#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

enum { PAGES_MAX = 48, NO_VECTOR = 256 };

struct second {
    uc_engine *uc[2]; /* [0] 32-bit, [1] 64-bit */
    second_page_fn *page;
    void *ctx;
    uint64_t linear[2][PAGES_MAX]; /* of each slot */
    unsigned slots[2];
    uint8_t (*bytes[2])[SECOND_PAGE];  /* of each slot; page-aligned */
    uint8_t (*before[2])[SECOND_PAGE]; /* the same before the run */
    unsigned which;          /* engine of the current run */
    unsigned wanted, done;   /* instructions */
    uint64_t last_rip;       /* of the last instruction reported */
    bool last_repeats;       /* and it was a repeated string instruction */
    unsigned vector;         /* of a fault, or NO_VECTOR */
    bool no_page, full;
    bool ended;              /* stopped because the next instruction's page is not here */
};

static const int gpr_ids[2][16] = {
    { UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
      UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI },
    { UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX,
      UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
      UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
      UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15 },
};

/* --- pages ---------------------------------------------------------------------- */

static uint8_t *find_page(struct second *s, uint64_t linear)
{
    linear &= ~(uint64_t)(SECOND_PAGE - 1);
    for (unsigned i = 0; i < s->slots[s->which]; i++) {
        if (s->linear[s->which][i] == linear) {
            return s->bytes[s->which][i];
        }
    }
    return NULL;
}

static bool add_page(struct second *s, uint64_t linear)
{
    unsigned w = s->which, n = s->slots[w];
    if (n == PAGES_MAX) {
        s->full = true;
        return false;
    }
    if (!s->page(s->ctx, linear, s->bytes[w][n])) {
        s->no_page = true;
        return false;
    }
    memcpy(s->before[w][n], s->bytes[w][n], SECOND_PAGE);
    if (uc_mem_map_ptr(s->uc[w], linear, SECOND_PAGE, UC_PROT_ALL, s->bytes[w][n]) != UC_ERR_OK) {
        return false;
    }
    uc_ctl_remove_cache(s->uc[w], linear, linear + SECOND_PAGE); /* it may remember code of a page that was unmapped */
    s->linear[w][n] = linear;
    s->slots[w]++;
    return true;
}

static void drop_pages(struct second *s)
{
    unsigned w = s->which;
    for (unsigned i = 0; i < s->slots[w]; i++) {
        uc_mem_unmap(s->uc[w], s->linear[w][i], SECOND_PAGE);
    }
    s->slots[w] = 0;
}

/* Brings kept pages up to date; one that is gone takes all with it. */
static void refresh_pages(struct second *s)
{
    unsigned w = s->which;
    if (s->slots[w] > PAGES_MAX / 2) {
        drop_pages(s);
    }
    for (unsigned i = 0; i < s->slots[w]; i++) {
        uint64_t linear = s->linear[w][i];
        if (!s->page(s->ctx, linear, s->before[w][i])) {
            drop_pages(s);
            return;
        }
    }
    second_rewind(s);
}

void second_rewind(struct second *s)
{
    unsigned w = s->which;
    for (unsigned i = 0; i < s->slots[w]; i++) {
        uint64_t linear = s->linear[w][i];
        if (memcmp(s->before[w][i], s->bytes[w][i], SECOND_PAGE) != 0) {
            memcpy(s->bytes[w][i], s->before[w][i], SECOND_PAGE);
            uc_ctl_remove_cache(s->uc[w], linear, linear + SECOND_PAGE);
        }
    }
}

static bool on_unmapped(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value,
                        void *ctx)
{
    struct second *s = ctx;
    (void)uc, (void)size, (void)value;
    if (type == UC_MEM_FETCH_UNMAPPED && s->done == s->wanted) {
        s->ended = true; /* it looks at what comes after the last instruction */
        return false;
    }
    return add_page(s, address & ~(uint64_t)(SECOND_PAGE - 1));
}

/* --- counting instructions ----------------------------------------------------------- */

static bool is_legacy_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e || b == 0x36 ||
           b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

static bool repeats(struct second *s, uint64_t rip, unsigned size)
{
    bool repeat = false;
    for (unsigned i = 0; i < size; i++) {
        const uint8_t *page = find_page(s, rip + i);
        uint8_t b = page ? page[(rip + i) % SECOND_PAGE] : 0;
        bool rex = s->which == 1 && (b & 0xf0) == 0x40;
        if (!is_legacy_prefix(b) && !rex) {
            return repeat && ((b >= 0xa4 && b <= 0xa7) || (b >= 0xaa && b <= 0xaf));
        }
        repeat |= b == 0xf2 || b == 0xf3;
    }
    return false;
}

static void on_instruction(uc_engine *uc, uint64_t rip, uint32_t size, void *ctx)
{
    struct second *s = ctx;
    if (rip == s->last_rip && s->last_repeats && s->done != 0) {
        return; /* the next iteration of the same */
    }
    if (s->done == s->wanted) {
        uc_emu_stop(uc);
        return;
    }
    s->done++;
    s->last_rip = rip;
    s->last_repeats = repeats(s, rip, size <= 15 ? size : 15);
}

static void on_exception(uc_engine *uc, uint32_t vector, void *ctx)
{
    struct second *s = ctx;
    s->vector = vector;
    uc_emu_stop(uc);
}

/* --- life ------------------------------------------------------------------------------- */

static bool open_engine(struct second *s, unsigned which)
{
    uc_hook hook;
    uc_engine **uc = &s->uc[which];
    s->bytes[which] = aligned_alloc(SECOND_PAGE, PAGES_MAX * SECOND_PAGE);
    s->before[which] = aligned_alloc(SECOND_PAGE, PAGES_MAX * SECOND_PAGE);
    return s->bytes[which] && s->before[which] &&
           uc_open(UC_ARCH_X86, which ? UC_MODE_64 : UC_MODE_32, uc) == UC_ERR_OK &&
           uc_hook_add(*uc, &hook, UC_HOOK_MEM_UNMAPPED, (void *)on_unmapped, s, 1, 0) == UC_ERR_OK &&
           uc_hook_add(*uc, &hook, UC_HOOK_CODE, (void *)on_instruction, s, 1, 0) == UC_ERR_OK &&
           uc_hook_add(*uc, &hook, UC_HOOK_INTR, (void *)on_exception, s, 1, 0) == UC_ERR_OK;
}

struct second *second_new(second_page_fn *page, void *ctx)
{
    struct second *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->page = page;
    s->ctx = ctx;
    if (!open_engine(s, 0) || !open_engine(s, 1)) {
        second_free(s);
        return NULL;
    }
    return s;
}

void second_free(struct second *s)
{
    if (!s) {
        return;
    }
    for (unsigned which = 0; which < 2; which++) {
        if (s->uc[which]) {
            uc_close(s->uc[which]);
        }
        free(s->bytes[which]);
        free(s->before[which]);
    }
    free(s);
}

/* --- running -------------------------------------------------------------------------------- */

static void write_registers(struct second *s, const struct second_regs *in)
{
    uc_engine *uc = s->uc[s->which];
    unsigned count = s->which ? 16 : 8;
    for (unsigned i = 0; i < count; i++) {
        uint32_t narrow = (uint32_t)in->gpr[i];
        uc_reg_write(uc, gpr_ids[s->which][i], s->which ? (const void *)&in->gpr[i] : &narrow);
        uc_reg_write(uc, UC_X86_REG_XMM0 + (int)i, &in->xmm[i]);
    }
    uint64_t rflags = in->rflags & ~(1ull << 8); /* its own TF is not ours */
    uc_reg_write(uc, s->which ? UC_X86_REG_RFLAGS : UC_X86_REG_EFLAGS, &rflags);
    uc_reg_write(uc, UC_X86_REG_MXCSR, &in->mxcsr);
    if (s->which) {
        uc_reg_write(uc, UC_X86_REG_FS_BASE, &in->fs_base);
        uc_reg_write(uc, UC_X86_REG_GS_BASE, &in->gs_base);
    }
}

static void read_registers(struct second *s, const struct second_regs *in, struct second_regs *out)
{
    uc_engine *uc = s->uc[s->which];
    unsigned count = s->which ? 16 : 8;
    *out = *in;
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = 0;
        uc_reg_read(uc, gpr_ids[s->which][i], &value);
        out->gpr[i] = s->which ? value : (uint32_t)value;
        uc_reg_read(uc, UC_X86_REG_XMM0 + (int)i, &out->xmm[i]);
    }
    out->rip = out->rflags = 0;
    uc_reg_read(uc, s->which ? UC_X86_REG_RIP : UC_X86_REG_EIP, &out->rip);
    uc_reg_read(uc, s->which ? UC_X86_REG_RFLAGS : UC_X86_REG_EFLAGS, &out->rflags);
    uc_reg_read(uc, UC_X86_REG_MXCSR, &out->mxcsr);
    if (!s->which) {
        out->rip = (uint32_t)out->rip;
        out->rflags = (uint32_t)out->rflags;
    }
}

enum second_result second_run(struct second *s, const struct second_regs *in, unsigned instructions,
                              struct second_regs *out)
{
    s->which = in->bits == 64;
    refresh_pages(s);
    return second_run_again(s, in, instructions, out);
}

enum second_result second_run_again(struct second *s, const struct second_regs *in,
                                    unsigned instructions, struct second_regs *out)
{
    s->wanted = instructions;
    s->done = 0;
    s->vector = NO_VECTOR;
    s->no_page = s->full = s->ended = false;
    write_registers(s, in);

    uc_err err = uc_emu_start(s->uc[s->which], in->rip, UINT64_MAX, 0, 0);
    read_registers(s, in, out);
    if (s->full) {
        return SECOND_FULL;
    }
    if (s->no_page) {
        return SECOND_NO_PAGE;
    }
    if (err == UC_ERR_INSN_INVALID) {
        s->vector = X_UD;
    }
    if (s->vector != NO_VECTOR) {
        return SECOND_FAULT;
    }
    return (err == UC_ERR_OK || s->ended) && s->done == s->wanted ? SECOND_OK : SECOND_ERROR;
}

unsigned second_vector(const struct second *s)
{
    return s->vector;
}

unsigned second_page_count(const struct second *s)
{
    return s->slots[s->which];
}

const uint8_t *second_page(const struct second *s, unsigned index, uint64_t *linear)
{
    *linear = s->linear[s->which][index];
    return s->bytes[s->which][index];
}
