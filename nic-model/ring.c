/* The arithmetic of descriptor rings, alike for receive and transmit ("Receive Descriptor Queue
 * Structure", "Transmit Descriptor Ring"). */
#include "nic-model/nic_priv.h"

uint32_t
ring_unfetched(const struct nic_fetcher *r, uint32_t size, uint32_t tail)
{
    if (!r->enabled || r->faulted || size == 0 || tail >= size || r->fetch >= size) {
        return 0;
    }
    return (tail + size - r->fetch) % size - r->fetching;
}

uint32_t
ring_fetch(struct nic_fetcher *r, uint32_t size, uint32_t tail, uint32_t most)
{
    uint32_t n = ring_unfetched(r, size, tail), to_end = size - r->fetch;
    n = n < to_end ? n : to_end;
    n = n < most ? n : most;
    if (n > 0) {
        r->fetching = (uint16_t)n;
        r->fetch_generation = r->generation;
    }
    return n;
}

uint32_t
ring_arrive(struct nic_fetcher *r, uint32_t size)
{
    uint32_t n = r->fetching;
    r->fetching = 0;
    /* Software may have stopped the queue, or taken the ring away, meanwhile. */
    return r->fetch_generation != r->generation || r->faulted || size == 0 || r->fetch + n > size ? 0 : n;
}

void
ring_take_in(struct nic_fetcher *r, uint32_t size, uint32_t count)
{
    r->cached = (uint16_t)(r->cached + count);
    r->fetch = (uint16_t)((r->fetch + count) % size);
}

void
ring_stop(struct nic_fetcher *r, uint32_t head)
{
    r->generation++;
    r->enabled = r->faulted = 0;
    r->cached = r->cache_head = 0;
    r->fetch = r->take = (uint16_t)head;
}

void
ring_reset(struct nic_fetcher *r)
{
    *r = (struct nic_fetcher){ .generation = (uint16_t)(r->generation + 1) };
}

bool
ring_state(struct nic_fetcher *r, unsigned cache_size, struct state *s)
{
    STATE_VISIT(s, r->cache_head);
    STATE_VISIT(s, r->cached);
    STATE_VISIT(s, r->fetch);
    STATE_VISIT(s, r->fetching);
    STATE_VISIT(s, r->take);
    STATE_VISIT(s, r->generation);
    STATE_VISIT(s, r->fetch_generation);
    STATE_VISIT(s, r->enabled);
    STATE_VISIT(s, r->faulted);
    return r->cache_head < cache_size && r->cached <= cache_size && r->fetching <= cache_size;
}
