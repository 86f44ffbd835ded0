/* Interrupt handlers, ring 3 and VMX loops: whatever of the measured paths C cannot say. */
#define START_MAIN bench_main
#define START_STACK stack_top
#define START_GIB 4
#define START_CR0 0x80000021            /* PG, NE, PE */
#define START_EFER 0x901                /* NXE, LME, SCE */
#define SECOND_MAIN second_main
#define SECOND_STACK second_stack_top
#define SECOND_CODE 0x40
#include "tests/guests/start.h"

/* --- interrupts: one that returns, one that stamps its arrival --------------------------- */
        .globl on_int, on_ipi
on_int: iretq
on_ipi: push %rax
        push %rdx
        push %rcx
        rdtsc
        shl $32, %rdx
        or %rdx, %rax
        mov %rax, arrived
        mov $0x80b, %ecx                /* EOI */
        xor %eax, %eax
        xor %edx, %edx
        wrmsr
        pop %rcx
        pop %rdx
        pop %rax
        iretq

/* --- system calls: void syscall_loop(uint64_t count) -------------------------------------- */
        .globl syscall_loop, syscall_entry
syscall_loop:
        push %rbx
        push %rbp
        mov %rsp, %rbp
        mov %rdi, %r8
        xor %r9d, %r9d
        lea 1f(%rip), %rcx
        mov $2, %r11d
        sysretq
1:      syscall                         /* in ring 3 */
        dec %r8
        jnz 1b
        mov $1, %r9d
        syscall
        ud2
        .balign 16
syscall_entry:
        test %r9d, %r9d
        jnz 1f
        sysretq
1:      mov %rbp, %rsp
        pop %rbp
        pop %rbx
        ret

/* --- VMX: int vmx_loop_bare(count): resume and exit, nothing else.
 *     int vmx_loop_lean(count): registers saved and restored, reason read, rip read and advanced.
 * The guest leaves at one and the same instruction; lean steps over it (guest_step).
 * 0, or 1 when an entry failed. */
        .macro BEGIN_LOOP exit_label
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov $0x6c14, %eax               /* HOST_RSP */
        vmwrite %rsp, %rax
        mov $0x6c16, %eax               /* HOST_RIP */
        lea \exit_label(%rip), %rdx
        vmwrite %rdx, %rax
        .endm
end_loop:
        xor %eax, %eax
1:      pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret
fail_loop:
        mov $1, %eax
        jmp 1b

        .globl vmx_loop_bare, vmx_loop_lean
vmx_loop_bare:
        BEGIN_LOOP 2f
        cmpb $0, launched
        jne 1f
        movb $1, launched
        vmlaunch
        jmp fail_loop
1:      vmresume
        jmp fail_loop
        .balign 16
2:      dec %rdi
        jnz 1b
        jmp end_loop

vmx_loop_lean:
        BEGIN_LOOP 2f
        mov %rdi, lean_left
        lea registers(%rip), %rdi
        jmp 1f
        .balign 16
2:      mov %rdi, saved_rdi
        lea registers(%rip), %rdi
        mov %rax, 0(%rdi)
        mov %rcx, 8(%rdi)
        mov %rdx, 16(%rdi)
        mov %rbx, 24(%rdi)
        mov %rbp, 32(%rdi)
        mov %rsi, 40(%rdi)
        mov %r8, 56(%rdi)
        mov %r9, 64(%rdi)
        mov %r10, 72(%rdi)
        mov %r11, 80(%rdi)
        mov %r12, 88(%rdi)
        mov %r13, 96(%rdi)
        mov %r14, 104(%rdi)
        mov %r15, 112(%rdi)
        mov saved_rdi, %rax
        mov %rax, 48(%rdi)
        mov $0x4402, %eax               /* exit reason */
        vmread %rax, %rcx
        mov $0x440c, %eax               /* instruction length */
        vmread %rax, %rdx
        mov $0x681e, %eax               /* guest rip */
        vmread %rax, %rbx
        add %rdx, %rbx
        vmwrite %rbx, %rax
        cmp lean_reason, %rcx
        jne fail_loop
        decq lean_left
        jz end_loop
1:      mov 0(%rdi), %rax
        mov 8(%rdi), %rcx
        mov 16(%rdi), %rdx
        mov 24(%rdi), %rbx
        mov 32(%rdi), %rbp
        mov 40(%rdi), %rsi
        mov 56(%rdi), %r8
        mov 64(%rdi), %r9
        mov 72(%rdi), %r10
        mov 80(%rdi), %r11
        mov 88(%rdi), %r12
        mov 96(%rdi), %r13
        mov 104(%rdi), %r14
        mov 112(%rdi), %r15
        mov 48(%rdi), %rdi
        vmresume
        jmp fail_loop

        .balign 16
        .globl guest_vmcall, guest_cpuid
guest_vmcall:
        vmcall
        jmp guest_vmcall
guest_cpuid:
        xor %eax, %eax
        cpuid
        jmp guest_cpuid

        .data
        .balign 16
        .globl gdt, launched, lean_reason
gdt:    .quad 0
        .quad 0x00af9b000000ffff        /* 08 code */
        .quad 0x00cf93000000ffff        /* 10 data */
        .quad 0                         /* 18 base of SYSRET's selectors */
        .quad 0x00cff3000000ffff        /* 20 data, ring 3 */
        .quad 0x00affb000000ffff        /* 28 code, ring 3 */
        .quad 0x0000890000000067, 0     /* 30 TSS; its base is filled in */
        .quad 0x00cf9b000000ffff        /* 40 code, 32 bits */
gdt_end:
gdt_pointer:
        .short gdt_end - gdt - 1
        .quad gdt
launched: .byte 0
        .balign 8
lean_left: .quad 0
lean_reason: .quad 0
saved_rdi: .quad 0

        .bss
        START_TABLES
        .globl arrived, stack_top
        .skip 16384
stack_top:
        .skip 16384
second_stack_top:
        .balign 64
registers: .skip 128
arrived: .skip 64
        .section .note.GNU-stack, "", @progbits
