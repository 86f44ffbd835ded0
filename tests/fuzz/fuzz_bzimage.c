/* Linux kernels: whatever the file says, load_image loads it or refuses it in words.
 *
 * Input: byte 0 picks the protocol asked for (bits 1:0: auto, 64, 32) and whether to start from a good image (bit 2
 * clear) or the input itself; the rest is edits of 4 bytes (offset in the header, value, width) or the image. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/platform/load.h"
#include "spec/platform/linux_boot.h"
#include "tests/unit/platform/bzimage_maker.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
edit(uint8_t *image, const uint8_t *data, size_t size)
{
    for (; size >= 4; data += 4, size -= 4) {
        uint32_t at = LINUX_SETUP_SECTS + (data[0] | (uint32_t)data[1] << 8) % (LINUX_HEADER_END_MAX - LINUX_SETUP_SECTS);
        for (unsigned i = 0; i < 1 + data[3] % 8u; i++) {
            image[at + i] = data[2];
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t image[BZIMAGE_SIZE];
    static const enum load_protocol protocol[4] = { LOAD_AUTO, LOAD_LINUX_64, LOAD_LINUX_32, LOAD_LINUX_64 };
    char error[256] = "";
    if (size == 0) {
        return 0;
    }
    bool raw = data[0] & 4;
    bzimage_make(image);
    edit(image, data + 1, raw ? 0 : size - 1);
    const struct load_module initrd = { "initrd", data, size, NULL };
    const struct load_request request = {
        .name = "fuzz", .bytes = raw ? data + 1 : image, .size = raw ? size - 1 : sizeof image,
        .protocol = protocol[data[0] & 3], .cmdline = "a b c", .initrd = &initrd,
    };
    struct machine *m = fake_machine(1, 8u << 20);
    if (!load_image(m, &request, error, sizeof error) && !error[0]) {
        abort(); /* a refusal without words */
    }
    machine_free(m);
    return 0;
}
