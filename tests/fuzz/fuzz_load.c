/* Boot images: whatever the file says, load_image loads it or refuses it in words.
 *
 * Input: byte 0 picks a well-formed image to start from (bits 2:0 0-3) or the
 * input itself (4), how many edits (5:3) and the protocol asked for (7:6); the
 * rest is edits of 4 bytes: offset (16 bits), value, width. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/platform/elf_image.h"
#include "sim/platform/load.h"
#include "tests/unit/platform/elf_maker.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
make(struct elf_maker *e, unsigned kind)
{
    if (kind & 1) {
        elf_make_32(e);
    } else {
        elf_make_64(e);
    }
    static const uint32_t tags[] = { 2, 24, 0x301000, 0x300000, 0x302000, 0x303000, 3, 12, 0x301040, 0,
                                     1, 16, 4, 6 };
    if (kind & 2) {
        elf_put_multiboot(e, 3);
    } else {
        elf_put_multiboot2(e, tags, sizeof tags);
    }
}

static void
edit(struct elf_maker *e, const uint8_t *data, size_t size, unsigned count)
{
    for (; size >= 4 && count > 0; data += 4, size -= 4, count--) {
        /* Headers are where it hurts: most edits go there. */
        uint32_t at = data[0] | (uint32_t)data[1] << 8;
        at = data[3] & 0x80 ? at % ELF_MAKER_SIZE : at % 2 ? 0x1000 + at / 2 % 64 : at / 2 % 192;
        unsigned width = 1 + data[3] % 8;
        for (unsigned i = 0; i < width && at + i < ELF_MAKER_SIZE; i++) {
            e->bytes[at + i] = data[2];
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct elf_maker e;
    static struct machine *m;
    char error[256] = "";
    if (size == 0) {
        return 0;
    }
    bool raw = data[0] % 8 == 4;
    if (!raw) {
        make(&e, data[0] % 4);
        edit(&e, data + 1, size - 1, data[0] >> 3 & 7);
    }
    const struct load_module module = { "module", data, size, NULL };
    struct load_result result = { 0 };
    const struct load_request request = {
        .name = "fuzz", .bytes = raw ? data + 1 : e.bytes, .size = raw ? size - 1 : sizeof e.bytes,
        .protocol = data[0] >> 6, .cmdline = "a b c", .modules = &module, .module_count = 1,
        .result = &result,
    };
    m = fake_machine(1, 8u << 20);
    if (load_image(m, &request, error, sizeof error)) {
        if (result.image) { /* a Linux kernel has none */
            image_symbol_by_spa(result.image, result.entry);
            image_symbol_by_name(result.image, "start");
            image_free(result.image);
        }
    } else if (!error[0]) {
        abort(); /* a refusal without words */
    }
    machine_free(m);
    return 0;
}
