/* Identify: what the controller and its namespace are (NVM Express "Identify
 * command", figures "Identify Controller Data Structure" and "Identify Namespace
 * Data Structure, NVM Command Set Specific"). */
#include <stdio.h>
#include <string.h>

#include "sim/platform/nvme_priv.h"

enum { IDENTIFY_SIZE = 4096 };

static void
put(uint8_t *page, unsigned offset, uint64_t value, unsigned size)
{
    memcpy(page + offset, &value, size);
}

/* Text fields are padded with spaces and have no zero. */
static void
put_text(uint8_t *page, unsigned offset, const char *text, unsigned size)
{
    memset(page + offset, ' ', size);
    memcpy(page + offset, text, strlen(text));
}

static void
controller(const struct nvme *n, uint8_t *p)
{
    char serial[21];
    snprintf(serial, sizeof serial, "HVLAB%08u", n->index);
    put(p, 0, pci_get(&n->function, PCI_VENDOR_ID, 2), 2);
    put(p, 2, pci_get(&n->function, PCI_SUBSYSTEM_VENDOR, 2), 2);
    put_text(p, 4, serial, 20);
    put_text(p, 24, "hvlab NVMe disk", 40);
    put_text(p, 64, "1.0", 8);
    put(p, 72, 6, 1);                        /* recommended arbitration burst: 64 */
    put(p, 77, NVME_MDTS, 1);
    put(p, 80, NVME_VERSION_1_4, 4);
    put(p, 111, 1, 1);                       /* an I/O controller */
    put(p, 258, 3, 1);                       /* aborts at a time, from 0 */
    put(p, 259, NVME_ASYNC_MAX - 1, 1);
    put(p, 260, 1 << 1 | 1, 1);              /* one firmware slot, read-only */
    put(p, 261, 1 << 2, 1);                  /* log pages: extended data (offsets) */
    put(p, 262, NVME_ERRORS - 1, 1);
    put(p, 266, 343, 2);                     /* warning and critical temperature [K] */
    put(p, 268, 353, 2);
    put(p, 512, NVME_SQES << 4 | NVME_SQES, 1);
    put(p, 513, NVME_CQES << 4 | NVME_CQES, 1);
    put(p, 516, 1, 4);                       /* namespaces */
    put(p, 520, NVME_ONCS_COMPARE | NVME_ONCS_DATASET | NVME_ONCS_WRITE_ZEROES, 2);
    put(p, 525, 7, 1);                       /* volatile write cache; flush of all namespaces works */
    put(p, 526, NVME_DATA_MAX / DISK_SECTOR - 1, 2); /* any write is atomic, also when power fails */
    put(p, 528, NVME_DATA_MAX / DISK_SECTOR - 1, 2);
    snprintf((char *)p + 768, 256, "nqn.2014-08.org.nvmexpress:uuid:68766c61-6200-4000-8000-%012x", n->index);
    put(p, 2048, 2500, 2);                   /* power state 0: 25 W */
}

static const uint8_t eui64[8] = { 0x02, 'h', 'v', 'l', 'a', 'b', 0, 0 }; /* locally administered; the last is the index */

static void
unique_id(const struct nvme *n, uint8_t *at)
{
    memcpy(at, eui64, sizeof eui64);
    at[7] = (uint8_t)n->index;
}

static void
namespace(const struct nvme *n, uint8_t *p)
{
    uint64_t sectors = disk_sectors(n->disk);
    put(p, 0, sectors, 8);
    put(p, 8, sectors, 8);
    put(p, 16, sectors, 8);
    put(p, 33, 1 | 1 << 3, 1);               /* deallocated sectors read as zeros */
    unique_id(n, p + 104);                   /* NGUID: the EUI-64 twice */
    unique_id(n, p + 112);
    unique_id(n, p + 120);
    put(p, 128, 9u << 16, 4);                /* the one format: 512 bytes, no metadata */
}

static void
descriptors(const struct nvme *n, uint8_t *p)
{
    p[0] = 1; /* EUI-64 */
    p[1] = 8;
    unique_id(n, p + 4);
    p[12] = 2; /* NGUID */
    p[13] = 16;
    unique_id(n, p + 16);
    unique_id(n, p + 24);
}

struct nvme_answer
nvme_identify(struct nvme *n, const uint32_t command[16])
{
    uint32_t nsid = command[1];
    uint8_t *page = n->data;
    memset(page, 0, IDENTIFY_SIZE);
    switch (command[10] & 0xFF) {
    case NVME_CNS_CONTROLLER:
        controller(n, page);
        break;
    case NVME_CNS_NAMESPACE:
    case NVME_CNS_DESCRIPTORS:
        if (nsid != 1) {
            return nvme_status(NVME_INVALID_NAMESPACE | NVME_DNR);
        }
        if ((command[10] & 0xFF) == NVME_CNS_NAMESPACE) {
            namespace(n, page);
        } else {
            descriptors(n, page);
        }
        break;
    case NVME_CNS_ACTIVE_LIST: /* identifiers above the one given */
        if (nsid >= 0xFFFFFFFE) {
            return nvme_status(NVME_INVALID_NAMESPACE | NVME_DNR);
        }
        put(page, 0, nsid < 1 ? 1 : 0, 4);
        break;
    default:
        return nvme_status(NVME_INVALID_FIELD | NVME_DNR);
    }
    return nvme_status(nvme_data_in(n, command, page, IDENTIFY_SIZE));
}
