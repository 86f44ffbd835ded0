/* A processor's registers by gdb's numbers, and the target description that names them. */
#ifndef SIM_DEBUG_GDB_REGISTERS_H
#define SIM_DEBUG_GDB_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

extern const unsigned gdb_register_count;
unsigned gdb_register_size(unsigned number); /* [bytes] */
void gdb_register_get(struct cpu *, unsigned number, uint8_t to[16]);
/* False: this register is for reading only (system registers: their writes have rules). */
bool gdb_register_set(struct cpu *, unsigned number, const uint8_t from[16]);
/* XML, malloc'ed for the caller; NULL: no memory. */
char *gdb_target_description(void);

#endif
