/* fw_cfg: what the machine is made of, for firmware and test suites to ask.
 *
 * Software selects an item by its key (port 510H, 16 bits), then reads it byte
 * by byte from 511H, or in one go through the DMA interface at 514H.  Reading
 * past an item's end, or an item that is not there, gives zeros.  Items never
 * change and cannot be written: a DMA write is answered with the error bit.
 *
 * Keys: spec/platform/fw_cfg.h.  Key 11H (kvm-unit-tests' limit on memory
 * addresses) is not there, so it reads as 0: no limit.
 */
#ifndef SIM_PLATFORM_FW_CFG_H
#define SIM_PLATFORM_FW_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fw_cfg;
struct machine;
struct state;

enum { FW_CFG_FILES_MAX = 16 };

struct fw_cfg *fw_cfg_new(struct machine *); /* maps its ports; NULL: no host memory */
void fw_cfg_free(struct fw_cfg *);           /* before machine_free */
void fw_cfg_state(void *fw_cfg, struct state *);

/* Adds a file to the directory; copies. False: too many, or a name longer than 55 bytes. */
bool fw_cfg_add_file(struct fw_cfg *, const char *name, const void *bytes, size_t size);

#endif
