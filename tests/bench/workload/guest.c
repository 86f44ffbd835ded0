/* The workload as a kernel: the command line is the number of rounds; prints the checksum on COM1 and leaves. */
#include "tests/bench/workload/workload.h"

enum { COM1 = 0x3f8, LINE_CONTROL = 3, EIGHT_BITS = 3, LINE_STATUS = 5, TRANSMITTER_EMPTY = 1 << 6 };
enum { DEBUG_EXIT = 0xf4, EXIT_CODE = 0x10, BOCHS_SHUTDOWN = 0x8900 };
enum { INFO_FLAGS = 0, INFO_COMMAND_LINE = 16 / 4, HAS_COMMAND_LINE = 1 << 2 };

void guest_main(const uint32_t *info);

static void
out(uint16_t port, char c)
{
    __asm__ volatile("outb %0, %1" : : "a"(c), "d"(port));
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

/* Sent, not only taken: the machine may be off a moment later. */
static void
put(char c)
{
    uint8_t status;
    out(COM1, c);
    do {
        __asm__ volatile("inb %1, %0" : "=a"(status) : "d"((uint16_t)(COM1 + LINE_STATUS)));
    } while (!(status & TRANSMITTER_EMPTY));
}

void
guest_main(const uint32_t *info)
{
    uint64_t value = workload_run(rounds_of(info));
    out(COM1 + LINE_CONTROL, EIGHT_BITS);
    for (int shift = 60; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[value >> shift & 15]);
    }
    put('\n');
    __asm__ volatile("outl %0, %1" : : "a"(EXIT_CODE), "d"((uint16_t)DEBUG_EXIT));
    for (const char *c = "Shutdown"; *c; c++) { /* still here: Bochs */
        out(BOCHS_SHUTDOWN, *c);
    }
}
