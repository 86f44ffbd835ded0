/* Claims about 16-bit and 32-bit code: the way of a trampoline from SIPI to 64-bit mode, and stacks on the way. */
#include <string.h>

#include "fixture.h"
#include "sim/cpu/system/system.h"

enum { AT_TRAMPOLINE = 0x9000 };

/* Starts in real mode at 0900:0000; ends in 64-bit mode with what it computed in registers. */
extern const uint8_t trampoline[], trampoline_end[];
__asm__(".pushsection .rodata\n"
        "trampoline:\n .code16\n"
        "mov %cs, %ax\n mov %ax, %ds\n xor %ax, %ax\n mov %ax, %ss\n mov $0x7000, %sp\n"
        "mov $3, %cx\n xor %bx, %bx\n"
        "1: call 2f\n loop 1b\n jmp 3f\n"
        "2: add $7, %bx\n push %bx\n pop %si\n ret\n"
        "3: pushl $0x12345678\n popl %edi\n pushw %bx\n popw %dx\n movw %dx, %es:0x510\n"
        "movw $0x1234, %es:0x500\n movw $0xbeef, mark - trampoline\n movw mark - trampoline, %bp\n"
        "enter $8, $0\n leave\n std\n cld\n"
        "mov $hello - trampoline, %si\n mov $0x600, %di\n mov $5, %cx\n xor %ax, %ax\n mov %ax, %es\n rep movsb\n"
        "lgdtl gdtr - trampoline\n mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n"
        "ljmpl $0x08, $(0x9000 + protected - trampoline)\n"
        "protected: .code32\n"
        "mov $0x10, %ax\n mov %ax, %ds\n mov %ax, %es\n mov %ax, %ss\n mov $0x7000, %esp\n"
        "mov $0x55, %ecx\n push %ecx\n call 4f\n pop %ebx\n jmp 5f\n"
        "4: mov 4(%esp), %eax\n inc %eax\n mov %eax, 0x700\n pusha\n popa\n ret\n"
        "5: mov $0x1000, %eax\n mov %eax, %cr3\n mov $0xa0, %eax\n mov %eax, %cr4\n"
        "mov $0xc0000080, %ecx\n rdmsr\n or $0x100, %eax\n wrmsr\n"
        "mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
        "ljmp $0x18, $(0x9000 + long_mode - trampoline)\n"
        "long_mode: .code64\n"
        "movabs $0x1122334455667788, %rax\n mov 0x700, %r8d\n mov 0x600, %r9d\n mov 0x500, %r10d\n movzwl 0x510, %r12d\n movzwl 0x9000 + mark - trampoline, %r11d\n hlt\n"
        ".balign 8\n mark: .word 0\n hello: .ascii \"hello\"\n"
        ".balign 8\n gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff\n"
        "gdtr: .word 31\n .long 0x9000 + gdt - trampoline\n"
        "trampoline_end: .popsection\n");

static void a_trampoline_reaches_64_bit_mode(void **unused)
{
    struct fixture *f = fixture_new(false);
    struct cpu *c = f->cpu;
    (void)unused;
    fixture_load(f, AT_TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
    cpu_reset(c, true);
    c->activity = WAIT_SIPI;
    cpu_system_startup(c, AT_TRAMPOLINE >> 12);
    fixture_go_on(f, 7);
    assert_int_equal(f->machine.stop, STOP_NONE);
    assert_true(c->mode & MODE_LONG64);
    assert_int_equal(c->gpr[RAX], 0x1122334455667788);
    assert_int_equal(c->gpr[R8], 0x56);
    assert_int_equal(c->gpr[R9], 0x6c6c6568);                /* "hell" */
    assert_int_equal((uint16_t)c->gpr[R10], 0x1234);
    assert_int_equal(c->gpr[R11], 0xbeef);
    assert_int_equal(c->gpr[RBX], 0x55);
    assert_int_equal(c->gpr[R12], 21);
    assert_int_equal(c->gpr[RSP], 0x7000);
    fixture_free(f);
}

/* 16-bit stack pointers wrap within their segment. */
extern const uint8_t wrapping[], wrapping_end[];
__asm__(".pushsection .rodata\n"
        "wrapping:\n .code16\n xor %sp, %sp\n mov $0x1111, %ax\n push %ax\n mov %sp, %bx\n pop %dx\n mov %sp, %cx\n"
        "mov $0xfffe, %si\n movw $0x2222, 2(%si)\n movw %ds:0, %di\n hlt\n"
        "wrapping_end: .code64\n .popsection\n");

static void sixteen_bit_addresses_wrap(void **unused)
{
    struct fixture *f = fixture_new(false);
    struct cpu *c = f->cpu;
    (void)unused;
    fixture_load(f, AT_TRAMPOLINE, wrapping, (size_t)(wrapping_end - wrapping));
    cpu_reset(c, true);
    c->activity = WAIT_SIPI;
    cpu_system_startup(c, AT_TRAMPOLINE >> 12);
    fixture_go_on(f, 1000);
    assert_int_equal(c->gpr[RBX] & 0xffff, 0xfffe);
    assert_int_equal(c->gpr[RCX] & 0xffff, 0);
    assert_int_equal(c->gpr[RDX] & 0xffff, 0x1111);
    assert_int_equal(c->gpr[RDI] & 0xffff, 0x2222);
    fixture_free(f);
}

/* Instructions of these lengths, each adding 1 to AX: "add $1, %ax" in three encodings, and prefixes. */
static const uint8_t limited[] = {
    0x40, 0x83, 0xc0, 0x01, 0x05, 0x01, 0x00, 0x40, 0x2e, 0x2e, 0x2e, 0x81, 0xc0, 0x01, 0x00, 0x66, 0x40, 0x40, 0xf4,
};
static const uint8_t limited_length[] = { 1, 3, 3, 1, 7, 2, 1, 1 };

static void code_ends_at_its_limit_to_the_byte(void **unused)
{
    enum { CODE = 0x5ff0, HANDLER = 0x600 }; /* across a page, at 0000:5FF0 */
    (void)unused;
    for (unsigned bytes = 0; bytes <= sizeof limited; bytes++) {
        struct fixture *f = fixture_new(false);
        struct cpu *c = f->cpu;
        uint32_t vector = HANDLER;
        unsigned start = 0, whole = 0;
        for (; whole < sizeof limited_length && start + limited_length[whole] <= bytes; whole++) {
            start += limited_length[whole];
        }
        fixture_load(f, CODE, limited, sizeof limited);
        fixture_load(f, HANDLER, (const uint8_t *)"\xf4", 1);
        cpu_reset(c, true);
        c->activity = WAIT_SIPI;
        cpu_system_startup(c, 0);
        c->rip = CODE;
        fixture_load(f, X_GP * 4, (const uint8_t *)&vector, 4);
        c->gpr[RSP] = 0x2000;
        fixture_go_on(f, 1000); /* decoded and linked without a limit in sight */
        assert_int_equal(c->gpr[RAX], 7);
        c->rip = CODE;
        c->gpr[RAX] = 0;
        c->seg[CS].limit = CODE + bytes - 1;
        c->activity = ACTIVE;
        fixture_go_on(f, bytes & 1 ? 1 : 1000);
        assert_int_equal(c->gpr[RAX], whole < 7 ? whole : 7);
        if (whole == sizeof limited_length) {
            assert_int_equal(c->rip, CODE + sizeof limited);
        } else {
            uint16_t ip;
            assert_int_equal(c->rip, HANDLER + 1);
            mem_read(f->machine.mem, 0x2000 - 6, &ip, 2);
            assert_int_equal(ip, CODE + start);
        }
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trampoline_reaches_64_bit_mode),
        cmocka_unit_test(sixteen_bit_addresses_wrap),
        cmocka_unit_test(code_ends_at_its_limit_to_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
