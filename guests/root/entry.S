/* Entry of the parent partition's kernel (spec/hv/boot.h): 64-bit mode, interrupts
 * off, identity page tables, RDI = boot information. */
    .section .text.entry, "ax"
    .globl root_entry
root_entry:
    cld
    leaq root_stack_top(%rip), %rsp
    xorl %ebp, %ebp
    call root_main
1:  hlt
    jmp 1b

    .section .bss.stack, "aw", @nobits
    .balign 16
root_stack: .skip 65536
root_stack_top:

    .section .note.GNU-stack, "", @progbits
