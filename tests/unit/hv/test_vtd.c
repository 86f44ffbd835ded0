/* The remapping unit's driver, against a unit made of memory: registers at
 * UNIT, commands and invalidations carried out whenever the driver waits. */
#include "tests/unit/hv/test.h"

#include "hv/iommu/vtd.h"

enum { UNIT = 0x5F00000, CAP = 0x08, ECAP = 0x10, GCMD = 0x18, GSTS = 0x1C, RTADDR = 0x20, IQT = 0x88, IQA = 0x90, IRTA = 0xB8 };
enum { BDF = 0x0181, OTHER = 0x0183 };

static struct { unsigned head, contexts, iotlbs, interrupts; uint64_t last_domain; } seen;

static uint64_t *reg64(unsigned r) { return (uint64_t *)((uint8_t *)world_memory(UNIT) + r); }
static uint32_t *reg32(unsigned r) { return (uint32_t *)((uint8_t *)world_memory(UNIT) + r); }

/* What hardware does meanwhile (VT-d specification "Queued Invalidation Interface"). */
static void unit_works(void)
{
    *reg32(GSTS) = *reg32(GCMD);
    const uint64_t *queue = world_memory(*reg64(IQA) & ~0xFFFull);
    for (; seen.head != *reg64(IQT) >> 4; seen.head = (seen.head + 1) % 256) {
        uint64_t low = queue[2 * seen.head], high = queue[2 * seen.head + 1];
        switch (low & 15) {
        case 1: seen.contexts++; break;
        case 2: seen.iotlbs++; seen.last_domain = low >> 16 & 0xFFFF; break;
        case 4: seen.interrupts++; break;
        case 5: *(uint32_t *)world_memory(high) = (uint32_t)(low >> 32); break;
        default: fail_msg("unknown invalidation %lx", (unsigned long)low);
        }
    }
}

static struct child with_unit(uint64_t ecap_extra)
{
    struct child c = new_child(2);
    memset(&seen, 0, sizeof(seen));
    hv.vtd_base = UNIT;
    memset(world_memory(UNIT), 0, PAGE);
    *reg64(CAP) = 1ull << 10 | 3ull << 34 | 1;
    *reg64(ECAP) = 1 << 1 | 1 << 3 | 1 << 4 | ecap_extra;
    fake.pause = unit_works;
    vtd_init();
    return c;
}

static const uint64_t *context(uint16_t bdf)
{
    const uint64_t *root = world_memory(*reg64(RTADDR));
    if (!(root[2 * (bdf >> 8)] & 1))
        return NULL;
    return (uint64_t *)world_memory(root[2 * (bdf >> 8)] & ~0xFFFull) + 2 * (bdf & 0xFF);
}

static void remapping_is_on_with_nothing_attached(void **state)
{
    (void)state;
    with_unit(0);
    assert_true(vtd_present());
    assert_int_equal(*reg32(GCMD) & (1u << 31 | 1u << 26 | 1u << 25), 1u << 31 | 1u << 26 | 1u << 25);
    assert_int_equal(*reg32(GCMD) & 1u << 23, 0); /* compatibility-format interrupts are blocked */
    assert_int_equal(*reg64(IRTA) & 0x80F, 0x807);
    assert_null(context(BDF));
}

static void a_unit_without_what_is_needed_is_left_alone(void **state)
{
    static const unsigned needed[] = { 1, 3, 4 };
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        new_child(1);
        hv.vtd_base = UNIT;
        memset(world_memory(UNIT), 0, PAGE);
        *reg64(CAP) = 1ull << 10 | 3ull << 34;
        *reg64(ECAP) = (1 << 1 | 1 << 3 | 1 << 4) & ~(1u << needed[i]);
        vtd_init();
        assert_false(vtd_present());
        assert_non_null(strstr(fake.log, "not used"));
        assert_int_equal(vtd_attach(hv.root, BDF), HV_STATUS_INVALID_DEVICE_ID);
    }
}

static void an_attached_function_uses_its_partitions_tables(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    assert_int_equal(vtd_attach(hv.root, BDF), HV_STATUS_SUCCESS);
    assert_int_equal(vtd_attach(c.partition, OTHER), HV_STATUS_SUCCESS);
    assert_int_equal(context(BDF)[0], hv.root->gpa.root | 1);
    assert_int_equal(context(OTHER)[0], c.partition->gpa.root | 1);
    assert_int_equal(context(OTHER)[1] & 7, 2); /* four levels */
    assert_int_not_equal(context(OTHER)[1] >> 8, context(BDF)[1] >> 8); /* domains of their own */
    assert_int_equal(context(0x0182)[0], 0);
    assert_int_equal(seen.contexts, 1 + 2);
}

static void the_hypervisors_functions_reach_memory_one_to_one(void **state)
{
    (void)state;
    with_unit(1 << 6);
    assert_int_equal(vtd_attach(NULL, BDF), HV_STATUS_SUCCESS);
    assert_int_equal(context(BDF)[0], 2 << 2 | 1); /* pass-through */
    with_unit(0);
    assert_int_equal(vtd_attach(NULL, BDF), HV_STATUS_SUCCESS);
    const uint64_t *top = world_memory(context(BDF)[0] & ~0xFFFull);
    const uint64_t *second = world_memory(top[0] & ~0xFFFull), *third = world_memory(second[0] & ~0xFFFull);
    assert_int_equal(third[5], 5ull << 21 | 0x83);
}

static void detaching_leaves_nothing_behind(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    uint64_t msi;
    bool attached;
    vtd_attach(c.partition, BDF);
    assert_int_equal(vtd_map_interrupt(BDF, c.vp, 0x55, NULL, NULL, &msi), HV_STATUS_SUCCESS);
    unsigned before = seen.iotlbs;
    assert_int_equal(vtd_detach(BDF), HV_STATUS_SUCCESS);
    assert_int_equal(context(BDF)[0], 0);
    assert_true(seen.iotlbs > before);
    assert_false(vtd_interrupt(VTD_VECTOR_FIRST));
    vtd_owner(BDF, &attached);
    assert_false(attached);
}

static void a_mapped_interrupt_is_the_functions_own_and_reaches_its_vp(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    uint64_t msi[2];
    vtd_attach(c.partition, BDF);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(vtd_map_interrupt(BDF, c.vp, 0x55 + i, NULL, NULL, &msi[i]), HV_STATUS_SUCCESS);
    for (unsigned i = 0; i < 2; i++) {
        unsigned handle = (uint32_t)msi[i] >> 5 & 0x7FFF;
        assert_int_equal((uint32_t)msi[i] & 0xFFF00014, 0xFEE00010); /* remappable */
        assert_int_equal(msi[i] >> 32, 0);
        const uint64_t *entry = (uint64_t *)world_memory(*reg64(IRTA) & ~0xFFFull) + 2 * handle;
        assert_int_equal(entry[0] & 1, 1);
        assert_int_equal(entry[0] >> 32, c.vp->lp->apic_id);
        assert_int_equal(entry[1], BDF | 1 << 18);
        assert_true(vtd_interrupt(entry[0] >> 16 & 0xFF));
        assert_int_equal(vapic_highest_request(c.vp), 0x55 + (int)i);
    }
    assert_int_equal(vtd_unmap_interrupt(OTHER, msi[0]), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(vtd_unmap_interrupt(BDF, msi[0]), HV_STATUS_SUCCESS);
    assert_int_equal(vtd_unmap_interrupt(BDF, msi[0]), HV_STATUS_INVALID_PARAMETER);
}

static uint64_t map_call(struct child *c, uint16_t bdf, uint32_t vector, uint64_t mask)
{
    struct hv_map_device_interrupt *in = world_memory(c->base + 0x2000);
    *in = (struct hv_map_device_interrupt){ .partition = HV_PARTITION_SELF, .device_id = bdf, .vector_count = 1,
                                            .vector = vector, .vp_mask = mask };
    return STATUS(world_call(c->vp, HV_CALL_MAP_DEVICE_INTERRUPT, 0x2000, 0x3000));
}

static void a_child_maps_interrupts_of_its_own_functions_only(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    vtd_attach(c.partition, BDF);
    vtd_attach(hv.root, OTHER);
    assert_int_equal(map_call(&c, BDF, 0x55, 1), HV_STATUS_SUCCESS);
    assert_int_equal(map_call(&c, OTHER, 0x55, 1), HV_STATUS_INVALID_DEVICE_ID);
    assert_int_equal(map_call(&c, 0x0500, 0x55, 1), HV_STATUS_INVALID_DEVICE_ID);
    assert_int_equal(map_call(&c, BDF, 15, 1), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(map_call(&c, BDF, 0x55, 2), HV_STATUS_INVALID_VP_INDEX);
    assert_int_equal(map_call(&c, BDF, 0x55, 0), HV_STATUS_INVALID_VP_INDEX);
}

static void interrupts_run_out_loudly_and_come_back(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    uint64_t msi;
    vtd_attach(c.partition, BDF);
    for (unsigned i = 0; i < VTD_INTERRUPTS_MAX; i++)
        assert_int_equal(vtd_map_interrupt(BDF, c.vp, 0x55, NULL, NULL, &msi), HV_STATUS_SUCCESS);
    assert_int_equal(vtd_map_interrupt(BDF, c.vp, 0x55, NULL, NULL, &msi), HV_STATUS_NO_RESOURCES);
    vtd_detach(BDF);
    vtd_attach(c.partition, BDF);
    assert_int_equal(vtd_map_interrupt(BDF, c.vp, 0x55, NULL, NULL, &msi), HV_STATUS_SUCCESS);
}

static void taking_memory_away_reaches_the_devices(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    vtd_attach(c.partition, BDF);
    unsigned before = seen.iotlbs;
    gpa_unmap(c.partition, 0x1000, GPA_SHIFT_4K);
    gpa_flush(c.partition);
    assert_int_equal(seen.iotlbs, before + 1);
    assert_int_equal(seen.last_domain, c.partition->index + 1);
}

static void a_finalized_partition_has_no_functions(void **state)
{
    (void)state;
    struct child c = with_unit(0);
    vtd_attach(c.partition, BDF);
    assert_int_equal(STATUS(world_call(world_root, HV_CALL_FINALIZE_PARTITION | HV_CONTROL_FAST, c.id, 0)), HV_STATUS_SUCCESS);
    assert_int_equal(context(BDF)[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remapping_is_on_with_nothing_attached),
        cmocka_unit_test(a_unit_without_what_is_needed_is_left_alone),
        cmocka_unit_test(an_attached_function_uses_its_partitions_tables),
        cmocka_unit_test(the_hypervisors_functions_reach_memory_one_to_one),
        cmocka_unit_test(detaching_leaves_nothing_behind),
        cmocka_unit_test(a_mapped_interrupt_is_the_functions_own_and_reaches_its_vp),
        cmocka_unit_test(a_child_maps_interrupts_of_its_own_functions_only),
        cmocka_unit_test(interrupts_run_out_loudly_and_come_back),
        cmocka_unit_test(taking_memory_away_reaches_the_devices),
        cmocka_unit_test(a_finalized_partition_has_no_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
