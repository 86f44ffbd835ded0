/* The guest: entered in 64-bit mode with rdi = scratch, rsi = rounds; reports in rax and halts. */
#include "tests/bench/cpu_mips/workload.h"

__attribute__((section(".text.start"), naked, used)) void start(void);
__attribute__((section(".text.start"), naked, used)) void start(void)
{
    __asm__("call workload_run\n\tcli\n\thlt");
}
