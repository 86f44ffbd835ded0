/* The name a person probably meant: smallest edit distance. */
#ifndef SIM_CLI_NEAREST_H
#define SIM_CLI_NEAREST_H

/* 'names' ends with NULL and has at least one entry. */
const char *nearest(const char *word, const char *const *names);

#endif
