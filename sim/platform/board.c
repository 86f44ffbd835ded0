/* Devices beyond the chipset; see board.h. */
#include "sim/platform/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/platform/disk.h"
#include "sim/platform/edu.h"
#include "sim/platform/fw_cfg.h"
#include "sim/platform/input.h"
#include "sim/platform/nvme.h"
#include "sim/platform/test_devices.h"
#include "sim/platform/vga.h"
#include "sim/platform/virtio_console.h"

struct board {
    struct fw_cfg *fw_cfg;
    struct input *input;
    struct vga *vga;
    struct test_devices *test_devices;
    struct edu *edu;
    struct virtio_console *console;
    struct disk *disk[BOARD_DRIVES_MAX];
    struct nvme *nvme[BOARD_DRIVES_MAX];
};

/* "FILE" or "FILE,write". */
static struct disk *
drive_open(const char *text, char *error, unsigned error_size)
{
    char path[4096];
    const char *comma = strrchr(text, ',');
    bool write = comma && strcmp(comma, ",write") == 0;
    size_t length = write ? (size_t)(comma - text) : strlen(text);
    if (length >= sizeof path) {
        snprintf(error, error_size, "a drive's file name is too long");
        return NULL;
    }
    memcpy(path, text, length);
    path[length] = 0;
    return disk_open(path, write, error, error_size);
}

static bool
console_build(struct board *b, struct machine *m)
{
    b->console = virtio_console_new(m);
    if (b->console) {
        input_to(b->input, b->console);
    }
    return b->console != NULL;
}

static bool
drives_build(struct board *b, struct machine *m, const struct board_config *config, char *error, unsigned error_size)
{
    for (unsigned i = 0; i < config->drive_count; i++) {
        b->disk[i] = config->like ? disk_blank(disk_sectors(config->like->disk[i])) : drive_open(config->drive[i], error, error_size);
        if (!b->disk[i]) {
            return false;
        }
        b->nvme[i] = nvme_new(m, pci_slot_new(m->pci), i, b->disk[i]);
        if (!b->nvme[i]) {
            return false;
        }
    }
    return true;
}

struct board *
board_new(struct machine *m, const struct board_config *config, char *error, unsigned error_size)
{
    struct board *b = calloc(1, sizeof *b);
    snprintf(error, error_size, "not enough host memory for the board's devices");
    if (b && (b->fw_cfg = fw_cfg_new(m)) && (b->input = input_new(m)) &&
        (!m->config.display_text || (b->vga = vga_new(m))) &&
        (config->no_test_devices || (b->test_devices = test_devices_new(m))) &&
        (!config->edu || (b->edu = edu_new(m))) && (!config->virtio_console || console_build(b, m)) &&
        drives_build(b, m, config, error, error_size)) {
        return b;
    }
    board_free(b);
    return NULL;
}

void
board_free(struct board *b)
{
    if (b) {
        for (unsigned i = 0; i < BOARD_DRIVES_MAX; i++) {
            nvme_free(b->nvme[i]);
            disk_close(b->disk[i]);
        }
        input_free(b->input);
        vga_free(b->vga);
        fw_cfg_free(b->fw_cfg);
        edu_free(b->edu);
        virtio_console_free(b->console);
        test_devices_free(b->test_devices);
        free(b);
    }
}

const struct vga *
board_vga(const struct board *b)
{
    return b->vga;
}

struct input *
board_input(struct board *b)
{
    return b->input;
}

void
board_set_console(struct board *b, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    if (b->test_devices) {
        test_devices_set_console(b->test_devices, output, ctx);
    }
    if (b->console) {
        virtio_console_set_output(b->console, output, ctx);
    }
}
