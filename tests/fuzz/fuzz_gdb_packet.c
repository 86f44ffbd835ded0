/* What a stranger sends to the debugger's port. */
#include <stdint.h>
#include <string.h>

#include "sim/debug/gdb_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gdb_connection c; /* too big for a stack */
    uint8_t bytes[64];

    memset(&c, 0, sizeof c);
    c.fd = -1;
    while (size) {
        size_t room = sizeof c.in - c.have, n = size < room ? size : room;
        memcpy(c.in + c.have, data, n);
        c.have += n;
        data += n;
        size -= n;
        for (enum gdb_input input = gdb_parse(&c); input != GDB_NOTHING; input = gdb_parse(&c)) {
            if (input == GDB_PACKET) {
                gdb_hex_from(bytes, sizeof bytes, c.packet);
            }
        }
        if (c.have == sizeof c.in) {
            break;
        }
    }
    return 0;
}
