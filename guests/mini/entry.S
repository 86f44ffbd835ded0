/* Entry of the child, and the interrupt stubs: 256 of them, 16 bytes each. */
    .section .text.entry, "ax"
    .globl mini_entry
mini_entry:                     /* RDI = GPA of struct boot_info; interrupts off */
    lea mini_stack_top(%rip), %rsp
    xor %ebp, %ebp
    call mini_main
1:  cli
    hlt
    jmp 1b

    .text
    .globl mini_vectors
    .align 16
mini_vectors:
    vector = 0
    .rept 256
    .align 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
    .else
    push $0                     /* no error code: one of ours */
    .endif
    push $vector
    jmp interrupt_common
    vector = vector + 1
    .endr

interrupt_common:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    mov 72(%rsp), %rdi          /* vector */
    mov 80(%rsp), %rsi          /* error code */
    mov 88(%rsp), %rdx          /* RIP */
    cld
    /* 5 words by the processor + 2 by the stub + 9 here leave RSP 16-byte aligned: it was aligned by 16 before the frame */
    call mini_interrupt
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .bss
    .align 4096
    .skip 65536
mini_stack_top:
    .section .note.GNU-stack, "", @progbits
