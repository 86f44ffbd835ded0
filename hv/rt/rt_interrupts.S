/* The entry points of an IDT: 256 stubs of 16 bytes, and the loading of the tables; see rt_tables.h. */
    .text
    .balign 16
    .globl rt_interrupt_stubs
rt_interrupt_stubs:
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

    /* Stack: struct rt_interrupt_frame. */
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
    leaq 80(%rsp), %rdi
    andq $-16, %rsp
    cld
    call rt_interrupt
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

    .globl rt_load_registers
    /* (gdt pointer, idt pointer, tss selector) */
rt_load_registers:
    lgdt (%rdi)
    lidt (%rsi)
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    ltr %dx
    pushq $0x08
    leaq 1f(%rip), %rax
    pushq %rax
    lretq
1:  ret

    .section .note.GNU-stack, "", @progbits
