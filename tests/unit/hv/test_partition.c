/* Partitions, VPs, ports and connections, registers: life cycles and refusals. */
#include "tests/unit/hv/test.h"

#include "hv/exits/exits.h"

static uint64_t fast(uint16_t code, uint64_t a, uint64_t b) { return STATUS(world_call(world_root, code | HV_CONTROL_FAST, a, b)); }

static void a_partition_is_born_initialized_finalized_and_deleted(void **state)
{
    (void)state;
    struct child c = new_child(1);
    assert_int_equal(fast(HV_CALL_INITIALIZE_PARTITION, c.id, 0), HV_STATUS_INVALID_PARTITION_STATE);
    assert_int_equal(fast(HV_CALL_DELETE_PARTITION, c.id, 0), HV_STATUS_INVALID_PARTITION_STATE);
    assert_int_equal(fast(HV_CALL_FINALIZE_PARTITION, c.id, 0), HV_STATUS_SUCCESS);
    assert_int_equal(fast(HV_CALL_FINALIZE_PARTITION, c.id, 0), HV_STATUS_INVALID_PARTITION_STATE);
    assert_int_equal(fast(HV_CALL_DELETE_PARTITION, c.id, 0), HV_STATUS_OBJECT_IN_USE); /* its pages are still there */
    struct hv_withdraw_memory out = { c.id, 0 };
    while (STATUS(world_call_block(HV_CALL_WITHDRAW_MEMORY | REPS(1), &out, sizeof(out))) == HV_STATUS_SUCCESS) {
    }
    assert_int_equal(c.partition->pool.count, 0);
    assert_int_equal(fast(HV_CALL_DELETE_PARTITION, c.id, 0), HV_STATUS_SUCCESS);
    assert_int_equal(fast(HV_CALL_DELETE_PARTITION, c.id, 0), HV_STATUS_INVALID_PARTITION_ID);
}

static void sixteen_children_and_no_more(void **state)
{
    (void)state;
    world_new(1);
    struct hv_create_partition in = { 0 };
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(STATUS(world_call_block(HV_CALL_CREATE_PARTITION, &in, sizeof(in))), HV_STATUS_SUCCESS);
    assert_int_equal(STATUS(world_call_block(HV_CALL_CREATE_PARTITION, &in, sizeof(in))), HV_STATUS_NO_RESOURCES);
}

static void initializing_needs_a_deposit(void **state)
{
    (void)state;
    world_new(1);
    struct hv_create_partition in = { 0 };
    world_call_block(HV_CALL_CREATE_PARTITION, &in, sizeof(in));
    uint64_t id = *(uint64_t *)world_output();
    assert_int_equal(fast(HV_CALL_INITIALIZE_PARTITION, id, 0), HV_STATUS_INSUFFICIENT_MEMORY);
}

static void vp_indexes_are_unique_and_bounded(void **state)
{
    (void)state;
    struct child c = new_child(1);
    struct hv_create_vp in = { .partition = c.id };
    assert_int_equal(STATUS(world_call_block(HV_CALL_CREATE_VP, &in, sizeof(in))), HV_STATUS_INVALID_VP_INDEX);
    in.vp_index = HV_VPS_PER_PARTITION;
    assert_int_equal(STATUS(world_call_block(HV_CALL_CREATE_VP, &in, sizeof(in))), HV_STATUS_INVALID_VP_INDEX);
    in.vp_index = 5;
    assert_int_equal(STATUS(world_call_block(HV_CALL_CREATE_VP, &in, sizeof(in))), HV_STATUS_SUCCESS);
    assert_int_equal(fast(HV_CALL_DELETE_VP, c.id, 5), HV_STATUS_SUCCESS);
    assert_null(c.partition->vp[5]);
}

static void properties_have_ranges(void **state)
{
    static const struct { uint32_t code; uint64_t value; enum hv_status status; } rows[] = {
        { HV_PROPERTY_CPU_WEIGHT, 0, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE },
        { HV_PROPERTY_CPU_WEIGHT, 1, HV_STATUS_SUCCESS }, { HV_PROPERTY_CPU_WEIGHT, 10000, HV_STATUS_SUCCESS },
        { HV_PROPERTY_CPU_WEIGHT, 10001, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE },
        { HV_PROPERTY_LAB_CHANNEL, 0, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE },
        { HV_PROPERTY_LAB_CHANNEL, 1, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE },
        { HV_PROPERTY_LAB_CHANNEL, 2, HV_STATUS_SUCCESS },
        { HV_PROPERTY_LAB_CHANNEL, 32, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE },
        { HV_PROPERTY_LP_MASK, 2, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE },
        { HV_PROPERTY_PRIVILEGE_FLAGS, 0, HV_STATUS_INVALID_PARTITION_STATE },
        { 0x12345, 0, HV_STATUS_UNKNOWN_PROPERTY },
    };
    (void)state;
    struct child c = new_child(1);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hv_set_property in = { c.id, rows[i].code, 0, rows[i].value };
        assert_int_equal(STATUS(world_call_block(HV_CALL_SET_PARTITION_PROPERTY, &in, sizeof(in))), rows[i].status);
    }
}

static bool port_open(const struct partition *p, unsigned port)
{
    const uint8_t *bytes = world_memory(p->intercepts.io_bitmap[port / 0x8000]);
    return !(bytes[port % 0x8000 / 8] >> port % 8 & 1);
}

static void a_child_reaches_only_its_laboratory_channel(void **state)
{
    (void)state;
    struct child c = new_child(1);
    struct hv_set_property in = { c.id, HV_PROPERTY_LAB_CHANNEL, 0, 5 };
    world_call_block(HV_CALL_SET_PARTITION_PROPERTY, &in, sizeof(in));
    for (unsigned port = 0; port < 0x10000; port++)
        assert_int_equal(port_open(c.partition, port), port >= 0x1E00 + 5 * 16 && port < 0x1E00 + 6 * 16);
    for (unsigned port = 0; port < 0x10000; port++)
        assert_int_equal(port_open(hv.root, port), port < 0x1E00 || port >= 0x1E10);
}

/* --- ports -------------------------------------------------------------------------------- */

static uint64_t make_port(uint32_t id, struct hv_port_info info)
{
    struct hv_create_port in = { .port_partition = HV_PARTITION_SELF, .port_id = id, .info = info };
    return STATUS(world_call_block(HV_CALL_CREATE_PORT, &in, sizeof(in)));
}

static uint64_t connect(uint64_t child, uint32_t connection, uint32_t port, uint32_t type)
{
    struct hv_connect_port in = { .connection_partition = child, .connection_id = connection,
                                  .port_partition = HV_PARTITION_SELF, .port_id = port, .info = { .type = type } };
    return STATUS(world_call_block(HV_CALL_CONNECT_PORT, &in, sizeof(in)));
}

static void ports_are_checked(void **state)
{
    static const struct { struct hv_port_info info; enum hv_status status; } rows[] = {
        { { .type = 1, .target_sint = 2 }, HV_STATUS_SUCCESS },
        { { .type = 0, .target_sint = 2 }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 3, .target_sint = 2 }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 1, .target_sint = 0 }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 1, .target_sint = 16 }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 1, .target_sint = 2, .target_vp = 1 }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 1, .target_sint = 2, .target_vp = UINT32_MAX }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 2, .target_sint = 2, .base_flag = 2047, .flag_count = 1 }, HV_STATUS_SUCCESS },
        { { .type = 2, .target_sint = 2, .base_flag = 2047, .flag_count = 2 }, HV_STATUS_INVALID_PARAMETER },
        { { .type = 2, .target_sint = 2, .base_flag = 0, .flag_count = 0 }, HV_STATUS_INVALID_PARAMETER },
    };
    (void)state;
    world_new(1);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(make_port(100 + i, rows[i].info), rows[i].status);
    assert_int_equal(make_port(100, rows[0].info), HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(make_port(1u << 24, rows[0].info), HV_STATUS_INVALID_PORT_ID);
}

static void connections_name_ports_of_their_type(void **state)
{
    (void)state;
    struct child c = new_child(1);
    struct hv_port_info message = { .type = HV_PORT_MESSAGE, .target_sint = 2 };
    make_port(7, message);
    assert_int_equal(connect(c.id, 1, 8, HV_PORT_MESSAGE), HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(connect(c.id, 1, 7, HV_PORT_EVENT), HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(connect(c.id, 0, 7, HV_PORT_MESSAGE), HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(connect(c.id, 1, 7, HV_PORT_MESSAGE), HV_STATUS_SUCCESS);
    assert_int_equal(connect(c.id, 1, 7, HV_PORT_MESSAGE), HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(connect(c.id, 1 + CONNECTIONS_MAX, 7, HV_PORT_MESSAGE), HV_STATUS_SUCCESS); /* same hash */
    assert_int_equal(fast(HV_CALL_DELETE_PORT, HV_PARTITION_SELF, 7), HV_STATUS_OBJECT_IN_USE);
    assert_int_equal(fast(HV_CALL_DISCONNECT_PORT, c.id, 1), HV_STATUS_SUCCESS);
    assert_int_equal(fast(HV_CALL_DISCONNECT_PORT, c.id, 1), HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(fast(HV_CALL_DISCONNECT_PORT, c.id, 1 + CONNECTIONS_MAX), HV_STATUS_SUCCESS);
    assert_int_equal(fast(HV_CALL_DELETE_PORT, HV_PARTITION_SELF, 7), HV_STATUS_SUCCESS);
}

static void posting_reaches_the_parent_with_the_ports_id(void **state)
{
    (void)state;
    struct child c = new_child(1);
    bool known;
    assert_true(guest_msr_write(world_root, HV_MSR_SIMP, 0x2300000 | 1, &known));
    assert_true(guest_msr_write(world_root, HV_MSR_SINT2, 0x32, &known));
    assert_true(guest_msr_write(world_root, HV_MSR_SCONTROL, 1, &known));
    make_port(0x1000, (struct hv_port_info){ .type = HV_PORT_MESSAGE, .target_sint = 2 });
    connect(c.id, 4, 0x1000, HV_PORT_MESSAGE);

    struct hv_post_message *in = world_memory(c.base + 0x3000);
    *in = (struct hv_post_message){ .connection_id = 4, .message_type = 1, .payload_size = 5, .payload = "hello" };
    assert_int_equal(world_call(c.vp, HV_CALL_POST_MESSAGE, 0x3000, 0), HV_STATUS_SUCCESS);
    const struct hv_message *m = &((struct hv_message_page *)world_memory(0x2300000))->slot[2];
    assert_int_equal(m->type, 1);
    assert_int_equal(m->sender, 0x1000);
    assert_memory_equal(m->payload, "hello", 5);

    in->connection_id = 5;
    assert_int_equal(world_call(c.vp, HV_CALL_POST_MESSAGE, 0x3000, 0), HV_STATUS_INVALID_CONNECTION_ID);
    *in = (struct hv_post_message){ .connection_id = 4, .message_type = 1, .payload_size = 241 };
    assert_int_equal(world_call(c.vp, HV_CALL_POST_MESSAGE, 0x3000, 0), HV_STATUS_INVALID_PARAMETER);
    *in = (struct hv_post_message){ .connection_id = 4, .message_type = HV_MESSAGE_TIMER_EXPIRED };
    assert_int_equal(world_call(c.vp, HV_CALL_POST_MESSAGE, 0x3000, 0), HV_STATUS_INVALID_PARAMETER);
    *in = (struct hv_post_message){ .connection_id = 4, .message_type = 0 };
    assert_int_equal(world_call(c.vp, HV_CALL_POST_MESSAGE, 0x3000, 0), HV_STATUS_INVALID_PARAMETER);
}

static void signals_stay_within_the_ports_flags(void **state)
{
    (void)state;
    struct child c = new_child(1);
    bool known;
    assert_true(guest_msr_write(world_root, HV_MSR_SIEFP, 0x2301000 | 1, &known));
    assert_true(guest_msr_write(world_root, HV_MSR_SCONTROL, 1, &known));
    make_port(9, (struct hv_port_info){ .type = HV_PORT_EVENT, .target_sint = 3, .base_flag = 40, .flag_count = 2 });
    connect(c.id, 0x10005, 9, HV_PORT_EVENT);
    const uint8_t *flags = (uint8_t *)world_memory(0x2301000) + 3 * 256;
    assert_int_equal(world_call(c.vp, HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST, 0x10005 | 1ull << 32, 0), HV_STATUS_SUCCESS);
    assert_int_equal(flags[5], 2);
    assert_int_equal(world_call(c.vp, HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST, 0x10005 | 2ull << 32, 0),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(world_call(c.vp, HV_CALL_SIGNAL_EVENT | HV_CONTROL_FAST, 0x10006, 0), HV_STATUS_INVALID_CONNECTION_ID);
}

/* --- registers ----------------------------------------------------------------------------- */

static uint64_t set_register(uint64_t partition, uint32_t name, uint64_t value)
{
    struct { struct hv_vp_registers header; struct hv_register_assoc element; } in = { { .partition = partition }, { .name = name } };
    in.element.value.u64[0] = value;
    return STATUS(world_call_block(HV_CALL_SET_VP_REGISTERS | REPS(1), &in, sizeof(in)));
}

static uint64_t get_register(uint64_t partition, uint32_t name, uint64_t *value)
{
    struct { struct hv_vp_registers header; uint32_t name; } in = { { .partition = partition }, name };
    uint64_t status = STATUS(world_call_block(HV_CALL_GET_VP_REGISTERS | REPS(1), &in, sizeof(in.header) + 4));
    *value = *(uint64_t *)world_output();
    return status;
}

static void registers_read_back_what_was_written(void **state)
{
    static const struct { uint32_t name; uint64_t value; } rows[] = {
        { HV_X64_REGISTER_RAX, 1 }, { HV_X64_REGISTER_RSP, 0x8000 }, { HV_X64_REGISTER_R15, 15 },
        { HV_X64_REGISTER_RIP, 0x200000 }, { HV_X64_REGISTER_RFLAGS, 0x202 }, { HV_X64_REGISTER_CR0, 0x80000011 },
        { HV_X64_REGISTER_CR2, 0x123 }, { HV_X64_REGISTER_CR3, 0x5000 }, { HV_X64_REGISTER_CR4, 0x20 },
        { HV_X64_REGISTER_CR8, 5 }, { HV_X64_REGISTER_EFER, 0x500 }, { HV_X64_REGISTER_PAT, 0x0007040600070406 },
        { HV_X64_REGISTER_LSTAR, 0xFFFF800000001000 }, { HV_X64_REGISTER_SINT0 + 4, 0x10055 },
        { HV_X64_REGISTER_KERNEL_GS_BASE, 0x77 }, { HV_REGISTER_EXPLICIT_SUSPEND, 1 },
    };
    (void)state;
    struct child c = new_child(1);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value;
        assert_int_equal(set_register(c.id, rows[i].name, rows[i].value), HV_STATUS_SUCCESS);
        assert_int_equal(get_register(c.id, rows[i].name, &value), HV_STATUS_SUCCESS);
        assert_int_equal(value, rows[i].value);
    }
}

static void registers_that_entry_would_refuse_are_refused(void **state)
{
    static const struct { uint32_t name; uint64_t value; } rows[] = {
        { HV_X64_REGISTER_CR0, 1ull << 32 }, { HV_X64_REGISTER_CR4, 1 << 13 }, { HV_X64_REGISTER_CR4, 1 << 18 },
        { HV_X64_REGISTER_CR4, 1ull << 40 }, { HV_X64_REGISTER_EFER, 1 << 15 },
    };
    (void)state;
    struct child c = new_child(1);
    uint64_t value;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(set_register(c.id, rows[i].name, rows[i].value), HV_STATUS_INVALID_REGISTER_VALUE);
    assert_int_equal(set_register(c.id, 0x99999, 0), HV_STATUS_UNKNOWN_REGISTER_NAME);
    assert_int_equal(get_register(c.id, 0x99999, &value), HV_STATUS_UNKNOWN_REGISTER_NAME);
}

static void a_running_vp_keeps_its_registers_to_itself(void **state)
{
    (void)state;
    struct child c = new_child(1);
    uint64_t value;
    assert_int_equal(set_register(c.id, HV_REGISTER_EXPLICIT_SUSPEND, 0), HV_STATUS_SUCCESS);
    assert_int_equal(get_register(c.id, HV_X64_REGISTER_RIP, &value), HV_STATUS_INVALID_VP_STATE);
    assert_int_equal(set_register(c.id, HV_X64_REGISTER_RIP, 0), HV_STATUS_INVALID_VP_STATE);
    assert_int_equal(set_register(c.id, HV_REGISTER_EXPLICIT_SUSPEND, 1), HV_STATUS_SUCCESS);
    assert_int_equal(get_register(c.id, HV_X64_REGISTER_RIP, &value), HV_STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partition_is_born_initialized_finalized_and_deleted),
        cmocka_unit_test(sixteen_children_and_no_more), cmocka_unit_test(initializing_needs_a_deposit),
        cmocka_unit_test(vp_indexes_are_unique_and_bounded), cmocka_unit_test(properties_have_ranges),
        cmocka_unit_test(a_child_reaches_only_its_laboratory_channel), cmocka_unit_test(ports_are_checked),
        cmocka_unit_test(connections_name_ports_of_their_type),
        cmocka_unit_test(posting_reaches_the_parent_with_the_ports_id),
        cmocka_unit_test(signals_stay_within_the_ports_flags), cmocka_unit_test(registers_read_back_what_was_written),
        cmocka_unit_test(registers_that_entry_would_refuse_are_refused),
        cmocka_unit_test(a_running_vp_keeps_its_registers_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
