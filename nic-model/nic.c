/* The card as a whole: creation, reset, progress, state; see nic.h. */
#include <stdlib.h>
#include <string.h>

#include "nic-model/nic_priv.h"

static const char *const drop_names[NIC_DROP_COUNT] = {
    [NIC_DROP_NONE] = "none",
    [NIC_DROP_LINK_DOWN] = "link_down",
    [NIC_DROP_FILTER_MAC] = "filter_mac",
    [NIC_DROP_FILTER_VLAN] = "filter_vlan",
    [NIC_DROP_OVERSIZE] = "oversize",
    [NIC_DROP_MAC_CONTROL] = "mac_control",
    [NIC_DROP_NO_BUFFER] = "no_buffer",
    [NIC_DROP_NO_DESCRIPTOR] = "no_descriptor",
    [NIC_DROP_DMA_FAULT] = "dma_fault",
    [NIC_DROP_RESET] = "reset",
    [NIC_DROP_UNDERSIZE] = "undersize",
};

const char *
nic_drop_name(enum nic_drop reason)
{
    return (unsigned)reason < NIC_DROP_COUNT ? drop_names[reason] : "unknown";
}

uint64_t
nic_now(const struct nic *nic)
{
    return machine_now(nic->machine);
}

void
nic_guest_error(struct nic *nic, enum nic_guest_error cause, uint64_t detail)
{
    (void)cause;
    (void)detail;
    TRACE(nic->machine, nic_now(nic), TRACE_GUEST_ERROR, NIC_COMPONENT, cause, detail, 0);
}

void
nic_unoffered(struct nic *nic, uint32_t offset, const char *what)
{
    nic_guest_error(nic, NIC_ERROR_UNOFFERED, offset);
    machine_request_stop(nic->machine, STOP_UNIMPLEMENTED, 0,
                         "nic: software turned on something the card model does not have: %s, register %#x", what,
                         (unsigned)offset);
}

void
nic_drop(struct nic *nic, uint32_t packet, enum nic_drop reason)
{
    nic->dropped[reason]++;
    TRACE(nic->machine, nic_now(nic), TRACE_NIC_DROP, packet, reason, 0, 0);
}

/* Moves frames until nothing moves.  Waiting is always for an event or a
 * register write, both of which come back here. */
void
nic_run(struct nic *nic, uint64_t now)
{
    if (nic->running) {
        return;
    }
    nic->running = 1;
    bool has_moved = true;
    while (has_moved) {
        has_moved = rx_step(nic, now);
        has_moved |= tx_step(nic, now);
        has_moved |= wire_start(nic, now);
    }
    nic->running = 0;
}

/* The permanent address is loaded from the EEPROM into the first receive address. */
static void
load_address(struct nic *nic)
{
    const uint8_t *mac = nic->config.mac;
    reg_set(nic, I82599_RAL(0),
            (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24);
    reg_set(nic, I82599_RAH(0), (uint32_t)mac[4] | (uint32_t)mac[5] << 8 | I82599_RAH_AV);
}

void
nic_reset(struct nic *nic, bool is_link_reset)
{
    rx_reset(nic);
    tx_reset(nic);
    wire_reset(nic);
    dma_reset(nic);
    interrupts_reset(nic);
    regs_reset(nic, false);
    mailbox_reset_pf(nic);
    load_address(nic);
    if (is_link_reset) {
        link_restart(nic);
    }
}

struct nic *
nic_new(struct machine *m, const struct nic_config *config)
{
    struct nic *nic = calloc(1, sizeof *nic);
    if (!nic) {
        return NULL;
    }
    nic->machine = m;
    nic->config = *config;
    if (!rx_init(nic) || !tx_init(nic)) {
        rx_free(nic);
        tx_free(nic);
        free(nic);
        return NULL;
    }
    regs_init(nic);
    regs_reset(nic, true);
    eeprom_init(nic);
    dma_init(nic);
    wire_init(nic);
    link_init(nic);
    interrupts_init(nic);
    vf_init(nic);
    mailbox_reset_pf(nic);
    load_address(nic);
    pf_init(nic);
    return nic;
}

void
nic_free(struct nic *nic)
{
    if (!nic) {
        return;
    }
    pci_set(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, 2, 0);
    vf_set_enabled(nic);
    wire_reset(nic);
    dma_reset(nic);
    interrupts_reset(nic);
    event_cancel(nic->machine->events, &nic->link.up);
    pci_remove(nic->machine->pci, &nic->pf);
    rx_free(nic);
    tx_free(nic);
    free(nic);
}

uint64_t
nic_dropped(const struct nic *nic, enum nic_drop reason)
{
    return (unsigned)reason < NIC_DROP_COUNT ? nic->dropped[reason] : 0;
}

uint64_t
nic_received(const struct nic *nic)
{
    return nic->received;
}

uint64_t
nic_transmitted(const struct nic *nic)
{
    return nic->transmitted;
}

bool
nic_ring(const struct nic *nic, unsigned queue, bool transmit, struct nic_ring *ring)
{
    if (queue >= I82599_QUEUES)
        return false;
    uint32_t control = reg(nic, transmit ? I82599_TXDCTL(queue) : I82599_RXDCTL(queue));
    *ring = (struct nic_ring){
        .head = reg(nic, transmit ? I82599_TDH(queue) : I82599_RDH(queue)),
        .tail = reg(nic, transmit ? I82599_TDT(queue) : I82599_RDT(queue)),
        .size = reg(nic, transmit ? I82599_TDLEN(queue) : I82599_RDLEN(queue)) / I82599_DESC_SIZE,
    };
    return (control & (transmit ? I82599_TXDCTL_EN : I82599_RXDCTL_EN)) && ring->size != 0;
}

bool
nic_idle(const struct nic *nic)
{
    return nic->rx.fifo.count == 0 && nic->tx.active < 0 && nic->tx.order_count == 0 && dma_idle(nic) && wire_idle(nic);
}

/* The PF's configuration space belongs to pci_state, which is visited before. */
void
nic_state(struct nic *nic, struct state *s)
{
    state_part(s, "nic");
    STATE_VISIT(s, nic->csr);
    STATE_VISIT(s, nic->dropped);
    STATE_VISIT(s, nic->received);
    STATE_VISIT(s, nic->transmitted);
    msix_state(&nic->msix, s);
    link_state(nic, s);
    rx_state(nic, s);
    tx_state(nic, s);
    dma_state(nic, s);
    wire_state(nic, s);
    vf_state(nic, s);
    interrupts_state(nic, s);
}
