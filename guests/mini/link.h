/* The child's network link: one address, two ways to the wire.
 *
 * Frames go through the virtual function when there is one and the parent has
 * switched the data path to it, else through the synthetic device; whatever
 * arrives on either is taken.  Both directions: reserved addresses
 * (01:80:C2:00:00:00..2F) go no further here, as in every other path, and a frame
 * for somebody else is not ours; each is counted.  Short frames are padded to
 * 60 bytes on their way out.
 */
#ifndef GUESTS_MINI_LINK_H
#define GUESTS_MINI_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/mini/netvsc.h"
#include "guests/mini/vf.h"

struct mini;

enum link_path { LINK_SYNTHETIC, LINK_SWITCHING, LINK_VF };

struct link {
    struct mini *mini;
    struct netvsc netvsc;
    struct vf vf;
    enum link_path path;
    bool up; /* the workload may start */
    bool vf_associated; /* NVSP says that the virtual function is this device's */
    uint64_t give_up; /* on the virtual function [100 ns] */
    uint32_t mtu;
    uint64_t mac; /* as bytes in memory, 47:0 */
};

void link_init(struct link *, struct mini *, uint32_t mtu);
/* After events were handled: drives the virtual function, decides when the link is up. */
void link_run(struct link *);
/* Traced. Frames from a device. */
void mini_link_receive(struct svc_packet *batch, unsigned count, struct link *);
/* Traced. Frames to the wire, in order; the number taken (a filtered frame counts as taken). 'data' must stay
 * as it is until the device has sent it: link_sent tells. */
unsigned mini_link_send(struct svc_packet *batch, unsigned count, struct link *);
/* Frames given to devices that are done with. */
uint64_t link_sent(const struct link *);

#endif
