/* Unicorn as an executor, through the crosscheck's window (sim/cpu/crosscheck/second.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/crosscheck/second.h"
#include "tests/oracle/oracle.h"

struct oracle_unicorn {
    struct second *second;
    const struct oracle_case *now;
    uint8_t base[ORACLE_DATA_SIZE];
    uint8_t code[ORACLE_CODE_SIZE + ORACLE_PAGE];
};

static bool page(void *ctx, uint64_t linear, uint8_t bytes[SECOND_PAGE])
{
    struct oracle_unicorn *u = ctx;
    if (linear >= ORACLE_CODE && linear < ORACLE_CODE + ORACLE_CODE_SIZE + ORACLE_PAGE) { /* it looks ahead */
        memcpy(bytes, u->code + (linear - ORACLE_CODE), SECOND_PAGE);
        return true;
    }
    if (linear >= ORACLE_DATA && linear < ORACLE_DATA + ORACLE_DATA_SIZE) {
        uint8_t image[ORACLE_DATA_SIZE];
        memcpy(image, u->base, sizeof image);
        oracle_apply_patches(u->now, image);
        memcpy(bytes, image + (linear - ORACLE_DATA), SECOND_PAGE);
        return true;
    }
    return false;
}

struct oracle_unicorn *oracle_unicorn_new(void)
{
    struct oracle_unicorn *u = calloc(1, sizeof *u);
    assert(u);
    oracle_base_image(u->base);
    u->second = second_new(page, u);
    assert(u->second);
    return u;
}

void oracle_unicorn_free(struct oracle_unicorn *u)
{
    second_free(u->second);
    free(u);
}

void oracle_unicorn_run(struct oracle_unicorn *u, const struct oracle_case *c, struct oracle_outcome *o)
{
    struct second_regs in = { .bits = c->mode32 ? 32 : 64, .rip = c->in.rip, .rflags = c->in.rflags,
                              .mxcsr = c->in.mxcsr, .gs_base = ORACLE_DATA + ORACLE_GS_OFFSET };
    struct second_regs out;
    memcpy(in.gpr, c->in.gpr, sizeof in.gpr);
    memcpy(in.xmm, c->in.xmm, sizeof in.xmm);
    memcpy(u->code + (c->in.rip - ORACLE_CODE), c->code, ORACLE_CODE_MAX);
    u->now = c;

    enum second_result result = second_run(u->second, &in, 1, &out);
    o->vector = result == SECOND_OK      ? OUTCOME_OK
              : result == SECOND_FAULT   ? (int)second_vector(u->second)
              : result == SECOND_NO_PAGE ? X_PF
                                         : OUTCOME_SKIPPED;
    o->error = 0;
    o->cr2 = 0;
    memcpy(o->out.gpr, out.gpr, sizeof out.gpr);
    memcpy(o->out.xmm, out.xmm, sizeof out.xmm);
    memcpy(o->out.ymm_high, c->in.ymm_high, sizeof o->out.ymm_high); /* it has none, and is asked no form that writes them */
    o->out.rip = out.rip;
    o->out.rflags = out.rflags;
    o->out.mxcsr = out.mxcsr;
    memcpy(o->out.x87, c->in.x87, sizeof o->out.x87); /* not passed either */
    memcpy(o->data, u->base, sizeof o->data);
    oracle_apply_patches(c, o->data);
    for (unsigned i = 0; i < second_page_count(u->second); i++) {
        uint64_t linear;
        const uint8_t *bytes = second_page(u->second, i, &linear);
        if (linear >= ORACLE_DATA && linear < ORACLE_DATA + ORACLE_DATA_RW) {
            memcpy(o->data + (linear - ORACLE_DATA), bytes, SECOND_PAGE);
        }
    }
}
