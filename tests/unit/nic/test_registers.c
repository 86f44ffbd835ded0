/* Registers: the table's accesses, and what drivers poll, compare or dump. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { UNKNOWN_REGISTER = 1, READ_ONLY, PARTIAL }; /* causes in the trace */

static int
setup(void **state)
{
    *state = bench_new();
    return 0;
}

/* What must read back after a write of each pattern: the rows of a driver's offline self-test. */
static void
reads_back_what_the_self_test_writes(void **state)
{
    struct bench *b = *state;
    static const struct { uint32_t offset, stride, count, mask, write; } rows[] = {
        { I82599_FCRTL(0), 0, 1, 0x8007FFF0, 0x8007FFF0 }, { I82599_FCRTH(0), 0, 1, 0x8007FFF0, 0x8007FFF0 },
        { I82599_PFCTOP, 0, 1, 0xFFFFFFFF, 0xFFFFFFFF },   { I82599_VLNCTRL, 0, 1, 0, 0 },
        { I82599_RDBAL(0), 0x40, 4, 0xFFFFFF80, 0xFFFFFF80 }, { I82599_RDBAH(0), 0x40, 4, 0xFFFFFFFF, 0xFFFFFFFF },
        { I82599_RDLEN(0), 0x40, 4, 0x000FFF80, 0x000FFFFF }, { I82599_RXDCTL(0), 0x40, 4, 0, I82599_RXDCTL_EN },
        { I82599_RDT(0), 0x40, 4, 0x0000FFFF, 0x0000FFFF },  { I82599_RXDCTL(0), 0x40, 4, 0, 0 },
        { I82599_FCTTV(0), 0, 1, 0xFFFFFFFF, 0xFFFFFFFF },   { I82599_TDBAL(0), 0x40, 4, 0xFFFFFF80, 0xFFFFFFFF },
        { I82599_TDBAH(0), 0x40, 4, 0xFFFFFFFF, 0xFFFFFFFF }, { I82599_TDLEN(0), 0x40, 4, 0x000FFF80, 0x000FFF80 },
        { I82599_RXCTRL, 0, 1, 1, 1 },                       { 0x5400, 8, 16, 0xFFFFFFFF, 0xFFFFFFFF },
        { 0x5404, 8, 16, 0x8001FFFF & 0x8000FFFF, 0x800CFFFF }, { I82599_MTA(0), 4, 128, 0xFFFFFFFF, 0xFFFFFFFF },
    };
    static const uint32_t patterns[] = { 0x5A5A5A5A, 0xA5A5A5A5, 0x00000000, 0xFFFFFFFF };
    uint32_t status = pf_read(b, I82599_STATUS);
    pf_write(b, I82599_STATUS, 0x7FFFF30F);
    assert_int_equal(pf_read(b, I82599_STATUS), status);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned n = 0; n < rows[i].count; n++) {
            uint32_t offset = rows[i].offset + n * rows[i].stride;
            for (unsigned p = 0; p < 4; p++) {
                uint32_t before = pf_read(b, offset);
                pf_write(b, offset, patterns[p] & rows[i].write);
                assert_int_equal(pf_read(b, offset) & rows[i].mask, patterns[p] & rows[i].write & rows[i].mask);
                pf_write(b, offset, before);
            }
        }
    }
    bench_settle(b);
    assert_int_equal(b->machine.stop, STOP_NONE);
}

static void
aliases_share_one_storage(void **state)
{
    struct bench *b = *state;
    static const uint32_t pairs[][2] = {
        { 0x5818, I82599_MRQC }, { 0x5400, I82599_RAL(0) }, { 0x547C, I82599_RAH(15) }, { 0x2100, I82599_SRRCTL(0) },
        { 0x213C, I82599_SRRCTL(15) }, { 0x2204, I82599_DCA_RXCTRL(1) }, { 0x5480, I82599_PSRTYPE(0) },
    };
    for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        pf_write(b, pairs[i][0], 0x80000008 & ~0x08000000u);
        assert_int_equal(pf_read(b, pairs[i][1]), pf_read(b, pairs[i][0]));
        pf_write(b, pairs[i][1], 1);
        assert_int_equal(pf_read(b, pairs[i][0]), pf_read(b, pairs[i][1]));
        assert_int_equal(pf_read(b, pairs[i][0]), 1);
    }
}

static void
traces_what_is_not_a_register(void **state)
{
    struct bench *b = *state;
    uint64_t bar = pci_config_read(b->machine.pci, BDF_CARD, PCI_BAR0, 4) & ~0xFull;
    bar |= (uint64_t)pci_config_read(b->machine.pci, BDF_CARD, PCI_BAR0 + 4, 4) << 32;
    assert_int_equal(pf_read(b, 0x1FFFC), 0);
    assert_int_equal(b->last_error, UNKNOWN_REGISTER);
    pf_write(b, I82599_LINKS, 0);
    assert_int_equal(b->last_error, READ_ONLY);
    assert_true(pf_read(b, I82599_LINKS) & I82599_LINKS_UP);
    mem_mmio_write(b->machine.mem, bar + I82599_WUFC, 2, 0xFFFF);
    assert_int_equal(b->last_error, PARTIAL);
    assert_int_equal(pf_read(b, I82599_WUFC), 0);
    mem_mmio_write(b->machine.mem, bar + I82599_FDIRHASH, 8, 0x0000000500001234); /* two dwords, in order */
    assert_int_equal(pf_read(b, I82599_FDIRHASH), 0x1234);
    assert_int_equal(pf_read(b, I82599_FDIRCMD), 4); /* the command bits are done at once */
    assert_int_equal(b->errors, 3);
}

static void
a_dump_of_all_offsets_harms_nothing(void **state)
{
    struct bench *b = *state;
    for (uint32_t offset = 0; offset < I82599_CSR_SIZE; offset += 4) {
        (void)pf_read(b, offset);
    }
    bench_settle(b);
    assert_int_equal(b->machine.stop, STOP_NONE);
    assert_int_not_equal(pf_read(b, I82599_STATUS), 0xFFFFFFFF);
}

static uint16_t
eeprom(struct bench *b, unsigned word)
{
    pf_write(b, I82599_EERD, word << 2 | 1);
    uint32_t value = pf_read(b, I82599_EERD);
    assert_true(value & I82599_EERD_DONE);
    return (uint16_t)(value >> 16);
}

static void
eeprom_checksum_and_module_list_are_valid(void **state)
{
    struct bench *b = *state;
    uint16_t sum = 0;
    for (unsigned i = 0; i < 0x3F; i++) {
        sum = (uint16_t)(sum + eeprom(b, i));
    }
    for (unsigned i = 3; i < 0xF; i++) {
        uint16_t pointer = eeprom(b, i), length = pointer && pointer != 0xFFFF ? eeprom(b, pointer) : 0;
        for (unsigned n = 1; length != 0xFFFF && n <= length; n++) {
            sum = (uint16_t)(sum + eeprom(b, pointer + n));
        }
    }
    assert_int_equal((uint16_t)(sum + eeprom(b, 0x3F)), 0xBABA);
    uint16_t at = (uint16_t)(eeprom(b, 0x2B) + 1);
    while (eeprom(b, at) != 5 && eeprom(b, at) != 0xFFFF) {
        at = (uint16_t)(at + 2);
    }
    assert_int_equal(eeprom(b, at), 5); /* SR/LR optics, port 0 */
    assert_int_equal(eeprom(b, eeprom(b, at + 1u) + 1u), 0xFFFF);
}

static void
semaphore_is_taken_by_reading(void **state)
{
    struct bench *b = *state;
    assert_int_equal(pf_read(b, I82599_SWSM) & I82599_SWSM_SMBI, 0);
    assert_int_equal(pf_read(b, I82599_SWSM) & I82599_SWSM_SMBI, 1);
    pf_write(b, I82599_SWSM, 0);
    assert_int_equal(pf_read(b, I82599_SWSM) & I82599_SWSM_SMBI, 0);
    pf_write(b, I82599_SWSM, I82599_SWSM_SWESMBI);
    assert_true(pf_read(b, I82599_SWSM) & I82599_SWSM_SWESMBI);
}

static void
master_disable_reads_back_and_stops_status(void **state)
{
    struct bench *b = *state;
    assert_true(pf_read(b, I82599_STATUS) & I82599_STATUS_GIO);
    pf_write(b, I82599_CTRL, I82599_CTRL_GIO_DIS);
    assert_true(pf_read(b, I82599_CTRL) & I82599_CTRL_GIO_DIS);
    assert_true(pf_read(b, 0x4) & I82599_CTRL_GIO_DIS); /* alias */
    assert_false(pf_read(b, I82599_STATUS) & I82599_STATUS_GIO);
    pf_write(b, I82599_CTRL, I82599_CTRL_RST);
    assert_int_equal(pf_read(b, I82599_CTRL), 0);
    assert_true(pf_read(b, I82599_STATUS) & I82599_STATUS_GIO);
}

static void
reset_reloads_the_address_and_keeps_pins(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_RAL(0), 0x12345678);
    pf_write(b, I82599_ESDP, 0x28);
    pf_write(b, I82599_SW_FW_SYNC, 8);
    pf_write(b, I82599_FCTRL, 0x700);
    pf_write(b, I82599_CTRL, I82599_CTRL_RST);
    assert_int_equal(pf_read(b, I82599_RAL(0)), 0xAA000002);
    assert_int_equal(pf_read(b, I82599_RAH(0)), 0x8000CCBB);
    assert_int_equal(pf_read(b, I82599_ESDP) & 0x28, 0x28);
    assert_int_equal(pf_read(b, I82599_SW_FW_SYNC), 8);
    assert_int_equal(pf_read(b, I82599_FCTRL), 0);
    assert_true(pf_read(b, I82599_LINKS) & I82599_LINKS_UP);
}

static void
link_reset_drops_the_link_for_a_while(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_CTRL, I82599_CTRL_LRST);
    assert_false(pf_read(b, I82599_LINKS) & I82599_LINKS_UP);
    bench_settle(b);
    assert_true(pf_read(b, I82599_LINKS) & I82599_LINKS_UP);
    assert_int_equal(pf_read(b, I82599_LINKS) >> I82599_LINKS_SPEED_SHIFT & 3, 3);
    assert_true(pf_read(b, I82599_EICR) & I82599_EICR_LSC);
    pf_set(b, I82599_AUTOC, I82599_AUTOC_AN_RESTART);
    assert_int_equal(pf_read(b, I82599_AUTOC), 3u << I82599_AUTOC_LMS_SHIFT);
    assert_true(pf_read(b, I82599_ANLP1) & 0xF0000);
    bench_settle(b);
}

static void
mdio_completes_without_a_phy(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_MSCA, I82599_MSCA_CMD | 2u << 26);
    assert_false(pf_read(b, I82599_MSCA) & I82599_MSCA_CMD);
    assert_int_equal(pf_read(b, I82599_MSRWD) >> 16, 0xFFFF);
}

/* --- I2C as a driver bit-bangs it -------------------------------------------------- */

static void
lines(struct bench *b, unsigned clock, unsigned data)
{
    pf_write(b, I82599_I2CCTL, clock << 1 | data << 3);
}

static unsigned
data_in(struct bench *b)
{
    return pf_read(b, I82599_I2CCTL) >> 2 & 1;
}

static unsigned
clock_bit(struct bench *b, unsigned bit)
{
    lines(b, 0, bit);
    lines(b, 1, bit);
    assert_true(pf_read(b, I82599_I2CCTL) & I82599_I2CCTL_CLK_IN);
    unsigned in = data_in(b);
    lines(b, 0, bit);
    return in;
}

static unsigned
write_byte(struct bench *b, unsigned byte)
{
    for (int i = 7; i >= 0; i--) {
        clock_bit(b, byte >> i & 1);
    }
    return clock_bit(b, 1); /* 0: acknowledged */
}

static void
i2c_start(struct bench *b)
{
    lines(b, 0, 1);
    lines(b, 1, 1);
    lines(b, 1, 0);
    lines(b, 0, 0);
}

static unsigned
read_module(struct bench *b, unsigned address)
{
    unsigned byte = 0;
    i2c_start(b);
    assert_int_equal(write_byte(b, 0xA0), 0);
    assert_int_equal(write_byte(b, address), 0);
    i2c_start(b);
    assert_int_equal(write_byte(b, 0xA1), 0);
    for (int i = 0; i < 8; i++) {
        byte = byte << 1 | clock_bit(b, 1);
    }
    clock_bit(b, 1); /* not acknowledged */
    lines(b, 0, 0);
    lines(b, 1, 0);
    lines(b, 1, 1);
    assert_int_equal(data_in(b), 1);
    return byte;
}

static void
module_identifies_itself_over_i2c(void **state)
{
    struct bench *b = *state;
    static const struct { unsigned address, value; } bytes[] = {
        { 0x00, 0x03 }, { 0x03, 0x10 }, { 0x06, 0 }, { 0x08, 0 }, { 0x25, 0x00 }, { 0x26, 0x1B }, { 0x27, 0x21 }, { 0x5C, 0 },
    };
    for (unsigned i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        assert_int_equal(read_module(b, bytes[i].address), bytes[i].value);
    }
    i2c_start(b);
    assert_int_equal(write_byte(b, 0xA4), 1); /* nobody there */
    lines(b, 1, 1);
    assert_true(pf_read(b, I82599_ESDP) & I82599_ESDP_SDP2);
}

static void
statistics_clear_when_read(void **state)
{
    struct bench *b = *state;
    uint8_t frame[64];
    static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
    driver_init(b);
    for (unsigned i = 0; i < 3; i++) {
        bench_receive(b, frame, frame_make(frame, all, bench_mac, 0x88B5, 60));
    }
    assert_int_equal(pf_read(b, I82599_GPRC), 3);
    assert_int_equal(pf_read(b, I82599_GPRC), 0);
    assert_int_equal(pf_read(b, I82599_BPRC), 3);
    assert_int_equal(pf_read(b, I82599_PRC64), 3);
    assert_int_equal(pf_read(b, I82599_GORCL), 192);
    assert_int_equal(pf_read(b, I82599_GORCL), 0);
    bench_settle(b);
}

/* What the model lacks stops the run when it is turned on, and only then. */
static void
unoffered_features_stop_the_run(void **state)
{
    struct bench *b = *state;
    static const struct { uint32_t offset, harmless, wanted; } rows[] = {
        { I82599_MRQC, 1, 2 }, { I82599_FTQF(5), 0x7FFFFFFF, 0x80000000 }, { I82599_SYNQF, 0x80000000, 1 },
        { I82599_MRCTL(1), 0x1F00, 1 }, { I82599_FDIRCTRL, 1, 0x11 }, { I82599_RTTBCNRC, 5, 0x80000005 },
        { I82599_SRRCTL(3), 0x02000402, 0x04000402 }, { I82599_FCCFG, 8, 16 }, { I82599_CTRL_EXT, 1u << 28, 1u << 26 },
        { I82599_ETQF(1), 0x800088F7, 0xC00088F7 }, { I82599_DMATXCTL, 0x81000001, 0x81000009 }, { I82599_FCRECTL, 2, 1 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        b->machine.stop = STOP_NONE;
        pf_write(b, rows[i].offset, rows[i].harmless);
        assert_int_equal(b->machine.stop, STOP_NONE);
        pf_write(b, rows[i].offset, rows[i].wanted);
        assert_int_equal(b->machine.stop, STOP_UNIMPLEMENTED);
        assert_non_null(strstr(b->machine.stop_text, "nic: "));
    }
}

static void
configuration_space_is_the_82599s(void **state)
{
    struct bench *b = *state;
    static const struct { unsigned offset, size; uint32_t value; } rows[] = {
        { 0x00, 4, 0x10FB8086 }, { 0x08, 4, 0x02000001 }, { 0x34, 1, 0x40 }, { 0x40, 1, 0x01 }, { 0x50, 1, 0x05 },
        { 0x70, 1, 0x11 }, { 0x72, 2, 63 }, { 0x74, 4, 4 }, { 0x78, 4, 0x2004 }, { 0xA0, 1, 0x10 }, { 0xB2, 2, 0x1082 },
        { 0x100, 2, 0x0001 }, { 0x140, 2, 0x0003 }, { 0x150, 2, 0x000E }, { 0x160, 2, 0x0010 }, { 0x16C, 4, 0x00400040 },
        { 0x174, 4, 0x00020180 }, { 0x17A, 2, 0x10ED }, { 0x17C, 4, 0x553 }, { 0x180, 4, 1 },
        { 0x144, 4, 0xFFAABBCC }, { 0x148, 4, 0x020000FF },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(pci_config_read(b->machine.pci, BDF_CARD, rows[i].offset, rows[i].size), rows[i].value);
    }
    unsigned at = pci_config_read(b->machine.pci, BDF_CARD, 0x34, 1), seen = 0;
    for (; at; at = pci_config_read(b->machine.pci, BDF_CARD, at + 1, 1)) {
        seen++;
    }
    assert_int_equal(seen, 4);
}

static void
function_level_reset_forgets_everything(void **state)
{
    struct bench *b = *state;
    driver_init(b);
    driver_sriov(b, 4);
    assert_int_equal(pf_read(b, I82599_STATUS) & (I82599_STATUS_IOV | I82599_STATUS_NUM_VFS_MASK), I82599_STATUS_IOV | 4u << 10);
    pci_config_write(b->machine.pci, BDF_CARD, I82599_CAP_PCIE + 8, 2, 0x8000);
    assert_null(pci_find(b->machine.pci, BDF_CARD + 128));
    assert_int_equal(pci_config_read(b->machine.pci, BDF_CARD, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
    assert_int_equal(pci_config_read(b->machine.pci, BDF_CARD, I82599_CAP_PCIE + 8, 2) & 0x8000, 0);
    assert_int_equal(pf_read(b, I82599_RXCTRL), 0);
    assert_false(pf_read(b, I82599_STATUS) & I82599_STATUS_IOV);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(reads_back_what_the_self_test_writes), CASE(aliases_share_one_storage), CASE(traces_what_is_not_a_register),
        CASE(a_dump_of_all_offsets_harms_nothing), CASE(eeprom_checksum_and_module_list_are_valid),
        CASE(semaphore_is_taken_by_reading), CASE(master_disable_reads_back_and_stops_status),
        CASE(reset_reloads_the_address_and_keeps_pins), CASE(link_reset_drops_the_link_for_a_while),
        CASE(mdio_completes_without_a_phy), CASE(module_identifies_itself_over_i2c), CASE(statistics_clear_when_read),
        CASE(unoffered_features_stop_the_run), CASE(configuration_space_is_the_82599s),
        CASE(function_level_reset_forgets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
