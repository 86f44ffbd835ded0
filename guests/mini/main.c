#include "guests/mini/mini.h"

#include "guests/mini/arch.h"
#include "guests/mini/cpu.h"
#include "guests/mini/hyper.h"
#include "guests/mini/lab.h"
#include "vmbus/bytes.h"

enum { PAGE = 4096, MTU_DEFAULT = 1500, START_POLL_NS_MAX = 100000, START_POLL = 1000 /* [100 ns] */ };

/* The guest: the one object that main owns. */
static struct mini mini;
extern uint8_t __image_end[];
void mini_main(const struct boot_info *);

/* --- memory ------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t value) { return (value + PAGE - 1) & ~(uint64_t)(PAGE - 1); }

/* Free memory: the biggest part of the RAM ranges behind the image and the modules. */
static void find_memory(struct mini *m)
{
    const struct boot_info *info = m->info;
    uint64_t floor = round_up((uint64_t)(uintptr_t)__image_end), best = 0;
    uint64_t info_end = round_up((uint64_t)(uintptr_t)info + info->size);
    if (info_end > floor)
        floor = info_end;
    for (unsigned i = 0; i < info->module_count && i < BOOT_MODULES_MAX; i++) {
        uint64_t end = round_up(info->module[i].gpa + info->module[i].size);
        uint64_t start = info->module[i].gpa;
        /* Modules lie behind the image, or above everything that we take. */
        if (start < floor + (64ull << 20) && end > floor)
            floor = end;
    }
    for (unsigned i = 0; i < info->range_count && i < BOOT_RANGES_MAX; i++) {
        uint64_t start = info->range[i].gpa, end = start + info->range[i].size;
        start = start < floor ? floor : round_up(start);
        for (unsigned k = 0; k < info->module_count && k < BOOT_MODULES_MAX; k++)
            if (info->module[k].gpa >= start && info->module[k].gpa < end)
                end = info->module[k].gpa;
        if (end > start && end - start > best) {
            best = end - start;
            m->free = (uint8_t *)(uintptr_t)start;
            m->free_end = (uint8_t *)(uintptr_t)(end & ~(uint64_t)(PAGE - 1));
        }
    }
}

void *mini_pages(struct mini *m, uint64_t count)
{
    uint8_t *p = m->free;
    if (count == 0)
        count = 1;
    if ((uint64_t)(m->free_end - p) < count * PAGE)
        lab_fail("out of memory");
    m->free = p + count * PAGE;
    bytes_zero(p, count * PAGE);
    return p;
}

uint64_t mini_gpa(const void *p) { return (uint64_t)(uintptr_t)p; }

/* --- configuration -------------------------------------------------------------------------- */

const struct boot_module *mini_module(const struct mini *m, const char *name)
{
    for (unsigned i = 0; i < m->info->module_count && i < BOOT_MODULES_MAX; i++)
        if (mini_equal(m->info->module[i].name, name))
            return &m->info->module[i];
    return NULL;
}

bool mini_equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return *a == *b;
}

const char *mini_config(const struct mini *m, const char *key, char value[64])
{
    const char *end = m->config + m->config_size;
    for (const char *line = m->config; line < end;) {
        const char *p = line, *k = key;
        while (p < end && *k && *p == *k)
            p++, k++;
        if (*k == 0 && p < end && *p == '=') {
            unsigned n = 0;
            for (p++; p < end && *p && *p != '\n' && *p != '\r' && n < 63; p++)
                value[n++] = *p;
            value[n] = 0;
            return value;
        }
        while (line < end && *line != '\n')
            line++;
        line++;
    }
    return NULL;
}

uint64_t mini_config_number(const struct mini *m, const char *key, uint64_t fallback)
{
    char text[64];
    const char *t = mini_config(m, key, text);
    uint64_t value = 0;
    if (!t || *t < '0' || *t > '9')
        return fallback;
    if (t[0] == '0' && t[1] == 'x') {
        for (t += 2; *t; t++) {
            char c = *t | 0x20;
            value = value * 16 + (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
        }
        return value;
    }
    for (; *t >= '0' && *t <= '9'; t++)
        value = value * 10 + (uint64_t)(*t - '0');
    return value;
}

/* --- VMBus: this guest's side ------------------------------------------------------------------ */

static bool host_post(void *ctx, uint32_t connection, const void *payload, uint32_t size)
{
    (void)ctx;
    return hyper_post_message(connection, payload, size);
}
static void host_signal(void *ctx, uint32_t connection)
{
    (void)ctx;
    hyper_signal_event(connection);
}
static void *host_pages(void *ctx, uint32_t count) { return mini_pages(ctx, count); }
static uint64_t host_gpa(void *ctx, const void *p)
{
    (void)ctx;
    return mini_gpa(p);
}
static const struct vmbus_client_host host = { host_post, host_signal, host_pages, host_gpa };

static void on_flag(void *ctx, uint32_t flag) { vmbus_client_flag(&((struct mini *)ctx)->client, flag); }

static void take_events(struct mini *m)
{
    static struct hv_message message; /* too big for every turn of the loop to clear */
    while (hyper_message_take(&message))
        if (message.type == HV_MESSAGE_VMBUS && message.payload_size <= HV_MESSAGE_PAYLOAD)
            vmbus_client_message(&m->client, message.payload, message.payload_size);
    hyper_flags_take(on_flag, m);
}

/* --- the loop -------------------------------------------------------------------------------------- */

void mini_wake_at(struct mini *m, uint64_t when)
{
    if (m->wake == 0 || when < m->wake)
        m->wake = when;
}

/* The replay's start, once the laboratory knows it. */
static void look_for_start(struct mini *m)
{
    uint64_t now = hyper_now();
    if (m->start == 0) {
        uint32_t delay = lab_start_delay();
        if (delay == LAB_START_UNKNOWN || delay > START_POLL_NS_MAX) {
            mini_wake_at(m, now + START_POLL);
            return;
        }
        m->start = now + delay / 100;
    }
    if (now < m->start) {
        mini_wake_at(m, m->start);
        return;
    }
    m->begun = true;
    m->work->begin(m);
}

static void get_ready(struct mini *m)
{
    if (m->work->needs_network && !m->link.up)
        return;
    m->ready = true;
    m->work->start(m, m->argument);
    if (m->work->takes_part)
        lab_event(LAB_EVENT_READY, 0);
    else
        m->begun = true;
    if (m->begun)
        m->work->begin(m);
}

static void turn(struct mini *m)
{
    m->wake = 0;
    if (cpu_fired(CPU_VECTOR_SYNIC))
        take_events(m);
    cpu_fired(CPU_VECTOR_TIMER);
    if (m->work->needs_network)
        link_run(&m->link);
    if (!m->ready)
        get_ready(m);
    if (m->ready && !m->begun)
        look_for_start(m);
    if (m->begun)
        m->work->run(m);
}

static void sleep(struct mini *m)
{
    arch_interrupts_window();
    if (cpu_any_fired())
        return;
    if (m->wake != 0)
        hyper_timer_set(m->wake); /* in the past: fires at once */
    arch_sleep();
}

/* --- start --------------------------------------------------------------------------------------------- */

static void choose_work(struct mini *m)
{
    static const struct work *const works[] = { &work_replayer, &work_sink, &work_echo, &work_garbage, &work_bench };
    static char text[64];
    char key[] = "child00.workload";
    char *k = key + 5;
    if (m->number >= 10)
        *k++ = (char)('0' + m->number / 10);
    *k++ = (char)('0' + m->number % 10);
    bytes_copy(k, ".workload", sizeof ".workload");
    if (!mini_config(m, key, text))
        bytes_copy(text, "replayer", sizeof "replayer");
    char *colon = text;
    while (*colon && *colon != ':')
        colon++;
    m->argument = *colon ? colon + 1 : "";
    *colon = 0;
    for (unsigned i = 0; i < sizeof works / sizeof works[0]; i++)
        if (mini_equal(works[i]->name, text))
            m->work = works[i];
    if (!m->work) {
        lab_log("mini: childN.workload=%s: there are replayer, sink, echo, garbage, bench\n", text);
        lab_fail("unknown workload");
    }
}

void mini_main(const struct boot_info *info)
{
    struct mini *m = &mini;
    m->info = info;
    lab_init(info->lab_channel);
    if (info->magic != BOOT_INFO_MAGIC)
        lab_fail("no boot information");
    m->number = info->child_number;
    cpu_init(info);
    find_memory(m);
    const struct boot_module *config = mini_module(m, "config");
    m->config = config ? (const char *)(uintptr_t)config->gpa : "";
    m->config_size = config ? config->size : 0;
    if (!hyper_init())
        lab_fail("no hypervisor of the interface Hv#1");
    choose_work(m);
    link_init(&m->link, m, (uint32_t)mini_config_number(m, "mtu", MTU_DEFAULT));
    vmbus_client_init(&m->client, &host, m, &netvsc_driver, &m->link.netvsc);
    if (m->work->needs_network)
        vmbus_client_connect(&m->client, 0);
    for (;;) {
        turn(m);
        sleep(m);
    }
}
