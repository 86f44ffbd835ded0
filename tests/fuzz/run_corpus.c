/* Drives a fuzz target without libFuzzer: seeds from files given as arguments,
 * then a fixed pseudo-random stream, so that every build runs every parser.
 *
 *   fuzz_x [--seconds N | --runs N] [file...]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4096, DEFAULT_RUNS = 20000, SEEDS_MAX = 256 };

struct seed { uint8_t *bytes; size_t size; };

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static struct seed read_seed(const char *path)
{
    struct seed seed = { malloc(INPUT_MAX), 0 };
    FILE *in = fopen(path, "rb");
    if (!in || !seed.bytes) {
        perror(path);
        exit(2);
    }
    seed.size = fread(seed.bytes, 1, INPUT_MAX, in);
    fclose(in);
    return seed;
}

/* A seed with a few bytes changed, cut or repeated; or plain noise. */
static size_t make_input(uint8_t *to, const struct seed *seeds, size_t count,
                         uint64_t *state)
{
    size_t size = next_random(state) % 512;
    if (count == 0 || next_random(state) % 8 == 0) {
        for (size_t i = 0; i < size; i++)
            to[i] = (uint8_t)next_random(state);
        return size;
    }
    const struct seed *seed = &seeds[next_random(state) % count];
    size = seed->size;
    memcpy(to, seed->bytes, size);
    for (unsigned n = next_random(state) % 8; n > 0 && size > 0; n--)
        to[next_random(state) % size] = (uint8_t)next_random(state);
    if (size > 0 && next_random(state) % 4 == 0)
        size = next_random(state) % size;
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t input[INPUT_MAX];
    struct seed seeds[SEEDS_MAX];
    size_t seed_count = 0;
    unsigned long runs = DEFAULT_RUNS, seconds = 0, done = 0;
    uint64_t state = 0x9e3779b97f4a7c15u;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--runs") && i + 1 < argc)
            runs = strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
            seconds = strtoul(argv[++i], NULL, 10);
        else if (seed_count < SEEDS_MAX)
            seeds[seed_count++] = read_seed(argv[i]);
    }
    for (size_t i = 0; i < seed_count; i++, done++)
        LLVMFuzzerTestOneInput(seeds[i].bytes, seeds[i].size);
    for (time_t end = time(NULL) + (time_t)seconds;
         seconds ? time(NULL) < end : done < runs; done++)
        LLVMFuzzerTestOneInput(input,
                               make_input(input, seeds, seed_count, &state));
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    printf("%lu inputs, no crash\n", done);
    return 0;
}
