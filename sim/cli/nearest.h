/* The name a person probably meant: smallest edit distance. */
#ifndef SIM_CLI_NEAREST_H
#define SIM_CLI_NEAREST_H

#include <stddef.h>

/* 'names' ends with NULL and has at least one entry. */
const char *nearest(const char *word, const char *const *names);

/* For the end of a message about 'word': "; did you mean 'NAME'?" where one is near or begins
 * with it, else "; there are NAME, NAME, ..." where they are few, else nothing.  Returns 'text'. */
const char *nearest_hint(const char *word, const char *const *names, char *text, size_t size);

#endif
