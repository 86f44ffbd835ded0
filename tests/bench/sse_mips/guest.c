/* The workload as a kernel: the command line is the number of rounds; prints the checksum on COM1 and leaves. */
#include "tests/bench/sse_mips/workload.h"

enum { COM1 = 0x3f8, DEBUG_EXIT = 0xf4, EXIT_CODE = 0x10, INFO_FLAGS = 0, INFO_COMMAND_LINE = 16 / 4, HAS_COMMAND_LINE = 1 << 2 };

void guest_main(const uint32_t *info);

static void
put(char c)
{
    __asm__ volatile("outb %0, %1" : : "a"(c), "d"((uint16_t)COM1));
}

/* The number at the end of the command line: QEMU puts the image's name in front. */
static unsigned
rounds_of(const uint32_t *info)
{
    unsigned rounds = 0;
    const char *at = info[INFO_FLAGS] & HAS_COMMAND_LINE ? (const char *)(uintptr_t)info[INFO_COMMAND_LINE] : "";
    for (; *at; at++) {
        rounds = *at >= '0' && *at <= '9' ? rounds * 10 + (unsigned)(*at - '0') : 0;
    }
    return rounds;
}

void
guest_main(const uint32_t *info)
{
    uint64_t value = workload_run(rounds_of(info));
    for (int shift = 60; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[value >> shift & 15]);
    }
    put('\n');
    for (;;) {
        __asm__ volatile("outl %0, %1" : : "a"(EXIT_CODE), "d"((uint16_t)DEBUG_EXIT));
    }
}
