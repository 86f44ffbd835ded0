/* From the boot loader to C: multiboot 1 and 2 headers, 32-bit entry, long
 * mode; and the start-up code of the other processors.
 *
 * In: EAX = loader's magic, EBX = its information structure, paging off.
 * hv_main(magic, information) is called on the boot stack with the first 4 GiB
 * mapped one to one. */
#define MB1_MAGIC 0x1BADB002
#define MB1_FLAGS 0x00010003
#define MB2_MAGIC 0xE85250D6
#define COM1 0x3F8
#define CR0_PE 1
#define CR0_WP_NE_MP 0x10022
#define CR0_PG 0x80000000
#define CR4_BOOT 0x6A0 /* PAE, PGE, OSFXSR, OSXMMEXCPT */
#define EFER 0xC0000080
#define EFER_LME_NXE 0x900
#define AP_BASE 0x8000

    .section .multiboot, "a"
    .balign 8
mb2_header:
    .long MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + (mb2_end - mb2_header))
    .short 0, 0
    .long 8
mb2_end:
    .balign 4
mb1_header: /* with addresses: loaders of multiboot 1 refuse ELF64 otherwise */
    .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
    .long mb1_header, hv_image_start, hv_image_file_end, hv_image_end, entry32

    .section .text.boot, "ax"
    .code32
    .globl entry32
entry32:
    cli
    cld
    movl %eax, %ebp
    movl $boot_stack_top, %esp
    /* CPUID there? Bit 21 of EFLAGS can be changed. */
    pushfl
    popl %eax
    movl %eax, %ecx
    xorl $0x200000, %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    pushl %ecx
    popfl
    xorl %ecx, %eax
    testl $0x200000, %eax
    jz refuse_64bit
    movl %ebx, %edi
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb refuse_64bit
    movl $0x80000001, %eax
    cpuid
    testl $0x20000000, %edx
    jz refuse_64bit

    /* Identity tables of 2 MiB pages: PML4, PDPT, four PDs; .bss is zero. */
    movl $boot_pdpt + 3, boot_pml4
    movl $boot_pd + 3, %eax
    movl $boot_pdpt, %edx
    movl $4, %ecx
1:  movl %eax, (%edx)
    addl $4096, %eax
    addl $8, %edx
    decl %ecx
    jnz 1b
    movl $0x83, %eax
    movl $boot_pd, %edx
    movl $2048, %ecx
2:  movl %eax, (%edx)
    addl $0x200000, %eax
    addl $8, %edx
    decl %ecx
    jnz 2b

    movl %edi, %esi /* information */
    movl %ebp, %edi /* magic */
    call go_long
    lgdt boot_gdt_pointer
    ljmp $0x08, $entry64

/* Paging and long mode on, in 32-bit code. Changes EAX, ECX, EDX. */
go_long:
    movl $CR4_BOOT, %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $EFER_LME_NXE, %eax
    wrmsr
    movl %cr0, %eax
    andl $0x9FFFFFFF, %eax
    orl $(CR0_PE | CR0_WP_NE_MP), %eax
    andl $0xFFFFFFF3, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    ret

refuse_64bit:
    movl $message_64bit, %esi
1:  movb (%esi), %al
    testb %al, %al
    jz 2f
    movw $COM1, %dx
    outb %al, %dx
    incl %esi
    jmp 1b
2:  movw $0xF4, %dx
    movl $0x10, %eax
    outl %eax, %dx
3:  hlt
    jmp 3b

    .code64
entry64:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl %edi, %edi
    movl %esi, %esi
    leaq boot_stack_top, %rsp
    xorl %ebp, %ebp
    call hv_main
1:  hlt
    jmp 1b

/* --- other processors: copied to AP_BASE, entered there in real mode ------------------ */

    .code16
    .globl ap_start, ap_start_end
ap_start:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl ap_gdt_pointer - ap_start
    movl %cr0, %eax
    orl $CR0_PE, %eax
    movl %eax, %cr0
    ljmpl $0x18, $(AP_BASE + ap_32 - ap_start)
    .code32
ap_32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $ap_32_here, %eax
    jmp *%eax
    .balign 8
ap_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .long boot_gdt
ap_start_end:

ap_32_here:
    movl $ap_boot_stack_top, %esp
    call go_long
    ljmp $0x08, $ap_64
    .code64
ap_64:
    movq ap_stack, %rsp
    movq ap_lp, %rdi
    xorl %ebp, %ebp
    call hv_ap_main
1:  hlt
    jmp 1b

    .section .rodata.boot, "a"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF /* 0x08: 64-bit code */
    .quad 0x00CF93000000FFFF /* 0x10: data */
    .quad 0x00CF9B000000FFFF /* 0x18: 32-bit code */
boot_gdt_end:
boot_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .long boot_gdt
    .long 0
message_64bit:
    .asciz "hv: this processor has no 64-bit mode; hvlab's hypervisor cannot start here.\r\n"

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .globl boot_pml4, boot_pdpt, ap_stack, ap_lp
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 4 * 4096
boot_stack: .skip 32768
boot_stack_top:
ap_boot_stack: .skip 256
ap_boot_stack_top:
ap_stack: .skip 8
ap_lp: .skip 8

    .section .note.GNU-stack, "", @progbits
