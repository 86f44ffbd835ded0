/* NVM command set: reading and writing the disk; see nvme_priv.h. */
#include <string.h>

#include "sim/platform/nvme_priv.h"

enum { NAMESPACE = 1 };
#define EVERY_NAMESPACE 0xFFFFFFFFu

static uint32_t
sector_count(const uint32_t command[16])
{
    return (command[12] & 0xFFFF) + 1;
}

static uint16_t
range_check(const struct nvme *n, uint64_t sector, uint64_t count)
{
    uint64_t size = disk_sectors(n->disk);
    return sector > size || count > size - sector ? NVME_LBA_OUT_OF_RANGE | NVME_DNR : NVME_SUCCESS;
}

/* Of commands that move data. */
static uint16_t
transfer_check(const struct nvme *n, const uint32_t command[16])
{
    uint16_t status = range_check(n, nvme_qword(command, 10), sector_count(command));
    bool fits = (uint64_t)sector_count(command) * DISK_SECTOR <= NVME_DATA_MAX;
    return status == NVME_SUCCESS && !fits ? NVME_INVALID_FIELD | NVME_DNR : status;
}

static uint16_t
flush(struct nvme *n)
{
    return disk_flush(n->disk) ? NVME_SUCCESS : nvme_host_failed(n, NVME_WRITE_FAULT);
}

static uint16_t
read_command(struct nvme *n, const uint32_t command[16])
{
    uint32_t count = sector_count(command);
    uint16_t status = transfer_check(n, command);
    if (status != NVME_SUCCESS) {
        return status;
    }
    if (!disk_read(n->disk, nvme_qword(command, 10), count, n->data)) {
        return nvme_host_failed(n, NVME_READ_ERROR);
    }
    n->reads++;
    n->sectors_read += count;
    return nvme_data_in(n, command, n->data, count * DISK_SECTOR);
}

/* With FUA, or with the write cache off, the data is on the medium before completion. */
static uint16_t
write_done(struct nvme *n, const uint32_t command[16], bool written)
{
    if (!written) {
        return nvme_host_failed(n, NVME_WRITE_FAULT);
    }
    bool through = command[12] & NVME_RW_FUA || !(n->feature[NVME_FEATURE_WRITE_CACHE] & 1);
    return through ? flush(n) : NVME_SUCCESS;
}

static uint16_t
write_command(struct nvme *n, const uint32_t command[16])
{
    uint32_t count = sector_count(command);
    uint16_t status = transfer_check(n, command);
    if (status == NVME_SUCCESS) {
        status = nvme_data_out(n, command, n->data, count * DISK_SECTOR);
    }
    if (status != NVME_SUCCESS) {
        return status;
    }
    n->writes++;
    n->sectors_written += count;
    return write_done(n, command, disk_write(n->disk, nvme_qword(command, 10), count, n->data));
}

/* In pieces, because the command's data fills the buffer. */
static uint16_t
compare_command(struct nvme *n, const uint32_t command[16])
{
    enum { PIECE = 8 };
    uint8_t piece[PIECE * DISK_SECTOR];
    uint32_t count = sector_count(command);
    uint64_t sector = nvme_qword(command, 10);
    uint16_t status = transfer_check(n, command);
    if (status == NVME_SUCCESS) {
        status = nvme_data_out(n, command, n->data, count * DISK_SECTOR);
    }
    for (uint32_t done = 0; status == NVME_SUCCESS && done < count; done += PIECE) {
        uint32_t now = count - done < PIECE ? count - done : PIECE;
        if (!disk_read(n->disk, sector + done, now, piece)) {
            status = nvme_host_failed(n, NVME_READ_ERROR);
        } else if (memcmp(piece, n->data + done * DISK_SECTOR, now * DISK_SECTOR) != 0) {
            status = NVME_COMPARE_FAILURE | NVME_DNR;
        }
    }
    return status;
}

static uint16_t
zeroes_command(struct nvme *n, const uint32_t command[16])
{
    uint64_t sector = nvme_qword(command, 10);
    uint16_t status = range_check(n, sector, sector_count(command));
    if (status != NVME_SUCCESS) {
        return status;
    }
    return write_done(n, command, disk_zero(n->disk, sector, sector_count(command)));
}

/* Only "deallocate" changes anything: deallocated sectors read as zeros, which
 * is what the namespace's DLFEAT promises. */
static uint16_t
dataset_command(struct nvme *n, const uint32_t command[16])
{
    struct range {
        uint32_t attributes, sectors;
        uint64_t first;
    } range[NVME_DSM_RANGES];
    uint32_t count = (command[10] & 0xFF) + 1;
    uint16_t status = nvme_data_out(n, command, range, count * (uint32_t)sizeof range[0]);
    for (uint32_t i = 0; status == NVME_SUCCESS && i < count; i++) {
        status = range_check(n, range[i].first, range[i].sectors);
    }
    if (status != NVME_SUCCESS || !(command[11] & NVME_DATASET_DEALLOCATE)) {
        return status;
    }
    bool good = true;
    for (uint32_t i = 0; good && i < count; i++) {
        good = disk_zero(n->disk, range[i].first, range[i].sectors);
    }
    return good ? NVME_SUCCESS : nvme_host_failed(n, NVME_WRITE_FAULT);
}

uint64_t
nvme_io_bytes(const struct nvme *n, const uint32_t command[16])
{
    uint8_t opcode = (uint8_t)command[0];
    bool moves = opcode == NVME_IO_READ || opcode == NVME_IO_WRITE || opcode == NVME_IO_COMPARE;
    (void)n;
    return moves ? (uint64_t)sector_count(command) * DISK_SECTOR : 0;
}

struct nvme_answer
nvme_io(struct nvme *n, const uint32_t command[16])
{
    uint8_t opcode = (uint8_t)command[0];
    uint32_t nsid = command[1];
    bool known = opcode <= NVME_IO_READ || opcode == NVME_IO_COMPARE || opcode == NVME_IO_WRITE_ZEROES ||
                 opcode == NVME_IO_DATASET;
    if (!known) {
        return nvme_status(NVME_INVALID_OPCODE | NVME_DNR);
    }
    if (command[0] & 0xC300) { /* SGLs, fused commands */
        return nvme_status(NVME_INVALID_FIELD | NVME_DNR);
    }
    if (nsid != NAMESPACE && !(opcode == NVME_IO_FLUSH && nsid == EVERY_NAMESPACE)) {
        return nvme_status(NVME_INVALID_NAMESPACE | NVME_DNR);
    }
    switch (opcode) {
    case NVME_IO_FLUSH:
        return nvme_status(flush(n));
    case NVME_IO_READ:
        return nvme_status(read_command(n, command));
    case NVME_IO_WRITE:
        return nvme_status(write_command(n, command));
    case NVME_IO_COMPARE:
        return nvme_status(compare_command(n, command));
    case NVME_IO_WRITE_ZEROES:
        return nvme_status(zeroes_command(n, command));
    default:
        return nvme_status(dataset_command(n, command));
    }
}
