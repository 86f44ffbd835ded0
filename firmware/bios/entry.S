/* Where the processor enters the BIOS: reset, interrupt services, and how it leaves.
 *
 * Everything lives in the segment F000H: code, data and a stack of its own (the segment is RAM here, as shadowed
 * ROM is on a PC).  A service runs with DS = ES = SS = F000H; the caller's registers wait on the caller's stack,
 * where the C code reads and changes them (struct frame in bios.h).
 */
#include "spec/platform/bios.h"

        .code16
        .section .boot_block, "aw"
        .globl boot_block
boot_block:
        .long   BIOS_BOOT_MAGIC_VALUE
        .long   BIOS_BOOT_NONE
        .fill   BIOS_BOOT_SIZE - 8, 1, 0

        .text
/* --- interrupt services: 8 bytes each, in order of the vector ------------------------ */
        .globl stubs
        .balign 8
stubs:
        .set    vector, 0
        .rept   256
        pushw   $vector
        jmp     service_and_return
        .balign 8
        .set    vector, vector + 1
        .endr

service_and_return:
        call    service
        addw    $2, %sp
        iretw

/* IRQ 0 also calls INT 1CH, for whoever hooked it. */
        .globl timer_stub
timer_stub:
        pushw   $8
        call    service
        addw    $2, %sp
        int     $0x1c
        iretw

/* What nobody hooked: INT 1CH. */
        .globl empty_stub
empty_stub:
        iretw

service:
        pushw   %ds
        pushw   %es
        pushw   %fs
        pushw   %gs
        pushal
again:
        movw    %ss, %ax
        movzwl  %ax, %eax
        movzwl  %sp, %edx
        movw    $BIOS_SEGMENT, %cx
        movw    %cx, %ds
        movw    %cx, %es
        movw    %cx, %ss
        movl    $stack_top, %esp
        pushl   %eax
        pushl   %edx
        cld
        calll   bios_service            /* (frame segment, frame offset) */
        popl    %edx
        popl    %ecx
        movw    %cx, %ss
        movl    %edx, %esp
        testl   %eax, %eax
        jnz     1f
        popal
        popw    %gs
        popw    %fs
        popw    %es
        popw    %ds
        ret
1:      sti                             /* it waits for something: let interrupts happen, then ask again */
        hlt
        cli
        jmp     again

/* --- reset ------------------------------------------------------------------------------- */
post:
        cli
        cld
        movw    $BIOS_SEGMENT, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $stack_top, %esp
        calll   bios_post
        movl    boot_block + BIOS_BOOT_KIND, %eax
        cmpl    $BIOS_BOOT_REAL, %eax
        je      boot_real
        cmpl    $BIOS_BOOT_PROTECTED, %eax
        je      boot_protected
        calll   bios_nothing_to_boot
1:      sti
        hlt
        jmp     1b

boot_real:
        pushw   boot_block + BIOS_BOOT_CS
        pushw   boot_block + BIOS_BOOT_IP
        popl    %edi                    /* CS:IP */
        movw    boot_block + BIOS_BOOT_SEGMENT, %ax
        movzwl  boot_block + BIOS_BOOT_SP, %ecx
        movw    %ax, %ss
        movl    %ecx, %esp
        pushl   %edi
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        xorl    %eax, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        lretw

boot_protected:
        movl    boot_block + BIOS_BOOT_EAX, %esi
        movl    boot_block + BIOS_BOOT_EBX, %ebx
        movl    boot_block + BIOS_BOOT_ENTRY, %edi
        lgdtl   gdt_pointer
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $8, $(BIOS_BASE + 1f)
        .code32
1:      movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    %esi, %eax
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %ebp, %ebp
        movl    $0x8000, %esp
        jmp     *%edi
        .code16

/* void copy_far32(uint32_t to, uint32_t from, uint32_t bytes): any physical addresses, by way of protected mode. */
        .globl copy_far32
copy_far32:
        pushl   %esi
        pushl   %edi
        pushw   %ds
        pushw   %es
        movl    %eax, %edi
        movl    %edx, %esi
        lgdtl   gdt_pointer
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        jmp     1f
1:      movw    $16, %dx
        movw    %dx, %ds
        movw    %dx, %es
        rep addr32 movsb
        movw    $24, %dx                /* limits of real mode again */
        movw    %dx, %ds
        movw    %dx, %es
        andl    $~1, %eax
        movl    %eax, %cr0
        ljmpw   $BIOS_SEGMENT, $1f
1:      popw    %es
        popw    %ds
        popl    %edi
        popl    %esi
        retl

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff      /* 08: flat code */
        .quad   0x00cf93000000ffff      /* 10: flat data */
        .quad   0x000093000000ffff      /* 18: data of real-mode size */
gdt_pointer:
        .word   . - gdt - 1
        .long   BIOS_BASE + gdt

        .section .reset, "ax"
        ljmpw   $BIOS_SEGMENT, $post
        .ascii  "11/23/26"              /* the date where PCs have one */
        .byte   0, 0xfc, 0              /* model: AT */

        .section .note.GNU-stack, "", @progbits
