#include "sim/debug/gdb_packet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t gdb_hex_to(char *to, const void *bytes, size_t size)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *from = bytes;

    for (size_t i = 0; i < size; i++) {
        to[2 * i] = digit[from[i] >> 4];
        to[2 * i + 1] = digit[from[i] & 15];
    }
    to[2 * size] = '\0';
    return 2 * size;
}

size_t gdb_hex_from(void *to, size_t size, const char *text)
{
    uint8_t *bytes = to;
    size_t n = 0;

    while (n < size && hex_digit(text[2 * n]) >= 0 && hex_digit(text[2 * n + 1]) >= 0) {
        bytes[n] = (uint8_t)(hex_digit(text[2 * n]) << 4 | hex_digit(text[2 * n + 1]));
        n++;
    }
    return n;
}

static void put(struct gdb_connection *c, const void *bytes, size_t size)
{
    const char *from = bytes;

    while (size && c->fd >= 0) {
        ssize_t n = send(c->fd, from, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            close(c->fd);
            c->fd = -1;
            return;
        }
        from += n;
        size -= (size_t)n;
    }
}

void gdb_send(struct gdb_connection *c, const char *data, size_t size)
{
    char out[2 * GDB_PACKET_MAX + 8];
    size_t n = 0;
    uint8_t sum = 0;

    if (size > GDB_PACKET_MAX) {
        size = GDB_PACKET_MAX;
    }
    out[n++] = '$';
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '#' || data[i] == '$' || data[i] == '}' || data[i] == '*') {
            out[n++] = '}';
            sum += '}';
            out[n++] = data[i] ^ 0x20;
        } else {
            out[n++] = data[i];
        }
        sum += (uint8_t)out[n - 1];
    }
    out[n++] = '#';
    n += gdb_hex_to(out + n, &sum, 1);
    put(c, out, n);
}

void gdb_send_text(struct gdb_connection *c, const char *text)
{
    gdb_send(c, text, strlen(text));
}

static void consume(struct gdb_connection *c, size_t bytes)
{
    c->have -= bytes;
    memmove(c->in, c->in + bytes, c->have);
}

/* 'in' begins with '$': the packet, if it is complete. */
static enum gdb_input parse_packet(struct gdb_connection *c)
{
    const uint8_t *hash = memchr(c->in, '#', c->have);
    uint8_t sum = 0, told;

    if (!hash || (size_t)(hash - c->in) + 3 > c->have) {
        if (c->have == sizeof c->in) { /* longer than what gdb was told */
            c->have = 0;
        }
        return GDB_NOTHING;
    }
    size_t end = (size_t)(hash - c->in);
    c->packet_size = 0;
    for (size_t i = 1; i < end && c->packet_size < GDB_PACKET_MAX; i++) {
        sum += c->in[i];
        if (c->in[i] == '}' && i + 1 < end) {
            sum += c->in[++i];
            c->packet[c->packet_size++] = (char)(c->in[i] ^ 0x20);
        } else {
            c->packet[c->packet_size++] = (char)c->in[i];
        }
    }
    c->packet[c->packet_size] = '\0';
    const char digits[3] = { (char)hash[1], (char)hash[2], 0 };
    bool good = gdb_hex_from(&told, 1, digits) == 1 && told == sum;
    consume(c, end + 3);
    if (c->acknowledge) {
        put(c, good ? "+" : "-", 1);
    }
    return good ? GDB_PACKET : GDB_NOTHING;
}

enum gdb_input gdb_parse(struct gdb_connection *c)
{
    while (c->have) {
        if (c->in[0] == 3) {
            consume(c, 1);
            return GDB_BREAK;
        }
        if (c->in[0] == '$') {
            size_t before = c->have;
            enum gdb_input input = parse_packet(c);
            if (input != GDB_NOTHING || c->have == before) {
                return input;
            }
        } else {
            consume(c, 1); /* acknowledgements and noise */
        }
    }
    return GDB_NOTHING;
}

enum gdb_input gdb_receive(struct gdb_connection *c, int milliseconds)
{
    for (;;) {
        enum gdb_input input = gdb_parse(c);
        if (input != GDB_NOTHING) {
            return input;
        }
        if (c->fd < 0) {
            return GDB_GONE;
        }
        struct pollfd p = { .fd = c->fd, .events = POLLIN };
        int ready = poll(&p, 1, milliseconds);
        if (ready <= 0) {
            return GDB_NOTHING;
        }
        ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            close(c->fd);
            c->fd = -1;
            return GDB_GONE;
        }
        c->have += n > 0 ? (size_t)n : 0;
    }
}
