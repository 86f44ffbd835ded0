/* One connection of gdb's remote protocol: framing, checksums, acknowledgements.
 *
 *   $data#xx   xx = sum of the bytes of 'data' modulo 256; '}' escapes (next byte ^ 0x20)
 *
 * Bytes come from a stranger: a packet that is too long or damaged is refused, never trusted.
 */
#ifndef SIM_DEBUG_GDB_PACKET_H
#define SIM_DEBUG_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GDB_PACKET_MAX = 16384 }; /* [bytes] of data, told to gdb */

enum gdb_input { GDB_NOTHING, GDB_PACKET, GDB_BREAK, GDB_GONE };

struct gdb_connection {
    int fd;              /* -1: nobody is connected */
    bool acknowledge;    /* until QStartNoAckMode */
    bool broken_in;      /* a Ctrl-C came while a packet was being answered */
    uint8_t in[GDB_PACKET_MAX + 64];
    size_t have;         /* of 'in' [bytes] */
    char packet[GDB_PACKET_MAX + 1]; /* the last one, unescaped, with a 0 behind it */
    size_t packet_size;
};

/* Takes one packet or Ctrl-C out of what has arrived; waits up to 'milliseconds' for more (0: not at all). */
enum gdb_input gdb_receive(struct gdb_connection *, int milliseconds);
void gdb_send(struct gdb_connection *, const char *data, size_t size);
void gdb_send_text(struct gdb_connection *, const char *text);
/* The parser alone, for tests and the fuzzer: consumes from 'in'. */
enum gdb_input gdb_parse(struct gdb_connection *);

/* Hexadecimal, two digits a byte.  'from' returns how many bytes were read. */
size_t gdb_hex_to(char *to, const void *bytes, size_t size);
size_t gdb_hex_from(void *to, size_t size, const char *text);

#endif
