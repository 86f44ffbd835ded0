#include "guests/mini/vf.h"

#include "guests/mini/cpu.h"
#include "guests/mini/hyper.h"
#include "guests/mini/mini.h"
#include "spec/nic/82599.h"
#include "spec/nic/82599_vf.h"
#include "vmbus/bytes.h"
#include "vsp/nic/buffer.h"

enum {
    PAGE = 4096, ANSWER_LIMIT = 1000000 /* [100 ns] */, ENTRY_RX = 0, ENTRY_TX = 1, ENTRY_MAILBOX = 2, ENTRIES = 3,
    MSIX_WORDS = 4, FILL_STEP = 16,
};

static void fail(struct vf *vf, const char *why)
{
    vf->state = VF_FAILED;
    vf->failure = why;
}

/* --- mailbox: one question at a time ------------------------------------------------------ */

static void ask(struct vf *vf, enum vf_state state, const uint32_t *words, unsigned count)
{
    vf_reg_write(vf, I82599_VFMAILBOX, I82599_VFMAILBOX_VFU);
    if (!(vf_reg_read(vf, I82599_VFMAILBOX) & I82599_VFMAILBOX_VFU)) {
        fail(vf, "the mailbox is not free");
        return;
    }
    for (unsigned i = 0; i < count; i++)
        vf_reg_write(vf, I82599_VFMBMEM(i), words[i]);
    vf_reg_write(vf, I82599_VFMAILBOX, I82599_VFMAILBOX_REQ);
    vf->state = state;
    vf->deadline = hyper_now() + ANSWER_LIMIT;
}

/* The answer to what was asked; false while there is none. */
static bool answered(struct vf *vf, uint32_t *words, unsigned count, uint64_t now)
{
    if (!(vf_reg_read(vf, I82599_VFMAILBOX) & I82599_VFMAILBOX_PFSTS)) {
        if (now > vf->deadline)
            fail(vf, "the physical function does not answer");
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        words[i] = vf_reg_read(vf, I82599_VFMBMEM(i));
    vf_reg_write(vf, I82599_VFMAILBOX, I82599_VFMAILBOX_ACK);
    return (words[0] & 0xFFFF) != I82599_MBX_PF_CONTROL; /* that is news, not an answer */
}

/* --- rings ----------------------------------------------------------------------------------- */

static void rings_allocate(struct vf *vf, struct mini *mini)
{
    uint32_t stride = (vf->buffer_size + PAGE / 2 - 1) / (PAGE / 2) * (PAGE / 2);
    vf->rx = mini_pages(mini, vf->rx_size * sizeof *vf->rx / PAGE);
    vf->tx = mini_pages(mini, VF_TX_SIZE * sizeof *vf->tx / PAGE);
    vf->rx_buffer = mini_pages(mini, (vf->rx_size * sizeof *vf->rx_buffer + PAGE - 1) / PAGE);
    vf->tx_report = mini_pages(mini, 1);
    uint8_t *memory = mini_pages(mini, (uint64_t)stride * vf->rx_size / PAGE);
    for (unsigned i = 0; i < vf->rx_size; i++)
        vf->rx_buffer[i] = memory + (size_t)i * stride;
}

static bool enabled(struct vf *vf, uint32_t offset, uint32_t bit)
{
    for (unsigned i = 0; i < 10000; i++)
        if (vf_reg_read(vf, offset) & bit)
            return true;
    return false;
}

static void rx_give(struct vf *vf, uint32_t i)
{
    vf->rx[i].lo = mini_gpa(vf->rx_buffer[i]);
    vf->rx[i].hi = 0;
}

static bool rings_start(struct vf *vf)
{
    vf_reg_write(vf, I82599_VFPSRTYPE, 0);
    vf_reg_write(vf, I82599_VFTDBAL(0), (uint32_t)mini_gpa(vf->tx));
    vf_reg_write(vf, I82599_VFTDBAH(0), (uint32_t)(mini_gpa(vf->tx) >> 32));
    vf_reg_write(vf, I82599_VFTDLEN(0), VF_TX_SIZE * sizeof *vf->tx);
    vf_reg_write(vf, I82599_VFTDH(0), 0);
    vf_reg_write(vf, I82599_VFTDT(0), 0);
    vf_reg_write(vf, I82599_VFTXDCTL(0), 32 | 1 << I82599_TXDCTL_HTHRESH_SHIFT | I82599_TXDCTL_EN);
    vf_reg_write(vf, I82599_VFRDBAL(0), (uint32_t)mini_gpa(vf->rx));
    vf_reg_write(vf, I82599_VFRDBAH(0), (uint32_t)(mini_gpa(vf->rx) >> 32));
    vf_reg_write(vf, I82599_VFRDLEN(0), vf->rx_size * sizeof *vf->rx);
    vf_reg_write(vf, I82599_VFRDH(0), 0);
    vf_reg_write(vf, I82599_VFRDT(0), 0);
    vf_reg_write(vf, I82599_VFSRRCTL(0), vf->buffer_size / NICDRV_BUFFER_UNIT | 4u << I82599_SRRCTL_BSIZEHEADER_SHIFT |
                                    (uint32_t)I82599_DESCTYPE_ADVANCED_ONE << I82599_SRRCTL_DESCTYPE_SHIFT);
    vf_reg_write(vf, I82599_VFRXDCTL(0), I82599_RXDCTL_EN);
    if (!enabled(vf, I82599_VFTXDCTL(0), I82599_TXDCTL_EN) || !enabled(vf, I82599_VFRXDCTL(0), I82599_RXDCTL_EN))
        return false;
    for (uint32_t i = 0; i < vf->rx_size; i++)
        rx_give(vf, i);
    vf->rx_tail = vf->rx_size - 1;
    vf_reg_write(vf, I82599_VFRDT(0), vf->rx_tail);
    return true;
}

static bool interrupts_start(struct vf *vf)
{
    for (unsigned entry = 0; entry < ENTRIES; entry++) {
        uint64_t msi;
        if (!hyper_map_interrupt(vf->device_id, CPU_VECTOR_VF + entry, &msi))
            return false;
        vf_msix_write(vf, entry * MSIX_WORDS + 0, (uint32_t)msi);
        vf_msix_write(vf, entry * MSIX_WORDS + 1, 0);
        vf_msix_write(vf, entry * MSIX_WORDS + 2, (uint32_t)(msi >> 32));
        vf_msix_write(vf, entry * MSIX_WORDS + 3, 0); /* not masked */
    }
    vf_reg_write(vf, I82599_VTIVAR(0), ENTRY_RX | I82599_VTIVAR_VALID | (ENTRY_TX | I82599_VTIVAR_VALID) << 8);
    vf_reg_write(vf, I82599_VTIVAR_MISC, ENTRY_MAILBOX | I82599_VTIVAR_VALID);
    (void)vf_reg_read(vf, I82599_VTEICR);
    vf_reg_write(vf, I82599_VTEIAC, 7);
    vf_reg_write(vf, I82599_VTEIAM, 7);
    vf_reg_write(vf, I82599_VTEIMS, 1 << ENTRY_RX | 1 << ENTRY_MAILBOX);
    return true;
}

static void moderate(struct vf *vf, const struct mini *mini)
{
    uint64_t units = mini_config_number(mini, "moderation_us", 10) * 1000 / 2048;
    uint32_t most = I82599_EITR_INTERVAL_MASK >> I82599_EITR_INTERVAL_SHIFT;
    vf_reg_write(vf, I82599_VTEITR(ENTRY_RX),
        (uint32_t)(units < most ? units : most) << I82599_EITR_INTERVAL_SHIFT | I82599_EITR_CNT_WDIS);
}

/* --- the chain --------------------------------------------------------------------------------- */

void vf_start(struct vf *vf, struct mini *mini, const struct boot_device *device, const uint8_t mac[6],
              uint32_t mtu, const struct vf_handler *handler, void *ctx)
{
    bytes_zero(vf, sizeof *vf);
    vf->handler = handler;
    vf->ctx = ctx;
    vf->regs = (volatile uint32_t *)(uintptr_t)device->bar_gpa[0];
    vf->msix = (volatile uint32_t *)(uintptr_t)device->bar_gpa[1];
    vf->device_id = device->device_id;
    vf->mtu = mtu;
    vf->buffer_size = nicdrv_buffer_size(mtu);
    bytes_copy(vf->mac, mac, sizeof vf->mac);
    vf->rx_size = vf->buffer_size > NICDRV_BUFFER_MIN ? VF_RX_SIZE_JUMBO : VF_RX_SIZE;
    rings_allocate(vf, mini);
    vf_reg_write(vf, I82599_VFCTRL, I82599_VFCTRL_RST);
    moderate(vf, mini);
    vf->state = VF_RESETTING;
    vf->deadline = hyper_now() + ANSWER_LIMIT;
}

static void on_reset_done(struct vf *vf, uint64_t now)
{
    if (vf_reg_read(vf, I82599_VFMAILBOX) & (I82599_VFMAILBOX_RSTI | I82599_VFMAILBOX_RSTD)) {
        if (now > vf->deadline) /* the first read after a reset shows RSTD and clears it */
            fail(vf, "the reset does not end");
        return;
    }
    const uint32_t question[] = { I82599_MBX_RESET };
    ask(vf, VF_ASKED_RESET, question, 1);
}

static void on_reset_answer(struct vf *vf, uint64_t now)
{
    uint32_t words[4];
    if (!answered(vf, words, 4, now))
        return;
    uint32_t mine[2] = { 0, 0 };
    bytes_copy(mine, vf->mac, sizeof vf->mac);
    if (words[0] != (I82599_MBX_RESET | I82599_MBX_ACK) || words[1] != mine[0] || (words[2] & 0xFFFF) != mine[1]) {
        fail(vf, "this virtual function is not for our address");
        return;
    }
    const uint32_t question[] = { I82599_MBX_API_NEGOTIATE, I82599_MBX_API_14 };
    ask(vf, VF_ASKED_API, question, 2);
}

static void on_api_answer(struct vf *vf, uint64_t now)
{
    uint32_t words[1];
    if (!answered(vf, words, 1, now))
        return;
    if (!(words[0] & I82599_MBX_ACK)) {
        fail(vf, "no common mailbox version");
        return;
    }
    const uint32_t question[] = { I82599_MBX_SET_LPE, vf->mtu + NICDRV_FRAME_OVERHEAD };
    ask(vf, VF_ASKED_SIZE, question, 2);
}

static void on_size_answer(struct vf *vf, uint64_t now)
{
    uint32_t words[1];
    if (!answered(vf, words, 1, now))
        return;
    if (!(words[0] & I82599_MBX_ACK))
        fail(vf, "our frames are too long for it");
    else if (!rings_start(vf))
        fail(vf, "its queues do not start");
    else if (!interrupts_start(vf))
        fail(vf, "its interrupts cannot be routed");
    else
        vf->state = VF_RUNNING;
}

/* --- running --------------------------------------------------------------------------------------- */

static bool receive(struct vf *vf)
{
    struct svc_packet batch[VF_BUDGET];
    uint32_t first = vf->rx_clean;
    unsigned count = 0;
    for (; count < VF_BUDGET; count++) {
        uint64_t status = ((volatile struct i82599_desc *)&vf->rx[vf->rx_clean])->hi;
        if (!(status & I82599_RXD_DD))
            break;
        batch[count] = (struct svc_packet){
            .data = vf->rx_buffer[vf->rx_clean],
            .length = status & I82599_RXD_EOP ? (uint32_t)(status >> I82599_RXD_LENGTH_SHIFT & 0xFFFF) : 0,
        };
        vf->rx_clean = (vf->rx_clean + 1) % vf->rx_size;
    }
    if (count == 0)
        return false;
    vf->handler->receive(vf->ctx, batch, count);
    for (uint32_t i = first; i != vf->rx_clean; i = (i + 1) % vf->rx_size)
        rx_give(vf, i);
    uint32_t tail = (vf->rx_clean + vf->rx_size - 1) % vf->rx_size;
    if ((tail + vf->rx_size - vf->rx_tail) % vf->rx_size >= FILL_STEP) {
        __atomic_thread_fence(__ATOMIC_RELEASE);
        vf_reg_write(vf, I82599_VFRDT(0), tail);
        vf->rx_tail = tail;
    }
    return true;
}

static void sent(struct vf *vf)
{
    uint32_t end = vf->tx_clean;
    for (uint32_t i = vf->tx_clean; i != vf->tx_fill; i = (i + 1) % VF_TX_SIZE) {
        if (!vf->tx_report[i])
            continue;
        if (!(((volatile struct i82599_desc *)&vf->tx[i])->hi & I82599_TXD_DD))
            break;
        end = (i + 1) % VF_TX_SIZE;
    }
    vf->sent += (end + VF_TX_SIZE - vf->tx_clean) % VF_TX_SIZE;
    vf->tx_clean = end;
}

void vf_run(struct vf *vf, uint64_t now)
{
    switch (vf->state) {
    case VF_RESETTING:
        on_reset_done(vf, now);
        break;
    case VF_ASKED_RESET:
        on_reset_answer(vf, now);
        break;
    case VF_ASKED_API:
        on_api_answer(vf, now);
        break;
    case VF_ASKED_SIZE:
        on_size_answer(vf, now);
        break;
    case VF_RUNNING:
        sent(vf);
        while (receive(vf))
            ;
        if (vf->wants_room) {
            vf->wants_room = false;
            vf->handler->room(vf->ctx);
        }
        /* What fired masked itself with its message. Sent frames interrupt only when room is wanted. */
        vf_reg_write(vf, I82599_VTEIMS, 1 << ENTRY_RX | 1 << ENTRY_MAILBOX | (vf->wants_room ? 1 << ENTRY_TX : 0));
        break;
    case VF_NONE:
    case VF_FAILED:
        break;
    }
}

/* A frame is one descriptor: this guest's memory is contiguous for the card. The card pads. */
unsigned vf_send(struct svc_packet *batch, unsigned count, struct vf *vf)
{
    unsigned taken = 0;
    uint32_t last = 0;
    sent(vf);
    for (; taken < count && (vf->tx_fill + 1) % VF_TX_SIZE != vf->tx_clean; taken++) {
        uint64_t length = batch[taken].length;
        last = vf->tx_fill;
        vf->tx[last].lo = mini_gpa(batch[taken].data);
        vf->tx[last].hi = length | I82599_TXD_DTYP_DATA | I82599_TXD_DEXT | I82599_TXD_IFCS | I82599_TXD_EOP |
                          length << I82599_TXD_PAYLEN_SHIFT;
        vf->tx_report[last] = 0;
        vf->tx_fill = (vf->tx_fill + 1) % VF_TX_SIZE;
    }
    if (taken > 0) {
        vf->tx[last].hi |= I82599_TXD_RS;
        vf->tx_report[last] = 1;
        __atomic_thread_fence(__ATOMIC_RELEASE);
        vf_reg_write(vf, I82599_VFTDT(0), vf->tx_fill);
    }
    if (taken < count && !vf->wants_room) {
        vf->wants_room = true;
        vf_reg_write(vf, I82599_VTEIMS, 1 << ENTRY_TX);
    }
    return taken;
}
