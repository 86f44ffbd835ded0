/* Data by physical region pages (NVM Express "Physical Region Page Entry and
 * List"): PRP1 may begin inside a page; the rest of the data is one page (PRP2), or
 * pages listed at PRP2, whose last entry leads to the next list when more follow. */
#include "sim/machine.h"
#include "sim/platform/nvme_priv.h"

/* Where the next page of the data is. */
struct prp {
    struct nvme *nvme;
    bool in_list;        /* 'list' is what comes next; else PRP2 itself */
    uint64_t prp2;
    uint64_t list;       /* address of the next list entry */
    uint64_t entry;      /* address of the current page */
    uint32_t left;       /* data not yet given out [bytes] */
};

static uint16_t
entry_read(struct prp *p, uint64_t *value)
{
    bool ok = pci_dma_read(p->nvme->machine->pci, &p->nvme->function, p->list, value, 8);
    return ok ? NVME_SUCCESS : NVME_DATA_TRANSFER_ERROR;
}

static uint16_t
from_list(struct prp *p)
{
    uint64_t value;
    uint16_t status = entry_read(p, &value);
    bool last = (p->list + 8) % NVME_PAGE == 0;
    if (status == NVME_SUCCESS && last && p->left > NVME_PAGE) {
        if (value % NVME_PAGE) {
            return NVME_PRP_OFFSET_INVALID | NVME_DNR;
        }
        p->list = value;
        status = entry_read(p, &value);
    }
    p->list += 8;
    if (status == NVME_SUCCESS) {
        p->entry = value;
        status = value % NVME_PAGE ? NVME_PRP_OFFSET_INVALID | NVME_DNR : NVME_SUCCESS;
    }
    return status;
}

/* The page after the current one. */
static uint16_t
next_page(struct prp *p)
{
    if (p->in_list) {
        return from_list(p);
    }
    if (p->left > NVME_PAGE) {
        p->in_list = true;
        p->list = p->prp2;
        return p->prp2 % 8 ? NVME_PRP_OFFSET_INVALID | NVME_DNR : from_list(p);
    }
    p->entry = p->prp2;
    return p->prp2 % NVME_PAGE ? NVME_PRP_OFFSET_INVALID | NVME_DNR : NVME_SUCCESS;
}

static uint16_t
transfer(struct nvme *n, const uint32_t command[16], uint8_t *bytes, uint32_t size, bool to_guest)
{
    struct prp p = { .nvme = n, .entry = nvme_qword(command, 6), .prp2 = nvme_qword(command, 8), .left = size };
    uint16_t status = p.entry % 4 ? NVME_PRP_OFFSET_INVALID | NVME_DNR : NVME_SUCCESS;
    while (status == NVME_SUCCESS && p.left) {
        uint32_t in_page = (uint32_t)(NVME_PAGE - p.entry % NVME_PAGE);
        uint32_t count = p.left < in_page ? p.left : in_page;
        bool ok = to_guest ? pci_dma_write(n->machine->pci, &n->function, p.entry, bytes, count)
                           : pci_dma_read(n->machine->pci, &n->function, p.entry, bytes, count);
        bytes += count;
        p.left -= count;
        status = !ok ? NVME_DATA_TRANSFER_ERROR : p.left ? next_page(&p) : NVME_SUCCESS;
    }
    return status;
}

uint16_t
nvme_data_out(struct nvme *n, const uint32_t command[16], void *bytes, uint32_t size)
{
    return transfer(n, command, bytes, size, false);
}

uint16_t
nvme_data_in(struct nvme *n, const uint32_t command[16], const void *bytes, uint32_t size)
{
    return transfer(n, command, (uint8_t *)bytes, size, true);
}
