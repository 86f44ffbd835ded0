/* Saving, restoring and hashing machine state; see state.h.
 *
 * A saved state is a flat run of bytes in visiting order; a part is a 32-bit
 * length and its name.  A hash is fed the bytes a save would write, or for large
 * state (memory) the visitor's digest of them, so equal saves have equal hashes
 * and the reverse (but for collisions).
 */
#include "sim/base/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum { MESSAGE_SIZE = 256, PART_NAME_MAX = 64 };

struct state {
    enum state_mode mode;
    bool reset;                   /* STATE_LOAD only */
    bool failed;
    char message[MESSAGE_SIZE];   /* the first complaint */
    char part[PART_NAME_MAX];     /* the part being visited, for messages */
    XXH3_state_t *hash;           /* STATE_HASH only; owned */
    uint8_t *out;                 /* STATE_SAVE only; owned until the end */
    size_t out_size;              /* [bytes] used of out_capacity */
    size_t out_capacity;
    const uint8_t *in;            /* STATE_LOAD only; borrowed */
    size_t in_size;               /* [bytes] */
    size_t in_offset;             /* next byte to read */
};

static struct state *
state_new(enum state_mode mode)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s) {
        fputs("hvlab: out of memory while visiting the machine's state\n", stderr);
        abort();
    }
    s->mode = mode;
    return s;
}

enum state_mode
state_mode(const struct state *s)
{
    return s->mode;
}

bool
state_is_reset(const struct state *s)
{
    return s->reset;
}

bool
state_failed(const struct state *s)
{
    return s->failed;
}

void
state_fail(struct state *s, const char *format, ...)
{
    if (s->failed) {
        return;
    }
    s->failed = true;
    int used = 0;
    if (s->part[0]) {
        used = snprintf(s->message, sizeof s->message, "%s: ", s->part);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(s->message + used, sizeof s->message - (size_t)used, format, args);
    va_end(args);
}

static void
save_bytes(struct state *s, const void *p, size_t size)
{
    if (size > s->out_capacity - s->out_size) {
        size_t capacity = s->out_capacity ? s->out_capacity : 65536;
        while (capacity - s->out_size < size) {
            capacity *= 2;
        }
        uint8_t *out = realloc(s->out, capacity);
        if (!out) {
            state_fail(s, "not enough memory to save the state");
            return;
        }
        s->out = out;
        s->out_capacity = capacity;
    }
    memcpy(s->out + s->out_size, p, size);
    s->out_size += size;
}

static void
load_bytes(struct state *s, void *p, size_t size)
{
    if (size > s->in_size - s->in_offset) {
        state_fail(s, "the saved state ends at byte %zu, %zu more were expected", s->in_size,
                   size - (s->in_size - s->in_offset));
        return;
    }
    memcpy(p, s->in + s->in_offset, size);
    s->in_offset += size;
}

void
state_bytes(struct state *s, void *p, size_t size)
{
    if (s->failed || size == 0) {
        return;
    }
    switch (s->mode) {
    case STATE_SAVE:
        save_bytes(s, p, size);
        break;
    case STATE_LOAD:
        load_bytes(s, p, size);
        break;
    case STATE_HASH:
        XXH3_64bits_update(s->hash, p, size);
        break;
    }
}

void
state_bools(struct state *s, void *p, size_t size)
{
    uint8_t *byte = p; /* looked at as bytes: an invalid bool must not be read as one */
    state_bytes(s, p, size);
    for (size_t i = 0; i < size && s->mode == STATE_LOAD; i++) {
        if (byte[i] > 1) {
            state_fail(s, "a flag is %u", byte[i]);
            byte[i] = 0;
        }
    }
}

void
state_part(struct state *s, const char *name)
{
    uint32_t length = (uint32_t)strlen(name);
    assert(length < PART_NAME_MAX);
    if (s->mode != STATE_LOAD) {
        char copy[PART_NAME_MAX];
        memcpy(copy, name, length);
        STATE_VISIT(s, length);
        state_bytes(s, copy, length);
    } else {
        char found[PART_NAME_MAX] = "";
        uint32_t found_length = 0;
        STATE_VISIT(s, found_length);
        if (found_length >= PART_NAME_MAX) {
            state_fail(s, "part '%s' expected, found no part at byte %zu", name, s->in_offset);
        }
        state_bytes(s, found, found_length);
        if (!s->failed && (found_length != length || memcmp(found, name, length) != 0)) {
            state_fail(s, "part '%s' expected, found '%.*s'", name, (int)found_length, found);
        }
    }
    snprintf(s->part, sizeof s->part, "%s", name);
}

/* --- beginning and ending ------------------------------------------------- */

struct state *
state_new_hash(void)
{
    struct state *s = state_new(STATE_HASH);
    s->hash = XXH3_createState();
    if (!s->hash) {
        fputs("hvlab: out of memory while hashing the machine's state\n", stderr);
        abort();
    }
    XXH3_64bits_reset(s->hash);
    return s;
}

uint64_t
state_hash_end(struct state *s)
{
    assert(s->mode == STATE_HASH);
    uint64_t digest = XXH3_64bits_digest(s->hash);
    XXH3_freeState(s->hash);
    free(s);
    return digest;
}

uint64_t
state_digest(const void *p, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, size, seed);
}

struct state *
state_new_save(void)
{
    return state_new(STATE_SAVE);
}

void
state_save_end(struct state *s, uint8_t **bytes, size_t *size)
{
    assert(s->mode == STATE_SAVE);
    if (s->failed) { /* nothing half-saved leaves this function */
        free(s->out);
        s->out = NULL;
        s->out_size = 0;
    }
    *bytes = s->out;
    *size = s->out_size;
    free(s);
}

struct state *
state_new_load(const uint8_t *bytes, size_t size)
{
    struct state *s = state_new(STATE_LOAD);
    s->in = bytes;
    s->in_size = size;
    return s;
}

struct state *
state_new_reset(const uint8_t *bytes, size_t size)
{
    struct state *s = state_new_load(bytes, size);
    s->reset = true;
    return s;
}

char *
state_load_end(struct state *s)
{
    assert(s->mode == STATE_LOAD);
    if (!s->failed && s->in_offset != s->in_size) {
        state_fail(s, "%zu bytes follow the end of the state", s->in_size - s->in_offset);
    }
    char *message = s->failed ? strdup(s->message) : NULL;
    free(s);
    return message;
}
