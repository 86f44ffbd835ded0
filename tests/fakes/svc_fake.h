/* A service runtime for host tests: implements vsp/runtime/svc.h.
 *
 * Children are memory files, so that svc_map gives real aliases of their pages
 * and touching an unmapped one crashes the test.  Nothing happens on its own:
 * what guests post and what services queue waits until svc_fake_run.
 */
#ifndef TESTS_FAKES_SVC_FAKE_H
#define TESTS_FAKES_SVC_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct svc_class;

/* What a test hears on behalf of a child. */
struct svc_fake_guest {
    void (*message)(void *ctx, const void *payload, uint32_t size);
    void (*flag)(void *ctx, uint32_t flag);
    void *ctx;
};

void svc_fake_start(void); /* forget everything */
void svc_fake_config(const char *key, const char *value);
void svc_fake_child(unsigned child, size_t memory, const struct svc_fake_guest *);
void *svc_fake_memory(unsigned child); /* the child's GPA 0 */
size_t svc_fake_memory_size(unsigned child);

/* The guest's side. */
void svc_fake_guest_post(unsigned child, uint32_t connection, const void *payload, uint32_t size);
void svc_fake_guest_signal(unsigned child, uint32_t connection);
void svc_fake_post_full(unsigned child, bool full); /* make svc_child_post fail */

unsigned svc_fake_run(void); /* until idle; the number of things done */
void svc_fake_advance(uint64_t by_100ns); /* time passes, timers fire */

/* Memory that a device can reach: svc_alloc and children created afterwards come from it;
 * a device address is the distance from 'base'. Children's pages map to themselves. */
void svc_fake_arena(void *base, size_t size);
/* Time comes from elsewhere [100 ns]. */
void svc_fake_clock(uint64_t (*now)(void));

uint64_t svc_fake_counter(unsigned counter);
unsigned svc_fake_mappings(void); /* live ones */

/* A device: replaces svc_pci_*, svc_mmio_map, svc_interrupt_bind. */
struct svc_fake_device {
    uint32_t (*pci_read)(void *ctx, unsigned offset);
    void (*pci_write)(void *ctx, unsigned offset, uint32_t value);
    uint32_t (*pci_read_at)(void *ctx, uint16_t bdf, unsigned offset); /* instead of the two above, when set */
    void (*pci_write_at)(void *ctx, uint16_t bdf, unsigned offset, uint32_t value);
    void (*bind)(void *ctx, uint16_t bdf, unsigned entry);
    volatile uint32_t *(*mmio)(void *ctx, uint64_t spa, uint64_t size);
    void *ctx;
};
void svc_fake_device(const struct svc_fake_device *);
bool svc_fake_interrupt(unsigned entry); /* false: not bound */

#endif
