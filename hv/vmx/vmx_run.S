/* VM entry and the way back.  C sees one function that returns after the next
 * VM exit.  Layout of struct vp_context: hv/vp/vp.h. */
#define GPR(n) (8 * (n))
#define HOST_RSP_CACHE 128
#define LAUNCHED 136
#define VMCS_HOST_RSP 0x6C14

    .text
    .globl vmx_enter
    .type vmx_enter, @function
vmx_enter:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi
    cmpq %rsp, HOST_RSP_CACHE(%rdi)
    je 1f
    movq %rsp, HOST_RSP_CACHE(%rdi)
    movl $VMCS_HOST_RSP, %eax
    vmwrite %rsp, %rax
1:
    movq GPR(0)(%rdi), %rax
    movq GPR(1)(%rdi), %rcx
    movq GPR(2)(%rdi), %rdx
    movq GPR(3)(%rdi), %rbx
    movq GPR(5)(%rdi), %rbp
    movq GPR(6)(%rdi), %rsi
    movq GPR(8)(%rdi), %r8
    movq GPR(9)(%rdi), %r9
    movq GPR(10)(%rdi), %r10
    movq GPR(11)(%rdi), %r11
    movq GPR(12)(%rdi), %r12
    movq GPR(13)(%rdi), %r13
    movq GPR(14)(%rdi), %r14
    movq GPR(15)(%rdi), %r15
    cmpq $0, LAUNCHED(%rdi)
    movq GPR(7)(%rdi), %rdi
    jne 2f
    vmlaunch
    jmp 3f
2:  vmresume
3:  /* VMfail: nothing was loaded, the stack is ours */
    popq %rdi
    movl $1, %eax
    jmp 4f

    .globl vmx_exit_entry
vmx_exit_entry:
    xchgq %rdi, (%rsp)
    movq %rax, GPR(0)(%rdi)
    movq %rcx, GPR(1)(%rdi)
    movq %rdx, GPR(2)(%rdi)
    movq %rbx, GPR(3)(%rdi)
    movq %rbp, GPR(5)(%rdi)
    movq %rsi, GPR(6)(%rdi)
    movq %r8, GPR(8)(%rdi)
    movq %r9, GPR(9)(%rdi)
    movq %r10, GPR(10)(%rdi)
    movq %r11, GPR(11)(%rdi)
    movq %r12, GPR(12)(%rdi)
    movq %r13, GPR(13)(%rdi)
    movq %r14, GPR(14)(%rdi)
    movq %r15, GPR(15)(%rdi)
    popq %rax
    movq %rax, GPR(7)(%rdi)
    movq $1, LAUNCHED(%rdi)
    xorl %eax, %eax
4:  popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size vmx_enter, . - vmx_enter

    .section .note.GNU-stack, "", @progbits
