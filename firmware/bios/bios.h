/* The BIOS: what software written for a PC's firmware finds at the interrupt vectors.
 *
 * For images that ask firmware for everything: iPXE, boot sectors, real-mode test suites.  Each service is written from the
 * descriptions of the IBM PC/AT technical reference, Ralf Brown's Interrupt List, the PCI BIOS Specification 2.1 and the
 * ACPI Specification ("INT 15H, E820H - Query System Address Map").  One processor calls it, in real-address mode;
 * nothing here is re-entered: services run with interrupts off, and one that must wait says so (SERVICE_WAITS).
 */
#ifndef FIRMWARE_BIOS_BIOS_H
#define FIRMWARE_BIOS_BIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller's registers as `service` in entry.S leaves them on the caller's stack. */
struct frame {
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint16_t gs, fs, es, ds;
    uint16_t back, vector; /* of entry.S */
    uint16_t ip, cs, flags;
};
enum { FRAME_SIZE = offsetof(struct frame, flags) + 2 };
_Static_assert(FRAME_SIZE == 50, "no gaps");

enum { FLAG_CF = 1 << 0, FLAG_ZF = 1 << 6 };
enum service_result { SERVICE_DONE = 0, SERVICE_WAITS = 1 };

/* Parts of registers. */
#define AL(f) ((uint8_t)(f)->eax)
#define AH(f) ((uint8_t)((f)->eax >> 8))
#define AX(f) ((uint16_t)(f)->eax)
#define BL(f) ((uint8_t)(f)->ebx)
#define BH(f) ((uint8_t)((f)->ebx >> 8))
#define BX(f) ((uint16_t)(f)->ebx)
#define CX(f) ((uint16_t)(f)->ecx)
#define CL(f) ((uint8_t)(f)->ecx)
#define DL(f) ((uint8_t)(f)->edx)
#define DH(f) ((uint8_t)((f)->edx >> 8))
#define DX(f) ((uint16_t)(f)->edx)
static inline void set16(uint32_t *reg, unsigned value) { *reg = (*reg & 0xffff0000u) | (value & 0xffff); }
static inline void set_low(uint32_t *reg, unsigned value) { *reg = (*reg & 0xffffff00u) | (value & 0xff); }
static inline void set_high(uint32_t *reg, unsigned value) { *reg = (*reg & 0xffff00ffu) | (value & 0xff) << 8; }
static inline void succeed(struct frame *f) { f->flags &= (uint16_t)~FLAG_CF; }
static inline void fail(struct frame *f, unsigned ah) { f->flags |= FLAG_CF; set_high(&f->eax, ah); }

/* --- outside the segment (main.c) ------------------------------------------------------- */

uint8_t far_get8(unsigned segment, unsigned offset);
uint16_t far_get16(unsigned segment, unsigned offset);
uint32_t far_get32(unsigned segment, unsigned offset);
void far_put8(unsigned segment, unsigned offset, uint8_t value);
void far_put16(unsigned segment, unsigned offset, uint16_t value);
void far_put32(unsigned segment, unsigned offset, uint32_t value);
void copy_far32(uint32_t to, uint32_t from, uint32_t bytes); /* entry.S */

enum { BDA = 0x40 }; /* segment of the BIOS data area */

static inline uint8_t in8(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint16_t in16(uint16_t port) { uint16_t v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint32_t in32(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }

/* --- services ------------------------------------------------------------------------------ */

void screen_init(void);
void screen_write(const char *text);       /* in the white on black of messages */
void screen_service(struct frame *);       /* INT 10H */
void memory_service(struct frame *);       /* INT 15H */
uint32_t memory_above_1m_kib(void);        /* contiguous, below the hole [KiB] */
void keyboard_init(void);
enum service_result keyboard_service(struct frame *); /* INT 16H */
void keyboard_interrupt(void);             /* IRQ 1 */
void time_init(void);
void time_service(struct frame *);         /* INT 1AH, below B1H */
void time_interrupt(void);                 /* IRQ 0 */
void pci_service(struct frame *);          /* INT 1AH, AH = B1H */
bool console_on_serial(void);              /* the boot block asks for it */
void serial_init(void);
void serial_put(char c);
int serial_get(void);                      /* -1: nothing there */

/* --- called by entry.S --------------------------------------------------------------------- */

enum service_result bios_service(unsigned segment, unsigned offset);
void bios_post(void);
void bios_nothing_to_boot(void);

#endif
