/* The port: frames from the wire, frames to the wire, 802.3x pause both ways
 * ("MAC Functionality", "Flow Control").
 *
 * A frame arrives when its last bit does; a frame sent takes its 10 GbE
 * serialization time.  A pause received lets the frame on the wire finish; a
 * pause of ours leaves behind it.
 */
#include <string.h>

#include "nic-model/regs.h"

enum { ETHER_MIN = 60, FCS_SIZE = 4, TAG_SIZE = 4, STANDARD_MAX = 1518, MAC_CONTROL = 0x8808, OPCODE_PAUSE = 1 };
enum { BITS_PER_QUANTUM = 512, BITS_PER_US = 10000 };

static uint64_t
quanta_to_cycles(uint32_t quanta)
{
    return machine_ns_to_cycles((uint64_t)quanta * BITS_PER_QUANTUM * 1000 / BITS_PER_US);
}

/* --- transmitter ------------------------------------------------------------------------- */

bool
wire_start(struct nic *nic, uint64_t now)
{
    struct nic_wire *wire = &nic->wire;
    struct nic_fifo *fifo = &nic->tx.fifo;
    if (wire->busy || fifo->count == 0 || now < wire->paused_until) {
        return false;
    }
    wire->busy = 1;
    event_arm(nic->machine->events, &wire->sent, now + time_wire_cycles(nic->machine, fifo_at(fifo, 0)->size));
    return true;
}

static void receive(struct nic *, const uint8_t *frame, size_t size, uint32_t packet, uint8_t origin, uint64_t now);

static void
frame_sent(void *ctx, uint64_t now)
{
    struct nic *nic = ctx;
    struct nic_frame *frame = fifo_at(&nic->tx.fifo, 0);
    const uint8_t *bytes = fifo_bytes(&nic->tx.fifo, frame);
    nic->wire.busy = 0;
    stats_wire_tx(nic, bytes, frame->size);
    TRACE(nic->machine, now, TRACE_WIRE_TX, nic->transmitted, frame->size, 0, 0);
    if (reg(nic, I82599_HLREG0) & I82599_HLREG0_LPBK) {
        receive(nic, bytes, frame->size, NIC_PACKET_NONE, NIC_FRAME_LPBK, now);
    } else {
        nic->transmitted++;
        nic->running = 1; /* the peer may answer at once: nothing moves until the frame is gone */
        if (nic->config.peer.transmitted) {
            nic->config.peer.transmitted(nic->config.peer.ctx, bytes, frame->size, now);
        }
        nic->running = 0;
    }
    fifo_pop(&nic->tx.fifo);
    nic_run(nic, now);
}

static void
pause_over(void *ctx, uint64_t now)
{
    struct nic *nic = ctx;
    reg_set(nic, I82599_TFCS, 0);
    nic_run(nic, now);
}

static void
pause_received(struct nic *nic, uint32_t quanta, uint64_t now)
{
    stats_add(nic, quanta ? I82599_LXOFFRXCNT : I82599_LXONRXCNT, 1);
    if (!(reg(nic, I82599_MFLCN) & I82599_MFLCN_RFCE)) {
        return;
    }
    nic->wire.paused_until = now + quanta_to_cycles(quanta);
    reg_set(nic, I82599_TFCS, quanta ? I82599_TFCS_XOFF : 0);
    event_arm(nic->machine->events, &nic->wire.resume, nic->wire.paused_until);
}

/* --- our pause frames ---------------------------------------------------------------------- */

static void
pause_leaves(void *ctx, uint64_t now)
{
    struct nic *nic = ctx;
    uint32_t quanta = nic->wire.pause_quanta;
    stats_add(nic, quanta ? I82599_LXOFFTXC : I82599_LXONTXC, 1);
    if (nic->config.peer.pause) {
        nic->config.peer.pause(nic->config.peer.ctx, (uint16_t)quanta, now);
    }
}

static void
send_pause(struct nic *nic, uint32_t quanta, uint64_t now)
{
    struct nic_wire *wire = &nic->wire;
    struct event_queue *events = nic->machine->events;
    uint64_t free_at = wire->busy && wire->sent.due > now ? wire->sent.due : now;
    wire->pause_quanta = quanta;
    event_arm(events, &wire->pause, free_at + time_wire_cycles(nic->machine, ETHER_MIN));
    uint32_t refresh = reg(nic, I82599_FCRTV) & 0xFFFF;
    if (quanta && refresh) {
        event_arm(events, &wire->refresh, now + quanta_to_cycles(refresh));
    } else {
        event_cancel(events, &wire->refresh);
    }
    wire->xoff_until = now + quanta_to_cycles(quanta);
}

static void
refresh_due(void *ctx, uint64_t now)
{
    struct nic *nic = ctx;
    if (nic->wire.xoff) {
        send_pause(nic, reg(nic, I82599_FCTTV(0)) & 0xFFFF, now);
    }
}

void
wire_pause_update(struct nic *nic, uint64_t now)
{
    struct nic_wire *wire = &nic->wire;
    uint32_t high = reg(nic, I82599_FCRTH(0)), low = reg(nic, I82599_FCRTL(0)), level = nic->rx.fifo.bytes;
    bool is_enabled = reg(nic, I82599_FCCFG) & I82599_FCCFG_TFCE_8023X && high & I82599_FCRTH_FCEN;
    if (!is_enabled) {
        wire->xoff = 0;
        event_cancel(nic->machine->events, &wire->refresh);
        return;
    }
    if (level >= (high & I82599_FCRTH_RTH_MASK) && (!wire->xoff || now >= wire->xoff_until)) {
        wire->xoff = 1;
        send_pause(nic, reg(nic, I82599_FCTTV(0)) & 0xFFFF, now);
    } else if (wire->xoff && level <= (low & I82599_FCRTL_RTL_MASK)) {
        wire->xoff = 0;
        if (low & I82599_FCRTL_XONE) {
            send_pause(nic, 0, now);
        } else {
            event_cancel(nic->machine->events, &wire->refresh);
        }
    }
}

void
wire_fcrtl_write(struct nic *nic, unsigned index, uint32_t value)
{
    reg_set(nic, I82599_FCRTL(index), value);
    wire_pause_update(nic, nic_now(nic));
}

void
wire_fcrth_write(struct nic *nic, unsigned index, uint32_t value)
{
    reg_set(nic, I82599_FCRTH(index), value);
    wire_pause_update(nic, nic_now(nic));
}

void
wire_fccfg_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_FCCFG, value);
    if (value & I82599_FCCFG_TFCE_PFC) {
        nic_unoffered(nic, I82599_FCCFG, "priority flow control (FCCFG.TFCE)");
    }
    wire_pause_update(nic, nic_now(nic));
}

/* --- receiver ------------------------------------------------------------------------------- */

static size_t
size_limit(const struct nic *nic, const struct nic_packet *p)
{
    size_t limit = STANDARD_MAX;
    if (reg(nic, I82599_HLREG0) & I82599_HLREG0_JUMBOEN) {
        limit = reg(nic, I82599_MAXFRS) >> I82599_MAXFRS_MFS_SHIFT;
    }
    limit += p->tagged ? TAG_SIZE : 0;
    return limit < I82599_FRAME_MAX ? limit : I82599_FRAME_MAX;
}

static bool
is_mac_control(const uint8_t *frame)
{
    static const uint8_t address[] = { 0x01, 0x80, 0xC2, 0x00, 0x00, 0x01 };
    return !memcmp(frame, address, sizeof address) && packet_be16(frame + 12) == MAC_CONTROL;
}

/* Port-level checks before any filter; NIC_DROP_NONE to go on. */
static enum nic_drop
admit(struct nic *nic, const uint8_t *frame, size_t size, const struct nic_packet *p, uint64_t now)
{
    if (!link_is_up(nic) || !(reg(nic, I82599_RXCTRL) & I82599_RXCTRL_RXEN)) {
        return NIC_DROP_LINK_DOWN;
    }
    if (size < ETHER_MIN) { /* a runt */
        stats_add(nic, I82599_RUC, 1);
        return NIC_DROP_UNDERSIZE;
    }
    if (size + FCS_SIZE > size_limit(nic, p)) {
        stats_add(nic, I82599_ROC, 1);
        return NIC_DROP_OVERSIZE;
    }
    if (is_mac_control(frame)) {
        if (packet_be16(frame + 14) == OPCODE_PAUSE) {
            pause_received(nic, packet_be16(frame + 16), now);
        }
        return reg(nic, I82599_MFLCN) & I82599_MFLCN_PMCF ? NIC_DROP_NONE : NIC_DROP_MAC_CONTROL;
    }
    return NIC_DROP_NONE;
}

static enum nic_drop
deliver(struct nic *nic, const uint8_t *frame, size_t size, struct nic_frame *what, uint64_t now)
{
    enum nic_drop reason = admit(nic, frame, size, &what->info, now);
    if (reason == NIC_DROP_NONE) {
        reason = filter_l2(nic, frame, &what->info);
    }
    if (reason != NIC_DROP_NONE) {
        return reason;
    }
    stats_wire_rx(nic, frame, size);
    what->pools = vmq_pools(nic, frame, &what->info, NIC_PF, &reason);
    if (!what->pools) {
        return reason;
    }
    what->status = offload_rx_status(&what->info, frame, size);
    if (!rx_accept(nic, frame, size, what, now)) {
        stats_add(nic, I82599_MPC(0), 1);
        interrupts_other(nic, I82599_EICR_RX_MISS, now);
        return NIC_DROP_NO_BUFFER;
    }
    return NIC_DROP_NONE;
}

static void
receive(struct nic *nic, const uint8_t *frame, size_t size, uint32_t packet, uint8_t origin, uint64_t now)
{
    struct nic_frame what = { .packet = packet, .origin = origin };
    if (origin == NIC_FRAME_WIRE) {
        TRACE(nic->machine, now, TRACE_WIRE_RX, packet, size, 0, 0);
    }
    stats_add(nic, I82599_TPR, 1);
    stats_add64(nic, I82599_TORL, I82599_TORH, size + FCS_SIZE);
    packet_parse(&what.info, frame, size > I82599_FRAME_MAX ? 0 : size);
    enum nic_drop reason = deliver(nic, frame, size, &what, now);
    if (reason != NIC_DROP_NONE && origin == NIC_FRAME_WIRE) {
        nic_drop(nic, packet, reason);
    }
}

void
nic_wire_receive(struct nic *nic, const uint8_t *frame, size_t size, uint32_t packet)
{
    uint64_t now = nic_now(nic);
    receive(nic, frame, size, packet, NIC_FRAME_WIRE, now);
    nic_run(nic, now);
}

/* --- life --------------------------------------------------------------------------------------- */

void
wire_init(struct nic *nic)
{
    event_init(&nic->wire.sent, frame_sent, nic);
    event_init(&nic->wire.resume, pause_over, nic);
    event_init(&nic->wire.pause, pause_leaves, nic);
    event_init(&nic->wire.refresh, refresh_due, nic);
}

void
wire_reset(struct nic *nic)
{
    struct event_queue *events = nic->machine->events;
    event_cancel(events, &nic->wire.sent);
    event_cancel(events, &nic->wire.resume);
    event_cancel(events, &nic->wire.pause);
    event_cancel(events, &nic->wire.refresh);
    nic->wire.busy = nic->wire.xoff = 0;
    nic->wire.paused_until = nic->wire.xoff_until = 0;
    nic->wire.pause_quanta = 0;
}

bool
wire_idle(const struct nic *nic)
{
    return !nic->wire.busy && nic->tx.fifo.count == 0;
}

void
wire_state(struct nic *nic, struct state *s)
{
    struct event_queue *events = nic->machine->events;
    STATE_VISIT(s, nic->wire.paused_until);
    STATE_VISIT(s, nic->wire.xoff_until);
    STATE_VISIT(s, nic->wire.pause_quanta);
    STATE_VISIT(s, nic->wire.busy);
    STATE_VISIT(s, nic->wire.xoff);
    event_state(events, &nic->wire.sent, s);
    event_state(events, &nic->wire.resume, s);
    event_state(events, &nic->wire.pause, s);
    event_state(events, &nic->wire.refresh, s);
    if (nic->wire.busy && nic->tx.fifo.count == 0) {
        state_fail(s, "nic: the wire is busy with no frame");
        nic->wire.busy = 0;
        event_cancel(events, &nic->wire.sent);
    }
}
