/* A card's driver for host tests: implements the operations of service nicdrv.
 *
 * What the switch sends is recorded (and given back at once, or held); what a
 * test injects goes through vsw_input or into a child's posted buffers.
 */
#ifndef TESTS_FAKES_NICDRV_FAKE_H
#define TESTS_FAKES_NICDRV_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NICDRV_FAKE_FRAMES = 4096, NICDRV_FAKE_FRAME_MAX = 10240 };

struct nicdrv_fake_frame { uint32_t length; uint8_t bytes[NICDRV_FAKE_FRAME_MAX]; };

void nicdrv_fake_start(unsigned buffers); /* receive buffers of the card */
/* False: the card has no receive buffer free (it would send a pause frame). */
bool nicdrv_fake_inject(const void *frame, uint32_t length);
unsigned nicdrv_fake_free_buffers(void);
unsigned nicdrv_fake_sent(void);
const struct nicdrv_fake_frame *nicdrv_fake_sent_frame(unsigned i);

/* vmq */
bool nicdrv_fake_pool_running(unsigned child);
unsigned nicdrv_fake_pool_posted(unsigned child);
bool nicdrv_fake_pool_inject(unsigned child, const void *frame, uint32_t length); /* false: no buffer posted */
void nicdrv_fake_pool_hold(bool hold); /* sent frames of pools stay with the card */
void nicdrv_fake_pool_release(unsigned child);

bool nicdrv_fake_steered(unsigned child);
bool nicdrv_fake_wants_multicast(void);

#endif
