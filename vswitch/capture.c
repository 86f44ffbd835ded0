/* Capture extension: keeps the last frames in a ring in memory (spec/lab/capture.h). */
#include "spec/lab/capture.h"
#include "vswitch/extension.h"

struct vsw_capture_ring *vsw_capture_ring; /* found by its symbol: the laboratory reads it */

static void *capture_start(void)
{
    if (!svc_config_number("switch.capture", 0))
        return NULL;
    vsw_capture_ring = svc_alloc(sizeof *vsw_capture_ring, 4096);
    vsw_capture_ring->magic = VSW_CAPTURE_MAGIC;
    vsw_capture_ring->slots = VSW_CAPTURE_SLOTS;
    vsw_capture_ring->slot_size = sizeof(struct vsw_capture_slot);
    return vsw_capture_ring;
}

static bool capture_look(void *state, const struct svc_packet *packet, const struct vsw_frame *frame,
                         unsigned port)
{
    struct vsw_capture_ring *ring = state;
    struct vsw_capture_slot *slot = &ring->slot[ring->count % VSW_CAPTURE_SLOTS];
    uint32_t kept = packet->length < VSW_CAPTURE_SNAP ? packet->length : VSW_CAPTURE_SNAP;
    (void)frame;
    slot->time = svc_now();
    slot->port = port;
    slot->length = packet->length;
    slot->kept = kept;
    svc_copy(slot->bytes, packet->data, kept);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring->count++;
    return true;
}

const struct vsw_extension vsw_extension_capture = { "capture", capture_start, capture_look };
