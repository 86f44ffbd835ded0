/* Text, memory, modules: the ground that the rest stands on. */
#include "guests/root/root.h"
#include "spec/lab/lab.h"

enum { COM1 = 0x3F8, COM1_STATUS = COM1 + 5, COM1_EMPTY = 0x20, COM1_PATIENCE = 100000, DEBUG_EXIT = 0xF4 };
enum { LAB_ROOT = LAB_PORT_BASE + LAB_PORT_STRIDE * LAB_CHANNEL_ROOT };

struct root root;
extern char root_image_start[], root_image_end[];

static void put_char(char c)
{
    for (unsigned i = 0; i < COM1_PATIENCE && !(in8(COM1_STATUS) & COM1_EMPTY); i++) {
    }
    out8(COM1, (uint8_t)c);
}

static void put_text(const char *text)
{
    for (; *text; text++) {
        if (root.lab_present) {
            out32(LAB_ROOT + LAB_REG_LOG, (uint8_t)*text);
            continue;
        }
        if (*text == '\n')
            put_char('\r');
        put_char(*text);
    }
}

void root_log(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    size_t n = rt_vformat(line, sizeof(line) - 1, format, args);
    va_end(args);
    line[n] = '\n';
    line[n + 1] = '\0';
    put_text("root: ");
    put_text(line);
}

_Noreturn void root_panic(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    rt_vformat(line, sizeof(line), format, args);
    va_end(args);
    put_text("root: PANIC: ");
    put_text(line);
    put_text("\n");
    if (root.lab_present)
        out32(LAB_ROOT + LAB_REG_EVENT, LAB_EVENT_FAILED | 1u << 8);
    out32(DEBUG_EXIT, 0x11);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void rt_fail(const char *file, int line, const char *what)
{
    root_panic("assertion failed: %s (%s:%d)", what, file, line);
}

const struct boot_module *root_module(const char *name)
{
    for (unsigned i = 0; i < root.info.module_count; i++)
        if (rt_string_equal(root.info.module[i].name, name))
            return &root.info.module[i];
    return NULL;
}

void *root_alloc(uint64_t size, uint64_t align)
{
    uint64_t at = rt_align_up(root.next, align);
    if (at + size > root.end || at + size < at)
        root_panic("memory is used up: %lu bytes wanted, %lu left", (unsigned long)size,
                   (unsigned long)(root.end - root.next));
    root.next = at + size;
    return memset((void *)at, 0, size);
}
