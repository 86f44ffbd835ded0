/* Block layouts: "PCAP Next Generation (pcapng) Capture File Format", draft-tuexen-opsawg-pcapng. */
#include "traces/pcapng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/outfile.h"

enum {
    BLOCK_SECTION = 0x0A0D0D0A, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1A2B3C4D, LINKTYPE_ETHERNET = 1,
    OPTION_END = 0, OPTION_IF_NAME = 2, OPTION_IF_TSRESOL = 9, OPTION_EPB_FLAGS = 2, OPTION_USERAPPL = 4,
    RESOLUTION_NS = 9,
};

struct pcapng {
    struct outfile file;
    uint8_t *block;   /* under construction */
    size_t size, room;
    bool failed;      /* out of memory */
};

static void
put(struct pcapng *p, const void *bytes, size_t size)
{
    size_t padded = (size + 3) & ~(size_t)3;
    if (p->size + padded > p->room) {
        size_t room = 2 * (p->size + padded);
        uint8_t *block = realloc(p->block, room);
        if (!block) {
            p->failed = true;
            return;
        }
        p->block = block;
        p->room = room;
    }
    memcpy(p->block + p->size, bytes, size);
    memset(p->block + p->size + size, 0, padded - size);
    p->size += padded;
}

static void
put_32(struct pcapng *p, uint32_t value)
{
    put(p, &value, sizeof value);
}

static void
put_option(struct pcapng *p, uint16_t code, const void *bytes, uint16_t size)
{
    put_32(p, code | (uint32_t)size << 16);
    put(p, bytes, size);
}

static void
begin_block(struct pcapng *p, uint32_t type)
{
    p->size = 0;
    put_32(p, type);
    put_32(p, 0); /* total length, known at the end */
}

static void
end_block(struct pcapng *p)
{
    put_32(p, OPTION_END);
    uint32_t total = (uint32_t)p->size + 4;
    put_32(p, total);
    if (p->failed)
        return;
    memcpy(p->block + 4, &total, sizeof total);
    outfile_write(&p->file, p->block, p->size);
}

static void
write_header(struct pcapng *p, const char *interface_name)
{
    static const char application[] = "hvlab";
    uint8_t resolution = RESOLUTION_NS;
    int64_t unknown_length = -1;

    begin_block(p, BLOCK_SECTION);
    put_32(p, BYTE_ORDER_MAGIC);
    put_32(p, 1); /* version 1.0 */
    put(p, &unknown_length, sizeof unknown_length);
    put_option(p, OPTION_USERAPPL, application, sizeof application - 1);
    end_block(p);

    begin_block(p, BLOCK_INTERFACE);
    put_32(p, LINKTYPE_ETHERNET);
    put_32(p, 0); /* no snap length */
    put_option(p, OPTION_IF_NAME, interface_name, (uint16_t)strlen(interface_name));
    put_option(p, OPTION_IF_TSRESOL, &resolution, 1);
    end_block(p);
}

struct pcapng *
pcapng_open(const char *path, const char *interface_name, char *error, size_t error_size)
{
    struct pcapng *p = calloc(1, sizeof *p);
    if (!p || !outfile_open(&p->file, path)) {
        snprintf(error, error_size, "cannot create %s: %s", path, p ? strerror(p->file.error) : "out of memory");
        if (p)
            outfile_discard(&p->file);
        free(p);
        return NULL;
    }
    write_header(p, interface_name);
    return p;
}

void
pcapng_write(struct pcapng *p, uint64_t at_ns, enum pcapng_direction direction, const uint8_t *frame, size_t size)
{
    pcapng_write_cut(p, at_ns, direction, frame, size, size);
}

void
pcapng_write_cut(struct pcapng *p, uint64_t at_ns, enum pcapng_direction direction, const uint8_t *frame, size_t kept,
                 size_t size)
{
    uint32_t flags = direction;
    begin_block(p, BLOCK_PACKET);
    put_32(p, 0); /* interface */
    put_32(p, (uint32_t)(at_ns >> 32));
    put_32(p, (uint32_t)at_ns);
    put_32(p, (uint32_t)kept); /* captured */
    put_32(p, (uint32_t)size); /* original */
    put(p, frame, kept);
    put_option(p, OPTION_EPB_FLAGS, &flags, sizeof flags);
    end_block(p);
}

void
pcapng_state(struct pcapng *p, struct state *s)
{
    outfile_state(p ? &p->file : NULL, s);
}

bool
pcapng_close(struct pcapng *p, char *error, size_t error_size)
{
    bool good = !p->failed;
    if (!good) {
        snprintf(error, error_size, "cannot write %s: out of memory", p->file.path);
        outfile_discard(&p->file);
    } else
        good = outfile_commit(&p->file, error, error_size);
    free(p->block);
    free(p);
    return good;
}
