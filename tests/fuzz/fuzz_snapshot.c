/* Snapshots: a machine loads damaged state or refuses it, and survives both.
 *
 * A real snapshot of a small machine is changed where the input says; random
 * bytes alone would not get past the first part's name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct machine_config config = { .ram_size = 1 << 20, .cpu_count = 1, .quantum = 1000, .vtx = true };

static void
save(uint8_t **bytes, size_t *size)
{
    char error[256];
    struct machine *m = machine_new(&config, error, sizeof error);
    struct state *s = state_new_save();
    if (!m)
        abort();
    machine_state(m, s);
    state_save_end(s, bytes, size);
    machine_free(m);
}

static void
load(const uint8_t *bytes, size_t size)
{
    char error[256];
    struct machine *m = machine_new(&config, error, sizeof error);
    struct state *s = state_new_load(bytes, size);
    if (!m)
        abort();
    machine_state(m, s);
    char *complaint = state_load_end(s);
    if (!complaint)
        machine_hash(m); /* what was taken must be usable */
    free(complaint);
    machine_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *whole; /* made once; every input starts from it */
    static size_t whole_size;
    if (!whole)
        save(&whole, &whole_size);
    uint8_t *changed = malloc(whole_size);
    size_t length = whole_size;
    memcpy(changed, whole, whole_size);
    for (size_t i = 0; i + 5 <= size && i < 40; i += 5) {
        uint32_t at;
        memcpy(&at, data + i, 4);
        changed[at % whole_size] ^= data[i + 4];
    }
    if (size % 7 == 3)
        length = size * 31 % whole_size;
    load(changed, length);
    free(changed);
    return 0;
}
