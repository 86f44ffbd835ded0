/* Exception stubs, the switch into a guest and back, guest code. */
#define START_MAIN kernel_main
#define START_STACK boot_stack_top
#define START_GIB 1
#define START_CR0 0x80000021            /* PG, NE, PE */
#define START_EFER 0x100                /* LME */
#include "tests/guests/start.h"

/* int vm_enter(uint64_t regs[15], bool launch): 0 after an exit, else 1 VMfailInvalid, 2 VMfailValid.
 * regs: rax rcx rdx rbx rbp rsi rdi r8..r15 of the guest. */
        .globl vm_enter, vm_exit
vm_enter:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        push %rdi
        mov $0x6c14, %eax               /* HOST_RSP */
        vmwrite %rsp, %rax
        test %sil, %sil
        mov 0(%rdi), %rax
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
        jz 1f
        vmlaunch
        jmp 2f
1:      vmresume
2:      pop %rdi
        mov $1, %eax
        jc 3f
        mov $2, %eax
3:      pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret
vm_exit:
        xchg %rdi, (%rsp)
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
        mov (%rsp), %rax
        mov %rax, 48(%rdi)
        add $8, %rsp
        xor %eax, %eax
        jmp 3b

/* Exception and interrupt stubs, used by host and guest alike. */
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
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp
        iretq

/* --- guest code: each ends in VMCALL ------------------------------------------------------ */
        .macro GUEST name
        .globl \name
\name:
        .endm

GUEST g_cpuid
        mov $0x40000000, %eax
        cpuid
        vmcall
GUEST g_vmcall
        vmcall
        jmp g_vmcall
GUEST g_hlt
        hlt
        vmcall
GUEST g_out
        mov $0x5a, %al
        mov $0x3fd, %dx
        outb %al, %dx
        vmcall
GUEST g_rdmsr
        mov $0x174, %ecx
        rdmsr
        vmcall
GUEST g_cr
        mov %cr0, %rax
        mov %cr4, %rbx
        mov %rax, %cr0                  /* reads back the shadow: no exit */
        btr $3, %rax
        bts $1, %rax
        mov %rax, %cr0                  /* MP is the guest's own */
        mov %cr0, %rsi
        mov %rcx, %cr3
        vmcall
GUEST g_store                           /* [rbx] = rax */
        mov %rax, (%rbx)
        mov (%rbx), %rcx
        vmcall
GUEST g_ud
        ud2
        vmcall
GUEST g_int3
        int3
        vmcall
GUEST g_load                            /* rax = [rbx] */
        mov (%rbx), %rax
        vmcall
GUEST g_int
        int $0x66
        .globl g_int_next
g_int_next:
        vmcall
GUEST g_sti
        cli
        xor %eax, %eax
        sti
        inc %eax                        /* in the shadow */
        .globl g_sti_window
g_sti_window:
        inc %eax
        inc %eax
        vmcall
GUEST g_loop
1:      inc %rax
        jmp 1b
GUEST g_step
        inc %eax
        .globl g_step1, g_step2, g_step3
g_step1:
        mov $3, %ecx
        .byte 0x90
g_step2:
        rep movsb
g_step3:
        vmcall
GUEST g_rdtsc
        rdtsc
        shl $32, %rdx
        or %rdx, %rax
        vmcall
GUEST g_wait                            /* until an interrupt has been counted */
        sti
1:      hlt
        cmpl $0, guest_interrupts
        je 1b
        cli
        vmcall
GUEST g_tpr
        mov $7, %eax
        mov %rax, %cr8
        mov %cr8, %rbx
        mov $2, %eax
        mov %rax, %cr8                  /* below the threshold: traps behind this */
        .globl g_tpr_next
g_tpr_next:
        vmcall
GUEST g_iret_nmi                        /* IRET ends virtual-NMI blocking */
        mov %rsp, %rax
        push $0x10
        push %rax
        pushfq
        push $8
        lea g_iret_next(%rip), %rax
        push %rax
        iretq
        .globl g_iret_next
g_iret_next:
        nop
        vmcall

/* 16-bit code for an unrestricted guest, copied to 7000H. */
        .code16
        .globl g_real, g_real_end
g_real: mov $0x1234, %ax
        mov %ax, 0x100                  /* DS:100H */
        cpuid
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0                  /* protected mode without an exit */
        vmcall
g_real_end:
        .code64

        .data
        .balign 16
        .globl gdt, gdt_pointer, isr_table
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
        .quad 0x0000890000000067, 0     /* TSS at selector 18H, base filled in */
gdt_pointer:
        .short . - gdt - 1
        .quad gdt
isr_table:
        .quad stubs

        .bss
        START_TABLES
        .globl boot_stack_top, guest_stack_top, guest_interrupts
        .skip 16384
boot_stack_top:
        .skip 16384
guest_stack_top:
guest_interrupts:
        .skip 8

        .section .note.GNU-stack, "", @progbits
