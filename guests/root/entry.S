/* Entry of the parent partition's kernel (spec/hv/boot.h): 64-bit mode, interrupts
 * off, identity page tables, RDI = boot information.  And its interrupt entry points. */
    .section .text.entry, "ax"
    .globl root_entry
root_entry:
    cld
    leaq root_stack_top(%rip), %rsp
    xorl %ebp, %ebp
    call root_main
1:  hlt
    jmp 1b

    .text
    .balign 16
    .globl root_interrupt_stubs
root_interrupt_stubs:
    vector = 0
    .rept 256
    .balign 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
    .else
    pushq $0
    .endif
    pushq $vector
    jmp common
    vector = vector + 1
    .endr

common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    movq %rsp, %rbx
    movq 80(%rsp), %rdi
    leaq 80(%rsp), %rsi
    andq $-16, %rsp
    cld
    call root_interrupt
    movq %rbx, %rsp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    .globl root_load_tables
    /* (gdt pointer, idt pointer, tss selector) */
root_load_tables:
    lgdt (%rdi)
    lidt (%rsi)
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    ltr %dx
    pushq $0x08
    leaq 1f(%rip), %rax
    pushq %rax
    lretq
1:  ret

    .section .bss.stack, "aw", @nobits
    .balign 16
root_stack: .skip 65536
root_stack_top:

    .section .note.GNU-stack, "", @progbits
