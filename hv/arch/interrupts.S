/* Entry points of the hypervisor's own IDT: 256 stubs of 16 bytes.  Interrupts
 * arrive only while a logical processor idles, exceptions only when we are
 * broken. */
    .text
    .balign 16
    .globl interrupt_stubs
interrupt_stubs:
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

    /* Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
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
    call interrupt_dispatch
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

    .globl lp_load_tables
    /* (gdt pointer, idt pointer, tss selector) */
lp_load_tables:
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
    ret

    .section .note.GNU-stack, "", @progbits
