/* Multiboot entry with the addresses of a flat image, as QEMU takes 64-bit files that way only; to 64-bit mode. */
        .equ MAGIC, 0x1badb002
        .equ FLAGS, 0x10003
        .section .multiboot, "a"
        .balign 4
header: .long MAGIC, FLAGS, -(MAGIC + FLAGS)
        .long header, header, image_end, bss_end, start

        .text
        .code32
        .globl start
start:  cli
        mov $stack_top, %esp
        movl $pdpt + 3, pml4            /* identity: 1 GiB in 2-MiB pages */
        movl $pd + 3, pdpt
        mov $0x83, %eax
        mov $pd, %edi
        mov $512, %ecx
1:      mov %eax, (%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 1b
        mov $0x6a0, %eax                /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax                 /* LME */
        wrmsr
        mov %cr0, %eax
        and $~4, %eax                   /* EM */
        or $0x80000023, %eax            /* PG, NE, MP, PE */
        mov %eax, %cr0
        lgdt gdt_pointer
        ljmp $8, $1f
        .code64
1:      mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov %esp, %esp
        mov %ebx, %edi
        call guest_main
1:      hlt
        jmp 1b

        .data
        .balign 8
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .short . - gdt - 1
        .long gdt

        .bss
        .balign 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
        .skip 16384
stack_top:

        .section .note.GNU-stack, "", @progbits
