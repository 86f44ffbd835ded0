/* The firmware configuration device of QEMU's PC: ports, keys, DMA descriptor.
 *
 * QEMU "QEMU Firmware Configuration (fw_cfg) Device" (docs/specs/fw_cfg).
 * Numbers inside items are little-endian, the file directory and the DMA
 * descriptor are big-endian.
 */
#ifndef SPEC_PLATFORM_FW_CFG_H
#define SPEC_PLATFORM_FW_CFG_H

#define PORT_FW_CFG 0x510     /* selector, 16-bit writes; data at + 1, bytes */
#define PORT_FW_CFG_DMA 0x514 /* 64-bit address, big-endian; its low half starts the transfer */

#define FW_CFG_SIGNATURE 0x00 /* "QEMU" */
#define FW_CFG_ID 0x01        /* FW_CFG_ID_* */
#define FW_CFG_RAM_SIZE 0x03  /* 64 bits [bytes] */
#define FW_CFG_NB_CPUS 0x05   /* 16 bits */
#define FW_CFG_MAX_CPUS 0x0F  /* 16 bits: one more than the largest APIC id */
#define FW_CFG_FILE_DIR 0x19
#define FW_CFG_FILE_FIRST 0x20
#define FW_CFG_FILE_NAME 56   /* [bytes], zero included */
#define FW_CFG_FILE_ROW 64    /* size (32), selector (16), reserved (16), name */

#define FW_CFG_ID_TRADITIONAL 1u
#define FW_CFG_ID_DMA 2u

/* DMA descriptor: control (32), length (32), address (64) */
#define FW_CFG_DMA_SIZE 16
#define FW_CFG_DMA_ERROR 1u
#define FW_CFG_DMA_READ 2u
#define FW_CFG_DMA_SKIP 4u
#define FW_CFG_DMA_SELECT 8u /* the key is in control 31:16 */
#define FW_CFG_DMA_WRITE 16u
#define FW_CFG_DMA_SIGNATURE 0x51454D5520434647ull /* "QEMU CFG": what the DMA port reads, big-endian */

#endif
