/* Memory of the hypervisor: a bump allocator for boot, then pools of pages.
 *
 * Free pages of a pool are linked through their first eight bytes.  A pool
 * belongs to a partition (page tables of its GPA space, filled by
 * HvCallDepositMemory) or to the hypervisor (the root partition's). */
#include "hv/hv.h"

void *boot_alloc(size_t size, size_t align)
{
    uint64_t spa = rt_align_up(hv.boot_next, align);
    if (spa + size > hv.boot_end || spa + size < spa)
        hv_panic("the hypervisor's memory is exhausted at boot: %lu bytes wanted, %lu left",
                 (unsigned long)size, (unsigned long)(hv.boot_end - hv.boot_next));
    hv.boot_next = spa + size;
    return memset(arch_spa_pointer(spa), 0, size);
}

uint64_t page_pool_take(struct page_pool *pool)
{
    lock_take(&pool->lock);
    uint64_t spa = pool->first;
    if (spa) {
        pool->first = *(uint64_t *)arch_spa_pointer(spa);
        pool->count--;
        pool->taken++;
    }
    lock_release(&pool->lock);
    if (spa)
        hv_zero_page(spa);
    return spa;
}

void page_pool_put(struct page_pool *pool, uint64_t spa)
{
    lock_take(&pool->lock);
    *(uint64_t *)arch_spa_pointer(spa) = pool->first;
    pool->first = spa;
    pool->count++;
    lock_release(&pool->lock);
}

/* --- time ---------------------------------------------------------------------- */

enum { REFERENCE_HZ = 10000000 };

uint64_t hv_tsc_to_reference(uint64_t tsc) { return arch_mul_high(tsc, hv.time_scale); }

uint64_t hv_reference_to_tsc(uint64_t reference)
{
    /* tsc * 10^7 must stay below 2^64 * hz: true for anything within 2^64 ticks. */
    if (reference / REFERENCE_HZ >= UINT64_MAX / hv.tsc_hz - 1)
        return UINT64_MAX;
    /* Rounded up, so that at the returned tick the reference time has been reached. */
    return arch_mul_div(reference, hv.tsc_hz, REFERENCE_HZ) + 2;
}
