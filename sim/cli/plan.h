/* From an experiment to runs: capture read, addresses given out, one
 * testbed configuration per placement and I/O path.
 *
 * A plan owns everything its testbed configurations point to; it must outlive
 * the testbeds made from them.
 */
#ifndef SIM_CLI_PLAN_H
#define SIM_CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/cli/experiment.h"
#include "sim/lab/testbed.h"
#include "traces/capture.h"

enum { PLAN_RUNS_MAX = PLACEMENT_COUNT * IO_PATH_COUNT, PLAN_PATH_MAX = 4096, PLAN_CONFIG_MAX = 8192 };

struct plan_run {
    enum placement placement;
    enum io_path io_path;
    char name[64];                        /* "microkernel-vmbus", the run's folder */
    char hv_image[PLAN_PATH_MAX], root_image[PLAN_PATH_MAX], child_image[PLAN_PATH_MAX];
    char config_text[PLAN_CONFIG_MAX];
};

struct plan {
    struct experiment experiment;
    struct capture *capture;
    struct schedule *schedule;
    uint8_t mac[EXPERIMENT_CHILDREN_MAX][6];
    uint32_t mtu;                         /* [bytes] */
    struct plan_run run[PLAN_RUNS_MAX];
    unsigned run_count;
};

/* NULL with a message. 'images' is the folder of the software's images.  The
 * plan's experiment has the memory that the capture needs, if that is more than was asked for. */
struct plan *plan_new(const struct experiment *, const char *images, char *error, size_t error_size);
void plan_free(struct plan *);
/* A testbed configuration without folders, console and listener. */
struct testbed_config plan_testbed(const struct plan *, const struct plan_run *);

#endif
