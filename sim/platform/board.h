/* What is plugged into the board of a machine that boots anything: a PC has
 * more than the chipset (platform.h) that every experiment shares.
 *
 * board_new adds its devices to a new machine as parts (machine_add_part), in a
 * fixed order; the same configuration gives the same machine.  Free the board
 * before its machine.
 *
 *   fw_cfg (fw_cfg.h)                     always
 *   VGA registers (vga.h)                 with a text display
 *   the door for input (input.h)          always
 *   test devices (test_devices.h)         unless 'no_test_devices'
 *   edu (edu.h)                           with 'edu'
 *   NVMe controllers (nvme.h)             one for every drive
 *   virtio console (virtio_console.h)     with 'virtio_console'; typed bytes enter there, not at COM1
 */
#ifndef SIM_PLATFORM_BOARD_H
#define SIM_PLATFORM_BOARD_H

#include <stdbool.h>
#include <stdint.h>

struct board;
struct input;
struct machine;
struct vga;

enum { BOARD_DRIVES_MAX = 4 };

struct board_config {
    bool no_test_devices, edu, virtio_console;
    const char *drive[BOARD_DRIVES_MAX]; /* "FILE" or "FILE,write" (disk.h: write_through) */
    unsigned drive_count;
    const struct board *like;            /* blank disks of that board's sizes instead of files, or NULL: for a machine_reset */
};

/* NULL with a sentence in 'error'. */
struct board *board_new(struct machine *, const struct board_config *, char *error, unsigned error_size);
void board_free(struct board *);

/* NULL without a text display. */
const struct vga *board_vga(const struct board *);
/* Keys, mouse and typed bytes enter here. */
struct input *board_input(struct board *);
/* Where the debug console (port E9H) and the virtio console write.  A pure observer. */
void board_set_console(struct board *, void (*output)(void *ctx, uint8_t byte), void *ctx);

#endif
