#include "sim/cli/nearest.h"

#include <string.h>

enum { WORD_MAX = 64 };

static unsigned
minimum(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Levenshtein distance; words are compared by their first WORD_MAX characters. */
static unsigned
distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1];
    size_t length = strnlen(b, WORD_MAX);
    for (unsigned j = 0; j <= length; j++)
        row[j] = j;
    for (unsigned i = 0; a[i] && i < WORD_MAX; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned j = 0; j < length; j++) {
            unsigned substitute = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = minimum(substitute, 1 + minimum(row[j], row[j + 1]));
        }
    }
    return row[length];
}

const char *
nearest(const char *word, const char *const *names)
{
    const char *best = names[0];
    for (; *names; names++)
        if (distance(word, *names) < distance(word, best))
            best = *names;
    return best;
}
