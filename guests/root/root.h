/* The parent partition's kernel: what its parts share.
 *
 * It runs on one VP, in ring 0, and does three things: it creates the child
 * partitions that the configuration asks for (manage.c), it gives services of
 * placement microkernel a place to run (svc_root*.c), and it sleeps.  All work happens in
 * interrupts' aftermath: an interrupt handler only marks what has happened; the
 * main loop (main.c) does it with interrupts on, and halts when nothing is left.
 *
 * Memory: GPA = SPA, identity-mapped; what is not image or module is one bump
 * allocator (memory.c).  Nothing is freed.
 */
#ifndef GUESTS_ROOT_ROOT_H
#define GUESTS_ROOT_ROOT_H

#include "hv/rt/rt.h"
#include "spec/hv/boot.h"
#include "spec/hv/tlfs.h"

enum { ROOT_PAGE = 4096, ROOT_CHILDREN_MAX = 16 };

/* SINTs of the root. */
enum { SINT_INTERCEPT = 0, SINT_MESSAGE = 2, SINT_EVENT = 3, SINT_TIMER = 4 };

/* Vectors. */
enum { VECTOR_INTERCEPT = 0x30, VECTOR_MESSAGE = 0x32, VECTOR_EVENT = 0x33, VECTOR_TIMER = 0x34, VECTOR_DEVICE = 0x40,
       VECTOR_DEVICE_END = 0xF0, VECTOR_SPURIOUS = 0xFF };

struct root {
    struct boot_info info;
    struct rt_config config;
    uint64_t next, end;           /* what the allocator has left [GPA] */
    uint64_t *page_table;         /* top table; identity from 0, windows from WINDOW_BASE */
    bool lab_present;
    struct hv_message_page *messages;
    struct hv_event_flags_page *flags;
    void *input, *output;         /* hypercall blocks */
    struct { uint64_t partition; bool created; uint64_t base, size; } child[ROOT_CHILDREN_MAX];
    unsigned child_count;
    volatile uint64_t device_pending[4]; /* vectors that have fired */
    volatile bool message_pending, event_pending, timer_pending, intercept_pending;
};
extern struct root root;

void root_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void root_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed; panics when memory is used up. */
void *root_alloc(uint64_t size, uint64_t align);
const struct boot_module *root_module(const char *name);

/* --- hypercalls: hypercall.c ---------------------------------------------------------- */

void hypercall_init(void);
/* Input at root.input; results at root.output. */
uint64_t hypercall_memory(uint64_t control);
uint64_t hypercall_fast(uint16_t code, uint64_t a, uint64_t b);
/* Repeats a rep call until all is done or it fails; '*done' counts. */
enum hv_status hypercall_rep(uint16_t code, unsigned reps, unsigned *done);
static inline enum hv_status hypercall_simple(uint16_t code) { return hypercall_memory(code) & HV_RESULT_STATUS; }

/* --- interrupts: interrupt.c ------------------------------------------------------------ */

void interrupt_init(void);
void synic_init(void);
static inline void interrupts_off(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void interrupts_on(void) { __asm__ volatile("sti" : : : "memory"); }

/* --- services: svc_root.c, or svc_none.c without any ---------------------------------------- */

bool svc_root_present(void);
void svc_root_init(void);
/* Work that interrupts have left; true if there was any. */
bool svc_root_work(void);
void svc_root_child_created(unsigned child, struct boot_info *);

/* --- management: manage.c ---------------------------------------------------------------------- */

void manage_create_children(void);
/* Maps pages of ours (GPA = SPA) into a child; deposits memory for its tables as needed. */
enum hv_status manage_map(uint64_t partition, uint64_t gpa, uint64_t source, uint64_t size, uint32_t flags);
void manage_intercept(const struct hv_message *);

/* --- machine ------------------------------------------------------------------------------------ */

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}
static inline void out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }
static inline uint32_t in32(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

#endif
