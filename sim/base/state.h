/* Saving, restoring and hashing machine state: one description, three uses.
 *
 * Every device and core describes its architectural and timing state once, in
 * a function `x_state(struct x *, struct state *)` that visits each field in
 * a fixed order.  The same visit writes a snapshot, reads one back, or feeds
 * the machine's state hash, depending on the mode of the `struct state`.
 *
 * Complications.  First, only plain values are visited: no pointers, no host
 * addresses, no padding bytes, no caches that can be rebuilt (soft TLB,
 * decoded code).  Second, what is rebuilt must be dropped by the visitor when
 * `state_is_load()` is true.  Third, variable-sized state visits its count
 * first, and a loaded count must be checked against its limit; `state_fail`
 * records the first complaint and makes all later visits no-ops.
 */
#ifndef SIM_BASE_STATE_H
#define SIM_BASE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state; /* owned by whoever began the visit; opaque */

enum state_mode { STATE_SAVE, STATE_LOAD, STATE_HASH };

enum state_mode state_mode(const struct state *);
static inline bool state_is_load(const struct state *s)
{
    return state_mode(s) == STATE_LOAD;
}

/* Also a load, of the state of a machine that was just built, into one that is reset: what outlives a reset (a battery-backed
 * clock, disks, bytes on their way from outside) visits as in any load and then keeps what it had. */
bool state_is_reset(const struct state *);

/* Begins a named part, e.g. "cpu0" or "nic".  A load checks that the name is
 * the one that was saved; the name also labels per-part hashes. */
void state_part(struct state *, const char *name);

/* Visits 'size' [bytes] at 'p'.  Host endianness must be little. */
void state_bytes(struct state *, void *p, size_t size);

/* The same for one or several bools: what is loaded must be 0 or 1. */
void state_bools(struct state *, void *p, size_t size);

/* For one scalar, an array of scalars, or a struct without padding (and without bools). */
#define STATE_VISIT(s, lvalue) \
    _Generic((lvalue), bool: state_bools, bool *: state_bools, default: state_bytes)((s), &(lvalue), sizeof(lvalue))

/* Records that the state being loaded is unusable (or cannot be saved). */
void state_fail(struct state *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool state_failed(const struct state *);

/* --- beginning and ending a visit ---------------------------------------- */

struct state *state_new_hash(void);
uint64_t state_hash_end(struct state *);               /* frees; XXH3-64 */
/* XXH3-64 of bytes by themselves, for a visitor that remembers hashes of large state. */
uint64_t state_digest(const void *, size_t size, uint64_t seed);
struct state *state_new_save(void);                    /* grows in memory */
/* Frees; '*bytes' is malloc'ed for the caller, '*size' its length [bytes]. */
void state_save_end(struct state *, uint8_t **bytes, size_t *size);
struct state *state_new_load(const uint8_t *bytes, size_t size); /* borrows */
struct state *state_new_reset(const uint8_t *bytes, size_t size); /* borrows */
/* Frees; returns NULL on success, else a malloc'ed message for the caller. */
char *state_load_end(struct state *);

#endif
