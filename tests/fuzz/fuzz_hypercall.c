/* Hypercalls with any control word and any input, by a child and by the root.
 *
 * The input is a list of steps of 4 + n bytes: who calls, code, form, length,
 * then the input block.  After each step: a child has not reached outside its
 * memory, and nobody has made the hypervisor fail (fakes stop the process).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv/hypercall/hypercall.h"
#include "hv/partition/partition.h"
#include "tests/fakes/arch_fake.h"

enum { PAGE = 4096, CHILD_PAGES = 16, BLOCK = 0x2000, OUTPUT = 0x3000, ROOT_BLOCK = 0x2200000, CANARY = 0x5A, STEPS_MAX = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Codes that exist, so that one byte of input reaches a handler. */
static const uint16_t codes[] = {
#define HV_CALL(code, ident, name, form, in, rep_in, out, rep_out, privilege) code,
#include "spec/hv/hypercalls.def"
#undef HV_CALL
};
static const uint8_t forms[] = {
    [0] = 0,
#define SIMPLE 0
#define REP 1
#define FAST 2
#define VARIABLE 4
#define HV_CALL(code, ident, name, form, in, rep_in, out, rep_out, privilege) form,
#include "spec/hv/hypercalls.def"
#undef HV_CALL
};

static uint64_t control_word(uint8_t code, uint8_t form)
{
    unsigned row = code % (sizeof(codes) / sizeof(codes[0]));
    uint64_t word = codes[row];
    if (forms[row + 1] & REP && !(form & 0x80))
        word |= (uint64_t)(1 + form % 32) << HV_CONTROL_REP_COUNT_SHIFT;
    else if (form & 0x40)
        word |= (uint64_t)form << HV_CONTROL_REP_COUNT_SHIFT | (uint64_t)(form & 3) << HV_CONTROL_REP_START_SHIFT;
    if (forms[row + 1] & FAST && form & 0x20)
        word |= HV_CONTROL_FAST;
    if (forms[row + 1] & VARIABLE)
        word |= (uint64_t)(form & 7) << HV_CONTROL_VARIABLE_SHIFT;
    return word;
}

/* Fields that hold partition ids are made right half of the time, or little would be reached. */
static void aim(uint8_t *block, size_t size, uint8_t form, uint64_t child, bool root)
{
    uint64_t id = form & 0x10 ? HV_PARTITION_SELF : child;
    if (size >= 8 && form & 8)
        memcpy(block, &id, 8);
    if (size >= 8 && root && form & 4 && (block[6] || block[7]))
        memset(block + 4, 0, 4);
}

static void call(struct vp *vp, const uint8_t *step, size_t size, uint64_t child)
{
    bool root = vp == world_root;
    uint64_t gpa = root ? ROOT_BLOCK : BLOCK;
    uint8_t *block = vp_gpa_pointer(vp, gpa, true);
    uint64_t word = control_word(step[1], step[2]), rdx = gpa, r8 = root ? ROOT_BLOCK + PAGE : OUTPUT;
    if (!block)
        return; /* the root has taken that page away */
    memcpy(block, step + 4, size);
    aim(block, size, step[2], child, root);
    if (word & HV_CONTROL_FAST) {
        memcpy(&rdx, block, 8);
        memcpy(&r8, block + 8, 8);
    }
    world_call(vp, word, rdx, r8);
}

/* Pages before and behind the child's memory belong to the root and hold a pattern. */
static void check_canaries(uint64_t base)
{
    const uint8_t *before = world_memory(base - PAGE), *behind = world_memory(base + CHILD_PAGES * PAGE);
    for (unsigned i = 0; i < PAGE; i++)
        if (before[i] != CANARY || behind[i] != CANARY)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t id;
    world_new(1);
    struct vp *child = world_child(CHILD_PAGES, &id);
    uint64_t base = world_child_base();
    memset(world_memory(base - PAGE), CANARY, PAGE);
    memset(world_memory(base + CHILD_PAGES * PAGE), CANARY, PAGE);
    bool by_root = size && data[0] & 1; /* the root may do anything to its children: no canaries then */
    for (unsigned n = 0; n < STEPS_MAX && size >= 4; n++) {
        size_t length = data[3] < size - 4 ? data[3] : size - 4;
        bool root = by_root && data[0] & 2;
        if (!root && child->exists && child->partition->state == PARTITION_ACTIVE)
            call(child, data, length, id);
        else if (by_root)
            call(world_root, data, length, id);
        if (!by_root)
            check_canaries(base);
        data += 4 + length;
        size -= 4 + length;
    }
    return 0;
}
