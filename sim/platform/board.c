/* Devices beyond the chipset; see board.h. */
#include "sim/platform/board.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/platform/fw_cfg.h"
#include "sim/platform/test_devices.h"

struct board {
    struct fw_cfg *fw_cfg;
    struct test_devices *test_devices;
};

struct board *
board_new(struct machine *m, const struct board_config *config, char *error, unsigned error_size)
{
    struct board *b = calloc(1, sizeof *b);
    if (b && (b->fw_cfg = fw_cfg_new(m)) &&
        (config->no_test_devices || (b->test_devices = test_devices_new(m)))) {
        return b;
    }
    snprintf(error, error_size, "not enough host memory for the board's devices");
    board_free(b);
    return NULL;
}

void
board_free(struct board *b)
{
    if (b) {
        fw_cfg_free(b->fw_cfg);
        test_devices_free(b->test_devices);
        free(b);
    }
}

void
board_set_console(struct board *b, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    if (b->test_devices) {
        test_devices_set_console(b->test_devices, output, ctx);
    }
}
