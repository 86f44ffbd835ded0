/* See bzimage_maker.h. */
#include "bzimage_maker.h"

#include <string.h>

#include "spec/platform/linux_boot.h"

void
bzimage_set(uint8_t *image, uint32_t offset, uint64_t value, unsigned size)
{
    memcpy(image + offset, &value, size);
}

void
bzimage_make(uint8_t image[BZIMAGE_SIZE])
{
    static const struct { uint32_t offset; uint64_t value; unsigned size; } row[] = {
        { LINUX_SETUP_SECTS, 3, 1 }, { LINUX_SYSSIZE, BZIMAGE_CODE / 16, 4 }, { LINUX_BOOT_FLAG, 0xAA55, 2 },
        { LINUX_JUMP, 0x6AEB, 2 }, { LINUX_HEADER_MAGIC, LINUX_HEADER_MAGIC_VALUE, 4 }, { LINUX_VERSION, 0x20C, 2 },
        { LINUX_LOADFLAGS, LINUX_LOADED_HIGH, 1 }, { LINUX_CODE32_START, 0x100000, 4 },
        { LINUX_INITRD_ADDR_MAX, 0x7FFFFFFF, 4 }, { LINUX_KERNEL_ALIGNMENT, 0x100000, 4 }, { LINUX_RELOCATABLE, 1, 1 },
        { LINUX_XLOADFLAGS, LINUX_XLF_KERNEL_64, 2 }, { LINUX_CMDLINE_SIZE, 64, 4 },
        { LINUX_PREF_ADDRESS, 0x200000, 8 }, { LINUX_INIT_SIZE, 0x4000, 4 },
    };
    memset(image, 0, BZIMAGE_SIZE);
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        bzimage_set(image, row[i].offset, row[i].value, row[i].size);
    }
    for (unsigned i = 0; i < BZIMAGE_CODE; i++) {
        image[BZIMAGE_SETUP + i] = (uint8_t)(i + 1);
    }
}
