/* Exception stubs, rings. */
#define START_MAIN kernel_main
#define START_STACK boot_stack_top
#define START_GIB 4
#define START_CR0 0x80010001            /* PG, WP, PE */
#define START_EFER 0x901                /* NXE, LME, SCE */
#define SECOND_MAIN ap_main
#define SECOND_STACK ap_stack_top
#define SECOND_CODE 0x30
#include "tests/guests/start.h"

        .globl isr_table
        .balign 16
stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17)
        .else
        push $0
        .endif
        push $vector
        jmp common
        .set vector, vector + 1
        .endr
common: push %rax
        push %rcx
        push %rdx
        push %rbx
        push %rbp
        push %rsi
        push %rdi
        push %r8
        push %r9
        push %r10
        push %r11
        mov %rsp, %rdi
        cld
        call isr
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rbp
        pop %rbx
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp
        iretq

/* bool attempt(void (*fn)(uint64_t), uint64_t arg): false when fn ended in an exception. */
        .globl attempt, attempt_failed
attempt:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, attempt_rsp
        mov %rdi, %rax
        mov %rsi, %rdi
        sub $8, %rsp
        call *%rax
        mov $1, %eax
        jmp attempt_out
attempt_failed:
        xor %eax, %eax
attempt_out:
        mov attempt_rsp, %rsp
        movq $0, attempt_rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

/* uint64_t user(void (*fn)(uint64_t), uint64_t arg, bool by_sysret): value given to SYSCALL, or ~0 after an exception. */
        .globl user, user_failed, syscall_entry
user:   push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, user_rsp
        mov %rdi, %rcx
        mov %rsi, %rdi
        test %dl, %dl
        jz 1f
        mov $0x202, %r11d
        mov $user_stack_top - 8, %rsp
        sysretq
1:      push $0x23
        push $user_stack_top - 8
        push $0x202
        push $0x2b
        push %rcx
        iretq
user_failed:
        mov $-1, %rdi
syscall_entry:
        mov user_rsp, %rsp
        mov $0x10, %eax
        mov %eax, %ss
        sti
        mov %rdi, %rax
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

/* uint64_t stepped(void): instructions between setting and clearing TF, counted by #DB. */
        .globl stepped
stepped:
        pushfq
        pushfq
        orq $0x100, (%rsp)
        popfq
        nop
        mov %ss, %eax
        mov %eax, %ss                   /* its trap is held back by one instruction */
        nop
        popfq
        nop
        ret

        .data
        .balign 16
        .globl gdt, gdt_pointer
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
        .quad 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff
        .quad 0x00cf9b000000ffff, 0x00cf93000000ffff
        .quad 0x0000890000000067, 0, 0, 0
gdt_end:
gdt_pointer:
        .short gdt_end - gdt - 1
        .quad gdt
isr_table:
        .quad stubs

        .bss
        START_TABLES
        .globl attempt_rsp, user_rsp, boot_stack_top
attempt_rsp: .skip 8
user_rsp: .skip 8
        .balign 4096
        .skip 16384
boot_stack_top:
        .skip 16384
ap_stack_top:
        .skip 16384
        .globl user_stack_top
user_stack_top:

        .section .note.GNU-stack, "", @progbits
