/* Text, memory, modules: the ground that the rest stands on. */
#include "guests/root/root.h"
#include "hv/rt/rt_console.h"
#include "spec/lab/lab.h"

enum { EXIT_PANIC = 0x11 };

struct root root;
extern char root_image_start[], root_image_end[];

static struct rt_console console(void)
{
    return (struct rt_console){ "root", LAB_CHANNEL_ROOT, root.lab_present };
}

void root_log(const char *format, ...)
{
    struct rt_console c = console();
    va_list args;
    va_start(args, format);
    rt_console_line(&c, format, args);
    va_end(args);
}

_Noreturn void root_panic(const char *format, ...)
{
    struct rt_console c = console();
    va_list args;
    va_start(args, format);
    rt_console_panic(&c, EXIT_PANIC, format, args);
    va_end(args);
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
