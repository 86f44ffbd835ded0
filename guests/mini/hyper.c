#include "guests/mini/hyper.h"

#include "guests/mini/arch.h"
#include "guests/mini/cpu.h"
#include "guests/mini/lab.h"
#include "spec/vmbus/vmbus.h"
#include "vmbus/bytes.h"

enum { SINT = VMBUS_SINT, POST_TRIES = 1000, POST_WAIT = 200 /* [100 ns] */ };
#define GUEST_OS_ID (0x8000ull << 48 | 0x4D49ull << 16) /* open source; an unregistered vendor */

/* Pages shared with the hypervisor, and what was found about it. */
static uint8_t hypercall_page[4096] __attribute__((aligned(4096)));
static struct hv_message_page message_page __attribute__((aligned(4096)));
static struct hv_event_flags_page flags_page __attribute__((aligned(4096)));
static struct hv_reference_tsc_page tsc_page __attribute__((aligned(4096)));
static uint8_t input_page[4096] __attribute__((aligned(4096)));
static uint8_t output_page[4096] __attribute__((aligned(4096)));
static struct { uint64_t privileges; bool tsc; } hyper;

static uint64_t gpa(const void *p) { return (uint64_t)(uintptr_t)p; }

/* --- calls ------------------------------------------------------------------------------- */

static uint64_t call(uint64_t control, uint64_t rdx, uint64_t r8_value)
{
    uint64_t result;
    register uint64_t r8 __asm__("r8") = r8_value;
    __asm__ volatile("call *%[page]"
                     : "=a"(result), "+c"(control), "+d"(rdx), "+r"(r8)
                     : [page] "r"(hypercall_page)
                     : "memory", "cc", "r9", "r10", "r11");
    return result;
}

uint64_t hyper_call(uint64_t control, const void *input, void *output)
{
    return call(control, gpa(input), gpa(output));
}

uint64_t hyper_call_fast(uint64_t control, uint64_t first, uint64_t second)
{
    return call(control | HV_CONTROL_FAST, first, second);
}

bool hyper_post_message(uint32_t connection, const void *payload, uint32_t size)
{
    struct hv_post_message *post = (void *)input_page;
    bytes_zero(post, sizeof *post);
    post->connection_id = connection;
    post->message_type = VMBUS_MESSAGE_TYPE;
    post->payload_size = size;
    bytes_copy(post->payload, payload, size);
    for (unsigned i = 0; i < POST_TRIES; i++) {
        uint64_t status = hyper_call(HV_CALL_POST_MESSAGE, post, NULL) & HV_RESULT_STATUS;
        if (status == HV_STATUS_SUCCESS)
            return true;
        if (status != HV_STATUS_INSUFFICIENT_BUFFERS && status != HV_STATUS_INSUFFICIENT_MEMORY)
            return false;
        hyper_timer_set(hyper_now() + POST_WAIT); /* the other side needs the time to read */
        arch_sleep();
    }
    return false;
}

void hyper_signal_event(uint32_t connection)
{
    hyper_call_fast(HV_CALL_SIGNAL_EVENT, connection, 0);
}

bool hyper_map_interrupt(uint64_t device_id, uint32_t vector, uint64_t *msi)
{
    struct hv_map_device_interrupt *map = (void *)input_page;
    struct hv_interrupt_entry *entry = (void *)output_page;
    bytes_zero(map, sizeof *map);
    map->partition = HV_PARTITION_SELF;
    map->device_id = device_id;
    map->logical.source = HV_INTERRUPT_SOURCE_MSI;
    map->vector_count = 1;
    map->vector = vector;
    map->vp_mask = 1;
    if ((hyper_call(HV_CALL_MAP_DEVICE_INTERRUPT, map, entry) & HV_RESULT_STATUS) != HV_STATUS_SUCCESS)
        return false;
    *msi = entry->msi;
    return true;
}

/* --- time ----------------------------------------------------------------------------------- */

uint64_t hyper_now(void)
{
    uint32_t sequence;
    uint64_t time;
    do {
        sequence = tsc_page.sequence;
        if (!hyper.tsc || sequence == 0)
            return arch_rdmsr(HV_MSR_TIME_REF_COUNT);
        time = (uint64_t)((unsigned __int128)arch_rdtsc() * tsc_page.scale >> 64) + (uint64_t)tsc_page.offset;
    } while (tsc_page.sequence != sequence);
    return time;
}

void hyper_timer_set(uint64_t when)
{
    arch_wrmsr(HV_MSR_STIMER0_COUNT, when);
}

/* --- SynIC ------------------------------------------------------------------------------------ */

bool hyper_message_take(struct hv_message *to)
{
    volatile struct hv_message *slot = &message_page.slot[SINT];
    if (slot->type == HV_MESSAGE_NONE)
        return false;
    bytes_copy(to, (const void *)slot, sizeof *to);
    __atomic_store_n(&message_page.slot[SINT].type, HV_MESSAGE_NONE, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (slot->flags & HV_MESSAGE_FLAG_PENDING)
        arch_wrmsr(HV_MSR_EOM, 0);
    return true;
}

void hyper_flags_take(void (*flag)(void *ctx, uint32_t number), void *ctx)
{
    uint64_t *words = (uint64_t *)flags_page.flags[SINT];
    for (unsigned w = 0; w < HV_EVENT_FLAGS_PER_SINT / 64; w++) {
        if (__atomic_load_n(&words[w], __ATOMIC_RELAXED) == 0)
            continue;
        uint64_t set = __atomic_exchange_n(&words[w], 0, __ATOMIC_SEQ_CST);
        for (; set != 0; set &= set - 1)
            flag(ctx, w * 64 + (uint32_t)__builtin_ctzll(set));
    }
}

static void synic_start(void)
{
    uint32_t hints = arch_cpuid(HV_CPUID_RECOMMENDATIONS).eax;
    bool auto_eoi = !(hints & HV_HINT_NO_AUTO_EOI);
    arch_wrmsr(HV_MSR_SIMP, gpa(&message_page) | HV_PAGE_MSR_ENABLE);
    arch_wrmsr(HV_MSR_SIEFP, gpa(&flags_page) | HV_PAGE_MSR_ENABLE);
    arch_wrmsr(HV_MSR_SINT0 + SINT, CPU_VECTOR_SYNIC | (auto_eoi ? HV_SINT_AUTO_EOI : 0));
    arch_wrmsr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
    if (auto_eoi)
        cpu_auto_eoi(CPU_VECTOR_SYNIC);
    if ((hints & HV_HINT_APIC_MSRS) && (hyper.privileges & HV_PRIVILEGE_ACCESS_INTR_CTRL_REGS))
        cpu_eoi_by_hypervisor();
}

static void time_start(void)
{
    if (hyper.privileges & HV_PRIVILEGE_ACCESS_PARTITION_REFERENCE_TSC) {
        arch_wrmsr(HV_MSR_REFERENCE_TSC, gpa(&tsc_page) | HV_PAGE_MSR_ENABLE);
        hyper.tsc = true;
    }
    arch_wrmsr(HV_MSR_STIMER0_CONFIG, HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT |
                                          (uint64_t)CPU_VECTOR_TIMER << HV_STIMER_VECTOR_SHIFT);
}

bool hyper_init(void)
{
    if (!(arch_cpuid(1).ecx & HV_CPUID_PRESENT) || arch_cpuid(HV_CPUID_VENDOR).ebx != HV_VENDOR_EBX ||
        arch_cpuid(HV_CPUID_INTERFACE).eax != HV_INTERFACE_EAX)
        return false;
    struct arch_cpuid features = arch_cpuid(HV_CPUID_FEATURES);
    hyper.privileges = (uint64_t)features.ebx << 32 | features.eax;
    uint64_t needed = HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS | HV_PRIVILEGE_ACCESS_SYNIC_REGS |
                      HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMER_REGS | HV_PRIVILEGE_ACCESS_PARTITION_REFERENCE_COUNTER |
                      HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS;
    if ((hyper.privileges & needed) != needed || !(features.edx & HV_FEATURE_STIMER_DIRECT)) {
        lab_log("mini: the hypervisor lacks privileges: %lx\n", (unsigned long)hyper.privileges);
        return false;
    }
    arch_wrmsr(HV_MSR_GUEST_OS_ID, GUEST_OS_ID);
    arch_wrmsr(HV_MSR_HYPERCALL, gpa(hypercall_page) | HV_PAGE_MSR_ENABLE);
    if (!(arch_rdmsr(HV_MSR_HYPERCALL) & HV_PAGE_MSR_ENABLE))
        return false;
    synic_start();
    time_start();
    return true;
}
