/* The virtual switch, a service.
 *
 * A frame's way through it:
 *
 *   vsw_input(batch, port)
 *     check     parse, reserved addresses, the port's own address (spoofing), VLAN ingress
 *     extend    capture, filter (extension.h)
 *     decide    learn the source; look the destination up; one port, several, or none
 *   vsw_forward(batch, port)   once per destination and batch
 *     uplink -> nicdrv_transmit       child -> netvsp_deliver
 *   vsw_output_done(batch)     the destination is done with it; the last of several
 *                              destinations gives the frame back to where it came from
 *
 * Few things complicate it.  First, a frame is never copied: a frame for
 * several ports is shared and counted (struct vsw_shared), except that a port
 * that must strip a tag from a shared frame gets a copy.  Second, a child may
 * be `direct`: its frames travel through its own queues of the card (vmq) or
 * its virtual function, and the card's own switch does for it what this one
 * does for the others; frames for it then leave through the uplink, where the
 * card turns them round.  Third, a switch drops: every frame that goes no
 * further is counted once, by reason (spec/lab/lab.h).
 *
 * Frames that come in must have VSW_HEADROOM bytes in front of them.  The
 * switch calls back into the giver (nicdrv_returned, netvsp_sent) from inside
 * vsw_input; those must not call vsw_input again.
 */
#ifndef VSWITCH_VSWITCH_H
#define VSWITCH_VSWITCH_H

#include "services/vswitch.h"

enum { VSW_HEADROOM = 4 };

#endif
