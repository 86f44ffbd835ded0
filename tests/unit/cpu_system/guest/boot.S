/* Multiboot2 entry, the way to 64-bit mode for both processors, exception stubs, rings. */
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
        mov $boot_stack_top, %esp
        /* identity map: 4 GiB in 2-MiB pages */
        mov $pdpt + 7, %eax
        mov %eax, pml4
        mov $pd + 7, %eax
        mov $pdpt, %edi
        mov $4, %ecx
1:      mov %eax, (%edi)
        add $4096, %eax
        add $8, %edi
        loop 1b
        mov $0x87, %eax
        mov $pd, %edi
        mov $2048, %ecx
1:      mov %eax, (%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 1b
        mov $kernel_main, %ebx
        jmp to_long

/* 32-bit protected mode, paging off; EBX = 64-bit function, ESP = its stack. */
to_long:
        mov %cr4, %eax
        or $0x6a0, %eax                 /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x901, %eax                 /* NXE, LME, SCE */
        wrmsr
        mov %cr0, %eax
        or $0x80010001, %eax
        mov %eax, %cr0
        lgdt gdt_pointer
        ljmp $8, $long_entry
        .code64
long_entry:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov %esp, %esp
        mov %ebx, %ebx
        call *%rbx
1:      hlt
        jmp 1b

/* Copied to 8000H; a started processor begins here in real mode. */
        .code16
        .globl trampoline, trampoline_end
trampoline:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x8000 + gdt_pointer_low - trampoline
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $0x30, $0x8000 + ap32 - trampoline
gdt_pointer_low:
        .short 0x47
        .long gdt
        .code32
ap32:   mov $0x38, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $ap_stack_top, %esp
        mov $ap_main, %ebx
        mov $to_long, %eax
        jmp *%eax
trampoline_end:

        .code64
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
gdt_pointer:
        .short . - gdt - 1
        .quad gdt
isr_table:
        .quad stubs

        .bss
        .balign 4096
        .globl pml4, pdpt, pd
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4 * 4096
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
