/* MAC link, its pins and management buses ("Link Configuration", "MAC Registers").
 *
 * The cable is always good: the link is up LINK_UP_NS after whatever brought
 * it down (link reset, restart of auto-negotiation).
 */
#include "nic-model/regs.h"

/* Assumed: long enough to be seen as a change, short against any driver's wait. */
enum { LINK_UP_NS = 200000, LINK_SPEED_10G = 3 };

static void
link_came_up(void *ctx, uint64_t now)
{
    struct nic *nic = ctx;
    nic->link.is_up = 1;
    interrupts_other(nic, I82599_EICR_LSC, now);
    nic_run(nic, now);
}

void
link_init(struct nic *nic)
{
    event_init(&nic->link.up, link_came_up, nic);
    nic->link.is_up = 1;
    nic->link.sfp = (struct nic_sfp){ .clock = 1, .data = 1 };
}

bool
link_is_up(const struct nic *nic)
{
    return nic->link.is_up || reg(nic, I82599_HLREG0) & I82599_HLREG0_LPBK; /* a MAC in loopback needs no cable */
}

void
link_restart(struct nic *nic)
{
    uint64_t now = nic_now(nic);
    if (nic->link.is_up) {
        nic->link.is_up = 0;
        interrupts_other(nic, I82599_EICR_LSC, now);
    }
    event_arm(nic->machine->events, &nic->link.up, now + machine_ns_to_cycles(LINK_UP_NS));
}

uint32_t
link_links_read(struct nic *nic, unsigned index)
{
    (void)index;
    return nic->link.is_up ? I82599_LINKS_UP | LINK_SPEED_10G << I82599_LINKS_SPEED_SHIFT | I82599_LINKS_MODE : 0;
}

void
link_autoc_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_AUTOC, value & ~I82599_AUTOC_AN_RESTART);
    if (value & I82599_AUTOC_AN_RESTART) {
        link_restart(nic);
    }
}

/* No PHY answers: data stay all ones and the command is over at once. */
void
link_msca_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_MSCA, value & ~I82599_MSCA_CMD);
}

uint32_t
link_esdp_read(struct nic *nic, unsigned index)
{
    (void)index;
    return reg(nic, I82599_ESDP) | I82599_ESDP_SDP2; /* the module is in its cage */
}

void
link_esdp_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_ESDP, value);
}

/* Open-drain lines: what is read is the host's level and the module's. */
uint32_t
link_i2cctl_read(struct nic *nic, unsigned index)
{
    (void)index;
    uint32_t value = reg(nic, I82599_I2CCTL) & (I82599_I2CCTL_CLK_OUT | I82599_I2CCTL_DATA_OUT);
    value |= nic->link.sfp.clock ? I82599_I2CCTL_CLK_IN : 0;
    return value | (sfp_data(&nic->link.sfp) ? I82599_I2CCTL_DATA_IN : 0);
}

void
link_i2cctl_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_I2CCTL, value);
    sfp_drive(&nic->link.sfp, value & I82599_I2CCTL_CLK_OUT, value & I82599_I2CCTL_DATA_OUT);
}

void
link_state(struct nic *nic, struct state *s)
{
    STATE_VISIT(s, nic->link.is_up);
    STATE_VISIT(s, nic->link.sfp);
    event_state(nic->machine->events, &nic->link.up, s);
}
