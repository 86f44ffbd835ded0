/* Both sides of a mailbox do arbitrary things; its rules hold after each step:
 * never two owners, and VF 1's mailbox is not touched. */
#include "tests/unit/nic/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_nic_mailbox: %s\n", what);
        abort();
    }
}

static void
step(struct bench *b, const uint8_t *p)
{
    uint32_t value = p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16;
    switch (p[0] % 8) {
    case 0: vf_write(b, 0, I82599_VFMAILBOX, value); break;
    case 1: pf_write(b, I82599_PFMAILBOX(0), value); break;
    case 2: vf_write(b, 0, I82599_VFMBMEM(p[1] % 16), value); break;
    case 3: pf_write(b, I82599_PFMBICR(p[1] % 4), value); break;
    case 4: vf_write(b, 0, (value & 0xFFF) & ~3u, value >> 12); break; /* control and interrupt registers */
    case 5: pf_write(b, p[1] & 1 ? I82599_VFLREC(0) : I82599_PFMBIMR(0), value); break;
    case 6: pci_config_write(b->machine.pci, BDF_CARD + 128, I82599_CAP_PCIE + 8, 2, p[1] & 1 ? 0x8000 : 0); break;
    default: bench_run(b, value); break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench *b = bench_new();
    driver_init(b);
    driver_sriov(b, 2);
    pf_write(b, I82599_PFMBMEM(16), 0x1234);
    (void)vf_read(b, 1, I82599_VFMAILBOX);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        step(b, data + i);
        b->message_count = 0;
        uint32_t pf = pf_read(b, I82599_PFMAILBOX(0)), vf = vf_read(b, 0, I82599_VFMAILBOX);
        require((pf & 0xC) != 0xC, "two owners");
        require((pf & 0xC) == (vf & 0xC), "two opinions about the owner");
        require((vf_read(b, 0, I82599_VFMAILBOX) & 0xB0) == 0, "a bit that a read clears came back");
    }
    for (unsigned n = 0; n < 16; n++) {
        require(pf_read(b, I82599_PFMBMEM(n)) == vf_read(b, 0, I82599_VFMBMEM(n)), "two memories");
    }
    require(vf_read(b, 1, I82599_VFMBMEM(0)) == 0x1234 && vf_read(b, 1, I82599_VFMAILBOX) == 0, "VF 1 was touched");
    require((pf_read(b, I82599_PFMBICR(0)) & 0x00020002) == 0, "VF 1 seems to have spoken");
    require(b->machine.stop == STOP_NONE, "a VF stopped the run");
    bench_free(b);
    return 0;
}
