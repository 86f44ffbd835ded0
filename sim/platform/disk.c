/* A raw image with an overlay; see disk.h.
 *
 * The overlay is a table of groups of 512 blocks.  A block is NULL (as in the
 * image), the disk's 'zero_block' (shared, never written to), or its own 4 KiB.  In
 * write-through mode the file has the contents and a block that is not NULL
 * only says "changed".
 */
#include "sim/platform/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "sim/base/state.h"

enum { GROUP_BLOCKS = 512, SECTORS_PER_BLOCK = DISK_BLOCK / DISK_SECTOR };

struct group {
    uint8_t *block[GROUP_BLOCKS];
};

struct disk {
    int fd;               /* -1: blank */
    bool write_through;
    bool identified;      /* 'hash' is known */
    uint64_t hash;        /* of the image as it was opened; XXH3-64 */
    uint64_t sectors;
    uint64_t blocks;
    uint64_t changed;     /* blocks */
    uint64_t group_count;
    struct group **group;
    uint8_t zero_block[DISK_BLOCK]; /* stays zero */
    char error[256];
};

/* --- host ---------------------------------------------------------------------- */

static bool
host_error(struct disk *d, const char *what)
{
    snprintf(d->error, sizeof d->error, "%s: %s", what, errno ? strerror(errno) : "shorter than it was");
    return false;
}

static bool
host_read(struct disk *d, uint64_t at, uint8_t *to, size_t size)
{
    if (d->fd < 0) {
        memset(to, 0, size);
        return true;
    }
    while (size) {
        errno = 0;
        ssize_t n = pread(d->fd, to, size, (off_t)at);
        if (n <= 0) {
            if (n < 0 && errno == EINTR) {
                continue;
            }
            return host_error(d, "reading the image");
        }
        to += n, at += (uint64_t)n, size -= (size_t)n;
    }
    return true;
}

static bool
host_write(struct disk *d, uint64_t at, const uint8_t *from, size_t size)
{
    while (size) {
        errno = 0;
        ssize_t n = pwrite(d->fd, from, size, (off_t)at);
        if (n <= 0) {
            if (n < 0 && errno == EINTR) {
                continue;
            }
            return host_error(d, "writing the image");
        }
        from += n, at += (uint64_t)n, size -= (size_t)n;
    }
    return true;
}

/* Hashes the image; must come before the first write through. */
static bool
identify(struct disk *d)
{
    enum { CHUNK = 1 << 20 };
    uint64_t size = d->sectors * DISK_SECTOR;
    XXH3_state_t *h = XXH3_createState();
    uint8_t *chunk = malloc(CHUNK);
    bool good = h && chunk;
    if (good) {
        XXH3_64bits_reset(h);
    }
    for (uint64_t at = 0; good && d->fd >= 0 && at < size;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        good = host_read(d, at, chunk, n);
        if (good) {
            XXH3_64bits_update(h, chunk, n);
        }
        at += n;
    }
    if (good) {
        d->hash = XXH3_64bits_digest(h);
        d->identified = true;
    }
    XXH3_freeState(h);
    free(chunk);
    return good;
}

/* --- life ------------------------------------------------------------------------ */

static struct disk *
disk_new(uint64_t sectors)
{
    struct disk *d = calloc(1, sizeof *d);
    if (d) {
        d->fd = -1;
        d->sectors = sectors;
        d->blocks = (sectors + SECTORS_PER_BLOCK - 1) / SECTORS_PER_BLOCK;
        d->group_count = (d->blocks + GROUP_BLOCKS - 1) / GROUP_BLOCKS;
        d->group = calloc(d->group_count, sizeof *d->group);
        if (!d->group) {
            free(d);
            d = NULL;
        }
    }
    return d;
}

struct disk *
disk_blank(uint64_t sectors)
{
    return disk_new(sectors);
}

struct disk *
disk_open(const char *path, bool write_through, char *error, unsigned error_size)
{
    struct stat st;
    int fd = open(path, (write_through ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(error, error_size, "cannot open the disk image %s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size < DISK_SECTOR) {
        snprintf(error, error_size, "%s is not a disk image: want a file of at least %d bytes", path, DISK_SECTOR);
    } else {
        struct disk *d = disk_new((uint64_t)st.st_size / DISK_SECTOR);
        if (d) {
            d->fd = fd;
            d->write_through = write_through;
            if (!write_through || identify(d)) {
                return d;
            }
        }
        snprintf(error, error_size, "%s: %s", path, d ? d->error : "not enough host memory");
        if (d) {
            disk_close(d); /* closes fd */
            return NULL;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

static void
block_drop(struct disk *d, uint64_t index)
{
    struct group *g = d->group[index / GROUP_BLOCKS];
    if (g && g->block[index % GROUP_BLOCKS]) {
        if (g->block[index % GROUP_BLOCKS] != d->zero_block) {
            free(g->block[index % GROUP_BLOCKS]);
        }
        g->block[index % GROUP_BLOCKS] = NULL;
        d->changed--;
    }
}

static void
overlay_clear(struct disk *d)
{
    for (uint64_t i = 0; i < d->group_count; i++) {
        if (d->group[i]) {
            for (unsigned k = 0; k < GROUP_BLOCKS; k++) {
                block_drop(d, i * GROUP_BLOCKS + k);
            }
            free(d->group[i]);
            d->group[i] = NULL;
        }
    }
}

void
disk_close(struct disk *d)
{
    if (d) {
        overlay_clear(d);
        free(d->group);
        if (d->fd >= 0) {
            close(d->fd);
        }
        free(d);
    }
}

uint64_t
disk_sectors(const struct disk *d)
{
    return d->sectors;
}

uint64_t
disk_changed(const struct disk *d)
{
    return d->changed;
}

const char *
disk_error(const struct disk *d)
{
    return d->error;
}

/* --- blocks ---------------------------------------------------------------------- */

static uint8_t *
block_get(const struct disk *d, uint64_t index)
{
    const struct group *g = d->group[index / GROUP_BLOCKS];
    return g ? g->block[index % GROUP_BLOCKS] : NULL;
}

/* Bytes of block 'index' that the disk has: the last may be short. */
static size_t
block_size(const struct disk *d, uint64_t index)
{
    uint64_t left = d->sectors * DISK_SECTOR - index * DISK_BLOCK;
    return left < DISK_BLOCK ? (size_t)left : DISK_BLOCK;
}

/* Puts 'block' (or zero_block) in the table. False: no memory, 'block' is freed. */
static bool
block_set(struct disk *d, uint64_t index, uint8_t *block)
{
    struct group **g = &d->group[index / GROUP_BLOCKS];
    if (!*g && !(*g = calloc(1, sizeof **g))) {
        if (block != d->zero_block) {
            free(block);
        }
        errno = ENOMEM;
        return host_error(d, "keeping a changed block");
    }
    block_drop(d, index);
    (*g)->block[index % GROUP_BLOCKS] = block;
    d->changed++;
    return true;
}

/* A block of our own with the current contents. */
static uint8_t *
block_own(struct disk *d, uint64_t index)
{
    uint8_t *old = block_get(d, index);
    if (old && old != d->zero_block) {
        return old;
    }
    uint8_t *block = calloc(1, DISK_BLOCK);
    if (!block) {
        errno = ENOMEM;
        host_error(d, "keeping a changed block");
        return NULL;
    }
    if (!old && !host_read(d, index * DISK_BLOCK, block, block_size(d, index))) {
        free(block);
        return NULL;
    }
    return block_set(d, index, block) ? block : NULL;
}

/* The piece of a byte range that lies in one block. */
struct piece {
    uint64_t block;
    size_t at, size; /* in the block [bytes] */
};

static struct piece
piece_at(uint64_t byte, uint64_t left)
{
    size_t at = (size_t)(byte % DISK_BLOCK);
    return (struct piece){ byte / DISK_BLOCK, at, left < DISK_BLOCK - at ? (size_t)left : DISK_BLOCK - at };
}

bool
disk_read(struct disk *d, uint64_t sector, uint32_t count, void *to)
{
    uint64_t byte = sector * DISK_SECTOR, left = (uint64_t)count * DISK_SECTOR;
    uint8_t *out = to;
    if (d->write_through) {
        return host_read(d, byte, out, left);
    }
    while (left) {
        struct piece p = piece_at(byte, left);
        const uint8_t *block = block_get(d, p.block);
        if (block) {
            memcpy(out, block + p.at, p.size);
        } else if (!host_read(d, byte, out, p.size)) {
            return false;
        }
        out += p.size, byte += p.size, left -= p.size;
    }
    return true;
}

bool
disk_write(struct disk *d, uint64_t sector, uint32_t count, const void *from)
{
    uint64_t byte = sector * DISK_SECTOR, left = (uint64_t)count * DISK_SECTOR;
    const uint8_t *in = from;
    if (d->write_through && !host_write(d, byte, in, left)) {
        return false;
    }
    while (left) {
        struct piece p = piece_at(byte, left);
        if (d->write_through) {
            if (!block_get(d, p.block) && !block_set(d, p.block, d->zero_block)) {
                return false;
            }
        } else {
            uint8_t *block = block_own(d, p.block);
            if (!block) {
                return false;
            }
            memcpy(block + p.at, in, p.size);
        }
        in += p.size, byte += p.size, left -= p.size;
    }
    return true;
}

static bool
zero_piece(struct disk *d, struct piece p)
{
    if (!d->write_through && p.size == block_size(d, p.block)) {
        return block_set(d, p.block, d->zero_block);
    }
    return disk_write(d, (p.block * DISK_BLOCK + p.at) / DISK_SECTOR, (uint32_t)(p.size / DISK_SECTOR), d->zero_block);
}

bool
disk_zero(struct disk *d, uint64_t sector, uint64_t count)
{
    uint64_t byte = sector * DISK_SECTOR, left = count * DISK_SECTOR;
    while (left) {
        struct piece p = piece_at(byte, left);
        if (!zero_piece(d, p)) {
            return false;
        }
        byte += p.size, left -= p.size;
    }
    return true;
}

bool
disk_flush(struct disk *d)
{
    return !d->write_through || fdatasync(d->fd) == 0 || host_error(d, "flushing the image");
}

/* --- state ------------------------------------------------------------------------ */

static void
blocks_load(struct disk *d, struct state *s)
{
    overlay_clear(d);
    for (uint64_t next = 0;;) {
        uint64_t index = UINT64_MAX;
        bool zero = false;
        STATE_VISIT(s, index);
        if (state_failed(s) || index == UINT64_MAX) {
            return;
        }
        if (index >= d->blocks || index < next) {
            state_fail(s, "disk block %llu is out of order or beyond the disk", (unsigned long long)index);
            return;
        }
        STATE_VISIT(s, zero);
        uint8_t *block = zero ? d->zero_block : calloc(1, DISK_BLOCK);
        if (block && !zero) {
            state_bytes(s, block, DISK_BLOCK);
        }
        if (!block || !block_set(d, index, block)) {
            state_fail(s, "not enough host memory for the disk");
            return;
        }
        next = index + 1;
    }
}

static void
block_save(struct disk *d, uint64_t index, struct state *s)
{
    uint8_t bytes[DISK_BLOCK] = { 0 };
    const uint64_t first = index * SECTORS_PER_BLOCK;
    if (!disk_read(d, first, (uint32_t)(block_size(d, index) / DISK_SECTOR), bytes)) {
        state_fail(s, "%s", d->error);
    }
    bool zero = memcmp(bytes, d->zero_block, DISK_BLOCK) == 0;
    STATE_VISIT(s, index);
    STATE_VISIT(s, zero);
    if (!zero) {
        state_bytes(s, bytes, DISK_BLOCK);
    }
}

/* A reset leaves a disk as it is: what the new machine's blank one says of itself is read over. */
static void
skip(struct state *s)
{
    uint64_t identity[2] = { 0 }, end = 0;
    STATE_VISIT(s, identity);
    STATE_VISIT(s, end);
    if (end != UINT64_MAX) {
        state_fail(s, "a new machine's disk is not blank");
    }
}

/* Changed blocks as (index, is zero, contents), then UINT64_MAX. */
void
disk_state(struct disk *d, struct state *s)
{
    if (state_is_reset(s)) {
        skip(s);
        return;
    }
    if (!d->identified && !identify(d)) {
        state_fail(s, "%s", d->error);
    }
    uint64_t identity[2] = { d->sectors, d->hash }, saved[2] = { identity[0], identity[1] };
    STATE_VISIT(s, saved);
    if (memcmp(saved, identity, sizeof saved) != 0) {
        state_fail(s, "saved with another disk image (%llu sectors, hash %016llx)", (unsigned long long)saved[0],
                   (unsigned long long)saved[1]);
        return;
    }
    if (state_is_load(s)) {
        if (d->write_through) {
            state_fail(s, "a disk that writes through to its image cannot go back to a saved state");
            return;
        }
        blocks_load(d, s);
        return;
    }
    for (uint64_t i = 0; i < d->blocks; i++) {
        if (!d->group[i / GROUP_BLOCKS]) {
            i |= GROUP_BLOCKS - 1;
        } else if (block_get(d, i)) {
            block_save(d, i, s);
        }
    }
    uint64_t end = UINT64_MAX;
    STATE_VISIT(s, end);
}
