#include "tests/bench/workload/workload.h"

#include <stddef.h>

/* x86-64's own vector types; no header, the guest has none. */
typedef float v4sf __attribute__((vector_size(16)));
typedef int32_t v4si __attribute__((vector_size(16)));
typedef uint32_t v4su __attribute__((vector_size(16)));
typedef int8_t v16qi __attribute__((vector_size(16)));
typedef int64_t v2di __attribute__((vector_size(16)));

static uint64_t
mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9e3779b97f4a7c15 + (hash >> 29);
}

static uint64_t
bits_of(double v)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* --- scalar doubles: five bodies attract each other --------------------------------------------- */

enum { BODIES = 5 };
struct body { double x[3], v[3], mass; };

static double
root(double v)
{
    double r;
    __asm__("sqrtsd %1, %0" : "=x"(r) : "x"(v));
    return r;
}

static void
attract(struct body *a, struct body *b, double dt)
{
    double d[3], square = 0;
    for (unsigned k = 0; k < 3; k++) {
        d[k] = a->x[k] - b->x[k];
        square += d[k] * d[k];
    }
    double strength = dt / (square * root(square));
    for (unsigned k = 0; k < 3; k++) {
        a->v[k] -= d[k] * b->mass * strength;
        b->v[k] += d[k] * a->mass * strength;
    }
}

static uint64_t
planets(unsigned steps)
{
    struct body body[BODIES];
    for (unsigned i = 0; i < BODIES; i++) {
        for (unsigned k = 0; k < 3; k++) {
            body[i].x[k] = (double)(i * 3 + k * k) * 1.25 - 4.0;
            body[i].v[k] = (double)(i + 1) * 0.125 - (double)k * 0.25;
        }
        body[i].mass = i ? 0.001 * i : 39.5;
    }
    for (unsigned s = 0; s < steps; s++) {
        for (unsigned i = 0; i < BODIES; i++) {
            for (unsigned j = i + 1; j < BODIES; j++) {
                attract(&body[i], &body[j], 0.001);
            }
        }
        for (unsigned i = 0; i < BODIES; i++) {
            for (unsigned k = 0; k < 3; k++) {
                body[i].x[k] += 0.001 * body[i].v[k];
            }
        }
    }
    uint64_t hash = 0;
    for (unsigned i = 0; i < BODIES; i++) {
        hash = mix(hash, bits_of(body[i].x[0] + body[i].v[1]));
    }
    return hash;
}

/* --- packed singles: a matrix product -------------------------------------------------------------- */

enum { SIDE = 64 };
static v4sf left[SIDE][SIDE / 4], right[SIDE][SIDE / 4], product[SIDE][SIDE / 4];

static uint64_t
matrix(unsigned times)
{
    for (unsigned i = 0; i < SIDE; i++) {
        for (unsigned k = 0; k < SIDE / 4; k++) {
            float f = (float)(int)(i * 7 + k * 3) * 0.015625f - 1.0f;
            left[i][k] = (v4sf){ f, f * 0.5f, 1.0f - f, 0.25f };
            right[i][k] = (v4sf){ 1.0f - f, 0.75f, f * f, -f };
        }
    }
    for (unsigned t = 0; t < times; t++) {
        for (unsigned i = 0; i < SIDE; i++) {
            for (unsigned j = 0; j < SIDE / 4; j++) {
                v4sf sum = { 0, 0, 0, 0 };
                for (unsigned k = 0; k < SIDE; k++) {
                    float a = left[i][k / 4][k % 4];
                    sum += (v4sf){ a, a, a, a } * right[k][j];
                }
                product[i][j] = sum;
            }
        }
        left[t % SIDE][0] += product[t * 5 % SIDE][1] * 0.001f;
    }
    uint64_t hash = 0;
    for (unsigned i = 0; i < SIDE; i++) {
        v2di v = (v2di)product[i][i % (SIDE / 4)];
        hash = mix(mix(hash, (uint64_t)v[0]), (uint64_t)v[1]);
    }
    return hash;
}

/* --- conversions and compares: how long points stay in Mandelbrot's set -------------------------------- */

static uint64_t
fractal(unsigned side)
{
    uint64_t hash = 0;
    for (unsigned row = 0; row < side; row++) {
        for (unsigned column = 0; column < side; column++) {
            double cx = (double)(int)column * 3.0 / (double)(int)side - 2.0, cy = (double)(int)row * 2.0 / (double)(int)side - 1.0;
            double x = 0, y = 0;
            unsigned n = 0;
            while (x * x + y * y < 4.0 && n < 48) {
                double next = x * x - y * y + cx;
                y = 2.0 * x * y + cy;
                x = next;
                n++;
            }
            hash = mix(hash, n + (uint64_t)(int64_t)(x * 16.0));
        }
    }
    return hash;
}

/* --- bytes: scanning and copying as a C library does ------------------------------------------------------ */

enum { BUFFER = 16384 };
static v16qi from[BUFFER / 16], to[BUFFER / 16];

static unsigned
top_bits(v16qi v)
{
    unsigned mask;
    __asm__("pmovmskb %1, %0" : "=r"(mask) : "x"(v));
    return mask;
}

static unsigned
find(const v16qi *at, int8_t byte)
{
    v16qi wanted = { byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte };
    for (unsigned i = 0;; i += 2) {
        unsigned first = top_bits(at[i] == wanted), second = top_bits(at[i + 1] == wanted);
        if (first | second << 16) {
            return i * 16 + (unsigned)__builtin_ctz(first | second << 16);
        }
    }
}

static uint64_t
bytes(unsigned times)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < BUFFER; i++) {
        ((int8_t *)from)[i] = (int8_t)(i * 37 % 251 % 120 + 1);
    }
    for (unsigned t = 0; t < times; t++) {
        unsigned end = BUFFER - 1 - t * 13 % 1000;
        ((int8_t *)from)[end] = 0;
        hash = mix(hash, find(from, 0));
        for (unsigned i = 0; i < BUFFER / 16; i += 4) {
            v16qi a = from[i], b = from[i + 1], c = from[i + 2], d = from[i + 3];
            to[i] = a;
            to[i + 1] = b;
            to[i + 2] = c;
            to[i + 3] = d;
        }
        hash = mix(hash, find(to, 0));
        ((int8_t *)from)[end] = 1;
    }
    return hash;
}

/* --- packed integers: four generators at once, sums of their bytes ------------------------------------------- */

static v4si
rotated(v4si v)
{
    v4si r;
    __asm__("pshufd $57, %1, %0" : "=x"(r) : "x"(v));
    return r;
}

static uint64_t
integers(unsigned times)
{
    v4si state = { 1, 2, 3, 0x7654321 }, sum = { 0, 0, 0, 0 };
    for (unsigned t = 0; t < times; t++) {
        state ^= state << 13;
        state ^= (v4si)((v4su)state >> 17);
        state ^= state << 5;
        sum += rotated(state);
        sum ^= (v4si)((v16qi)state + (v16qi)sum);
        sum += (state > sum) & (v4si){ 3, 5, 7, 11 };
    }
    v2di s = (v2di)sum;
    return mix((uint64_t)s[0], (uint64_t)s[1]);
}

uint64_t
workload_run(unsigned rounds)
{
    uint64_t hash = 0;
    for (unsigned r = 0; r < rounds; r++) {
        hash = mix(hash, planets(1000 + r));
        hash = mix(hash, matrix(3 + r % 2));
        hash = mix(hash, fractal(60 + r % 8));
        hash = mix(hash, bytes(50 + r));
        hash = mix(hash, integers(20000 + r));
    }
    return hash;
}
