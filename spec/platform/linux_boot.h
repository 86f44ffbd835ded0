/* The Linux/x86 boot protocol: where things are in a bzImage and in struct boot_params.
 *
 * Linux Documentation "The Linux/x86 Boot Protocol" ("The Real-Mode Kernel Header", "32-bit Boot Protocol",
 * "64-bit Boot Protocol") and "Zero Page".  Offsets in bytes.  The set-up header is at the same offset, 1F1H,
 * in the file and in boot_params (the "zero page").
 */
#ifndef SPEC_PLATFORM_LINUX_BOOT_H
#define SPEC_PLATFORM_LINUX_BOOT_H

/* --- the set-up header, in both --- */
#define LINUX_SETUP_SECTS 0x1F1      /* 1; sectors of 512 bytes behind the first; 0 means 4 */
#define LINUX_SYSSIZE 0x1F4          /* 4; protected-mode code [16 bytes] */
#define LINUX_VID_MODE 0x1FA         /* 2 */
#define LINUX_BOOT_FLAG 0x1FE        /* 2; AA55H */
#define LINUX_JUMP 0x200             /* 2; short jump: its displacement says where the header ends */
#define LINUX_HEADER_MAGIC 0x202     /* 4; "HdrS" */
#define LINUX_VERSION 0x206          /* 2; major << 8 | minor */
#define LINUX_TYPE_OF_LOADER 0x210   /* 1 */
#define LINUX_LOADFLAGS 0x211        /* 1 */
#define LINUX_CODE32_START 0x214     /* 4 */
#define LINUX_RAMDISK_IMAGE 0x218    /* 4 */
#define LINUX_RAMDISK_SIZE 0x21C     /* 4 */
#define LINUX_HEAP_END_PTR 0x224    /* 2; offset from the real-mode part, less 200H */
#define LINUX_CMD_LINE_PTR 0x228     /* 4; since 2.02 */
#define LINUX_INITRD_ADDR_MAX 0x22C  /* 4; highest byte; since 2.03 */
#define LINUX_KERNEL_ALIGNMENT 0x230 /* 4; since 2.05 */
#define LINUX_RELOCATABLE 0x234      /* 1; since 2.05 */
#define LINUX_XLOADFLAGS 0x236       /* 2; since 2.12 */
#define LINUX_CMDLINE_SIZE 0x238     /* 4; without the final zero; since 2.06 */
#define LINUX_PREF_ADDRESS 0x258     /* 8; since 2.10 */
#define LINUX_INIT_SIZE 0x260        /* 4; memory needed from the load address on; since 2.10 */
#define LINUX_HEADER_END_MAX 0x290   /* other fields of boot_params begin */

#define LINUX_HEADER_MAGIC_VALUE 0x53726448u
#define LINUX_LOADED_HIGH (1u << 0)       /* loadflags: a bzImage */
#define LINUX_CAN_USE_HEAP (1u << 7)      /* loadflags: heap_end_ptr is valid */
#define LINUX_XLF_KERNEL_64 (1u << 0)     /* xloadflags: 64-bit entry at +200H */
#define LINUX_LOADER_UNDEFINED 0xFF       /* type_of_loader of one without an assigned number */
#define LINUX_VID_MODE_NORMAL 0xFFFF
#define LINUX_OLD_INITRD_MAX 0x37FFFFFFu  /* before 2.03 */
#define LINUX_OLD_CMDLINE_SIZE 255        /* before 2.06 */
#define LINUX_ENTRY_64 0x200              /* from the load address */

/* --- boot_params only --- */
#define LINUX_SCREEN_INFO 0x000      /* 64; all zero: no screen */
#define LINUX_VIDEO_VGA 0x22         /* orig_video_isVGA: VGA text */
#define LINUX_VIDEO_LINEAR 0x23      /* orig_video_isVGA: VESA linear framebuffer */
#define LINUX_VIDEO_64BIT_BASE 2     /* capabilities: ext_lfb_base counts */
#define LINUX_EXT_MEM_K 0x002        /* 2; in screen_info: KiB from 1 MiB up, capped */
#define LINUX_ACPI_RSDP 0x070        /* 8 */
#define LINUX_EXT_RAMDISK_IMAGE 0x0C0 /* 4; bits 63:32 */
#define LINUX_EXT_RAMDISK_SIZE 0x0C4
#define LINUX_EXT_CMD_LINE_PTR 0x0C8
#define LINUX_ALT_MEM_K 0x1E0        /* 4 */
#define LINUX_E820_ENTRIES 0x1E8     /* 1 */
#define LINUX_E820_TABLE 0x2D0       /* of 20 bytes: base 8, size 8, type 4 */
#define LINUX_E820_ENTRY_SIZE 20
#define LINUX_E820_MAX 128
#define LINUX_BOOT_PARAMS_SIZE 4096

/* --- selectors at entry: __BOOT_CS and __BOOT_DS --- */
#define LINUX_BOOT_CS 0x10
#define LINUX_BOOT_DS 0x18

#endif
