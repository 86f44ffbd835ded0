/* The small run-time of the software world: what freestanding code may use.
 *
 * Image code has no C library; these are the few routines that the compiler
 * (memcpy and friends) and people (formatting, configuration) need.  Nothing
 * here has state; nothing allocates.  The hypervisor, the parent partition's
 * kernel and guests link it; host tests use the C library for the mem*
 * functions instead of rt_mem.c.
 */
#ifndef HV_RT_RT_H
#define HV_RT_RT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);

bool rt_string_equal(const char *a, const char *b);

/* Formats into 'to' (always terminated): %s %c %d %i %u %x %p with l/ll/z, zero
 * padding, width and '-'.  Returns the length written, at most size - 1.  An unknown
 * conversion is copied as it stands, so that the mistake can be seen. */
size_t rt_vformat(char *to, size_t size, const char *format, va_list args);
size_t rt_format(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- the "config" module: lines key=value; '#' begins a comment line -------------- */

struct rt_config { const char *text; size_t size; }; /* size 0: empty */

/* Copies the value of 'key' (the last one wins), without blanks at its ends.
 * Returns its length, or -1 if the key is absent or the value does not fit. */
int rt_config_get(const struct rt_config *, const char *key, char *value, size_t size);
/* Decimal or 0x...; 'fallback' when absent or not a number. */
uint64_t rt_config_number(const struct rt_config *, const char *key, uint64_t fallback);
bool rt_config_mac(const struct rt_config *, const char *key, uint8_t mac[6]);
bool rt_parse_number(const char *text, uint64_t *value);

/* --- starting other images ---------------------------------------------------------- */

struct rt_elf { uint64_t entry, low, high; }; /* addresses as linked; [low, high) is all that it occupies */

/* An ELF64 executable for x86-64 whose loadable segments lie in the file and within [from, to).
 * NULL, or what is wrong with it. */
const char *rt_elf_check(const void *file, uint64_t size, uint64_t from, uint64_t to, struct rt_elf *);
/* Copies the segments of a checked file to 'memory', which stands for address 'base', and zeroes the rest of each. */
void rt_elf_load(const void *file, void *memory, uint64_t base);

/* Page tables that map addresses one to one: the first 512 GiB by 1 GiB pages (2
 * pages of tables) or the first 4 GiB by 2 MiB pages (6).  'memory' stands for
 * 'gpa'.  Returns the pages used; at most RT_IDENTITY_PAGES. */
enum { RT_IDENTITY_PAGES = 6 };
unsigned rt_identity_tables(void *memory, uint64_t gpa, bool gib_pages);

/* --- small arithmetic ---------------------------------------------------------------- */

static inline uint64_t rt_align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}
static inline uint64_t rt_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline unsigned rt_popcount(uint64_t bits)
{
    unsigned n = 0;
    for (; bits; bits &= bits - 1)
        n++;
    return n;
}
static inline uint64_t rt_max(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Assertions are for our own mistakes and stay on in every build.  The image's
 * owner provides rt_fail: prints and never returns. */
_Noreturn void rt_fail(const char *file, int line, const char *what);
#define RT_ASSERT(condition) \
    do { if (!(condition)) rt_fail(__FILE__, __LINE__, #condition); } while (0)

#endif
