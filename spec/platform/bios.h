/* Where the BIOS image lies and how a loader tells it what to start.
 *
 * The image fills the segment F000H.  A loader copies it there, fills in the boot block at its beginning and starts the first processor
 * at F000:FFF0 in real-address mode.  The BIOS initialises what a PC's firmware initialises (interrupt vectors, BIOS data area,
 * 8259s with bases 08H and 70H, timer tick, keyboard, text mode) and enters what the boot block names.
 */
#ifndef SPEC_PLATFORM_BIOS_H
#define SPEC_PLATFORM_BIOS_H

#define BIOS_BASE 0xF0000 /* [spa] */
#define BIOS_SIZE 0x10000 /* [bytes] */
#define BIOS_SEGMENT 0xF000

/* The boot block: offsets in the image [bytes]. */
#define BIOS_BOOT_MAGIC 0x00      /* u32 */
#define BIOS_BOOT_KIND 0x04       /* u32: BIOS_BOOT_* below */
#define BIOS_BOOT_SEGMENT 0x08    /* u16, REAL: to DS, ES, FS, GS, SS */
#define BIOS_BOOT_SP 0x0A         /* u16, REAL */
#define BIOS_BOOT_CS 0x0C         /* u16, REAL */
#define BIOS_BOOT_IP 0x0E         /* u16, REAL */
#define BIOS_BOOT_ENTRY 0x10      /* u32, PROTECTED: physical address */
#define BIOS_BOOT_EAX 0x14        /* u32, PROTECTED */
#define BIOS_BOOT_EBX 0x18        /* u32, PROTECTED */
#define BIOS_BOOT_CONSOLE 0x1C    /* u32: 1 = what INT 10H writes goes to COM1 too, and COM1's input to INT 16H */
#define BIOS_BOOT_SIZE 0x20

/* The entry point of SMBIOS, which is not the BIOS's: 24 bytes of the segment that the image leaves zero. */
#define BIOS_SMBIOS_ENTRY 0xFFC0
#define BIOS_SMBIOS_ENTRY_SIZE 0x18

#define BIOS_BOOT_MAGIC_VALUE 0x534F4942 /* "BIOS" */
#define BIOS_BOOT_NONE 0      /* says that there is nothing to start, and halts */
#define BIOS_BOOT_REAL 1      /* far jump in real-address mode */
#define BIOS_BOOT_PROTECTED 2 /* flat 32-bit protected mode, paging and interrupts off, as multiboot's machine state */

/* BIOS data area: what kernels still look up there.  A loader that stands in for the BIOS fills in these fields too. */
#define BIOS_DATA_BASE 0x400          /* [spa] */
#define BIOS_DATA_SIZE 0x100          /* [bytes] */
#define BIOS_DATA_COM1 0x00           /* u16: port */
#define BIOS_DATA_EBDA 0x0E           /* u16: segment of the extended BIOS data area; 0: there is none */
#define BIOS_DATA_EQUIPMENT 0x10      /* u16, as INT 11H tells */
#define BIOS_DATA_MEMORY_KIB 0x13     /* u16: conventional memory, as INT 12H tells */
#define BIOS_DATA_EQUIPMENT_VALUE 0x0226 /* 80x25 colour, mouse, FPU, one COM port */

#endif
