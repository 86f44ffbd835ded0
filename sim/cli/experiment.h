/* An experiment: what a YAML file and --set options say, checked.
 *
 * One table (experiment.c) holds every setting: name, kind, limits, default
 * and one line of help; the parser, --set, `hvlab run --help` and the
 * messages for mistakes all read it.  Files are flat mappings from a setting
 * to a scalar or a list of scalars.
 */
#ifndef SIM_CLI_EXPERIMENT_H
#define SIM_CLI_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum placement { PLACEMENT_MICROKERNEL, PLACEMENT_MONOLITHIC, PLACEMENT_COUNT };
enum io_path { IO_PATH_VMBUS, IO_PATH_VMQ, IO_PATH_SRIOV, IO_PATH_COUNT };
enum timing_mode { TIMING_FUNCTIONAL, TIMING_APPROX, TIMING_COUNT };

enum { EXPERIMENT_TEXT_MAX = 512, EXPERIMENT_CHILDREN_MAX = 16 };
typedef char experiment_text[EXPERIMENT_TEXT_MAX];

struct experiment {
    experiment_text name;
    experiment_text capture;     /* path; relative ones in a file are relative to that file */
    experiment_text endpoint;    /* "auto" or a MAC address */
    uint64_t placements;         /* bit per enum placement */
    uint64_t io_paths;           /* bit per enum io_path */
    uint64_t timing;             /* [enum timing_mode] */
    uint64_t tier;               /* [enum machine_tier] */
    double speed;                /* times are divided by it */
    uint64_t max_gap_ns;
    uint64_t lossless;           /* bool */
    uint64_t mtu;                /* [bytes]; 0 = auto */
    uint64_t processors;
    uint64_t memory;             /* [bytes] */
    uint64_t quantum;            /* [cycles] */
    uint64_t vtx;                /* bool: the machine has VT-x */
    uint64_t children;
    uint64_t child_memory;       /* [bytes] */
    experiment_text workloads;   /* comma-separated, one per child; the last repeats */
    experiment_text root_lp;     /* "any" or a processor number */
    experiment_text child_lps;   /* comma-separated; "any" or numbers; the last repeats */
    uint64_t moderation_us;
    uint64_t switch_capture;     /* bool */
    experiment_text switch_filter;
    uint64_t trace;              /* bool: write CTF */
    uint64_t pcapng;             /* bool: write a capture per port */
    uint64_t hash_every_ms;      /* state hash in the input log every so many virtual ms; 0 = auto */
    uint64_t crosscheck;         /* every Nth block; 0 = off */
    uint64_t patience_ms;        /* virtual time without progress before a run is given up */
};

void experiment_defaults(struct experiment *);
/* Both return false with a message that names file and line (or the option)
 * and the nearest valid name. */
bool experiment_read(struct experiment *, const char *path, char *error, size_t error_size);
bool experiment_set(struct experiment *, const char *assignment, char *error, size_t error_size); /* "key=value" */
/* Checks that span settings. */
bool experiment_check(const struct experiment *, char *error, size_t error_size);
/* One line per setting, for --help. */
void experiment_help(FILE *);
/* Writes every setting as YAML, so that a run's folder says how it was made. */
void experiment_write(const struct experiment *, FILE *);

const char *placement_name(enum placement);
const char *io_path_name(enum io_path);
const char *timing_mode_name(enum timing_mode);
bool mac_parse(const char *text, uint8_t mac[6]);

#endif
