/* NVSP messages other than RNDIS: version, buffers, configuration, data path. */
#include "vsp/net/netvsp_priv.h"

bool netvsp_can_answer(struct netvsp *n)
{
    return vmbus_ring_room(&n->channel->out) > vmbus_ring_packet_size(0, sizeof(struct nvsp_message));
}

void netvsp_complete(struct netvsp *n, uint64_t transaction, const void *payload, uint32_t size)
{
    struct vmbus_send send = {
        .type = VMBUS_PACKET_COMPLETION, .transaction = transaction, .payload = payload, .payload_size = size,
    };
    vmbus_ring_put(&n->channel->out, &send);
}

static bool on_init(struct netvsp *n, const struct nvsp_message *m, struct nvsp_message *answer)
{
    static const uint32_t known[] = { NVSP_VERSION_1, NVSP_VERSION_2, NVSP_VERSION_4,
                                      NVSP_VERSION_5, NVSP_VERSION_6, NVSP_VERSION_61 };
    answer->type = NVSP_INIT_COMPLETE;
    answer->init_complete.max_mdl_chain = 34;
    answer->init_complete.status = NVSP_STATUS_FAILURE;
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (m->init.max == known[i] && m->init.min <= m->init.max) {
            n->version = known[i];
            n->state = n->state == NETVSP_OPEN ? NETVSP_SPEAKING : n->state;
            answer->init_complete.version = known[i];
            answer->init_complete.status = NVSP_STATUS_SUCCESS;
        }
    return true;
}

/* The VF can only be announced to a child that knows what to do with it, after RNDIS is up. */
void netvsp_announce_vf(struct netvsp *n)
{
    if (n->info.io != VSW_IO_VF || n->vf_announced || n->version < NVSP_VERSION_4)
        return;
    struct nvsp_message message = { .type = NVSP_VF_ASSOCIATION,
                                    .vf_association = { .allocated = 1, .serial = n->info.vf_serial } };
    struct vmbus_send send = { .type = VMBUS_PACKET_INBAND, .payload = &message, .payload_size = sizeof message };
    n->vf_announced = vmbus_ring_put(&n->channel->out, &send);
}

static void on_switch_data_path(struct netvsp *n, const struct nvsp_message *m)
{
    if (!vsw_port_path(n->child, m->data_path.path == NVSP_PATH_VF))
        svc_log("netvsp: child %u asks for a virtual function that it does not have\n", n->child);
}

bool netvsp_nvsp(struct netvsp *n, const struct nvsp_message *m, const struct vmbus_packet *packet)
{
    struct nvsp_message answer;
    uint32_t answer_size = sizeof answer;
    bool ok = true;
    bytes_zero(&answer, sizeof answer);
    if (n->state == NETVSP_OPEN && m->type != NVSP_INIT)
        return false;
    switch (m->type) {
    case NVSP_INIT:
        ok = on_init(n, m, &answer);
        break;
    case NVSP_NDIS_CONFIG:
        n->capabilities = m->ndis_config.capabilities_low;
        answer_size = 0;
        break;
    case NVSP_NDIS_VERSION:
        answer_size = 0;
        break;
    case NVSP_SEND_RECEIVE_BUFFER:
        ok = netvsp_receive_buffer(n, m->buffer.gpadl, &answer);
        break;
    case NVSP_SEND_SEND_BUFFER:
        ok = netvsp_send_buffer(n, m->buffer.gpadl, &answer);
        break;
    case NVSP_REVOKE_RECEIVE_BUFFER:
        netvsp_receive_buffer_revoke(n);
        answer_size = 0;
        break;
    case NVSP_REVOKE_SEND_BUFFER:
        netvsp_send_buffer_revoke(n);
        answer_size = 0;
        break;
    case NVSP_SWITCH_DATA_PATH:
        on_switch_data_path(n, m);
        answer_size = 0; /* an empty completion: Linux waits for exactly that */
        break;
    case NVSP_SUBCHANNEL:
        answer.type = NVSP_SUBCHANNEL; /* one queue only: refused */
        answer.subchannel.op = NVSP_STATUS_FAILURE;
        break;
    default:
        answer_size = 0; /* unknown requests of newer consumers are completed without effect */
        svc_count(LAB_PROTOCOL_VIOLATIONS, 1);
        break;
    }
    if (packet->wants_completion)
        netvsp_complete(n, packet->transaction, &answer, answer_size);
    return ok;
}
