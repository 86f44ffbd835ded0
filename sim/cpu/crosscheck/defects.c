#include <string.h>

#include "sim/cpu/crosscheck/second.h"
#include "sim/cpu/decode/row.h"

const char *second_cannot(const struct x86_row *row)
{
    if (row->vex) {
        return "Unicorn's default processor has no VEX";
    }
#define SECOND_CAN(exec_text)                                                                \
    if (!strcmp(row->exec, exec_text)) {                                                     \
        return NULL;                                                                         \
    }
#define SECOND_CANNOT(prefix, why)                                                           \
    if (!strncmp(row->exec, prefix, sizeof(prefix) - 1)) {                                   \
        return why;                                                                          \
    }
#include "sim/cpu/crosscheck/defects.def"
    return NULL;
}
