#include "sim/cli/nearest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64, FEW = 6 };

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

/* Two slips, or one in a short word: more, and it was another word. */
static bool
is_near(const char *word, const char *name)
{
    size_t length = strlen(word);
    return distance(word, name) <= 1 + length / 3 || (length >= 3 && !strncmp(word, name, length));
}

const char *
nearest_hint(const char *word, const char *const *names, char *text, size_t size)
{
    const char *best = nearest(word, names);
    unsigned count = 0;
    text[0] = 0;
    while (names[count])
        count++;
    for (unsigned i = 0; i < count && !is_near(word, best); i++)
        best = is_near(word, names[i]) ? names[i] : best;
    if (is_near(word, best)) {
        snprintf(text, size, "; did you mean '%s'?", best);
        return text;
    }
    for (unsigned i = 0; count <= FEW && i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i == 0 ? "; there are " : i + 1 < count ? ", " : " and ", names[i]);
    }
    return text;
}
