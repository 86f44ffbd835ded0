/* Hypercalls about memory: deposits, GPA mappings, flushes. */
#include "hv/hypercall/hypercall.h"
#include "hv/partition/partition.h"

enum { PAGE_SHIFT = 12, LARGE_PAGES = 512 };
#define GPFN_LIMIT (1ull << 36)

/* The caller's page as the caller may use it: RAM that it can write, or device memory. */
static bool callers_page(const struct partition *caller, uint64_t gpfn, struct gpa_mapping *m)
{
    return gpfn < GPFN_LIMIT && gpa_lookup(caller, gpfn << PAGE_SHIFT, m) && m->access & GPA_WRITE;
}

/* --- pools -------------------------------------------------------------------------- */

/* The page leaves the caller's address space before it becomes the hypervisor's. */
static enum hv_status deposit(struct partition *caller, uint64_t gpfn)
{
    struct gpa_mapping m;
    if (!callers_page(caller, gpfn, &m) || m.access & GPA_UNCACHED)
        return HV_STATUS_INVALID_PARAMETER;
    return gpa_unmap(caller, gpfn << PAGE_SHIFT, GPA_SHIFT_4K);
}

enum hv_status hypercall_HvCallDepositMemory(struct call *c)
{
    const uint64_t *gpfn = c->rep_in;
    enum hv_status status = HV_STATUS_SUCCESS;
    lock_take(&hv.partitions_lock);
    struct partition *p = partition_find_child(c->caller, *(const uint64_t *)c->in);
    if (!p || c->caller != hv.root) {
        lock_release(&hv.partitions_lock);
        return HV_STATUS_INVALID_PARTITION_ID;
    }
    lock_take(&c->caller->lock);
    unsigned end = call_rep_end(c);
    for (; c->rep_done < end && !status; c->rep_done += !status)
        status = deposit(c->caller, gpfn[c->rep_done]);
    gpa_flush(c->caller);
    lock_release(&c->caller->lock);
    for (unsigned i = c->rep_start; i < c->rep_done; i++) /* GPA = SPA in the root */
        page_pool_put(&p->pool, gpfn[i] << PAGE_SHIFT);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallWithdrawMemory(struct call *c)
{
    const struct hv_withdraw_memory *in = c->in;
    uint64_t *gpfn = c->rep_out;
    enum hv_status status = HV_STATUS_SUCCESS;
    lock_take(&hv.partitions_lock);
    struct partition *p = partition_find_child(c->caller, in->partition);
    if (!p) {
        lock_release(&hv.partitions_lock);
        return HV_STATUS_INVALID_PARTITION_ID;
    }
    lock_take(&c->caller->lock);
    for (unsigned end = call_rep_end(c); c->rep_done < end && !status;) {
        uint64_t spa = page_pool_take(&p->pool);
        if (!spa) {
            status = HV_STATUS_NO_RESOURCES;
            break;
        }
        status = gpa_map(c->caller, spa, spa, GPA_SHIFT_4K, GPA_READ | GPA_WRITE | GPA_EXECUTE);
        if (status)
            page_pool_put(&p->pool, spa);
        else
            gpfn[c->rep_done++] = spa >> PAGE_SHIFT;
    }
    lock_release(&c->caller->lock);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallGetMemoryBalance(struct call *c)
{
    const struct hv_withdraw_memory *in = c->in;
    struct hv_memory_balance *out = c->out;
    struct partition *p = partition_find(c->caller, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    *out = (struct hv_memory_balance){ p->pool.count, p->gpa.pages };
    return HV_STATUS_SUCCESS;
}

/* --- GPA mappings ------------------------------------------------------------------------ */

static unsigned access_of(uint32_t flags)
{
    if (flags & HV_MAP_NO_ACCESS)
        return 0;
    return (flags & HV_MAP_READ ? GPA_READ : 0) | (flags & HV_MAP_WRITE ? GPA_WRITE : 0)
        | (flags & (HV_MAP_KERNEL_EXECUTE | HV_MAP_USER_EXECUTE) ? GPA_EXECUTE : 0);
}

static bool map_flags_valid(uint32_t flags)
{
    uint32_t known = HV_MAP_READ | HV_MAP_WRITE | HV_MAP_KERNEL_EXECUTE | HV_MAP_USER_EXECUTE | HV_MAP_NO_ACCESS
        | HV_MAP_UNCACHED | HV_MAP_LARGE;
    bool readable = flags & HV_MAP_READ || !(flags & (HV_MAP_WRITE | HV_MAP_KERNEL_EXECUTE | HV_MAP_USER_EXECUTE));
    return !(flags & ~known) && readable; /* the processor has no write-only pages */
}

/* A run of the caller's pages, contiguous and of one kind. */
static bool source_run(const struct partition *caller, uint64_t gpfn, unsigned count, struct gpa_mapping *first)
{
    if (!callers_page(caller, gpfn, first))
        return false;
    if (first->shift >= GPA_SHIFT_2M && (gpfn & (LARGE_PAGES - 1)) + count <= LARGE_PAGES)
        return true; /* all of it is one page of the caller */
    for (unsigned i = 1; i < count; i++) {
        struct gpa_mapping m;
        if (!callers_page(caller, gpfn + i, &m) || m.access != first->access
            || m.spa != first->spa + ((uint64_t)i << PAGE_SHIFT))
            return false;
    }
    return true;
}

static enum hv_status map_one(struct call *c, struct partition *p, uint64_t target, uint64_t source, uint32_t flags,
                              bool *replaced)
{
    bool large = flags & HV_MAP_LARGE;
    unsigned count = large ? LARGE_PAGES : 1, shift = large ? GPA_SHIFT_2M : GPA_SHIFT_4K;
    struct gpa_mapping from, old;
    if (large && (target | source) & (LARGE_PAGES - 1))
        return HV_STATUS_INVALID_PARAMETER;
    if (target + count > GPFN_LIMIT || !source_run(c->caller, source, count, &from))
        return HV_STATUS_INVALID_PARAMETER;
    unsigned access = access_of(flags);
    if (access && (from.access & GPA_UNCACHED || flags & HV_MAP_UNCACHED))
        access |= GPA_UNCACHED;
    *replaced |= gpa_lookup(p, target << PAGE_SHIFT, &old);
    return gpa_map(p, target << PAGE_SHIFT, from.spa, shift, access);
}

enum hv_status hypercall_HvCallMapGpaPages(struct call *c)
{
    const struct hv_map_gpa_pages *in = c->in;
    const uint64_t *source = c->rep_in;
    struct partition *p;
    bool replaced = false;
    lock_take(&hv.partitions_lock);
    enum hv_status status = partition_find_active_child(c->caller, in->partition, &p);
    if (!status && (!map_flags_valid(in->flags) || in->pad))
        status = HV_STATUS_INVALID_PARAMETER;
    if (status) {
        lock_release(&hv.partitions_lock);
        return status;
    }
    uint64_t step = in->flags & HV_MAP_LARGE ? LARGE_PAGES : 1;
    lock_take(&p->lock);
    for (unsigned end = call_rep_end(c); c->rep_done < end && !status; c->rep_done += !status)
        status = map_one(c, p, in->target_gpfn + c->rep_done * step, source[c->rep_done], in->flags, &replaced);
    if (replaced)
        gpa_flush(p);
    lock_release(&p->lock);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallUnmapGpaPages(struct call *c)
{
    enum { UNMAP_LARGE = 2 };
    const struct hv_map_gpa_pages *in = c->in;
    struct partition *p;
    bool large = in->flags & UNMAP_LARGE;
    uint64_t step = large ? LARGE_PAGES : 1;
    lock_take(&hv.partitions_lock);
    enum hv_status status = partition_find_active_child(c->caller, in->partition, &p);
    if (!status && (in->target_gpfn + c->rep_count * step > GPFN_LIMIT || in->target_gpfn > GPFN_LIMIT
                    || (large && in->target_gpfn & (LARGE_PAGES - 1))))
        status = HV_STATUS_INVALID_PARAMETER;
    if (status) {
        lock_release(&hv.partitions_lock);
        return status;
    }
    lock_take(&p->lock);
    for (unsigned end = call_rep_end(c); c->rep_done < end && !status; c->rep_done += !status)
        status = gpa_unmap(p, (in->target_gpfn + c->rep_done * step) << PAGE_SHIFT, large ? GPA_SHIFT_2M : GPA_SHIFT_4K);
    gpa_flush(p);
    lock_release(&p->lock);
    lock_release(&hv.partitions_lock);
    return status;
}

/* --- TLB flushes: of guests, for guests ------------------------------------------------------ */

/* The call returns when no target can use what was flushed: a VP that runs elsewhere has
 * left its guest and flushes before it enters again. */
static void flush_vp(struct vp *caller, struct vp *vp)
{
    __atomic_fetch_or(&vp->request, REQUEST_FLUSH, __ATOMIC_SEQ_CST);
    if (vp == caller)
        return;
    arch_barrier();
    struct lp *lp = vp->lp;
    uint64_t entries = lp->entries;
    if (lp == lp_self() || !lp->in_guest || lp->running != vp)
        return;
    sched_wake(vp);
    while (lp->in_guest && lp->entries == entries)
        arch_pause();
}

enum { FLUSH_ALL_PROCESSORS = 1, FLUSH_FLAGS = 7 };

static enum hv_status flush_mask(struct call *c, uint64_t flags, uint64_t mask)
{
    if (flags & ~(uint64_t)FLUSH_FLAGS)
        return HV_STATUS_INVALID_PARAMETER;
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++)
        if (c->caller->vp[i] && (flags & FLUSH_ALL_PROCESSORS || mask >> i & 1))
            flush_vp(c->vp, c->caller->vp[i]);
    return HV_STATUS_SUCCESS;
}

/* A VP set (format, bank mask, banks in the variable header) as a mask of our few VPs.
 * 'all' answers format 1. */
static enum hv_status set_to_mask(const struct call *c, uint64_t format, uint64_t banks, uint64_t *mask)
{
    if (format == 1) {
        *mask = UINT64_MAX;
        return HV_STATUS_SUCCESS;
    }
    if (format != 0 || rt_popcount(banks) != c->variable_count)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    *mask = banks & 1 ? c->variable[0] : 0;
    return HV_STATUS_SUCCESS;
}

enum hv_status hypercall_HvCallFlushVirtualAddressSpace(struct call *c)
{
    const uint64_t *in = c->in;
    return flush_mask(c, in[1], in[2]);
}

/* Without a range flush in hardware for another processor, a list flushes all of the space. */
enum hv_status hypercall_HvCallFlushVirtualAddressList(struct call *c)
{
    const uint64_t *in = c->in;
    c->rep_done = c->rep_count;
    return flush_mask(c, in[1], in[2]);
}

enum hv_status hypercall_HvCallFlushVirtualAddressSpaceEx(struct call *c)
{
    const uint64_t *in = c->in;
    uint64_t mask = 0;
    enum hv_status status = set_to_mask(c, in[2], in[3], &mask);
    return status ? status : flush_mask(c, in[1], mask);
}

enum hv_status hypercall_HvCallFlushVirtualAddressListEx(struct call *c)
{
    c->rep_done = c->rep_count;
    return hypercall_HvCallFlushVirtualAddressSpaceEx(c);
}

/* --- IPIs by hypercall -------------------------------------------------------------------------- */

static enum hv_status send_ipis(struct call *c, uint32_t vector, uint32_t vtl, uint64_t mask)
{
    if (vector < 16 || vector > 255 || vtl)
        return HV_STATUS_INVALID_PARAMETER;
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++)
        if (c->caller->vp[i] && mask >> i & 1)
            vapic_raise(c->caller->vp[i], vector);
    return HV_STATUS_SUCCESS;
}

enum hv_status hypercall_HvCallSendSyntheticClusterIpi(struct call *c)
{
    const uint32_t *in = c->in;
    return send_ipis(c, in[0], in[1], *(const uint64_t *)(in + 2));
}

enum hv_status hypercall_HvCallSendSyntheticClusterIpiEx(struct call *c)
{
    const uint32_t *in = c->in;
    const uint64_t *set = (const uint64_t *)(in + 2);
    uint64_t mask = 0;
    enum hv_status status = set_to_mask(c, set[0], set[1], &mask);
    return status ? status : send_ipis(c, in[0], in[1], mask);
}
