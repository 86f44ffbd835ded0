/* A child for host tests: the real client and consumer (vmbus/client, guests/mini/netvsc) in the
 * memory of a child of svc_fake.  Received frames are kept; frames to send are kept until taken. */
#ifndef TESTS_FAKES_GUEST_FAKE_H
#define TESTS_FAKES_GUEST_FAKE_H

#include "guests/mini/netvsc.h"

enum { GUEST_FRAMES_MAX = 8192 };

struct guest_frame { uint32_t length; uint8_t *bytes; };

struct guest {
    unsigned child;
    size_t used; /* of its memory */
    struct vmbus_client client;
    struct netvsc netvsc;
    bool ready, vf, path_switched;
    bool asleep; /* does not look at its rings */
    bool missed;
    struct guest_frame received[GUEST_FRAMES_MAX];
    unsigned received_count;
    struct svc_packet queue[GUEST_FRAMES_MAX];
    unsigned queue_head, queue_count;
};

/* Creates the child and its guest; call between the services' init and guest_fake_created. */
struct guest *guest_fake_new(unsigned child, size_t memory, uint32_t mtu);
void guest_fake_connect(struct guest *);
void guest_fake_send(struct guest *, const void *frame, uint32_t length);
void guest_fake_sleep(struct guest *, bool asleep);
void guest_fake_forget(struct guest *);  /* what it received */
void guest_fake_restart(struct guest *); /* unloads, forgets everything, connects again */
void guest_fake_free(struct guest *);

#endif
