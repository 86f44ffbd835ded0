/* Driver of a virtual function of the 82599, written against the datasheet ("Virtual Function
 * Device Registers", "Mailbox").
 *
 * Bring-up is a chain driven by vf_run: reset, RESET message, API version, frame size,
 * rings, interrupts.  Buffers and frames are in this child's memory; the card reaches
 * nothing else (the hypervisor confines its DMA).
 */
#ifndef GUESTS_MINI_VF_H
#define GUESTS_MINI_VF_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/hv/boot.h"
#include "spec/nic/descriptors.h"
#include "vsp/runtime/svc.h"

enum { VF_RX_SIZE = 512, VF_RX_SIZE_JUMBO = 256, VF_TX_SIZE = 512, VF_BUDGET = 64 };

enum vf_state { VF_NONE, VF_RESETTING, VF_ASKED_RESET, VF_ASKED_API, VF_ASKED_SIZE, VF_RUNNING, VF_FAILED };

struct vf_handler {
    void (*receive)(void *ctx, struct svc_packet *batch, unsigned count);
    void (*room)(void *ctx);
};

struct vf {
    enum vf_state state;
    const char *failure;
    const struct vf_handler *handler;
    void *ctx;
    volatile uint32_t *regs, *msix;
    uint64_t device_id;
    uint8_t mac[6];
    uint32_t mtu, buffer_size;
    uint64_t deadline; /* of the answer that is awaited [100 ns] */
    struct i82599_desc *rx, *tx;
    uint8_t **rx_buffer;
    uint8_t *tx_report; /* of each descriptor: a report was asked for */
    uint32_t rx_size, rx_clean, rx_tail, tx_clean, tx_fill;
    bool wants_room;
    uint64_t sent;
};

struct mini;
void vf_start(struct vf *, struct mini *, const struct boot_device *, const uint8_t mac[6], uint32_t mtu,
              const struct vf_handler *, void *ctx);
/* Goes on with bring-up, or takes what the queues have. */
void vf_run(struct vf *, uint64_t now);
unsigned vf_send(struct svc_packet *batch, unsigned count, struct vf *);

/* vf_regs.c; a test links its own. */
uint32_t vf_reg_read(const struct vf *, uint32_t offset);
void vf_reg_write(struct vf *, uint32_t offset, uint32_t value);
void vf_msix_write(struct vf *, unsigned word, uint32_t value);

#endif
