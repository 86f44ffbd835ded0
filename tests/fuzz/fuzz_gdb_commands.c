/* What a stranger who speaks the protocol asks of the debugger's port; behind packets that let the machine go on it runs a
 * little.  Nobody is connected, so nothing stops it.
 *
 * Noise alone would hardly be a packet: input bytes choose patterns, in which they fill in '@' (a hexadecimal digit) and
 * '!' (anything). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/debug/gdb_priv.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CODE = 0x1000, CYCLES = 2000, PACKETS_MAX = 64 };

static struct machine *
start(void)
{
    static const uint8_t loop[] = { 0x40, 0xa3, 0x00, 0x20, 0xeb, 0xfa }; /* again: inc ax; mov [2000h], ax; jmp again */
    const struct machine_config config = { .ram_size = 2 << 20, .cpu_count = 2, .quantum = 1000, .model = "max" };
    char error[256];
    struct machine *m = machine_new(&config, error, sizeof error);
    if (!m || !mem_write(m->mem, CODE, loop, sizeof loop))
        abort();
    m->cpu[0]->seg[CS].base = 0;
    m->cpu[0]->rip = CODE;
    cpu_update_mode(m->cpu[0]);
    return m;
}

static const char *const pattern[] = {
    "Z@,@@@@,@", "z@,@@@@,@", "Z@,@@@@@@@@@@@@@@@@,@@@@@@@@@@@@@@@@", "Z2,2000,2", "Z4,1000,@@@", "Z0,100@,1", "Z!!!!!",
    "g", "G@@@@@@@@@@@@@@@@@@@@@@", "p@@", "p@@@@@@@@", "P!!!!",
    "P@@=@@@@@@@@", "P@@=@@@@@@@@@@@@@@@@", "P@@=@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
    "m@@@@,@@", "m@@@@@@@@@@@@@@@@,@@@@@@@@", "M@@@@,2:@@@@", "M@@@@,@:@@",
    "c", "s", "vCont;c", "vCont;s:@;c", "vCont;r@@@@,@@@@:@", "vCont;!!!!!!!!", "Hg@", "H!!", "T@", "?", "D", "k",
    "qSupported", "qXfer:features:read:target.xml:@@@@,@@@", "qXfer:features:read:target.xml:!!!!!!", "qThreadExtraInfo,@",
    "qfThreadInfo", "!!!!!!!!!!!!!!!!",
    "qRcmd,706879732030783@3@3@3@3@2030783@3@",     /* phys 0x... 0x.. */
    "qRcmd,7472616e736c6174652030783@3@3@3@3@",     /* translate 0x... */
    "qRcmd,696e666f206c61706963", "qRcmd,696e666f20696f61706963", "qRcmd,696e666f20706369", "qRcmd,696e666f20637075", /* info ... */
    "qRcmd,74696d65", "qRcmd,68617368", "qRcmd,@@@@@@@@@@@@", /* time, hash */
};

static uint8_t
take(const uint8_t **data, size_t *size)
{
    uint8_t byte = *size ? **data : 0;
    *data += *size != 0;
    *size -= *size != 0;
    return byte;
}

static void
fill_in(char *packet, const char *from, const uint8_t **data, size_t *size)
{
    for (; *from; from++)
        *packet++ = *from == '@' ? "0123456789abcdef"[take(data, size) & 15] : *from == '!' ? (char)take(data, size) : *from;
    *packet = '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine *m = start();
    struct gdb *g = gdb_new(m);
    if (!g)
        abort();
    for (unsigned i = 0; size && i < PACKETS_MAX; i++) {
        char packet[128];
        fill_in(packet, pattern[take(&data, &size) % (sizeof pattern / sizeof *pattern)], &data, &size);
        if (!gdb_command(g, packet))
            machine_run(m, m->now + CYCLES);
    }
    gdb_close(g, 0);
    machine_free(m);
    return 0;
}
