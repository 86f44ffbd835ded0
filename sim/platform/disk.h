/* A disk: a raw image file with what the machine wrote on top of it.
 *
 * The image is opened read-only and never touched; changed blocks of 4 KiB live
 * in memory (the overlay) and are gone with the machine.  With 'write_through'
 * every write goes to the file at once and disk_flush makes it durable
 * (fdatasync), so a power cut loses nothing that was flushed and never tears a
 * sector; the overlay then only remembers which blocks changed.
 *
 * State: identity of the image (size and hash of what it held when it was
 * opened) and the changed blocks.  A load refuses another image, and refuses a
 * disk that writes through: its file cannot be taken back.  A reset of the machine changes nothing here.
 *
 * Host errors (the image is gone, the host's disk is full) are not the guest's
 * fault: calls return false and disk_error() tells people.
 */
#ifndef SIM_PLATFORM_DISK_H
#define SIM_PLATFORM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct state;

enum { DISK_SECTOR = 512, DISK_BLOCK = 4096 };

/* NULL with a sentence in 'error'.  The size is rounded down to whole sectors; an empty image is refused. */
struct disk *disk_open(const char *path, bool write_through, char *error, unsigned error_size);
/* A disk of zeros without a file, for tests. */
struct disk *disk_blank(uint64_t sectors);
void disk_close(struct disk *);

uint64_t disk_sectors(const struct disk *);
/* Ranges [sector, sector + count) lie inside the disk. */
bool disk_read(struct disk *, uint64_t sector, uint32_t count, void *to);
bool disk_write(struct disk *, uint64_t sector, uint32_t count, const void *from);
bool disk_zero(struct disk *, uint64_t sector, uint64_t count);
bool disk_flush(struct disk *);
uint64_t disk_changed(const struct disk *); /* blocks written since the image was opened */
const char *disk_error(const struct disk *); /* what the host said last, or "" */

void disk_state(struct disk *, struct state *);

#endif
