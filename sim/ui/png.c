#include "sim/ui/png.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORED_MAX = 65535, ADLER = 65521 };

struct chunk {
    uint8_t *bytes; /* length, type, data, checksum */
    size_t size;
};

static uint32_t
crc(const uint8_t *bytes, size_t size)
{
    uint32_t c = ~0u;
    for (size_t i = 0; i < size; i++) {
        c ^= bytes[i];
        for (unsigned k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

static void
put32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool
chunk_write(FILE *out, const char *type, const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 12);
    if (!bytes)
        return false;
    put32(bytes, (uint32_t)size);
    memcpy(bytes + 4, type, 4);
    if (size)
        memcpy(bytes + 8, data, size);
    put32(bytes + 8 + size, crc(bytes + 4, size + 4));
    bool good = fwrite(bytes, 1, size + 12, out) == size + 12;
    free(bytes);
    return good;
}

/* Rows, each with filter type 0 before it. */
static void
rows_fill(uint8_t *to, const uint32_t *pixels, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++) {
        *to++ = 0;
        for (uint32_t x = 0; x < width; x++, pixels++) {
            *to++ = (uint8_t)(*pixels >> 16);
            *to++ = (uint8_t)(*pixels >> 8);
            *to++ = (uint8_t)*pixels;
        }
    }
}

/* zlib's format with stored blocks: header, blocks of (last, length, its complement, bytes), Adler-32. */
static size_t
zlib_store(uint8_t *to, const uint8_t *from, size_t size)
{
    uint8_t *at = to;
    uint32_t a = 1, b = 0;
    *at++ = 0x78;
    *at++ = 0x01;
    for (size_t done = 0; done < size;) {
        size_t n = size - done < STORED_MAX ? size - done : STORED_MAX;
        *at++ = done + n == size;
        *at++ = (uint8_t)n;
        *at++ = (uint8_t)(n >> 8);
        *at++ = (uint8_t)~n;
        *at++ = (uint8_t)(~n >> 8);
        memcpy(at, from + done, n);
        for (size_t i = 0; i < n; i++) {
            a = (a + at[i]) % ADLER;
            b = (b + a) % ADLER;
        }
        at += n;
        done += n;
    }
    put32(at, b << 16 | a);
    return (size_t)(at + 4 - to);
}

static bool
write_all(FILE *out, const uint32_t *pixels, uint32_t width, uint32_t height)
{
    static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n' };
    size_t raw_size = (size_t)height * (1 + 3 * (size_t)width);
    uint8_t *raw = malloc(raw_size), *packed = malloc(raw_size + 5 * (raw_size / STORED_MAX + 1) + 6), header[13] = { 0 };
    bool good = raw && packed;
    if (good) {
        put32(header, width);
        put32(header + 4, height);
        header[8] = 8; /* bits */
        header[9] = 2; /* red, green, blue */
        rows_fill(raw, pixels, width, height);
        good = fwrite(signature, 1, 8, out) == 8 && chunk_write(out, "IHDR", header, sizeof header) &&
               chunk_write(out, "IDAT", packed, zlib_store(packed, raw, raw_size)) && chunk_write(out, "IEND", NULL, 0);
    }
    free(raw);
    free(packed);
    return good;
}

bool
png_write(const char *path, const uint32_t *pixels, uint32_t width, uint32_t height)
{
    FILE *out = fopen(path, "wb");
    if (!out)
        return false;
    bool good = write_all(out, pixels, width, height);
    return fclose(out) == 0 && good;
}
