#include "tests/bench/workload/workload.h"

enum { TEXT_SIZE = 256 << 10, SORT_COUNT = 20000, MATRIX = 64, HASH_BITS = 14 };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Text-like bytes: words from a small dictionary. */
static void make_text(uint8_t *text, uint64_t *seed)
{
    unsigned at = 0;
    while (at < TEXT_SIZE) {
        uint64_t word = next_random(seed) % 500;
        unsigned length = 2 + word % 7;
        for (unsigned i = 0; i < length && at < TEXT_SIZE; i++) {
            text[at++] = (uint8_t)('a' + (word * 7 + i * i * 3) % 26);
        }
        if (at < TEXT_SIZE) {
            text[at++] = ' ';
        }
    }
}

/* LZ77 with a hash of four bytes, in the manner of LZ4. Returns the compressed size. */
static unsigned compress(const uint8_t *text, uint8_t *out, uint32_t *table)
{
    unsigned at = 0, made = 0, literal = 0;
    for (unsigned i = 0; i < 1u << HASH_BITS; i++) {
        table[i] = 0;
    }
    while (at + 8 < TEXT_SIZE) {
        uint32_t four = text[at] | (uint32_t)text[at + 1] << 8 | (uint32_t)text[at + 2] << 16 | (uint32_t)text[at + 3] << 24;
        uint32_t hash = four * 2654435761u >> (32 - HASH_BITS), candidate = table[hash];
        table[hash] = at;
        unsigned length = 0;
        if (candidate && at - candidate < 65536) {
            while (at + length < TEXT_SIZE && text[candidate + length] == text[at + length] && length < 255) {
                length++;
            }
        }
        if (length < 4) {
            at++;
            continue;
        }
        out[made++] = (uint8_t)(at - literal);
        while (literal < at) {
            out[made++] = text[literal++];
        }
        out[made++] = (uint8_t)length;
        out[made++] = (uint8_t)(at - candidate);
        out[made++] = (uint8_t)((at - candidate) >> 8);
        at += length;
        literal = at;
    }
    return made;
}

static uint32_t crc32(const uint8_t *data, unsigned size, uint32_t *table)
{
    uint32_t crc = ~0u;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int k = 0; k < 8; k++) {
            v = v & 1 ? v >> 1 ^ 0xedb88320u : v >> 1;
        }
        table[i] = v;
    }
    for (unsigned i = 0; i < size; i++) {
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    }
    return ~crc;
}

static uint64_t hash64(const uint8_t *data, unsigned size)
{
    uint64_t h = 14695981039346656037ull;
    for (unsigned i = 0; i + 8 <= size; i += 8) {
        uint64_t v = 0;
        for (int k = 7; k >= 0; k--) {
            v = v << 8 | data[i + (unsigned)k];
        }
        h = (h ^ v) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    return h;
}

static void sort(int32_t *a, int low, int high)
{
    while (low < high) {
        int i = low, j = high;
        int32_t pivot = a[low + (high - low) / 2];
        while (i <= j) {
            while (a[i] < pivot) {
                i++;
            }
            while (a[j] > pivot) {
                j--;
            }
            if (i <= j) {
                int32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        if (j - low < high - i) {
            sort(a, low, j);
            low = i;
        } else {
            sort(a, i, high);
            high = j;
        }
    }
}

static uint64_t multiply(uint32_t *a, uint32_t *b, uint32_t *c, uint64_t *seed)
{
    uint64_t sum = 0;
    for (int i = 0; i < MATRIX * MATRIX; i++) {
        a[i] = (uint32_t)next_random(seed);
        b[i] = (uint32_t)next_random(seed);
    }
    for (int i = 0; i < MATRIX; i++) {
        for (int j = 0; j < MATRIX; j++) {
            uint32_t dot = 0;
            for (int k = 0; k < MATRIX; k++) {
                dot += a[i * MATRIX + k] * b[k * MATRIX + j];
            }
            c[i * MATRIX + j] = dot;
            sum = sum * 31 + dot;
        }
    }
    return sum;
}

uint64_t workload_run(unsigned rounds)
{
    static _Alignas(64) uint8_t scratch[4 << 20];
    uint8_t *text = scratch, *packed = scratch + (1 << 20);
    uint32_t *table = (uint32_t *)(scratch + (2 << 20));
    int32_t *numbers = (int32_t *)(scratch + (3 << 20));
    uint32_t *matrix = (uint32_t *)(scratch + (3 << 20) + (512 << 10));
    uint64_t seed = 88172645463325252ull, sum = 0;

    for (unsigned round = 0; round < rounds; round++) {
        make_text(text, &seed);
        unsigned size = compress(text, packed, table);
        sum = sum * 3 + crc32(packed, size, table) + hash64(text, TEXT_SIZE);
        for (int i = 0; i < SORT_COUNT; i++) {
            numbers[i] = (int32_t)next_random(&seed);
        }
        sort(numbers, 0, SORT_COUNT - 1);
        sum += (uint64_t)numbers[SORT_COUNT / 2];
        sum ^= multiply(matrix, matrix + MATRIX * MATRIX, matrix + 2 * MATRIX * MATRIX, &seed);
    }
    return sum;
}
