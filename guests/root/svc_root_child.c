/* Service runtime for locus root-kernel: children's memory, messages, signals
 * and virtual functions.
 *
 *   child posts to connection 1 or 4 -> message port of the child -> SINT 2 of ours
 *   child signals connection c       -> event port with one flag  -> SINT 3 of ours
 *   we signal and post               -> HvCallSignalEventDirect, HvCallPostMessageDirect
 */
#include "guests/root/svc_root.h"

enum { CONNECTION_LEGACY = 1, CONNECTION_VERSION_5 = 4, PORT_MESSAGE = 0x1000, PORT_EVENT = 0x10000, FLAGS_MAX = 512,
       VF_BARS = (int)0xD0000000, VF_STEP = 0x100000, WORD_BITS = 64 };

static struct {
    void (*message)(unsigned child, uint32_t connection, const void *payload, uint32_t size);
    struct { void (*run)(void *ctx); void *ctx; unsigned child; uint32_t connection; } signal[FLAGS_MAX];
    struct boot_info *info[SVC_CHILDREN_MAX]; /* of a child that is being created */
    struct boot_device device[SVC_CHILDREN_MAX][BOOT_DEVICES_MAX]; /* functions that a child has */
} children;

static uint64_t partition_of(unsigned child)
{
    RT_ASSERT(child < SVC_CHILDREN_MAX && root.child[child].created);
    return root.child[child].partition;
}

/* --- memory ---------------------------------------------------------------------------- */

/* The child's memory is one stretch of ours. */
void *svc_map(unsigned child, const uint64_t *gpfn, unsigned count)
{
    enum { BATCH = 4096 };
    static uint64_t spa[BATCH];
    RT_ASSERT(child < SVC_CHILDREN_MAX && root.child[child].created);
    uint64_t base = root.child[child].base, pages = root.child[child].size / ROOT_PAGE;
    if (count == 0 || count > BATCH)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        if (gpfn[i] >= pages)
            return NULL;
        spa[i] = base + gpfn[i] * ROOT_PAGE;
    }
    return svc_common_map(spa, count, (void *)spa[0]);
}

/* --- to a child -------------------------------------------------------------------------- */

void svc_child_signal(unsigned child, uint32_t vp, uint32_t flag)
{
    enum { SINT_SHIFT = 40, FLAG_SHIFT = 48 };
    uint64_t rest = vp | (uint64_t)SVC_SINT_VMBUS << SINT_SHIFT | (uint64_t)flag << FLAG_SHIFT;
    hypercall_fast(HV_CALL_SIGNAL_EVENT_DIRECT, partition_of(child), rest);
}

bool svc_child_post(unsigned child, uint32_t vp, const void *payload, uint32_t size)
{
    struct hv_post_message_direct *in = root.input;
    struct hv_message *message = (struct hv_message *)in->message;
    RT_ASSERT(size <= HV_MESSAGE_PAYLOAD);
    *in = (struct hv_post_message_direct){ .partition = partition_of(child), .vp_index = vp, .sint = SVC_SINT_VMBUS };
    message->type = HV_MESSAGE_VMBUS;
    message->payload_size = (uint8_t)size;
    memcpy(message->payload, payload, size);
    return hypercall_simple(HV_CALL_POST_MESSAGE_DIRECT) == HV_STATUS_SUCCESS;
}

/* --- from a child --------------------------------------------------------------------------- */

void svc_on_child_message(void (*handler)(unsigned, uint32_t, const void *, uint32_t)) { children.message = handler; }

bool svc_root_messages(void)
{
    struct hv_message *m = &root.messages->slot[SINT_MESSAGE];
    bool any = false;
    while (__atomic_load_n(&m->type, __ATOMIC_ACQUIRE) != HV_MESSAGE_NONE) {
        struct hv_message copy = *m;
        __atomic_store_n(&m->type, HV_MESSAGE_NONE, __ATOMIC_SEQ_CST);
        if (m->flags & HV_MESSAGE_FLAG_PENDING)
            wrmsr(HV_MSR_EOM, 0);
        unsigned n = (unsigned)copy.sender - PORT_MESSAGE, child = n / 2;
        if (child < SVC_CHILDREN_MAX && children.message && copy.type == HV_MESSAGE_VMBUS)
            children.message(child, n % 2 ? CONNECTION_VERSION_5 : CONNECTION_LEGACY, copy.payload, copy.payload_size);
        svc_common_run();
        any = true;
    }
    return any;
}

bool svc_root_events(void)
{
    uint64_t *words = (uint64_t *)root.flags->flags[SINT_EVENT];
    bool any = false;
    for (unsigned w = 0; w < FLAGS_MAX / WORD_BITS; w++) {
        if (!words[w])
            continue;
        uint64_t set = __atomic_exchange_n(&words[w], 0, __ATOMIC_SEQ_CST);
        for (; set; set &= set - 1) {
            unsigned flag = w * WORD_BITS + (unsigned)__builtin_ctzll(set);
            if (children.signal[flag].run)
                children.signal[flag].run(children.signal[flag].ctx);
            svc_common_run();
            any = true;
        }
    }
    return any;
}

/* --- ports -------------------------------------------------------------------------------------- */

static enum hv_status make_port(uint32_t id, const struct hv_port_info *info)
{
    struct hv_create_port *in = root.input;
    *in = (struct hv_create_port){ .port_partition = HV_PARTITION_SELF, .port_id = id, .info = *info };
    return hypercall_simple(HV_CALL_CREATE_PORT);
}

static enum hv_status connect(unsigned child, uint32_t connection, uint32_t port, uint32_t type)
{
    struct hv_connect_port *in = root.input;
    *in = (struct hv_connect_port){ .connection_partition = partition_of(child), .connection_id = connection,
                                    .port_partition = HV_PARTITION_SELF, .port_id = port, .info = { .type = type } };
    return hypercall_simple(HV_CALL_CONNECT_PORT);
}

static void make_message_connection(unsigned child, uint32_t connection, uint32_t port)
{
    struct hv_port_info info = { .type = HV_PORT_MESSAGE, .target_sint = SINT_MESSAGE };
    enum hv_status status = make_port(port, &info);
    if (!status)
        status = connect(child, connection, port, HV_PORT_MESSAGE);
    if (status)
        root_panic("child %u: connection %u cannot be made, status %x", child, connection, status);
}

void svc_bind_signal(unsigned child, uint32_t connection, void (*handler)(void *ctx), void *ctx)
{
    unsigned flag = 0;
    while (flag < FLAGS_MAX && children.signal[flag].run)
        flag++;
    if (flag == FLAGS_MAX)
        root_panic("more than %d channels", FLAGS_MAX);
    struct hv_port_info info = { .type = HV_PORT_EVENT, .target_sint = SINT_EVENT, .base_flag = (uint16_t)flag, .flag_count = 1 };
    enum hv_status status = make_port(PORT_EVENT + flag, &info);
    if (!status)
        status = connect(child, connection, PORT_EVENT + flag, HV_PORT_EVENT);
    if (status)
        root_panic("child %u: signal connection %x cannot be made, status %x", child, connection, status);
    children.signal[flag].ctx = ctx;
    children.signal[flag].child = child;
    children.signal[flag].connection = connection;
    children.signal[flag].run = handler;
}

void svc_unbind_signal(unsigned child, uint32_t connection)
{
    for (unsigned flag = 0; flag < FLAGS_MAX; flag++) {
        if (!children.signal[flag].run || children.signal[flag].child != child
            || children.signal[flag].connection != connection)
            continue;
        hypercall_fast(HV_CALL_DISCONNECT_PORT, partition_of(child), connection);
        hypercall_fast(HV_CALL_DELETE_PORT, HV_PARTITION_SELF, PORT_EVENT + flag);
        children.signal[flag].run = NULL;
    }
}

/* --- virtual functions -------------------------------------------------------------------------------- */

bool svc_vf_assign(unsigned child, const struct svc_vf *vf)
{
    struct boot_info *info = children.info[child];
    RT_ASSERT(info); /* only while the child is created */
    if (info->device_count == BOOT_DEVICES_MAX)
        return false;
    enum hv_status status = hypercall_fast(HV_CALL_ATTACH_DEVICE, partition_of(child), vf->bdf) & HV_RESULT_STATUS;
    if (status) {
        root_log("child %u: function %04x cannot be attached, status %x", child, vf->bdf, status);
        return false;
    }
    struct boot_device *device = &info->device[info->device_count];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t gpa = (uint32_t)VF_BARS + (uint64_t)(info->device_count * 2 + i) * VF_STEP;
        uint64_t size = rt_align_up(vf->bar_size[i], ROOT_PAGE);
        if (size > VF_STEP || manage_map(partition_of(child), gpa, vf->bar_spa[i], size,
                                         HV_MAP_READ | HV_MAP_WRITE | HV_MAP_UNCACHED))
            return false;
        device->bar_gpa[i] = gpa;
        device->bar_size[i] = vf->bar_size[i];
    }
    device->device_id = vf->bdf;
    children.device[child][info->device_count++] = *device;
    return true;
}

static void unmap(unsigned child, uint64_t gpa, uint64_t size)
{
    struct hv_map_gpa_pages *in = root.input;
    unsigned pages = (unsigned)(rt_align_up(size, ROOT_PAGE) / ROOT_PAGE), done = 0;
    *in = (struct hv_map_gpa_pages){ .partition = partition_of(child), .target_gpfn = gpa / ROOT_PAGE };
    hypercall_rep(HV_CALL_UNMAP_GPA_PAGES, pages, &done);
}

/* First its registers disappear from the child, then its DMA stops. */
void svc_vf_revoke(unsigned child, uint16_t bdf)
{
    for (unsigned i = 0; i < BOOT_DEVICES_MAX; i++) {
        struct boot_device *device = &children.device[child][i];
        if (!device->bar_size[0] || device->device_id != bdf)
            continue;
        for (unsigned bar = 0; bar < 2; bar++)
            unmap(child, device->bar_gpa[bar], device->bar_size[bar]);
        device->bar_size[0] = 0;
    }
    hypercall_fast(HV_CALL_DETACH_DEVICE, partition_of(child), bdf);
}

/* --- life ------------------------------------------------------------------------------------------------ */

void svc_root_child_init(void)
{
    _Static_assert((int)ROOT_CHILDREN_MAX == (int)SVC_CHILDREN_MAX, "as many children as services can have");
}

void svc_root_child_created(unsigned child, struct boot_info *info)
{
    children.info[child] = info;
    make_message_connection(child, CONNECTION_LEGACY, PORT_MESSAGE + 2 * child);
    make_message_connection(child, CONNECTION_VERSION_5, PORT_MESSAGE + 2 * child + 1);
    for (unsigned i = 0; svc_placed[i]; i++)
        if (svc_placed[i]->child_created)
            svc_placed[i]->child_created(child);
    svc_common_run();
    children.info[child] = NULL;
}
