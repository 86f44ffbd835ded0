/* What an image of the software world is told when it starts.
 *
 * The hypervisor itself is started by multiboot2; its modules are named by
 * their command lines: "root", "child", "config", "frames0", "frames1", ...
 * The parent partition and children are ELF64 images entered in 64-bit mode:
 * interrupts off, identity page tables, RSP valid (16-byte aligned minus 8),
 * RDI = GPA of this structure, linked at the addresses below.
 */
#ifndef SPEC_HV_BOOT_H
#define SPEC_HV_BOOT_H

#include <stdint.h>

#define BOOT_INFO_MAGIC 0x4F4649544F4F42ull

#define HV_IMAGE_BASE 0x00100000ull   /* hypervisor: [1 MiB, 32 MiB) belongs to it */
#define HV_MEMORY_END 0x02000000ull
#define ROOT_IMAGE_BASE 0x04000000ull /* parent partition: GPA = SPA, all RAM but the hypervisor's */
#define CHILD_IMAGE_BASE 0x00200000ull /* in the child's own GPA space */

enum { BOOT_RANGES_MAX = 16, BOOT_MODULES_MAX = 40, BOOT_DEVICES_MAX = 4 };

struct boot_range { uint64_t gpa, size; };
struct boot_module { uint64_t gpa, size; char name[16]; };
struct boot_device { /* a virtual function assigned at start */
    uint64_t bar_gpa[2]; uint64_t bar_size[2];
    uint64_t device_id;  /* for HvCallMapDeviceInterrupt */
};

struct boot_info {
    uint64_t magic;
    uint32_t size;          /* of this structure [bytes] */
    uint32_t lab_channel;   /* of spec/lab/lab.h */
    uint32_t vp_count;
    uint32_t child_number;  /* 0.. for a child; 0xffffffff for the parent */
    uint64_t acpi_rsdp_gpa; /* 0 = none */
    uint32_t range_count, module_count, device_count, reserved;
    struct boot_range range[BOOT_RANGES_MAX];   /* usable RAM, image and modules included */
    struct boot_module module[BOOT_MODULES_MAX];
    struct boot_device device[BOOT_DEVICES_MAX];
};

/* The "config" module: lines "key=value".  Keys (all images ignore what they do not know):
 *   placement=microkernel|monolithic        services run where the images were linked; checked
 *   io_path=vmbus|vmq|sriov
 *   children=N   root.vps=1   child.memory=BYTES   mtu=1500   lossless=0|1
 *   nic.bdf=0x0100                          PF of the card (hex bdf)
 *   childN.mac=02:00:00:00:00:01   childN.workload=replayer|sink|echo|garbage|bench:<name>
 *   childN.lossless=0|1                     this child may hold the card's packet buffer [lossless]
 *   childN.vlan=0   childN.network=external|internal|private
 *   root.lp=0   childN.lp=1                 pinning; absent = any
 *   switch.capture=0|1   switch.filter=...  extensions
 *   moderation_us=N                         interrupt moderation of the card
 */

#endif
