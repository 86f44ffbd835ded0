/* Virtio over PCI and its console: layouts and numbers.
 *
 * OASIS Virtual I/O Device (VIRTIO) Version 1.2: "Virtio Over PCI Bus", "Split Virtqueues", "Console Device".
 */
#ifndef SPEC_PLATFORM_VIRTIO_H
#define SPEC_PLATFORM_VIRTIO_H

#define VIRTIO_PCI_VENDOR 0x1AF4
#define VIRTIO_PCI_DEVICE 0x1040 /* plus the device's type */
#define VIRTIO_CONSOLE 3         /* a device type */

/* "Virtio Structure PCI Capabilities": struct virtio_pci_cap */
#define VIRTIO_CAP 0x09          /* id of a vendor-specific capability */
#define VIRTIO_CAP_LENGTH 2
#define VIRTIO_CAP_TYPE 3
#define VIRTIO_CAP_BAR 4
#define VIRTIO_CAP_OFFSET 8
#define VIRTIO_CAP_SIZE 12
#define VIRTIO_CAP_MULTIPLIER 16 /* of notifications only */
#define VIRTIO_CAP_COMMON 1
#define VIRTIO_CAP_NOTIFY 2
#define VIRTIO_CAP_ISR 3
#define VIRTIO_CAP_DEVICE 4

/* "Common configuration structure layout" */
#define VIRTIO_DEVICE_FEATURE_SELECT 0x00
#define VIRTIO_DEVICE_FEATURE 0x04
#define VIRTIO_DRIVER_FEATURE_SELECT 0x08
#define VIRTIO_DRIVER_FEATURE 0x0C
#define VIRTIO_CONFIG_VECTOR 0x10
#define VIRTIO_NUM_QUEUES 0x12
#define VIRTIO_DEVICE_STATUS 0x14
#define VIRTIO_CONFIG_GENERATION 0x15
#define VIRTIO_QUEUE_SELECT 0x16
#define VIRTIO_QUEUE_SIZE 0x18
#define VIRTIO_QUEUE_VECTOR 0x1A
#define VIRTIO_QUEUE_ENABLE 0x1C
#define VIRTIO_QUEUE_NOTIFY_OFF 0x1E
#define VIRTIO_QUEUE_DESC 0x20   /* 64 bits, as the next two: descriptor, driver ("available"), device ("used") area */
#define VIRTIO_QUEUE_DRIVER 0x28
#define VIRTIO_QUEUE_DEVICE 0x30
#define VIRTIO_COMMON_SIZE 0x38
#define VIRTIO_NO_VECTOR 0xFFFF

/* "Device Status Field" */
#define VIRTIO_ACKNOWLEDGE 1
#define VIRTIO_DRIVER 2
#define VIRTIO_DRIVER_OK 4
#define VIRTIO_FEATURES_OK 8
#define VIRTIO_NEEDS_RESET 64
#define VIRTIO_FAILED 128

/* "Reserved Feature Bits" */
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33) /* the device's DMA goes through the IOMMU, if there is one */

/* ISR status */
#define VIRTIO_ISR_QUEUE 1
#define VIRTIO_ISR_CONFIG 2

/* "The Virtqueue Descriptor Table", "Available Ring", "Used Ring": entries and heads [bytes] */
#define VIRTQ_DESC_SIZE 16
#define VIRTQ_DESC_NEXT 1
#define VIRTQ_DESC_WRITE 2
#define VIRTQ_DESC_INDIRECT 4
#define VIRTQ_AVAIL_NO_INTERRUPT 1
#define VIRTQ_AVAIL_IDX 2
#define VIRTQ_AVAIL_RING 4
#define VIRTQ_USED_IDX 2
#define VIRTQ_USED_RING 4
#define VIRTQ_USED_ELEMENT 8

/* used_event lies behind the available ring, avail_event behind the used ring. */

/* "Console Device: Virtqueues" */
#define VIRTIO_CONSOLE_RECEIVE 0
#define VIRTIO_CONSOLE_TRANSMIT 1

#endif
