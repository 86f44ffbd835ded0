/* Assembly: how every bare-metal test begins.  A multiboot2 header; `start`, from there to 64-bit mode with an identity map in
 * 2-MiB pages; and, with SECOND_MAIN, what is copied to 8000H for another processor to begin at.  Whoever includes it has a GDT
 * with 08 = 64-bit code, 10 = data and a gdt_pointer, START_TABLES in its .bss, and defines before:
 *
 *   START_MAIN, START_STACK    the first processor's function and the end of its stack
 *   START_GIB                  how much is mapped [GiB], 1 to 4
 *   START_CR0, START_EFER      bits set in them
 *   SECOND_MAIN, SECOND_STACK, SECOND_CODE   the same for the other, and the selector of 32-bit code; gdt_end
 */
#ifndef TESTS_GUESTS_START_H
#define TESTS_GUESTS_START_H
        .section .multiboot2, "a"
        .balign 8
header: .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
        .short 0, 0
        .long 8
header_end:

        .text
        .code32
        .globl start
start:  cli
        mov $START_STACK, %esp
        movl $pdpt + 7, pml4
        mov $pd + 7, %eax
        mov $pdpt, %edi
        mov $START_GIB, %ecx
1:      mov %eax, (%edi)
        add $4096, %eax
        add $8, %edi
        loop 1b
        mov $0x87, %eax
        mov $pd, %edi
        mov $512 * START_GIB, %ecx
1:      mov %eax, (%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 1b
        mov $START_MAIN, %ebx
to_long:                                /* EBX = function, ESP = its stack */
        mov %cr4, %eax
        or $0x6a0, %eax                 /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $START_EFER, %eax
        wrmsr
        mov %cr0, %eax
        or $START_CR0, %eax
        mov %eax, %cr0
        lgdt gdt_pointer
        ljmp $8, $1f
        .code64
1:      mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov %esp, %esp
        mov %ebx, %ebx
        call *%rbx
1:      hlt
        jmp 1b

#ifdef SECOND_MAIN
        .code16
        .globl trampoline, trampoline_end
trampoline:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x8000 + low_pointer - trampoline
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $SECOND_CODE, $0x8000 + second - trampoline
low_pointer:
        .short gdt_end - gdt - 1
        .long gdt
        .code32
second: mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $SECOND_STACK, %esp
        mov $SECOND_MAIN, %ebx
        mov $to_long, %eax
        jmp *%eax
trampoline_end:
        .code64
#endif

        .macro START_TABLES
        .balign 4096
        .globl pml4, pdpt, pd
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip START_GIB * 4096
        .endm
#endif
