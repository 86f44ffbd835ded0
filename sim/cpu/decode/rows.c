/* The rows, made from spec/x86/opcodes.tbl. */
#include "sim/cpu/avx/avx.h"
#include "sim/cpu/decode/decoder.h"
#include "x86/sys_functions.h"
#include "x86/x87_functions.h"

#include "x86/opcode_rows.inc"

const char *x86_op_name(unsigned op)
{
#define NAME_OF(id, text) [id] = text,
    static const char *const name[OP_COUNT] = { X86_OP_NAMES(NAME_OF) };
    return op < OP_COUNT && name[op] ? name[op] : "?";
}

const char *x86_timing_name(unsigned timing_class)
{
#define CLASS_NAME(id) [TIMING_##id] = #id,
    static const char *const name[TIMING_CLASS_COUNT] = { X86_TIMING_CLASSES(CLASS_NAME) };
    return timing_class < TIMING_CLASS_COUNT ? name[timing_class] : "?";
}
