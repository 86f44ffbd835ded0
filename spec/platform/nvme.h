/* NVM Express facts: registers, commands, status codes, data structures.
 *
 * NVM Express Base Specification 1.4: "Controller Registers", "Admin Command
 * Set", "NVM Command Set", "Status Field Definition".  Offsets in bytes.
 */
#ifndef SPEC_PLATFORM_NVME_H
#define SPEC_PLATFORM_NVME_H

/* --- controller registers --- */
#define NVME_CAP 0x00
#define NVME_VS 0x08
#define NVME_INTMS 0x0C
#define NVME_INTMC 0x10
#define NVME_CC 0x14
#define NVME_CSTS 0x1C
#define NVME_AQA 0x24
#define NVME_ASQ 0x28
#define NVME_ACQ 0x30
#define NVME_DOORBELLS 0x1000 /* queue y: tail of its submission queue at 8y, head of its completion queue at 8y + 4 */

#define NVME_CAP_CQR (1ull << 16)
#define NVME_CAP_TO_SHIFT 24
#define NVME_CAP_CSS_NVM (1ull << 37)
#define NVME_VERSION_1_4 0x00010400u
#define NVME_CC_EN 1u
#define NVME_CC_CSS(cc) ((cc) >> 4 & 7)
#define NVME_CC_MPS(cc) ((cc) >> 7 & 0xF)
#define NVME_CC_AMS(cc) ((cc) >> 11 & 7)
#define NVME_CC_SHN(cc) ((cc) >> 14 & 3)
#define NVME_CC_IOSQES(cc) ((cc) >> 16 & 0xF)
#define NVME_CC_IOCQES(cc) ((cc) >> 20 & 0xF)
#define NVME_CC_WRITABLE 0x00FFFFF1u
#define NVME_CSTS_RDY 1u
#define NVME_CSTS_CFS 2u
#define NVME_CSTS_SHST_DONE (2u << 2)
#define NVME_CSTS_SHST (3u << 2)

/* --- queue entries --- */
#define NVME_SQE_SIZE 64
#define NVME_CQE_SIZE 16
#define NVME_SQES 6 /* log2 of the above */
#define NVME_CQES 4

/* --- admin commands --- */
#define NVME_ADMIN_DELETE_SQ 0x00
#define NVME_ADMIN_CREATE_SQ 0x01
#define NVME_ADMIN_GET_LOG_PAGE 0x02
#define NVME_ADMIN_DELETE_CQ 0x04
#define NVME_ADMIN_CREATE_CQ 0x05
#define NVME_ADMIN_IDENTIFY 0x06
#define NVME_ADMIN_ABORT 0x08
#define NVME_ADMIN_SET_FEATURES 0x09
#define NVME_ADMIN_GET_FEATURES 0x0A
#define NVME_ADMIN_ASYNC_EVENT 0x0C

/* --- I/O commands --- */
#define NVME_IO_FLUSH 0x00
#define NVME_IO_WRITE 0x01
#define NVME_IO_READ 0x02
#define NVME_IO_COMPARE 0x05
#define NVME_IO_WRITE_ZEROES 0x08
#define NVME_IO_DATASET 0x09
#define NVME_RW_FUA (1u << 30) /* command dword 12 */
#define NVME_DATASET_DEALLOCATE (1u << 2) /* command dword 11 */

/* --- identify --- */
#define NVME_CNS_NAMESPACE 0
#define NVME_CNS_CONTROLLER 1
#define NVME_CNS_ACTIVE_LIST 2
#define NVME_CNS_DESCRIPTORS 3
#define NVME_ONCS_COMPARE 1u
#define NVME_ONCS_DATASET 4u
#define NVME_ONCS_WRITE_ZEROES 8u

/* --- features --- */
#define NVME_FEATURE_ARBITRATION 0x01
#define NVME_FEATURE_POWER 0x02
#define NVME_FEATURE_TEMPERATURE 0x04
#define NVME_FEATURE_ERROR_RECOVERY 0x05
#define NVME_FEATURE_WRITE_CACHE 0x06
#define NVME_FEATURE_QUEUES 0x07
#define NVME_FEATURE_COALESCING 0x08
#define NVME_FEATURE_VECTOR 0x09
#define NVME_FEATURE_ATOMICITY 0x0A
#define NVME_FEATURE_ASYNC_EVENTS 0x0B
#define NVME_FEATURES 0x0C /* how many identifiers, from 0 */

/* --- log pages --- */
#define NVME_LOG_ERROR 0x01
#define NVME_LOG_HEALTH 0x02
#define NVME_LOG_FIRMWARE 0x03
#define NVME_LOG_RAE (1u << 15)

/* --- status: code 7:0, type 10:8, "do not retry" 14 --- */
#define NVME_DNR 0x4000u
#define NVME_SUCCESS 0x000u
#define NVME_INVALID_OPCODE 0x001u
#define NVME_INVALID_FIELD 0x002u
#define NVME_DATA_TRANSFER_ERROR 0x004u
#define NVME_ABORT_REQUESTED 0x007u
#define NVME_ABORTED_SQ_DELETION 0x008u
#define NVME_INVALID_NAMESPACE 0x00Bu
#define NVME_PRP_OFFSET_INVALID 0x013u
#define NVME_LBA_OUT_OF_RANGE 0x080u
#define NVME_CQ_INVALID 0x100u
#define NVME_QUEUE_ID_INVALID 0x101u
#define NVME_QUEUE_SIZE_INVALID 0x102u
#define NVME_ASYNC_LIMIT 0x105u
#define NVME_VECTOR_INVALID 0x108u
#define NVME_LOG_PAGE_INVALID 0x109u
#define NVME_QUEUE_DELETION_INVALID 0x10Cu
#define NVME_FEATURE_NOT_SAVEABLE 0x10Du
#define NVME_FEATURE_NOT_CHANGEABLE 0x10Eu
#define NVME_WRITE_FAULT 0x280u
#define NVME_READ_ERROR 0x281u
#define NVME_COMPARE_FAILURE 0x285u

/* --- asynchronous events: type 2:0, information 15:8, log page 23:16 --- */
#define NVME_EVENT_DOORBELL_QUEUE (NVME_LOG_ERROR << 16 | 0 << 8)
#define NVME_EVENT_DOORBELL_VALUE (NVME_LOG_ERROR << 16 | 1 << 8)

#endif
