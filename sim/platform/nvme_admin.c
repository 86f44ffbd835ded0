/* Admin command set: queues, features, log pages, events; see nvme_priv.h. */
#include <string.h>

#include "sim/platform/nvme_priv.h"

enum { COMMAND_SEQUENCE_ERROR = 0x00C };
#define REFUSED(status) nvme_status((status) | NVME_DNR)
#define QUEUES_OFFERED (uint32_t)((NVME_QUEUE_COUNT - 2) | (NVME_QUEUE_COUNT - 2) << 16)

/* --- queues -------------------------------------------------------------------------- */

/* What creating either kind of queue checks: identifier, size, contiguity, place. */
static uint16_t
queue_check(const uint32_t command[16], bool exists)
{
    uint32_t id = command[10] & 0xFFFF, size = (command[10] >> 16) + 1;
    if (id == 0 || id >= NVME_QUEUE_COUNT || exists) {
        return NVME_QUEUE_ID_INVALID;
    }
    if (size < 2 || size > NVME_ENTRIES_MAX) {
        return NVME_QUEUE_SIZE_INVALID;
    }
    if (!(command[11] & 1)) {
        return NVME_INVALID_FIELD;
    }
    return nvme_qword(command, 6) % NVME_PAGE ? NVME_PRP_OFFSET_INVALID : NVME_SUCCESS;
}

static struct nvme_answer
create_cq(struct nvme *n, const uint32_t command[16])
{
    uint32_t id = command[10] & 0xFFFF, vector = command[11] >> 16;
    uint16_t status = queue_check(command, id < NVME_QUEUE_COUNT && n->cq[id].exists);
    if (status == NVME_SUCCESS && NVME_CC_IOCQES(n->cc) != NVME_CQES) {
        status = NVME_QUEUE_SIZE_INVALID;
    }
    if (status == NVME_SUCCESS && command[11] & 2 && vector >= (msix_enabled(&n->msix) ? NVME_QUEUE_COUNT : 1)) {
        status = NVME_VECTOR_INVALID;
    }
    if (status != NVME_SUCCESS) {
        return REFUSED(status);
    }
    n->cq[id] = (struct nvme_cq){
        .exists = true, .interrupts = command[11] & 2, .phase = true, .vector = (uint16_t)vector,
        .size = (uint16_t)((command[10] >> 16) + 1), .base = nvme_qword(command, 6),
    };
    return nvme_status(NVME_SUCCESS);
}

static struct nvme_answer
create_sq(struct nvme *n, const uint32_t command[16])
{
    uint32_t id = command[10] & 0xFFFF, cq = command[11] >> 16;
    uint16_t status = queue_check(command, id < NVME_QUEUE_COUNT && n->sq[id].exists);
    if (status == NVME_SUCCESS && NVME_CC_IOSQES(n->cc) != NVME_SQES) {
        status = NVME_QUEUE_SIZE_INVALID;
    }
    if (status == NVME_SUCCESS && (cq == 0 || cq >= NVME_QUEUE_COUNT || !n->cq[cq].exists)) {
        status = cq == 0 || cq >= NVME_QUEUE_COUNT ? NVME_QUEUE_ID_INVALID : NVME_CQ_INVALID;
    }
    if (status != NVME_SUCCESS) {
        return REFUSED(status);
    }
    n->sq[id] = (struct nvme_sq){ .exists = true, .cq = (uint16_t)cq, .size = (uint16_t)((command[10] >> 16) + 1),
                                  .base = nvme_qword(command, 6) };
    return nvme_status(NVME_SUCCESS);
}

static struct nvme_answer
delete_sq(struct nvme *n, const uint32_t command[16])
{
    uint32_t id = command[10] & 0xFFFF;
    if (id == 0 || id >= NVME_QUEUE_COUNT || !n->sq[id].exists) {
        return REFUSED(NVME_QUEUE_ID_INVALID);
    }
    nvme_queue_drop(n, id);
    n->sq[id] = (struct nvme_sq){ .exists = false };
    return nvme_status(NVME_SUCCESS);
}

static struct nvme_answer
delete_cq(struct nvme *n, const uint32_t command[16])
{
    uint32_t id = command[10] & 0xFFFF;
    if (id == 0 || id >= NVME_QUEUE_COUNT || !n->cq[id].exists) {
        return REFUSED(NVME_QUEUE_ID_INVALID);
    }
    for (unsigned i = 1; i < NVME_QUEUE_COUNT; i++) {
        if (n->sq[i].exists && n->sq[i].cq == id) {
            return REFUSED(NVME_QUEUE_DELETION_INVALID);
        }
    }
    n->cq[id] = (struct nvme_cq){ .exists = false };
    return nvme_status(NVME_SUCCESS);
}

static bool
io_queues_exist(const struct nvme *n)
{
    for (unsigned i = 1; i < NVME_QUEUE_COUNT; i++) {
        if (n->sq[i].exists || n->cq[i].exists) {
            return true;
        }
    }
    return false;
}

/* --- features -------------------------------------------------------------------------- */

static bool
feature_is_known(uint32_t id)
{
    return id >= NVME_FEATURE_ARBITRATION && id < NVME_FEATURES && id != 3;
}

static struct nvme_answer
set_feature(struct nvme *n, const uint32_t command[16])
{
    uint32_t id = command[10] & 0xFF, value = command[11];
    if (!feature_is_known(id)) {
        return REFUSED(NVME_INVALID_FIELD);
    }
    if (command[10] & 1u << 31) {
        return REFUSED(NVME_FEATURE_NOT_SAVEABLE);
    }
    switch (id) {
    case NVME_FEATURE_POWER:
        if (value & 0x1F) {
            return REFUSED(NVME_INVALID_FIELD); /* one power state */
        }
        break;
    case NVME_FEATURE_QUEUES:
        if (io_queues_exist(n)) {
            return REFUSED(COMMAND_SEQUENCE_ERROR);
        }
        if ((value & 0xFFFF) == 0xFFFF || value >> 16 == 0xFFFF) {
            return REFUSED(NVME_INVALID_FIELD);
        }
        return (struct nvme_answer){ .result = QUEUES_OFFERED };
    case NVME_FEATURE_VECTOR:
        if ((value & 0xFFFF) >= NVME_QUEUE_COUNT) {
            return REFUSED(NVME_INVALID_FIELD);
        }
        n->vector_feature[value & 0xFFFF] = value >> 16 & 1;
        return nvme_status(NVME_SUCCESS);
    default:
        break;
    }
    n->feature[id] = value;
    return nvme_status(NVME_SUCCESS);
}

static struct nvme_answer
get_feature(struct nvme *n, const uint32_t command[16])
{
    uint32_t id = command[10] & 0xFF, vector = command[11] & 0xFFFF;
    if (!feature_is_known(id) || command[10] >> 8 & 7) { /* current values only: ONCS offers no others */
        return REFUSED(NVME_INVALID_FIELD);
    }
    if (id == NVME_FEATURE_VECTOR) {
        if (vector >= NVME_QUEUE_COUNT) {
            return REFUSED(NVME_INVALID_FIELD);
        }
        return (struct nvme_answer){ .result = vector | (uint32_t)n->vector_feature[vector] << 16 };
    }
    return (struct nvme_answer){ .result = n->feature[id] };
}

void
nvme_features_reset(struct nvme *n)
{
    memset(n->feature, 0, sizeof n->feature);
    memset(n->vector_feature, 0, sizeof n->vector_feature);
    n->feature[NVME_FEATURE_TEMPERATURE] = 0x157; /* 343 K, the warning threshold of identify */
    n->feature[NVME_FEATURE_WRITE_CACHE] = 1;
    n->feature[NVME_FEATURE_QUEUES] = QUEUES_OFFERED;
}

/* --- log pages ---------------------------------------------------------------------------- */

static void
put(uint8_t *at, uint64_t value, unsigned size)
{
    memcpy(at, &value, size);
}

/* Newest first. */
static void
error_page(const struct nvme *n, uint8_t *page)
{
    for (uint64_t i = 0; i < NVME_ERRORS && i < n->error_count; i++, page += 64) {
        const struct nvme_error *e = &n->error[(n->error_count - 1 - i) % NVME_ERRORS];
        put(page, e->count, 8);
        put(page + 8, e->sq, 2);
        put(page + 10, e->cid, 2);
        put(page + 12, (uint64_t)e->status << 1, 2);
        put(page + 14, 0xFFFF, 2); /* no parameter is to blame */
        put(page + 16, e->lba, 8);
        put(page + 24, e->sq ? 1 : 0, 4);
    }
}

static uint64_t
thousands(uint64_t sectors)
{
    return (sectors + 999) / 1000;
}

static void
health_page(const struct nvme *n, uint8_t *page)
{
    put(page + 1, 313, 2);  /* 40 degrees Celsius */
    put(page + 3, 100, 1);  /* spare: all there */
    put(page + 4, 10, 1);
    put(page + 32, thousands(n->sectors_read), 8);
    put(page + 48, thousands(n->sectors_written), 8);
    put(page + 64, n->reads, 8);
    put(page + 80, n->writes, 8);
    put(page + 112, 1, 8);  /* power cycles */
    put(page + 176, n->error_count, 8);
}

static struct nvme_answer
get_log_page(struct nvme *n, const uint32_t command[16])
{
    enum { PAGE_MAX = NVME_ERRORS * 64 };
    uint64_t size = ((uint64_t)(command[11] & 0xFFFF) << 16 | command[10] >> 16) * 4 + 4;
    uint64_t offset = nvme_qword(command, 12);
    uint8_t page[PAGE_MAX] = { 0 };
    switch (command[10] & 0xFF) {
    case NVME_LOG_ERROR:
        error_page(n, page);
        break;
    case NVME_LOG_HEALTH:
        health_page(n, page);
        break;
    case NVME_LOG_FIRMWARE:
        page[0] = 1; /* slot 1 is active */
        memcpy(page + 8, "1.0     ", 8);
        break;
    default:
        return REFUSED(NVME_LOG_PAGE_INVALID);
    }
    if (size > NVME_DATA_MAX || offset % 4 || offset >= PAGE_MAX) {
        return REFUSED(NVME_INVALID_FIELD);
    }
    memset(n->data, 0, size);
    memcpy(n->data, page + offset, size < PAGE_MAX - offset ? size : PAGE_MAX - offset);
    if ((command[10] & 0xFF) == NVME_LOG_ERROR && !(command[10] & NVME_LOG_RAE)) {
        n->async_masked = false;
    }
    return nvme_status(nvme_data_in(n, command, n->data, (uint32_t)size));
}

/* --- asynchronous events -------------------------------------------------------------------- */

void
nvme_async_deliver(struct nvme *n)
{
    if (!n->async_pending || !n->async_count || n->async_masked) {
        return;
    }
    bool queue = n->async_pending & ASYNC_DOORBELL_QUEUE;
    uint32_t result = queue ? NVME_EVENT_DOORBELL_QUEUE : NVME_EVENT_DOORBELL_VALUE;
    if (nvme_queue_complete_async(n, n->async_cid[0], result, NVME_SUCCESS)) {
        n->async_pending &= ~(uint32_t)(queue ? ASYNC_DOORBELL_QUEUE : ASYNC_DOORBELL_VALUE);
        n->async_masked = true;
        n->async_count--;
        memmove(n->async_cid, n->async_cid + 1, n->async_count * sizeof n->async_cid[0]);
    }
}

void
nvme_async_event(struct nvme *n, uint32_t event)
{
    n->async_pending |= event;
    nvme_async_deliver(n);
}

static struct nvme_answer
async_request(struct nvme *n, const uint32_t command[16])
{
    if (n->async_count == NVME_ASYNC_MAX) {
        return REFUSED(NVME_ASYNC_LIMIT);
    }
    n->async_cid[n->async_count++] = (uint16_t)(command[0] >> 16);
    return nvme_status(NVME_SUCCESS); /* the caller keeps it from completing */
}

static struct nvme_answer
abort_command(struct nvme *n, const uint32_t command[16])
{
    uint16_t sq = (uint16_t)command[10], cid = (uint16_t)(command[10] >> 16);
    for (unsigned i = 0; sq == 0 && i < n->async_count; i++) {
        if (n->async_cid[i] == cid && nvme_queue_complete_async(n, cid, 0, NVME_ABORT_REQUESTED)) {
            n->async_count--;
            memmove(n->async_cid + i, n->async_cid + i + 1, (n->async_count - i) * sizeof n->async_cid[0]);
            return (struct nvme_answer){ .result = 0 };
        }
    }
    return (struct nvme_answer){ .result = nvme_queue_abort(n, sq, cid) ? 0 : 1 };
}

/* --- all ------------------------------------------------------------------------------------- */

struct nvme_answer
nvme_admin(struct nvme *n, const uint32_t command[16])
{
    if (command[0] & 0xC300) { /* SGLs, fused commands */
        return REFUSED(NVME_INVALID_FIELD);
    }
    switch ((uint8_t)command[0]) {
    case NVME_ADMIN_DELETE_SQ:
        return delete_sq(n, command);
    case NVME_ADMIN_CREATE_SQ:
        return create_sq(n, command);
    case NVME_ADMIN_GET_LOG_PAGE:
        return get_log_page(n, command);
    case NVME_ADMIN_DELETE_CQ:
        return delete_cq(n, command);
    case NVME_ADMIN_CREATE_CQ:
        return create_cq(n, command);
    case NVME_ADMIN_IDENTIFY:
        return nvme_identify(n, command);
    case NVME_ADMIN_ABORT:
        return abort_command(n, command);
    case NVME_ADMIN_SET_FEATURES:
        return set_feature(n, command);
    case NVME_ADMIN_GET_FEATURES:
        return get_feature(n, command);
    case NVME_ADMIN_ASYNC_EVENT:
        return async_request(n, command);
    default:
        return REFUSED(NVME_INVALID_OPCODE);
    }
}
