#include "sim/cli/restart.h"

#include "sim/cli/boot_images.h"
#include "sim/machine.h"
#include "sim/platform/board.h"

static bool
restart_from(struct machine *m, struct machine *fresh, const struct board *board, const struct boot_options *o, char *error,
             size_t error_size)
{
    struct board_config config = o->board;
    config.like = board;
    struct board *second = board_new(fresh, &config, error, (unsigned)error_size);
    uint64_t images = o->images;
    bool good = second && boot_images_load(fresh, o, &images, error, error_size) &&
                machine_reset(m, fresh, error, (unsigned)error_size);
    board_free(second);
    return good;
}

bool
restart(struct machine *m, const struct board *board, const struct boot_options *o, char *error, size_t error_size)
{
    struct machine_config config = o->machine;
    config.start = m->now;
    struct machine *fresh = machine_new(&config, error, (unsigned)error_size);
    bool good = fresh && restart_from(m, fresh, board, o, error, error_size);
    machine_free(fresh);
    return good;
}
